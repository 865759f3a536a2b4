//! Tracks each piece of work: sent, acknowledged, asked for a challenge, settled. Shared by the connections; locked per frame.
//!
//! - `seen`: what was seen of a payment. `applying`: what follows from it.
//! - `measured`: counts and latencies. `acks`: the file of acknowledgements.

mod acks;
mod applying;
mod measured;
mod seen;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::fs::File;
use std::ops::Range;

use parking_lot::Mutex;
use tokio::sync::watch;

use self::acks::AckLog;
pub use self::applying::Applying;
use self::measured::Measured;
pub use self::seen::Seen;
use super::live::Live;
use super::mix::Cardholders;
use super::report::Report;
use super::sample::{Record, Sample};
use super::series::Happened;
use super::work::{Charged, Pending, Work};
use crate::domain::ids::PaymentId;

/// How much later than intended counts as late, in microseconds.
const LATE_US: u64 = 10_000;

/// Acknowledged, and not yet seen at rest.
#[derive(Debug, Clone, Copy)]
struct Open {
    pending: Pending,
    /// Rows below this version say nothing about it.
    from_version: u32,
    /// Its cardholder was asked, and took or takes so long, in microseconds.
    thought_us: Option<u64>,
    /// The cardholder has not answered yet.
    thinking: bool,
    /// Its place in the sample.
    place: Option<usize>,
}

/// Shared counters of one run.
pub struct Tracker {
    state: Mutex<State>,
    progress: watch::Sender<u64>,
}

struct State {
    open: HashMap<PaymentId, Open>,
    /// Updates that came before their acknowledgement, and when.
    early: HashMap<PaymentId, (Seen, u64)>,
    refundable: VecDeque<Charged>,
    /// Challenges to answer, by when.
    challenges: BinaryHeap<Reverse<(u64, PaymentId)>>,
    cardholders: Cardholders,
    acks: AckLog,
    counts: Counts,
    measured: Measured,
    sample: Sample,
}

/// Plain counts; those without a note are of the measured window.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    /// Sent at least once.
    pub sent: u64,
    /// Acknowledged.
    pub accepted: u64,
    /// Come to rest.
    pub completed: u64,
    /// Acknowledged before the window's end.
    pub accepted_within: u64,
    /// Come to rest before the window's end, warm-up excluded, by the time it happened.
    pub completed_within: u64,
    /// Unanswered or open at the last event before the window's start.
    pub open_at_start: u64,
    /// Refused.
    pub errors: u64,
    /// Sent late.
    pub late: u64,
    /// Refunds replaced by charges.
    pub substituted: u64,
    /// Never sent.
    pub skipped: u64,
    /// Cardholders that were asked.
    pub challenges: u64,
    /// Sent, warm-up included, and neither acknowledged nor refused.
    pub unanswered: u64,
    /// Acknowledged, warm-up and end included, and not yet at rest.
    pub open: u64,
    /// Sent, warm-up included.
    pub sent_all: u64,
    /// Acknowledged, warm-up included.
    pub accepted_all: u64,
    /// Come to rest, warm-up included.
    pub ended_all: u64,
    /// Refused, warm-up included.
    pub errors_all: u64,
    /// Lost connections, over the whole run.
    pub reconnects: u64,
    /// Sent again, over the whole run.
    pub resent: u64,
    /// When the last piece came to rest, in microseconds since the start.
    pub last_settled_us: u64,
}

impl Counts {
    /// Everything at rest or refused, warm-up included.
    #[must_use]
    pub const fn finished_all(&self) -> u64 {
        self.ended_all + self.errors_all
    }

    /// Everything on its way.
    #[must_use]
    pub const fn busy(&self) -> u64 {
        self.unanswered + self.open
    }
}

impl Tracker {
    /// A tracker that measures what is intended to start within `window` (microseconds since the start), and keeps a sample of at
    /// most `sample` acknowledgements.
    ///
    /// # Errors
    /// If a histogram cannot be made, which fixed bounds rule out.
    pub fn new(
        window: Range<u64>,
        cardholders: Cardholders,
        acks: Option<File>,
        sample: usize,
    ) -> anyhow::Result<Self> {
        let state = State {
            open: HashMap::new(),
            early: HashMap::new(),
            refundable: VecDeque::new(),
            challenges: BinaryHeap::new(),
            cardholders,
            acks: AckLog::new(acks),
            counts: Counts::default(),
            measured: Measured::new(window)?,
            sample: Sample::new(sample),
        };
        Ok(Self { state: Mutex::new(state), progress: watch::Sender::new(0) })
    }

    /// Changes whenever something was acknowledged, refused or settled.
    #[must_use]
    pub fn progress(&self) -> watch::Receiver<u64> {
        self.progress.subscribe()
    }

    /// Says that something may have changed.
    pub fn touch(&self) {
        self.progress.send_modify(|version| *version = version.wrapping_add(1));
    }

    /// Measures what is intended to start within this window from now on. What has been intended is not moved into it or out of it.
    pub fn measure(&self, window: Range<u64>) {
        self.state.lock().measured.window = window;
    }

