//! Answers to commands: the object, or the decline with the object inside.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpResponse, HttpResponseBuilder};

use super::objects::{Expand, RETRIES_SPENT, Rendered, resource_name};
use crate::domain::decline::DeclineReason;
use crate::domain::payment::Payment;
use crate::domain::status::Status;
use crate::domain::submission::Kind;
use crate::intake::details::Attempts;
use crate::intake::{Outcome, Verb, Wait};
use crate::web::error::{ApiError, ErrorType};
use crate::web::state::WebState;

/// Begins the answer to a command: 202 if it is still under way and the caller did not ask to wait.
pub fn answer(outcome: &Outcome, wait: Wait) -> HttpResponseBuilder {
    let accepted = !outcome.settled && wait == Wait::No;
    let mut response = HttpResponse::build(if accepted { StatusCode::ACCEPTED } else { StatusCode::OK });
    mark_replayed(&mut response, outcome);
    response
}

fn mark_replayed(response: &mut HttpResponseBuilder, outcome: &Outcome) {
    if outcome.replayed {
        response.insert_header((
            HeaderName::from_static("idempotent-replayed"),
            HeaderValue::from_static("true"),
        ));
    }
}

/// The answer for a payment: the object, or the decline with the object inside.
///
/// # Errors
/// The store's.
pub async fn render(
    state: &WebState,
    outcome: &Outcome,
    verb: Option<Verb>,
    expand: Expand,
    wait: Wait,
) -> Result<HttpResponse, ApiError> {
    let kept = Attempts::of(state.store.as_ref(), &[&outcome.payment]).await?;
    let object = Rendered::of(&outcome.payment, expand, state.presenter(), &kept);
    match outcome.settled.then(|| declined(&outcome.payment, verb)).flatten() {
        None => Ok(answer(outcome, wait).json(object)),
        Some(mut error) => {
            let name = resource_name(outcome.payment.submission().kind.payment_kind());
            error.object = Some(Arc::new((name, object)));
            let mut response = actix_web::ResponseError::error_response(&error);
            if outcome.replayed {
                let headers = response.headers_mut();
                headers
                    .insert(HeaderName::from_static("idempotent-replayed"), HeaderValue::from_static("true"));
            }
            Ok(response)
        }
    }
}

/// The error for a payment that was declined or failed; `verb` is the operation, if it was one.
fn declined(payment: &Payment, verb: Option<Verb>) -> Option<ApiError> {
    let state = payment.state();
    let from_wallet = payment.submission().kind.takes_from_wallet();
    match (state.status, state.decline) {
        (Status::Declined, Some(DeclineReason::InsufficientFunds)) if from_wallet => Some(ApiError::invalid(
            "balance_insufficient",
            "Your wallet does not hold enough for this payment. Add money first.",
        )),
        (Status::Canceled, _) if verb == Some(Verb::Capture) => Some(ApiError::invalid(
            "charge_expired_for_capture",
            "This payment was not captured: its authorization expired before the capture was approved.",
        )),
        // An earlier declined capture is not an error of a later operation.
        (Status::RequiresCapture, Some(_)) if verb != Some(Verb::Capture) => None,
        // A capture can be declined while the authorisation stands.
        (Status::Declined | Status::RequiresCapture, Some(reason)) => {
            let to_bank = matches!(payment.submission().kind, Kind::Payout { .. });
            let (code, message) = match from_wallet {
                true => (reason.wallet_code(), reason.wallet_message(to_bank)),
                false => (reason.code(), reason.message()),
            };
            let blamed =
                if reason.blames_card() { ErrorType::CardError } else { ErrorType::InvalidRequestError };
            let mut error = ApiError::new(StatusCode::PAYMENT_REQUIRED, blamed, code, message);
            error.decline_code = (!from_wallet && reason.shows_decline_code()).then(|| reason.decline_code());
            let is_charge = matches!(payment.submission().kind, Kind::Charge);
            let charge = payment.charge_of_last_attempt().filter(|_| is_charge);
            error.charge = charge.map(|charge| charge.id.to_string().into());
            Some(error)
        }
        (Status::Failed, _) => Some(ApiError::new(
            StatusCode::PAYMENT_REQUIRED,
            ErrorType::CardError,
            "processing_error",
            RETRIES_SPENT,
        )),
        (_, _) => None,
    }
}
