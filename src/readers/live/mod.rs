//! The live hub: carries every committed change to its subscribers, and to callers that wait for an outcome.
//!
//! May depend on `domain`, the readers' batches and the directory of accounts (names). Must not know sockets or HTTP. The
//! publisher is the live reader of the journal. A slow subscriber never blocks it, and it serialises a row only if
//! someone watches it, once for all who do.

mod queue;
pub mod row;
mod stats;
mod subscriber;
mod topics;
mod waiter;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Instant;

use parking_lot::{Mutex, RwLock};
use serde::Serialize;
use tokio::sync::watch;

use super::batch::{Batch, Entry};
use super::index::Indexed;
use super::system::{SystemSample, SystemState};
use crate::accounts::Directory;
use crate::accounts::cache::TwoGenerationCache;
use crate::clock::Wall;
use crate::domain::event::Event;
use crate::domain::ids::{AccountId, PaymentId};
use crate::domain::payment::Payment;
use crate::domain::status::Status;
use crate::domain::submission::Kind;
pub use queue::{ALL_ROWS_MAX, COALESCED_MAX};
use queue::{Hint, Step};
pub use row::{Row, Viewer};
pub use stats::{Counts, Stats, StatsNow};
use subscriber::Shared;
pub use subscriber::{SUBSCRIPTIONS_MAX, Subscriber, SubscriptionId, resync_frame};
use topics::Topics;
pub use waiter::Waiter;
use waiter::Waiters;

/// What can be subscribed to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Topic {
    /// All payments of an account, and transfers it received.
    Payments(AccountId),
    /// One payment, as this account may see it.
    Payment(AccountId, PaymentId),
    /// A load run of an account.
    Run(AccountId, String),
    /// The statistics.
    Stats,
    /// Whether the parts answer and the workers work.
    System,
    /// The log of an account's calls.
    Requests(AccountId),
}

/// Payments whose time of indexing is remembered; some 50 bytes each.
const INDEXED_MAX: usize = 65_536;

/// The hub. One per process.
pub struct LiveHub {
    directory: Arc<Directory>,
    wall: Wall,
    topics: RwLock<Topics>,
    waiters: Arc<Waiters>,
    stats: Stats,
    stats_text: Mutex<(Option<Instant>, Arc<str>)>,
    /// How long it took until search found the recently indexed payments, in microseconds.
    indexed: TwoGenerationCache<PaymentId, u64>,
    /// How many subscriptions to the statistics there are.
    stats_watchers: watch::Sender<usize>,
    sample: Mutex<SystemSample>,
    system: watch::Sender<SystemState>,
}

impl std::fmt::Debug for LiveHub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LiveHub").field("topics", &self.topics.read().len()).finish_non_exhaustive()
    }
}

impl LiveHub {
    /// A hub that takes names from this directory.
    #[must_use]
    pub fn new(directory: Arc<Directory>, wall: Wall) -> Arc<Self> {
        Arc::new(Self {
            directory,
            wall,
            topics: RwLock::default(),
            waiters: Arc::new(Waiters::default()),
            stats: Stats::default(),
            stats_text: Mutex::new((None, Arc::from(""))),
            indexed: TwoGenerationCache::new(INDEXED_MAX),
            stats_watchers: watch::Sender::new(0),
            sample: Mutex::default(),
            system: watch::Sender::new(SystemState::default()),
        })
    }

    /// A new subscriber, without subscriptions.
    #[must_use]
    pub fn subscriber(self: &Arc<Self>) -> Subscriber {
        Subscriber::new(Arc::clone(self))
    }

    /// Begins to wait for a payment; call it before submitting the command. `None` if too many wait already.
    #[must_use]
    pub fn wait_for_rest(&self, payment: PaymentId) -> Option<Waiter> {
        self.waiters.register(payment)
    }

    /// Counts of what happened to payments.
    #[must_use]
    pub const fn stats(&self) -> &Stats {
        &self.stats
    }

    /// The state of the parts, now and as it changes.
    #[must_use]
    pub fn system(&self) -> watch::Receiver<SystemState> {
        self.system.subscribe()
    }

