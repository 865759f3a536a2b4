//! The payment aggregate: an immutable submission, a bounded history, and the state folded from it. What callers change later
//! are amendments: events that name the terms in force from then on. Readers see the payment with its current terms.
//!
//! `apply` is the only way state changes. Nothing here decides; see [`super::decide`].

use std::sync::Arc;

use super::charge::{Charge, ChargeOutcome};
use super::decline::DeclineReason;
use super::dispute::Dispute;
use super::event::{Event, Recorded};
use super::ids::{AccountId, ChargeId, ClockId, CustomerId, DisputeId, FraudWarningId, PaymentId, RefundId};
use super::money::Money;
use super::status::Status;
use super::submission::Submission;
use super::terms::Terms;
use super::time::Timestamp;

pub use super::operation::{FollowUp, Operation, OperationKind, OperationName, Phase};
pub use super::state::{FraudWarning, Refund, RefundStatus, State};

/// The longest history a payment may have; refused beyond, so that an aggregate stays small.
pub const HISTORY_MAX: usize = 1_000;

/// The permanent identity of a unit of work in a queue: one attempt of one operation of one payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkKey {
    /// The payment it belongs to.
    pub payment: PaymentId,
    /// The operation's number, counted from 1 within the payment.
    pub operation: u16,
    /// The attempt, counted from 1 within the operation.
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
    submitted: Arc<Submission>,
    /// With all amendments applied; the same `Arc` where nothing was amended.
    submission: Arc<Submission>,
    amendments: u16,
    /// The version of the amendment whose terms are in force; `None` for the submission's own.
    terms_version: Option<u32>,
    /// The terms of an amendment, with its version; `None` where they have not been read.
    terms: Option<(u32, Arc<Terms>)>,
    history: Vec<Recorded>,
    state: State,
}

impl Payment {
    /// A payment whose history opens with `created`.
    ///
    /// # Errors
    /// [`IllegalEvent`] if it is anything but [`Event::Created`].
    pub fn open(submission: Arc<Submission>, created: Recorded) -> Result<Self, IllegalEvent> {
        let Event::Created { instrument, reserved, .. } = created.event else {
            return Err(IllegalEvent { event: created.event.name(), status: "none" });
        };
        let illegal = IllegalEvent { event: created.event.name(), status: "none" };
        let status = created.event.opening_status().ok_or(illegal)?;
        let mut state = State {
            status,
            instrument,
            charges: Vec::new(),
            operation: None,
            refund_operations: Vec::new(),
            refunds: Vec::new(),
            operations: 0,
            authorized_minor: 0,
            received_minor: 0,
            reserved,
            capture_before: None,
            cancel_requested: None,
            canceled_at: None,
            canceled: None,
            decline: None,
            technical: None,
            authenticated: false,
            queued_at: None,
            started_at: None,
            settled_at: None,
            settled_wall: None,
            fee_minor: 0,
            pending_minor: 0,
            available_at: None,
            updated_at: created.at,
            disputes: Vec::new(),
            warnings: Vec::new(),
            foreseen_at: None,
            foreseen: None,
        };
        if status == Status::Queued {
            state.open_authorization(&created);
            let charge = ChargeId::of_payment(submission.id);
            state.open_charge(charge, submission.amount.amount_minor, created.at);
        }
        Ok(Self {
            submitted: Arc::clone(&submission),
            submission,
            amendments: 0,
            terms_version: None,
            terms: None,
            history: vec![created],
            state,
        })
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
        let then = Self::fold(Arc::clone(&self.submitted), self.history.get(..count)?).ok()?;
        Some(then.with_terms_of(self))
    }

    /// Rebuilt from the submission and the history.
    ///
    /// # Errors
    /// As [`Self::fold`].
    pub fn refolded(&self) -> Result<Self, IllegalEvent> {
        Ok(Self::fold(Arc::clone(&self.submitted), &self.history)?.with_terms_of(self))
    }

    /// With the terms that `other` has read, where both are at the same amendment.
    fn with_terms_of(self, other: &Self) -> Self {
        match &other.terms {
            Some((version, terms)) => self.with_terms(*version, Arc::clone(terms)),
            None => self,
        }
    }

