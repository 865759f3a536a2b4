//! Commands: what callers ask for, and what the system itself reports (acquirers' answers, timers, steps of test clocks).
//! Ids, fingerprints and times are made before a command is built, so that deciding it is pure.
//!
//! A caller's command has an actor, may carry an idempotency key, and is a [`PaymentCommand`] or a [`ChangeResource`]. The
//! system's commands are [`SystemCommand`]s. Each of the three is decided separately.

use super::aftermath::Aftermath;
use super::amendment::{AmendPayment, PaymentPatch};
use super::clock::DriveClock;
use super::decline::DeclineReason;
use super::dispute::DisputeReason;
use super::event::{CancelReason, TechnicalError};
pub use super::idempotency::IdempotencyKey;
use super::ids::{AccountId, ChargeId, DisputeId, PaymentId, RefundId};
use super::instrument::{Instrument, Presented};
use super::origin::Origin;
use super::payment::WorkKey;
use super::resource::ChangeResource;
use super::subject::Subject;
use super::submission::Submission;
use super::time::Timestamp;

/// Submit a new payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmitPayment {
    /// The payment as requested.
    pub submission: Submission,
    /// The card, for charges and added money; `None` for the other kinds, which determine their instrument.
    pub instrument: Option<Instrument>,
    /// Whether the first attempt is queued immediately.
    pub confirm: bool,
    /// The caller's idempotency key.
    pub idempotency: Option<IdempotencyKey>,
}

/// An operation on an existing payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Confirm it, perhaps with another card.
    Confirm {
        /// The instrument to use from now on, if it changes.
        instrument: Option<Instrument>,
        /// What came with this attempt, whichever card it uses.
        presented: Presented,
        /// The id of this attempt's charge.
        charge: ChargeId,
    },
    /// Take what was authorized.
    Capture {
        /// In minor units; `None` takes all of it.
        amount_minor: Option<i64>,
    },
    /// Cancel it.
    Cancel {
        /// The caller's reason, or [`CancelReason::NotGiven`].
        reason: CancelReason,
    },
    /// Give money back.
    Refund {
        /// The new refund's id.
        refund: RefundId,
        /// In minor units; `None` refunds whatever is left.
        amount_minor: Option<i64>,
        /// Names the row stored beside it; see [`super::event::Event::RefundQueued`].
        detail: Option<u64>,
    },
    /// The cardholder answered the 3-D Secure challenge.
    CompleteAction {
        /// Whether they passed.
        passed: bool,
    },
    /// Try a parked operation again.
    Replay,
    /// End a refund as its bank would: for tests.
    EndRefund {
        /// The refund.
        refund: RefundId,
        /// Why it could not be made; `None` lets it arrive.
        failed: Option<DeclineReason>,
    },
    /// Dispute the charge as its cardholder or issuer would: for tests.
    Dispute(Complaint),
    /// Keep what the merchant says about a dispute, and perhaps submit it.
    AnswerDispute(Answered),
    /// Give a dispute up.
    CloseDispute {
        /// The dispute.
        dispute: DisputeId,
    },
}

/// What a cardholder's issuer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Raised {
    /// It takes the money back.
    Dispute,
    /// It asks first.
    Inquiry,
    /// It warns, and does nothing yet.
    FraudWarning,
}

impl Raised {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Dispute, Self::Inquiry, Self::FraudWarning];

    /// The name as a parameter.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dispute => "dispute",
            Self::Inquiry => "inquiry",
            Self::FraudWarning => "early_fraud_warning",
        }
    }

    /// What has this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|raised| raised.as_str() == name)
    }
}

/// A complaint about a charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Complaint {
    /// The new dispute's id.
    pub dispute: DisputeId,
    /// What the issuer does.
    pub raised: Raised,
    /// What the cardholder complains of.
    pub reason: DisputeReason,
    /// In minor units; `None` disputes whatever is left.
    pub amount_minor: Option<i64>,
}

/// What evidence says of its own outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It wins the dispute.
    Wins,
    /// It loses the dispute.
    Loses,
    /// It turns an inquiry into a dispute.
    Escalates,
}

