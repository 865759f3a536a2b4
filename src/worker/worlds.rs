//! Which outside world answers a payment: that of the scenario in force when its work entered the queue, else the account's own, else
//! the common one.
//!
//! Scenarios of accounts are read from the store when they are first needed, and kept within bounds; the same file is kept once.
//! May depend on `simulator`, `store` and `domain`.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Weak};

use lru::LruCache;
use parking_lot::Mutex;

use crate::domain::ids::AccountId;
use crate::domain::scenario_revision::ScenarioRevision;
use crate::simulator::{Scenario, SimulatorSettings, World};
use crate::store::{PipelineStore, StoreError, StoreResult};

/// How many revisions are kept.
const REVISIONS_MAX: usize = 1 << 15;
/// About how many bytes of worlds are kept.
const WORLDS_BYTES_MAX: usize = 64 << 20;
/// About how many bytes a world takes for each byte of its file, and for none.
const BYTES_PER_FILE_BYTE: usize = 6;
const WORLD_BYTES: usize = 1_500;

/// The outside worlds of all accounts. Clones share what they have read.
#[derive(Debug, Clone)]
pub struct Worlds {
    settings: SimulatorSettings,
    common: Arc<World>,
    of_account: HashMap<AccountId, Arc<World>>,
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
    world: Result<Arc<World>, Unusable>,
    bytes: usize,
}

impl Worlds {
    /// The same world for every account without a scenario of its own: the one acquirer of the settings.
    #[must_use]
    pub fn new(settings: &SimulatorSettings) -> Self {
        Self::of_common(settings, World::new(settings))
    }

    /// The same world for every account without a scenario of its own, as this scenario describes it.
    #[must_use]
    pub fn with_scenario(settings: &SimulatorSettings, scenario: &Scenario) -> Self {
        Self::of_common(settings, World::with_scenario(settings, scenario))
    }

    fn of_common(settings: &SimulatorSettings, common: World) -> Self {
        let (settings, common) = (settings.clone(), Arc::new(common));
        let read = Read { revisions: LruCache::unbounded(), bytes: 0, files: HashMap::new() };
        Self { settings, common, of_account: HashMap::new(), read: Arc::new(Mutex::new(read)) }
    }

    /// Gives these accounts worlds of their own, as long as they put no scenario in force.
    #[must_use]
    pub fn with_accounts<'a>(
        mut self,
        settings: impl IntoIterator<Item = &'a (AccountId, SimulatorSettings)>,
    ) -> Self {
        let own = settings.into_iter().map(|(account, settings)| (*account, Arc::new(World::new(settings))));
        self.of_account.extend(own);
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
    ) -> Option<Result<Arc<World>, Unusable>> {
        match revision {
            Some(revision) => self.read.lock().revisions.get(&revision).map(|kept| kept.world.clone()),
            None => Some(Ok(Arc::clone(self.of_account.get(&account).unwrap_or(&self.common)))),
        }
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
            let hash =
                records.iter().find(|record| record.revision == revision).and_then(|record| record.file);
            let kept = match hash {
                Some(hash) => self.world_of(store, hash).await?,
                None => Kept::unusable(format!("scenario revision {revision} is not in the store")),
            };
            self.read.lock().keep(revision, kept);
        }
        Ok(())
    }

    async fn world_of(&self, store: &dyn PipelineStore, hash: [u8; 32]) -> StoreResult<Kept> {
        let alive = self.read.lock().files.get(&hash).and_then(Weak::upgrade);
        if let Some(world) = alive {
            return Ok(Kept { world: Ok(world), bytes: WORLD_BYTES });
        }
        let Some(file) = store.scenario_file(&hash).await? else {
            return Ok(Kept::unusable("the file of a scenario is not in the store".to_owned()));
        };
        let (settings, bytes) = (self.settings.clone(), WORLD_BYTES + file.len() * BYTES_PER_FILE_BYTE);
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
        Ok(Kept { world: Ok(world), bytes })
    }
}

impl Kept {
    fn unusable(cause: Unusable) -> Self {
        tracing::error!(cause, "a scenario cannot be used; its payments are set aside");
        Self { bytes: cause.len(), world: Err(cause) }
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
        let worlds = Worlds::new(&plain).with_accounts(&[(account(9), own)]);
        let of = |n| worlds.of(account(n), None).expect("nothing is to be read").expect("usable");
        assert!(!Arc::ptr_eq(&of(9), &of(1)));
        assert!(Arc::ptr_eq(&of(1), &of(2)));
        assert!(worlds.of(account(9), ScenarioRevision::at(1)).is_none(), "it has not been read");
    }

    #[test]
    fn what_is_kept_is_bounded_in_number_and_in_bytes() {
        let worlds = Worlds::new(&SimulatorSettings::default());
        let mut read = worlds.read.lock();
        let large = Kept { world: Ok(Arc::clone(&worlds.common)), bytes: WORLDS_BYTES_MAX / 10 };
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
