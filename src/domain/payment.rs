//! The payment aggregate: an immutable submission, a bounded history, and the state folded from it.
//!
//! `apply` is the only way state changes. Nothing here decides; see [`super::decide`].

use std::sync::Arc;

use super::card::Card;
use super::decline::DeclineReason;
use super::event::{CancelReason, Event, Recorded, TechnicalError};
use super::ids::{AccountId, PaymentId, RefundId};
use super::money::Money;
use super::status::Status;
use super::submission::Submission;
use super::time::Timestamp;

/// The longest history a payment may have; refused beyond, so that an aggregate stays small.
pub const HISTORY_MAX: usize = 1_000;

/// What an operation asks the acquirer for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OperationKind {
    /// Take (or, with manual capture, hold) the amount.
    Authorize,
    /// Take some or all of what is held.
    Capture {
        /// How much.
        amount_minor: i64,
    },
    /// Release what is held.
    Void,
    /// Give some or all back.
    Refund {
        /// Which refund.
        refund: RefundId,
        /// How much.
        amount_minor: i64,
    },
}

impl OperationKind {
    /// The name used in draws and reports.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Authorize => "authorize",
            Self::Capture { .. } => "capture",
            Self::Void => "void",
            Self::Refund { .. } => "refund",
        }
    }

    /// What it is called on pages.
    #[must_use]
    pub const fn words(&self) -> &'static str {
        match self {
            Self::Authorize => "authorisation",
            Self::Capture { .. } => "capture",
            Self::Void => "release",
            Self::Refund { .. } => "refund",
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
        /// When that is.
        due_at: Timestamp,
    },
    /// Accepted outside, settles later.
    Pending {
        /// When that is.
        settles_at: Timestamp,
    },
    /// Its retries are spent.
    Parked {
        /// What broke last.
        cause: TechnicalError,
    },
}

/// An operation that has no final answer yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Operation {
    /// Counts the payment's operations from 1.
    pub number: u16,
    /// What is asked.
    pub kind: OperationKind,
    /// The attempt under way, counted from 1 and never reset.
    pub attempt: u16,
    /// The attempt from which retries are counted: 1, or the first after a replay.
    pub first_attempt: u16,
    /// Where it stands.
    pub phase: Phase,
}

impl Operation {
    const fn new(number: u16, kind: OperationKind) -> Self {
        Self { number, kind, attempt: 1, first_attempt: 1, phase: Phase::Queued }
    }

    /// How many retries were used since the start or the last replay.
    #[must_use]
    pub const fn retries_used(&self) -> u16 {
        self.attempt.saturating_sub(self.first_attempt)
    }

    /// When someone must look at it, if it waits for a time.
    #[must_use]
    pub const fn due_at(&self) -> Option<Timestamp> {
        match self.phase {
            Phase::Waiting { due_at } => Some(due_at),
            Phase::Pending { settles_at } => Some(settles_at),
            Phase::Queued | Phase::Parked { .. } => None,
        }
    }

    fn wait(&mut self, due_at: Timestamp) {
        self.phase = Phase::Waiting { due_at };
    }

    fn next_attempt(&mut self) {
        self.attempt = self.attempt.saturating_add(1);
        self.phase = Phase::Queued;
    }

    fn replay(&mut self) {
        self.next_attempt();
        self.first_attempt = self.attempt;
    }
}

/// The state of one refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefundStatus {
    /// Admitted; the amount is in transit.
    Pending,
    /// Arrived.
    Succeeded,
    /// Not made; the amount is back in the wallet.
    Failed(DeclineReason),
}

impl RefundStatus {
    /// The dialect's name.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Succeeded => "succeeded",
            Self::Failed(_) => "failed",
        }
    }
}

/// A refund of the payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Refund {
    /// Its id.
    pub id: RefundId,
    /// How much.
    pub amount_minor: i64,
    /// Its status.
    pub status: RefundStatus,
    /// When it was admitted.
    pub created_at: Timestamp,
}

