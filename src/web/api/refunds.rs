//! `/v1/refunds`.

use std::collections::HashMap;

use actix_web::{HttpRequest, HttpResponse, web};

use super::details::{self, Attempts, RefundDetail};
use super::list::{self, List};
use super::objects::{RefundExpand, RefundObject};
use super::submit;
use crate::domain::command::Command;
use crate::domain::ids::{AccountId, PaymentId, RefundId};
use crate::domain::payment::{Payment, Refund};
use crate::store::{RefundFilter, RefundRecord};
use crate::web::body::{self, Body};
use crate::web::error::{ApiError, InputError};
use crate::web::intake::{self, OperationDraft, Verb};
use crate::web::outcome::{self, Wait};
use crate::web::params::Params;
use crate::web::security::ApiCaller;
use crate::web::state::WebState;

const URL: &str = "/v1/refunds";

type State = web::Data<WebState>;
type Answer = Result<HttpResponse, ApiError>;

/// `POST /v1/refunds`
pub async fn create(state: State, caller: ApiCaller, request: HttpRequest, body: Body) -> Answer {
    let Read { payment, mut draft, detail, expand } = read_refund(&state, &request, body)?;
    let made = draft.refund().ok_or_else(ApiError::internal)?;
    if let Some(named) = detail.named(made) {
        draft.name_detail(named.0);
        details::keep(state.store.as_ref(), *made.as_bytes(), Some(&named)).await?;
    }
    let command = Command::Operate(draft.into_command(payment, caller.account));
    let wait = Wait::of(&request, &state);
    let outcome = outcome::execute(&state, command, wait).await?;
    let id = outcome.refund().ok_or_else(ApiError::internal)?;
    let refund = outcome.payment.refund(id).ok_or_else(ApiError::internal)?;
    let kept = match expand == RefundExpand::default() {
        true => Attempts::default(),
        false => Attempts::of(state.store.as_ref(), &[&outcome.payment])
            .await
            .map_err(|error| ApiError::from(error).after_write())?,
    };
    // A request sent again has what the first one said, under the first one's id.
    let attempt = kept.get(&outcome.payment);
    let object =
        RefundObject::of(&outcome.payment, refund, Some(&detail), attempt, expand, state.presenter());
    Ok(submit::answer(&outcome, wait).json(object))
}

/// A refund as it was read.
struct Read {
    payment: PaymentId,
    draft: OperationDraft,
    detail: RefundDetail,
    expand: RefundExpand,
}

