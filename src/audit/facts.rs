//! Works out the indexed facts of a payment from its events alone, without the state that everything else folds them to.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::card::Card;
use crate::domain::decline::DeclineReason;
use crate::domain::event::{Event, Recorded};
use crate::domain::ids::{ChargeId, RefundId};
use crate::domain::payment::Payment;
use crate::domain::status::Status;
use crate::domain::test_cards::Behaviour;
use crate::domain::time::Timestamp;

/// The indexed facts of a payment.
pub struct Facts {
    pub status: Status,
    pub card: Option<Card>,
    pub decline: Option<DeclineReason>,
    pub updated: Timestamp,
    pub settled: Option<Timestamp>,
    settled_wall: Option<Timestamp>,
    pub received_minor: i64,
    pub reserved: bool,
    /// The amount of each refund in minor units, and where it is; those that failed are left out of sums.
    pub refunds: Vec<(RefundId, i64, Leg)>,
    /// The charges of confirmed attempts, and whether an issuer was asked for money: only then is there a charge.
    pub charges: Vec<(ChargeId, bool)>,
    pub operations: Operations,
}

/// Where a refund is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Leg {
    UnderWay,
    Arrived,
    CameBack,
}

/// Operations by number: the one that the payment itself waits for, those of refunds, and which are parked.
#[derive(Default)]
pub struct Operations {
    count: u16,
    main: Option<u16>,
    refunds: BTreeMap<RefundId, u16>,
    parked: BTreeSet<u16>,
}

impl Operations {
    fn open(&mut self) -> u16 {
        self.count = self.count.saturating_add(1);
        self.count
    }

    /// Whether one of those that are open is parked.
    pub fn any_parked(&self) -> bool {
        self.main.iter().chain(self.refunds.values()).any(|number| self.parked.contains(number))
    }
}

impl Facts {
    /// Goes through a payment's events.
    pub fn of(payment: &Payment) -> Self {
        let whole_minor = payment.submission().amount.amount_minor;
        let mut facts = Self {
            status: Status::RequiresPaymentMethod,
            card: None,
            decline: None,
            updated: Timestamp::default(),
            settled: None,
            settled_wall: None,
            received_minor: 0,
            reserved: false,
            refunds: Vec::new(),
            charges: Vec::new(),
            operations: Operations::default(),
        };
        for recorded in payment.history() {
            let was_under_way = matches!(facts.status, Status::Queued | Status::Processing);
            facts.operations(&recorded.event);
            facts.money(&recorded.event, whole_minor);
            facts.answers(&recorded.event);
            facts.charges(&recorded.event);
            facts.status = facts.status_after(&recorded.event);
            let is_under_way = matches!(facts.status, Status::Queued | Status::Processing);
            facts.rest(recorded, was_under_way && !is_under_way);
            facts.updated = recorded.at;
        }
        facts
    }

    /// From the making of its id until it came to rest, by the wall clock.
    pub fn took_us(&self, payment: &Payment) -> i64 {
        let decided = payment.history().first().map_or(0, |created| created.wall.micros());
        let asked = payment.id().generated_at().map_or(decided, |made| made.micros().min(decided));
        self.settled_wall.map_or(0, |wall| wall.micros().saturating_sub(asked)).max(0)
    }

    /// Notes since when it rests; `came` is whether its status came to rest with this event.
    fn rest(&mut self, by: &Recorded, came: bool) {
        let (goes_on, rests) = ((None, None), (Some(by.at), Some(by.wall)));
        let by_status = if came { rests } else { (self.settled, self.settled_wall) };
        (self.settled, self.settled_wall) = match by.event {
            Event::Confirmed { .. } | Event::ActionCompleted {} | Event::Replayed { .. } => goes_on,
            // What comes to rest and goes on at the same moment never rested.
            Event::CaptureQueued { .. } | Event::VoidQueued { .. } if self.settled_wall == Some(by.wall) => {
                goes_on
            }
            Event::CaptureDeclined { .. } if self.settled.is_none() => rests,
            Event::Captured { .. } | Event::Voided {} => rests,
            Event::Created { .. }
            | Event::Started { .. }
            | Event::ActionRequired {}
            | Event::Authorized { .. }
            | Event::Succeeded { .. }
            | Event::Declined { .. }
            | Event::Pending { .. }
            | Event::RetryScheduled { .. }
            | Event::Requeued {}
            | Event::Failed { .. }
            | Event::CancelRequested { .. }
            | Event::Canceled { .. }
            | Event::CaptureQueued { .. }
            | Event::CaptureDeclined { .. }
            | Event::VoidQueued { .. }
            | Event::Available {}
            | Event::RefundQueued { .. }
            | Event::RefundSucceeded { .. }
            | Event::RefundFailed { .. }
            | Event::OperationRetryScheduled { .. }
            | Event::OperationRequeued { .. }
            | Event::OperationParked { .. }
            | Event::OperationReplayed { .. }
            | Event::Amended { .. }
            | Event::RefundPending { .. }
            | Event::Foreseen { .. }
            | Event::DisputeOpened { .. }
            | Event::DisputeNoted { .. }
            | Event::DisputeEscalated { .. }
            | Event::DisputeClosed { .. }
            | Event::FraudWarned { .. } => by_status,
        };
    }

