//! How the installation is, for people: whether its parts answer and its workers work (pushed when it changes), and how
//! much waits where (sampled while someone watches).
//!
//! May depend on the ports, `engine` and the hub. Decides nothing: whoever wants to know looks at the hub.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::live::LiveHub;
use super::{CURSORS, open_work};
use crate::broker::{Broker, BrokerHealth};
use crate::clock::Wall;
use crate::domain::time::Timestamp;
use crate::engine::Vitals;
use crate::search::{Filling, SearchHealth, SearchIndex};
use crate::store::{Store, StoreResult, StoreTrouble};

/// How often the store is asked whether it answers.
const PING_EVERY: Duration = Duration::from_secs(1);
/// A store that takes longer than this does not answer.
const PING_WITHIN: Duration = Duration::from_secs(2);
/// How often the index is asked, for nobody else may be asking it.
const PROBE_EVERY: Duration = Duration::from_secs(2);
/// How often the clock is compared with the line, and how far behind it may be, in microseconds.
const COMPARE_EVERY: Duration = Duration::from_secs(1);
const BEHIND_MAX_US: u64 = 2_000_000;
/// How often it is looked whether the tasks run.
const FEEL_EVERY: Duration = Duration::from_secs(1);
/// How often what waits is counted while someone watches.
const SAMPLE_EVERY: Duration = Duration::from_millis(500);

/// How the parts are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SystemState {
    /// Since when the workers are paused; `None` while they work.
    pub paused_since: Option<Timestamp>,
    /// Whether the store answers.
    pub store: bool,
    /// Whether the broker can be used.
    pub broker: bool,
    /// Whether the search index answers.
    pub search: bool,
    /// What is wrong with the store, if anything is.
    pub store_trouble: StoreTrouble,
    /// Whether the broker is there and takes no messages, if it cannot be used.
    pub broker_blocked: bool,
    /// Whether the index has yet to be filled, if it does not answer.
    pub search_filling: bool,
    /// Whether every background task of this process runs.
    pub tasks: bool,
    /// Whether the clock of this process is far behind the line: late, or another process's is early.
    pub clock_behind: bool,
    /// Whether the index answers and only takes nothing in, if it is not well.
    pub search_behind: bool,
}

impl Default for SystemState {
    /// All is well, as far as nothing else is known.
    fn default() -> Self {
        Self {
            paused_since: None,
            store: true,
            broker: true,
            search: true,
            store_trouble: StoreTrouble::default(),
            broker_blocked: false,
            search_filling: false,
            tasks: true,
            clock_behind: false,
            search_behind: false,
        }
    }
}

/// What waits for the workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct QueueSample {
    /// Messages of the interactive lane that no worker holds, as the broker counts them; `None` while it is away.
    pub interactive: Option<u64>,
    /// The same of the bulk lane.
    pub bulk: Option<u64>,
    /// Operations that this process's workers have begun and not settled.
    pub in_flight: Option<u64>,
    /// Payments with work that belongs in the queue, as the store counts them.
    pub open: u64,
    /// How long the oldest of them has been waiting, in microseconds; zero if there are none.
    pub oldest_us: u64,
}

/// How far a reader of the journal is behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ReaderSample {
    /// The place in the line where it stands.
    pub cursor: u64,
    /// Batches behind the head.
    pub batches: u64,
    /// The age of the first of those batches, in microseconds; zero if there are none.
    pub lag_us: u64,
}

/// What waits where.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct SystemSample {
    /// For the workers.
    pub queue: QueueSample,
    /// For the readers of the journal, by the names of their cursors.
    pub readers: BTreeMap<String, ReaderSample>,
}

/// Counts what waits where.
///
/// # Errors
/// The store's. A broker that is away is no error.
pub async fn sample(store: &dyn Store, broker: &dyn Broker, now: Timestamp) -> StoreResult<SystemSample> {
    let depth = broker.depth().await.ok();
    let open = open_work::count(store).await?;
    let queue = QueueSample {
        interactive: depth.map(|depth| depth.interactive),
        bulk: depth.map(|depth| depth.bulk),
        in_flight: depth.map(|depth| depth.in_flight),
        open: open.payments,
        oldest_us: open.oldest.map_or(0, |since| now.micros_since(since)),
    };
    // The cursors first: a head that is read later is never behind them.
    let cursors = store.cursor_list().await?;
    let head = store.head().await?;
    let mut readers = BTreeMap::new();
    for (name, cursor) in cursors {
        // The other rows are leases, whose holders read nothing.
        // That of open work stands before whatever is open: it is not behind.
        if !CURSORS.contains(&name.as_str()) || name == open_work::NAME {
            continue;
        }
        let batches = head.saturating_sub(cursor);
        let first = if batches == 0 { None } else { store.journal_time(cursor).await? };
        let lag_us = first.map_or(0, |at| now.micros_since(at));
        readers.insert(name, ReaderSample { cursor, batches, lag_us });
    }
    Ok(SystemSample { queue, readers })
}

