//! Checks one payment: its history, its columns, and the movements it must have caused.

use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;

use super::report::{Name, Report};
use crate::domain::event::Event;
use crate::domain::ids::ClockId;
use crate::domain::ledger::{Movement, effects};
use crate::domain::money::Money;
use crate::domain::payment::{FollowUp, Operation, OperationKind, Payment, Phase, RefundStatus, WorkKey};
use crate::domain::submission::{CaptureMethod, Kind};
use crate::domain::time::Timestamp;
use crate::domain::timed::Timed;
use crate::store::{AuditPayment, MovementRecord};

/// Checks that the columns beside the history are what it folds to.
pub fn check_columns(row: &AuditPayment, payment: &Payment, report: &mut Report) {
    let submission = payment.submission();
    let mut columns = Columns { row, report };
    columns.compare("id", &row.id, &payment.id());
    columns.compare("owner", &row.owner, &payment.owner());
    columns.compare("status", &row.status, &payment.state().status.to_code());
    columns.compare("kind", &row.kind, &submission.kind.payment_kind().to_code());
    columns.compare("amount", &row.amount_minor, &submission.amount.amount_minor);
    columns.compare("currency", &row.currency.as_str(), &submission.amount.currency.code());
    columns.compare("version", &row.version, &payment.version());
    let (own, wall) = (timed(payment, payment.clock()), timed(payment, ClockId::WALL));
    let stored = (row.due.clone(), row.busy);
    // A payment whose clock is gone follows the wall clock from its next change on.
    columns.compare("due", &stored, if row.clock_gone && stored == wall { &wall } else { &own });
    columns.compare("parked", &row.parked, &payment.is_parked().then_some(payment.owner()));
}

/// The rows by which timers find a payment on this clock.
fn timed(payment: &Payment, clock: ClockId) -> (Vec<(ClockId, Timestamp)>, Option<ClockId>) {
    let timed = Timed::of(payment, clock);
    (timed.rows(clock).collect(), timed.busy.then_some(clock))
}

struct Columns<'a> {
    row: &'a AuditPayment,
    report: &'a mut Report,
}

impl Columns<'_> {
    fn compare<T: PartialEq + Debug>(&mut self, column: &str, stored: &T, folded: &T) {
        if stored != folded {
            let text =
                format!("payment {}: {column} is {stored:?}, its history says {folded:?}", self.row.id);
            self.report.violation(Name::WrongColumn, text);
        }
    }
}

/// Checks what folding by status alone does not: that each answer belongs to an operation that was open.
pub fn check_history(payment: &Payment, report: &mut Report) {
    for_each_step(payment, |before, version, event| {
        if let Some(cause) = before.and_then(|before| out_of_place(before, event)) {
            let text = format!("payment {} version {version}: {} {cause}", payment.id(), event.name());
            report.violation(Name::IllegalHistory, text);
        }
    });
    check_times(payment, report);
    if payment.chargeable_back_minor() < 0 {
        let text = format!("payment {}: more was refunded and disputed than was received", payment.id());
        report.violation(Name::IllegalHistory, text);
    }
}

fn is_captured_later(payment: &Payment) -> bool {
    let submission = payment.submission();
    submission.kind == Kind::Charge && submission.capture == CaptureMethod::Manual
}

/// How long a draft may wait before it is decided: a row of an import, while the store is away.
const DRAFT_WAITS_US: u64 = 10 * 60 * 1_000_000;
/// How exact the time in an id is.
const ID_EXACT_US: i64 = 2;

/// Checks that a payment was decided after its id was made, and that no event happened before what it follows.
fn check_times(payment: &Payment, report: &mut Report) {
    let id = payment.id();
    if let (Some(made), Some(created)) = (id.generated_at(), payment.history().first()) {
        let waited_us = created.wall.micros().saturating_sub(made.micros());
        if waited_us < -ID_EXACT_US || waited_us.unsigned_abs() > DRAFT_WAITS_US {
            let text =
                format!("payment {id}: it was created at {}, its id at another time", created.wall.micros());
            report.violation(Name::AlteredTime, text);
        }
    }
    for (version, step) in (2_u32..).zip(payment.history().windows(2)) {
        if let [before, recorded] = step
            && recorded.wall < before.wall
        {
            let text = format!("payment {id} version {version}: it happened before what it follows");
            report.violation(Name::AlteredTime, text);
        }
    }
}

