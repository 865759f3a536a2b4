//! Events: immutable facts about one payment. Its history is the list of them, and everything else is folded from it.
//!
//! Events are stored. A variant is never changed or removed; new fields go to the end of a variant with
//! `#[serde(default)]`, and the one-letter names are the stored form.

use std::fmt;

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::aftermath::Follows;
use super::credit::{Credit, is_zero};
use super::decline::DeclineReason;
use super::dispute::{DisputeOutcome, DisputeReason, DisputeStage};
use super::ids::{ChargeId, DisputeId, FraudWarningId, RefundId};
use super::instrument::Instrument;
use super::scenario_revision::ScenarioRevision;
use super::status::Status;
use super::time::Timestamp;

/// How an operation failed technically.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TechnicalError {
    /// The acquirer did not answer in time.
    Timeout,
    /// The acquirer refused the connection.
    Unavailable,
    /// The acquirer's answer could not be read.
    Malformed,
    /// The acquirer was not asked: its circuit breaker is open.
    BreakerOpen,
    /// The acquirer was not asked: too many wait for it.
    QueueFull,
}

impl TechnicalError {
    /// A few plain words for pages.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Timeout => "the acquirer did not answer in time",
            Self::Unavailable => "the acquirer was not reachable",
            Self::Malformed => "the acquirer's answer could not be read",
            Self::BreakerOpen => "the acquirer was not asked, since its circuit breaker is open",
            Self::QueueFull => "the acquirer was not asked, since too many wait for it",
        }
    }
}

/// Why a payment was canceled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelReason {
    /// Submitted twice by mistake.
    Duplicate,
    /// Suspected of fraud.
    Fraudulent,
    /// The customer asked for it.
    RequestedByCustomer,
    /// Abandoned by the caller, or by the system because the account is closed.
    Abandoned,
    /// The authorization was not captured in time.
    Expired,
    /// No reason was given.
    NotGiven,
}

impl CancelReason {
    /// The reason's name; the dialect's where the dialect has one.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Duplicate => "duplicate",
            Self::Fraudulent => "fraudulent",
            Self::RequestedByCustomer => "requested_by_customer",
            Self::Abandoned => "abandoned",
            Self::Expired => "automatic",
            Self::NotGiven => "not_given",
        }
    }

    /// The dialect's `cancellation_reason`, where there is one.
    #[must_use]
    pub const fn dialect(self) -> Option<&'static str> {
        match self {
            Self::Duplicate
            | Self::Fraudulent
            | Self::RequestedByCustomer
            | Self::Abandoned
            | Self::Expired => Some(self.as_str()),
            Self::NotGiven => None,
        }
    }

    /// Reads a reason that a caller may give; only the system cancels for expiry.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Duplicate, Self::Fraudulent, Self::RequestedByCustomer, Self::Abandoned]
            .into_iter()
            .find(|reason| reason.as_str() == text)
    }
}

