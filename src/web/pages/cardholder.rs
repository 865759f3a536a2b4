//! `/3ds/{client_secret}`: what a cardholder's bank would show. It is opened without signing in: whoever has the secret of
//! the payment intent may answer, as in the dialect, and nobody can guess it.
//!
//! A form of two buttons; tests without a browser post `passed=true` or `passed=false` to the same address. Both are led
//! on to the merchant's `return_url`, with the outcome in its query.

use actix_web::http::header;
use actix_web::web;
use askama::Template;
use url::Url;

use super::error_page::PageError;
use super::handle::{self, Fields, PageResult};
use super::layout::Layout;
use super::status;
use crate::domain::command::Command;
use crate::domain::ids::PaymentId;
use crate::domain::payment::Payment;
use crate::domain::status::Status;
use crate::web::api::details::Attempts;
use crate::web::api::objects::client_secret;
use crate::web::body::Body;
use crate::web::error::ApiError;
use crate::web::intake::{Context, OperationDraft, Verb};
use crate::web::outcome::{self, Wait};
use crate::web::params::Params;
use crate::web::state::WebState;

/// As everywhere, but that the form may lead on to the merchant, wherever that is.
const POLICY: &str = "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; \
                      form-action 'self' http: https:";

/// The page.
#[derive(Template)]
#[template(path = "cardholder.html")]
pub struct CardholderPage {
    /// The frame.
    pub layout: Layout,
    /// The secret in the page's address.
    pub secret: String,
    /// Who is paid.
    pub merchant: String,
    /// How much.
    pub amount: String,
    /// The card.
    pub card: String,
    /// Whether the payment waits for the cardholder.
    pub waiting: bool,
    /// Where it stands.
    pub status: &'static str,
    /// Where the merchant wants them back.
    pub back: Option<String>,
}

/// The payment whose secret this is.
async fn payment_of(state: &WebState, secret: &str) -> Result<Payment, PageError> {
    let missing = || ApiError::not_found("page", "");
    let (shown, _) = secret.split_once("_secret_").ok_or_else(missing)?;
    let id: PaymentId = shown.strip_prefix("pi_").and(shown.parse().ok()).ok_or_else(missing)?;
    // `blake3::Hash` compares in constant time.
    let right = blake3::hash(client_secret(shown, &state.rules.fingerprint_key).as_bytes());
    if blake3::hash(secret.as_bytes()) != right {
        return Err(missing().into());
    }
    let payment = state.store.payment_get(&[id]).await?.into_iter().next();
    Ok(payment.ok_or_else(missing)?)
}

/// Where the merchant wants the cardholder back, with what came of it in the query.
async fn way_back(state: &WebState, payment: &Payment, secret: &str) -> Result<Option<Url>, PageError> {
    let kept = Attempts::of(state.store.as_ref(), &[payment]).await?;
    let Some(text) = kept.get(payment).and_then(|detail| detail.return_url.as_deref()) else {
        return Ok(None);
    };
    let Ok(mut url) = Url::parse(text) else {
        return Ok(None);
    };
    let outcome = match payment.state().status {
        Status::Succeeded | Status::RequiresCapture => "succeeded",
        Status::Queued | Status::Processing => "pending",
        Status::RequiresPaymentMethod
        | Status::RequiresConfirmation
        | Status::RequiresAction
        | Status::Declined
        | Status::Failed
        | Status::Canceled => "failed",
    };
    url.query_pairs_mut()
        .append_pair("payment_intent", &payment.submission().public_id())
        .append_pair("payment_intent_client_secret", secret)
        .append_pair("redirect_status", outcome);
    Ok(Some(url))
}

/// `GET /3ds/{client_secret}`.
pub async fn show(state: web::Data<WebState>, secret: web::Path<String>) -> PageResult {
    let payment = payment_of(&state, &secret).await?;
    page(&state, &payment, &secret).await
}

async fn page(state: &WebState, payment: &Payment, secret: &str) -> PageResult {
    let names = handle::names_of(state, std::slice::from_ref(payment)).await?;
    let waiting = payment.state().status == Status::RequiresAction;
    let back = if waiting { None } else { way_back(state, payment, secret).await? };
    let page = CardholderPage {
        layout: Layout::signed_out("3-D Secure", ""),
        secret: secret.to_owned(),
        merchant: names.get(payment.owner()).to_owned(),
        amount: payment.submission().amount.to_string(),
        card: payment.state().card().map_or_else(|| "a card".to_owned(), |card| card.label()),
        waiting,
        status: status::word(payment.state().status),
        back: back.map(String::from),
    };
    let mut answer = handle::ok(&page);
    answer.headers_mut().insert(header::CONTENT_SECURITY_POLICY, header::HeaderValue::from_static(POLICY));
    Ok(answer)
}

/// `POST /3ds/{client_secret}`: the cardholder's answer. One that comes again changes nothing and leads on as the first.
pub async fn answer(state: web::Data<WebState>, secret: web::Path<String>, body: Body) -> PageResult {
    let fields = Fields::of_body(body)?;
    let payment = payment_of(&state, &secret).await?;
    let payment = match payment.state().status {
        Status::RequiresAction => complete(&state, &payment, fields.get("passed")).await?,
        Status::RequiresPaymentMethod
        | Status::RequiresConfirmation
        | Status::Queued
        | Status::Processing
        | Status::RequiresCapture
        | Status::Succeeded
        | Status::Declined
        | Status::Failed
        | Status::Canceled => payment,
    };
    let to = way_back(&state, &payment, &secret).await.map_err(|error| PageError(error.0.after_write()))?;
    Ok(match to {
        Some(url) => handle::lead_away(&url),
        None => handle::see_other(&format!("/3ds/{}", secret.as_str())),
    })
}

async fn complete(state: &WebState, payment: &Payment, passed: &str) -> Result<Payment, PageError> {
    let mut params = Params::default();
    let passed = if passed.is_empty() { "true" } else { passed };
    params.add_text("passed", Some(passed.into()));
    let context = Context { rules: &state.rules, now: state.wall.now(), confirm_default: true };
    let draft = OperationDraft::read(&mut params, Verb::CompleteAction, "amount", &context)
        .map_err(ApiError::from)?;
    let command = Command::Operate(draft.into_command(payment.id(), payment.owner()));
    let wait = Wait::UpTo(std::time::Duration::from_millis(state.settings.outcome_wait_ms));
    match outcome::execute(state, command, wait).await {
        Ok(outcome) => Ok(outcome.payment.as_ref().clone()),
        // Someone else answered in between.
        Err(error) if error.code == Some("payment_intent_unexpected_state") => {
            let now = state.store.payment_get(&[payment.id()]).await?.into_iter().next();
            Ok(now.unwrap_or_else(|| payment.clone()))
        }
        Err(error) => Err(error.into()),
    }
}
