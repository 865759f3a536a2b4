//! Events: immutable facts about one payment. Its history is the list of them, and everything else is folded from it.
//!
//! They are stored. A variant is never changed or removed; new fields go to the end of a variant with
//! `#[serde(default)]`, and the one-letter names are the stored form.

use std::fmt;

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::credit::{Credit, is_zero};
use super::decline::DeclineReason;
use super::ids::{ChargeId, RefundId};
use super::instrument::Instrument;
use super::status::Status;
use super::time::Timestamp;

/// How an operation broke technically.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TechnicalError {
    /// The acquirer did not answer in time.
    Timeout,
    /// The acquirer refused the connection.
    Unavailable,
    /// The acquirer's answer could not be read.
    Malformed,
}

impl TechnicalError {
    /// A few plain words for pages.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Timeout => "the acquirer did not answer in time",
            Self::Unavailable => "the acquirer was not reachable",
            Self::Malformed => "the acquirer's answer could not be read",
        }
    }
}

/// Why a payment was called off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelReason {
    /// Submitted twice by mistake.
    Duplicate,
    /// Looked fraudulent.
    Fraudulent,
    /// The customer asked for it.
    RequestedByCustomer,
    /// Given up.
    Abandoned,
    /// The authorisation was not captured in time.
    Expired,
    /// Nobody said why.
    NotGiven,
}

impl CancelReason {
    /// Its name; the dialect's where it has one.
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

    /// Reads what a caller may ask for; expiry is ours alone.
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
    /// The payment exists. `confirmed` queues its authorisation as operation 1; `reserved` moved the amount out of the
    /// submitter's wallet.
    #[serde(rename = "new")]
    Created {
        /// What the first attempt goes through, where that is known.
        instrument: Option<Instrument>,
        /// Whether it goes at once.
        confirmed: bool,
        /// Whether the amount left the wallet into transit.
        reserved: bool,
    },
    /// The word to go. Queues a new authorisation.
    #[serde(rename = "go")]
    Confirmed {
        /// What this attempt goes through.
        instrument: Instrument,
        /// Its charge.
        charge: ChargeId,
    },
    /// A worker asked the acquirer at `at`; written together with the answer.
    #[serde(rename = "st")]
    Started {
        /// When the worker took it up.
        at: Timestamp,
    },
    /// The cardholder has to prove themselves.
    #[serde(rename = "act")]
    ActionRequired {},
    /// They did. The authorisation is asked again, as a new operation.
    #[serde(rename = "acd")]
    ActionCompleted {},
    /// The issuer holds an amount until `capture_before`.
    #[serde(rename = "aut")]
    Authorized {
        /// How much it holds.
        amount_minor: i64,
        /// When the authorisation lapses.
        capture_before: Timestamp,
    },
    /// The money has arrived.
    #[serde(rename = "ok")]
    Succeeded {
        /// What became of it in the wallet that it reached.
        #[serde(default, skip_serializing_if = "Credit::is_whole")]
        credit: Credit,
    },
    /// The issuer, the bank or the wallet said no.
    #[serde(rename = "no")]
    Declined {
        /// Why.
        reason: DeclineReason,
        /// Of what comes back to the wallet, what was taken to repay what is owed.
        #[serde(default, skip_serializing_if = "is_zero")]
        repaid_minor: i64,
    },
    /// The outside accepted and will settle later.
    #[serde(rename = "pen")]
    Pending {
        /// When it settles.
        settles_at: Timestamp,
    },
    /// The authorisation broke; another attempt follows.
    #[serde(rename = "rt")]
    RetryScheduled {
        /// When.
        due_at: Timestamp,
        /// What broke.
        cause: TechnicalError,
    },
    /// The time of the next attempt came.
    #[serde(rename = "rq")]
    Requeued {},
    /// The authorisation broke and its retries are spent. The operation is parked and can be replayed.
    #[serde(rename = "ko")]
    Failed {
        /// What broke last.
        cause: TechnicalError,
        /// Of what comes back to the wallet, what was taken to repay what is owed.
        #[serde(default, skip_serializing_if = "is_zero")]
        repaid_minor: i64,
    },
    /// Someone replayed the parked authorisation.
    #[serde(rename = "rp")]
    Replayed {
        /// Whether the amount left the wallet again.
        reserved: bool,
    },
    /// A cancellation was asked for while the outcome is open.
    #[serde(rename = "cr")]
    CancelRequested {
        /// Why.
        reason: CancelReason,
    },
    /// Called off; nothing is held any more.
    #[serde(rename = "ca")]
    Canceled {
        /// Why.
        reason: CancelReason,
        /// Of what comes back to the wallet, what was taken to repay what is owed.
        #[serde(default, skip_serializing_if = "is_zero")]
        repaid_minor: i64,
    },
    /// A capture was asked for.
    #[serde(rename = "cq")]
    CaptureQueued {
        /// How much, at most the amount authorised.
        amount_minor: i64,
    },
    /// The amount was captured.
    #[serde(rename = "cap")]
    Captured {
        /// How much.
        amount_minor: i64,
        /// What became of it in the wallet that it reached.
        #[serde(default, skip_serializing_if = "Credit::is_whole")]
        credit: Credit,
    },
    /// The money has settled: what the wallet kept of it can be paid out.
    #[serde(rename = "av")]
    Available {},
    /// The capture was declined; the authorisation stands.
    #[serde(rename = "cd")]
    CaptureDeclined {
        /// Why.
        reason: DeclineReason,
    },
    /// Releasing the authorisation was asked for.
    #[serde(rename = "vq")]
    VoidQueued {
        /// Why.
        reason: CancelReason,
    },
    /// The authorisation was released.
    #[serde(rename = "vo")]
    Voided {},
    /// A refund was admitted; its amount left the wallet into transit.
    #[serde(rename = "fq")]
    RefundQueued {
        /// The refund's id.
        refund: RefundId,
        /// How much.
        amount_minor: i64,
        /// Names what is kept beside the refund (its reason, its metadata); zero if there is nothing, `None` where that was
        /// not said yet.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detail: Option<u64>,
    },
    /// The refund reached the card.
    #[serde(rename = "fo")]
    RefundSucceeded {
        /// Which.
        refund: RefundId,
    },
    /// The refund could not be made; its amount is back in the wallet.
    #[serde(rename = "ff")]
    RefundFailed {
        /// Which.
        refund: RefundId,
        /// Why.
        reason: DeclineReason,
        /// Of what comes back to the wallet, what was taken to repay what is owed.
        #[serde(default, skip_serializing_if = "is_zero")]
        repaid_minor: i64,
    },
    /// A capture, void or refund broke; another attempt follows.
    #[serde(rename = "or")]
    OperationRetryScheduled {
        /// Which operation.
        operation: u16,
        /// When.
        due_at: Timestamp,
        /// What broke.
        cause: TechnicalError,
    },
    /// The time of its next attempt came.
    #[serde(rename = "oq")]
    OperationRequeued {
        /// Which operation.
        operation: u16,
    },
    /// Its retries are spent; it is parked and can be replayed.
    #[serde(rename = "op")]
    OperationParked {
        /// Which operation.
        operation: u16,
        /// What broke last.
        cause: TechnicalError,
    },
    /// Someone replayed it.
    #[serde(rename = "oy")]
    OperationReplayed {
        /// Which operation.
        operation: u16,
    },
    /// The caller changed what is said of the payment, or its amount before it was confirmed.
    #[serde(rename = "am")]
    Amended {
        /// The amount from now on, if it changes.
        amount_minor: Option<i64>,
        /// If what is said changes: names the row with this version that holds all of it, by its contents.
        terms: Option<u64>,
    },
}