    /// With the terms of the amendment of this version, if that is the one in force.
    #[must_use]
    pub fn with_terms(mut self, version: u32, terms: Arc<Terms>) -> Self {
        self.read_terms(version, terms);
        self
    }

    /// Takes in the terms of the amendment of this version, if that is the one in force.
    pub fn read_terms(&mut self, version: u32, terms: Arc<Terms>) {
        if self.terms_version == Some(version) {
            let submission = Arc::make_mut(&mut self.submission);
            submission.description.clone_from(&terms.description);
            submission.metadata.clone_from(&terms.metadata);
            submission.customer = terms.customer;
            self.terms = Some((version, terms));
        }
    }

    /// The amendment whose terms must still be read before the payment's current terms are known: its version, and the name of
    /// its terms.
    #[must_use]
    pub fn unread_terms(&self) -> Option<(u32, u64)> {
        let version =
            self.terms_version.filter(|wanted| self.terms.as_ref().is_none_or(|(read, _)| read != wanted))?;
        let at = usize::try_from(version).ok()?.checked_sub(1)?;
        match self.history.get(at).map(|recorded| recorded.event) {
            Some(Event::Amended { terms: Some(name), .. }) => Some((version, name)),
            Some(_) | None => None,
        }
    }

    /// The terms in force now.
    #[must_use]
    pub fn terms(&self) -> Terms {
        self.amended().cloned().unwrap_or_else(|| Terms::of(&self.submission))
    }

    /// The terms in force, if they come from an amendment and have been read.
    #[must_use]
    pub fn amended(&self) -> Option<&Terms> {
        self.terms.as_ref().map(|(_, terms)| terms.as_ref())
    }

    /// How often it was amended.
    #[must_use]
    pub fn amendments(&self) -> usize {
        usize::from(self.amendments)
    }

    /// The version at the end of the batch that brought `version`. Versions within a batch were never committed by themselves:
    /// nobody saw them, and nobody may be notified of them.
    #[must_use]
    pub fn end_of_batch(&self, version: u32) -> u32 {
        let index = usize::try_from(version.saturating_sub(1)).unwrap_or(usize::MAX);
        let Some((first, later)) = self.history.get(index..).and_then(<[Recorded]>::split_first) else {
            return version;
        };
        let further = later.iter().take_while(|recorded| recorded.wall == first.wall).count();
        version.saturating_add(u32::try_from(further).unwrap_or(u32::MAX))
    }

    /// The payment at the first end of a batch, from `version` on, at which `fits` holds.
    #[must_use]
    pub fn first_at_end_of_batch(&self, version: u32, fits: impl Fn(&Self) -> bool) -> Option<Self> {
        let mut then = self.at_version(self.end_of_batch(version))?;
        loop {
            if fits(&then) {
                return Some(then.with_terms_of(self));
            }
            let next = self.end_of_batch(then.version().saturating_add(1));
            let from = then.history.len();
            for recorded in self.history.get(from..usize::try_from(next).ok()?)? {
                then.apply(*recorded).ok()?;
            }
        }
    }

    /// Whether an operation waits for a worker or for its next attempt, so that more events follow soon.
    #[must_use]
    pub fn is_under_way(&self) -> bool {
        self.operations().any(|operation| matches!(operation.phase, Phase::Queued | Phase::Waiting { .. }))
    }

    /// Whether the last attempt got no further than 3-D Secure: the cardholder was challenged and has not authenticated, or the
    /// lookup failed. No issuer was asked for money then.
    #[must_use]
    pub fn ended_at_authentication(&self) -> bool {
        let state = &self.state;
        let failed = state.decline == Some(DeclineReason::AuthenticationFailure);
        match state.status {
            Status::RequiresAction => true,
            Status::Declined => failed || self.broke_at_lookup(),
            // Canceled while it waited for the cardholder.
            Status::Canceled => {
                let asked =
                    state.decline.is_some() || state.capture_before.is_some() || state.technical.is_some();
                !asked || failed || self.broke_at_lookup()
            }
            Status::RequiresPaymentMethod
            | Status::RequiresConfirmation
            | Status::Queued
            | Status::Processing
            | Status::RequiresCapture
            | Status::Succeeded
            | Status::Failed => false,
        }
    }

