//! The status of a payment.

use serde::{Deserialize, Serialize};

/// Where a payment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Created without a payment method.
    RequiresPaymentMethod,
    /// Has a payment method and waits for confirmation.
    RequiresConfirmation,
    /// Accepted; waits for a worker (or for the time of its next attempt).
    Queued,
    /// With the acquirer. Stored only while the payment is pending outside.
    Processing,
    /// Waits for the cardholder (3-D Secure).
    RequiresAction,
    /// Authorized; waits for capture.
    RequiresCapture,
    /// Done: the money has arrived.
    Succeeded,
    /// Declined by the issuer, the bank or the wallet.
    Declined,
    /// Failed technically, with all retries spent.
    Failed,
    /// Canceled; nothing is held.
    Canceled,
}

impl Status {
    /// Every status, in the order of a payment's life.
    pub const ALL: [Self; 10] = [
        Self::RequiresPaymentMethod,
        Self::RequiresConfirmation,
        Self::Queued,
        Self::Processing,
        Self::RequiresAction,
        Self::RequiresCapture,
        Self::Succeeded,
        Self::Declined,
        Self::Failed,
        Self::Canceled,
    ];

    /// The name used in the store, the API, the index and the pages' classes.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RequiresPaymentMethod => "requires_payment_method",
            Self::RequiresConfirmation => "requires_confirmation",
            Self::Queued => "queued",
            Self::Processing => "processing",
            Self::RequiresAction => "requires_action",
            Self::RequiresCapture => "requires_capture",
            Self::Succeeded => "succeeded",
            Self::Declined => "declined",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        }
    }

    /// Reads [`Self::as_str`] back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// The number stored in the database; [`Self::from_code`] reads it back. Never renumbered.
    #[must_use]
    pub const fn to_code(self) -> i16 {
        match self {
            Self::RequiresPaymentMethod => 1,
            Self::RequiresConfirmation => 2,
            Self::Queued => 3,
            Self::Processing => 4,
            Self::RequiresAction => 5,
            Self::RequiresCapture => 6,
            Self::Succeeded => 7,
            Self::Declined => 8,
            Self::Failed => 9,
            Self::Canceled => 10,
        }
    }

    /// The status stored under this number.
    #[must_use]
    pub fn from_code(code: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.to_code() == code)
    }

    /// The status of a payment intent in the dialect (docs.stripe.com/payments/paymentintents/lifecycle).
    #[must_use]
    pub const fn dialect(self) -> &'static str {
        match self {
            Self::RequiresPaymentMethod | Self::Declined | Self::Failed => "requires_payment_method",
            Self::RequiresConfirmation => "requires_confirmation",
            Self::Queued | Self::Processing => "processing",
            Self::RequiresAction => "requires_action",
            Self::RequiresCapture => "requires_capture",
            Self::Succeeded => "succeeded",
            Self::Canceled => "canceled",
        }
    }

    /// Whether nothing is under way: the payment waits for someone to act, or for nothing.
    #[must_use]
    pub const fn is_at_rest(self) -> bool {
        match self {
            Self::Queued | Self::Processing => false,
            Self::RequiresPaymentMethod
            | Self::RequiresConfirmation
            | Self::RequiresAction
            | Self::RequiresCapture
            | Self::Succeeded
            | Self::Declined
            | Self::Failed
            | Self::Canceled => true,
        }
    }
}
