//! `/v1`: the dialect that payments developers' SDKs speak.
//!
//! One file per resource; `list` and `submit` hold what they share, [`objects`] what they show.

mod accounts;
mod attempt;
mod balance;
pub mod details;
mod list;
pub mod objects;
mod payment_intents;
mod refunds;
mod search;
mod submit;
mod wallet;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::HeaderName;
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};

use super::error::{ApiError, ErrorType};
use super::intake::idempotency_key;
use super::requests::capture;
use super::security::ApiCaller;

/// Adds the routes under `/v1`.
pub fn configure(config: &mut ServiceConfig) {
    let intents = web::scope("/payment_intents")
        .route("", web::post().to(payment_intents::create))
        .route("", web::get().to(payment_intents::list))
        .route("/search", web::get().to(search::search))
        .route("/{id}", web::get().to(payment_intents::retrieve))
        .route("/{id}/confirm", web::post().to(payment_intents::confirm))
        .route("/{id}/capture", web::post().to(payment_intents::capture))
        .route("/{id}/cancel", web::post().to(payment_intents::cancel))
        .default_service(web::to(unrecognized));
    let scope = web::scope("/v1")
        .wrap(from_fn(reflect_key))
        .wrap(from_fn(capture::record))
        .service(intents)
        .route("/refunds", web::post().to(refunds::create))
        .route("/refunds", web::get().to(refunds::list))
        .route("/refunds/{id}", web::get().to(refunds::retrieve))
        .route("/topups", web::post().to(wallet::topup_create))
        .route("/topups", web::get().to(wallet::topup_list))
        .route("/topups/{id}", web::get().to(wallet::topup_retrieve))
        .route("/transfers", web::post().to(wallet::transfer_create))
        .route("/transfers", web::get().to(wallet::transfer_list))
        .route("/transfers/{id}", web::get().to(wallet::transfer_retrieve))
        .route("/payouts", web::post().to(wallet::payout_create))
        .route("/payouts", web::get().to(wallet::payout_list))
        .route("/payouts/{id}", web::get().to(wallet::payout_retrieve))
        .route("/balance", web::get().to(balance::retrieve))
        .route("/account", web::get().to(accounts::own))
        .route(
            "/test_helpers/payment_intents/{id}/authenticate",
            web::post().to(payment_intents::authenticate),
        )
        .route("/test_helpers/accounts", web::post().to(accounts::create))
        .route("/test_helpers/accounts", web::get().to(accounts::list))
        .route("/test_helpers/accounts/{id}", web::delete().to(accounts::delete))
        .default_service(web::to(unrecognized));
    config.service(scope);
}

/// Tells the caller the idempotency key back, as the dialect does, whatever came of the request. A key that would not be
/// accepted is not repeated.
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

/// The answer to whatever is not offered.
/// Asks for the caller, though anyone is answered, so that the log of requests knows whose call it was.
async fn unrecognized(request: HttpRequest, _: Option<ApiCaller>) -> Result<HttpResponse, ApiError> {
    let path: String = request.path().chars().filter(|c| !c.is_control()).take(200).collect();
    let message =
        format!("Unrecognized request URL ({}: {path}). Paystorm does not offer it.", request.method());
    Err(ApiError::new(StatusCode::NOT_FOUND, ErrorType::InvalidRequestError, "url_unrecognized", message))
}
