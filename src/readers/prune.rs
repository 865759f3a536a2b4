//! Deletes the rows of the journal that every reader has passed and that are past retention.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::CURSORS;
use crate::background::{Next, Schedule, Step, StepError};
use crate::clock::Wall;
use crate::domain::time::Timestamp;
use crate::store::{PipelineStore, StoreError};

/// When [`JournalPruner`] is run.
pub const SCHEDULE: Schedule = Schedule::after_each(Duration::from_secs(60));

/// Prunes the journal periodically.
pub struct JournalPruner {
    /// Where the journal is.
    pub store: Arc<dyn PipelineStore>,
    /// Decides which rows are past retention.
    pub wall: Wall,
    /// How long rows are kept, in seconds.
    pub retention_s: u64,
}

#[async_trait]
impl Step for JournalPruner {
    async fn run(&mut self) -> Result<Next, StepError> {
        let rows = prune(self.store.as_ref(), &CURSORS, self.wall.now(), self.retention_s).await?;
        if rows > 0 {
            tracing::info!(rows, "journal rows past retention were deleted");
        }
        Ok(Next::Scheduled)
    }
}

/// Deletes rows that every reader has passed and that are past retention; returns how many.
///
/// # Errors
/// The store's.
pub async fn prune(
    store: &dyn PipelineStore,
    readers: &[&str],
    now: Timestamp,
    retention_s: u64,
) -> Result<u64, StoreError> {
    let cursors = store.cursor_list().await?;
    let lowest = readers
        .iter()
        .map(|reader| cursors.iter().find(|(name, _)| name == reader).map_or(0, |(_, seq)| *seq))
        .min()
        .unwrap_or(0);
    let micros = i64::try_from(retention_s.saturating_mul(1_000_000)).unwrap_or(i64::MAX);
    store.journal_prune(lowest, Timestamp::from_micros(now.micros().saturating_sub(micros))).await
}
