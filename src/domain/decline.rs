//! Decline reasons of issuers, banks and the ledger.
//!
//! A reason can apply to a card, a wallet or a bank account, each with codes and messages of its own.
//!
//! Codes and decline codes are those the dialect publishes (docs.stripe.com/declines/codes); network codes are those of
//! ISO 8583 field 39.

use serde::{Deserialize, Serialize};

use super::listed::listed;

listed! {
    /// A reason for a decline.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum DeclineReason {
        /// The issuer gave no reason.
        GenericDecline,
        /// Not enough money on the card, in the account or in the wallet.
        InsufficientFunds,
        /// The card was reported lost.
        LostCard,
        /// The card was reported stolen.
        StolenCard,
        /// Used too often in too short a time.
        CardVelocityExceeded,
        /// The card has expired.
        ExpiredCard,
        /// The security code that was sent is wrong.
        IncorrectCvc,
        /// The issuer could not process the card.
        ProcessingError,
        /// Blocked as fraudulent before the issuer was asked.
        Fraudulent,
        /// The cardholder failed or abandoned 3-D Secure.
        AuthenticationFailure,
        /// The issuer wants the cardholder authenticated first.
        AuthenticationRequired,
        /// The receiving account does not exist or is closed.
        AccountClosed,
    }
}

impl DeclineReason {
    /// The dialect's error `code`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::GenericDecline
            | Self::InsufficientFunds
            | Self::LostCard
            | Self::StolenCard
            | Self::CardVelocityExceeded
            | Self::Fraudulent => "card_declined",
            Self::ExpiredCard => "expired_card",
            Self::IncorrectCvc => "incorrect_cvc",
            Self::ProcessingError => "processing_error",
            Self::AuthenticationFailure => "payment_intent_authentication_failure",
            Self::AuthenticationRequired => "authentication_required",
            Self::AccountClosed => "account_closed",
        }
    }

    /// The dialect's `decline_code`.
    #[must_use]
    pub const fn decline_code(self) -> &'static str {
        match self {
            Self::GenericDecline => "generic_decline",
            Self::InsufficientFunds => "insufficient_funds",
            Self::LostCard => "lost_card",
            Self::StolenCard => "stolen_card",
            Self::CardVelocityExceeded => "card_velocity_exceeded",
            Self::ExpiredCard => "expired_card",
            Self::IncorrectCvc => "incorrect_cvc",
            Self::ProcessingError => "processing_error",
            Self::Fraudulent => "fraudulent",
            Self::AuthenticationFailure => "authentication_failure",
            Self::AuthenticationRequired => "authentication_required",
            Self::AccountClosed => "account_closed",
        }
    }

    /// Whether an error shows the `decline_code` beside its code, because the code alone is not specific.
    #[must_use]
    pub fn shows_decline_code(self) -> bool {
        matches!(self.code(), "card_declined" | "authentication_required")
    }

    /// Whether the dialect calls it a card error; a failed authentication is not one.
    #[must_use]
    pub const fn blames_card(self) -> bool {
        !matches!(self, Self::AuthenticationFailure)
    }

    /// The code for payments out of a wallet, where no card is involved: the dialect's failure codes of payouts.
    #[must_use]
    pub const fn wallet_code(self) -> &'static str {
        match self {
            Self::GenericDecline => "declined",
            Self::InsufficientFunds
            | Self::LostCard
            | Self::StolenCard
            | Self::CardVelocityExceeded
            | Self::ExpiredCard
            | Self::IncorrectCvc
            | Self::ProcessingError
            | Self::Fraudulent
            | Self::AuthenticationFailure
            | Self::AuthenticationRequired
            | Self::AccountClosed => self.decline_code(),
        }
    }

    /// The message for a payment out of a wallet, to a bank account or to another user.
    #[must_use]
    pub const fn wallet_message(self, to_bank: bool) -> &'static str {
        match self {
            Self::InsufficientFunds => "The wallet does not hold enough for this payment.",
            Self::AccountClosed if to_bank => self.message(),
            Self::AccountClosed => "The account it was sent to is closed. The money is back in the wallet.",
            Self::GenericDecline
            | Self::LostCard
            | Self::StolenCard
            | Self::CardVelocityExceeded
            | Self::ExpiredCard
            | Self::IncorrectCvc
            | Self::ProcessingError
            | Self::Fraudulent
            | Self::AuthenticationFailure
            | Self::AuthenticationRequired => "The payment was declined by the other side.",
        }
    }

    /// The ISO 8583 response code a card network would send; none where no issuer was asked.
    #[must_use]
    pub const fn network_code(self) -> Option<&'static str> {
        match self {
            Self::GenericDecline | Self::Fraudulent => Some("05"),
            Self::InsufficientFunds => Some("51"),
            Self::LostCard => Some("41"),
            Self::StolenCard => Some("43"),
            Self::CardVelocityExceeded => Some("65"),
            Self::ExpiredCard => Some("54"),
            Self::IncorrectCvc | Self::AuthenticationRequired => Some("57"),
            Self::ProcessingError => Some("96"),
            Self::AuthenticationFailure | Self::AccountClosed => None,
        }
    }

    /// The message for the person who pays.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::GenericDecline | Self::LostCard | Self::StolenCard | Self::Fraudulent => {
                "Your card was declined."
            }
            Self::InsufficientFunds => "Your card has insufficient funds.",
            Self::CardVelocityExceeded => {
                "Your card was declined for making repeated attempts too frequently or exceeding its amount limit."
            }
            Self::ExpiredCard => "Your card has expired.",
            Self::IncorrectCvc => "Your card's security code is incorrect.",
            Self::ProcessingError => {
                "An error occurred while processing your card. Try again in a little bit."
            }
            Self::AuthenticationFailure => {
                "The provided PaymentMethod has failed authentication. Provide another PaymentMethod to try again."
            }
            Self::AuthenticationRequired => {
                "Your card was declined. This transaction requires authentication."
            }
            Self::AccountClosed => "The bank account could not be credited because it is closed.",
        }
    }

    /// The reason with this [`Self::decline_code`].
    #[must_use]
    pub fn from_decline_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.decline_code() == code)
    }

    /// A few plain words for pages.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::GenericDecline => "no reason given",
            Self::InsufficientFunds => "insufficient funds",
            Self::LostCard => "card reported lost",
            Self::StolenCard => "card reported stolen",
            Self::CardVelocityExceeded => "used too often",
            Self::ExpiredCard => "expired card",
            Self::IncorrectCvc => "wrong security code",
            Self::ProcessingError => "processing error",
            Self::Fraudulent => "blocked as fraudulent",
            Self::AuthenticationFailure => "3-D Secure failed",
            Self::AuthenticationRequired => "3-D Secure required",
            Self::AccountClosed => "account closed",
        }
    }
}
