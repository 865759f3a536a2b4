//! Handing commands to the engine and, where the caller wants it, waiting for what comes of them.
//!
//! A handler that is dropped half way harms nothing: the command is the engine's from the moment it was handed in.

use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::StatusCode;

use super::error::{ApiError, ErrorType};
use super::state::WebState;
use crate::domain::command::Command;
use crate::domain::event::Event;
use crate::domain::ids::RefundId;
use crate::domain::payment::{Operation, Payment, Phase};
use crate::engine::Done;

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
pub async fn execute(state: &WebState, command: Command, wait: Wait) -> Result<Outcome, ApiError> {
    let id = command.payment();
    let waiter = match wait {
        Wait::No => None,
        // A replayed submission has another id; it is waited for below.
        Wait::UpTo(_) => state.hub.wait_for_rest(id),
    };
    let done = state.engine.execute(command).await?;
    let outcome = |payment: Arc<Payment>, settled| Outcome {
        payment,
        version: done.version,
        replayed: done.replayed,
        settled,
    };
    if let Some(payment) = first_settled(&done.payment, done.version) {
        return Ok(outcome(payment, true));
    }
    let Wait::UpTo(time) = wait else {
        let payment = at_version(&done.payment, done.version);
        return Ok(outcome(payment, false));
    };
    let waiter = match waiter {
        Some(waiter) if done.payment.id() == id => Some(waiter),
        Some(_) | None => state.hub.wait_for_rest(done.payment.id()),
    };
    let latest = wait_or_look(state, &done, waiter, time).await?;
    match first_settled(&latest, done.version) {
        Some(payment) => Ok(outcome(payment, true)),
        None if done.replayed => Err(in_progress()),
        None => Ok(outcome(at_version(&latest, done.version), false)),
    }
}

/// Waits for the outcome, and looks into the store once when that took too long.
async fn wait_or_look(
    state: &WebState,
    done: &Done,
    waiter: Option<crate::feed::live::Waiter>,
    time: Duration,
) -> Result<Arc<Payment>, ApiError> {
    let mut time = time;
    if done.replayed {
        // Registered after the fact: it may have come to rest between the engine's answer and now.
        let now = read(state, done).await?;
        if first_settled(&now, done.version).is_some() {
            return Ok(now);
        }
        time = time.min(Duration::from_secs(5));
    }
    if let Some(waiter) = waiter {
        let ready = |payment: &Payment| is_settled(payment, done.version);
        if let Ok(payment) = tokio::time::timeout(time, waiter.until(ready)).await {
            return Ok(payment);
        }
    }
    read(state, done).await
}

async fn read(state: &WebState, done: &Done) -> Result<Arc<Payment>, ApiError> {
    let found = state.store.payment_get(&[done.payment.id()]).await?.into_iter().next();
    Ok(found.map_or_else(|| Arc::clone(&done.payment), Arc::new))
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
fn is_settled(payment: &Payment, version: u32) -> bool {
    if payment.version() < version {
        return false;
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

/// The payment at the first version, from `version` on, at which there was an outcome: what was answered the first time
/// and is answered every time.
fn first_settled(payment: &Arc<Payment>, version: u32) -> Option<Arc<Payment>> {
    for earlier in version..payment.version() {
        if let Some(then) = payment.at_version(earlier).filter(|then| is_settled(then, version)) {
            return Some(Arc::new(then));
        }
    }
    is_settled(payment, version).then(|| Arc::clone(payment))
}

fn at_version(payment: &Arc<Payment>, version: u32) -> Arc<Payment> {
    if payment.version() == version {
        return Arc::clone(payment);
    }
    payment.at_version(version).map_or_else(|| Arc::clone(payment), Arc::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::command::{Action, Outcome as Answered};
    use crate::domain::submission::CaptureMethod;
    use crate::domain::tests::life::Life;

    fn refund(life: &mut Life, n: u8) -> u32 {
        let refund = RefundId::from_bytes([n; 16]);
        life.act(Action::Refund { refund, amount_minor: Some(1) }).expect("admitted");
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
