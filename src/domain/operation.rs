//! An operation: one thing asked of the acquirer for a payment, attempt by attempt, until there is a final answer.

use super::event::TechnicalError;
use super::ids::RefundId;
use super::time::Timestamp;

/// What an operation asks the acquirer for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OperationKind {
    /// Take (or, with manual capture, hold) the amount.
    Authorize,
    /// Take some or all of what is held.
    Capture {
        /// How much.
        amount_minor: i64,
    },
    /// Release what is held.
    Void,
    /// Give some or all back.
    Refund {
        /// Which refund.
        refund: RefundId,
        /// How much.
        amount_minor: i64,
    },
}

impl OperationKind {
    /// The name used in draws and reports.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Authorize => "authorize",
            Self::Capture { .. } => "capture",
            Self::Void => "void",
            Self::Refund { .. } => "refund",
        }
    }

    /// What it is called on pages.
    #[must_use]
    pub const fn words(&self) -> &'static str {
        match self {
            Self::Authorize => "authorisation",
            Self::Capture { .. } => "capture",
            Self::Void => "release",
            Self::Refund { .. } => "refund",
        }
    }
}

/// Where an open operation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// In the work queue, or on its way there or back.
    Queued,
    /// Waits for its next attempt.
    Waiting {
        /// When that is, by the wall: a clock that stands still would never try again.
        due_at: Timestamp,
    },
    /// Accepted outside, settles later.
    Pending {
        /// When that is, by the clock of the payment.
        settles_at: Timestamp,
    },
    /// Its retries are spent.
    Parked {
        /// What broke last.
        cause: TechnicalError,
    },
}

/// An operation that has no final answer yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Operation {
    /// Counts the payment's operations from 1.
    pub number: u16,
    /// What is asked.
    pub kind: OperationKind,
    /// The attempt under way, counted from 1 and never reset.
    pub attempt: u16,
    /// The attempt from which retries are counted: 1, or the first after a replay.
    pub first_attempt: u16,
    /// Where it stands.
    pub phase: Phase,
    /// When the attempt under way came into the queue, by the wall: what waits there is real.
    pub queued_at: Timestamp,
}

impl Operation {
    pub(super) const fn new(number: u16, kind: OperationKind, wall: Timestamp) -> Self {
        Self { number, kind, attempt: 1, first_attempt: 1, phase: Phase::Queued, queued_at: wall }
    }

    /// How many retries were used since the start or the last replay.
    #[must_use]
    pub const fn retries_used(&self) -> u16 {
        self.attempt.saturating_sub(self.first_attempt)
    }

    /// When someone must look at it, if it waits for a time, be it the wall's or its payment's.
    #[must_use]
    pub const fn due_at(&self) -> Option<Timestamp> {
        match self.phase {
            Phase::Waiting { due_at } => Some(due_at),
            Phase::Pending { settles_at } => Some(settles_at),
            Phase::Queued | Phase::Parked { .. } => None,
        }
    }

    /// When it is tried again by the wall, if it waits for that.
    #[must_use]
    pub const fn retry_at(&self) -> Option<Timestamp> {
        match self.phase {
            Phase::Waiting { due_at } => Some(due_at),
            Phase::Pending { .. } | Phase::Queued | Phase::Parked { .. } => None,
        }
    }

    /// When it settles by the payment's clock, if it waits for that.
    #[must_use]
    pub const fn settles_at(&self) -> Option<Timestamp> {
        match self.phase {
            Phase::Pending { settles_at } => Some(settles_at),
            Phase::Waiting { .. } | Phase::Queued | Phase::Parked { .. } => None,
        }
    }

    pub(super) fn wait(&mut self, due_at: Timestamp) {
        self.phase = Phase::Waiting { due_at };
    }

    pub(super) fn next_attempt(&mut self, wall: Timestamp) {
        self.attempt = self.attempt.saturating_add(1);
        self.phase = Phase::Queued;
        self.queued_at = wall;
    }

    pub(super) fn replay(&mut self, wall: Timestamp) {
        self.next_attempt(wall);
        self.first_attempt = self.attempt;
    }
}
