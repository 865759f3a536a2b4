//! `/v1`: the API dialect that existing payment SDKs speak.
//!
//! One file per resource; `list`, `payment_list` and `submit` hold what they share, [`objects`] the objects they show.

mod accounts;
mod answer;
mod balance;
mod balance_transactions;
mod charges;
mod customers;
mod disputes;
mod early_fraud_warnings;
mod events;
mod list;
pub mod load_runs;
pub mod objects;
mod parameters;
mod part_list;
mod payment_intents;
mod payment_list;
mod refunds;
pub mod resources;
pub mod scenarios;
mod search;
mod submit;
mod test_clocks;
mod wallet_payments;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::HeaderName;
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};

use super::at::at;
use super::edge;
use super::error::{ApiError, ErrorType};
use super::requests::capture;
use super::security::ApiCaller;
use crate::domain::card_numbers::shown;
use crate::intake::idempotency_key;

/// The most characters of a path that a message repeats.
const PATH_CHARS_MAX: usize = 200;

/// Adds the routes under `/v1`.
pub fn configure(config: &mut ServiceConfig) {
    let scope = web::scope("/v1")
        .wrap(from_fn(reflect_key))
        .wrap(from_fn(capture::record))
        .service(at("/payment_intents").post(payment_intents::create).get(payment_intents::list))
        .service(at("/payment_intents/search").get(search::search))
        .service(at("/payment_intents/{id}").get(payment_intents::retrieve).post(payment_intents::update))
        .service(at("/payment_intents/{id}/confirm").post(payment_intents::confirm))
        .service(at("/payment_intents/{id}/capture").post(payment_intents::capture))
        .service(at("/payment_intents/{id}/cancel").post(payment_intents::cancel))
        .service(at("/charges").get(charges::list))
        .service(at("/charges/{id}").get(charges::retrieve))
        .service(at("/refunds").post(refunds::create).get(refunds::list))
        .service(at("/refunds/{id}").get(refunds::retrieve))
        .service(at("/disputes").get(disputes::list))
        .service(at("/disputes/{id}").get(disputes::retrieve).post(disputes::update))
        .service(at("/disputes/{id}/close").post(disputes::close))
        .service(at("/radar/early_fraud_warnings").get(early_fraud_warnings::list))
        .service(at("/radar/early_fraud_warnings/{id}").get(early_fraud_warnings::retrieve))
        .service(at("/customers").post(customers::create).get(customers::list))
        .service(
            at("/customers/{id}").get(customers::retrieve).post(customers::update).delete(customers::delete),
        )
        .service(at("/topups").post(wallet_payments::topup_create).get(wallet_payments::topup_list))
        .service(at("/topups/{id}").get(wallet_payments::topup_retrieve))
        .service(at("/transfers").post(wallet_payments::transfer_create).get(wallet_payments::transfer_list))
        .service(at("/transfers/{id}").get(wallet_payments::transfer_retrieve))
        .service(at("/payouts").post(wallet_payments::payout_create).get(wallet_payments::payout_list))
        .service(at("/payouts/{id}").get(wallet_payments::payout_retrieve))
        .service(at("/balance").get(balance::retrieve))
        .service(at("/events").get(events::list))
        .service(at("/events/{id}").get(events::retrieve))
        .service(at("/balance_transactions").get(balance_transactions::list))
        .service(at("/balance_transactions/{id}").get(balance_transactions::retrieve))
        .service(at("/account").get(accounts::own).post(accounts::update))
        .service(at("/test_helpers/payment_intents/{id}/authenticate").post(payment_intents::authenticate))
        .service(at("/test_helpers/charges/{id}/dispute").post(disputes::raise))
        .service(at("/test_helpers/payment_intents/{id}/dispute").post(disputes::raise))
        .service(at("/test_helpers/refunds/{id}/succeed").post(refunds::succeed))
        .service(at("/test_helpers/refunds/{id}/fail").post(refunds::fail))
        .service(at("/test_helpers/test_clocks").post(test_clocks::create).get(test_clocks::list))
        .service(
            at("/test_helpers/test_clocks/{id}")
                .get(test_clocks::retrieve)
                .post(test_clocks::update)
                .delete(test_clocks::delete),
        )
        .service(at("/test_helpers/test_clocks/{id}/advance").post(test_clocks::advance))
        .service(
            at("/test_helpers/scenario")
                .get(scenarios::in_force)
                .post(scenarios::put)
                .delete(scenarios::clear),
        )
        .service(at("/test_helpers/scenario/check").post(scenarios::check))
        .service(at("/test_helpers/scenario/packs").get(scenarios::packs))
        .service(at("/test_helpers/scenario/acquirers").get(scenarios::acquirers))
        .service(at("/test_helpers/scenario/revisions").get(scenarios::list))
        .service(at("/test_helpers/scenario/revisions/{number}").get(scenarios::retrieve))
        .service(at("/test_helpers/load_runs").post(load_runs::create).get(load_runs::list))
        .service(at("/test_helpers/load_runs/compare").get(load_runs::compared))
        .service(at("/test_helpers/load_runs/{id}").get(load_runs::retrieve).delete(load_runs::delete))
        .service(at("/test_helpers/load_runs/{id}/pause").post(load_runs::pause))
        .service(at("/test_helpers/load_runs/{id}/resume").post(load_runs::resume))
        .service(at("/test_helpers/load_runs/{id}/stop").post(load_runs::stop))
        .service(at("/test_helpers/load_runs/{id}/live").get(load_runs::live))
        .service(at("/test_helpers/load_runs/{id}/report.json").get(load_runs::report_json))
        .service(at("/test_helpers/load_runs/{id}/report.html").get(load_runs::report_html))
        .service(at("/test_helpers/accounts").post(accounts::create).get(accounts::list))
        .service(at("/test_helpers/accounts/{id}").delete(accounts::delete))
        .default_service(web::to(unrecognized));
    config.service(scope);
}

/// Returns the idempotency key to the caller, as the dialect does, whatever the outcome of the request. A key that would
/// not be accepted is not repeated.
async fn reflect_key(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let name = HeaderName::from_static("idempotency-key");
    let key = request.headers().get(&name).filter(|_| *request.method() == Method::POST).cloned();
    let mut response = next.call(request).await?;
    if let Some(key) = key.filter(|key| key.to_str().is_ok_and(|key| idempotency_key(key).is_ok())) {
        response.headers_mut().insert(name, key);
    }
    Ok(response)
}

/// The answer to a URL that is not offered. Anyone is answered; the caller is extracted so that the request log knows whose
/// call it was.
async fn unrecognized(request: HttpRequest, _: Option<ApiCaller>) -> Result<HttpResponse, ApiError> {
    let path = shown(request.path(), PATH_CHARS_MAX);
    let method = edge::method_shown(&request);
    let message = format!("Unrecognized request URL ({method}: {path}). Paystorm does not offer it.");
    Err(ApiError::new(StatusCode::NOT_FOUND, ErrorType::InvalidRequestError, "url_unrecognized", message))
}
