//! What creating payments and operating on them have in common.

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use std::sync::Arc;

use super::attempt::Attempt;
use super::details::{self, Attempts, Named};
use super::objects::{Expand, RETRIES_SPENT, Rendered, resource_name};
use crate::domain::amendment::AmendPayment;
use crate::domain::command::{Command, IdempotencyKey};
use crate::domain::decline::DeclineReason;
use crate::domain::idempotency::RequestKey;
use crate::domain::ids::PaymentId;
use crate::domain::payment::Payment;
use crate::domain::status::Status;
use crate::domain::submission::Kind;
use crate::web::body::{self, Body};
use crate::web::error::{ApiError, ErrorType, InputError};
use crate::web::intake::{self, AMENDMENT_UNSET, Canonical, Draft, KindName, OperationDraft, Verb};
use crate::web::origin;
use crate::web::outcome::{self, Outcome, Wait};
use crate::web::params::Params;
use crate::web::replays;
use crate::web::security::ApiCaller;
use crate::web::state::WebState;

/// Parameters of the real service that cannot be kept or obeyed yet.
const NOT_OFFERED: &[&str] = &[
    "setup_future_usage",
    "receipt_email",
    "shipping",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "transfer_data",
    "transfer_group",
    "application_fee_amount",
    "on_behalf_of",
    "mandate",
    "mandate_data",
    "payment_method_options",
    "payment_method_configuration",
    "amount_details",
    "customer_account",
    "excluded_payment_method_types",
    "hooks",
    "payment_details",
    "final_capture",
    "confirmation_token",
    "radar_options",
    "use_stripe_sdk",
    "source_transaction",
    "source_type",
    "method",
    "refund_application_fee",
    "reverse_transfer",
    "instructions_email",
    "origin",
];

/// The context in which the dialect's parameters are read.
pub fn context(state: &WebState) -> intake::Context<'_> {
    intake::Context { rules: &state.rules, now: state.wall.now(), confirm_default: false }
}

/// The idempotency key in the request's header.
///
/// # Errors
/// A key that is too long or not printable.
pub fn key_of(request: &HttpRequest) -> Result<Option<RequestKey>, ApiError> {
    let Some(value) = request.headers().get("idempotency-key") else {
        return Ok(None);
    };
    let raw = value.to_str().map_err(|_| {
        InputError::new(
            "idempotency_key",
            "parameter_invalid_string",
            "An idempotency key needs 1 to 255 printable characters.",
        )
    })?;
    Ok(Some(intake::idempotency_key(raw)?))
}

/// Reads `expand[]` of payment intents.
///
/// # Errors
/// A property that cannot be expanded.
pub fn expand(params: &mut Params<'_>, prefix: &str) -> Result<Expand, InputError> {
    let mut expand = Expand::default();
    let can_be = "latest_charge and payment_method of payment intents";
    expand_with(params, prefix, can_be, |property| {
        match property {
            "latest_charge" => expand.latest_charge = true,
            "payment_method" => expand.payment_method = true,
            _ => return false,
        }
        true
    })?;
    Ok(expand)
}

/// Reads `expand[]` and takes its properties, which stand behind a prefix in lists. What takes them says which it knows.
///
/// # Errors
/// A property that cannot be expanded.
pub fn expand_with(
    params: &mut Params<'_>,
    prefix: &str,
    can_be: &str,
    mut take: impl FnMut(&str) -> bool,
) -> Result<(), InputError> {
    for path in params.list("expand")? {
        if !path.strip_prefix(prefix).is_some_and(&mut take) {
            let message = format!("This property cannot be expanded. What can be: {can_be}.");
            return Err(InputError::new("expand", "property_not_expandable", message));
        }
    }
    Ok(())
}

/// Refuses what is not offered and what is unknown.
pub fn finish(params: &Params<'_>) -> Result<(), InputError> {
    params.refuse(NOT_OFFERED)?;
    params.finish()
}