/// A fact about a payment. `operation` numbers count the operations of one payment from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// The payment exists. `confirmed` queues its authorization as operation 1; `reserved` moved the amount out of the
    /// submitter's wallet.
    #[serde(rename = "new")]
    Created {
        /// The first attempt's instrument, where it is known.
        instrument: Option<Instrument>,
        /// Whether the first attempt is queued immediately.
        confirmed: bool,
        /// Whether the amount left the wallet into transit.
        reserved: bool,
    },
    /// The payment was confirmed, which queues a new authorization.
    #[serde(rename = "go")]
    Confirmed {
        /// This attempt's instrument.
        instrument: Instrument,
        /// This attempt's charge.
        charge: ChargeId,
    },
    /// A worker asked the acquirer at `at`; written together with the answer.
    #[serde(rename = "st")]
    Started {
        /// When the worker took it up.
        at: Timestamp,
    },
    /// The cardholder has to authenticate.
    #[serde(rename = "act")]
    ActionRequired {},
    /// The cardholder authenticated. The authorization is requested again, as a new operation.
    #[serde(rename = "acd")]
    ActionCompleted {},
    /// The issuer holds an amount until `capture_before`.
    #[serde(rename = "aut")]
    Authorized {
        /// The amount held, in minor units.
        amount_minor: i64,
        /// When the authorization lapses.
        capture_before: Timestamp,
    },
    /// The money has arrived.
    #[serde(rename = "ok")]
    Succeeded {
        /// How it was split in the wallet that it reached.
        #[serde(default, skip_serializing_if = "Credit::is_whole")]
        credit: Credit,
    },
    /// The issuer, the bank or the wallet declined.
    #[serde(rename = "no")]
    Declined {
        /// The reason.
        reason: DeclineReason,
        /// The part of the returned money that repaid the owner's debt.
        #[serde(default, skip_serializing_if = "is_zero")]
        repaid_minor: i64,
    },
    /// Accepted outside; settles later.
    #[serde(rename = "pen")]
    Pending {
        /// When it settles, by the payment's clock.
        settles_at: Timestamp,
    },
    /// The authorization failed technically; another attempt follows.
    #[serde(rename = "rt")]
    RetryScheduled {
        /// When the next attempt is due, by the wall clock.
        due_at: Timestamp,
        /// How the last attempt failed.
        cause: TechnicalError,
    },
    /// The next attempt is due and back in the queue.
    #[serde(rename = "rq")]
    Requeued {},
    /// The authorization failed technically and its retries are spent. The operation is parked and can be replayed.
    #[serde(rename = "ko")]
    Failed {
        /// How the last attempt failed.
        cause: TechnicalError,
        /// The part of the returned money that repaid the owner's debt.
        #[serde(default, skip_serializing_if = "is_zero")]
        repaid_minor: i64,
    },
    /// Someone replayed the parked authorization.
    #[serde(rename = "rp")]
    Replayed {
        /// Whether the amount left the wallet again.
        reserved: bool,
    },
    /// A cancellation was requested while the outcome is open.
    #[serde(rename = "cr")]
    CancelRequested {
        /// The reason.
        reason: CancelReason,
    },
    /// Canceled; nothing is held any more.
    #[serde(rename = "ca")]
    Canceled {
        /// The reason.
        reason: CancelReason,
        /// The part of the returned money that repaid the owner's debt.
        #[serde(default, skip_serializing_if = "is_zero")]
        repaid_minor: i64,
    },
    /// A capture was requested.
    #[serde(rename = "cq")]
    CaptureQueued {
        /// In minor units; at most the amount authorized.
        amount_minor: i64,
    },
    /// The amount was captured.
    #[serde(rename = "cap")]
    Captured {
        /// The amount, in minor units.
        amount_minor: i64,
        /// How it was split in the wallet that it reached.
        #[serde(default, skip_serializing_if = "Credit::is_whole")]
        credit: Credit,
    },
    /// The money has settled: what the wallet kept of it can be paid out.
    #[serde(rename = "av")]
    Available {},
    /// The capture was declined; the authorization stands.
    #[serde(rename = "cd")]
    CaptureDeclined {
        /// The reason.
        reason: DeclineReason,
    },
    /// The release of the authorization was requested.
    #[serde(rename = "vq")]
    VoidQueued {
        /// The reason.
        reason: CancelReason,
    },
    /// The authorization was released.
    #[serde(rename = "vo")]
    Voided {},
    /// A refund was admitted; its amount left the wallet into transit.
    #[serde(rename = "fq")]
    RefundQueued {
        /// The refund's id.
        refund: RefundId,
        /// The amount, in minor units.
        amount_minor: i64,
        /// Names the row stored beside the refund (its reason and metadata); zero if there is none, `None` in histories older
        /// than this field.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detail: Option<u64>,
    },
    /// The refund reached the card.
    #[serde(rename = "fo")]
    RefundSucceeded {
        /// The id of the refund.
        refund: RefundId,
        /// When it comes back after all, by the payment's clock, where the card sees to that.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fails_at: Option<Timestamp>,
    },
    /// The refund could not be made, or came back after it had reached the card; its amount is back in the wallet.
    #[serde(rename = "ff")]
    RefundFailed {
        /// The id of the refund.
        refund: RefundId,
        /// The reason.
        reason: DeclineReason,
        /// The part of the returned money that repaid the owner's debt.
        #[serde(default, skip_serializing_if = "is_zero")]
        repaid_minor: i64,
    },
    /// A capture, void or refund failed technically; another attempt follows.
    #[serde(rename = "or")]
    OperationRetryScheduled {
        /// The operation's number.
        operation: u16,
        /// When the next attempt is due, by the wall clock.
        due_at: Timestamp,
        /// How the last attempt failed.
        cause: TechnicalError,
    },
    /// The operation's next attempt is due and back in the queue.
    #[serde(rename = "oq")]
    OperationRequeued {
        /// The operation's number.
        operation: u16,
    },
    /// The operation's retries are spent; it is parked and can be replayed.
    #[serde(rename = "op")]
    OperationParked {
        /// The operation's number.
        operation: u16,
        /// How the last attempt failed.
        cause: TechnicalError,
    },
    /// Someone replayed the parked operation.
    #[serde(rename = "oy")]
    OperationReplayed {
        /// The operation's number.
        operation: u16,
    },
    /// The caller changed the payment's terms, or its amount before it was confirmed.
    #[serde(rename = "am")]
    Amended {
        /// The new amount in minor units, if it changes.
        amount_minor: Option<i64>,
        /// If the terms change: the hash of the row with this version, which holds all of them.
        terms: Option<u64>,
    },
    /// The refund was accepted outside, and arrives later.
    #[serde(rename = "fp")]
    RefundPending {
        /// The id of the refund.
        refund: RefundId,
        /// When it arrives, or fails, by the payment's clock.
        settles_at: Timestamp,
        /// Whether it fails then.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        fails: bool,
    },
    /// The card that was used, or the scenario, brings about something later.
    #[serde(rename = "la")]
    Foreseen {
        /// When that is, by the payment's clock.
        at: Timestamp,
        /// What it is, where the scenario says so; `None` if the card does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        follows: Option<Follows>,
    },
    /// The charge was disputed. Unless it is an inquiry, amount and fee left the wallet; what that did not hold is owed.
    #[serde(rename = "dq")]
    DisputeOpened {
        /// The id of the dispute.
        dispute: DisputeId,
        /// What the cardholder complains of.
        reason: DisputeReason,
        /// Whether money was taken.
        stage: DisputeStage,
        /// The disputed amount, in minor units.
        amount_minor: i64,
        /// The fee, in minor units.
        fee_minor: i64,
        /// Until when evidence is taken, by the payment's clock.
        due_by: Timestamp,
        /// When it ends by itself, by the payment's clock.
        ends_at: Timestamp,
        /// The part of amount and fee that the wallet did not hold.
        #[serde(default, skip_serializing_if = "is_zero")]
        owed_minor: i64,
    },
    /// Evidence or metadata of the dispute was kept.
    #[serde(rename = "dn")]
    DisputeNoted {
        /// The id of the dispute.
        dispute: DisputeId,
        /// Names the row with all of it; zero if there is none.
        detail: u64,
        /// If the evidence was submitted: when the dispute ends by itself, by the payment's clock.
        submitted_until: Option<Timestamp>,
    },
    /// The inquiry became a dispute: amount and fee left the wallet; what that did not hold is owed.
    #[serde(rename = "de")]
    DisputeEscalated {
        /// The id of the dispute.
        dispute: DisputeId,
        /// The disputed amount from now on, in minor units.
        amount_minor: i64,
        /// The fee, in minor units.
        fee_minor: i64,
        /// Until when evidence is taken, by the payment's clock.
        due_by: Timestamp,
        /// The part of amount and fee that the wallet did not hold.
        #[serde(default, skip_serializing_if = "is_zero")]
        owed_minor: i64,
    },
    /// The dispute was decided. The amount of one that was won is back in the wallet.
    #[serde(rename = "dx")]
    DisputeClosed {
        /// The id of the dispute.
        dispute: DisputeId,
        /// How it was decided.
        outcome: DisputeOutcome,
        /// The part of the returned money that repaid the owner's debt.
        #[serde(default, skip_serializing_if = "is_zero")]
        repaid_minor: i64,
    },
    /// The issuer warned that the charge may be fraudulent. No money moves.
    #[serde(rename = "fw")]
    FraudWarned {
        /// The id of the warning.
        warning: FraudWarningId,
    },
}

