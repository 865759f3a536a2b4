//! The server-rendered pages: one file per page, each a pure view of the domain and a template, and thin handlers that
//! parse, call one use case and render.
//!
//! May depend on `web`'s state and extractors, `accounts`, and the ports' read side. Must not decide anything about a
//! payment: actions are commands, and the reasons shown for disabled ones only repeat what `domain::decide` would say.

pub mod account;
pub mod assets;
pub mod cardholder;
pub mod clock_strip;
pub mod clocks;
pub mod curve;
pub mod customer_view;
pub mod customers;
pub mod error_middleware;
pub mod error_page;
pub mod experiments;
mod export;
pub mod format;
mod forms;
mod frame;
pub mod home;
pub mod how_it_works;
pub mod import;
mod indexed;
pub mod insights;
pub mod journey;
pub mod keys;
pub mod layout;
pub mod load;
pub mod movement_line;
mod names;
pub mod onboarding;
pub mod pay;
pub mod pay_form;
pub mod payment;
pub mod payments;
mod payments_handlers;
pub mod plot;
pub mod requests;
mod responses;
pub mod row;
pub mod scenario;
mod search_view;
pub mod sign_in;
pub mod start;
mod statement;
pub mod status;
mod submit;
pub mod system;
pub mod tasks;
pub mod wallet;
pub mod wallets;

#[cfg(test)]
mod render_tests;
#[cfg(test)]
mod samples;

use actix_web::web::{self, ServiceConfig};

use import::handlers as imports;
use payment::handlers as one;
use responses::PageResult;
use scenario::{acquirers, editor, files, revisions};

use super::at::at;
use super::error::ApiError;
use error_page::PageError;

/// Adds the pages, and the fallback for unknown paths.
pub fn configure(config: &mut ServiceConfig) {
    config
        .service(at("/static/{version}/{path:.*}").get(assets::serve))
        .service(at("/").get(home::show))
        .service(at("/home/live").get(home::show_live))
        .service(at("/pay").get(pay::show).post(pay::pay))
        .service(at("/3ds/{secret}").get(cardholder::show).post(cardholder::answer))
        .service(at("/payments.csv").get(export::show))
        .service(at("/payments").get(payments_handlers::show).post(home::pay))
        .service(at("/payments/import").get(imports::show).post(imports::upload))
        .service(at("/payments/import/sample.csv").get(imports::sample))
        .service(at("/payments/imports/{id}").get(imports::show_one))
        .service(at("/payments/imports/{id}/state").get(imports::show_state))
        .service(at("/payments/imports/{id}/results.csv").get(imports::results))
        .service(at("/payments/rows").get(one::show_rows))
        .service(at("/payments/{id}").get(one::show))
        .service(at("/payments/{id}/row").get(one::show_row))
        .service(at("/payments/{id}/challenge").get(one::challenge))
        .service(at("/payments/{id}/{operation}").get(one::operated).post(one::operate))
        .service(at("/insights").get(insights::show))
        .service(at("/wallets").get(wallets::show))
        .service(at("/wallets/{currency}.csv").get(statement::download))
        .service(at("/wallets/{currency}").get(wallet::show))
        .service(at("/customers").get(customers::show).post(customers::create))
        .service(at("/customers/{id}").get(customers::show_one).post(customers::update))
        .service(at("/customers/{id}/delete").get(customers::deleted).post(customers::delete))
        .service(at("/clocks").get(clocks::show).post(clocks::create))
        .service(at("/clocks/{id}").get(clocks::show_one).post(clocks::update))
        .service(at("/clocks/{id}/delete").get(clocks::deleted).post(clocks::delete))
        .service(at("/scenario").get(editor::show).post(editor::update))
        .service(at("/scenario/acquirers").get(acquirers::show))
        .service(at("/scenario/preview").post(editor::preview))
        .service(at("/scenario.schema.json").get(files::schema))
        .service(at("/scenario/packs/{name}.toml").get(files::pack))
        .service(at("/scenario/revisions/{number}.toml").get(revisions::download))
        .service(at("/scenario/revisions/{number}/changes").get(revisions::show_changes))
        .service(at("/scenario/revisions/{number}").get(revisions::show).post(revisions::put_again))
        .service(at("/load").get(load::list::show).post(load::list::start))
        .service(at("/load/compare").get(load::compare::show))
        .service(at("/load/{id}").get(load::run::show).post(load::run::change))
        .service(at("/load/{id}/live").get(load::run::live))
        .service(at("/load/{id}/report.html").get(load::run::report_html))
        .service(at("/load/{id}/report.json").get(load::run::report_json))
        .service(at("/keys").get(keys::show).post(keys::create))
        .service(at("/keys/{id}/revoke").post(keys::revoke))
        .service(at("/how").get(how_it_works::show))
        .service(at("/how/compare").post(how_it_works::compare))
        .service(at("/how-it-works").get(experiments::list))
        .service(at("/how-it-works/{experiment}").get(experiments::show).post(experiments::start))
        .service(at("/how-it-works/{experiment}/runs/{id}").get(experiments::run_state))
        .service(at("/requests").get(requests::list))
        .service(at("/requests/{id}").get(requests::show))
        .service(at("/system").get(system::show))
        .service(at("/system/pause").post(system::pause))
        .service(at("/system/resume").post(system::resume))
        .service(at("/account").get(account::show))
        .service(at("/account/password").post(account::change_password))
        .service(at("/account/sessions/end").post(account::end_sessions))
        .service(at("/account/close").post(account::close))
        .service(at("/first/hide").post(onboarding::hide))
        .service(at("/first/show").post(onboarding::show))
        .service(at("/first/thousand").post(onboarding::send_thousand))
        .service(at("/start").get(start::show).post(start::sign_in))
        .service(at("/demo/hide").post(start::hide_badge))
        .service(at("/sign-in").get(sign_in::show_sign_in).post(sign_in::sign_in))
        .service(at("/register").get(sign_in::show_register).post(sign_in::register))
        .service(at("/sign-out").post(sign_in::sign_out))
        .default_service(web::to(nothing_here));
}

async fn nothing_here() -> PageResult {
    Err(PageError(ApiError::not_found("page", "")))
}