/// Events that bring money to a wallet, as the rules decide them: what becomes of the money there is settled when they
/// are applied ([`super::settlement::settled`]).
impl Event {
    /// The money has arrived.
    pub const SUCCEEDED: Self = Self::Succeeded { credit: WHOLE };

    /// This much was captured.
    #[must_use]
    pub const fn captured(amount_minor: i64) -> Self {
        Self::Captured { amount_minor, credit: WHOLE }
    }

    /// The issuer, the bank or the wallet said no.
    #[must_use]
    pub const fn declined(reason: DeclineReason) -> Self {
        Self::Declined { reason, repaid_minor: 0 }
    }

    /// The authorization broke and its retries are spent.
    #[must_use]
    pub const fn failed(cause: TechnicalError) -> Self {
        Self::Failed { cause, repaid_minor: 0 }
    }

    /// Called off.
    #[must_use]
    pub const fn canceled(reason: CancelReason) -> Self {
        Self::Canceled { reason, repaid_minor: 0 }
    }

    /// The refund could not be made.
    #[must_use]
    pub const fn refund_failed(refund: RefundId, reason: DeclineReason) -> Self {
        Self::RefundFailed { refund, reason, repaid_minor: 0 }
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
        }
    }
}

/// An event and when it was recorded. Its version is its position in the history, counted from 1.
///
/// Stored as an array of time and fact, and of the wall where that is another: on the wall's own clock nothing is added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    /// The time of the payment's clock. It may stand still: many batches can have one time.
    pub at: Timestamp,
    /// When the batch that carries it was decided. All events that a batch adds to a payment have the same wall, and
    /// those of its next batch a later one: a history tells by itself where its batches end.
    pub wall: Timestamp,
    /// The fact.
    pub event: Event,
}

impl Recorded {
    /// A fact on the wall's own clock.
    #[must_use]
    pub const fn on_wall(at: Timestamp, event: Event) -> Self {
        Self { at, wall: at, event }
    }
}

impl Serialize for Recorded {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.at == self.wall {
            (self.at, self.event).serialize(serializer)
        } else {
            (self.at, self.event, self.wall).serialize(serializer)
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
        f.write_str("a time, a fact and perhaps the wall")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Recorded, A::Error> {
        let at = parts.next_element()?.ok_or_else(|| A::Error::invalid_length(0, &self))?;
        let event = parts.next_element()?.ok_or_else(|| A::Error::invalid_length(1, &self))?;
        let wall = parts.next_element()?.unwrap_or(at);
        Ok(Recorded { at, wall, event })
    }
}
