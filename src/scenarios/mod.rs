//! The scenarios of accounts: checked, put in force, listed, and shown as what they will do and what their acquirers do now.
//!
//! May depend on `domain`, `clock`, `simulator`, the store's port and, for the state of acquirers, `worker`. Knows nothing of HTTP and
//! of pages.
//!
//! - [`error`]: why a scenario is refused. - [`preview`]: what a scenario does to a plain payment, by drawing from it.
//! - `planned`: when its windows are.
//! - `examples`, `packs`: the files that come with the program; `SCHEMA`: what editors check them by.

pub mod error;
mod examples;
mod packs;
mod planned;
pub mod preview;

use std::sync::Arc;

pub use crate::simulator::scenario::FILE_BYTES_MAX;
pub use error::ScenarioProblem;
pub use examples::{EXAMPLES, Example};
pub use packs::{PackFile, pack_files};
pub use planned::{PlannedWindow, planned};
pub use preview::Preview;

use crate::clock::Wall;
use crate::domain::card_numbers::holds_card_number;
use crate::domain::ids::AccountId;
use crate::domain::scenario_revision::ScenarioRevision;
use crate::domain::text::misleads;
pub use crate::simulator::Position;
pub use crate::simulator::scenario::ScenarioError;
use crate::simulator::{Scenario, SimulatorSettings};
use crate::store::{NewScenario, RevisionRecord, Store, StoreError, StoreResult};
use crate::worker::Worlds;
pub use crate::worker::{AcquirerState, BreakerState, Counts, QueueState};

/// The JSON schema of scenario files, for editors.
pub const SCHEMA: &str = include_str!("../../docs/scenario.schema.json");

/// A scenario that an account put in force, with its file.
#[derive(Debug, Clone)]
pub struct Revision {
    /// When it was put in force, and its number.
    pub record: RevisionRecord,
    /// The file; `None` for the world of the settings.
    pub file: Option<ScenarioFile>,
}

/// A file and what is in it.
#[derive(Debug, Clone)]
pub struct ScenarioFile {
    /// As it was sent.
    pub text: String,
    /// As it is read.
    pub scenario: Scenario,
}

/// The use cases.
#[derive(Clone)]
pub struct Scenarios {
    store: Arc<dyn Store>,
    settings: SimulatorSettings,
    worlds: Worlds,
    wall: Wall,
}

impl Scenarios {
    /// Over this store and the worlds that this process's workers ask. What a scenario leaves open is as the settings say.
    #[must_use]
    pub const fn new(store: Arc<dyn Store>, settings: SimulatorSettings, worlds: Worlds, wall: Wall) -> Self {
        Self { store, settings, worlds, wall }
    }

    /// Reads a file that somebody sent.
    ///
    /// # Errors
    /// Its mistakes; control characters, since it is shown as it is; a card number, since it is stored.
    pub fn read(text: &str) -> Result<Scenario, ScenarioProblem> {
        let scenario = Scenario::parse(text.as_bytes()).map_err(ScenarioProblem::Mistakes)?;
        let line_with = |found: fn(&str) -> bool| text.lines().position(found).map(|line| line + 1);
        if let Some(line) = line_with(|line| line.chars().any(|c| misleads(c) && c != '\t')) {
            return Err(ScenarioProblem::Characters { line });
        }
        match line_with(holds_card_number) {
            Some(line) => Err(ScenarioProblem::CardNumber { line }),
            None if holds_card_number(text) => Err(ScenarioProblem::CardNumber { line: 1 }),
            None => Ok(scenario),
        }
    }

    /// Puts a file in force for an account and for those it created, for everything that is queued from now on.
    ///
    /// # Errors
    /// [`ScenarioProblem`]: mistakes, a card number, a closed account, or the store.
    pub async fn put(&self, account: AccountId, text: &str) -> Result<Revision, ScenarioProblem> {
        let text = text.to_owned();
        let file = beside(move || {
            Self::read(&text).map(|scenario| NewScenario::of(&scenario.name, text.as_bytes()))
        });
        self.set(account, Some(file.await??)).await
    }

    /// Puts the world of the settings in force again.
    ///
    /// # Errors
    /// [`ScenarioProblem`]: a closed account, or the store.
    pub async fn clear(&self, account: AccountId) -> Result<Revision, ScenarioProblem> {
        self.set(account, None).await
    }

