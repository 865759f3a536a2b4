//! Tracks each piece of work: sent, acknowledged, settled. Shared by the connections; locked per frame.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::ops::Range;

use hdrhistogram::Histogram;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::plan::{CURRENCY, Work};
use super::report::{Latencies, Report};
use crate::domain::ids::{PaymentId, RefundId};
use crate::domain::status::Status;

/// Charges kept to be refunded.
const REFUNDABLE_MAX: usize = 65_536;
/// Updates kept that came before their acknowledgement.
const EARLY_MAX: usize = 65_536;
/// How much later than intended counts as late, in microseconds.
const LATE_US: u64 = 10_000;
/// The longest latency distinguished, in microseconds: an hour.
const LATENCY_MAX_US: u64 = 3_600_000_000;

/// A piece of work on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pending {
    /// Its index in the plan.
    pub index: u64,
    /// Its intended start, in microseconds since the start of the run.
    pub intended_us: u64,
    /// What it is.
    pub work: Work,
    /// The account it acts for, as an index.
    pub account: u32,
    /// How much, in minor units.
    pub amount_minor: u64,
    /// The id that the server gave a refund, if it said so.
    pub refund: Option<RefundId>,
}

/// Acknowledged, and not yet seen at rest.
#[derive(Debug, Clone, Copy)]
struct Open {
    pending: Pending,
    /// Rows below this version say nothing about it.
    from_version: u32,
}

#[derive(Debug, Clone, Copy)]
struct Early {
    status: Status,
    version: u32,
    at_us: u64,
}

/// Shared counters of one run.
pub struct Tracker {
    state: Mutex<State>,
    progress: watch::Sender<u64>,
}

struct State {
    window: Range<u64>,
    open: HashMap<PaymentId, Open>,
    early: HashMap<PaymentId, Early>,
    refundable: VecDeque<Work>,
    accept: Histogram<u64>,
    settle: Histogram<u64>,
    acks: Option<File>,
    ack_lines: String,
    ack_failed: Option<std::io::Error>,
    counts: Counts,
    outcomes: BTreeMap<&'static str, u64>,
    kinds: BTreeMap<&'static str, u64>,
    errors: BTreeMap<String, u64>,
    first_error: Option<String>,
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
    /// Refused.
    pub errors: u64,
    /// Sent late.
    pub late: u64,
    /// Refunds replaced by charges.
    pub substituted: u64,
    /// Never sent.
    pub skipped: u64,
    /// Sent, warm-up included, and neither acknowledged nor refused.
    pub unanswered: u64,
    /// Acknowledged, warm-up and end included, and not yet at rest.
    pub open: u64,
    /// Everything at rest or refused, warm-up included.
    pub finished_all: u64,
    /// Lost connections, over the whole run.
    pub reconnects: u64,
    /// Sent again, over the whole run.
    pub resent: u64,
    /// When the last piece came to rest, in microseconds since the start.
    pub last_settled_us: u64,
}

impl Tracker {
    /// A tracker that measures what is intended to start within `window` (microseconds since the start).
    ///
    /// # Errors
    /// If a histogram cannot be made, which fixed bounds rule out.
    pub fn new(window: Range<u64>, acks: Option<File>) -> anyhow::Result<Self> {
        let histogram = || Histogram::new_with_bounds(1, LATENCY_MAX_US, 3);
        let state = State {
            window,
            open: HashMap::new(),
            early: HashMap::new(),
            refundable: VecDeque::new(),
            accept: histogram()?,
            settle: histogram()?,
            acks,
            ack_lines: String::new(),
            ack_failed: None,
            counts: Counts::default(),
            outcomes: BTreeMap::new(),
            kinds: BTreeMap::new(),
            errors: BTreeMap::new(),
            first_error: None,
        };
        Ok(Self { state: Mutex::new(state), progress: watch::Sender::new(0) })
    }