/// What the history folds to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// The status.
    pub status: Status,
    /// The card in use.
    pub card: Option<Card>,
    /// Whether a card or wallet to take from is known.
    pub has_source: bool,
    /// The open authorisation, capture or void; at most one.
    pub operation: Option<Operation>,
    /// Open refund operations.
    pub refund_operations: Vec<Operation>,
    /// All refunds, oldest first.
    pub refunds: Vec<Refund>,
    /// How many operations there have been.
    pub operations: u16,
    /// What arrived, in minor units: the amount, or the part captured.
    pub received_minor: i64,
    /// Whether the amount is reserved in transit (wallet sources).
    pub reserved: bool,
    /// When an open authorisation lapses.
    pub capture_before: Option<Timestamp>,
    /// The wish to cancel, while the outcome is open.
    pub cancel_wish: Option<CancelReason>,
    /// Why it was called off.
    pub canceled: Option<CancelReason>,
    /// The last decline of the payment itself.
    pub decline: Option<DeclineReason>,
    /// The last technical error.
    pub technical: Option<TechnicalError>,
    /// Whether the cardholder completed 3-D Secure for the current card.
    pub authenticated: bool,
    /// When its current authorisation was queued.
    pub queued_at: Option<Timestamp>,
    /// When a worker last took it up.
    pub started_at: Option<Timestamp>,
    /// When it last came to rest.
    pub settled_at: Option<Timestamp>,
    /// When the last event was recorded.
    pub updated_at: Timestamp,
}

/// A unit of work in a queue: which attempt of which operation of which payment. Its identity for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkKey {
    /// The payment.
    pub payment: PaymentId,
    /// The operation's number.
    pub operation: u16,
    /// The attempt.
    pub attempt: u16,
}

/// An event that is not legal where it was applied. Only a defect or a corrupted store can cause it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("event {event} is not legal in status {status}")]
pub struct IllegalEvent {
    /// The event's name.
    pub event: &'static str,
    /// The status it met.
    pub status: &'static str,
}

/// A payment: submission, history, state. Cheap to clone behind an [`Arc`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    submission: Arc<Submission>,
    history: Vec<Recorded>,
    state: State,
}

impl Payment {
    /// A payment whose history opens with `created`.
    ///
    /// # Errors
    /// [`IllegalEvent`] if it is anything but [`Event::Created`].
    pub fn open(submission: Arc<Submission>, created: Recorded) -> Result<Self, IllegalEvent> {
        let Event::Created { card, reserved, .. } = created.event else {
            return Err(IllegalEvent { event: created.event.name(), status: "none" });
        };
        let has_source = card.is_some() || submission.kind.takes_from_wallet();
        let illegal = IllegalEvent { event: created.event.name(), status: "none" };
        let status = created.event.opening_status(has_source).ok_or(illegal)?;
        let mut state = State {
            status,
            card,
            has_source,
            operation: None,
            refund_operations: Vec::new(),
            refunds: Vec::new(),
            operations: 0,
            received_minor: 0,
            reserved,
            capture_before: None,
            cancel_wish: None,
            canceled: None,
            decline: None,
            technical: None,
            authenticated: false,
            queued_at: None,
            started_at: None,
            settled_at: None,
            updated_at: created.at,
        };
        if status == Status::Queued {
            state.open_authorization(created.at);
        }
        Ok(Self { submission, history: vec![created], state })
    }

    /// Folds a whole history.
    ///
    /// # Errors
    /// [`IllegalEvent`] at the first event that cannot follow.
    pub fn fold(submission: Arc<Submission>, history: &[Recorded]) -> Result<Self, IllegalEvent> {
        let (first, rest) = history.split_first().ok_or(IllegalEvent { event: "nothing", status: "none" })?;
        let mut payment = Self::open(submission, *first)?;
        payment.history.reserve(rest.len());
        for recorded in rest {
            payment.apply(*recorded)?;
        }
        Ok(payment)
    }

    /// The payment as it was at `version`; `None` if it never had that version.
    #[must_use]
    pub fn at_version(&self, version: u32) -> Option<Self> {
        let count = usize::try_from(version).ok()?;
        Self::fold(Arc::clone(&self.submission), self.history.get(..count)?).ok()
    }

    /// Applies one event.
    ///
    /// # Errors
    /// [`IllegalEvent`] if it may not follow in this state; the payment is unchanged then.
    pub fn apply(&mut self, recorded: Recorded) -> Result<(), IllegalEvent> {
        let Recorded { at, event } = recorded;
        let from = self.state.status;
        let illegal = IllegalEvent { event: event.name(), status: from.as_str() };
        let status = from.after(&event).ok_or(illegal)?;
        self.state.apply(at, &event, self.submission.amount.amount_minor);
        self.state.status = status;
        self.state.updated_at = at;
        if status.is_at_rest() && !from.is_at_rest() {
            self.state.settled_at = Some(at);
        }
        self.history.push(recorded);
        Ok(())
    }

