//! Creates, operates on and amends payments: each function reads its call, hands it to the intake and answers with the
//! outcome.

use actix_web::{HttpRequest, HttpResponse};

use super::answer::{answer, render};
use super::objects::{Expand, Rendered};
use super::parameters::{context, expand, finish, key_of, no_outcome, payment_id, with_key, with_outcome};
use crate::domain::amendment::AmendPayment;
use crate::domain::command::IdempotencyKey;
use crate::domain::ids::PaymentId;
use crate::domain::payment_kind::PaymentKind;
use crate::intake::details::Attempts;
use crate::intake::drafts::attempt::Attempt;
use crate::intake::{
    self, AMENDMENT_UNSET, Canonical, InputError, OperationDraft, Params, PaymentDraft, Verb,
};
use crate::web::body::{self, Body};
use crate::web::call;
use crate::web::error::ApiError;
use crate::web::security::ApiCaller;
use crate::web::state::WebState;

/// Creates a payment of this kind.
///
/// # Errors
/// Whatever the dialect answers for it.
pub async fn create(
    state: &WebState,
    caller: ApiCaller,
    request: &HttpRequest,
    body: Body,
    kind: PaymentKind,
) -> Result<HttpResponse, ApiError> {
    let (draft, expand) = read_draft(state, request, body, kind)?;
    let call = call::of(state, request, caller.account, draft.key.as_ref());
    let wait = call.wait;
    let handed = state.intake.submit(draft, caller.account, call).await?;
    let outcome = state.intake.outcome(handed).await?;
    render(state, &outcome, None, expand, wait).await.map_err(ApiError::after_write)
}

/// Reads a new payment. The body is freed when this returns, since the answer may take long and many requests wait at once.
fn read_draft(
    state: &WebState,
    request: &HttpRequest,
    body: Body,
    kind: PaymentKind,
) -> Result<(PaymentDraft, Expand), ApiError> {
    let body = body::bytes(body)?;
    let mut params = body::params(request, &body)?;
    with_outcome(&mut params, request)?;
    if kind == PaymentKind::Charge {
        cards_only(&mut params)?;
    }
    intake::check_params(&params, &state.intake.rules)?;
    let attempt = if kind == PaymentKind::Charge { Attempt::read(&mut params)? } else { Attempt::default() };
    let mut draft = PaymentDraft::read(&mut params, kind, &context(state))?;
    let expand = expand(&mut params, "")?;
    finish(&params)?;
    if !draft.confirms() {
        attempt.must_wait()?;
    }
    if attempt.detail.billing.is_some() && !draft.brings_card() {
        return Err(InputError::missing("payment_method_data[type]").into());
    }
    draft.present(&attempt);
    if let Some(key) = key_of(request)? {
        draft.key = Some(key);
    }
    Ok((draft.asking_also(expand.asked()), expand))
}

/// Takes parameters that may only say that payments are by card, since there is nothing else.
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
    let call = call::of(state, request, caller.account, draft.key.as_ref());
    let wait = call.wait;
    let handed = state.intake.operate(draft, payment, caller.account, call).await?;
    let outcome = state.intake.outcome(handed).await?;
    render(state, &outcome, Some(verb), expand, wait).await.map_err(ApiError::after_write)
}

/// Parameters of an update that Paystorm can neither store nor apply.
const NOT_AMENDED: &[&str] =
    &["currency", "payment_method", "payment_method_data", "payment_method_types", "capture_method"];

/// Amends a payment.
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
    let (amendment, expand) = read_amendment(state, caller, request, body, payment)?;
    let call = call::of(state, request, caller.account, key_of(request)?.as_ref());
    let wait = call.wait;
    let handed = state.intake.amend(amendment, call).await?;
    let outcome = state.intake.outcome(handed).await?;
    let kept = Attempts::of(state.store.as_ref(), &[&outcome.payment]).await;
    let kept = kept.map_err(|error| ApiError::from(error).after_write())?;
    let object = Rendered::of(&outcome.payment, expand, state.presenter(), &kept);
    Ok(answer(&outcome, wait).json(object))
}

/// Reads an update; like [`read_draft`], it keeps nothing of the body.
fn read_amendment(
    state: &WebState,
    caller: ApiCaller,
    request: &HttpRequest,
    body: Body,
    payment: PaymentId,
) -> Result<(AmendPayment, Expand), ApiError> {
    let body = body::bytes(body)?;
    let mut params = body::params_with(request, &body, AMENDMENT_UNSET)?;
    with_outcome(&mut params, request)?;
    // All parameters, even how the answer is shown, are part of the request's form.
    let form = Canonical::default().field("amend").field(payment.as_bytes()).field(params.form());
    let patch = intake::payment_patch(&mut params, &context(state))?;
    let expand = expand(&mut params, "")?;
    params.refuse(NOT_AMENDED)?;
    finish(&params)?;
    let secret = &state.intake.rules.key_secret;
    let idempotency = key_of(request)?.map(|key| IdempotencyKey::new(&key, &form.into_bytes(), secret));
    Ok((AmendPayment { payment, actor: caller.account, patch, idempotency }, expand))
}

/// Reads an operation; like [`read_draft`], it keeps nothing of the body.
fn read_operation(
    state: &WebState,
    request: &HttpRequest,
    body: Body,
    verb: Verb,
) -> Result<(OperationDraft, Attempt, Expand), ApiError> {
    no_outcome(request)?;
    let body = body::bytes(body)?;
    let mut params = body::params(request, &body)?;
    if verb == Verb::Confirm {
        cards_only(&mut params)?;
    }
    intake::check_params(&params, &state.intake.rules)?;
    let attempt = if verb == Verb::Confirm { Attempt::read(&mut params)? } else { Attempt::default() };
    let draft = OperationDraft::read(&mut params, verb, "amount_to_capture", &context(state))?;
    let expand = expand(&mut params, "")?;
    finish(&params)?;
    Ok((with_key(draft, request)?.asking_also(expand.asked()), attempt, expand))
}

/// Adds a confirmation's parameters beside the card. Without a new card, the billing details of the previous one stay.
async fn present(
    state: &WebState,
    caller: ApiCaller,
    (payment, shown): (PaymentId, &str),
    mut attempt: Attempt,
    draft: &mut OperationDraft,
) -> Result<(), ApiError> {
    let before = state.own_payment(caller.account, payment, "payment_intent", shown).await?;
    if attempt.detail.billing.is_none() && !draft.brings_card() {
        let kept = Attempts::of(state.store.as_ref(), &[&before]).await?;
        attempt.detail.billing = kept.get(&before).and_then(|detail| detail.billing.clone());
    }
    draft.present(&attempt);
    Ok(())
}
