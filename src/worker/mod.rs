//! The worker: takes work from the broker, asks the acquirer, waits as long as it takes, and hands the answer to the
//! engine. Acknowledges only what the engine has committed.
//!
//! May depend on the ports, `engine`, `simulator` and `domain`. Never blocks and never sleeps inline: thousands of
//! operations wait for their acquirers at once, in one queue of delays.
//!
//! - `worlds`: which outside world answers an account; `outside`: one of them, with what is remembered of its acquirers (`known`,
//!   `recent`); `acquirer_metrics`: the same as figures for operators.
//! - `lookup`: finds the payments that messages name; `holders`: who their cardholders are, where an answer depends on that.

mod acquirer_metrics;
mod holders;
mod known;
mod lookup;
mod outside;
mod recent;
mod settings;
mod worlds;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::time::DelayQueue;

pub use acquirer_metrics::AcquirerMetrics;
use holders::Holders;
pub use known::{AcquirerState, BreakerState, QueueState};
pub use lookup::PaymentLookup;
pub use outside::Outside;
use outside::{Attempt, Outcome};
pub use recent::Counts;
pub use settings::WorkerSettings;
pub use worlds::Worlds;

use crate::broker::{Broker, BrokerError, Delivery};
use crate::clock::Wall;
use crate::domain::command::SystemCommand;
use crate::domain::event::TechnicalError;
use crate::domain::ids::{IdMap, PaymentId};
use crate::domain::payment::Payment;
use crate::engine::{Engine, SystemError};
use crate::outage::{Outage, Way};
use crate::store::{AsideReason, PipelineStore, StoreResult};

/// Shorter waits than this are not worth a hint to the browser.
const HINT_FROM_US: u64 = 20_000;
/// How long to wait before taking up work again after the store or the broker failed.
const TROUBLE_PAUSE: Duration = Duration::from_millis(250);

/// Payments that are looked up at once.
const LOOK_UP_MAX: usize = 64;

/// Is notified that a worker took an operation up. A hint, not a fact: it carries no version.
pub trait ProgressListener: Send + Sync + 'static {
    /// The attempt has been handed to the acquirer.
    fn progress(&self, payment: &Payment, attempt: u16);
}

/// The worker's parts.
pub struct Worker {
    broker: Arc<dyn Broker>,
    store: Arc<dyn PipelineStore>,
    lookup: PaymentLookup,
    engine: Engine,
    worlds: Worlds,
    progress: Arc<dyn ProgressListener>,
    wall: Wall,
    /// Operations taken and not yet settled.
    in_flight: Arc<AtomicUsize>,
    /// Those of them that wait for their turn at an acquirer.
    queueing: AtomicUsize,
    settings: WorkerSettings,
    trouble: Outage,
}

/// An operation with its answer, waiting for the time at which the acquirer gives it.
struct PendingAnswer {
    answer: SystemCommand,
    /// How the acquirer failed technically, if it did.
    failure: Option<TechnicalError>,
    /// What comes after the answer, and after how many microseconds.
    stray: Option<(u64, SystemCommand)>,
    /// Whether it waits for its turn.
    waits: bool,
    /// Who has to know the outcomes.
    asked: Option<(Arc<Outside>, Vec<Outcome>)>,
    /// `None` for an answer that nobody waits for.
    delivery: Option<Delivery>,
}

impl PendingAnswer {
    /// An answer that comes although nobody waits for it.
    const fn stray(answer: SystemCommand) -> Self {
        Self { answer, failure: None, stray: None, waits: false, asked: None, delivery: None }
    }
}

/// What answers are handed in with.
struct Hands {
    tracker: TaskTracker,
    /// Answers that come after one that is committed. Bounded: what does not fit is left out, since nobody waits for it.
    strays: mpsc::Sender<(u64, SystemCommand)>,
}

impl Worker {
    /// A worker that does nothing before [`Self::run`].
    #[must_use]
    pub fn new(
        broker: Arc<dyn Broker>,
        lookup: PaymentLookup,
        engine: Engine,
        worlds: Worlds,
        progress: Arc<dyn ProgressListener>,
        wall: Wall,
        settings: WorkerSettings,
    ) -> Self {
        let store = lookup.store();
        let (in_flight, queueing) = (Arc::default(), AtomicUsize::new(0));
        let trouble = Outage::new("a worker");
        Self { broker, store, lookup, engine, worlds, progress, wall, in_flight, queueing, settings, trouble }
    }

