//! `/v1/refunds`.

use std::collections::HashMap;

use actix_web::{HttpRequest, HttpResponse, web};

use super::answer;
use super::charges;
use super::list::{self, List};
use super::objects::{RefundExpand, RefundObject};
use super::parameters;
use crate::domain::ids::{AccountId, PartId, PaymentId, RefundId};
use crate::domain::payment::{Payment, Refund};
use crate::intake::details::{self, Attempts, RefundDetail};
use crate::intake::{self, InputError, OperationDraft, Params, Verb};
use crate::store::{PartFilter, PartKind};
use crate::web::body::{self, Body};
use crate::web::call;
use crate::web::error::ApiError;
use crate::web::security::ApiCaller;
use crate::web::state::WebState;

const URL: &str = "/v1/refunds";

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
    let missing = || ApiError::not_found("refund", &id);
    let refund: RefundId = id.parse().map_err(|_| missing())?;
    let part = state.store.part_get(refund.into()).await?;
    let theirs = part.filter(|part| part.owner == caller.account && part.kind == PartKind::Refund);
    let found = (refund, theirs.ok_or_else(missing)?.payment);
    let object = objects(&state, &[found], expand).await?.into_iter().next().ok_or_else(missing)?;
    Ok(HttpResponse::Ok().json(object))
}

/// `GET /v1/refunds`: the refunds of one payment or of all, newest first.
pub async fn list(state: State, caller: ApiCaller, request: HttpRequest) -> Answer {
    let mut params = body::query(&request)?;
    let of = Of::read(&mut params)?;
    let limit = list::limit(&mut params)?;
    let (before, after) = list::cursors(&mut params)?;
    let (created_from, created_to) = list::created(&mut params)?;
    let expand = expand(&mut params, "data.")?;
    parameters::finish(&params)?;
    // Only the charge that took the money can have refunds.
    let (payment, none) = match of {
        None => (None, false),
        Some(Of::Payment(payment)) => (Some(payment), false),
        Some(Of::Charge(text)) => {
            let found = charges::find(&state, caller.account, &text, "charge").await?;
            let taken = found.payment.charge_taken().map(|charge| charge.id);
            (Some(found.payment.id()), taken != Some(found.charge))
        }
    };
    let filter = PartFilter {
        before: cursor(&state, caller.account, payment, list::STARTING_AFTER, before).await?,
        after: cursor(&state, caller.account, payment, list::ENDING_BEFORE, after).await?,
        created_from,
        created_to,
        limit: limit.saturating_add(1),
    };
    let found: Vec<(RefundId, PaymentId)> = match payment {
        Some(_) if none => Vec::new(),
        Some(id) => {
            let payment = state.named_intent(caller.account, id, "payment_intent").await?;
            let refunds = payment.state().refunds.iter();
            let within = refunds.filter(|refund| filter.takes(refund.id.into(), refund.created_at));
            let mut refunds: Vec<_> = within.map(|refund| (refund.id, id)).collect();
            refunds.sort_unstable_by_key(|refund| std::cmp::Reverse(*refund));
            refunds
        }
        None => {
            let parts = state.store.part_list(caller.account, PartKind::Refund, &filter).await?;
            parts.iter().map(|part| (RefundId::from_bytes(*part.id.as_bytes()), part.payment)).collect()
        }
    };
    let (page, has_more) = list::cut(found, limit, filter.after.is_some());
    Ok(HttpResponse::Ok().json(List::new(objects(&state, &page, expand).await?, has_more, URL)))
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

/// The refund that a cursor names, if one is given. It must be in this list.
async fn cursor(
    state: &WebState,
    owner: AccountId,
    payment: Option<PaymentId>,
    param: &'static str,
    text: Option<String>,
) -> Result<Option<PartId>, ApiError> {
    let Some(text) = text else { return Ok(None) };
    let unknown = || list::unknown_cursor(param, "refund", &text);
    let id: RefundId = text.parse().map_err(|_| unknown())?;
    let found = state.store.part_get(id.into()).await?;
    let in_list = found.is_some_and(|part| {
        let of_payment = payment.is_none_or(|payment| payment == part.payment);
        part.kind == PartKind::Refund && part.owner == owner && of_payment
    });
    if in_list { Ok(Some(id.into())) } else { Err(unknown().into()) }
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
    let missing = || ApiError::not_found("refund", id);
    let refund: RefundId = id.parse().map_err(|_| missing())?;
    let (draft, expand) = read_end(state, request, id, body, verb)?;
    let part = state.store.part_get(refund.into()).await?;
    let theirs = part.filter(|part| part.owner == caller.account && part.kind == PartKind::Refund);
    let payment = theirs.ok_or_else(missing)?.payment;
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

/// What to refund, or whose refunds to list.
pub(super) enum Of {
    Payment(PaymentId),
    /// The charge's id as sent.
    Charge(String),
}

impl Of {
    /// Reads `payment_intent` or `charge`.
    pub(super) fn read(params: &mut Params<'_>) -> Result<Option<Self>, ApiError> {
        let intent = params.text("payment_intent")?;
        let charge = params.text("charge")?;
        match (intent, charge) {
            (Some(_), Some(_)) => {
                let message = "You may only specify one of these parameters: payment_intent, charge.";
                Err(InputError::new("charge", "parameters_exclusive", message).into())
            }
            (Some(id), None) => {
                parameters::payment_id(&id, "payment_intent", &["pi_"]).map(|id| Some(Self::Payment(id)))
            }
            (None, Some(id)) => Ok(Some(Self::Charge(id.into_owned()))),
            (None, None) => Ok(None),
        }
    }
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
