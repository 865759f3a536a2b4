//! `/v1/refunds`.

use std::collections::HashMap;

use actix_web::{HttpRequest, HttpResponse, web};

use super::answer;
use super::charges;
use super::list::List;
use super::objects::{RefundExpand, RefundObject};
use super::parameters;
use super::part_list::{Listing, Of};
use crate::domain::ids::{AccountId, PartId, PaymentId, RefundId};
use crate::domain::payment::{Payment, Refund};
use crate::intake::details::{self, Attempts, RefundDetail};
use crate::intake::{self, InputError, OperationDraft, Params, Verb};
use crate::store::PartKind;
use crate::web::body::{self, Body};
use crate::web::call;
use crate::web::error::ApiError;
use crate::web::security::ApiCaller;
use crate::web::state::WebState;

const URL: &str = "/v1/refunds";

const LISTING: Listing = Listing {
    kind: PartKind::Refund,
    name: "refund",
    of_payment: |payment| {
        let refunds = payment.state().refunds.iter();
        refunds.map(|refund| (refund.id.into(), refund.created_at)).collect()
    },
};

type State = web::Data<WebState>;
type Answer = Result<HttpResponse, ApiError>;

/// `POST /v1/refunds`
pub async fn create(state: State, caller: ApiCaller, request: HttpRequest, body: Body) -> Answer {
    let Read { of, mut draft, detail, expand } = read_refund(&state, &request, body)?;
    let payment = match of {
        Of::Payment(payment) => payment,
        Of::Charge(text) => charged_by(&state, caller.account, &text).await?,
    };
    draft.describe(&detail);
    let call = call::of(&state, &request, caller.account, draft.key.as_ref());
    let wait = call.wait;
    let handed = state.intake.operate(draft, payment, caller.account, call).await?;
    let outcome = state.intake.outcome(handed).await?;
    let id = outcome.refund().ok_or_else(ApiError::internal)?;
    let refund = outcome.payment.refund(id).ok_or_else(ApiError::internal)?;
    let kept = match expand == RefundExpand::default() {
        true => Attempts::default(),
        false => Attempts::of(state.store.as_ref(), &[&outcome.payment])
            .await
            .map_err(|error| ApiError::from(error).after_write())?,
    };
    // A repeated request has the same detail as the first, and gets the first one's id.
    let object = RefundObject::of(&outcome.payment, refund, Some(&detail), &kept, expand, state.presenter());
    Ok(answer::answer(&outcome, wait).json(object))
}

/// A refund read from a request.
struct Read {
    of: Of,
    draft: OperationDraft,
    detail: RefundDetail,
    expand: RefundExpand,
}

/// Reads a refund. The body is freed when this returns, since the answer may take long and many requests wait at once.
fn read_refund(state: &WebState, request: &HttpRequest, body: Body) -> Result<Read, ApiError> {
    parameters::no_outcome(request)?;
    let body = body::bytes(body)?;
    let mut params = body::params(request, &body)?;
    let of = Of::read(&mut params)?.ok_or_else(|| InputError::missing("payment_intent"))?;
    intake::check_params(&params, &state.intake.rules)?;
    let detail = RefundDetail { reason: reason(&mut params)?, metadata: intake::metadata(&mut params)? };
    let expand = expand(&mut params, "")?;
    let draft = OperationDraft::read(&mut params, Verb::Refund, "amount", &parameters::context(state))?;
    parameters::finish(&params)?;
    let draft =
        parameters::with_key(draft, request)?.asking_also(&detail.asked()).asking_also(expand.asked());
    Ok(Read { of, draft, detail, expand })
}

/// Reads `reason`.
fn reason(params: &mut Params<'_>) -> Result<Option<String>, InputError> {
    match params.text("reason")?.as_deref() {
        None => Ok(None),
        Some(reason @ ("duplicate" | "fraudulent" | "requested_by_customer")) => Ok(Some(reason.to_owned())),
        Some(_) => {
            let message = "Invalid reason: must be one of duplicate, fraudulent or requested_by_customer.";
            Err(InputError::new("reason", "parameter_invalid_enum", message))
        }
    }
}

/// Reads `expand[]`.
fn expand(params: &mut Params<'_>, prefix: &str) -> Result<RefundExpand, InputError> {
    let mut expand = RefundExpand::default();
    parameters::expand_with(params, prefix, "charge and payment_intent of refunds", |property| {
        match property {
            "charge" => expand.charge = true,
            "payment_intent" => expand.payment_intent = true,
            _ => return false,
        }
        true
    })?;
    Ok(expand)
}

/// `GET /v1/refunds/{id}`
pub async fn retrieve(
    state: State,
    caller: ApiCaller,
    request: HttpRequest,
    id: web::Path<String>,
) -> Answer {
    let mut params = body::query(&request)?;
    let expand = expand(&mut params, "")?;
    params.finish()?;
    let found = find(&state, caller.account, &id).await?;
    let object = objects(&state, &[found], expand).await?.pop();
    Ok(HttpResponse::Ok().json(object.ok_or_else(|| ApiError::not_found(LISTING.name, &id))?))
}