    /// What was asked for.
    #[must_use]
    pub const fn submission(&self) -> &Arc<Submission> {
        &self.submission
    }

    /// The id.
    #[must_use]
    pub fn id(&self) -> PaymentId {
        self.submission.id
    }

    /// The submitter.
    #[must_use]
    pub fn owner(&self) -> AccountId {
        self.submission.owner
    }

    /// The facts, oldest first.
    #[must_use]
    pub fn history(&self) -> &[Recorded] {
        &self.history
    }

    /// What they fold to.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// The number of events so far: what readers order by.
    #[must_use]
    pub fn version(&self) -> u32 {
        u32::try_from(self.history.len()).unwrap_or(u32::MAX)
    }

    /// The refund with this id.
    #[must_use]
    pub fn refund(&self, id: RefundId) -> Option<&Refund> {
        self.state.refunds.iter().find(|refund| refund.id == id)
    }

    /// Every operation without a final answer.
    pub fn operations(&self) -> impl Iterator<Item = &Operation> {
        self.state.operation.iter().chain(self.state.refund_operations.iter())
    }

    /// The open operation with this number.
    #[must_use]
    pub fn operation(&self, number: u16) -> Option<&Operation> {
        self.operations().find(|operation| operation.number == number)
    }

    /// What belongs in the work queue now.
    pub fn queued_work(&self) -> impl Iterator<Item = WorkKey> + '_ {
        self.operations().filter(|operation| operation.phase == Phase::Queued).map(|operation| WorkKey {
            payment: self.id(),
            operation: operation.number,
            attempt: operation.attempt,
        })
    }

    /// The next time someone must look at this payment: a retry, a settlement, an expiry.
    #[must_use]
    pub fn due_at(&self) -> Option<Timestamp> {
        let expiry = match (self.state.status, &self.state.operation) {
            (Status::RequiresCapture, None) => self.state.capture_before,
            _ => None,
        };
        self.operations().filter_map(Operation::due_at).chain(expiry).min()
    }

    /// Whether an operation is parked and waits for someone to replay it.
    #[must_use]
    pub fn is_parked(&self) -> bool {
        self.operations().any(|operation| matches!(operation.phase, Phase::Parked { .. }))
    }

    /// What has been refunded or is on its way back, in minor units.
    #[must_use]
    pub fn refunded_minor(&self) -> i64 {
        let counts = |refund: &&Refund| !matches!(refund.status, RefundStatus::Failed(_));
        self.state.refunds.iter().filter(counts).map(|refund| refund.amount_minor).sum()
    }

    /// What a capture took, where that is less than what was held.
    #[must_use]
    pub fn captured_part(&self) -> Option<Money> {
        let amount = self.submission.amount;
        let part = self.state.status == Status::Succeeded && self.state.received_minor != amount.amount_minor;
        part.then(|| Money::new(self.state.received_minor, amount.currency))
    }

    /// What has left the submitter's wallet and not arrived yet, in minor units: the amount while it is reserved, refunds on their way.
    #[must_use]
    pub fn in_transit_minor(&self) -> i64 {
        let reserved = if self.state.reserved { self.submission.amount.amount_minor } else { 0 };
        let pending = |refund: &&Refund| refund.status == RefundStatus::Pending;
        let refunds: i64 = self.state.refunds.iter().filter(pending).map(|refund| refund.amount_minor).sum();
        reserved.saturating_add(refunds)
    }

    /// What could still be refunded, in minor units.
    #[must_use]
    pub fn refundable_minor(&self) -> i64 {
        self.state.received_minor.saturating_sub(self.refunded_minor())
    }
}

impl State {
    fn open_operation(&mut self, kind: OperationKind) -> Operation {
        self.operations = self.operations.saturating_add(1);
        Operation::new(self.operations, kind)
    }

    fn open_authorization(&mut self, at: Timestamp) {
        self.operation = Some(self.open_operation(OperationKind::Authorize));
        self.queued_at = Some(at);
        self.started_at = None;
        self.settled_at = None;
        self.decline = None;
        self.technical = None;
    }

    fn close(&mut self) {
        self.operation = None;
        self.cancel_wish = None;
    }

