//! `/3ds/{client_secret}`: the 3-D Secure page that a cardholder's bank would show. It needs no sign-in: anyone who has the payment
//! intent's client secret may answer, as in the dialect, and nobody can guess the secret.
//!
//! The page is a form of two buttons; tests without a browser post `passed=true` or `passed=false` to the same address. Both are
//! redirected to the merchant's `return_url`, with the outcome in its query.

use actix_web::http::header;
use actix_web::web;
use askama::Template;
use url::Url;

use super::error_page::PageError;
use super::forms::Fields;
use super::layout::Layout;
use super::names;
use super::responses::{self, PageResult};
use super::status;
use crate::domain::ids::PaymentId;
use crate::domain::payment::Payment;
use crate::domain::status::Status;
use crate::intake::details::Attempts;
use crate::intake::{Call, OperationDraft, Params, Verb, Wait};
use crate::web::api::objects::client_secret;
use crate::web::body::Body;
use crate::web::error::ApiError;
use crate::web::state::WebState;

/// The usual policy, except that the form may redirect to the merchant, on any host.
const POLICY: &str = "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; \
                      form-action 'self' http: https:";

/// The page.
#[derive(Template)]
#[template(path = "cardholder.html")]
pub struct CardholderPage {
    /// The frame.
    pub layout: Layout,
    /// The client secret in the page's address.
    pub secret: String,
    /// The name of the account that is paid.
    pub merchant: String,
    /// The amount with symbol and code.
    pub amount: String,
    /// The card's network and last digits.
    pub card: String,
    /// Whether the payment waits for the cardholder.
    pub waiting: bool,
    /// The payment's status in words.
    pub status: &'static str,
    /// The merchant's `return_url` with the outcome; `None` while waiting or without one.
    pub back: Option<String>,
}

/// The payment that this client secret belongs to.
async fn payment_of(state: &WebState, secret: &str) -> Result<Payment, PageError> {
    let missing = || ApiError::not_found("page", "");
    let (shown, _) = secret.split_once("_secret_").ok_or_else(missing)?;
    let id: PaymentId = shown.strip_prefix("pi_").and(shown.parse().ok()).ok_or_else(missing)?;
    // `blake3::Hash` compares in constant time.
    let expected = blake3::hash(client_secret(shown, &state.intake.rules.fingerprint_key).as_bytes());
    if blake3::hash(secret.as_bytes()) != expected {
        return Err(missing().into());
    }
    let payment = state.store.payment_get(&[id]).await?.into_iter().next();
    Ok(payment.ok_or_else(missing)?)
}

/// The merchant's `return_url`, with the outcome in its query.
async fn return_url(state: &WebState, payment: &Payment, secret: &str) -> Result<Option<Url>, PageError> {
    let attempts = Attempts::of(state.store.as_ref(), &[payment]).await?;
    let Some(text) = attempts.get(payment).and_then(|detail| detail.return_url.as_deref()) else {
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
    let names = names::names_of(state, std::slice::from_ref(payment)).await?;
    let waiting = payment.state().status == Status::RequiresAction;
    let back = if waiting { None } else { return_url(state, payment, secret).await? };
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
    let mut answer = responses::ok(&page);
    answer.headers_mut().insert(header::CONTENT_SECURITY_POLICY, header::HeaderValue::from_static(POLICY));
    Ok(answer)
}

/// `POST /3ds/{client_secret}`: the cardholder's answer. A repeated answer changes nothing and redirects like the first.
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
    let to = return_url(&state, &payment, &secret).await.map_err(|error| PageError(error.0.after_write()))?;
    Ok(match to {
        Some(url) => responses::lead_away(&url),
        None => responses::see_other(&format!("/3ds/{}", secret.as_str())),
    })
}

async fn complete(state: &WebState, payment: &Payment, passed: &str) -> Result<Payment, PageError> {
    let mut params = Params::default();
    let passed = if passed.is_empty() { "true" } else { passed };
    params.add_text("passed", Some(passed.into()));
    let draft = OperationDraft::read(&mut params, Verb::CompleteAction, "amount", &state.intake.context())
        .map_err(ApiError::from)?;
    let wait = Wait::UpTo(std::time::Duration::from_millis(state.settings.outcome_wait_ms));
    let outcome = async {
        let handed = state.intake.operate(draft, payment.id(), payment.owner(), Call::waiting(wait)).await?;
        state.intake.outcome(handed).await
    };
    match outcome.await.map_err(ApiError::from) {
        Ok(outcome) => Ok(outcome.payment.as_ref().clone()),
        // Another answer came first.
        Err(error) if error.code == Some("payment_intent_unexpected_state") => {
            let now = state.store.payment_get(&[payment.id()]).await?.into_iter().next();
            Ok(now.unwrap_or_else(|| payment.clone()))
        }
        Err(error) => Err(error.into()),
    }
}