    /// Runs `change` on the counts.
    pub fn count(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.state.lock().counts);
    }

    /// The counts as they are.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.state.lock().counts
    }

    /// The p99 of what settled within the last second, in milliseconds.
    #[must_use]
    pub fn recent_p99_ms(&self, now_us: u64) -> Option<f64> {
        self.state.lock().measured.series.recent_p99_ms(now_us)
    }

    /// Takes the error that writing the acknowledgement file met, if any.
    #[must_use]
    pub fn ack_failure(&self) -> Option<std::io::Error> {
        self.state.lock().acks.failure()
    }

    /// The first rejection in words.
    #[must_use]
    pub fn first_error(&self) -> Option<String> {
        self.state.lock().measured.first_error()
    }

    /// Takes a charge to refund.
    #[must_use]
    pub fn take_refundable(&self) -> Option<Charged> {
        self.state.lock().refundable.pop_front()
    }

    /// Notes work that is sent for the first time.
    pub fn sent(&self, batch: &[Pending], now_us: u64) {
        if batch.is_empty() {
            return;
        }
        let state = &mut *self.state.lock();
        for pending in batch {
            state.counts.unanswered += 1;
            state.counts.sent_all += 1;
            state.measured.series.note(pending.intended_us, Happened::Offered);
            if state.measured.holds(pending) {
                state.counts.sent += 1;
                state.counts.late += u64::from(now_us.saturating_sub(pending.intended_us) > LATE_US);
            }
        }
        state.note_in_flight(now_us);
    }

    /// Applies what one frame said, under one lock.
    pub fn apply(&self, now_us: u64, read: impl FnOnce(&mut Applying<'_>)) {
        let mut state = self.state.lock();
        read(&mut Applying { state: &mut state, now_us });
        state.note_in_flight(now_us);
        state.acks.write();
        drop(state);
        self.touch();
    }

    /// Everything acknowledged and not yet seen at rest, but for what waits for its cardholder.
    #[must_use]
    pub fn open_work(&self) -> Vec<(PaymentId, Pending)> {
        let state = self.state.lock();
        let waits =
            |(payment, open): (&PaymentId, &Open)| (!open.thinking).then_some((*payment, open.pending));
        state.open.iter().filter_map(waits).collect()
    }

    /// Whether a cardholder has answered by now.
    #[must_use]
    pub fn has_answer(&self, now_us: u64) -> bool {
        self.state.lock().challenges.peek().is_some_and(|Reverse((due_us, _))| *due_us <= now_us)
    }

    /// Takes at most `max` answers that cardholders have given by now.
    #[must_use]
    pub fn take_answers(&self, now_us: u64, max: usize) -> Vec<Pending> {
        let state = &mut *self.state.lock();
        let mut answers = Vec::new();
        while answers.len() < max
            && let Some(Reverse((due_us, payment))) = state.challenges.peek().copied()
            && due_us <= now_us
        {
            state.challenges.pop();
            if let Some(open) = state.open.get_mut(&payment) {
                open.thinking = false;
                let passed = state.cardholders.passes(open.pending.index);
                answers.push(Pending { work: Work::Answer { payment, passed }, ..open.pending });
            }
        }
        answers
    }

    /// The sample of what was acknowledged.
    #[must_use]
    pub fn sample(&self) -> Vec<Record> {
        self.state.lock().sample.records().to_vec()
    }

    /// Shows what was counted and measured by now, with the series but for so many points at the beginning.
    pub fn show(&self, live: &mut Live, now_us: u64, skipped: usize) {
        let state = self.state.lock();
        let (counts, measured) = (&state.counts, &state.measured);
        live.sent = counts.sent_all;
        live.accepted = counts.accepted_all;
        live.completed = counts.ended_all;
        live.errors = counts.errors_all;
        live.open = counts.busy();
        live.late = counts.late;
        live.skipped = counts.skipped;
        (live.accept_ms, live.settle_ms) = measured.latencies();
        live.outcomes = measured.outcomes();
        live.first_error = measured.first_error();
        live.width_s = measured.series.width_s();
        live.skipped_points = skipped;
        live.points = measured.series.points(now_us, skipped);
    }

    /// Fills in what was counted and measured, up to this moment.
    pub fn fill(&self, report: &mut Report, now_us: u64) {
        let state = self.state.lock();
        let counts = state.counts;
        let measured = |open: &&Open| state.measured.holds(&open.pending);
        report.sent = counts.sent;
        report.accepted = counts.accepted;
        report.completed = counts.completed;
        report.errors = counts.errors;
        report.unknown = counts.sent.saturating_sub(counts.accepted + counts.errors);
        report.unsettled = state.open.values().filter(measured).count() as u64;
        report.open = counts.open;
        report.skipped = counts.skipped;
        report.late = counts.late;
        report.substituted = counts.substituted;
        report.challenges = counts.challenges;
        report.reconnects = counts.reconnects;
        report.resent = counts.resent;
        report.accepted_all = counts.accepted_all;
        report.ended_all = counts.ended_all;
        state.measured.fill(report, now_us);
    }
}