/// `GET /v1/refunds`: the refunds of one payment or of all, newest first.
pub async fn list(state: State, caller: ApiCaller, request: HttpRequest) -> Answer {
    let mut params = body::query(&request)?;
    let expand = expand(&mut params, "data.")?;
    let (found, has_more) = LISTING.page(&state, caller.account, &mut params).await?;
    let found: Vec<_> =
        found.iter().map(|(id, payment)| (RefundId::from_bytes(*id.as_bytes()), *payment)).collect();
    Ok(HttpResponse::Ok().json(List::new(objects(&state, &found, expand).await?, has_more, URL)))
}

/// A refund of the caller's, with its payment.
async fn find(state: &WebState, owner: AccountId, text: &str) -> Result<(RefundId, PaymentId), ApiError> {
    let id = text.parse::<RefundId>().ok();
    let payment = LISTING.find(state, owner, id.map(PartId::from), text).await?;
    Ok((id.ok_or_else(|| ApiError::not_found(LISTING.name, text))?, payment.id()))
}

/// These refunds as objects of the dialect, in the same order, from the payments' histories.
async fn objects(
    state: &WebState,
    found: &[(RefundId, PaymentId)],
    expand: RefundExpand,
) -> Result<Vec<RefundObject>, ApiError> {
    let mut ids: Vec<PaymentId> = found.iter().map(|(_, payment)| *payment).collect();
    ids.sort_unstable();
    ids.dedup();
    let payments: HashMap<PaymentId, Payment> =
        state.store.payment_get(&ids).await?.into_iter().map(|payment| (payment.id(), payment)).collect();
    let refund = |(id, payment): &(RefundId, PaymentId)| payments.get(payment)?.refund(*id);
    let refunds: Vec<&Refund> = found.iter().filter_map(refund).collect();
    let details = details::of_refunds(state.store.as_ref(), &refunds).await?;
    let attempts = match expand == RefundExpand::default() {
        true => Attempts::default(),
        false => Attempts::of(state.store.as_ref(), &payments.values().collect::<Vec<_>>()).await?,
    };
    let object = |(id, payment): &(RefundId, PaymentId)| {
        let payment = payments.get(payment)?;
        let refund = payment.refund(*id)?;
        Some(RefundObject::of(payment, refund, details.get(id), &attempts, expand, state.presenter()))
    };
    Ok(found.iter().filter_map(object).collect())
}

/// `POST /v1/test_helpers/refunds/{id}/succeed`: lets a pending refund arrive.
pub async fn succeed(
    state: State,
    caller: ApiCaller,
    request: HttpRequest,
    id: web::Path<String>,
    body: Body,
) -> Answer {
    end(&state, caller, &request, &id, body, Verb::SucceedRefund).await
}

/// `POST /v1/test_helpers/refunds/{id}/fail`: lets a refund fail, also one that has arrived.
pub async fn fail(
    state: State,
    caller: ApiCaller,
    request: HttpRequest,
    id: web::Path<String>,
    body: Body,
) -> Answer {
    end(&state, caller, &request, &id, body, Verb::FailRefund).await
}

async fn end(
    state: &WebState,
    caller: ApiCaller,
    request: &HttpRequest,
    id: &str,
    body: Body,
    verb: Verb,
) -> Answer {
    // What cannot be an id comes before wrong parameters, which come before an id that nothing has.
    id.parse::<RefundId>().map_err(|_| ApiError::not_found(LISTING.name, id))?;
    let (draft, expand) = read_end(state, request, id, body, verb)?;
    let (refund, payment) = find(state, caller.account, id).await?;
    let call = call::of(state, request, caller.account, draft.key.as_ref());
    let wait = call.wait;
    let handed = state.intake.operate(draft, payment, caller.account, call).await?;
    let outcome = state.intake.outcome(handed).await?;
    let shown = outcome.payment.refund(refund).ok_or_else(ApiError::internal)?;
    let read = async {
        let details = details::of_refunds(state.store.as_ref(), &[shown]).await?;
        let attempts = Attempts::of(state.store.as_ref(), &[&outcome.payment]).await?;
        Ok::<_, crate::store::StoreError>((details, attempts))
    };
    let (details, attempts) = read.await.map_err(|error| ApiError::from(error).after_write())?;
    let detail = details.get(&refund);
    let object = RefundObject::of(&outcome.payment, shown, detail, &attempts, expand, state.presenter());
    Ok(answer::answer(&outcome, wait).json(object))
}

/// Reads the end of a refund. The body is freed when this returns.
fn read_end(
    state: &WebState,
    request: &HttpRequest,
    id: &str,
    body: Body,
    verb: Verb,
) -> Result<(OperationDraft, RefundExpand), ApiError> {
    let body = body::bytes(body)?;
    let mut params = body::params(request, &body)?;
    params.add_path("refund".to_owned(), id);
    let expand = expand(&mut params, "")?;
    let draft = OperationDraft::read(&mut params, verb, "amount", &parameters::context(state))?;
    parameters::finish(&params)?;
    Ok((parameters::with_key(draft, request)?.asking_also(expand.asked()), expand))
}

/// The payment whose money this charge took. Other charges of the payment have nothing to refund.
pub(super) async fn charged_by(
    state: &WebState,
    owner: AccountId,
    text: &str,
) -> Result<PaymentId, ApiError> {
    let found = charges::find(state, owner, text, "charge").await?;
    match found.payment.charge_taken() {
        Some(taken) if taken.id != found.charge => {
            let message = format!("Charge {} took no money: nothing of it can be refunded.", found.charge);
            Err(InputError::new("charge", "charge_invalid_parameter", message).into())
        }
        Some(_) | None => Ok(found.payment.id()),
    }
}
