//! A store in memory that outlives the simulated process, with everything that can go wrong around a commit. It
//! implements [`PipelineStore`](crate::store::PipelineStore), and nothing else.

mod data;
mod pipeline;
mod projections;
mod sequencer;
mod snapshot;

pub use data::Data;
pub use snapshot::SimSnapshot;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use parking_lot::Mutex;

use super::Sabotage;
use super::chance::Chance;
use crate::store::{BatchWrite, SetAside, StoreError, StoreResult};

/// The store of one life of the process, or of two processes that live at once.
pub struct SimStore {
    pub data: Arc<Mutex<Data>>,
    chance: Chance,
    sabotage: Sabotage,
    commit_lock: tokio::sync::Mutex<()>,
    aside: SetAside,
    /// How often it was asked which clocks have to be watched.
    pub asked_awake: AtomicU64,
    /// How often it was asked what a clock waits for.
    pub asked_busy: AtomicU64,
}

impl SimStore {
    pub fn new(data: Arc<Mutex<Data>>, chance: Chance, sabotage: Sabotage) -> Self {
        let (commit_lock, aside) = (tokio::sync::Mutex::new(()), SetAside::default());
        let (asked_awake, asked_busy) = (AtomicU64::default(), AtomicU64::default());
        Self { data, chance, sabotage, commit_lock, aside, asked_awake, asked_busy }
    }

    /// Time passes, and perhaps the store is away.
    async fn reach(&self) -> StoreResult<()> {
        self.chance.delay().await;
        if self.chance.breaks(15) {
            return Err(StoreError::Unavailable("simulated".to_owned()));
        }
        Ok(())
    }

    async fn read<T>(&self, read: impl FnOnce(&Data) -> T + Send) -> StoreResult<T> {
        self.reach().await?;
        Ok(read(&self.data.lock()))
    }

    /// The defects that a checker must see.
    fn spoil(&self, write: &mut BatchWrite) {
        match self.sabotage {
            Sabotage::EffectTwice => {
                if let Some(first) = write.movements.first().copied() {
                    write
                        .movements
                        .push(crate::store::MovementWrite { version: first.version + 100, ..first });
                }
            }
            Sabotage::LostMovement => drop(write.movements.pop()),
            Sabotage::WrongBalance => {
                write.wallets.iter_mut().take(1).for_each(|(_, held)| held.balance_minor += 1)
            }
            Sabotage::ForgottenKey => write.idempotency.clear(),
            Sabotage::LostUpdate => drop(write.updates.pop()),
            Sabotage::LostChange => drop(write.resources.pop()),
            Sabotage::LostAmendment => drop(write.details.pop()),
            Sabotage::AlteredAnswer => {
                write.answers.iter_mut().for_each(|answer| answer.body = Arc::from([]))
            }
            Sabotage::None
            | Sabotage::AckBeforeCommit
            | Sabotage::JournalHole
            | Sabotage::LostMessage
            | Sabotage::ForgottenWork
            | Sabotage::LostDocument
            | Sabotage::ForgottenOperation
            | Sabotage::MiddleVersion
            | Sabotage::UnsettledCommit
            | Sabotage::StaleMemory => {}
        }
    }
}