fn out_of_place(before: &Payment, event: &Event) -> Option<&'static str> {
    let state = before.state();
    let open = |kind| state.operation.is_some_and(|open| open.kind == kind);
    let capturing = |follow_up| matches!(follow_up, FollowUp::Capture { .. });
    let fits = match event {
        Event::RefundSucceeded { refund, .. }
        | Event::RefundPending { refund, .. }
        | Event::RefundFailed { refund, .. } => {
            return match before.refund(*refund).map(|refund| refund.status) {
                Some(RefundStatus::Pending) => None,
                // Even one that has arrived may come back.
                Some(RefundStatus::Succeeded) if matches!(event, Event::RefundFailed { .. }) => None,
                Some(RefundStatus::Succeeded | RefundStatus::Failed(_)) => {
                    Some("of a refund that was already answered")
                }
                None => Some("of a refund that was never asked for"),
            };
        }
        Event::DisputeNoted { dispute, .. } => before.dispute(*dispute).is_some(),
        Event::DisputeEscalated { dispute, .. } => {
            before.dispute(*dispute).is_some_and(|dispute| dispute.status.is_open() && !dispute.holds_money())
        }
        Event::DisputeClosed { dispute, .. } => {
            before.dispute(*dispute).is_some_and(|dispute| dispute.status.is_open())
        }
        Event::DisputeOpened { dispute, .. } => before.dispute(*dispute).is_none(),
        Event::Captured { amount_minor, .. } => {
            open(OperationKind::FollowUp(FollowUp::Capture { amount_minor: *amount_minor }))
        }
        Event::CaptureDeclined { .. } => {
            state.operation.and_then(|open| open.kind.follow_up()).is_some_and(capturing)
        }
        Event::Voided { .. } => open(OperationKind::FollowUp(FollowUp::Void)),
        Event::Started { .. } => open(OperationKind::Authorization),
        // What is captured later succeeds with its capture.
        Event::Succeeded { .. } => !is_captured_later(before),
        Event::Available {} => before.settles_at().is_some(),
        Event::OperationRetryScheduled { operation, .. }
        | Event::OperationRequeued { operation }
        | Event::OperationParked { operation, .. }
        | Event::OperationReplayed { operation } => before.operation(*operation).is_some(),
        Event::Created { .. }
        | Event::Amended { .. }
        | Event::Confirmed { .. }
        | Event::ActionRequired { .. }
        | Event::ActionCompleted { .. }
        | Event::Authorized { .. }
        | Event::Declined { .. }
        | Event::Pending { .. }
        | Event::RetryScheduled { .. }
        | Event::Requeued { .. }
        | Event::Failed { .. }
        | Event::Replayed { .. }
        | Event::CancelRequested { .. }
        | Event::Canceled { .. }
        | Event::CaptureQueued { .. }
        | Event::VoidQueued { .. }
        | Event::RefundQueued { .. }
        | Event::Foreseen { .. }
        | Event::FraudWarned { .. } => true,
    };
    (!fits).then_some("without what it answers")
}

/// Calls with the payment before each event, the version the event made, and the event. Before the first there is
/// nothing.
fn for_each_step(payment: &Payment, mut step: impl FnMut(Option<&Payment>, u32, &Event)) {
    let mut before: Option<Payment> = None;
    for (version, recorded) in (1_u32..).zip(payment.history()) {
        step(before.as_ref(), version, &recorded.event);
        before = match before.take() {
            None => Payment::open(Arc::clone(payment.submitted()), *recorded).ok(),
            // A payment that was folded once folds again.
            Some(mut so_far) => so_far.apply(*recorded).is_ok().then_some(so_far),
        };
    }
}

/// What some versions of a payment changed.
pub struct Part {
    /// Movements of money, each with the version whose event caused it and its number among that event's.
    pub movements: Vec<(u32, u8, Movement)>,
    /// What was queued before.
    before: Vec<WorkKey>,
    /// What was queued after.
    after: Vec<WorkKey>,
}

impl Part {
    /// Work that was queued, and still is at the end.
    pub fn opened(&self) -> impl Iterator<Item = &WorkKey> {
        self.after.iter().filter(|work| !self.before.contains(work))
    }

    /// Whether anything is queued at the end, where that changed.
    #[must_use]
    pub fn open(&self) -> Option<bool> {
        let open = !self.after.is_empty();
        (self.before.is_empty() == open).then_some(open)
    }
}

