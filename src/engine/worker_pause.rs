//! The switch that pauses and resumes the workers of the whole installation.
//!
//! It is one row of the store, so that it outlives processes; each process reads it at its start and twice a second, and the
//! one where it is pressed applies it at once. Pausing only stops work from being taken out of the queue: intake, timers and
//! readers go on, and what is with an acquirer already is answered.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use crate::background::{Next, Schedule, Step, StepError};
use crate::domain::time::Timestamp;
use crate::store::{PipelineStore, StoreResult};

/// The installation's entry for it.
const NAME: &str = "workers_paused_since";
/// How often a process looks whether the switch was pressed in another one.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// When [`SwitchFollower`] is run.
pub const SCHEDULE: Schedule = Schedule::after_each(LOOK_EVERY);

/// What takes work out of the queue in this process.
#[async_trait]
pub trait Workers: Send + Sync + 'static {
    /// Takes nothing more, and gives back what nobody has begun.
    async fn pause(&self);

    /// Takes work again.
    async fn resume(&self);
}

/// The switch, as this process sees it.
pub struct WorkSwitch {
    store: Arc<dyn PipelineStore>,
    workers: Arc<dyn Workers>,
    /// Since when they are paused; `None` while they work.
    state: watch::Sender<Option<Timestamp>>,
    /// Held from reading or writing the store until it is applied to the workers, so that nothing old overtakes something new.
    turning: tokio::sync::Mutex<()>,
}

impl WorkSwitch {
    /// Reads the switch and applies it to the workers.
    ///
    /// # Errors
    /// The store's.
    pub async fn open(store: Arc<dyn PipelineStore>, workers: Arc<dyn Workers>) -> StoreResult<Arc<Self>> {
        let state = watch::Sender::new(None);
        let switch = Arc::new(Self { store, workers, state, turning: tokio::sync::Mutex::new(()) });
        switch.look().await?;
        Ok(switch)
    }

    /// Since when the workers are paused, now and in future; `None` while they work.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Option<Timestamp>> {
        self.state.subscribe()
    }

    /// Pauses the workers of every process. Those of this one have paused when it returns. Not to be cancelled half way.
    ///
    /// # Errors
    /// The store's. Unless it says that the outcome is not known, nothing has changed.
    pub async fn pause(&self, now: Timestamp) -> StoreResult<()> {
        let _turn = self.turning.lock().await;
        let since = read(&*self.store).await?.unwrap_or(now);
        self.store.installation_set(NAME, &encode(Some(since))).await?;
        self.apply(Some(since)).await;
        Ok(())
    }

    /// Lets the workers of every process work again.
    ///
    /// # Errors
    /// The store's. Unless it says that the outcome is not known, nothing has changed.
    pub async fn resume(&self) -> StoreResult<()> {
        let _turn = self.turning.lock().await;
        self.store.installation_set(NAME, &encode(None)).await?;
        self.apply(None).await;
        Ok(())
    }

    async fn look(&self) -> StoreResult<()> {
        let _turn = self.turning.lock().await;
        let wanted = read(&*self.store).await?;
        self.apply(wanted).await;
        Ok(())
    }

    async fn apply(&self, wanted: Option<Timestamp>) {
        let before = *self.state.borrow();
        if wanted == before {
            return;
        }
        match wanted {
            Some(since) if before.is_none() => {
                tracing::info!(since_ms = since.millis(), "the workers are paused");
                self.workers.pause().await;
            }
            Some(_) => {}
            None => {
                tracing::info!("the workers work again");
                self.workers.resume().await;
            }
        }
        self.state.send_replace(wanted);
    }
}

/// Checks now and then whether the switch was pressed in another process.
pub struct SwitchFollower(pub Arc<WorkSwitch>);

#[async_trait]
impl Step for SwitchFollower {
    async fn run(&mut self) -> Result<Next, StepError> {
        self.0.look().await?;
        Ok(Next::Scheduled)
    }
}

async fn read(store: &dyn PipelineStore) -> StoreResult<Option<Timestamp>> {
    Ok(store.installation_get(NAME).await?.and_then(|value| decode(&value)))
}

/// As stored: microseconds since the epoch in decimal, or nothing while they work.
fn encode(since: Option<Timestamp>) -> Vec<u8> {
    since.map_or_else(Vec::new, |since| since.micros().to_string().into_bytes())
}

fn decode(value: &[u8]) -> Option<Timestamp> {
    std::str::from_utf8(value).ok()?.parse().ok().map(Timestamp::from_micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_it_was_written() {
        for state in [None, Some(Timestamp::from_micros(1_767_225_600_000_001))] {
            assert_eq!(decode(&encode(state)), state);
        }
        // What nobody wrote must not stop the work of an installation.
        assert_eq!(decode(b"yes"), None);
    }
}