/// Events that bring money to a wallet, as the rules decide them. How the money is split there is decided when they are
/// applied ([`super::settlement::settled`]).
impl Event {
    /// The money has arrived, not yet split.
    pub const SUCCEEDED: Self = Self::Succeeded { credit: WHOLE };

    /// A capture of this amount in minor units, not yet split.
    #[must_use]
    pub const fn captured(amount_minor: i64) -> Self {
        Self::Captured { amount_minor, credit: WHOLE }
    }

    /// A decline that repays nothing yet.
    #[must_use]
    pub const fn declined(reason: DeclineReason) -> Self {
        Self::Declined { reason, repaid_minor: 0 }
    }

    /// The authorization failed technically and its retries are spent; repays nothing yet.
    #[must_use]
    pub const fn failed(cause: TechnicalError) -> Self {
        Self::Failed { cause, repaid_minor: 0 }
    }

    /// A cancellation that repays nothing yet.
    #[must_use]
    pub const fn canceled(reason: CancelReason) -> Self {
        Self::Canceled { reason, repaid_minor: 0 }
    }

    /// A failed refund that repays nothing yet.
    #[must_use]
    pub const fn refund_failed(refund: RefundId, reason: DeclineReason) -> Self {
        Self::RefundFailed { refund, reason, repaid_minor: 0 }
    }

    /// A refund that reached the card, for good.
    #[must_use]
    pub const fn refund_succeeded(refund: RefundId) -> Self {
        Self::RefundSucceeded { refund, fails_at: None }
    }

