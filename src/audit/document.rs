//! The documents that a payment must have, worked out a second time: from the events alone, without the state that the index's
//! writer uses. A field that is written wrong is wrong on one side only, and the digests differ.
//!
//! Shared with the writer are the names of the fields, their order, and how text is folded.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::card::Card;
use crate::domain::decline::DeclineReason;
use crate::domain::event::Event;
use crate::domain::ids::{AccountId, RefundId};
use crate::domain::payment::Payment;
use crate::domain::status::Status;
use crate::domain::submission::Kind;
use crate::domain::text::composed;
use crate::domain::time::Timestamp;
use crate::search::query::{CARD_PRESENT, METADATA_SEPARATOR, NumberField, TermField, has};
use crate::search::text::fold;
use crate::search::{DocKey, ScannedDocument};

/// The payment's documents as an index must have them: its submitter's, and the payee's once a transfer has arrived.
#[must_use]
pub fn expected(payment: &Payment) -> Vec<ScannedDocument> {
    let facts = Facts::of(payment);
    let payee = match payment.submission().kind {
        Kind::Transfer { payee } if payee != payment.owner() && facts.status == Status::Succeeded => {
            Some(payee)
        }
        Kind::Transfer { .. } | Kind::Charge | Kind::TopUp | Kind::Payout { .. } => None,
    };
    let version = payment.history().len() as u64;
    let document = |receipt_of| ScannedDocument {
        key: DocKey { payment: payment.id(), receipt_of },
        version,
        digest: digest(payment, &facts, receipt_of),
    };
    std::iter::once(None).chain(payee.map(Some)).map(document).collect()
}

/// What a history says, of that which is indexed.
struct Facts {
    status: Status,
    card: Option<Card>,
    decline: Option<DeclineReason>,
    updated: Timestamp,
    settled: Option<Timestamp>,
    received_minor: i64,
    reserved: bool,
    /// Amount, and whether it is under way; those that failed are left out of sums.
    refunds: Vec<(RefundId, i64, Leg)>,
    operations: Operations,
}

/// Where a refund is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leg {
    UnderWay,
    Arrived,
    CameBack,
}

/// Operations by number: the one that the payment itself waits for, those of refunds, and which are parked.
#[derive(Default)]
struct Operations {
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

    fn any_parked(&self) -> bool {
        self.main.iter().chain(self.refunds.values()).any(|number| self.parked.contains(number))
    }
}

impl Facts {
    fn of(payment: &Payment) -> Self {
        let whole_minor = payment.submission().amount.amount_minor;
        let mut facts = Self {
            status: Status::RequiresPaymentMethod,
            card: None,
            decline: None,
            updated: payment.submission().created_at,
            settled: None,
            received_minor: 0,
            reserved: false,
            refunds: Vec::new(),
            operations: Operations::default(),
        };
        let from_wallet = payment.submission().kind.takes_from_wallet();
        for recorded in payment.history() {
            let was_under_way = matches!(facts.status, Status::Queued | Status::Processing);
            facts.operations(&recorded.event);
            facts.money(&recorded.event, whole_minor);
            facts.answers(&recorded.event);
            facts.status = facts.status_after(&recorded.event, from_wallet);
            let is_under_way = matches!(facts.status, Status::Queued | Status::Processing);
            match &recorded.event {
                Event::Confirmed { .. } | Event::ActionCompleted {} | Event::Replayed { .. } => {
                    facts.settled = None
                }
                // What comes to rest and goes on at the same moment never rested.
                Event::CaptureQueued { .. } | Event::VoidQueued { .. }
                    if facts.settled == Some(recorded.at) =>
                {
                    facts.settled = None;
                }
                Event::CaptureDeclined { .. } if facts.settled.is_none() => facts.settled = Some(recorded.at),
                Event::Captured { .. } | Event::Voided {} => facts.settled = Some(recorded.at),
                _ if was_under_way && !is_under_way => facts.settled = Some(recorded.at),
                _ => {}
            }
            facts.updated = recorded.at;
        }
        facts
    }

