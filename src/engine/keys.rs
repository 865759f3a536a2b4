//! Forgets idempotency keys past their retention.
//!
//! The table is walked in the order of its keys, a small page at a time with long pauses between. An index on the time would
//! cost every payment a write more, and would not spare deleting from the table's own pages, which are touched here one
//! after another instead of at random. A key may therefore be known for longer than it must, by the length of a walk.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clock::Wall;
use crate::domain::ids::InstanceId;
use crate::domain::time::Timestamp;
use crate::store::{Lease, Pruned, Store, StoreResult};

/// The name of the lease: one instance does it.
const LEASE: &str = "idempotency_keys";
const LEASE_TTL: Duration = Duration::from_secs(60);
const LEASE_RENEW: Duration = Duration::from_secs(20);
/// Under which the installation keeps the last key looked at, so that a restart goes on from there.
pub const PLACE: &str = "idempotency_pruned_to";
/// Under which it keeps the time before which keys may be gone, in microseconds, big-endian.
pub const HORIZON: &str = "idempotency_pruned_before";
const PAGE: u32 = 256;
/// The pause after a page is so many times as long as the page took.
const PAUSE_PER_PAGE: u32 = 20;
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// Between two walks.
const REST: Duration = Duration::from_secs(600);

/// Walks through the keys again and again.
pub struct KeyPruner {
    store: Arc<dyn Store>,
    wall: Wall,
    instance: InstanceId,
    retention_s: u64,
}

impl KeyPruner {
    /// A pruner of keys older than `retention_s` seconds.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, wall: Wall, instance: InstanceId, retention_s: u64) -> Self {
        Self { store, wall, instance, retention_s }
    }

    /// Runs until stopped.
    pub async fn run(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            match self.walk(&stop).await {
                Ok(0) => {}
                Ok(keys) => tracing::info!(keys, "idempotency keys past retention were deleted"),
                Err(error) => tracing::debug!(error = %error, "idempotency keys could not be pruned"),
            }
            pause(REST, &stop).await;
        }
        if let Err(error) = self.store.lease_release(LEASE, self.instance).await {
            tracing::debug!(error = %error, "the lease of the idempotency keys was not released");
        }
    }

    /// One walk, from where the last one was cut off. Returns how many keys were deleted; ends where another instance holds
    /// the lease.
    async fn walk(&self, stop: &CancellationToken) -> StoreResult<u64> {
        let mut held_at: Option<Instant> = None;
        let mut after = self.store.installation_get(PLACE).await?.unwrap_or_default();
        let mut deleted = 0;
        while !stop.is_cancelled() {
            if held_at.is_none_or(|at| at.elapsed() >= LEASE_RENEW) {
                let lease = self.store.lease_take(LEASE, self.instance, self.wall.now(), LEASE_TTL).await?;
                if matches!(lease, Lease::Taken { .. }) {
                    break;
                }
                // Not with every page: a place that is a little old costs looking at a few pages again.
                if held_at.is_some() {
                    self.store.installation_set(PLACE, &after).await?;
                }
                held_at = Some(Instant::now());
            }
            let began = Instant::now();
            // The journal vouches for the keys that its rows wrote; they go after it, or `verify` would miss them.
            let kept = self.store.journal_time(0).await?;
            let before = kept.map_or(self.horizon(), |kept| kept.min(self.horizon()));
            let pruned = prune_page(self.store.as_ref(), &after, before).await?;
            deleted += pruned.deleted;
            let Some(next) = pruned.next else {
                if !after.is_empty() {
                    self.store.installation_set(PLACE, &[]).await?;
                }
                break;
            };
            after = next;
            pause((began.elapsed() * PAUSE_PER_PAGE).clamp(PAUSE_MIN, PAUSE_MAX), stop).await;
        }
        Ok(deleted)
    }

    fn horizon(&self) -> Timestamp {
        let micros = i64::try_from(self.retention_s.saturating_mul(1_000_000)).unwrap_or(i64::MAX);
        Timestamp::from_micros(self.wall.now().micros().saturating_sub(micros))
    }
}

/// Deletes the old ones among a page of keys.
///
/// # Errors
/// The store's.
pub async fn prune_page(store: &dyn Store, after: &[u8], before: Timestamp) -> StoreResult<Pruned> {
    let pruned = store.idempotency_prune(after, before, PAGE).await?;
    if pruned.deleted > 0 {
        store.installation_set(HORIZON, &before.micros().to_be_bytes()).await?;
    }
    Ok(pruned)
}

async fn pause(pause: Duration, stop: &CancellationToken) {
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        () = tokio::time::sleep(pause) => {}
    }
}
