//! Watches the files of the serving generation: the outcome of operations is noted, and files that are gone or damaged make the
//! index ask for a rebuild, without a restart.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::search::SearchError;
use crate::search::health::Deed;

use super::generation::{self, Live};
use super::{Inner, blocking};

/// All files are verified no more often than this, whatever errors occur.
const VERIFY_EVERY: Duration = Duration::from_secs(60);

impl Inner {
    /// Passes a result on and notes what it says about the index. After an internal failure the files are checked.
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
            self.check_files(live, deed != Deed::Write).await;
        }
        self.health.note(deed, failed);
        result
    }

    /// Checks that the files are intact; if not, the index asks for a rebuild. `thoroughly` also verifies all of them, now and then,
    /// where a look finds nothing.
    pub(super) async fn check_files(self: &Arc<Self>, live: &Arc<Live>, thoroughly: bool) {
        let (inner, live) = (Arc::clone(self), Arc::clone(live));
        let looked = blocking(move || {
            let corrupt = || {
                let due = thoroughly && inner.may_verify();
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
                error = cause,
                search.path = %self.root.display(),
                "the search index is damaged and is rebuilt from the store"
            );
        }
        self.health.note(Deed::Files, damage);
    }

    fn may_verify(&self) -> bool {
        let mut last = self.verified_at.lock();
        let due = last.is_none_or(|at| at.elapsed() >= VERIFY_EVERY);
        if due {
            *last = Some(Instant::now());
        }
        due
    }
}
