//! Forgets idempotency keys past their retention.
//!
//! The table is walked in the order of its keys, a small page at a time with long pauses between. An index on the time would
//! cost every payment a write more, and would not spare deleting from the table's own pages, which are touched here one
//! after another instead of at random. A key may therefore be known for longer than it must, by the length of a walk.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use crate::background::{Next, Schedule, Step, StepError};
use crate::clock::Wall;
use crate::domain::ids::InstanceId;
use crate::domain::time::Timestamp;
use crate::lease::Lease;
use crate::store::{PipelineStore, Pruned, StoreResult};

/// The name of the lease: one instance does it.
const LEASE: &str = "idempotency_keys";
const LEASE_TTL: Duration = Duration::from_secs(60);
/// The installation's entry for the last key looked at, so that a restart goes on from there.
pub const PLACE: &str = "idempotency_pruned_to";
/// How often that is written. One that is a little old costs looking at a few pages again.
const PLACE_EVERY: Duration = Duration::from_secs(20);
/// Its entry for the time before which keys may be gone, in microseconds, big-endian.
pub const HORIZON: &str = "idempotency_pruned_before";
const PAGE: u32 = 256;
/// The pause after a page is this many times as long as the page took.
const PAUSE_PER_PAGE: u32 = 20;
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// Between two walks.
const REST: Duration = Duration::from_secs(600);
/// When [`KeyPruner`] is run, between walks and after an error.
pub const SCHEDULE: Schedule = Schedule::every(REST);

/// Walks through the keys repeatedly, a page at each step.
pub struct KeyPruner {
    store: Arc<dyn PipelineStore>,
    wall: Wall,
    retention_s: u64,
    lease: Lease,
    walk: Option<Walk>,
}

/// A walk that is under way.
struct Walk {
    /// The last key looked at.
    after: Vec<u8>,
    deleted: u64,
    place_kept: Instant,
}

impl KeyPruner {
    /// A pruner of keys older than `retention_s` seconds.
    #[must_use]
    pub fn new(store: Arc<dyn PipelineStore>, wall: Wall, instance: InstanceId, retention_s: u64) -> Self {
        let lease = Lease::new(Arc::clone(&store), wall.clone(), LEASE, instance, LEASE_TTL);
        Self { store, wall, retention_s, lease, walk: None }
    }

    /// The walk that is under way, or one from where the last one was cut off.
    async fn walk(&mut self) -> StoreResult<Walk> {
        let mut walk = match self.walk.take() {
            Some(walk) => walk,
            None => {
                let after = self.store.installation_get(PLACE).await?.unwrap_or_default();
                Walk { after, deleted: 0, place_kept: Instant::now() }
            }
        };
        if walk.place_kept.elapsed() >= PLACE_EVERY {
            self.store.installation_set(PLACE, &walk.after).await?;
            walk.place_kept = Instant::now();
        }
        Ok(walk)
    }

    /// Looks at the next page. Returns whether there are more.
    async fn page(&self, walk: &mut Walk) -> StoreResult<bool> {
        // The journal names the keys that its rows wrote; they go after it, or `verify` would report them missing.
        let kept = self.store.journal_time(0).await?;
        let before = kept.map_or(self.horizon(), |kept| kept.min(self.horizon()));
        let pruned = prune_page(self.store.as_ref(), &walk.after, before).await?;
        walk.deleted += pruned.deleted;
        if let Some(next) = pruned.next {
            walk.after = next;
            return Ok(true);
        }
        if !walk.after.is_empty() {
            self.store.installation_set(PLACE, &[]).await?;
        }
        Ok(false)
    }

    fn end_walk(&mut self) {
        if let Some(walk) = self.walk.take() {
            walk.log();
        }
    }

    fn horizon(&self) -> Timestamp {
        let micros = i64::try_from(self.retention_s.saturating_mul(1_000_000)).unwrap_or(i64::MAX);
        Timestamp::from_micros(self.wall.now().micros().saturating_sub(micros))
    }
}

impl Walk {
    fn log(self) {
        if self.deleted > 0 {
            tracing::info!(keys = self.deleted, "idempotency keys past retention were deleted");
        }
    }
}

#[async_trait]
impl Step for KeyPruner {
    async fn run(&mut self) -> Result<Next, StepError> {
        if !self.lease.hold().await? {
            self.end_walk();
            return Ok(Next::Scheduled);
        }
        let mut walk = self.walk().await?;
        let began = Instant::now();
        if !self.page(&mut walk).await? {
            walk.log();
            return Ok(Next::Scheduled);
        }
        self.walk = Some(walk);
        Ok(Next::After((began.elapsed() * PAUSE_PER_PAGE).clamp(PAUSE_MIN, PAUSE_MAX)))
    }

    async fn finish(&mut self) {
        self.end_walk();
        self.lease.release().await;
    }
}

/// Deletes the old ones among a page of keys.
///
/// # Errors
/// The store's.
pub async fn prune_page(store: &dyn PipelineStore, after: &[u8], before: Timestamp) -> StoreResult<Pruned> {
    let pruned = store.idempotency_prune(after, before, PAGE).await?;
    if pruned.deleted > 0 {
        store.installation_set(HORIZON, &before.micros().to_be_bytes()).await?;
    }
    Ok(pruned)
}
