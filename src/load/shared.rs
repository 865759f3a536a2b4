//! The state that all connections of a run share, and the source of their work.

use std::iter::Peekable;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::args::LoadArgs;
use super::plan::{Plan, Wanted};
use super::schedule::{Released, Schedule};
use super::stopwatch::Stopwatch;
use super::tracker::Tracker;
use super::work::{Pending, Work};
use crate::domain::ids::PaymentId;
use crate::setting::Secret;

/// Work that may be unanswered or open at once in an open run, so that memory stays bounded; past it, arrivals are skipped.
const OPEN_MAX: u64 = 1_000_000;

/// How often it is looked whether cardholders have answered.
const ANSWER_TICK: Duration = Duration::from_millis(5);

/// The state that all connections of a run share.
pub struct Shared {
    /// What each arrival is.
    pub plan: Plan,
    /// What became of each piece of work.
    pub tracker: Tracker,
    /// Its times, which all count from its start.
    pub stopwatch: Arc<Stopwatch>,
    /// What is measured, in microseconds of the schedule's time.
    window: Range<u64>,
    /// The server, and how it is reached.
    pub target: Target,
    /// When work is due.
    pub arrivals: Arrivals,
    /// Work whose state is to be asked for again.
    pub again: Mutex<Vec<(PaymentId, Pending)>>,
    /// Changes when `again` was filled.
    pub again_signal: watch::Sender<u64>,
    /// Changes when a cardholder has answered a challenge.
    pub answer_signal: watch::Sender<u64>,
    /// Nothing new is sent; what is open is waited for.
    pub halt: CancellationToken,
    /// The end of the run: every task stops.
    pub stop: CancellationToken,
}

/// A server, and how it is reached.
#[derive(Debug, Clone)]
pub struct Target {
    /// Its address.
    pub url: Url,
    /// The key to act with.
    pub key: Secret,
    /// How many connections send.
    pub connections: u64,
}

impl Target {
    /// The server of these flags.
    #[must_use]
    pub fn of(args: &LoadArgs) -> Self {
        Self { url: args.target.clone(), key: args.key.clone(), connections: u64::from(args.connections) }
    }
}

/// When work is due.
pub enum Arrivals {
    /// By a schedule, whatever the server does.
    Open {
        /// The schedule.
        schedule: Schedule,
        /// How far it has come.
        released: watch::Receiver<Released>,
    },
    /// As long as less than `in_flight` is unanswered or open.
    Closed {
        /// The next index.
        next: AtomicU64,
        /// How many pieces there are.
        total: u64,
        /// Nothing new is sent after this, in microseconds of the schedule's time.
        end_us: u64,
        /// The bound on unanswered and open work.
        in_flight: u64,
    },
}

impl Shared {
    /// The state of a run that has not begun, and measures this window.
    #[must_use]
    pub fn new(target: Target, plan: Plan, tracker: Tracker, arrivals: Arrivals, window: Range<u64>) -> Self {
        Self {
            plan,
            tracker,
            stopwatch: Arc::default(),
            window,
            target,
            arrivals,
            again: Mutex::new(Vec::new()),
            again_signal: watch::Sender::new(0),
            answer_signal: watch::Sender::new(0),
            halt: CancellationToken::new(),
            stop: CancellationToken::new(),
        }
    }

    /// How many connections send.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.target.connections.max(1)
    }

    /// Real time, in microseconds since the start.
    #[must_use]
    pub fn now_us(&self) -> u64 {
        self.stopwatch.now_us()
    }

    /// Pauses the run or lets it go on: nothing is due in between. Says whether that changed anything.
    #[must_use]
    pub fn pause(&self, paused: bool) -> bool {
        let changed = if paused { self.stopwatch.pause() } else { self.stopwatch.resume() };
        if changed {
            self.tracker.measure(self.stopwatch.real_window(&self.window));
            // Connections that wait for something to come to rest look again.
            self.tracker.touch();
        }
        changed
    }

    /// Has the state of all open work asked for.
    pub fn ask_again(&self) {
        let open = self.tracker.open_work();
        if !open.is_empty() {
            *self.again.lock() = open;
            self.again_signal.send_modify(|version| *version = version.wrapping_add(1));
        }
    }

    /// Takes at most `max` pieces to ask for again.
    #[must_use]
    pub fn take_again(&self, max: usize) -> Vec<(PaymentId, Pending)> {
        let mut again = self.again.lock();
        let keep = again.len().saturating_sub(max);
        again.split_off(keep)
    }

    fn pending(&self, index: u64, intended_us: u64) -> Pending {
        let work = match self.plan.wanted(index) {
            Wanted::Work(work) => work,
            Wanted::Refund => self.tracker.take_refundable().map_or_else(
                || {
                    self.tracker.count(|counts| counts.substituted += 1);
                    Work::Charge
                },
                Work::Refund,
            ),
        };
        let (account, currency) = (self.plan.account(index, work), self.plan.currency(index, work));
        let amount_minor = self.plan.amount_minor(index, work, currency);
        Pending { index, intended_us, work, account, amount_minor, currency, refund: None }
    }

    /// Takes at most `max` answers that cardholders have given.
    #[must_use]
    pub fn take_answers(&self, max: usize) -> Vec<Pending> {
        self.tracker.take_answers(self.now_us(), max)
    }

    /// Tells the connections whenever a cardholder has answered, until the run is over.
    pub async fn watch_cardholders(self: Arc<Self>) {
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(ANSWER_TICK) => {}
            }
            if self.tracker.has_answer(self.now_us()) {
                self.answer_signal.send_modify(|version| *version = version.wrapping_add(1));
            }
        }
    }
}