    /// Changes whenever something was acknowledged, refused or settled.
    #[must_use]
    pub fn progress(&self) -> watch::Receiver<u64> {
        self.progress.subscribe()
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

    /// Takes the error that writing the acknowledgement file met, if any.
    #[must_use]
    pub fn ack_failure(&self) -> Option<std::io::Error> {
        self.state.lock().ack_failed.take()
    }

    /// The first rejection in words.
    #[must_use]
    pub fn first_error(&self) -> Option<String> {
        self.state.lock().first_error.clone()
    }

    /// Takes a charge to refund.
    #[must_use]
    pub fn take_refundable(&self) -> Option<Work> {
        self.state.lock().refundable.pop_front()
    }

    /// Notes work that is sent for the first time.
    pub fn sent(&self, batch: &[Pending], now_us: u64) {
        let mut state = self.state.lock();
        for pending in batch {
            state.counts.unanswered += 1;
            if state.window.contains(&pending.intended_us) {
                state.counts.sent += 1;
                state.counts.late += u64::from(now_us.saturating_sub(pending.intended_us) > LATE_US);
            }
        }
    }

    /// Applies what one frame said, under one lock.
    pub fn apply(&self, now_us: u64, read: impl FnOnce(&mut Applying<'_>)) {
        let mut state = self.state.lock();
        read(&mut Applying { state: &mut state, now_us });
        state.write_acks();
        drop(state);
        self.progress.send_modify(|version| *version = version.wrapping_add(1));
    }

    /// Everything acknowledged and not yet seen at rest.
    #[must_use]
    pub fn open_work(&self) -> Vec<(PaymentId, Pending)> {
        self.state.lock().open.iter().map(|(payment, open)| (*payment, open.pending)).collect()
    }

    /// Fills in what was counted and measured.
    pub fn fill(&self, report: &mut Report) {
        let state = self.state.lock();
        let counts = state.counts;
        let measured = |open: &&Open| state.window.contains(&open.pending.intended_us);
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
        report.reconnects = counts.reconnects;
        report.resent = counts.resent;
        report.accept_ms = Latencies::of(&state.accept);
        report.settle_ms = Latencies::of(&state.settle);
        let owned = |map: &BTreeMap<&'static str, u64>| {
            map.iter().map(|(key, count)| ((*key).to_owned(), *count)).collect()
        };
        report.kinds = owned(&state.kinds);
        report.outcomes = owned(&state.outcomes);
        report.errors_by_code = state.errors.clone();
    }
}

/// The tracker while one frame is applied.
pub struct Applying<'a> {
    state: &'a mut State,
    now_us: u64,
}

