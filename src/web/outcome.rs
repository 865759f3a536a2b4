//! Handing commands to the engine and, where the caller wants it, waiting for what comes of them.
//!
//! A handler that is dropped half way harms nothing: the command is the engine's from the moment it was handed in.

use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::StatusCode;

use super::error::{ApiError, ErrorType};
use super::said;
use super::state::WebState;
use crate::domain::command::Asked;
use crate::domain::event::Event;
use crate::domain::ids::{PaymentId, RefundId};
use crate::domain::payment::{Operation, Payment, Phase};

/// How long to wait for the outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Answer as soon as it is committed (`Prefer: respond-async`).
    No,
    /// Answer with the outcome, or `processing` past this time.
    UpTo(Duration),
}

impl Wait {
    /// Reads `Prefer` (RFC 7240): `respond-async`, `wait=N` in seconds, at most the server's own bound.
    #[must_use]
    pub fn of(request: &HttpRequest, state: &WebState) -> Self {
        let bound = Duration::from_millis(state.settings.outcome_wait_ms);
        let mut wait = Self::UpTo(bound);
        for value in request.headers().get_all("prefer").filter_map(|value| value.to_str().ok()) {
            for preference in value.split([',', ';']).map(str::trim) {
                if preference.eq_ignore_ascii_case("respond-async") {
                    return Self::No;
                }
                let seconds = preference.strip_prefix("wait=").and_then(|seconds| seconds.parse().ok());
                wait = seconds.map_or(wait, |seconds| Self::UpTo(Duration::from_secs(seconds).min(bound)));
            }
        }
        wait
    }
}

/// What came of a command.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The payment as the answer shows it.
    pub payment: Arc<Payment>,
    /// The version right after the command.
    pub version: u32,
    /// Whether an idempotency key was recognised.
    pub replayed: bool,
    /// Whether the outcome is known; otherwise it is still under way.
    pub settled: bool,
}

impl Outcome {
    /// The refund that the command made.
    #[must_use]
    pub fn refund(&self) -> Option<RefundId> {
        refund_at(&self.payment, self.version)
    }
}

/// Executes a command and waits as told. A replayed command answers with the outcome that the original one had.
///
/// # Errors
/// What the engine said; 409 for a replayed key whose original has no outcome yet.
pub async fn execute(state: &WebState, asked: impl Into<Asked>, wait: Wait) -> Result<Outcome, ApiError> {
    let asked = asked.into();
    let id = asked.command.payment();
    let waiter = match wait {
        Wait::No => None,
        // A replayed submission has another id; it is waited for below.
        Wait::UpTo(_) => id.and_then(|id| state.hub.wait_for_rest(id)),
    };
    let done = state.engine.execute(asked).await?;
    let handed = Handed { id: done.payment.id(), version: done.version, replayed: done.replayed };
    if let Some(payment) = first_settled(&done.payment, done.version) {
        return Ok(handed.outcome(as_said(state, payment).await?, true));
    }
    let Wait::UpTo(time) = wait else {
        let committed = as_committed(&done.payment, done.version);
        return Ok(handed.outcome(as_said(state, committed).await?, false));
    };
    // From here on it may take long, and others wait as well: nothing large is held meanwhile.
    drop(done);
    let waiter = match waiter {
        Some(waiter) if Some(handed.id) == id => Some(waiter),
        Some(_) | None => state.hub.wait_for_rest(handed.id),
    };
    let latest = wait_or_look(state, handed, waiter, time).await.map_err(ApiError::after_write)?;
    match first_settled(&latest, handed.version) {
        Some(payment) => Ok(handed.outcome(as_said(state, payment).await?, true)),
        None if handed.replayed => Err(in_progress()),
        None => {
            let committed = as_committed(&latest, handed.version);
            Ok(handed.outcome(as_said(state, committed).await?, false))
        }
    }
}

/// The payment with what was said of it then, which an amendment since may have replaced.
async fn as_said(state: &WebState, payment: Arc<Payment>) -> Result<Arc<Payment>, ApiError> {
    if payment.unread_terms().is_none() {
        return Ok(payment);
    }
    let mut then = Payment::clone(&payment);
    let read = said::read(state.store.as_ref(), [&mut then]).await;
    read.map_err(|error| ApiError::from(error).after_write())?;
    Ok(Arc::new(then))
}

/// A command that was admitted.
#[derive(Debug, Clone, Copy)]
struct Handed {
    id: PaymentId,
    version: u32,
    replayed: bool,
}

impl Handed {
    fn outcome(self, payment: Arc<Payment>, settled: bool) -> Outcome {
        Outcome { payment, version: self.version, replayed: self.replayed, settled }
    }
}

/// Waits for the outcome, and looks into the store once when that took too long.
async fn wait_or_look(
    state: &WebState,
    handed: Handed,
    waiter: Option<crate::feed::live::Waiter>,
    time: Duration,
) -> Result<Arc<Payment>, ApiError> {
    let mut time = time;
    if handed.replayed {
        // Registered after the fact: it may have come to rest between the engine's answer and now.
        let now = read(state, handed.id).await?;
        if first_settled(&now, handed.version).is_some() {
            return Ok(now);
        }
        time = time.min(Duration::from_secs(5));
    }
    if let Some(waiter) = waiter
        && let Ok(settled) = tokio::time::timeout(time, wait(state, handed, &waiter)).await
    {
        return settled;
    }
    read(state, handed.id).await
}