/// What one connection sends: plan indices, and when.
type Share = Box<dyn Iterator<Item = (u64, u64)> + Send>;

/// The source of one connection's work.
pub struct Source {
    shared: Arc<Shared>,
    mine: Option<Peekable<Share>>,
    released: Option<watch::Receiver<Released>>,
    progress: watch::Receiver<u64>,
    again: watch::Receiver<u64>,
    answers: watch::Receiver<u64>,
}

impl Source {
    /// The source of the connection with this number.
    #[must_use]
    pub fn new(shared: &Arc<Shared>, connection: u64) -> Self {
        let (mine, released) = match &shared.arrivals {
            Arrivals::Open { schedule, released } => {
                let connections = shared.connections();
                let own = (0_u64..)
                    .zip(schedule.arrivals())
                    .filter(move |(index, _)| index % connections == connection);
                let own: Share = Box::new(own);
                (Some(own.peekable()), Some(released.clone()))
            }
            Arrivals::Closed { .. } => (None, None),
        };
        let (progress, again) = (shared.tracker.progress(), shared.again_signal.subscribe());
        let answers = shared.answer_signal.subscribe();
        Self { shared: Arc::clone(shared), mine, released, progress, again, answers }
    }

    /// At most `max` pieces that are due now.
    pub fn take(&mut self, max: usize) -> Vec<Pending> {
        let shared = Arc::clone(&self.shared);
        if shared.halt.is_cancelled() {
            return Vec::new();
        }
        let counts = shared.tracker.counts();
        let busy = counts.busy();
        match &shared.arrivals {
            Arrivals::Open { .. } => self.take_due(max, busy),
            Arrivals::Closed { next, total, end_us, in_flight } => {
                let (now_us, stopwatch) = (shared.now_us(), &shared.stopwatch);
                let room = in_flight.saturating_sub(busy);
                let over = stopwatch.is_paused() || stopwatch.run_us() >= *end_us;
                // A trickle of frames with one payment each would waste both sides' time.
                if over || room < (in_flight / 16).max(1) {
                    return Vec::new();
                }
                let share = (room / shared.connections()).max(1).min(max as u64);
                let first = next.fetch_add(share, Ordering::Relaxed).min(*total);
                (first..first.saturating_add(share).min(*total))
                    .map(|index| shared.pending(index, now_us))
                    .collect()
            }
        }
    }

    fn take_due(&mut self, max: usize, busy: u64) -> Vec<Pending> {
        let Some(released) = self.released.as_mut() else { return Vec::new() };
        let until = released.borrow_and_update().until;
        let Some(mine) = self.mine.as_mut() else { return Vec::new() };
        let mut due = Vec::new();
        while due.len() < max
            && let Some((index, run_us)) = mine.next_if(|(index, _)| *index < until)
        {
            if busy >= OPEN_MAX {
                self.shared.tracker.count(|counts| counts.skipped += 1);
            } else {
                due.push(self.shared.pending(index, self.shared.stopwatch.real_us(run_us)));
            }
        }
        due
    }

    /// How many arrivals were never taken; counts the rest of the schedule.
    pub fn never_taken(&mut self) -> u64 {
        // If the run was stopped, the rest of the schedule is not wanted.
        let mine = self.mine.take().filter(|_| !self.shared.halt.is_cancelled());
        mine.map_or(0, |mine| mine.count() as u64)
    }

    /// Waits until there may be more to do.
    pub async fn changed(&mut self) {
        let due = async {
            match self.released.as_mut() {
                // A schedule that has ended changes no more.
                Some(released) => match released.changed().await {
                    Ok(()) => {}
                    Err(_) => std::future::pending().await,
                },
                None => {
                    let _ = self.progress.changed().await;
                }
            }
        };
        tokio::select! {
            () = due => {}
            _ = self.again.changed() => {}
            _ = self.answers.changed() => {}
        }
    }
}
