//! Disputes of a charge, as a payment's history tells of them: what the cardholder complains of, how far that has come, and
//! what each costs. Pure data; the rules are in `disputes`.

use serde::{Deserialize, Serialize};

use super::currency::Currency;
use super::ids::DisputeId;
use super::listed::listed;
use super::time::Timestamp;

const DAY_MS: u64 = 24 * 3_600 * 1_000;

/// How long the merchant may wait with evidence: between the 7 and 21 days that the networks allow.
pub const RESPONSE_MS: u64 = 14 * DAY_MS;
/// How long an issuer looks at evidence that says neither that it wins nor that it loses.
pub const REVIEW_MS: u64 = 60 * DAY_MS;
/// How long an inquiry stays open.
pub const INQUIRY_MS: u64 = 120 * DAY_MS;

/// The fee of a dispute in minor units: 15.00, or 1,500 of a currency without decimals. It is kept whatever the outcome.
#[must_use]
pub fn fee_minor(currency: Currency) -> i64 {
    if currency.decimals() == 3 { 15_000 } else { 1_500 }
}

listed! {
    /// The reason for a dispute: the dialect's published ones.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    pub enum DisputeReason {
        /// The customer's bank cannot process the charge.
        BankCannotProcess,
        /// A check was returned.
        CheckReturned,
        /// The merchant promised money back and did not return it.
        CreditNotProcessed,
        /// The customer turned to their bank.
        CustomerInitiated,
        /// The customer never allowed the debit.
        DebitNotAuthorized,
        /// Charged twice.
        Duplicate,
        /// The cardholder did not make the payment.
        Fraudulent,
        /// No other reason fits.
        General,
        /// The account number was wrong.
        IncorrectAccountDetails,
        /// The account did not hold enough.
        InsufficientFunds,
        /// The charge breaks a rule of the network.
        Noncompliant,
        /// Nothing was delivered.
        ProductNotReceived,
        /// Not what was promised.
        ProductUnacceptable,
        /// The subscription had been canceled.
        SubscriptionCanceled,
        /// The cardholder does not know the charge.
        Unrecognized,
    }
}

impl DisputeReason {
    /// The dialect's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BankCannotProcess => "bank_cannot_process",
            Self::CheckReturned => "check_returned",
            Self::CreditNotProcessed => "credit_not_processed",
            Self::CustomerInitiated => "customer_initiated",
            Self::DebitNotAuthorized => "debit_not_authorized",
            Self::Duplicate => "duplicate",
            Self::Fraudulent => "fraudulent",
            Self::General => "general",
            Self::IncorrectAccountDetails => "incorrect_account_details",
            Self::InsufficientFunds => "insufficient_funds",
            Self::Noncompliant => "noncompliant",
            Self::ProductNotReceived => "product_not_received",
            Self::ProductUnacceptable => "product_unacceptable",
            Self::SubscriptionCanceled => "subscription_canceled",
            Self::Unrecognized => "unrecognized",
        }
    }

    /// The reason with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name)
    }

    /// A few plain words for pages.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::BankCannotProcess => "the bank cannot process it",
            Self::CheckReturned => "check returned",
            Self::CreditNotProcessed => "promised money back not received",
            Self::CustomerInitiated => "the customer turned to their bank",
            Self::DebitNotAuthorized => "debit not authorised",
            Self::Duplicate => "charged twice",
            Self::Fraudulent => "fraudulent",
            Self::General => "no particular reason",
            Self::IncorrectAccountDetails => "wrong account details",
            Self::InsufficientFunds => "insufficient funds",
            Self::Noncompliant => "against the network's rules",
            Self::ProductNotReceived => "product not received",
            Self::ProductUnacceptable => "product not as promised",
            Self::SubscriptionCanceled => "subscription had been canceled",
            Self::Unrecognized => "charge not recognised",
        }
    }
}

/// Whether money has been taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisputeStage {
    /// The issuer asks; no money moves.
    Inquiry,
    /// The issuer took the money back.
    Chargeback,
}

/// How a dispute ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisputeOutcome {
    /// For the merchant: the amount comes back, the fee does not.
    Won,
    /// For the cardholder.
    Lost,
    /// An inquiry ended with no money moved.
    InquiryClosed,
}

/// Where a dispute stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DisputeStatus {
    /// Waits for the merchant's evidence.
    NeedsResponse,
    /// The issuer looks at the evidence.
    UnderReview,
    /// Decided for the merchant.
    Won,
    /// Decided for the cardholder.
    Lost,
    /// An inquiry that waits for an answer.
    WarningNeedsResponse,
    /// The issuer looks at the answer to an inquiry.
    WarningUnderReview,
    /// The inquiry is over.
    WarningClosed,
}