    fn status_after(&self, event: &Event, from_wallet: bool) -> Status {
        match event {
            Event::Created { confirmed: true, .. }
            | Event::Confirmed { .. }
            | Event::ActionCompleted {}
            | Event::RetryScheduled { .. }
            | Event::Requeued {}
            | Event::Replayed { .. } => Status::Queued,
            Event::Created { confirmed: false, card, .. } if card.is_some() || from_wallet => {
                Status::RequiresConfirmation
            }
            Event::Created { confirmed: false, .. } => Status::RequiresPaymentMethod,
            Event::Started { .. } | Event::Pending { .. } => Status::Processing,
            Event::ActionRequired {} => Status::RequiresAction,
            Event::Authorized { .. } => Status::RequiresCapture,
            Event::Succeeded {} | Event::Captured { .. } => Status::Succeeded,
            Event::Declined { .. } => Status::Declined,
            Event::Failed { .. } => Status::Failed,
            Event::Canceled { .. } | Event::Voided {} => Status::Canceled,
            Event::CancelRequested { .. }
            | Event::CaptureQueued { .. }
            | Event::CaptureDeclined { .. }
            | Event::VoidQueued { .. }
            | Event::RefundQueued { .. }
            | Event::RefundSucceeded { .. }
            | Event::RefundFailed { .. }
            | Event::OperationRetryScheduled { .. }
            | Event::OperationRequeued { .. }
            | Event::OperationParked { .. }
            | Event::OperationReplayed { .. } => self.status,
        }
    }

    fn money(&mut self, event: &Event, whole_minor: i64) {
        match *event {
            Event::Created { reserved, .. } | Event::Replayed { reserved } => self.reserved = reserved,
            Event::Succeeded {} => (self.reserved, self.received_minor) = (false, whole_minor),
            Event::Captured { amount_minor } => self.received_minor = amount_minor,
            Event::Declined { .. } | Event::Failed { .. } | Event::Canceled { .. } => self.reserved = false,
            Event::RefundQueued { refund, amount_minor } => {
                self.refunds.push((refund, amount_minor, Leg::UnderWay));
            }
            Event::RefundSucceeded { refund } => self.refund_ends(refund, Leg::Arrived),
            Event::RefundFailed { refund, .. } => self.refund_ends(refund, Leg::CameBack),
            _ => {}
        }
    }

    fn refund_ends(&mut self, id: RefundId, leg: Leg) {
        self.refunds.iter_mut().filter(|(refund, ..)| *refund == id).for_each(|refund| refund.2 = leg);
    }

    fn answers(&mut self, event: &Event) {
        match *event {
            Event::Created { card: Some(card), .. } => self.card = Some(card),
            Event::Confirmed { card } => (self.card, self.decline) = (card.or(self.card), None),
            Event::ActionCompleted {} | Event::CaptureQueued { .. } => self.decline = None,
            Event::Declined { reason } | Event::CaptureDeclined { reason } => self.decline = Some(reason),
            _ => {}
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
            | Event::Succeeded {}
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
            Event::RefundSucceeded { refund } | Event::RefundFailed { refund, .. } => {
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
            _ => {}
        }
    }

    /// Amounts of refunds on these legs, in minor units.
    fn refunds_minor(&self, legs: &[Leg]) -> i64 {
        self.refunds.iter().filter(|(_, _, leg)| legs.contains(leg)).map(|(_, amount, _)| amount).sum()
    }
}

/// Field name, length, value, as the index's digest takes them.
struct Sink(blake3::Hasher);

impl Sink {
    fn term(&mut self, field: TermField, value: &str) {
        self.0.update(field.name().as_bytes());
        self.0.update(&(value.len() as u64).to_le_bytes());
        self.0.update(value.as_bytes());
    }

    fn number(&mut self, field: NumberField, value: i64) {
        self.0.update(field.name().as_bytes());
        self.0.update(&value.to_le_bytes());
    }