/// Keeps the hub's [`SystemState`] and, while someone watches, its [`SystemSample`] up to date.
#[derive(Clone)]
pub struct Monitor {
    /// What time it is.
    pub wall: Wall,
    /// Asked whether it answers, and how much waits.
    pub store: Arc<dyn Store>,
    /// Asked how it is, and how much waits.
    pub broker: Arc<dyn Broker>,
    /// Asked how it is.
    pub search: Arc<dyn SearchIndex>,
    /// Since when the workers are paused.
    pub paused: watch::Receiver<Option<Timestamp>>,
    /// Asked whether the tasks run.
    pub vitals: Vitals,
    /// Told.
    pub hub: Arc<LiveHub>,
}

impl Monitor {
    /// Runs until stopped.
    pub async fn run(self, stop: CancellationToken) {
        let Self { wall, store, broker, search, paused, vitals, hub } = self;
        let work = async {
            tokio::join!(
                watch_parts(&hub, paused, broker.health(), search.health(), search.filling()),
                ping(store.as_ref(), &hub),
                probe(search.as_ref()),
                feel(&vitals, &hub),
                compare_clocks(&wall, store.as_ref(), &hub),
                sample_while_watched(&wall, store.as_ref(), broker.as_ref(), &hub),
            )
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            _ = work => {}
        }
    }
}

/// Passes on what the parts say of themselves, as they say it.
async fn watch_parts(
    hub: &LiveHub,
    mut paused: watch::Receiver<Option<Timestamp>>,
    mut broker: watch::Receiver<BrokerHealth>,
    mut search: watch::Receiver<SearchHealth>,
    mut filling: watch::Receiver<Option<Filling>>,
) {
    loop {
        let paused_since = *paused.borrow_and_update();
        let (broker_up, broker_blocked) = match *broker.borrow_and_update() {
            BrokerHealth::Up => (true, false),
            BrokerHealth::Blocked { .. } => (false, true),
            BrokerHealth::Down { .. } => (false, false),
        };
        let search_filling = filling.borrow_and_update().is_some();
        let (search_up, search_behind) = match *search.borrow_and_update() {
            SearchHealth::Up => (!search_filling, false),
            SearchHealth::Down { answers, .. } => (false, answers && !search_filling),
        };
        hub.system_change(|state| {
            *state = SystemState {
                paused_since,
                broker: broker_up,
                search: search_up,
                broker_blocked,
                search_filling,
                search_behind,
                ..*state
            };
        });
        tokio::select! {
            changed = paused.changed() => if changed.is_err() { return },
            changed = broker.changed() => if changed.is_err() { return },
            changed = search.changed() => if changed.is_err() { return },
            // An index that is never filled anew may have let go of the sender.
            Ok(()) = filling.changed() => {}
        }
    }
}

/// What keeps the store from taking payments: that it does not answer, or what its last writes met.
pub async fn store_trouble(store: &dyn Store) -> Option<StoreTrouble> {
    let answers = matches!(tokio::time::timeout(PING_WITHIN, store.ping()).await, Ok(Ok(())));
    store.trouble().or((!answers).then_some(StoreTrouble::Away))
}

async fn ping(store: &dyn Store, hub: &LiveHub) {
    loop {
        let trouble = store_trouble(store).await;
        hub.system_change(|state| {
            state.store = trouble.is_none();
            state.store_trouble = trouble.unwrap_or_default();
        });
        tokio::time::sleep(PING_EVERY).await;
    }
}

async fn feel(vitals: &Vitals, hub: &LiveHub) {
    loop {
        hub.system_change(|state| state.tasks = vitals.dead().is_empty());
        tokio::time::sleep(FEEL_EVERY).await;
    }
}

/// Time goes forward along the line: a process whose clock is late decides at the time of the others.
async fn compare_clocks(wall: &Wall, store: &dyn Store, hub: &LiveHub) {
    loop {
        // In this order: a batch between the two looks must not make a clock seem late.
        if let Ok(line) = store.head_wall().await {
            let behind_us = line.micros_since(wall.now());
            let behind = behind_us > BEHIND_MAX_US;
            if behind && !hub.system().borrow().clock_behind {
                tracing::warn!(
                    behind_us,
                    "this server's clock is behind the line: it is late, or another one is early"
                );
            }
            hub.system_change(|state| state.clock_behind = behind);
        }
        tokio::time::sleep(COMPARE_EVERY).await;
    }
}

/// What comes of it, the index notes in its own health.
async fn probe(search: &dyn SearchIndex) {
    loop {
        if let Err(error) = search.count().await {
            tracing::debug!(error = %error, "the search index did not answer a probe");
        }
        tokio::time::sleep(PROBE_EVERY).await;
    }
}

async fn sample_while_watched(wall: &Wall, store: &dyn Store, broker: &dyn Broker, hub: &LiveHub) {
    loop {
        hub.stats_watched().await;
        match sample(store, broker, wall.now()).await {
            Ok(sample) => hub.sampled(sample),
            Err(error) => tracing::debug!(error = %error, "what waits could not be counted"),
        }
        tokio::time::sleep(SAMPLE_EVERY).await;
    }
}