impl Applying<'_> {
    /// The server acknowledged this, with the status it had then, if it said so. `line` is the id as the server wrote it.
    pub fn acknowledged(
        &mut self,
        pending: &Pending,
        payment: PaymentId,
        line: &str,
        row: Option<(Status, u32)>,
    ) {
        let (now_us, state) = (self.now_us, &mut *self.state);
        let (is_refund, from_version) = match pending.work {
            // Asked for, then answered: two events.
            Work::Refund { version, .. } => (true, version.saturating_add(2)),
            Work::TopUp | Work::Charge | Work::Transfer => (false, 1),
        };
        // A refund is reported by its payment, so it is tracked under that id.
        let refund = if is_refund { line.parse().ok() } else { None };
        let line = if is_refund { payment.to_string() } else { line.to_owned() };
        state.ack_line(&line, pending, None);
        let pending = &Pending { refund, ..*pending };
        state.counts.unanswered = state.counts.unanswered.saturating_sub(1);
        if state.window.contains(&pending.intended_us) {
            state.counts.accepted += 1;
            state.counts.accepted_within += u64::from(now_us < state.window.end);
            *state.kinds.entry(pending.work.name()).or_default() += 1;
            state.accept.saturating_record(now_us.saturating_sub(pending.intended_us).max(1));
        }
        state.open.insert(payment, Open { pending: *pending, from_version });
        state.counts.open = state.open.len() as u64;
        let early = state.early.remove(&payment);
        if let Some((status, version)) = row {
            self.row(payment, status, version);
        }
        if let Some(Early { status, version, at_us }) = early {
            let now_us = std::mem::replace(&mut self.now_us, at_us.max(pending.intended_us));
            self.row(payment, status, version);
            self.now_us = now_us;
        }
    }

    /// The server refused this.
    pub fn refused(&mut self, pending: &Pending, code: &str, message: &str) {
        let state = &mut *self.state;
        state.counts.unanswered = state.counts.unanswered.saturating_sub(1);
        state.counts.finished_all += 1;
        if state.window.contains(&pending.intended_us) {
            state.counts.errors += 1;
        }
        *state.errors.entry(code.to_owned()).or_default() += 1;
        let named = || format!("{} {}: {code}: {message}", pending.work.name(), pending.index);
        state.first_error.get_or_insert_with(named);
    }

    /// A payment has this status at this version.
    pub fn row(&mut self, payment: PaymentId, status: Status, version: u32) {
        let state = &mut *self.state;
        let Some(open) = state.open.get(&payment).copied() else {
            // Its acknowledgement may still be on its way.
            if status.is_at_rest() {
                if state.early.len() >= EARLY_MAX {
                    state.early.clear();
                }
                state.early.insert(payment, Early { status, version, at_us: self.now_us });
            }
            return;
        };
        if !status.is_at_rest() || version < open.from_version {
            return;
        }
        state.open.remove(&payment);
        // Over HTTP, the dialect has one word for declined and failed payments.
        let is_exact = status != Status::Declined || version != u32::MAX;
        if is_exact && !matches!(open.pending.work, Work::Refund { .. }) {
            state.ack_line(&payment.to_string(), &open.pending, Some(status));
        }
        state.settled(payment, open.pending, status, version, self.now_us);
    }
}

impl State {
    fn settled(&mut self, payment: PaymentId, pending: Pending, status: Status, version: u32, now_us: u64) {
        self.counts.open = self.open.len() as u64;
        self.counts.finished_all += 1;
        self.counts.last_settled_us = now_us;
        self.counts.completed_within += u64::from(self.window.contains(&now_us));
        if self.window.contains(&pending.intended_us) {
            self.counts.completed += 1;
            *self.outcomes.entry(status.as_str()).or_default() += 1;
            self.settle.saturating_record(now_us.saturating_sub(pending.intended_us).max(1));
        }
        if pending.work == Work::Charge
            && status == Status::Succeeded
            && self.refundable.len() < REFUNDABLE_MAX
        {
            let Pending { account, amount_minor, .. } = pending;
            self.refundable.push_back(Work::Refund { payment, account, version, amount_minor });
        }
    }

    /// Writes the line of an acknowledgement, and another with the outcome when that is known.
    fn ack_line(&mut self, id: &str, pending: &Pending, outcome: Option<Status>) {
        if self.acks.is_none() {
            return;
        }
        let (kind, amount_minor) = (pending.work.name(), pending.amount_minor);
        // Writing to a string cannot fail.
        let _ = write!(self.ack_lines, "{id} {kind} {amount_minor} {CURRENCY}");
        if let Some(outcome) = outcome {
            let _ = write!(self.ack_lines, " {}", outcome.as_str());
        }
        self.ack_lines.push('\n');
    }

    /// One write per frame, into the system's cache: what was acknowledged survives this process and the server's.
    fn write_acks(&mut self) {
        if let Some(file) = self.acks.as_mut()
            && !self.ack_lines.is_empty()
            && self.ack_failed.is_none()
        {
            self.ack_failed = file.write_all(self.ack_lines.as_bytes()).err();
        }
        self.ack_lines.clear();
    }
}
