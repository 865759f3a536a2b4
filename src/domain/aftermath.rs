//! What follows an approval by itself because the scenario that answered it says so: disputes, warnings, money that is taken back,
//! refunds that are slow or fail. Pure data; [`super::consequences`] brings it about.

use serde::{Deserialize, Serialize};

use super::dispute::DisputeReason;

/// Something that follows an approval, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Aftermath {
    /// What follows.
    pub later: Later,
    /// How long after the approval, in milliseconds of the payment's clock.
    pub after_ms: u64,
}

/// What follows, by the approval that it follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Later {
    /// The money of a charge: an authorization that takes it at once, or a capture.
    Money(Follows),
    /// A refund.
    Refund(RefundCourse),
}

/// What follows the money of a charge. Stored: new variants get new names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Follows {
    /// A dispute.
    #[serde(rename = "d")]
    Dispute(DisputeReason),
    /// An inquiry.
    #[serde(rename = "i")]
    Inquiry(DisputeReason),
    /// An early fraud warning.
    #[serde(rename = "w")]
    FraudWarning,
    /// The money is taken back for good: a dispute that is lost as soon as it is there.
    #[serde(rename = "f")]
    Failure(DisputeReason),
}

impl Follows {
    /// A few plain words for pages.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Dispute(_) => "a dispute",
            Self::Inquiry(_) => "an inquiry",
            Self::FraudWarning => "an early fraud warning",
            Self::Failure(_) => "a late failure",
        }
    }
}

/// What becomes of a refund that was approved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefundCourse {
    /// It is pending first, then arrives.
    Arrives,
    /// It is pending first, then fails.
    Fails,
    /// It arrives, and comes back.
    ComesBack,
}
