//! Which outside world answers a payment: that of the scenario in force when its work entered the queue, else the account's own, else
//! the common one.
//!
//! Scenarios of accounts are read from the store when they are first needed, and kept within bounds; the same file is kept once.
//! May depend on `simulator`, `store` and `domain`.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Weak};

use lru::LruCache;
use parking_lot::Mutex;

use super::outside::Outside;
use crate::domain::ids::AccountId;
use crate::domain::scenario_revision::ScenarioRevision;
use crate::domain::time::Timestamp;
use crate::simulator::{Scenario, SimulatorSettings, World};
use crate::store::{PipelineStore, StoreError, StoreResult};

/// How many revisions are kept.
const REVISIONS_MAX: usize = 1 << 15;
/// About how many bytes of worlds are kept.
const WORLDS_BYTES_MAX: usize = 64 << 20;
/// About how many bytes a world takes for each byte of its file, and for none.
const BYTES_PER_FILE_BYTE: usize = 6;
const WORLD_BYTES: usize = 3_000;

/// The outside worlds of all accounts. Clones share what they have read.
#[derive(Debug, Clone)]
pub struct Worlds {
    settings: SimulatorSettings,
    common: Arc<Outside>,
    of_account: HashMap<AccountId, Arc<Outside>>,
    read: Arc<Mutex<Read>>,
}

/// Why a revision cannot be used, in words.
type Unusable = String;

/// What was read from the store.
#[derive(Debug)]
struct Read {
    revisions: LruCache<ScenarioRevision, Kept>,
    /// About how many bytes the revisions hold, counting a file that several use each time.
    bytes: usize,
    files: HashMap<[u8; 32], Weak<World>>,
}

#[derive(Debug, Clone)]
struct Kept {
    outside: Result<Arc<Outside>, Unusable>,
    bytes: usize,
}

impl Worlds {
    /// The same world for every account without a scenario of its own: the one acquirer of the settings. It is there since this time.
    #[must_use]
    pub fn new(settings: &SimulatorSettings, since: Timestamp) -> Self {
        Self::of_common(settings, World::new(settings), since)
    }

    /// The same world for every account without a scenario of its own, as this scenario describes it, which came into force at this
    /// time.
    #[must_use]
    pub fn with_scenario(settings: &SimulatorSettings, scenario: &Scenario, since: Timestamp) -> Self {
        Self::of_common(settings, World::with_scenario(settings, scenario), since)
    }

    fn of_common(settings: &SimulatorSettings, common: World, since: Timestamp) -> Self {
        let common = Arc::new(Outside::new(Arc::new(common), since));
        let read = Read { revisions: LruCache::unbounded(), bytes: 0, files: HashMap::new() };
        let (settings, read) = (settings.clone(), Arc::new(Mutex::new(read)));
        Self { settings, common, of_account: HashMap::new(), read }
    }

    /// Gives these accounts worlds of their own, as long as they put no scenario in force.
    #[must_use]
    pub fn with_accounts<'a>(
        mut self,
        settings: impl IntoIterator<Item = &'a (AccountId, SimulatorSettings)>,
    ) -> Self {
        let since = self.common.since();
        let outside = |settings| Arc::new(Outside::new(Arc::new(World::new(settings)), since));
        self.of_account.extend(settings.into_iter().map(|(account, settings)| (*account, outside(settings))));
        self
    }

    /// The world that answers this account under this revision; `None` for a revision that has not been read.
    ///
    /// # Errors
    /// Why the revision cannot be used.
    pub fn of(
        &self,
        account: AccountId,
        revision: Option<ScenarioRevision>,
    ) -> Option<Result<Arc<Outside>, Unusable>> {
        match revision {
            Some(revision) => self.read.lock().revisions.get(&revision).map(|kept| kept.outside.clone()),
            None => Some(Ok(Arc::clone(self.of_account.get(&account).unwrap_or(&self.common)))),
        }
    }

    /// The world that answers accounts without one of their own.
    #[must_use]
    pub fn common(&self) -> Arc<Outside> {
        Arc::clone(&self.common)
    }

    /// All worlds of revisions that are kept.
    #[must_use]
    pub fn of_revisions(&self) -> Vec<Arc<Outside>> {
        let read = self.read.lock();
        read.revisions.iter().filter_map(|(_, kept)| kept.outside.as_ref().ok().map(Arc::clone)).collect()
    }

    /// Reads the revisions among these that are not there yet. As many as may be kept at once are kept until the next call.
    ///
    /// # Errors
    /// The store's.
    pub async fn read(
        &self,
        store: &dyn PipelineStore,
        revisions: impl Iterator<Item = ScenarioRevision>,
    ) -> StoreResult<()> {
        let missing: BTreeSet<ScenarioRevision> = {
            let mut read = self.read.lock();
            revisions.filter(|revision| read.revisions.get(revision).is_none()).collect()
        };
        if missing.is_empty() {
            return Ok(());
        }
        let missing: Vec<_> = missing.into_iter().collect();
        let records = store.scenario_revisions(&missing).await?;
        for revision in missing {
            let record = records.iter().find(|record| record.revision == revision);
            let kept = match record.and_then(|record| Some((record.file?, record.at))) {
                Some((hash, since)) => self.outside(store, hash, since).await?,
                None => Kept::unusable(format!("scenario revision {revision} is not in the store")),
            };
            self.read.lock().keep(revision, kept);
        }
        Ok(())
    }

    /// The world of this file, in force since this time.
    async fn outside(
        &self,
        store: &dyn PipelineStore,
        hash: [u8; 32],
        since: Timestamp,
    ) -> StoreResult<Kept> {
        let alive = self.read.lock().files.get(&hash).and_then(Weak::upgrade);
        if let Some(world) = alive {
            return Ok(Kept::usable(world, since, 0));
        }
        let Some(file) = store.scenario_file(&hash).await? else {
            return Ok(Kept::unusable("the file of a scenario is not in the store".to_owned()));
        };
        let (settings, file_bytes) = (self.settings.clone(), file.len());
        // A large file takes a few milliseconds.
        let built = tokio::task::spawn_blocking(move || {
            Scenario::parse(&file).map(|scenario| World::with_scenario(&settings, &scenario))
        });
        let interrupted = |_| StoreError::Unavailable("reading a scenario was interrupted".to_owned());
        let world = match built.await.map_err(interrupted)? {
            Ok(world) => Arc::new(world),
            Err(errors) => return Ok(Kept::unusable(errors.in_file("the file of a scenario"))),
        };
        self.read.lock().files.insert(hash, Arc::downgrade(&world));
        Ok(Kept::usable(world, since, file_bytes))
    }
}