    /// Changes the state of the parts; notifies watchers only if it differs.
    pub fn system_change(&self, change: impl FnOnce(&mut SystemState)) {
        self.system.send_if_modified(|state| {
            let before = *state;
            change(state);
            *state != before
        });
    }

    /// Returns once someone watches the statistics.
    pub async fn stats_watched(&self) {
        // The sender is ours, so the channel stays open.
        let _ = self.stats_watchers.subscribe().wait_for(|watchers| *watchers > 0).await;
    }

    /// Keeps a sample of what waits where, for the next statistics.
    pub fn sampled(&self, sample: SystemSample) {
        *self.sample.lock() = sample;
    }

    /// Whether anyone watches or waits for this entry's payment: only then does [`Self::publish`] need it loaded.
    #[must_use]
    pub fn wants(&self, entry: &Entry) -> bool {
        self.waiters.waits_for(entry.payment_id) || self.is_watched(entry)
    }

    fn is_watched(&self, entry: &Entry) -> bool {
        let topics = self.topics.read();
        !topics.is_empty()
            && viewers(entry).any(|(account, _)| self.watchers(&topics, entry, account).next().is_some())
    }

    /// Loads the names that the rows of this batch will show. Without it, rows show ids.
    ///
    /// # Errors
    /// The store's; publishing without names is the better choice then.
    pub async fn prepare(&self, batch: &Batch) -> crate::store::StoreResult<()> {
        let shown: Vec<AccountId> = {
            let topics = self.topics.read();
            if topics.is_empty() {
                return Ok(());
            }
            // An account's parent also watches its runs, and the parent may not be in memory yet.
            let shown = batch.entries.iter().filter(|entry| {
                entry.run.as_ref().is_some_and(|run| topics.has_run(run))
                    || viewers(entry)
                        .any(|(account, _)| topics.of(entry, account, &|_| None).next().is_some())
            });
            shown.flat_map(|entry| [Some(entry.owner), entry.payee]).flatten().collect()
        };
        self.directory.load(shown).await
    }