impl DisputeStatus {
    /// The dialect's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NeedsResponse => "needs_response",
            Self::UnderReview => "under_review",
            Self::Won => "won",
            Self::Lost => "lost",
            Self::WarningNeedsResponse => "warning_needs_response",
            Self::WarningUnderReview => "warning_under_review",
            Self::WarningClosed => "warning_closed",
        }
    }

    /// A few plain words for pages.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::NeedsResponse => "needs an answer",
            Self::UnderReview => "under review",
            Self::Won => "won",
            Self::Lost => "lost",
            Self::WarningNeedsResponse => "inquiry, needs an answer",
            Self::WarningUnderReview => "inquiry, under review",
            Self::WarningClosed => "inquiry closed",
        }
    }

    /// Whether nothing is decided yet.
    #[must_use]
    pub const fn is_open(self) -> bool {
        match self {
            Self::NeedsResponse
            | Self::UnderReview
            | Self::WarningNeedsResponse
            | Self::WarningUnderReview => true,
            Self::Won | Self::Lost | Self::WarningClosed => false,
        }
    }

    /// Whether it waits for evidence.
    #[must_use]
    pub const fn needs_response(self) -> bool {
        matches!(self, Self::NeedsResponse | Self::WarningNeedsResponse)
    }
}

/// A dispute of the payment's charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Dispute {
    /// Chosen before it was decided.
    pub id: DisputeId,
    /// What the cardholder complains of.
    pub reason: DisputeReason,
    /// Whether money has been taken.
    pub stage: DisputeStage,
    /// The disputed amount, in minor units.
    pub amount_minor: i64,
    /// The fee that was taken, in minor units; zero for an inquiry.
    pub fee_minor: i64,
    /// Where it stands.
    pub status: DisputeStatus,
    /// When it was opened.
    pub created_at: Timestamp,
    /// Until when evidence is taken.
    pub due_by: Timestamp,
    /// When it ends by itself, while it is open.
    pub ends_at: Timestamp,
    /// Names the row with its evidence and metadata; zero if there is none.
    pub detail: u64,
    /// How often evidence was submitted.
    pub submissions: u16,
}

impl Dispute {
    /// How it ends when nobody does anything more about it.
    #[must_use]
    pub const fn ends_as(&self) -> DisputeOutcome {
        match self.stage {
            DisputeStage::Inquiry => DisputeOutcome::InquiryClosed,
            DisputeStage::Chargeback => DisputeOutcome::Lost,
        }
    }

    /// Whether it took money that has not come back.
    #[must_use]
    pub fn holds_money(&self) -> bool {
        self.stage == DisputeStage::Chargeback && self.status != DisputeStatus::Won
    }

    /// What it has cost the merchant so far, in minor units: amount and fee, or the fee alone once it was won.
    #[must_use]
    pub fn cost_minor(&self) -> i64 {
        let held_minor = if self.holds_money() { self.amount_minor } else { 0 };
        held_minor.saturating_add(self.fee_minor)
    }

    /// When it ends by itself; `None` once it is decided.
    #[must_use]
    pub fn due_at(&self) -> Option<Timestamp> {
        self.status.is_open().then_some(self.ends_at)
    }

    /// The issuer takes the money back; the time to answer begins anew.
    pub(super) const fn take_money(&mut self, amount_minor: i64, fee_minor: i64, due_by: Timestamp) {
        self.stage = DisputeStage::Chargeback;
        self.status = DisputeStatus::NeedsResponse;
        self.amount_minor = amount_minor;
        self.fee_minor = fee_minor;
        self.due_by = due_by;
        self.ends_at = due_by;
    }

    /// Evidence or metadata was kept, and perhaps submitted; then it ends at `ends_at`.
    pub(super) const fn note(&mut self, detail: u64, submitted_until: Option<Timestamp>) {
        self.detail = detail;
        if let Some(ends_at) = submitted_until {
            self.submissions = self.submissions.saturating_add(1);
            self.ends_at = ends_at;
            self.status = match self.stage {
                DisputeStage::Inquiry => DisputeStatus::WarningUnderReview,
                DisputeStage::Chargeback => DisputeStatus::UnderReview,
            };
        }
    }

    pub(super) const fn close(&mut self, outcome: DisputeOutcome) {
        self.status = match outcome {
            DisputeOutcome::Won => DisputeStatus::Won,
            DisputeOutcome::Lost => DisputeStatus::Lost,
            DisputeOutcome::InquiryClosed => DisputeStatus::WarningClosed,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_read_back() {
        for reason in DisputeReason::ALL {
            assert_eq!(DisputeReason::parse(reason.as_str()), Some(reason));
        }
        assert_eq!(DisputeReason::parse("stolen"), None);
    }

    #[test]
    fn the_fee_is_the_same_in_words_in_every_currency() {
        let fee = |code: &str| fee_minor(code.parse().expect("a currency"));
        assert_eq!((fee("EUR"), fee("JPY"), fee("KWD")), (1_500, 1_500, 15_000));
    }
}
