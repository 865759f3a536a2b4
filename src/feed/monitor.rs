//! Keeps [`SystemState`] (pushed when it changes) and [`SystemSample`] (while someone watches) up to date.
//!
//! May depend on the ports, `engine` and the hub. Decides nothing: whoever wants to know looks at the hub.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::live::LiveHub;
use super::system::{QueueSample, ReaderSample, SystemSample, SystemState};
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
