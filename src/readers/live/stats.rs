//! Counters of what happened to payments, in total and by quarter of a second.

use std::collections::VecDeque;

use parking_lot::Mutex;
use serde::Serialize;

use crate::domain::event::Event;
use crate::domain::time::Timestamp;

const SLOT_US: i64 = 250_000;
const SLOTS_PER_SECOND: i64 = 4;
/// Five minutes of history.
const SLOTS_MAX: usize = 1_200;

/// Payments counted by what happened to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Counts {
    /// Payments admitted.
    pub accepted: u64,
    /// Payments that succeeded.
    pub succeeded: u64,
    /// Payments the issuer, bank or wallet declined.
    pub declined: u64,
    /// Payments that failed technically and have no retries left.
    pub failed: u64,
    /// Payments canceled or voided.
    pub canceled: u64,
    /// Refunds that arrived.
    pub refunded: u64,
}

impl Counts {
    fn note(&mut self, event: &Event) {
        match event {
            Event::Created { .. } => self.accepted += 1,
            Event::Succeeded { .. } | Event::Captured { .. } => self.succeeded += 1,
            Event::Declined { .. } => self.declined += 1,
            Event::Failed { .. } => self.failed += 1,
            Event::Canceled { .. } | Event::Voided { .. } => self.canceled += 1,
            Event::RefundSucceeded { .. } => self.refunded += 1,
            Event::Confirmed { .. }
            | Event::Started { .. }
            | Event::ActionRequired { .. }
            | Event::ActionCompleted { .. }
            | Event::Authorized { .. }
            | Event::Pending { .. }
            | Event::RetryScheduled { .. }
            | Event::Requeued { .. }
            | Event::Replayed { .. }
            | Event::CancelRequested { .. }
            | Event::CaptureQueued { .. }
            | Event::CaptureDeclined { .. }
            | Event::VoidQueued { .. }
            | Event::Available {}
            | Event::RefundQueued { .. }
            | Event::RefundFailed { .. }
            | Event::OperationRetryScheduled { .. }
            | Event::OperationRequeued { .. }
            | Event::OperationParked { .. }
            | Event::OperationReplayed { .. }
            | Event::Amended { .. }
            | Event::RefundPending { .. }
            | Event::Foreseen { .. }
            | Event::DisputeOpened { .. }
            | Event::DisputeNoted { .. }
            | Event::DisputeEscalated { .. }
            | Event::DisputeClosed { .. }
            | Event::FraudWarned { .. } => {}
        }
    }

    const fn add(&mut self, other: &Self) {
        self.accepted += other.accepted;
        self.succeeded += other.succeeded;
        self.declined += other.declined;
        self.failed += other.failed;
        self.canceled += other.canceled;
        self.refunded += other.refunded;
    }
}

/// The counters at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct StatsNow {
    /// Since this process started following the journal.
    pub total: Counts,
    /// In the last second.
    pub per_second: Counts,
}

#[derive(Debug, Default)]
struct Inner {
    total: Counts,
    slots: VecDeque<(i64, Counts)>,
}

/// Counts in total and by quarter of a second.
#[derive(Debug, Default)]
pub struct Stats {
    inner: Mutex<Inner>,
}

impl Stats {
    /// Counts the events of a batch decided at `at`.
    pub fn note<'a>(&self, at: Timestamp, events: impl Iterator<Item = &'a Event>) {
        let mut counts = Counts::default();
        events.for_each(|event| counts.note(event));
        if counts == Counts::default() {
            return;
        }
        let slot = at.micros().div_euclid(SLOT_US);
        let mut inner = self.inner.lock();
        inner.total.add(&counts);
        match inner.slots.back_mut() {
            // A clock that steps back counts into the slot that is open.
            Some((last, sum)) if *last >= slot => sum.add(&counts),
            _ => inner.slots.push_back((slot, counts)),
        }
        if inner.slots.len() > SLOTS_MAX {
            inner.slots.pop_front();
        }
    }

    /// Totals, and what the last whole second brought.
    #[must_use]
    pub fn now(&self, now: Timestamp) -> StatsNow {
        let open = now.micros().div_euclid(SLOT_US);
        let inner = self.inner.lock();
        let mut per_second = Counts::default();
        let recent = inner.slots.iter().rev().take_while(|(slot, _)| *slot >= open - SLOTS_PER_SECOND);
        recent.filter(|(slot, _)| *slot < open).for_each(|(_, counts)| per_second.add(counts));
        StatsNow { total: inner.total, per_second }
    }

    /// The last five minutes by second (seconds since the epoch), oldest first; seconds without events are left out.
    #[must_use]
    pub fn by_second(&self) -> Vec<(i64, Counts)> {
        let inner = self.inner.lock();
        let mut seconds: Vec<(i64, Counts)> = Vec::new();
        for (slot, counts) in &inner.slots {
            let second = slot.div_euclid(SLOTS_PER_SECOND);
            match seconds.last_mut() {
                Some((last, sum)) if *last == second => sum.add(counts),
                _ => seconds.push((second, *counts)),
            }
        }
        seconds
    }
}