    fn end(self) -> u64 {
        let mut short = [0_u8; 8];
        short.copy_from_slice(self.0.finalize().as_bytes().split_at(8).0);
        u64::from_le_bytes(short)
    }
}

/// What is in the submitter's document, or in the receipt of a payee, who sees neither texts nor what became of it later.
fn digest(payment: &Payment, facts: &Facts, receipt_of: Option<AccountId>) -> u64 {
    let submission = payment.submission();
    let own = receipt_of.is_none();
    let mut sink = Sink(blake3::Hasher::new());
    sink.term(TermField::Owner, &receipt_of.unwrap_or(submission.owner).with_prefix(""));
    sink.term(TermField::Payment, &submission.id.with_prefix(""));
    sink.term(TermField::Status, facts.status.as_str());
    sink.term(TermField::Kind, submission.kind.as_str());
    sink.term(TermField::Currency, &submission.amount.currency.code().to_ascii_lowercase());
    sink.number(NumberField::Amount, submission.amount.amount_minor);
    if facts.received_minor > 0 {
        sink.number(NumberField::Received, facts.received_minor);
    }
    let refunded_minor = if own { facts.refunds_minor(&[Leg::UnderWay, Leg::Arrived]) } else { 0 };
    sink.number(NumberField::Refunded, refunded_minor);
    let reserved_minor = if facts.reserved { submission.amount.amount_minor } else { 0 };
    let in_transit_minor = if own { reserved_minor + facts.refunds_minor(&[Leg::UnderWay]) } else { 0 };
    if in_transit_minor > 0 {
        sink.number(NumberField::InTransit, in_transit_minor);
    }
    sink.number(NumberField::Created, submission.created_at.micros());
    sink.number(NumberField::Updated, facts.updated.micros());
    if let Some(settled) = facts.settled {
        sink.number(NumberField::Settled, settled.micros());
        if own {
            let took = settled.micros().saturating_sub(submission.created_at.micros());
            sink.number(NumberField::Took, took.max(0));
        }
    }
    if let Kind::Transfer { payee } = submission.kind {
        sink.term(TermField::Payee, &payee.with_prefix(""));
    }
    let refunds = if own { facts.refunds.as_slice() } else { &[] };
    for (refund, ..) in refunds {
        sink.term(TermField::Refund, &refund.with_prefix(""));
    }
    if let Some(card) = &facts.card {
        sink.term(TermField::CardBrand, card.brand().as_str());
        sink.term(TermField::CardLast4, card.last4());
        sink.term(TermField::CardFirst6, card.first6());
        sink.term(TermField::CardFingerprint, &format!("{:016x}", card.fingerprint));
    }
    let decline = facts.decline.filter(|_| own);
    if let Some(decline) = decline {
        sink.term(TermField::DeclineCode, decline.decline_code());
    }
    if own {
        texts(payment, &mut sink);
    }
    let parked = own && facts.operations.any_parked();
    let flags = [
        ("refunded", refunded_minor > 0),
        ("partially_refunded", refunded_minor > 0 && refunded_minor < facts.received_minor),
        ("parked", parked),
        ("received", !own),
    ];
    let present = [
        ("settled", facts.settled.is_some()),
        ("amount_received", facts.received_minor > 0),
        ("in_transit", in_transit_minor > 0),
        ("metadata", own && !submission.metadata.is_empty()),
        ("description", own && submission.description.is_some()),
        ("run", own && submission.run.is_some()),
        (CARD_PRESENT, facts.card.is_some()),
        ("decline_code", decline.is_some()),
        ("refund", !refunds.is_empty()),
        ("payee", matches!(submission.kind, Kind::Transfer { .. })),
    ];
    flags.iter().filter(|(_, set)| *set).for_each(|(name, _)| sink.term(TermField::Flag, name));
    present.iter().filter(|(_, set)| *set).for_each(|(name, _)| sink.term(TermField::Has, name));
    if own {
        submission.metadata.iter().for_each(|(key, _)| sink.term(TermField::Has, &has(&composed(key))));
    }
    sink.end()
}

fn texts(payment: &Payment, sink: &mut Sink) {
    let submission = payment.submission();
    if let Some(description) = &submission.description {
        sink.term(TermField::Description, &fold(description));
    }
    for (key, value) in &submission.metadata {
        let key = composed(key);
        sink.term(TermField::Metadata, &format!("{key}{METADATA_SEPARATOR}{}", fold(value)));
    }
    if let Some(run) = &submission.run {
        sink.term(TermField::Run, &fold(run));
    }
}