/// Waits until the payment is settled.
async fn wait(
    state: &WebState,
    handed: Handed,
    waiter: &crate::feed::live::Waiter,
) -> Result<Arc<Payment>, ApiError> {
    loop {
        let version = handed.version;
        if let Some(payment) = waiter.until(move |payment| is_settled(payment, version)).await {
            return Ok(payment);
        }
        let now = read(state, handed.id).await?;
        if first_settled(&now, version).is_some() {
            return Ok(now);
        }
    }
}

async fn read(state: &WebState, id: PaymentId) -> Result<Arc<Payment>, ApiError> {
    let found = state.store.payment_one(id).await?;
    // It was committed: only a store that lost it could not have it.
    found.map(Arc::new).ok_or_else(ApiError::internal)
}

fn in_progress() -> ApiError {
    let message =
        "There is currently another in-progress request using this idempotency key. Try again in a moment.";
    ApiError::new(StatusCode::CONFLICT, ErrorType::IdempotencyError, "idempotency_key_in_use", message)
}

fn refund_at(payment: &Payment, version: u32) -> Option<RefundId> {
    let at = usize::try_from(version).ok()?.checked_sub(1)?;
    match payment.history().get(at).map(|recorded| recorded.event) {
        Some(Event::RefundQueued { refund, .. }) => Some(refund),
        Some(_) | None => None,
    }
}

/// The operation that the command which led to `version` is about, where it is one that a payment can have several of.
fn refunding_at(payment: &Payment, version: u32) -> Option<u16> {
    let at = usize::try_from(version).ok()?.checked_sub(1)?;
    match payment.history().get(at).map(|recorded| recorded.event) {
        Some(Event::OperationReplayed { operation }) => Some(operation),
        // It opened with this event, so its number is that of all there were up to then.
        Some(Event::RefundQueued { .. }) => Some(payment.at_version(version)?.state().operations),
        Some(_) | None => None,
    }
}

/// Whether the command that led to `version` has an outcome in this state of the payment.
pub(crate) fn is_settled(payment: &Payment, version: u32) -> bool {
    if payment.version() < version {
        return false;
    }
    let at = usize::try_from(version).ok().and_then(|version| version.checked_sub(1));
    let event = at.and_then(|at| payment.history().get(at)).map(|recorded| recorded.event);
    // An amendment is done once it is committed, whatever else is under way.
    if matches!(event, Some(Event::Amended { .. })) {
        return true;
    }
    let under_way = |operation: &Operation| match operation.phase {
        // What is pending outside may take days; it is told as it stands.
        Phase::Pending { .. } | Phase::Parked { .. } => false,
        Phase::Queued | Phase::Waiting { .. } => true,
    };
    match refunding_at(payment, version) {
        Some(number) => !payment.operation(number).is_some_and(under_way),
        None => match &payment.state().operation {
            None => payment.state().status.is_at_rest(),
            Some(operation) => !under_way(operation),
        },
    }
}

/// The payment at the first end of a batch, from `version` on, at which there was an outcome: what was answered the first
/// time and is answered every time. What lies within a batch (an authorisation that the same batch goes on to void, say)
/// never was, and answers nobody.
pub(crate) fn first_settled(payment: &Arc<Payment>, version: u32) -> Option<Arc<Payment>> {
    payment
        .first_at_end_of_batch(version, |then| is_settled(then, version))
        .map(|then| if then.version() == payment.version() { Arc::clone(payment) } else { Arc::new(then) })
}

