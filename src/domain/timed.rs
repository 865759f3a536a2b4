//! What of a payment stands in the rows by which time finds it. Pure: folded from the payment, so that the rows can be written,
//! and proven.

use super::ids::ClockId;
use super::payment::Payment;
use super::time::Timestamp;

/// When a payment has to be looked at, and whether its clock waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timed {
    /// What is due by the wall.
    pub by_wall: Option<Timestamp>,
    /// What is due by its clock, if that is another.
    pub by_clock: Option<Timestamp>,
    /// Whether its clock waits for it before it goes on: its work is in the queue, or is tried again.
    pub busy: bool,
}

impl Timed {
    /// Of a payment that goes by this clock.
    #[must_use]
    pub fn of(payment: &Payment, clock: ClockId) -> Self {
        if clock.is_wall() {
            return Self { by_wall: payment.due_at(), ..Self::default() };
        }
        let by_wall = payment.due_by_wall();
        let busy = by_wall.is_some() || payment.queued_work().next().is_some();
        Self { by_wall, by_clock: payment.due_by_clock(), busy }
    }

    /// The times, each with its clock; `clock` is the payment's.
    pub fn rows(self, clock: ClockId) -> impl Iterator<Item = (ClockId, Timestamp)> {
        let by_wall = self.by_wall.map(|at| (ClockId::WALL, at));
        by_wall.into_iter().chain(self.by_clock.map(|at| (clock, at)))
    }

    /// The time by this clock.
    #[must_use]
    pub fn by(self, clock: ClockId) -> Option<Timestamp> {
        if clock.is_wall() { self.by_wall } else { self.by_clock }
    }
}
