//! Keeps the store's record of what is set aside up to date, and looks now and then whether something can be read again. A
//! background task of every process.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::background::{Next, Schedule, Step, StepError};
use crate::clock::Wall;
use crate::store::aside::{ASIDE_MAX, look_again, save};
use crate::store::{PipelineStore, StoreResult};

/// When [`AsideKeeper`] is run.
pub const SCHEDULE: Schedule = Schedule::after_each(Duration::from_secs(1));

/// Keeps the record.
pub struct AsideKeeper {
    store: Arc<dyn PipelineStore>,
    wall: Wall,
    /// Whether what others set aside before this process began has been read.
    adopted: bool,
}

impl AsideKeeper {
    /// A keeper that has read nothing yet.
    #[must_use]
    pub const fn new(store: Arc<dyn PipelineStore>, wall: Wall) -> Self {
        Self { store, wall, adopted: false }
    }

    async fn adopt(&mut self) -> StoreResult<()> {
        if !self.adopted {
            let limit = u32::try_from(ASIDE_MAX).unwrap_or(u32::MAX);
            self.store.aside().adopt(self.store.aside_list(limit).await?);
            self.adopted = true;
        }
        Ok(())
    }
}

#[async_trait]
impl Step for AsideKeeper {
    async fn run(&mut self) -> Result<Next, StepError> {
        self.adopt().await?;
        look_again(self.store.as_ref()).await?;
        save(self.store.as_ref(), self.wall.now()).await?;
        Ok(Next::Scheduled)
    }
}