    /// Whether the last attempt was declined because the card's 3-D Secure lookup failed.
    #[must_use]
    pub fn broke_at_lookup(&self) -> bool {
        self.state.charges.last().is_some_and(Charge::broke_at_lookup)
    }

    /// Applies one event.
    ///
    /// # Errors
    /// [`IllegalEvent`] if it may not follow in this state; the payment is unchanged then.
    pub fn apply(&mut self, recorded: Recorded) -> Result<(), IllegalEvent> {
        let event = recorded.event;
        let from = self.state.status;
        let illegal = IllegalEvent { event: event.name(), status: from.as_str() };
        let status = from.after(&event).ok_or(illegal)?;
        if let Event::Amended { amount_minor, terms } = event {
            self.amend(amount_minor, terms.is_some());
        }
        self.state.apply(&recorded, self.submission.amount.amount_minor);
        self.state.status = status;
        self.state.updated_at = recorded.at;
        if status.is_at_rest() && !from.is_at_rest() {
            self.state.rest(&recorded);
        }
        self.history.push(recorded);
        Ok(())
    }

    fn amend(&mut self, amount_minor: Option<i64>, terms: bool) {
        self.amendments = self.amendments.saturating_add(1);
        if let Some(amount_minor) = amount_minor {
            Arc::make_mut(&mut self.submission).amount.amount_minor = amount_minor;
        }
        if terms {
            self.terms_version = Some(self.version().saturating_add(1));
        }
    }

