//! Records and reads which past the index mirrors, and whether it is complete: another instance may have filled it.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::domain::ids::PaymentId;
use crate::search::document::DocKey;
use crate::search::query::NumberField;
use crate::search::{Mirrored, SearchError};

use super::{Inner, SCAN_MAX, hits, indices};

/// How often the index's metadata records which past it mirrors: each time, the whole cluster is updated.
const RECORD_EVERY: Duration = Duration::from_secs(10);
/// How often an index that another instance may be filling is asked whether it is complete.
const ASK_EVERY: Duration = Duration::from_millis(500);

impl Inner {
    /// Notes that what serves is complete: filled by this instance or another.
    pub(super) fn filled(&self) {
        self.needs_rebuild.store(false, Ordering::Release);
        self.filling.send_replace(None);
    }

    /// While the index has yet to be filled: whether another instance has done so. Asks the server now and then.
    pub(super) async fn ask_whether_filled(&self) {
        let mut asked = self.asked.lock().await;
        let due = asked.is_none_or(|at| at.elapsed() >= ASK_EVERY);
        // Only what was found incomplete: one that mirrors another past is complete, and no use.
        if !due || !self.needs_rebuild() {
            return;
        }
        *asked = Some(Instant::now());
        if let Ok(Some(serving)) = indices::serving(&self.client, &self.alias).await
            && serving.complete
        {
            self.filled();
        }
    }

    pub(super) fn needs_rebuild(&self) -> bool {
        self.needs_rebuild.load(Ordering::Acquire)
    }

    /// Records in the index which past it mirrors, if that is due.
    pub(super) async fn record_mirrored(&self) -> Result<(), SearchError> {
        let due = {
            let (mirrored, recorded) = &mut *self.mirrored.lock();
            let due = !self.needs_rebuild() && recorded.is_none_or(|at| at.elapsed() >= RECORD_EVERY);
            // An attempt that fails is not repeated at once either.
            mirrored.filter(|_| due).inspect(|_| *recorded = Some(Instant::now()))
        };
        match due {
            Some(mirrored) => indices::record_mirrored(&self.client, &self.settings, mirrored).await,
            None => Ok(()),
        }
    }

    pub(super) async fn mirrored(&self) -> Result<Option<Mirrored>, SearchError> {
        self.ensure().await?;
        let serving = indices::serving(&self.client, &self.alias).await?;
        if serving.as_ref().is_some_and(|serving| serving.complete) && self.needs_rebuild() {
            self.filled();
        }
        Ok(serving.and_then(|serving| serving.mirrored))
    }

    pub(super) async fn newest(&self, limit: usize) -> Result<Vec<(PaymentId, u64)>, SearchError> {
        let body = json!({
            "size": limit.min(SCAN_MAX),
            "_source": false,
            "version": true,
            "sort": [{ NumberField::Updated.name(): "desc" }],
        });
        self.refresh().await?;
        let filter_path = "timed_out,_shards.failed,hits.hits._id,hits.hits._version";
        let answer = self.query(&body, filter_path).await?;
        let read = |hit: &Value| {
            let key: DocKey = hit.get("_id")?.as_str()?.parse().ok()?;
            Some((key.payment, hit.get("_version")?.as_u64()?))
        };
        Ok(hits(&answer).filter_map(read).collect())
    }
}