impl Kept {
    fn usable(world: Arc<World>, since: Timestamp, file_bytes: usize) -> Self {
        let bytes = WORLD_BYTES + file_bytes * BYTES_PER_FILE_BYTE;
        Self { outside: Ok(Arc::new(Outside::new(world, since))), bytes }
    }

    fn unusable(cause: Unusable) -> Self {
        tracing::error!(cause, "a scenario cannot be used; its payments are set aside");
        Self { bytes: cause.len(), outside: Err(cause) }
    }
}

impl Read {
    fn keep(&mut self, revision: ScenarioRevision, kept: Kept) {
        self.bytes += kept.bytes;
        if let Some(before) = self.revisions.put(revision, kept) {
            self.bytes -= before.bytes;
        }
        while self.revisions.len() > 1
            && (self.revisions.len() > REVISIONS_MAX || self.bytes > WORLDS_BYTES_MAX)
        {
            if let Some((_, gone)) = self.revisions.pop_lru() {
                self.bytes -= gone.bytes;
            }
        }
        if self.files.len() > 2 * self.revisions.len() {
            self.files.retain(|_, world| world.strong_count() > 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(n: u8) -> AccountId {
        AccountId::from_bytes([n; 16])
    }

    #[test]
    fn an_account_can_have_a_world_of_its_own_without_affecting_others() {
        let plain = SimulatorSettings::default();
        let own = SimulatorSettings { latency_median_ms: 600.0, ..plain.clone() };
        let worlds = Worlds::new(&plain, Timestamp::default()).with_accounts(&[(account(9), own)]);
        let of = |n| worlds.of(account(n), None).expect("nothing is to be read").expect("usable");
        assert!(!Arc::ptr_eq(&of(9), &of(1)));
        assert!(Arc::ptr_eq(&of(1), &of(2)));
        assert!(worlds.of(account(9), ScenarioRevision::at(1)).is_none(), "it has not been read");
    }

    #[test]
    fn what_is_kept_is_bounded_in_number_and_in_bytes() {
        let worlds = Worlds::new(&SimulatorSettings::default(), Timestamp::default());
        let mut read = worlds.read.lock();
        let large = Kept { outside: Ok(Arc::clone(&worlds.common)), bytes: WORLDS_BYTES_MAX / 10 };
        for seq in 1..=100 {
            read.keep(ScenarioRevision::at(seq).expect("a position"), large.clone());
        }
        assert_eq!((read.revisions.len(), read.bytes), (10, WORLDS_BYTES_MAX / 10 * 10));
        let small = Kept { bytes: 1, ..large };
        for seq in 1_000..1_000 + 2 * REVISIONS_MAX as u64 {
            read.keep(ScenarioRevision::at(seq).expect("a position"), small.clone());
        }
        assert_eq!((read.revisions.len(), read.bytes), (REVISIONS_MAX, REVISIONS_MAX));
    }
}