    fn status_after(&self, event: &Event) -> Status {
        match event {
            Event::Created { confirmed: true, .. }
            | Event::Confirmed { .. }
            | Event::ActionCompleted {}
            | Event::RetryScheduled { .. }
            | Event::Requeued {}
            | Event::Replayed { .. } => Status::Queued,
            Event::Created { confirmed: false, instrument: Some(_), .. } => Status::RequiresConfirmation,
            Event::Created { confirmed: false, .. } => Status::RequiresPaymentMethod,
            Event::Started { .. } | Event::Pending { .. } => Status::Processing,
            Event::ActionRequired {} => Status::RequiresAction,
            Event::Authorized { .. } => Status::RequiresCapture,
            Event::Succeeded { .. } | Event::Captured { .. } => Status::Succeeded,
            Event::Declined { .. } => Status::Declined,
            Event::Failed { .. } => Status::Failed,
            Event::Canceled { .. } | Event::Voided {} => Status::Canceled,
            Event::CancelRequested { .. }
            | Event::CaptureQueued { .. }
            | Event::CaptureDeclined { .. }
            | Event::VoidQueued { .. }
            | Event::Available {}
            | Event::RefundQueued { .. }
            | Event::RefundSucceeded { .. }
            | Event::RefundFailed { .. }
            | Event::OperationRetryScheduled { .. }
            | Event::OperationRequeued { .. }
            | Event::OperationParked { .. }
            | Event::OperationReplayed { .. }
            | Event::Amended { .. }
            | Event::RefundPending { .. }
            | Event::Foreseen { .. }
            | Event::DisputeOpened { .. }
            | Event::DisputeNoted { .. }
            | Event::DisputeEscalated { .. }
            | Event::DisputeClosed { .. }
            | Event::FraudWarned { .. } => self.status,
        }
    }

    fn money(&mut self, event: &Event, whole_minor: i64) {
        match *event {
            Event::Created { reserved, .. } | Event::Replayed { reserved } => self.reserved = reserved,
            Event::Succeeded { .. } => (self.reserved, self.received_minor) = (false, whole_minor),
            Event::Captured { amount_minor, .. } => self.received_minor = amount_minor,
            Event::Declined { .. } | Event::Failed { .. } | Event::Canceled { .. } => self.reserved = false,
            Event::RefundQueued { refund, amount_minor, .. } => {
                self.refunds.push((refund, amount_minor, Leg::UnderWay));
            }
            Event::RefundSucceeded { refund, .. } => self.refund_ends(refund, Leg::Arrived),
            Event::RefundFailed { refund, .. } => self.refund_ends(refund, Leg::CameBack),
            Event::Confirmed { .. }
            | Event::Started { .. }
            | Event::ActionRequired {}
            | Event::ActionCompleted {}
            | Event::Authorized { .. }
            | Event::Pending { .. }
            | Event::RetryScheduled { .. }
            | Event::Requeued {}
            | Event::CancelRequested { .. }
            | Event::CaptureQueued { .. }
            | Event::Available {}
            | Event::CaptureDeclined { .. }
            | Event::VoidQueued { .. }
            | Event::Voided {}
            | Event::OperationRetryScheduled { .. }
            | Event::OperationRequeued { .. }
            | Event::OperationParked { .. }
            | Event::OperationReplayed { .. }
            | Event::Amended { .. }
            | Event::RefundPending { .. }
            | Event::Foreseen { .. }
            | Event::DisputeOpened { .. }
            | Event::DisputeNoted { .. }
            | Event::DisputeEscalated { .. }
            | Event::DisputeClosed { .. }
            | Event::FraudWarned { .. } => {}
        }
    }

    fn refund_ends(&mut self, id: RefundId, leg: Leg) {
        self.refunds.iter_mut().filter(|(refund, ..)| *refund == id).for_each(|refund| refund.2 = leg);
    }

    fn answers(&mut self, event: &Event) {
        match *event {
            Event::Created { instrument, .. } => self.card = instrument.and_then(|used| used.card().copied()),
            Event::Confirmed { instrument, .. } => {
                (self.card, self.decline) = (instrument.card().copied(), None)
            }
            Event::ActionCompleted {} | Event::CaptureQueued { .. } => self.decline = None,
            Event::Declined { reason, .. } | Event::CaptureDeclined { reason } => self.decline = Some(reason),
            Event::Started { .. }
            | Event::ActionRequired {}
            | Event::Authorized { .. }
            | Event::Succeeded { .. }
            | Event::Pending { .. }
            | Event::RetryScheduled { .. }
            | Event::Requeued {}
            | Event::Failed { .. }
            | Event::Replayed { .. }
            | Event::CancelRequested { .. }
            | Event::Canceled { .. }
            | Event::Captured { .. }
            | Event::Available {}
            | Event::VoidQueued { .. }
            | Event::Voided {}
            | Event::RefundQueued { .. }
            | Event::RefundSucceeded { .. }
            | Event::RefundFailed { .. }
            | Event::OperationRetryScheduled { .. }
            | Event::OperationRequeued { .. }
            | Event::OperationParked { .. }
            | Event::OperationReplayed { .. }
            | Event::Amended { .. }
            | Event::RefundPending { .. }
            | Event::Foreseen { .. }
            | Event::DisputeOpened { .. }
            | Event::DisputeNoted { .. }
            | Event::DisputeEscalated { .. }
            | Event::DisputeClosed { .. }
            | Event::FraudWarned { .. } => {}
        }
    }

