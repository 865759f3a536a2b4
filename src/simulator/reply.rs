//! Replies: what an acquirer answers to an attempt, and when.

use crate::domain::aftermath::Aftermath;
use crate::domain::command::{AuthorizationResponse, FollowUpResponse};
use crate::domain::event::TechnicalError;

/// An acquirer's answer and its latency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reply<R> {
    /// How long the answer takes, in microseconds. The caller waits; nothing here does.
    pub latency_us: u64,
    /// The outcome of the attempt.
    pub response: R,
    /// What comes after the answer although nobody waits for it: it must change nothing.
    pub stray: Option<Stray<R>>,
}

/// An answer that is late, or comes a second time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stray<R> {
    /// How long after the answer it comes, in microseconds.
    pub after_us: u64,
    /// What it says.
    pub response: R,
}

impl<R> Reply<R> {
    /// An answer that nothing comes after.
    pub const fn once(latency_us: u64, response: R) -> Self {
        Self { latency_us, response, stray: None }
    }

    /// The same, that much later.
    #[must_use]
    pub fn later(self, us: u64) -> Self {
        Self { latency_us: self.latency_us.saturating_add(us), ..self }
    }

    /// The next answer, asked for when this one has come. What strays after this one does not come before the next, and only the last
    /// stray of all counts.
    #[must_use]
    pub fn followed_by(self, next: Self) -> Self {
        let stray = self
            .stray
            .map(|stray| Stray { after_us: stray.after_us.saturating_sub(next.latency_us), ..stray });
        Self {
            latency_us: self.latency_us.saturating_add(next.latency_us),
            response: next.response,
            stray: next.stray.or(stray),
        }
    }
}

impl<R: Response> Reply<R> {
    /// The same, with this following it if it is an approval.
    #[must_use]
    pub fn then(self, aftermath: Aftermath) -> Self {
        let stray = self.stray.map(|stray| Stray { response: stray.response.then(aftermath), ..stray });
        Self { response: self.response.then(aftermath), stray, ..self }
    }
}

/// A response to any operation, as far as technical failures and what follows approvals go.
pub trait Response: Copy {
    /// No usable answer.
    fn failed(cause: TechnicalError) -> Self;

    /// How it failed technically, if it did.
    fn failure(self) -> Option<TechnicalError>;

    /// The same, with this following it if it is an approval.
    #[must_use]
    fn then(self, aftermath: Aftermath) -> Self;
}

impl Response for AuthorizationResponse {
    fn failed(cause: TechnicalError) -> Self {
        Self::TechnicalFailure(cause)
    }

    fn failure(self) -> Option<TechnicalError> {
        match self {
            Self::TechnicalFailure(cause) => Some(cause),
            Self::Approved
            | Self::ApprovedThen(_)
            | Self::Declined(_)
            | Self::ActionRequired
            | Self::Pending { .. } => None,
        }
    }

    fn then(self, aftermath: Aftermath) -> Self {
        if self == Self::Approved { Self::ApprovedThen(aftermath) } else { self }
    }
}

impl Response for FollowUpResponse {
    fn failed(cause: TechnicalError) -> Self {
        Self::TechnicalFailure(cause)
    }

    fn failure(self) -> Option<TechnicalError> {
        match self {
            Self::TechnicalFailure(cause) => Some(cause),
            Self::Approved | Self::ApprovedThen(_) | Self::Declined(_) => None,
        }
    }

    fn then(self, aftermath: Aftermath) -> Self {
        if self == Self::Approved { Self::ApprovedThen(aftermath) } else { self }
    }
}