    /// The end of a dispute, which repays nothing yet.
    #[must_use]
    pub const fn dispute_closed(dispute: DisputeId, outcome: DisputeOutcome) -> Self {
        Self::DisputeClosed { dispute, outcome, repaid_minor: 0 }
    }
}

const WHOLE: Credit = Credit { fee_minor: 0, repaid_minor: 0, available_at: None, payee_at: None };

impl Event {
    /// The status a history that opens with this event starts in; `None` for anything but [`Event::Created`].
    #[must_use]
    pub const fn opening_status(&self) -> Option<Status> {
        if let Self::Created { instrument, confirmed, .. } = self {
            Some(match (instrument.is_some(), confirmed) {
                (true, true) => Status::Queued,
                (true, false) => Status::RequiresConfirmation,
                (false, _) => Status::RequiresPaymentMethod,
            })
        } else {
            None
        }
    }

    /// The past-tense name used in timelines and in the API.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Created { .. } => "created",
            Self::Confirmed { .. } => "confirmed",
            Self::Started { .. } => "processing",
            Self::ActionRequired { .. } => "action_required",
            Self::ActionCompleted { .. } => "action_completed",
            Self::Authorized { .. } => "authorized",
            Self::Succeeded { .. } => "succeeded",
            Self::Declined { .. } => "declined",
            Self::Pending { .. } => "pending",
            Self::RetryScheduled { .. } | Self::OperationRetryScheduled { .. } => "retry_scheduled",
            Self::Requeued { .. } | Self::OperationRequeued { .. } => "requeued",
            Self::Failed { .. } => "failed",
            Self::Replayed { .. } | Self::OperationReplayed { .. } => "replayed",
            Self::CancelRequested { .. } => "cancel_requested",
            Self::Canceled { .. } => "canceled",
            Self::CaptureQueued { .. } => "capture_queued",
            Self::Captured { .. } => "captured",
            Self::Available {} => "available",
            Self::CaptureDeclined { .. } => "capture_declined",
            Self::VoidQueued { .. } => "void_queued",
            Self::Voided { .. } => "voided",
            Self::RefundQueued { .. } => "refund_queued",
            Self::RefundSucceeded { .. } => "refund_succeeded",
            Self::RefundFailed { .. } => "refund_failed",
            Self::OperationParked { .. } => "parked",
            Self::Amended { .. } => "amended",
            Self::RefundPending { .. } => "refund_pending",
            Self::Foreseen { .. } => "foreseen",
            Self::DisputeOpened { .. } => "dispute_opened",
            Self::DisputeNoted { submitted_until: None, .. } => "dispute_updated",
            Self::DisputeNoted { submitted_until: Some(_), .. } => "dispute_evidence_submitted",
            Self::DisputeEscalated { .. } => "dispute_escalated",
            Self::DisputeClosed { .. } => "dispute_closed",
            Self::FraudWarned { .. } => "early_fraud_warning",
        }
    }
}

/// An event and when it was recorded. Its version is its position in the history, counted from 1.
///
/// Stored as an array of time and event. The wall-clock time is added only where it differs or something follows, and the scenario
/// only where there is one: nothing is added for payments on the wall clock of accounts without a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    /// The time of the payment's clock. It may stand still: many batches can have one time.
    pub at: Timestamp,
    /// When the batch that carries it was decided, by the wall clock. All events that a batch adds to a payment share this time,
    /// and the next batch has a later one, so a history shows where its batches end.
    pub wall: Timestamp,
    /// The fact itself.
    pub event: Event,
    /// The scenario of the payment's account that was in force: what this event puts into the queue is answered by it.
    pub scenario: Option<ScenarioRevision>,
}

impl Recorded {
    /// An event of a payment that runs on the wall clock.
    #[must_use]
    pub const fn on_wall(at: Timestamp, event: Event) -> Self {
        Self { at, wall: at, event, scenario: None }
    }
}

impl Serialize for Recorded {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.scenario {
            Some(scenario) => (self.at, self.event, self.wall, scenario).serialize(serializer),
            None if self.at == self.wall => (self.at, self.event).serialize(serializer),
            None => (self.at, self.event, self.wall).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Recorded {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Parts)
    }
}

/// Reads the array that a recorded event is stored as.
struct Parts;

impl<'de> Visitor<'de> for Parts {
    type Value = Recorded;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time, an event, and perhaps the wall-clock time and a scenario")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Recorded, A::Error> {
        let at = parts.next_element()?.ok_or_else(|| A::Error::invalid_length(0, &self))?;
        let event = parts.next_element()?.ok_or_else(|| A::Error::invalid_length(1, &self))?;
        let wall = parts.next_element()?.unwrap_or(at);
        let scenario = parts.next_element()?;
        Ok(Recorded { at, wall, event, scenario })
    }
}
