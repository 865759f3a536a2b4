//! The server-rendered pages: one file per page, each a pure view of the domain and a template, and thin handlers that
//! parse, call one use case and render.
//!
//! May depend on `web`'s state and extractors, `accounts`, and the ports' read side. Must not decide anything about a
//! payment: actions are commands, and the reasons shown for disabled ones only repeat what `domain::decide` would say.

pub mod account;
pub mod assets;
pub mod cardholder;
pub mod curve;
pub mod error_page;
pub mod errors;
mod export;
pub mod first;
pub mod form;
pub mod format;
pub mod handle;
pub mod home;
pub mod how;
pub mod import;
pub mod insights;
pub mod journey;
pub mod keys;
pub mod layout;
pub mod pay;
pub mod payment;
pub mod payments;
mod payments_handlers;
pub mod plot;
pub mod requests;
pub mod row;
mod search_view;
pub mod sign_in;
pub mod start;
pub mod status;
mod submit;
pub mod system;
pub mod wallet;
pub mod wallets;

#[cfg(test)]
mod render_tests;
#[cfg(test)]
mod samples;

use actix_web::web::{self, ServiceConfig};

use handle::{PageError, PageResult};
use import::handlers as imports;
use payment::handlers as one;

use super::error::ApiError;

/// Adds the pages, and the fallback for unknown paths.
pub fn configure(config: &mut ServiceConfig) {
    config
        .route("/static/{version}/{path:.*}", web::get().to(assets::serve))
        .route("/", web::get().to(home::show))
        .route("/home/live", web::get().to(home::show_live))
        .route("/pay", web::get().to(pay::show))
        .route("/pay", web::post().to(pay::pay))
        .route("/3ds/{secret}", web::get().to(cardholder::show))
        .route("/3ds/{secret}", web::post().to(cardholder::answer))
        .route("/payments.csv", web::get().to(export::show))
        .route("/payments", web::get().to(payments_handlers::show))
        .route("/payments", web::post().to(home::pay))
        .route("/payments/import", web::get().to(imports::show))
        .route("/payments/import", web::post().to(imports::upload))
        .route("/payments/import/sample.csv", web::get().to(imports::sample))
        .route("/payments/imports/{id}", web::get().to(imports::show_one))
        .route("/payments/imports/{id}/state", web::get().to(imports::show_state))
        .route("/payments/imports/{id}/results.csv", web::get().to(imports::results))
        .route("/payments/rows", web::get().to(one::show_rows))
        .route("/payments/{id}", web::get().to(one::show))
        .route("/payments/{id}/row", web::get().to(one::show_row))
        .route("/payments/{id}/challenge", web::get().to(one::challenge))
        .route("/payments/{id}/{operation}", web::get().to(one::operated))
        .route("/payments/{id}/{operation}", web::post().to(one::operate))
        .route("/insights", web::get().to(insights::show))
        .route("/wallets", web::get().to(wallets::show))
        .route("/wallets/{currency}", web::get().to(wallet::show))
        .route("/keys", web::get().to(keys::show))
        .route("/keys", web::post().to(keys::create))
        .route("/keys/{id}/revoke", web::post().to(keys::revoke))
        .route("/how", web::get().to(how::show))
        .route("/how/compare", web::post().to(how::compare))
        .route("/requests", web::get().to(requests::list))
        .route("/requests/{id}", web::get().to(requests::show))
        .route("/system", web::get().to(system::show))
        .route("/system/pause", web::post().to(system::pause))
        .route("/system/resume", web::post().to(system::resume))
        .route("/account", web::get().to(account::show))
        .route("/account/password", web::post().to(account::change_password))
        .route("/account/sessions/end", web::post().to(account::end_sessions))
        .route("/account/close", web::post().to(account::close))
        .route("/first/hide", web::post().to(first::hide))
        .route("/first/show", web::post().to(first::show))
        .route("/first/thousand", web::post().to(first::send_thousand))
        .route("/start", web::get().to(start::show))
        .route("/start", web::post().to(start::sign_in))
        .route("/demo/hide", web::post().to(start::hide_badge))
        .route("/sign-in", web::get().to(sign_in::show_sign_in))
        .route("/sign-in", web::post().to(sign_in::sign_in))
        .route("/register", web::get().to(sign_in::show_register))
        .route("/register", web::post().to(sign_in::register))
        .route("/sign-out", web::post().to(sign_in::sign_out))
        .default_service(web::to(nothing_here));
}

async fn nothing_here() -> PageResult {
    Err(PageError(ApiError::not_found("page", "")))
}
