//! The state folded from a payment's history. Only [`super::payment::Payment::apply`] changes it; the status itself follows
//! from [`super::status::Status::after`].

use super::aftermath::Follows;
use super::card::Card;
use super::charge::Charge;
use super::credit::Credit;
use super::decline::DeclineReason;
use super::dispute::{Dispute, DisputeStage, DisputeStatus};
use super::event::{CancelReason, Event, Recorded, TechnicalError};
use super::ids::{ChargeId, DisputeId, FraudWarningId, RefundId};
use super::instrument::Instrument;
use super::operation::{FollowUp, Operation, OperationKind, Phase};
use super::status::Status;
use super::time::Timestamp;

/// The state of one refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefundStatus {
    /// Admitted; the amount is in transit.
    Pending,
    /// The money reached the card.
    Succeeded,
    /// Could not be made; the amount is back in the wallet.
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
    /// Chosen before the refund is decided.
    pub id: RefundId,
    /// In minor units.
    pub amount_minor: i64,
    /// Whether it has arrived.
    pub status: RefundStatus,
    /// When it was admitted.
    pub created_at: Timestamp,
    /// Names the row stored beside it; zero if there is none, `None` in histories older than this field.
    pub detail: Option<u64>,
    /// Whether it had reached the card when it failed.
    pub came_back: bool,
    /// When it comes back although it succeeded; kept afterwards.
    pub fails_at: Option<Timestamp>,
    /// Whether it fails when its time has come, as long as it is pending.
    pub fails_pending: bool,
}

impl Refund {
    /// When it comes back; `None` unless it will.
    #[must_use]
    pub fn comes_back_at(&self) -> Option<Timestamp> {
        self.fails_at.filter(|_| self.status == RefundStatus::Succeeded)
    }
}

/// An issuer's warning that the charge may be fraudulent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FraudWarning {
    /// Chosen before it was decided.
    pub id: FraudWarningId,
    /// When it came.
    pub created_at: Timestamp,
}

/// The state folded from the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Where the payment stands.
    pub status: Status,
    /// The instrument of the last attempt, or of the next one if there was none yet.
    pub instrument: Option<Instrument>,
    /// One entry per attempt with a card, oldest first, including those whose issuer was never asked.
    pub charges: Vec<Charge>,
    /// The open authorization, capture or void; at most one.
    pub operation: Option<Operation>,
    /// Open refund operations.
    pub refund_operations: Vec<Operation>,
    /// All refunds, oldest first.
    pub refunds: Vec<Refund>,
    /// How many operations there have been.
    pub operations: u16,
    /// The amount last authorized, in minor units.
    pub authorized_minor: i64,
    /// The amount that arrived, or the part captured, in minor units.
    pub received_minor: i64,
    /// Whether the amount is reserved in transit; only for payments out of a wallet.
    pub reserved: bool,
    /// When an open authorization lapses.
    pub capture_before: Option<Timestamp>,
    /// The reason of a requested cancellation, while the outcome is open.
    pub cancel_requested: Option<CancelReason>,
    /// When it was canceled.
    pub canceled_at: Option<Timestamp>,
    /// Why it was canceled, or is being released.
    pub canceled: Option<CancelReason>,
    /// The last decline of the payment itself.
    pub decline: Option<DeclineReason>,
    /// The last technical error.
    pub technical: Option<TechnicalError>,
    /// Whether the cardholder completed 3-D Secure for the current card.
    pub authenticated: bool,
    /// When its latest authorization was queued.
    pub queued_at: Option<Timestamp>,
    /// When a worker last took it up, by the wall clock.
    pub started_at: Option<Timestamp>,
    /// When it last came to rest.
    pub settled_at: Option<Timestamp>,
    /// When it last came to rest, by the wall clock.
    pub settled_wall: Option<Timestamp>,
    /// The fee kept back, in minor units.
    pub fee_minor: i64,
    /// The part of the received money that has not settled yet, in minor units.
    pub pending_minor: i64,
    /// When that becomes available; kept afterwards.
    pub available_at: Option<Timestamp>,
    /// When the last event was recorded.
    pub updated_at: Timestamp,
    /// All disputes, oldest first.
    pub disputes: Vec<Dispute>,
    /// All early fraud warnings, oldest first.
    pub warnings: Vec<FraudWarning>,
    /// When what follows the money comes, because of the card or the scenario.
    pub foreseen_at: Option<Timestamp>,
    /// What that is, where the scenario says so.
    pub foreseen: Option<Follows>,
}

impl State {
    /// The card in use, if it is one.
    #[must_use]
    pub fn card(&self) -> Option<&Card> {
        self.instrument.as_ref().and_then(Instrument::card)
    }