    /// Runs to its end in a task of its own, whether or not the caller stays.
    async fn set(&self, account: AccountId, file: Option<NewScenario>) -> Result<Revision, ScenarioProblem> {
        let (store, now) = (Arc::clone(&self.store), self.wall.now());
        let set = tokio::spawn(async move { store.scenario_set(account, file, now).await }).await;
        let lost = |_| StoreError::Unanswered("a write was interrupted".to_owned());
        let revision = set.map_err(lost)??.ok_or(ScenarioProblem::Closed)?;
        self.by_name(revision).await?.ok_or(ScenarioProblem::Closed)
    }

    /// What holds for an account: the scenario in force, or its last return to the settings; `None` if it never had one.
    ///
    /// # Errors
    /// The store's.
    pub async fn current(&self, account: AccountId) -> StoreResult<Option<Revision>> {
        match self.in_force(account).await? {
            Some(record) => self.with_file(record).await.map(Some),
            None => Ok(None),
        }
    }

    /// The same without its file, which takes longer to read.
    ///
    /// # Errors
    /// The store's.
    pub async fn in_force(&self, account: AccountId) -> StoreResult<Option<RevisionRecord>> {
        let found = self.store.account_get(&[account]).await?;
        if let Some(revision) = found.first().and_then(|account| account.scenario) {
            return Ok(self.store.scenario_revisions(&[revision]).await?.into_iter().next());
        }
        // A throw-away account may have been returned to the settings by whoever created it: then its own last one is over.
        let last = self.store.scenario_list(account, None, 1).await?.pop();
        Ok(last.filter(|record| record.file.is_none()))
    }

    /// The revision of an account with this number.
    ///
    /// # Errors
    /// The store's.
    pub async fn numbered(&self, account: AccountId, number: u32) -> StoreResult<Option<Revision>> {
        let below = number.checked_add(1);
        let found = self.store.scenario_list(account, below, 1).await?;
        match found.into_iter().find(|record| record.number == number) {
            Some(record) => self.with_file(record).await.map(Some),
            None => Ok(None),
        }
    }

    /// The revisions of an account with numbers below this one, latest first.
    ///
    /// # Errors
    /// The store's.
    pub async fn list(
        &self,
        account: AccountId,
        below: Option<u32>,
        limit: u32,
    ) -> StoreResult<Vec<RevisionRecord>> {
        self.store.scenario_list(account, below, limit).await
    }

    /// What a scenario does to a plain payment. Draws a few thousand times: for a thread that may block.
    #[must_use]
    pub fn preview(&self, scenario: &Scenario) -> Preview {
        Preview::of(&self.settings, scenario)
    }

    /// The acquirers that answer an account now and that have a breaker or a queue, or were asked, as this process's workers know
    /// them; none for the acquirer of the settings.
    ///
    /// # Errors
    /// The store's.
    pub async fn acquirers(&self, account: AccountId) -> StoreResult<Vec<AcquirerState>> {
        let found = self.store.account_get(&[account]).await?;
        let revision = found.first().and_then(|account| account.scenario);
        self.worlds.read(self.store.as_ref(), revision.into_iter()).await?;
        // A file that cannot be used, or that others have pushed out again, has no acquirers to show.
        let outside = self.worlds.of(account, revision).and_then(Result::ok);
        Ok(outside.map(|outside| outside.states(self.wall.now())).unwrap_or_default())
    }

    async fn by_name(&self, revision: ScenarioRevision) -> StoreResult<Option<Revision>> {
        let found = self.store.scenario_revisions(&[revision]).await?;
        match found.into_iter().next() {
            Some(record) => self.with_file(record).await.map(Some),
            None => Ok(None),
        }
    }

    /// A revision with its file.
    ///
    /// # Errors
    /// The store's; a file that cannot be read any more.
    pub async fn with_file(&self, record: RevisionRecord) -> StoreResult<Revision> {
        let Some(hash) = record.file else { return Ok(Revision { record, file: None }) };
        let damaged = || StoreError::Damaged(format!("the file of scenario revision {}", record.revision));
        let bytes = self.store.scenario_file(&hash).await?.ok_or_else(damaged)?;
        let text = String::from_utf8(bytes).map_err(|_| damaged())?;
        let read = beside(move || {
            Scenario::parse(text.as_bytes()).ok().map(|scenario| ScenarioFile { text, scenario })
        });
        let file = read.await?.ok_or_else(damaged)?;
        Ok(Revision { record, file: Some(file) })
    }
}

/// Reads a file on a thread that may block: a large one takes a few milliseconds.
async fn beside<T: Send + 'static>(read: impl FnOnce() -> T + Send + 'static) -> StoreResult<T> {
    let interrupted = |_| StoreError::Unavailable("reading a scenario was interrupted".to_owned());
    tokio::task::spawn_blocking(read).await.map_err(interrupted)
}