    /// Works until cancelled or the broker is closed; then waits for the answers that are already with the engine. What
    /// still waits for its acquirer goes back to the queue.
    pub async fn run(self, stop: CancellationToken) {
        let (strays, mut late) = mpsc::channel(self.settings.in_flight_max.max(1));
        let hands = Hands { tracker: TaskTracker::new(), strays };
        let mut waiting: DelayQueue<PendingAnswer> = DelayQueue::new();
        loop {
            let room = self.settings.in_flight_max.saturating_sub(self.in_flight.load(Ordering::Relaxed));
            // Answers before new work, and the same choice every time, so that a run can be repeated.
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(first) = waiting.next() => {
                    let mut ready = vec![first.into_inner()];
                    while ready.len() < self.settings.receive_max
                        && let Some(Some(next)) = futures_util::FutureExt::now_or_never(waiting.next())
                    {
                        ready.push(next.into_inner());
                    }
                    self.hand_in(ready, &hands).await;
                }
                Some((after_us, answer)) = late.recv() => {
                    waiting.insert(PendingAnswer::stray(answer), Duration::from_micros(after_us));
                }
                received = self.broker.receive(room.min(self.settings.receive_max)), if room > 0 => match received {
                    Ok(deliveries) => self.take_up(deliveries, &mut waiting, &hands).await,
                    Err(BrokerError::Closed) => break,
                    Err(error) => {
                        // The broker's adapter logs that it is unavailable.
                        tracing::debug!(error = %error, "work could not be received");
                        tokio::time::sleep(TROUBLE_PAUSE).await;
                    }
                },
                // With no room, look again soon: answers settle all the time.
                () = tokio::time::sleep(Duration::from_millis(2)), if room == 0 => {}
            }
        }
        drop(waiting);
        hands.tracker.close();
        hands.tracker.wait().await;
    }

    /// Asks the acquirer about each delivery, a few at a time: their payments are all in memory at once. Those answered at once
    /// go straight to the engine.
    async fn take_up(
        &self,
        mut deliveries: Vec<Delivery>,
        waiting: &mut DelayQueue<PendingAnswer>,
        hands: &Hands,
    ) {
        while !deliveries.is_empty() {
            let keys = deliveries.iter().take(LOOK_UP_MAX).map(|delivery| delivery.message.key);
            let found = match self.lookup.get(keys).await {
                Ok(payments) => self.read_worlds(&payments).await.map(|holders| (payments, holders)),
                Err(error) => Err(error),
            };
            let (payments, holders) = match found {
                Ok(found) => {
                    self.trouble.worked(Way::Read);
                    found
                }
                Err(error) => {
                    if error.is_transient() {
                        tracing::debug!(error = %error, "payments of delivered work could not be read");
                    } else {
                        self.trouble.failed(Way::Read, &error);
                    }
                    deliveries.into_iter().for_each(Delivery::requeue);
                    tokio::time::sleep(TROUBLE_PAUSE).await;
                    return;
                }
            };
            let few = deliveries.drain(..LOOK_UP_MAX.min(deliveries.len()));
            let ready = self.ask_all(few, (&payments, &holders), waiting);
            self.in_flight.fetch_add(ready.len(), Ordering::Relaxed);
            self.hand_in(ready, hands).await;
        }
    }

    /// Reads the scenarios that answer these payments, as far as they are not at hand, and what these need to know besides.
    async fn read_worlds(&self, payments: &IdMap<PaymentId, Arc<Payment>>) -> StoreResult<Holders> {
        let operations = payments.values().flat_map(|payment| payment.operations());
        let revisions = operations.filter_map(|operation| operation.scenario);
        self.worlds.read(self.store.as_ref(), revisions).await?;
        Holders::read(self.store.as_ref(), &self.worlds, payments.values()).await
    }

    /// Asks about deliveries whose payments are at hand; returns those that are answered at once.
    fn ask_all(
        &self,
        deliveries: impl Iterator<Item = Delivery>,
        (payments, holders): (&IdMap<PaymentId, Arc<Payment>>, &Holders),
        waiting: &mut DelayQueue<PendingAnswer>,
    ) -> Vec<PendingAnswer> {
        let mut ready = Vec::new();
        for delivery in deliveries {
            let Some(payment) = payments.get(&delivery.message.key.payment) else {
                let id = delivery.message.key.payment;
                // What cannot be read was set aside by being looked for; the store keeps its work until it can be read again.
                if self.store.aside().unreadable(id).is_none() {
                    // A store that lost a payment is for `verify` to report; the message can do no more.
                    tracing::error!(payment.id = %id, "work for a payment that does not exist");
                }
                delivery.ack();
                continue;
            };
            match self.ask(payment, holders, delivery) {
                None => {}
                Some((asked, 0)) => ready.push(asked),
                Some((asked, latency_us)) => {
                    self.in_flight.fetch_add(1, Ordering::Relaxed);
                    waiting.insert(asked, Duration::from_micros(latency_us));
                }
            }
        }
        ready
    }

    /// The acquirer's answer and when it comes, in microseconds; `None` for work that is no longer asked for.
    fn ask(&self, payment: &Payment, holders: &Holders, delivery: Delivery) -> Option<(PendingAnswer, u64)> {
        let key = delivery.message.key;
        let open = payment.operation(key.operation).filter(|_| lookup::is_queued(payment, key));
        let Some(operation) = open else {
            delivery.ack();
            return None;
        };
        let outside = match self.worlds.of(payment.owner(), operation.scenario) {
            Some(Ok(outside)) => outside,
            Some(Err(cause)) => {
                self.store.aside().note_payment(payment.id(), AsideReason::Undecidable, &cause);
                delivery.ack();
                return None;
            }
            // Pushed out by others since it was read.
            None => {
                delivery.requeue();
                return None;
            }
        };
        // Whoever waits for a busy acquirer must leave room for everybody else.
        let may_wait = self.queueing.load(Ordering::Relaxed) < self.settings.in_flight_max.div_ceil(2);
        let attempt = outside.ask(payment, (operation, key), holders.of(payment), may_wait, self.wall.now());
        let Attempt { answer, latency_us, failure, stray, waits, outcomes } = attempt;
        if waits {
            self.queueing.fetch_add(1, Ordering::Relaxed);
        }
        if latency_us >= HINT_FROM_US {
            self.progress.progress(payment, key.attempt);
        }
        let asked = (!outcomes.is_empty()).then_some((outside, outcomes));
        Some((PendingAnswer { answer, failure, stray, waits, asked, delivery: Some(delivery) }, latency_us))
    }

    /// Hands answers to the engine and, once they are committed, acknowledges their messages.
    async fn hand_in(&self, ready: Vec<PendingAnswer>, hands: &Hands) {
        if ready.is_empty() {
            return;
        }
        let mut handed = Vec::with_capacity(ready.len());
        for mut pending in ready {
            self.arrived(&mut pending);
            let PendingAnswer { answer, stray, delivery, .. } = pending;
            match self.engine.answer(answer).await {
                Ok(reply) => handed.push((reply, stray, delivery)),
                // Stopping: the message goes back to the queue.
                Err(_) => drop(delivery),
            }
        }
        let in_flight = Arc::clone(&self.in_flight);
        let store = Arc::clone(&self.store);
        let strays = hands.strays.clone();
        hands.tracker.spawn(async move {
            for (reply, stray, delivery) in handed {
                let outcome = reply.outcome().await;
                // Only behind an answer that is committed does another one change nothing.
                let follows = outcome.is_ok() && stray.is_some_and(|stray| strays.try_send(stray).is_ok());
                if let Some(delivery) = delivery {
                    match outcome {
                        Err(SystemError::Damaged(cause)) => {
                            // Trying again would end the same: this one is set aside, and the others go on.
                            let id = delivery.message.key.payment;
                            store.aside().note_payment(id, AsideReason::Undecidable, &cause);
                            delivery.ack();
                        }
                        Ok(_) | Err(SystemError::Missing(_)) => delivery.ack(),
                        Err(SystemError::Unavailable) => delivery.requeue(),
                    }
                }
                // The answer that follows keeps the place.
                if !follows {
                    in_flight.fetch_sub(1, Ordering::Relaxed);
                }
            }
        });
    }

    /// Notes that an answer has come.
    fn arrived(&self, pending: &mut PendingAnswer) {
        if pending.waits {
            self.queueing.fetch_sub(1, Ordering::Relaxed);
        }
        if let Some((outside, outcomes)) = pending.asked.take() {
            outside.answered(&outcomes, self.wall.now());
        }
        if let Some(cause) = pending.failure {
            let payment = pending.delivery.as_ref().map(|delivery| delivery.message.key.payment);
            let id = payment.map(tracing::field::display);
            tracing::debug!(payment.id = id, cause = cause.words(), "the acquirer failed");
        }
    }
}