impl Verdict {
    /// The verdict that this text names.
    #[must_use]
    pub fn of_evidence(text: &str) -> Option<Self> {
        match text.trim() {
            "winning_evidence" => Some(Self::Wins),
            "losing_evidence" => Some(Self::Loses),
            "escalate_inquiry_evidence" => Some(Self::Escalates),
            _ => None,
        }
    }
}

/// What the merchant says about a dispute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answered {
    /// The dispute.
    pub dispute: DisputeId,
    /// The detail that the request was based on: it is refused where another is in force by then.
    pub base: u64,
    /// Names the row with all that is kept from then on.
    pub detail: u64,
    /// Whether it changes evidence, and not only metadata.
    pub evidence: bool,
    /// Whether the evidence goes to the issuer.
    pub submit: bool,
    /// What the evidence says of its own outcome.
    pub verdict: Option<Verdict>,
}

/// Operate on a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OperatePayment {
    /// The payment to operate on.
    pub payment: PaymentId,
    /// Who asks; anyone but the owner gets "no such payment".
    pub actor: AccountId,
    /// What to do.
    pub action: Action,
    /// The caller's idempotency key.
    pub idempotency: Option<IdempotencyKey>,
}

/// An acquirer's response to an authorization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthorizationResponse {
    /// Approved; final.
    Approved,
    /// Declined; final.
    Declined(DeclineReason),
    /// The cardholder has to authenticate first.
    ActionRequired,
    /// Accepted; settles after this many milliseconds of the account's time.
    Pending {
        /// The delay, in milliseconds.
        settles_after_ms: u64,
    },
    /// No usable answer.
    TechnicalFailure(TechnicalError),
    /// Approved; final. Something follows.
    ApprovedThen(Aftermath),
}

/// An acquirer's response to a capture, void or refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FollowUpResponse {
    /// Approved; final.
    Approved,
    /// Declined; final.
    Declined(DeclineReason),
    /// No usable answer.
    TechnicalFailure(TechnicalError),
    /// Approved; final. Something follows.
    ApprovedThen(Aftermath),
}

impl AuthorizationResponse {
    /// What follows the approval because the scenario says so.
    #[must_use]
    pub const fn aftermath(&self) -> Option<Aftermath> {
        match self {
            Self::ApprovedThen(aftermath) => Some(*aftermath),
            Self::Approved
            | Self::Declined(_)
            | Self::ActionRequired
            | Self::Pending { .. }
            | Self::TechnicalFailure(_) => None,
        }
    }
}

impl FollowUpResponse {
    /// What follows the approval because the scenario says so.
    #[must_use]
    pub const fn aftermath(&self) -> Option<Aftermath> {
        match self {
            Self::ApprovedThen(aftermath) => Some(*aftermath),
            Self::Approved | Self::Declined(_) | Self::TechnicalFailure(_) => None,
        }
    }
}

/// The acquirer's answer to one attempt of an authorization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuthorizationAnswer {
    /// The attempt that this answers.
    pub work: WorkKey,
    /// When the worker took it up.
    pub started_at: Timestamp,
    /// The outcome.
    pub response: AuthorizationResponse,
}

/// The acquirer's answer to one attempt of a capture, void or refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FollowUpAnswer {
    /// The attempt that this answers.
    pub work: WorkKey,
    /// The outcome.
    pub response: FollowUpResponse,
}

/// A caller's request about a payment.
#[derive(Debug, Clone)]
pub enum PaymentCommand {
    /// A new payment.
    Submit(Box<SubmitPayment>),
    /// An operation on a payment.
    Operate(OperatePayment),
    /// A change of a payment's terms or amount.
    Amend(Box<AmendPayment>),
}

/// What the system reports or does by itself. Never rejected: a stale command changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SystemCommand {
    /// An acquirer has answered an authorization.
    AuthorizationAnswered(AuthorizationAnswer),
    /// An acquirer has answered a capture, void or refund.
    FollowUpAnswered(FollowUpAnswer),
    /// A payment's `due_at` has come.
    TimerDue(PaymentId),
    /// The next step of a test clock.
    DriveClock(DriveClock),
}