    fn charges(&mut self, event: &Event) {
        if let Event::Confirmed { charge, instrument } = event
            && instrument.card().is_some()
        {
            self.charges.push((*charge, false));
        }
        let breaks_at_lookup = self.card.and_then(|card| card.test_card()).is_some_and(|card| {
            matches!(
                card.behaviour,
                Behaviour::ThreeDSecureLookupError | Behaviour::ThreeDSecureOnRequest { breaks: true }
            )
        });
        let Some((_, asked)) = self.charges.last_mut() else { return };
        match event {
            Event::ActionRequired {}
            | Event::Declined { reason: DeclineReason::AuthenticationFailure, .. } => *asked = false,
            Event::Declined { reason: DeclineReason::ProcessingError, .. } => *asked = !breaks_at_lookup,
            Event::Authorized { .. }
            | Event::Succeeded { .. }
            | Event::Declined { .. }
            | Event::Pending { .. }
            | Event::RetryScheduled { .. }
            | Event::Failed { .. } => *asked = true,
            Event::Created { .. }
            | Event::Confirmed { .. }
            | Event::Started { .. }
            | Event::ActionCompleted {}
            | Event::Requeued {}
            | Event::Replayed { .. }
            | Event::CancelRequested { .. }
            | Event::Canceled { .. }
            | Event::CaptureQueued { .. }
            | Event::Captured { .. }
            | Event::Available {}
            | Event::CaptureDeclined { .. }
            | Event::VoidQueued { .. }
            | Event::Voided {}
            | Event::RefundQueued { .. }
            | Event::RefundSucceeded { .. }
            | Event::RefundFailed { .. }
            | Event::OperationRetryScheduled { .. }
            | Event::OperationRequeued { .. }
            | Event::OperationParked { .. }
            | Event::OperationReplayed { .. }
            | Event::Amended { .. }
            | Event::RefundPending { .. }
            | Event::Foreseen { .. }
            | Event::DisputeOpened { .. }
            | Event::DisputeNoted { .. }
            | Event::DisputeEscalated { .. }
            | Event::DisputeClosed { .. }
            | Event::FraudWarned { .. } => {}
        }
    }

    fn operations(&mut self, event: &Event) {
        let operations = &mut self.operations;
        match *event {
            Event::Created { confirmed: true, .. }
            | Event::Confirmed { .. }
            | Event::ActionCompleted {}
            | Event::CaptureQueued { .. }
            | Event::VoidQueued { .. } => operations.main = Some(operations.open()),
            Event::ActionRequired {}
            | Event::Authorized { .. }
            | Event::Succeeded { .. }
            | Event::Declined { .. }
            | Event::Canceled { .. }
            | Event::Captured { .. }
            | Event::CaptureDeclined { .. }
            | Event::Voided {} => operations.main = None,
            Event::Failed { .. } => operations.parked.extend(operations.main),
            Event::Replayed { .. } => {
                operations.main.map(|main| operations.parked.remove(&main));
            }
            Event::RefundQueued { refund, .. } => {
                let number = operations.open();
                operations.refunds.insert(refund, number);
            }
            Event::RefundSucceeded { refund, .. } | Event::RefundFailed { refund, .. } => {
                operations.refunds.remove(&refund);
            }
            Event::OperationParked { operation, .. } => {
                operations.parked.insert(operation);
            }
            Event::OperationReplayed { operation }
            | Event::OperationRequeued { operation }
            | Event::OperationRetryScheduled { operation, .. } => {
                operations.parked.remove(&operation);
            }
            Event::Created { .. }
            | Event::Started { .. }
            | Event::Pending { .. }
            | Event::RetryScheduled { .. }
            | Event::Requeued {}
            | Event::CancelRequested { .. }
            | Event::Available {}
            | Event::Amended { .. }
            | Event::RefundPending { .. }
            | Event::Foreseen { .. }
            | Event::DisputeOpened { .. }
            | Event::DisputeNoted { .. }
            | Event::DisputeEscalated { .. }
            | Event::DisputeClosed { .. }
            | Event::FraudWarned { .. } => {}
        }
    }

    /// Amounts of refunds on these legs, in minor units.
    pub fn refunds_minor(&self, legs: &[Leg]) -> i64 {
        self.refunds.iter().filter(|(_, _, leg)| legs.contains(leg)).map(|(_, amount, _)| amount).sum()
    }
}