/// Creates a payment of this kind.
///
/// # Errors
/// Whatever the dialect answers for it.
pub async fn create(
    state: &WebState,
    caller: ApiCaller,
    request: &HttpRequest,
    body: Body,
    kind: KindName,
) -> Result<HttpResponse, ApiError> {
    let Read { draft, named, expand } = read_draft(state, request, body, kind)?;
    let origin = origin::of(state, request, caller.account, draft.key.as_ref());
    let command = replays::submission(state, draft, caller.account).await?;
    details::keep(state.store.as_ref(), *command.submission.id.as_bytes(), named.as_ref()).await?;
    drop(named);
    let wait = Wait::of(request, state);
    let outcome = outcome::execute(state, Command::Submit(Box::new(command)).asked_by(origin), wait).await?;
    render(state, &outcome, None, expand, wait).await.map_err(ApiError::after_write)
}

/// A new payment as it was read.
struct Read {
    draft: Draft,
    named: Option<Named>,
    expand: Expand,
}

/// Reads a new payment. The body is gone when this returns: the answer may take long, and many wait at once.
fn read_draft(state: &WebState, request: &HttpRequest, body: Body, kind: KindName) -> Result<Read, ApiError> {
    let body = body::bytes(body)?;
    let mut params = body::params(request, &body)?;
    if kind == KindName::Charge {
        cards_only(&mut params)?;
    }
    intake::check_params(&params, &state.rules)?;
    let attempt = if kind == KindName::Charge { Attempt::read(&mut params)? } else { Attempt::default() };
    let mut draft = Draft::read(&mut params, kind, &context(state))?;
    let expand = expand(&mut params, "")?;
    finish(&params)?;
    if !draft.confirms() {
        attempt.must_wait()?;
    }
    if attempt.detail.billing.is_some() && !draft.brings_card() {
        return Err(InputError::missing("payment_method_data[type]").into());
    }
    let named = attempt.detail.named();
    draft.present(attempt.presented.naming(named.as_ref().map_or(0, |(id, _)| *id)));
    if let Some(key) = key_of(request)? {
        draft.key = Some(key);
    }
    Ok(Read { draft: draft.asking_also(expand.asked()), named, expand })
}

/// Cards are all there is, so these may say so and change nothing.
fn cards_only(params: &mut Params<'_>) -> Result<(), InputError> {
    if params.list("payment_method_types")?.iter().any(|method| method != "card") {
        let message = "Paystorm offers payment methods of type card only.";
        return Err(InputError::new("payment_method_types", "parameter_invalid_enum", message));
    }
    params.boolean("automatic_payment_methods[enabled]")?;
    params.text("automatic_payment_methods[allow_redirects]")?;
    match params.text("confirmation_method")?.as_deref() {
        None | Some("automatic") => Ok(()),
        Some(_) => {
            let message = "Paystorm offers confirmation_method automatic only.";
            Err(InputError::new("confirmation_method", "parameter_not_offered", message))
        }
    }
}

/// Operates on a payment.
///
/// # Errors
/// Whatever the dialect answers for it.
pub async fn operate(
    state: &WebState,
    caller: ApiCaller,
    request: &HttpRequest,
    body: Body,
    id: &str,
    verb: Verb,
) -> Result<HttpResponse, ApiError> {
    let (mut draft, attempt, expand) = read_operation(state, request, body, verb)?;
    let payment = payment_id(id, "payment_intent", &["pi_"])?;
    if attempt != Attempt::default() {
        present(state, caller, (payment, id), attempt, &mut draft).await?;
    }
    let origin = origin::of(state, request, caller.account, draft.key.as_ref());
    let command = Command::Operate(replays::operation(state, draft, payment, caller.account).await?);
    let wait = Wait::of(request, state);
    let outcome = outcome::execute(state, command.asked_by(origin), wait).await?;
    render(state, &outcome, Some(verb), expand, wait).await.map_err(ApiError::after_write)
}

/// Parameters of an update that cannot be kept or obeyed here.
const NOT_AMENDED: &[&str] =
    &["currency", "payment_method", "payment_method_data", "payment_method_types", "capture_method"];

/// Changes what is said of a payment.
///
/// # Errors
/// Whatever the dialect answers for it.
pub async fn amend(
    state: &WebState,
    caller: ApiCaller,
    request: &HttpRequest,
    body: Body,
    id: &str,
) -> Result<HttpResponse, ApiError> {
    let payment = payment_id(id, "payment_intent", &["pi_"])?;
    let (command, expand) = read_amendment(state, caller, request, body, payment)?;
    let origin = origin::of(state, request, caller.account, key_of(request)?.as_ref());
    let wait = Wait::of(request, state);
    let outcome = outcome::execute(state, Command::Amend(Box::new(command)).asked_by(origin), wait).await?;
    let kept = Attempts::of(state.store.as_ref(), &[&outcome.payment]).await;
    let kept = kept.map_err(|error| ApiError::from(error).after_write())?;
    let object = Rendered::of(&outcome.payment, expand, state.presenter(), &kept);
    Ok(answer(&outcome, wait).json(object))
}