    /// Opens the charge of an attempt; does nothing without a card.
    pub(super) fn open_charge(&mut self, id: ChargeId, amount_minor: i64, at: Timestamp) {
        let instrument = self.instrument.filter(|instrument| instrument.card().is_some());
        self.charges.extend(instrument.map(|instrument| Charge::open(id, instrument, amount_minor, at)));
    }

    fn open_operation(&mut self, kind: OperationKind, by: &Recorded) -> Operation {
        self.operations = self.operations.saturating_add(1);
        Operation::new(self.operations, kind, by)
    }

    fn open_follow_up(&mut self, follow_up: FollowUp, by: &Recorded) -> Operation {
        self.open_operation(OperationKind::FollowUp(follow_up), by)
    }

    pub(super) fn open_authorization(&mut self, by: &Recorded) {
        self.operation = Some(self.open_operation(OperationKind::Authorization, by));
        self.queued_at = Some(by.at);
        self.started_at = None;
        self.unrest();
        self.decline = None;
        self.technical = None;
    }

    /// Marks that the payment came to rest with this event.
    pub(super) fn rest(&mut self, by: &Recorded) {
        (self.settled_at, self.settled_wall) = (Some(by.at), Some(by.wall));
    }

    /// Marks that the payment is no longer at rest.
    fn unrest(&mut self) {
        (self.settled_at, self.settled_wall) = (None, None);
    }

    /// A payment that comes to rest and goes on in one batch never rested.
    fn no_rest_within(&mut self, wall: Timestamp) {
        if self.settled_wall == Some(wall) {
            self.unrest();
        }
    }

    fn close(&mut self) {
        self.operation = None;
        self.cancel_requested = None;
    }

    fn any_operation(&mut self, number: u16) -> Option<&mut Operation> {
        self.operation
            .iter_mut()
            .chain(self.refund_operations.iter_mut())
            .find(|operation| operation.number == number)
    }

    /// Records the money that has reached the wallet.
    fn receive(&mut self, gross_minor: i64, credit: Credit) {
        self.received_minor = gross_minor;
        self.fee_minor = credit.fee_minor;
        self.available_at = credit.available_at;
        self.pending_minor = credit.available_at.map_or(0, |_| credit.kept_minor(gross_minor));
    }

    fn finish_refund(&mut self, id: RefundId, status: RefundStatus, fails_at: Option<Timestamp>) {
        for refund in self.refunds.iter_mut().filter(|refund| refund.id == id) {
            refund.came_back = refund.status == RefundStatus::Succeeded;
            refund.fails_at = fails_at.or(refund.fails_at);
            refund.status = status;
        }
        self.refund_operations.retain(
            |operation| !matches!(operation.kind.follow_up(), Some(FollowUp::Refund { refund, .. }) if refund == id),
        );
    }

    fn refund_pending(&mut self, id: RefundId, settles_at: Timestamp, fails: bool) {
        for refund in self.refunds.iter_mut().filter(|refund| refund.id == id) {
            refund.fails_pending = fails;
        }
        let of_refund = |operation: &&mut Operation| matches!(operation.kind.follow_up(), Some(FollowUp::Refund { refund, .. }) if refund == id);
        for operation in self.refund_operations.iter_mut().filter(of_refund) {
            operation.phase = Phase::Pending { settles_at };
        }
    }

    fn any_dispute(&mut self, id: DisputeId) -> impl Iterator<Item = &mut Dispute> {
        self.disputes.iter_mut().filter(move |dispute| dispute.id == id)
    }

    /// What was foreseen for this time has come.
    fn no_longer_foreseen(&mut self, at: Timestamp) {
        self.foreseen_at = self.foreseen_at.filter(|foreseen| *foreseen > at);
    }

