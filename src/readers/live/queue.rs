//! The queue of one subscription: every row in order, or a sample; bounded, and coalesced when its subscriber falls
//! behind.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use crate::domain::ids::PaymentId;

/// Rows kept in order for a subscription that wants all of them.
pub const ALL_ROWS_MAX: usize = 65_536;
/// Bytes that the rows of one subscription may hold. A row is 400 to some thousand bytes, depending on its texts; all who
/// watch a change share its rows.
pub const ROWS_BYTES_MAX: usize = 8 << 20;
/// Bytes of rows taken at once: a few dozen frames may be on their way to a slow subscriber.
pub const TAKEN_BYTES_MAX: usize = 128 << 10;
/// Rows kept in order for a sampled subscription.
const SAMPLED_ROWS_MAX: usize = 1_000;
/// Payments whose latest row is kept once the subscriber has fallen behind.
pub const COALESCED_MAX: usize = 1_000;
const HINTS_MAX: usize = 256;
/// Payments on display; their later rows pass whatever the rate.
const TRACKED_MAX: usize = 1_000;
/// Payments recently at rest that are remembered for hints.
const RESTED_MAX: usize = 32;

/// Something worth showing that is not a fact of the payment's history.
#[derive(Debug, Clone, Copy)]
pub(super) enum Hint {
    /// A worker handed this attempt to the acquirer.
    Processing { attempt: u16 },
    /// Search finds it now, this long after it was created.
    Indexed { indexed_us: u64 },
}

/// What a row means to its subscriber.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Step {
    /// The first row of its payment that this subscriber could see.
    pub(super) first: bool,
    /// The payment has come to rest.
    pub(super) rests: bool,
}

/// What `max_per_second` left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct LeftOut {
    /// All rows.
    pub(super) rows: u64,
    /// Those among them that were the first of their payment.
    pub(super) payments: u64,
}

/// What a subscriber takes at once.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) rows: Vec<Arc<str>>,
    pub(super) skipped: LeftOut,
    pub(super) hints: Vec<(String, Hint)>,
    pub(super) resync: bool,
    pub(super) more: bool,
}

#[derive(Debug)]
pub(super) struct Queue {
    rows: VecDeque<(PaymentId, Arc<str>)>,
    /// Bytes that `rows` hold.
    bytes: usize,
    /// Set while behind: at most one row per payment is in `rows`, at this absolute position.
    positions: Option<HashMap<PaymentId, u64>>,
    /// The absolute position of the front of `rows`.
    front: u64,
    rows_max: usize,
    sampler: Option<Sampler>,
    skipped: LeftOut,
    hints: VecDeque<(String, Hint)>,
    resync: bool,
}

impl Queue {
    pub(super) fn new(max_per_second: u32, now: Instant) -> Self {
        let sampler = (max_per_second > 0).then(|| Sampler::new(max_per_second, now));
        let rows_max = if sampler.is_some() { SAMPLED_ROWS_MAX } else { ALL_ROWS_MAX };
        Self {
            rows: VecDeque::new(),
            bytes: 0,
            positions: None,
            front: 0,
            rows_max,
            sampler,
            skipped: LeftOut::default(),
            hints: VecDeque::new(),
            resync: false,
        }
    }

    pub(super) fn push(&mut self, payment: PaymentId, step: Step, row: &Arc<str>, now: Instant) {
        if let Some(sampler) = &mut self.sampler
            && !sampler.admit(payment, step.rests, now)
        {
            self.skipped.rows += 1;
            self.skipped.payments += u64::from(step.first);
            return;
        }
        let full = self.rows.len() >= self.rows_max || self.bytes + row.len() > ROWS_BYTES_MAX;
        if self.positions.is_none() && full {
            self.coalesce();
        }
        let Some(positions) = &mut self.positions else {
            self.bytes += row.len();
            self.rows.push_back((payment, Arc::clone(row)));
            return;
        };
        let at = positions.get(&payment).and_then(|at| usize::try_from(at.checked_sub(self.front)?).ok());
        if let Some(slot) = at.and_then(|at| self.rows.get_mut(at)) {
            self.bytes = self.bytes - slot.1.len() + row.len();
            slot.1 = Arc::clone(row);
        } else if self.rows.len() < COALESCED_MAX && self.bytes + row.len() <= ROWS_BYTES_MAX {
            positions.insert(payment, self.front + self.rows.len() as u64);
            self.bytes += row.len();
            self.rows.push_back((payment, Arc::clone(row)));
        } else {
            self.give_up();
        }
    }