    fn any_operation(&mut self, number: u16) -> Option<&mut Operation> {
        self.operation
            .iter_mut()
            .chain(self.refund_operations.iter_mut())
            .find(|operation| operation.number == number)
    }

    fn finish_refund(&mut self, id: RefundId, status: RefundStatus) {
        for refund in self.refunds.iter_mut().filter(|refund| refund.id == id) {
            refund.status = status;
        }
        self.refund_operations.retain(
            |operation| !matches!(operation.kind, OperationKind::Refund { refund, .. } if refund == id),
        );
    }

    /// The effect of an event on everything but the status. One arm per event.
    fn apply(&mut self, at: Timestamp, event: &Event, whole_minor: i64) {
        match *event {
            Event::Created { .. } => {}
            Event::Confirmed { card } => {
                if card.is_some() {
                    self.card = card;
                    self.has_source = true;
                    self.authenticated = false;
                }
                self.open_authorization(at);
            }
            Event::Started { at } => self.started_at = Some(at),
            Event::ActionRequired {} => self.close(),
            Event::ActionCompleted {} => {
                self.authenticated = true;
                self.open_authorization(at);
            }
            Event::Authorized { capture_before } => {
                self.operation = None;
                self.capture_before = Some(capture_before);
            }
            Event::Succeeded {} => {
                self.close();
                self.reserved = false;
                self.received_minor = whole_minor;
            }
            Event::Declined { reason } => {
                self.close();
                self.reserved = false;
                self.decline = Some(reason);
            }
            Event::Pending { settles_at } => {
                if let Some(operation) = self.operation.as_mut() {
                    operation.phase = Phase::Pending { settles_at };
                }
            }
            Event::RetryScheduled { due_at, cause } => {
                self.technical = Some(cause);
                self.operation.iter_mut().for_each(|operation| operation.wait(due_at));
            }
            Event::Requeued {} => self.operation.iter_mut().for_each(Operation::next_attempt),
            Event::Failed { cause } => {
                self.technical = Some(cause);
                self.reserved = false;
                self.operation.iter_mut().for_each(|operation| operation.phase = Phase::Parked { cause });
            }
            Event::Replayed { reserved } => {
                self.reserved = reserved;
                self.settled_at = None;
                self.operation.iter_mut().for_each(Operation::replay);
            }
            Event::CancelRequested { reason } => self.cancel_wish = Some(reason),
            Event::Canceled { reason } => {
                self.close();
                self.reserved = false;
                self.canceled = Some(reason);
            }
            Event::CaptureQueued { amount_minor } => {
                self.operation = Some(self.open_operation(OperationKind::Capture { amount_minor }));
            }
            Event::Captured { amount_minor } => {
                self.close();
                self.received_minor = amount_minor;
                self.settled_at = Some(at);
            }
            Event::CaptureDeclined { reason } => {
                self.close();
                self.decline = Some(reason);
            }
            Event::VoidQueued { reason } => {
                self.canceled = Some(reason);
                self.operation = Some(self.open_operation(OperationKind::Void));
            }
            Event::Voided {} => {
                self.close();
                self.settled_at = Some(at);
            }
            Event::RefundQueued { refund, amount_minor } => {
                let operation = self.open_operation(OperationKind::Refund { refund, amount_minor });
                self.refund_operations.push(operation);
                self.refunds.push(Refund {
                    id: refund,
                    amount_minor,
                    status: RefundStatus::Pending,
                    created_at: at,
                });
            }
            Event::RefundSucceeded { refund } => self.finish_refund(refund, RefundStatus::Succeeded),
            Event::RefundFailed { refund, reason } => {
                self.finish_refund(refund, RefundStatus::Failed(reason))
            }
            Event::OperationRetryScheduled { operation, due_at, .. } => {
                self.any_operation(operation).into_iter().for_each(|operation| operation.wait(due_at));
            }
            Event::OperationRequeued { operation } => {
                self.any_operation(operation).into_iter().for_each(Operation::next_attempt);
            }
            Event::OperationParked { operation, cause } => {
                self.any_operation(operation)
                    .into_iter()
                    .for_each(|operation| operation.phase = Phase::Parked { cause });
            }
            Event::OperationReplayed { operation } => {
                self.any_operation(operation).into_iter().for_each(Operation::replay);
            }
        }
    }
}
