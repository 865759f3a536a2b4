//! Commands: what the edges, the worker and the timers ask the writer to decide. Ids, fingerprints and times are made
//! before a command is built, so that deciding it is pure.

use super::amendment::{AmendPayment, PaymentPatch};
use super::decline::DeclineReason;
use super::event::{CancelReason, TechnicalError};
pub use super::idempotency::IdempotencyKey;
use super::ids::{AccountId, ChargeId, PaymentId, RefundId};
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
    /// What is asked for.
    pub submission: Submission,
    /// The card, for charges and added money; the other kinds leave no choice.
    pub instrument: Option<Instrument>,
    /// Whether it goes at once.
    pub confirm: bool,
    /// The caller's idempotency key.
    pub idempotency: Option<IdempotencyKey>,
}

/// What can be done to an existing payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Give the word to go, perhaps with another card.
    Confirm {
        /// The instrument to use from now on, if it changes.
        instrument: Option<Instrument>,
        /// What is said of this attempt, with whichever card.
        presented: Presented,
        /// The charge of this attempt.
        charge: ChargeId,
    },
    /// Take what was authorised.
    Capture {
        /// How much; all of it by default.
        amount_minor: Option<i64>,
    },
    /// Call it off.
    Cancel {
        /// Why.
        reason: CancelReason,
    },
    /// Give money back.
    Refund {
        /// The new refund's id.
        refund: RefundId,
        /// How much; what is left by default.
        amount_minor: Option<i64>,
        /// Names what is kept beside it; see [`super::event::Event::RefundQueued`].
        detail: Option<u64>,
    },
    /// The cardholder answered the 3-D Secure challenge.
    CompleteAction {
        /// Whether they passed.
        passed: bool,
    },
    /// Try a parked operation again.
    Replay,
}

/// Operate on a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OperatePayment {
    /// Which.
    pub payment: PaymentId,
    /// Who asks; anyone but the owner is told that there is no such payment.
    pub actor: AccountId,
    /// What.
    pub action: Action,
    /// The caller's idempotency key.
    pub idempotency: Option<IdempotencyKey>,
}

/// What the outside said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Yes.
    Approved,
    /// No.
    Declined(DeclineReason),
    /// The cardholder has to prove themselves first.
    ActionRequired,
    /// Accepted; settles after this many milliseconds of the account's time.
    Pending {
        /// How long it takes.
        settles_after_ms: u64,
    },
    /// No usable answer.
    TechnicalFailure(TechnicalError),
}

/// The acquirer's answer to one attempt of one operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// Which attempt this answers.
    pub work: WorkKey,
    /// When the worker took it up.
    pub started_at: Timestamp,
    /// The answer.
    pub outcome: Outcome,
}

/// Everything the writer accepts.
#[derive(Debug, Clone)]
pub enum Command {
    /// A new payment.
    Submit(Box<SubmitPayment>),
    /// An operation on a payment.
    Operate(OperatePayment),
    /// An acquirer's answer.
    Answer(Answer),
    /// A payment's `due_at` has come.
    TimerDue(PaymentId),
    /// A change of what is said of a payment.
    Amend(Box<AmendPayment>),
    /// A change of a plain resource.
    Change(Box<ChangeResource>),
}

/// A command, and the request of the API that asked for it, where one did and its account is told of that.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The command.
    pub command: Command,
    /// The request. In a box: most commands have none.
    pub origin: Option<Box<Origin>>,
}

impl Asked {
    /// What it takes up in memory, near enough, and in the rows that come of it.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let origin = self.origin.as_ref().map_or(0, |origin| size_of::<Origin>() + origin.text_bytes());
        self.command.bytes() + origin
    }
}

impl From<Command> for Asked {
    fn from(command: Command) -> Self {
        Self { command, origin: None }
    }
}

impl From<ChangeResource> for Asked {
    fn from(change: ChangeResource) -> Self {
        Command::Change(Box::new(change)).into()
    }
}

impl Command {
    /// The same, asked for by this request.
    #[must_use]
    pub const fn asked_by(self, origin: Option<Box<Origin>>) -> Asked {
        Asked { command: self, origin }
    }

    /// What it takes up in memory, near enough, and in the rows that come of it.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let own = std::mem::size_of::<Self>() + 256;
        match self {
            Self::Submit(submit) => {
                own + std::mem::size_of::<SubmitPayment>() + submit.submission.text_bytes()
            }
            Self::Amend(amend) => own + std::mem::size_of::<PaymentPatch>() + amend.patch.text_bytes(),
            Self::Change(change) => own + std::mem::size_of::<ChangeResource>() + change.text_bytes(),
            Self::Operate(_) | Self::Answer(_) | Self::TimerDue(_) => own,
        }
    }

    /// The idempotency key it carries.
    #[must_use]
    pub fn idempotency(&self) -> Option<&IdempotencyKey> {
        match self {
            Self::Submit(submit) => submit.idempotency.as_ref(),
            Self::Operate(operate) => operate.idempotency.as_ref(),
            Self::Amend(amend) => amend.idempotency.as_ref(),
            Self::Change(change) => change.idempotency.as_ref(),
            Self::Answer(_) | Self::TimerDue(_) => None,
        }
    }

    /// What it is about: of several things that it touches, the first.
    #[must_use]
    pub fn subject(&self) -> Subject {
        match self {
            Self::Submit(submit) => submit.submission.id.into(),
            Self::Operate(operate) => operate.payment.into(),
            Self::Answer(answer) => answer.work.payment.into(),
            Self::TimerDue(payment) => (*payment).into(),
            Self::Amend(amend) => amend.payment.into(),
            Self::Change(change) => change.subject,
        }
    }

    /// The payment that it is about.
    #[must_use]
    pub fn payment(&self) -> Option<PaymentId> {
        self.subject().payment()
    }

    /// The plain resource that it changes or names, which must be there when it is decided.
    #[must_use]
    pub fn resource(&self) -> Option<Subject> {
        match self {
            Self::Submit(submit) => submit.submission.customer.map(Subject::from),
            Self::Amend(amend) => amend.patch.customer.map(Subject::from),
            Self::Change(change) => Some(change.subject),
            Self::Operate(_) | Self::Answer(_) | Self::TimerDue(_) => None,
        }
    }
}