/// Reads a refund. The body is gone when this returns: the answer may take long, and many wait at once.
fn read_refund(state: &WebState, request: &HttpRequest, body: Body) -> Result<Read, ApiError> {
    let body = body::bytes(body)?;
    let mut params = body::params(request, &body)?;
    let payment = payment_of(&mut params)?.ok_or_else(|| InputError::missing("payment_intent"))?;
    intake::check_params(&params, &state.rules)?;
    let detail = RefundDetail { reason: reason(&mut params)?, metadata: intake::metadata(&mut params)? };
    let expand = expand(&mut params, "")?;
    let draft = OperationDraft::read(&mut params, Verb::Refund, "amount", &submit::context(state))?;
    submit::finish(&params)?;
    let draft = submit::with_key(draft, request)?.asking_also(detail.asked());
    Ok(Read { payment, draft, detail, expand })
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
    submit::expand_with(params, prefix, "charge and payment_intent of refunds", |property| {
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
    let record = state.store.refund_get(refund).await?;
    let record = record.filter(|record| record.owner == caller.account).ok_or_else(missing)?;
    let object = objects(&state, &[record], expand).await?.into_iter().next().ok_or_else(missing)?;
    Ok(HttpResponse::Ok().json(object))
}

/// `GET /v1/refunds`: those of one payment or of all, newest first.
pub async fn list(state: State, caller: ApiCaller, request: HttpRequest) -> Answer {
    let mut params = body::query(&request)?;
    let payment = payment_of(&mut params)?;
    let limit = list::limit(&mut params)?;
    let (before, after) = list::cursors(&mut params)?;
    let (created_from, created_to) = list::created(&mut params)?;
    let expand = expand(&mut params, "data.")?;
    submit::finish(&params)?;
    let filter = RefundFilter {
        before: cursor(&state, caller.account, payment, list::STARTING_AFTER, before).await?,
        after: cursor(&state, caller.account, payment, list::ENDING_BEFORE, after).await?,
        created_from,
        created_to,
        limit: limit.saturating_add(1),
    };
    let found = match payment {
        Some(id) => {
            let payment = state.own_payment(caller.account, id, "payment_intent", &id.to_string()).await?;
            let mut refunds: Vec<_> = payment.state().refunds.iter().map(|refund| refund.id).collect();
            refunds.retain(|refund| filter.takes(*refund));
            refunds.sort_unstable_by_key(|refund| std::cmp::Reverse(*refund));
            refunds
                .into_iter()
                .map(|refund| RefundRecord { id: refund, owner: caller.account, payment: id })
                .collect()
        }
        None => state.store.refund_list(caller.account, &filter).await?,
    };
    let (records, has_more) = list::cut(found, limit, filter.after.is_some());
    Ok(HttpResponse::Ok().json(List::new(objects(&state, &records, expand).await?, has_more, URL)))
}

/// What these refunds look like, in the same order: the payments' histories tell.
async fn objects(
    state: &WebState,
    records: &[RefundRecord],
    expand: RefundExpand,
) -> Result<Vec<RefundObject>, ApiError> {
    let mut ids: Vec<PaymentId> = records.iter().map(|record| record.payment).collect();
    ids.sort_unstable();
    ids.dedup();
    let payments: HashMap<PaymentId, Payment> =
        state.store.payment_get(&ids).await?.into_iter().map(|payment| (payment.id(), payment)).collect();
    let refund = |record: &RefundRecord| payments.get(&record.payment)?.refund(record.id);
    let refunds: Vec<&Refund> = records.iter().filter_map(refund).collect();
    let details = details::of_refunds(state.store.as_ref(), &refunds).await?;
    let attempts = match expand == RefundExpand::default() {
        true => Attempts::default(),
        false => Attempts::of(state.store.as_ref(), &payments.values().collect::<Vec<_>>()).await?,
    };
    let object = |record: &RefundRecord| {
        let payment = payments.get(&record.payment)?;
        let refund = payment.refund(record.id)?;
        let (detail, attempt) = (details.get(&record.id), attempts.get(payment));
        Some(RefundObject::of(payment, refund, detail, attempt, expand, state.presenter()))
    };
    Ok(records.iter().filter_map(object).collect())
}

/// The refund that a cursor names, if one is given: one of this list.
async fn cursor(
    state: &WebState,
    owner: AccountId,
    payment: Option<PaymentId>,
    param: &'static str,
    text: Option<String>,
) -> Result<Option<RefundId>, ApiError> {
    let Some(text) = text else { return Ok(None) };
    let unknown = || list::unknown_cursor(param, "refund", &text);
    let id: RefundId = text.parse().map_err(|_| unknown())?;
    let found = state.store.refund_get(id).await?;
    let in_list = |record: &RefundRecord| {
        record.owner == owner && payment.is_none_or(|payment| payment == record.payment)
    };
    if found.as_ref().is_some_and(in_list) { Ok(Some(id)) } else { Err(unknown().into()) }
}

/// Reads `payment_intent` or `charge`; a charge has the bits of its payment intent.
fn payment_of(params: &mut Params<'_>) -> Result<Option<PaymentId>, ApiError> {
    let intent = params.text("payment_intent")?;
    let charge = params.text("charge")?;
    match (intent, charge) {
        (Some(_), Some(_)) => {
            let message = "You may only specify one of these parameters: payment_intent, charge.";
            Err(InputError::new("charge", "parameters_exclusive", message).into())
        }
        (Some(id), None) => submit::payment_id(&id, "payment_intent", &["pi_"]).map(Some),
        (None, Some(id)) => submit::payment_id(&id, "charge", &["ch_"]).map(Some),
        (None, None) => Ok(None),
    }
}