    /// Applies an event to everything but the status. One arm per event.
    pub(super) fn apply(&mut self, by: &Recorded, whole_minor: i64) {
        let (at, wall) = (by.at, by.wall);
        if let Some(charge) = self.charges.last_mut() {
            charge.apply(&by.event, whole_minor);
        }
        match by.event {
            // What an amendment changes is not part of the state.
            Event::Created { .. } | Event::Amended { .. } => {}
            Event::Confirmed { instrument, charge } => {
                self.instrument = Some(instrument);
                self.authenticated = false;
                self.open_charge(charge, whole_minor, at);
                self.open_authorization(by);
            }
            Event::Started { at } => self.started_at = Some(at),
            Event::ActionRequired {} => self.close(),
            Event::ActionCompleted {} => {
                self.authenticated = true;
                self.open_authorization(by);
            }
            Event::Authorized { amount_minor, capture_before } => {
                self.operation = None;
                self.authorized_minor = amount_minor;
                self.capture_before = Some(capture_before);
            }
            Event::Succeeded { credit } => {
                self.close();
                self.reserved = false;
                self.authorized_minor = whole_minor;
                self.receive(whole_minor, credit);
            }
            Event::Declined { reason, .. } => {
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
            Event::Requeued {} => self.operation.iter_mut().for_each(|operation| operation.next_attempt(by)),
            Event::Failed { cause, .. } => {
                self.technical = Some(cause);
                self.reserved = false;
                self.operation.iter_mut().for_each(|operation| operation.phase = Phase::Parked { cause });
            }
            Event::Replayed { reserved } => {
                self.reserved = reserved;
                self.unrest();
                self.operation.iter_mut().for_each(|operation| operation.replay(by));
            }
            Event::CancelRequested { reason } => self.cancel_requested = Some(reason),
            Event::Canceled { reason, .. } => {
                self.close();
                self.reserved = false;
                self.canceled = Some(reason);
                self.canceled_at = Some(at);
            }
            Event::CaptureQueued { amount_minor } => {
                // Why an earlier capture was declined says nothing about this one.
                self.decline = None;
                self.no_rest_within(wall);
                self.operation = Some(self.open_follow_up(FollowUp::Capture { amount_minor }, by));
            }
            Event::Captured { amount_minor, credit } => {
                self.close();
                self.receive(amount_minor, credit);
                self.rest(by);
            }
            Event::Available {} => self.pending_minor = 0,
            Event::CaptureDeclined { reason } => {
                self.close();
                self.decline = Some(reason);
                if self.settled_at.is_none() {
                    self.rest(by);
                }
            }
            Event::VoidQueued { reason } => {
                self.no_rest_within(wall);
                self.canceled = Some(reason);
                self.operation = Some(self.open_follow_up(FollowUp::Void, by));
            }
            Event::Voided {} => {
                self.canceled_at = Some(at);
                self.close();
                self.rest(by);
            }
            Event::RefundQueued { refund, amount_minor, detail } => {
                let operation = self.open_follow_up(FollowUp::Refund { refund, amount_minor }, by);
                self.refund_operations.push(operation);
                self.refunds.push(Refund {
                    id: refund,
                    amount_minor,
                    status: RefundStatus::Pending,
                    created_at: at,
                    detail,
                    came_back: false,
                    fails_at: None,
                    fails_pending: false,
                });
            }
            Event::RefundPending { refund, settles_at, fails } => {
                self.refund_pending(refund, settles_at, fails);
            }
            Event::RefundSucceeded { refund, fails_at } => {
                self.finish_refund(refund, RefundStatus::Succeeded, fails_at)
            }
            Event::RefundFailed { refund, reason, .. } => {
                self.finish_refund(refund, RefundStatus::Failed(reason), None)
            }
            Event::Foreseen { at, follows } => (self.foreseen_at, self.foreseen) = (Some(at), follows),
            Event::FraudWarned { warning } => {
                self.warnings.push(FraudWarning { id: warning, created_at: at });
                self.no_longer_foreseen(at);
            }
            Event::DisputeOpened { .. } => {
                self.disputes.extend(opened(by));
                self.no_longer_foreseen(at);
            }
            Event::DisputeNoted { dispute, detail, submitted_until } => {
                self.any_dispute(dispute).for_each(|dispute| dispute.note(detail, submitted_until));
            }
            Event::DisputeEscalated { dispute, amount_minor, fee_minor, due_by, .. } => {
                self.any_dispute(dispute)
                    .for_each(|dispute| dispute.take_money(amount_minor, fee_minor, due_by));
            }
            Event::DisputeClosed { dispute, outcome, .. } => {
                self.any_dispute(dispute).for_each(|dispute| dispute.close(outcome));
            }
            Event::OperationRetryScheduled { operation, due_at, .. } => {
                self.any_operation(operation).into_iter().for_each(|operation| operation.wait(due_at));
            }
            Event::OperationRequeued { operation } => {
                self.any_operation(operation).into_iter().for_each(|operation| operation.next_attempt(by));
            }
            Event::OperationParked { operation, cause } => {
                self.any_operation(operation)
                    .into_iter()
                    .for_each(|operation| operation.phase = Phase::Parked { cause });
            }
            Event::OperationReplayed { operation } => {
                self.any_operation(operation).into_iter().for_each(|operation| operation.replay(by));
            }
        }
    }
}

/// The dispute that this event opens.
fn opened(by: &Recorded) -> Option<Dispute> {
    let Event::DisputeOpened { dispute, reason, stage, amount_minor, fee_minor, due_by, ends_at, .. } =
        by.event
    else {
        return None;
    };
    let status = match stage {
        DisputeStage::Inquiry => DisputeStatus::WarningNeedsResponse,
        DisputeStage::Chargeback => DisputeStatus::NeedsResponse,
    };
    Some(Dispute {
        id: dispute,
        reason,
        stage,
        amount_minor,
        fee_minor,
        status,
        created_at: by.at,
        due_by,
        ends_at,
        detail: 0,
        submissions: 0,
    })
}
