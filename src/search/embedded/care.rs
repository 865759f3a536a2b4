//! Looks after the files of the generation that serves: what operations come to is noted, and files that are gone or damaged
//! make the index ask to be built anew, without a restart.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::search::SearchError;
use crate::search::health::Deed;

use super::generation::{self, Live};
use super::{Inner, blocking};

/// All files are gone through no more often than this, whatever errors tell.
const GO_THROUGH_EVERY: Duration = Duration::from_secs(60);

impl Inner {
    /// Passes a result on and remembers what it says of the index. After a failure the files are looked after.
    pub(super) async fn note<T: Send>(
        self: &Arc<Self>,
        deed: Deed,
        live: &Arc<Live>,
        result: Result<T, SearchError>,
    ) -> Result<T, SearchError> {
        let failed = match &result {
            Err(error @ (SearchError::Internal(_) | SearchError::Unavailable(_))) => Some(error.to_string()),
            Ok(_) | Err(_) => None,
        };
        let damaged = matches!(result, Err(SearchError::Internal(_)));
        if damaged {
            self.look_after(live, deed != Deed::Write).await;
        }
        self.health.note(deed, failed);
        result
    }

    /// Whether the files are what they were; if not, the index asks to be built anew. `thoroughly` goes through all of them where a
    /// look finds nothing, now and then.
    pub(super) async fn look_after(self: &Arc<Self>, live: &Arc<Live>, thoroughly: bool) {
        let (inner, live) = (Arc::clone(self), Arc::clone(live));
        let looked = blocking(move || {
            let corrupt = || {
                let due = thoroughly && inner.may_go_through();
                (due && generation::is_corrupt(&live))
                    .then(|| "files do not hold what was written".to_owned())
            };
            Ok(generation::damage(&inner.root, &live).or_else(corrupt))
        });
        let damage = looked.await.unwrap_or_else(|error| Some(error.to_string()));
        if let Some(cause) = &damage
            && !self.needs_rebuild.swap(true, Ordering::AcqRel)
        {
            tracing::error!(
                search.cause = cause,
                search.path = %self.root.display(),
                "the search index is damaged and is built anew from the store"
            );
        }
        self.health.note(Deed::Files, damage);
    }

    fn may_go_through(&self) -> bool {
        let mut last = self.gone_through.lock();
        let due = last.is_none_or(|at| at.elapsed() >= GO_THROUGH_EVERY);
        if due {
            *last = Some(Instant::now());
        }
        due
    }
}