/// What these versions of a payment changed.
#[must_use]
pub fn part(payment: &Payment, versions: Range<u32>) -> Part {
    let start = versions.start.saturating_sub(1);
    let mut so_far = payment.at_version(start);
    let before: Vec<WorkKey> = so_far.iter().flat_map(Payment::queued_work).collect();
    let mut movements = Vec::new();
    let count = usize::try_from(versions.end.saturating_sub(versions.start)).unwrap_or(0);
    let skip = usize::try_from(start).unwrap_or(usize::MAX);
    for (version, recorded) in (versions.start..).zip(payment.history().iter().skip(skip)).take(count) {
        let caused = effects(so_far.as_ref().unwrap_or(payment), &recorded.event);
        movements.extend((0..).zip(caused).map(|(n, movement)| (version, n, movement)));
        so_far = match so_far.take() {
            None => Payment::open(Arc::clone(payment.submitted()), *recorded).ok(),
            // A payment that was folded once folds again.
            Some(mut so_far) => so_far.apply(*recorded).is_ok().then_some(so_far),
        };
    }
    let after = so_far.iter().flat_map(Payment::queued_work).collect();
    Part { movements, before, after }
}

/// The movements that a history demands, each with the version whose event demands it and its number among that event's.
#[must_use]
pub fn expected_movements(payment: &Payment) -> Vec<(u32, u8, Movement)> {
    let mut expected = Vec::new();
    for_each_step(payment, |before, version, event| {
        // The effects of the first event depend on the submission alone.
        let caused = effects(before.unwrap_or(payment), event);
        expected.extend((0..).zip(caused).map(|(n, movement)| (version, n, movement)));
    });
    expected
}

/// Checks that the movements of a payment are exactly those that its history demands.
pub fn check_movements(payment: &Payment, stored: &[MovementRecord], report: &mut Report) {
    let expected = expected_movements(payment);
    let id = payment.id();
    let mut matched = vec![false; stored.len()];
    for (version, n, wanted) in &expected {
        let found = stored
            .iter()
            .zip(matched.iter_mut())
            .find(|(stored, seen)| !**seen && (stored.version, stored.n) == (*version, *n));
        let wanted_words = words(wanted);
        match found {
            None => report
                .violation(Name::LostMovement, format!("payment {id} version {version}: {wanted_words}")),
            Some((stored, seen)) => {
                *seen = true;
                compare(payment, *version, wanted, stored, report);
            }
        }
    }
    for (extra, _) in stored.iter().zip(&matched).filter(|(_, seen)| !**seen) {
        let doubled = expected.iter().any(|(_, _, wanted)| *wanted == extra.movement);
        let name = if doubled { Name::DoubledEffect } else { Name::UnexplainedMovement };
        report.violation(name, format!("payment {id} version {}: {}", extra.version, movement_words(extra)));
    }
}

fn compare(payment: &Payment, version: u32, wanted: &Movement, stored: &MovementRecord, report: &mut Report) {
    let found = stored.movement;
    let same_accounts =
        (found.debit, found.credit, found.currency) == (wanted.debit, wanted.credit, wanted.currency);
    let name = match (same_accounts, found.amount_minor == wanted.amount_minor) {
        (true, true) => return,
        (true, false) => Name::AlteredAmount,
        (false, _) => Name::AlteredMovement,
    };
    let text = format!(
        "payment {} version {version}: {}, its history says {}",
        payment.id(),
        movement_words(stored),
        words(wanted)
    );
    report.violation(name, text);
}

fn words(movement: &Movement) -> String {
    format!(
        "{} from {} to {}",
        Money::new(movement.amount_minor, movement.currency),
        movement.debit,
        movement.credit
    )
}

/// A stored movement in words.
#[must_use]
pub fn movement_words(stored: &MovementRecord) -> String {
    words(&stored.movement)
}

/// Checks that nothing waits for anything but a person.
pub fn check_at_rest(payment: &Payment, report: &mut Report) {
    let waits = |operation: &&Operation| !matches!(operation.phase, Phase::Parked { .. });
    for operation in payment.operations().filter(waits) {
        let phase = match operation.phase {
            Phase::Queued => "queued",
            Phase::Waiting { .. } => "waiting for its next attempt",
            Phase::Pending { .. } => "waiting to settle",
            Phase::Parked { .. } => "parked",
        };
        let text = format!(
            "payment {}: {} {} is {phase}",
            payment.id(),
            operation.kind.name().as_str(),
            operation.number
        );
        report.violation(Name::OpenOperation, text);
    }
}