    /// Keeps the latest row of each payment only.
    fn coalesce(&mut self) {
        let mut latest: HashMap<PaymentId, usize> = HashMap::new();
        for (at, (payment, _)) in self.rows.iter().enumerate() {
            latest.insert(*payment, at);
        }
        let mut at = 0_usize;
        self.rows.retain(|(payment, _)| {
            let keep = latest.get(payment) == Some(&at);
            at += 1;
            keep
        });
        self.bytes = self.rows.iter().map(|(_, row)| row.len()).sum();
        let front = self.front;
        self.positions =
            Some((front..).zip(self.rows.iter()).map(|(at, (payment, _))| (*payment, at)).collect());
        if self.rows.len() > COALESCED_MAX {
            self.give_up();
        }
    }

    /// Too far behind even for coalescing: the subscriber has to read again.
    pub(super) fn give_up(&mut self) {
        self.rows = VecDeque::new();
        self.bytes = 0;
        self.positions = Some(HashMap::new());
        self.resync = true;
    }

    /// Notes that rows were missed before they came here.
    pub(super) const fn miss(&mut self) {
        self.resync = true;
    }

    pub(super) fn hint(&mut self, payment: PaymentId, public_id: &str, hint: Hint) -> bool {
        let shown = self.sampler.as_ref().is_none_or(|sampler| sampler.shows(payment));
        if !shown || self.hints.len() >= HINTS_MAX || self.positions.is_some() {
            return false;
        }
        self.hints.push_back((public_id.to_owned(), hint));
        true
    }

    /// Bytes that its rows hold.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether rows were left out and no row waits that would report them.
    pub(super) fn has_left_out(&self) -> bool {
        self.skipped.rows > 0 && self.rows.is_empty()
    }

    pub(super) fn take_left_out(&mut self) -> LeftOut {
        if self.has_left_out() { std::mem::take(&mut self.skipped) } else { LeftOut::default() }
    }

    pub(super) fn take(&mut self, rows_max: usize) -> Taken {
        let mut bytes = 0;
        let fits = |(_, row): &&(PaymentId, Arc<str>)| {
            let first = bytes == 0;
            bytes += row.len();
            first || bytes <= TAKEN_BYTES_MAX
        };
        let count = self.rows.iter().take(rows_max).take_while(fits).count();
        let rows: Vec<Arc<str>> = self.rows.drain(..count).map(|(_, row)| row).collect();
        self.bytes -= rows.iter().map(|row| row.len()).sum::<usize>();
        self.front += count as u64;
        let skipped = if rows.is_empty() { LeftOut::default() } else { std::mem::take(&mut self.skipped) };
        let more = !self.rows.is_empty();
        if !more {
            // The subscriber has caught up.
            self.positions = None;
        }
        // Hints wait for rows that are not sent yet; they may be late, never early by much.
        let hints = if more { Vec::new() } else { self.hints.drain(..).collect() };
        Taken { rows, skipped, hints, resync: !more && std::mem::take(&mut self.resync), more }
    }
}

/// Admits payments at a rate. An admitted payment stays admitted until it rests, so that what is shown comes to its end;
/// its rows use up the allowance of later ones.
#[derive(Debug)]
struct Sampler {
    per_second: f64,
    allowance: f64,
    refilled_at: Instant,
    tracked: HashSet<PaymentId>,
    /// Admitted payments that came to rest recently: hints about them are still worth showing.
    rested: VecDeque<PaymentId>,
}

impl Sampler {
    fn shows(&self, payment: PaymentId) -> bool {
        self.tracked.contains(&payment) || self.rested.contains(&payment)
    }

    fn new(max_per_second: u32, now: Instant) -> Self {
        let per_second = f64::from(max_per_second);
        Self {
            per_second,
            allowance: per_second,
            refilled_at: now,
            tracked: HashSet::new(),
            rested: VecDeque::new(),
        }
    }

    fn admit(&mut self, payment: PaymentId, rests: bool, now: Instant) -> bool {
        let elapsed_s = now.saturating_duration_since(self.refilled_at).as_secs_f64();
        self.refilled_at = now;
        self.allowance = (self.allowance + elapsed_s * self.per_second).min(self.per_second);
        let tracked = self.tracked.contains(&payment);
        if !tracked && self.allowance < 1.0 {
            return false;
        }
        self.allowance -= 1.0;
        if rests {
            self.tracked.remove(&payment);
            self.rested.truncate(RESTED_MAX - 1);
            self.rested.push_front(payment);
        } else if self.tracked.len() < TRACKED_MAX {
            self.tracked.insert(payment);
        }
        true
    }
}
