//! What follows from what the server says: acknowledgements, refusals, rows.

use std::cmp::Reverse;

use super::{Open, Seen, State};
use crate::domain::ids::PaymentId;
use crate::domain::status::Status;
use crate::load::sample::Record;
use crate::load::series::Happened;
use crate::load::work::{Charged, Pending, Work};

/// Charges kept to be refunded.
const REFUNDABLE_MAX: usize = 65_536;
/// Updates kept that came before their acknowledgement.
const EARLY_MAX: usize = 65_536;

/// The tracker while one frame is applied.
pub struct Applying<'a> {
    pub(super) state: &'a mut State,
    pub(super) now_us: u64,
}

impl Applying<'_> {
    /// The server acknowledged this, as it was seen then, if it said so. `line` is the id as the server wrote it.
    pub fn acknowledged(&mut self, pending: &Pending, payment: PaymentId, line: &str, seen: Option<Seen>) {
        let (now_us, state) = (self.now_us, &mut *self.state);
        let (refund, from_version) = match pending.work {
            // Asked for, then answered: two events. It is reported by its payment, so it is tracked under that id.
            Work::Refund(charged) => (line.parse().ok(), charged.version.saturating_add(2)),
            _ => (None, 1),
        };
        let line = if pending.work.makes_payment() { line.to_owned() } else { payment.to_string() };
        state.acks.note(&line, pending, None);
        let pending = Pending { refund, ..*pending };
        state.counts.unanswered = state.counts.unanswered.saturating_sub(1);
        state.counts.accepted_all += 1;
        let accept_us = now_us.saturating_sub(pending.intended_us);
        state.measured.series.note(now_us, Happened::Accepted(accept_us));
        if state.measured.holds(&pending) {
            state.counts.accepted += 1;
            state.counts.accepted_within += u64::from(now_us < state.measured.window.end);
            state.measured.accepted(&pending, accept_us);
        }
        let place = state.sample.offer(Record { payment, pending, outcome: None });
        state.open.insert(payment, Open { pending, from_version, thought_us: None, thinking: false, place });
        state.counts.open = state.open.len() as u64;
        let early = state.early.remove(&payment);
        if let Some(seen) = seen {
            self.row(payment, seen);
        }
        if let Some((seen, at_us)) = early {
            let now_us = std::mem::replace(&mut self.now_us, at_us.max(pending.intended_us));
            self.row(payment, seen);
            self.now_us = now_us;
        }
    }

    /// The server refused this.
    pub fn refused(&mut self, pending: &Pending, code: &str, message: &str) {
        let state = &mut *self.state;
        state.counts.unanswered = state.counts.unanswered.saturating_sub(1);
        state.counts.errors_all += 1;
        state.counts.errors += u64::from(state.measured.holds(pending));
        state.measured.series.note(self.now_us, Happened::Refused);
        state.measured.refused(pending, code, message);
    }

    /// The server refused a cardholder's answer: its payment stays where it is.
    pub fn answer_refused(&mut self, pending: &Pending, payment: PaymentId, code: &str, message: &str) {
        self.state.measured.refused(pending, code, message);
        if let Some(open) = self.state.open.remove(&payment) {
            self.state.settled(payment, open, &Seen::bare(Status::RequiresAction), self.now_us);
        }
    }

    /// This was seen of a payment.
    pub fn row(&mut self, payment: PaymentId, seen: Seen) {
        let state = &mut *self.state;
        let Some(open) = state.open.get_mut(&payment) else {
            // Its acknowledgement may still be on its way.
            if seen.status.is_at_rest() {
                if state.early.len() >= EARLY_MAX {
                    state.early.clear();
                }
                state.early.insert(payment, (seen, self.now_us));
            }
            return;
        };
        if !seen.status.is_at_rest() || seen.version < open.from_version {
            return;
        }
        if seen.status == Status::RequiresAction && open.pending.work == Work::Charge {
            if open.thought_us.is_none() {
                let thought_us = state.cardholders.think_us(open.pending.index);
                (open.thought_us, open.thinking) = (Some(thought_us), true);
                state.challenges.push(Reverse((self.now_us.saturating_add(thought_us), payment)));
                state.counts.challenges += u64::from(state.measured.holds(&open.pending));
            }
            return;
        }
        let open = *open;
        state.open.remove(&payment);
        let is_exact = seen.status != Status::Declined || seen.is_exact();
        if is_exact && open.pending.work.makes_payment() {
            state.acks.note(&payment.to_string(), &open.pending, Some(seen.status));
        }
        state.settled(payment, open, &seen, self.now_us);
    }
}

impl State {
    /// Notes how much is unanswered or open.
    pub(super) fn note_in_flight(&mut self, now_us: u64) {
        let busy = self.counts.busy();
        if now_us < self.measured.window.start {
            self.counts.open_at_start = busy;
        }
        self.measured.series.in_flight(now_us, busy);
    }

    fn settled(&mut self, payment: PaymentId, open: Open, seen: &Seen, now_us: u64) {
        let Open { pending, thought_us, place, .. } = open;
        self.counts.open = self.open.len() as u64;
        self.counts.ended_all += 1;
        self.counts.last_settled_us = now_us;
        self.counts.completed_within += u64::from(self.measured.window.contains(&now_us));
        // What a cardholder takes is no latency of the server's.
        let settle_us = now_us.saturating_sub(pending.intended_us).saturating_sub(thought_us.unwrap_or(0));
        self.measured.series.note(now_us, Happened::Completed(settle_us, seen.status));
        if self.measured.holds(&pending) {
            self.counts.completed += 1;
            self.measured.settled(&pending, seen, settle_us, thought_us.is_some());
        }
        if let Some(place) = place {
            self.sample.ended(place, pending.index, seen.status);
        }
        if pending.work == Work::Charge
            && seen.status == Status::Succeeded
            && self.refundable.len() < REFUNDABLE_MAX
        {
            let Pending { account, amount_minor, currency, .. } = pending;
            let version = seen.version;
            self.refundable.push_back(Charged { payment, account, version, amount_minor, currency });
        }
    }
}