/// The payment as the batch that brought `version` left it.
pub(crate) fn as_committed(payment: &Arc<Payment>, version: u32) -> Arc<Payment> {
    let end = payment.end_of_batch(version);
    if payment.version() == end {
        return Arc::clone(payment);
    }
    payment.at_version(end).map_or_else(|| Arc::clone(payment), Arc::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::command::{Action, Outcome as Answered};
    use crate::domain::currency::Currency;
    use crate::domain::event::{CancelReason, Recorded};
    use crate::domain::ids::{AccountId, ChargeId, ClockId};
    use crate::domain::instrument::Instrument;
    use crate::domain::money::Money;
    use crate::domain::status::Status;
    use crate::domain::submission::{CaptureMethod, Kind, Lane, Submission};
    use crate::domain::tests::life::Life;
    use crate::domain::time::Timestamp;

    /// A charge with these batches after the one that created it, as of the end of the last.
    fn charge(batches: &[&[Event]]) -> Arc<Payment> {
        let submission = Submission {
            id: PaymentId::generate(),
            owner: AccountId::generate(),
            kind: Kind::Charge,
            amount: Money::new(500, Currency::EUR),
            capture: CaptureMethod::Manual,
            lane: Lane::Interactive,
            draw_key: 0,
            description: None,
            metadata: Vec::new(),
            run: None,
            customer: None,
            clock: ClockId::WALL,
        };
        let event = Event::Created { instrument: None, confirmed: false, reserved: false };
        let mut payment =
            Payment::open(Arc::new(submission), Recorded::on_wall(Timestamp::from_micros(2), event)).unwrap();
        for (n, events) in (3..).zip(batches) {
            for event in *events {
                payment.apply(Recorded::on_wall(Timestamp::from_micros(n), *event)).unwrap();
            }
        }
        Arc::new(payment)
    }

    const GO: &[Event] =
        &[Event::Confirmed { instrument: Instrument::Wallet, charge: ChargeId::from_bytes([8; 16]) }];
    const WISH: &[Event] = &[Event::CancelRequested { reason: CancelReason::RequestedByCustomer }];
    const STARTED: Event = Event::Started { at: Timestamp::from_micros(4) };
    const AUTHORIZED: Event =
        Event::Authorized { amount_minor: 500, capture_before: Timestamp::from_micros(1_000_000) };
    const VOID: Event = Event::VoidQueued { reason: CancelReason::RequestedByCustomer };
    const CAPTURE: Event = Event::CaptureQueued { amount_minor: 500 };

    /// What the callers of `version` are told in the end, and at every repetition of their key: status and version.
    fn told(batches: &[&[Event]], version: u32) -> Option<(Status, u32)> {
        let payment = charge(batches);
        first_settled(&payment, version).map(|payment| (payment.state().status, payment.version()))
    }

    #[test]
    fn a_cancel_that_met_an_approval_is_answered_once_the_void_is_done() {
        let answered = &[STARTED, AUTHORIZED, VOID];
        assert_eq!(
            told(&[GO, WISH, answered], 3),
            None,
            "held for a moment within a batch, and never seen so"
        );
        let voided = &[Event::Voided {}];
        assert_eq!(told(&[GO, WISH, answered, voided], 3), Some((Status::Canceled, 7)));
        // Nor does the one who confirmed it hear of it.
        assert_eq!(told(&[GO, WISH, answered, voided], 2), Some((Status::Canceled, 7)));
        let under_way = charge(&[GO, WISH, answered]);
        assert_eq!(as_committed(&under_way, 4).version(), 6, "with no waiting, what was committed");
        assert_eq!(under_way.state().settled_at, None);
        assert_eq!(crate::domain::stages::Stages::of(&under_way).settled_us, None);
    }

    #[test]
    fn commands_that_share_a_batch_are_answered_with_its_end() {
        let together = &[STARTED, AUTHORIZED, CAPTURE];
        assert_eq!(told(&[GO, together], 2), None);
        let captured = &[Event::captured(500)];
        assert_eq!(told(&[GO, together, captured], 2), Some((Status::Succeeded, 6)));
        // Apart, each has its own end, now and at every repetition.
        let apart: &[&[Event]] = &[GO, &[STARTED, AUTHORIZED], &[CAPTURE], captured];
        assert_eq!(told(apart, 2), Some((Status::RequiresCapture, 4)));
        assert_eq!(told(apart, 5), Some((Status::Succeeded, 6)));
    }

    #[test]
    fn refunds_of_one_batch_are_each_answered_with_its_end() {
        let (one, two) = (RefundId::generate(), RefundId::generate());
        let queued = |refund| Event::RefundQueued { refund, amount_minor: 100, detail: None };
        let refunds = &[queued(one), queued(two)];
        let done = &[Event::RefundSucceeded { refund: one }];
        let paid: &[&[Event]] = &[GO, &[STARTED, Event::SUCCEEDED], refunds, done];
        assert_eq!(told(paid, 5), Some((Status::Succeeded, 7)));
        assert_eq!(told(paid, 6), None, "the second is still under way");
        assert_eq!(as_committed(&charge(paid), 5).version(), 6);
    }

    fn refund(life: &mut Life, n: u8) -> u32 {
        let refund = RefundId::from_bytes([n; 16]);
        life.act(Action::Refund { refund, amount_minor: Some(1), detail: None }).expect("admitted");
        life.payment.version()
    }

    #[test]
    fn a_parked_refund_settles_no_other() {
        let mut life = Life::charge(CaptureMethod::Automatic);
        life.answer(Answered::Approved);
        let first = refund(&mut life, 1);
        life.park();
        let second = refund(&mut life, 2);
        assert!(is_settled(&life.payment, first), "its retries are spent");
        assert!(!is_settled(&life.payment, second), "it has only just been queued");
        life.answer(Answered::Approved);
        assert!(is_settled(&life.payment, second));
    }

    #[test]
    fn a_replayed_refund_is_settled_when_it_is() {
        let mut life = Life::charge(CaptureMethod::Automatic);
        life.answer(Answered::Approved);
        refund(&mut life, 1);
        life.park();
        life.act(Action::Replay).expect("admitted");
        let replayed = life.payment.version();
        assert!(!is_settled(&life.payment, replayed), "the payment rests, the refund does not");
        life.answer(Answered::Approved);
        assert!(is_settled(&life.payment, replayed));
    }
}