/// A caller's command with the API request that asked for it, where one did and the account's events show it.
#[derive(Debug, Clone)]
pub struct Asked<C = PaymentCommand> {
    /// What the caller asks for.
    pub command: C,
    /// The request. Boxed, as most commands have none.
    pub origin: Option<Box<Origin>>,
}

impl<C> Asked<C> {
    fn origin_bytes(&self) -> usize {
        self.origin.as_ref().map_or(0, |origin| size_of::<Origin>() + origin.text_bytes())
    }
}

impl<C> From<C> for Asked<C> {
    fn from(command: C) -> Self {
        Self { command, origin: None }
    }
}

/// Approximate bytes of the rows that a command without text leads to.
const ROW_BYTES: usize = 256;

impl Asked<PaymentCommand> {
    /// Approximate bytes in memory and in the rows it leads to.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<PaymentCommand>() + ROW_BYTES + self.command.text_bytes() + self.origin_bytes()
    }
}

impl Asked<ChangeResource> {
    /// Approximate bytes in memory and in the rows it leads to.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<ChangeResource>() + ROW_BYTES + self.command.text_bytes() + self.origin_bytes()
    }
}

impl From<AuthorizationAnswer> for SystemCommand {
    fn from(answer: AuthorizationAnswer) -> Self {
        Self::AuthorizationAnswered(answer)
    }
}

impl From<FollowUpAnswer> for SystemCommand {
    fn from(answer: FollowUpAnswer) -> Self {
        Self::FollowUpAnswered(answer)
    }
}

impl SystemCommand {
    /// Approximate bytes in memory and in the rows it leads to.
    pub const BYTES: usize = size_of::<Self>() + ROW_BYTES;

    /// The payment or clock it is about.
    #[must_use]
    pub fn subject(&self) -> Subject {
        match self {
            Self::AuthorizationAnswered(answer) => answer.work.payment.into(),
            Self::FollowUpAnswered(answer) => answer.work.payment.into(),
            Self::TimerDue(payment) => (*payment).into(),
            Self::DriveClock(drive) => drive.clock.into(),
        }
    }
}

impl PaymentCommand {
    /// This command, asked for by this request.
    #[must_use]
    pub const fn asked_by(self, origin: Option<Box<Origin>>) -> Asked {
        Asked { command: self, origin }
    }

    fn text_bytes(&self) -> usize {
        match self {
            Self::Submit(submit) => size_of::<SubmitPayment>() + submit.submission.text_bytes(),
            Self::Amend(amend) => size_of::<PaymentPatch>() + amend.patch.text_bytes(),
            Self::Operate(_) => 0,
        }
    }

    /// The account that asks.
    #[must_use]
    pub fn actor(&self) -> AccountId {
        match self {
            Self::Submit(submit) => submit.submission.owner,
            Self::Operate(operate) => operate.actor,
            Self::Amend(amend) => amend.actor,
        }
    }

    /// The idempotency key it carries.
    #[must_use]
    pub fn idempotency(&self) -> Option<&IdempotencyKey> {
        match self {
            Self::Submit(submit) => submit.idempotency.as_ref(),
            Self::Operate(operate) => operate.idempotency.as_ref(),
            Self::Amend(amend) => amend.idempotency.as_ref(),
        }
    }

    /// The payment that it is about.
    #[must_use]
    pub fn payment(&self) -> PaymentId {
        match self {
            Self::Submit(submit) => submit.submission.id,
            Self::Operate(operate) => operate.payment,
            Self::Amend(amend) => amend.payment,
        }
    }

    /// The plain resource that it names, which must be loaded when it is decided.
    #[must_use]
    pub fn resource(&self) -> Option<Subject> {
        match self {
            Self::Submit(submit) => submit.submission.customer.map(Subject::from),
            Self::Amend(amend) => amend.patch.customer.map(Subject::from),
            Self::Operate(_) => None,
        }
    }
}