/// Reads an update; as [`read_draft`], it keeps nothing of the body.
fn read_amendment(
    state: &WebState,
    caller: ApiCaller,
    request: &HttpRequest,
    body: Body,
    payment: PaymentId,
) -> Result<(AmendPayment, Expand), ApiError> {
    let body = body::bytes(body)?;
    let mut params = body::params_with(request, &body, AMENDMENT_UNSET)?;
    // The form of the request is all that it says; how the answer is to be shown belongs to it.
    let form = Canonical::default().field("amend").field(payment.as_bytes()).field(params.form());
    let patch = intake::payment_patch(&mut params, &context(state))?;
    let expand = expand(&mut params, "")?;
    params.refuse(NOT_AMENDED)?;
    finish(&params)?;
    let secret = &state.rules.key_secret;
    let idempotency = key_of(request)?.map(|key| IdempotencyKey::new(&key, &form.into_bytes(), secret));
    Ok((AmendPayment { payment, actor: caller.account, patch, idempotency }, expand))
}

/// Reads an operation; as [`read_draft`], it keeps nothing of the body.
fn read_operation(
    state: &WebState,
    request: &HttpRequest,
    body: Body,
    verb: Verb,
) -> Result<(OperationDraft, Attempt, Expand), ApiError> {
    let body = body::bytes(body)?;
    let mut params = body::params(request, &body)?;
    if verb == Verb::Confirm {
        cards_only(&mut params)?;
    }
    intake::check_params(&params, &state.rules)?;
    let attempt = if verb == Verb::Confirm { Attempt::read(&mut params)? } else { Attempt::default() };
    let draft = OperationDraft::read(&mut params, verb, "amount_to_capture", &context(state))?;
    let expand = expand(&mut params, "")?;
    finish(&params)?;
    Ok((with_key(draft, request)?.asking_also(expand.asked()), attempt, expand))
}

/// Adds what a confirmation says beside the card. Without a new card the billing details of the one before stay.
async fn present(
    state: &WebState,
    caller: ApiCaller,
    (payment, shown): (PaymentId, &str),
    attempt: Attempt,
    draft: &mut OperationDraft,
) -> Result<(), ApiError> {
    let before = state.own_payment(caller.account, payment, "payment_intent", shown).await?;
    let mut detail = attempt.detail;
    if detail.billing.is_none() && !draft.brings_card() {
        let kept = Attempts::of(state.store.as_ref(), &[&before]).await?;
        detail.billing = kept.get(&before).and_then(|detail| detail.billing.clone());
    }
    let named = detail.named();
    details::keep(state.store.as_ref(), *payment.as_bytes(), named.as_ref()).await?;
    draft.present(attempt.presented.naming(named.map_or(0, |(id, _)| id)));
    Ok(())
}

/// The key from the header put into a draft, for refunds.
///
/// # Errors
/// A key that is too long or not printable.
pub fn with_key(mut draft: OperationDraft, request: &HttpRequest) -> Result<OperationDraft, ApiError> {
    if let Some(key) = key_of(request)? {
        draft.key = Some(key);
    }
    Ok(draft)
}

/// Reads a payment's id, shown under one of these prefixes.
///
/// # Errors
/// 404 for anything else.
pub fn payment_id(text: &str, resource: &str, prefixes: &[&str]) -> Result<PaymentId, ApiError> {
    let bits = prefixes.iter().find_map(|prefix| text.strip_prefix(prefix));
    let canonical = bits.and_then(|bits| format!("pi_{bits}").parse().ok());
    canonical.ok_or_else(|| ApiError::not_found(resource, text))
}

/// Begins the answer to a command: 202 while it is under way and the caller wanted no waiting.
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

/// The answer of a payment: the object, or the decline with the object inside.
async fn render(
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
            let name = resource_name(outcome.payment.submission().kind);
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

/// The error that a payment which was declined or broke is answered with; for an operation, `verb` is which.
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
        // What a capture was once declined for says nothing of a later cancellation.
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
