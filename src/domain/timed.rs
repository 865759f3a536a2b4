//! The due rows of a payment: when it needs attention, by which clock. Pure: folded from the payment, so that the rows can be
//! written and audited.

use super::ids::ClockId;
use super::payment::Payment;
use super::time::Timestamp;

/// When a payment needs attention, and whether its clock waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timed {
    /// The next due time by the wall clock.
    pub by_wall: Option<Timestamp>,
    /// The next due time by its own clock, if that is not the wall clock.
    pub by_clock: Option<Timestamp>,
    /// Whether its clock waits for it before advancing: work is in the queue, or waits for a retry.
    pub busy: bool,
}

impl Timed {
    /// The due times of a payment that runs on this clock.
    #[must_use]
    pub fn of(payment: &Payment, clock: ClockId) -> Self {
        if clock.is_wall() {
            return Self { by_wall: payment.due_at(), ..Self::default() };
        }
        let by_wall = payment.due_by_wall();
        let busy = by_wall.is_some() || payment.queued_work().next().is_some();
        Self { by_wall, by_clock: payment.due_by_clock(), busy }
    }

    /// The due times, each with its clock; `clock` is the payment's.
    pub fn rows(self, clock: ClockId) -> impl Iterator<Item = (ClockId, Timestamp)> {
        let by_wall = self.by_wall.map(|at| (ClockId::WALL, at));
        by_wall.into_iter().chain(self.by_clock.map(|at| (clock, at)))
    }

    /// The due time by this clock.
    #[must_use]
    pub fn by(self, clock: ClockId) -> Option<Timestamp> {
        if clock.is_wall() { self.by_wall } else { self.by_clock }
    }
}