    /// The subscriptions that receive an entry as this account.
    fn watchers<'a>(
        &self,
        topics: &'a Topics,
        entry: &Entry,
        account: AccountId,
    ) -> impl Iterator<Item = &'a (Arc<Shared>, SubscriptionId)> + use<'a> {
        let parent = |account| self.directory.cached(account).and_then(|profile| profile.parent);
        topics.of(entry, account, &parent)
    }

    /// Publishes a committed batch. Called in the order of the journal; never blocks.
    pub fn publish(&self, batch: &Batch) {
        let events =
            batch.entries.iter().flat_map(|entry| entry.events.iter().map(|recorded| &recorded.event));
        self.stats.note(batch.at, events);
        if !self.waiters.is_empty() {
            batch
                .entries
                .iter()
                .filter_map(|entry| entry.payment.as_ref())
                .for_each(|payment| self.waiters.show(payment));
        }
        let topics = self.topics.read();
        if topics.is_empty() {
            return;
        }
        let now = Instant::now();
        for entry in &batch.entries {
            if let Some(payment) = &entry.payment {
                self.publish_entry(&topics, entry, payment, now);
            }
        }
    }

    /// Notifies everyone that batches were not published: watchers read again, waiters ask the store.
    pub fn missed(&self) {
        self.waiters.miss();
        for (reader, id) in self.topics.read().all() {
            reader.miss(*id);
        }
    }

    fn publish_entry(&self, topics: &Topics, entry: &Entry, payment: &Payment, now: Instant) {
        let rests = payment.state().status.is_at_rest() && !payment.is_under_way();
        for (account, viewer) in viewers(entry) {
            if viewer == Viewer::Payee && payment.state().status != Status::Succeeded {
                continue;
            }
            let step = Step { first: is_first(entry, viewer), rests };
            let mut row: Option<Arc<str>> = None;
            for (reader, id) in self.watchers(topics, entry, account) {
                let row = row.get_or_insert_with(|| Row::of(payment, &self.directory, viewer).to_json());
                reader.push(*id, entry.payment_id, step, row, now);
            }
        }
    }

    /// Forwards a worker's hint that it took up an attempt of this payment. Lossy, and without a version.
    pub fn progress(&self, payment: &Payment, attempt: u16) {
        let submission = payment.submission();
        self.hint(submission.id, submission.owner, submission.kind, Hint::Processing { attempt });
    }

    /// Forwards that search finds these payments now, as they came to rest. Lossy, like [`Self::progress`].
    pub fn indexed(&self, payments: &[Indexed]) {
        let now = self.wall.now();
        let watched = !self.topics.read().is_empty();
        for payment in payments {
            let us = now.micros_since(payment.asked_at);
            let first = |first: &mut u64| {
                if *first < payment.settled_us {
                    *first = us;
                }
                *first
            };
            // A later change (a refund) is indexed again; the time at which search first found the outcome stays, if it
            // is still known.
            let indexed_us = if payment.settles {
                Some(self.indexed.update(payment.payment, || us, first))
            } else {
                self.indexed.get(&payment.payment)
            };
            let Some(indexed_us) = indexed_us else { continue };
            if watched {
                self.hint(payment.payment, payment.owner, payment.kind, Hint::Indexed { indexed_us });
            }
        }
    }

    /// How long it took until search found this payment at rest, in microseconds; `None` if this process did not see it
    /// recently.
    #[must_use]
    pub fn indexed_us(&self, payment: PaymentId) -> Option<u64> {
        self.indexed.get(&payment)
    }

    fn hint(&self, id: PaymentId, owner: AccountId, kind: Kind, hint: Hint) {
        let topics = self.topics.read();
        if topics.is_empty() {
            return;
        }
        let mut public_id: Option<String> = None;
        for (reader, subscription) in topics.of_payment(owner, id) {
            let public_id = public_id.get_or_insert_with(|| id.with_prefix(kind.payment_kind().id_prefix()));
            reader.hint(*subscription, id, public_id, hint);
        }
    }

    fn attach(&self, topic: &Topic, reader: &Arc<Shared>, id: SubscriptionId) {
        if *topic == Topic::Stats {
            self.stats_watchers.send_modify(|watchers| *watchers += 1);
        }
        self.topics.write().attach(topic, reader, id);
    }

    fn detach(&self, topic: &Topic, reader: &Arc<Shared>, id: Option<SubscriptionId>) {
        if *topic == Topic::Stats {
            self.stats_watchers.send_modify(|watchers| *watchers = watchers.saturating_sub(1));
        }
        self.topics.write().detach(topic, reader, id);
    }

    /// The fields of a `stats` frame, made once for everyone four times a second.
    fn stats_json(&self) -> Arc<str> {
        let mut cached = self.stats_text.lock();
        let fresh = cached.0.is_some_and(|made_at| made_at.elapsed().as_millis() < 200);
        if !fresh {
            let frame = StatsFrame { now: self.stats.now(self.wall.now()), sample: &self.sample.lock() };
            let text = serde_json::to_string(&frame).unwrap_or_default();
            let fields = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or_default();
            *cached = (Some(Instant::now()), Arc::from(fields));
        }
        Arc::clone(&cached.1)
    }
}

/// The fields of a `stats` frame.
#[derive(Serialize)]
struct StatsFrame<'a> {
    #[serde(flatten)]
    now: StatsNow,
    #[serde(flatten)]
    sample: &'a SystemSample,
}

/// Whether this batch shows the payment to this viewer for the first time: a payee sees it once it has succeeded.
fn is_first(entry: &Entry, viewer: Viewer) -> bool {
    match viewer {
        Viewer::Owner => entry.first_version == 1,
        Viewer::Payee => {
            entry.events.iter().any(|recorded| matches!(recorded.event, Event::Succeeded { .. }))
        }
    }
}

/// Who may see an entry's payment, and how.
fn viewers(entry: &Entry) -> impl Iterator<Item = (AccountId, Viewer)> {
    let payee = entry.payee.map(|payee| (payee, Viewer::Payee));
    std::iter::once((entry.owner, Viewer::Owner)).chain(payee)
}
