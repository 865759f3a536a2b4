//! Operations: one request to the acquirer for a payment, attempt by attempt, until there is a final answer.

use super::event::{Recorded, TechnicalError};
use super::ids::RefundId;
use super::listed::listed;
use super::scenario_revision::ScenarioRevision;
use super::time::Timestamp;

/// The request that an operation makes to the acquirer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OperationKind {
    /// Take (or, with manual capture, hold) the amount.
    Authorization,
    /// A capture, void or refund of an amount authorized before.
    FollowUp(FollowUp),
}

/// An operation that follows an authorization.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FollowUp {
    /// Take some or all of what is held.
    Capture {
        /// In minor units.
        amount_minor: i64,
    },
    /// Release what is held.
    Void,
    /// Give some or all back.
    Refund {
        /// The refund it makes.
        refund: RefundId,
        /// In minor units.
        amount_minor: i64,
    },
}

listed! {
    /// An operation by name: in draws, scenarios and reports.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum OperationName {
        /// Take or hold the amount.
        Authorize,
        /// Take some or all of what is held.
        Capture,
        /// Release what is held.
        Void,
        /// Give some or all back.
        Refund,
    }
}

impl OperationName {
    /// The name in letters. Never changed: draws depend on it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Authorize => "authorize",
            Self::Capture => "capture",
            Self::Void => "void",
            Self::Refund => "refund",
        }
    }
}

impl OperationKind {
    /// Its name.
    #[must_use]
    pub const fn name(&self) -> OperationName {
        match self {
            Self::Authorization => OperationName::Authorize,
            Self::FollowUp(follow_up) => follow_up.name(),
        }
    }

    /// Its name on pages.
    #[must_use]
    pub const fn words(&self) -> &'static str {
        match self {
            Self::Authorization => "authorisation",
            Self::FollowUp(FollowUp::Capture { .. }) => "capture",
            Self::FollowUp(FollowUp::Void) => "release",
            Self::FollowUp(FollowUp::Refund { .. }) => "refund",
        }
    }

    /// The follow-up; `None` for an authorization.
    #[must_use]
    pub const fn follow_up(&self) -> Option<FollowUp> {
        match self {
            Self::Authorization => None,
            Self::FollowUp(follow_up) => Some(*follow_up),
        }
    }
}

impl FollowUp {
    /// Its name.
    #[must_use]
    pub const fn name(&self) -> OperationName {
        match self {
            Self::Capture { .. } => OperationName::Capture,
            Self::Void => OperationName::Void,
            Self::Refund { .. } => OperationName::Refund,
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
        /// When that is, by the wall clock: a clock that stands still would never retry.
        due_at: Timestamp,
    },
    /// Accepted outside; settles later.
    Pending {
        /// When that is, by the payment's clock.
        settles_at: Timestamp,
    },
    /// Its retries are spent.
    Parked {
        /// How the last attempt failed.
        cause: TechnicalError,
    },
}

/// An operation that has no final answer yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Operation {
    /// Counts the payment's operations from 1.
    pub number: u16,
    /// What it asks for.
    pub kind: OperationKind,
    /// The attempt under way, counted from 1 and never reset.
    pub attempt: u16,
    /// The attempt from which retries are counted: 1, or the first after a replay.
    pub first_attempt: u16,
    /// Where it stands.
    pub phase: Phase,
    /// When the attempt under way entered the queue, by the wall clock: queueing takes real time.
    pub queued_at: Timestamp,
    /// The scenario that answers the attempt under way: the one in force when it entered the queue.
    pub scenario: Option<ScenarioRevision>,
}

impl Operation {
    pub(super) const fn new(number: u16, kind: OperationKind, by: &Recorded) -> Self {
        let (queued_at, scenario) = (by.wall, by.scenario);
        Self { number, kind, attempt: 1, first_attempt: 1, phase: Phase::Queued, queued_at, scenario }
    }

    /// How many retries were used since the start or the last replay.
    #[must_use]
    pub const fn retries_used(&self) -> u16 {
        self.attempt.saturating_sub(self.first_attempt)
    }

    /// When it needs attention, by whichever clock it waits for; `None` if it waits for none.
    #[must_use]
    pub const fn due_at(&self) -> Option<Timestamp> {
        match self.phase {
            Phase::Waiting { due_at } => Some(due_at),
            Phase::Pending { settles_at } => Some(settles_at),
            Phase::Queued | Phase::Parked { .. } => None,
        }
    }

    /// When it is retried, by the wall clock; `None` unless it waits for that.
    #[must_use]
    pub const fn retry_at(&self) -> Option<Timestamp> {
        match self.phase {
            Phase::Waiting { due_at } => Some(due_at),
            Phase::Pending { .. } | Phase::Queued | Phase::Parked { .. } => None,
        }
    }

    /// When it settles, by the payment's clock; `None` unless it waits for that.
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

    pub(super) fn next_attempt(&mut self, by: &Recorded) {
        self.attempt = self.attempt.saturating_add(1);
        self.phase = Phase::Queued;
        self.queued_at = by.wall;
        self.scenario = by.scenario;
    }

    pub(super) fn replay(&mut self, by: &Recorded) {
        self.next_attempt(by);
        self.first_attempt = self.attempt;
    }
}
