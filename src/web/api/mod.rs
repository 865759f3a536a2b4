//! `/v1`: the dialect that payments developers' SDKs speak.
//!
//! One file per resource; `list` and `submit` hold what they share, [`objects`] what they show.

mod accounts;
mod balance;
mod list;
pub mod objects;
mod payment_intents;
mod refunds;
mod search;
mod submit;
mod wallet;

use actix_web::http::StatusCode;
use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};

use super::error::{ApiError, ErrorType};
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
        .route("/test_helpers/accounts", web::post().to(accounts::create))
        .route("/test_helpers/accounts", web::get().to(accounts::list))
        .route("/test_helpers/accounts/{id}", web::delete().to(accounts::delete))
        .default_service(web::to(unrecognized));
    config.service(scope);
}

/// The answer to whatever is not offered.
/// Asks for the caller, though anyone is answered, so that the log of requests knows whose call it was.
async fn unrecognized(request: HttpRequest, _: Option<ApiCaller>) -> Result<HttpResponse, ApiError> {
    let path: String = request.path().chars().filter(|c| !c.is_control()).take(200).collect();
    let message =
        format!("Unrecognized request URL ({}: {path}). Paystorm does not offer it.", request.method());
    Err(ApiError::new(StatusCode::NOT_FOUND, ErrorType::InvalidRequestError, "url_unrecognized", message))
}