    /// Approximate bytes held in memory, for bounding caches and queues of payments.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let state = &self.state;
        size_of::<Self>()
            + self.submitted.memory_bytes()
            + self.amended_bytes()
            + self.history.capacity() * size_of::<Recorded>()
            + state.refunds.capacity() * size_of::<Refund>()
            + state.charges.capacity() * size_of::<Charge>()
            + state.refund_operations.capacity() * size_of::<Operation>()
            + state.disputes.capacity() * size_of::<Dispute>()
            + state.warnings.capacity() * size_of::<FraudWarning>()
    }

    /// The part of [`Self::memory_bytes`] that amendments added.
    fn amended_bytes(&self) -> usize {
        let same = Arc::ptr_eq(&self.submitted, &self.submission);
        let own = if same { 0 } else { self.submission.memory_bytes() };
        own + self.terms.as_ref().map_or(0, |(_, terms)| size_of::<Terms>() + terms.text_bytes())
    }

    /// The submission with all amendments applied.
    #[must_use]
    pub const fn submission(&self) -> &Arc<Submission> {
        &self.submission
    }

    /// The original submission, as stored. For storage and audit.
    #[must_use]
    pub const fn submitted(&self) -> &Arc<Submission> {
        &self.submitted
    }

    /// The current amount, amendments included.
    #[must_use]
    pub fn amount(&self) -> Money {
        self.submission.amount
    }

    /// The current description, amendments included.
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        self.submission.description.as_deref()
    }

    /// The current metadata, amendments included.
    #[must_use]
    pub fn metadata(&self) -> &[(String, String)] {
        &self.submission.metadata
    }

    /// The current customer, amendments included.
    #[must_use]
    pub fn customer(&self) -> Option<CustomerId> {
        self.submission.customer
    }

    /// The id, which never changes.
    #[must_use]
    pub fn id(&self) -> PaymentId {
        self.submission.id
    }

    /// The submitting account: merchant of a charge, owner of the wallet otherwise.
    #[must_use]
    pub fn owner(&self) -> AccountId {
        self.submission.owner
    }

    /// Its events, oldest first.
    #[must_use]
    pub fn history(&self) -> &[Recorded] {
        &self.history
    }

    /// The state folded from the history.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// When it was created, by its clock.
    #[must_use]
    pub fn created_at(&self) -> Timestamp {
        self.history.first().map_or(self.state.updated_at, |created| created.at)
    }

    /// When it was requested, by the wall clock: its id is made as the request comes in.
    #[must_use]
    pub fn asked_at(&self) -> Timestamp {
        let decided = self.history.first().map_or(self.state.updated_at, |created| created.wall);
        self.id().generated_at().map_or(decided, |made| made.min(decided))
    }

    /// Wall-clock microseconds from the request until it came to rest; `None` while it is under way.
    #[must_use]
    pub fn took_us(&self) -> Option<u64> {
        Some(self.state.settled_wall?.micros_since(self.asked_at()))
    }

    /// When its last batch was decided, by the wall clock.
    #[must_use]
    pub fn wall(&self) -> Timestamp {
        self.history.last().map_or(self.state.updated_at, |recorded| recorded.wall)
    }

    /// The number of events so far; readers order by it.
    #[must_use]
    pub fn version(&self) -> u32 {
        u32::try_from(self.history.len()).unwrap_or(u32::MAX)
    }

    /// The refund with this id.
    #[must_use]
    pub fn refund(&self, id: RefundId) -> Option<&Refund> {
        self.state.refunds.iter().find(|refund| refund.id == id)
    }

    /// The dispute with this id.
    #[must_use]
    pub fn dispute(&self, id: DisputeId) -> Option<&Dispute> {
        self.state.disputes.iter().find(|dispute| dispute.id == id)
    }

    /// The early fraud warning with this id.
    #[must_use]
    pub fn warning(&self, id: FraudWarningId) -> Option<&FraudWarning> {
        self.state.warnings.iter().find(|warning| warning.id == id)
    }

    /// The attempts that came to a charge, oldest first.
    pub fn charges(&self) -> impl DoubleEndedIterator<Item = &Charge> {
        self.state.charges.iter().filter(|charge| charge.exists())
    }

    /// The charge with this id.
    #[must_use]
    pub fn charge(&self, id: ChargeId) -> Option<&Charge> {
        self.charges().find(|charge| charge.id == id)
    }

    /// The charge of the last attempt, if an issuer was asked for money.
    #[must_use]
    pub fn charge_of_last_attempt(&self) -> Option<&Charge> {
        self.state.charges.last().filter(|charge| charge.exists())
    }

    /// The charge that took the money, from which refunds give back; at most one does.
    #[must_use]
    pub fn charge_taken(&self) -> Option<&Charge> {
        self.charges().find(|charge| charge.outcome == ChargeOutcome::Taken)
    }

    /// The open operations: those without a final answer.
    pub fn operations(&self) -> impl Iterator<Item = &Operation> {
        self.state.operation.iter().chain(self.state.refund_operations.iter())
    }

    /// The open operation with this number.
    #[must_use]
    pub fn operation(&self, number: u16) -> Option<&Operation> {
        self.operations().find(|operation| operation.number == number)
    }

    /// The operations that belong in the work queue now.
    pub fn queued_operations(&self) -> impl Iterator<Item = &Operation> {
        self.operations().filter(|operation| operation.phase == Phase::Queued)
    }

    /// The keys of the operations that belong in the work queue now.
    pub fn queued_work(&self) -> impl Iterator<Item = WorkKey> + '_ {
        self.queued_operations().map(|operation| self.work_of(operation))
    }

    /// The work key of an operation's current attempt.
    #[must_use]
    pub fn work_of(&self, operation: &Operation) -> WorkKey {
        WorkKey { payment: self.id(), operation: operation.number, attempt: operation.attempt }
    }

    /// The clock it runs on.
    #[must_use]
    pub fn clock(&self) -> ClockId {
        self.submission.clock
    }

    /// When this payment next needs attention: a retry, a settlement, an expiry, money that becomes available, a dispute whose time
    /// is over.
    #[must_use]
    pub fn due_at(&self) -> Option<Timestamp> {
        self.due_by_wall().into_iter().chain(self.due_by_clock()).min()
    }

    /// When the next retry is due, by the wall clock.
    #[must_use]
    pub fn due_by_wall(&self) -> Option<Timestamp> {
        self.operations().filter_map(Operation::retry_at).min()
    }

    /// When it next settles or lapses, by the clock it runs on.
    #[must_use]
    pub fn due_by_clock(&self) -> Option<Timestamp> {
        let own = self.capture_deadline().into_iter().chain(self.settles_at()).chain(self.consequence_at());
        let disputes = self.state.disputes.iter().filter_map(Dispute::due_at);
        let own = own.chain(disputes).chain(self.state.refunds.iter().filter_map(Refund::comes_back_at));
        self.operations().filter_map(Operation::settles_at).chain(own).min()
    }

    /// When the money that arrived becomes available; `None` if none is pending.
    #[must_use]
    pub fn settles_at(&self) -> Option<Timestamp> {
        self.state.available_at.filter(|_| self.state.pending_minor != 0)
    }

    /// When what was foreseen comes about; `None` if nothing is, or nothing is left to dispute.
    #[must_use]
    pub fn consequence_at(&self) -> Option<Timestamp> {
        self.state.foreseen_at.filter(|_| self.disputable_minor() > 0)
    }

    /// When the authorization lapses, even while a capture or release is under way; `None` if nothing is held.
    #[must_use]
    pub fn capture_deadline(&self) -> Option<Timestamp> {
        self.state.capture_before.filter(|_| self.state.status == Status::RequiresCapture)
    }

    /// Whether an operation is parked and waits for someone to replay it.
    #[must_use]
    pub fn is_parked(&self) -> bool {
        self.operations().any(|operation| matches!(operation.phase, Phase::Parked { .. }))
    }

    /// What has been refunded or is being refunded, in minor units.
    #[must_use]
    pub fn refunded_minor(&self) -> i64 {
        let counts = |refund: &&Refund| !matches!(refund.status, RefundStatus::Failed(_));
        self.state.refunds.iter().filter(counts).map(|refund| refund.amount_minor).sum()
    }

    /// The amount that was last authorized, or is to be.
    #[must_use]
    pub fn authorized(&self) -> Money {
        let Money { amount_minor, currency } = self.submission.amount;
        let held_minor =
            if self.state.authorized_minor > 0 { self.state.authorized_minor } else { amount_minor };
        Money::new(held_minor, currency)
    }

    /// The amount captured, where it is not the whole amount held.
    #[must_use]
    pub fn captured_part(&self) -> Option<Money> {
        let held = self.authorized();
        let part = self.state.status == Status::Succeeded && self.state.received_minor != held.amount_minor;
        part.then(|| Money::new(self.state.received_minor, held.currency))
    }

    /// What has left the submitter's wallet and not arrived yet, in minor units: the reserved amount and pending refunds.
    #[must_use]
    pub fn in_transit_minor(&self) -> i64 {
        let reserved = if self.state.reserved { self.submission.amount.amount_minor } else { 0 };
        let pending = |refund: &&Refund| refund.status == RefundStatus::Pending;
        let refunds: i64 = self.state.refunds.iter().filter(pending).map(|refund| refund.amount_minor).sum();
        reserved.saturating_add(refunds)
    }

    /// What can still be refunded, in minor units.
    #[must_use]
    pub fn refundable_minor(&self) -> i64 {
        self.state.received_minor.saturating_sub(self.refunded_minor())
    }

    /// What an issuer can still take back, in minor units: what was received, less refunds and what disputes have taken. Never
    /// negative, unless a history is not sound.
    #[must_use]
    pub fn chargeable_back_minor(&self) -> i64 {
        let taken = self.state.disputes.iter().filter(|dispute| dispute.holds_money());
        self.refundable_minor().saturating_sub(taken.map(|dispute| dispute.amount_minor).sum())
    }

    /// What a new dispute may be about, in minor units: what can be taken back, less what is being asked about.
    #[must_use]
    pub fn disputable_minor(&self) -> i64 {
        let asked = |dispute: &&Dispute| dispute.status.is_open() && !dispute.holds_money();
        let asked: i64 = self.state.disputes.iter().filter(asked).map(|dispute| dispute.amount_minor).sum();
        self.chargeable_back_minor().saturating_sub(asked).max(0)
    }
}
