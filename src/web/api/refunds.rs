//! `/v1/refunds`.

use std::collections::HashMap;

use actix_web::{HttpRequest, HttpResponse, web};

use super::list::{self, List};
use super::objects::RefundObject;
use super::submit;
use crate::domain::command::Command;
use crate::domain::ids::{PaymentId, RefundId};
use crate::domain::payment::Payment;
use crate::store::RefundRecord;
use crate::web::body::{self, Body};
use crate::web::error::{ApiError, InputError};
use crate::web::intake::{OperationDraft, Verb};
use crate::web::outcome::{self, Wait};
use crate::web::params::Params;
use crate::web::security::ApiCaller;
use crate::web::state::WebState;

const URL: &str = "/v1/refunds";

type State = web::Data<WebState>;
type Answer = Result<HttpResponse, ApiError>;

/// `POST /v1/refunds`
pub async fn create(state: State, caller: ApiCaller, request: HttpRequest, body: Body) -> Answer {
    let (payment, draft) = read_refund(&state, &request, body)?;
    let command = Command::Operate(draft.into_command(payment, caller.account));
    let wait = Wait::of(&request, &state);
    let outcome = outcome::execute(&state, command, wait).await?;
    let id = outcome.refund().ok_or_else(ApiError::internal)?;
    let refund = outcome.payment.refund(id).ok_or_else(ApiError::internal)?;
    Ok(submit::answer(&outcome, wait).json(RefundObject::of(&outcome.payment, refund)))
}

/// Reads a refund. The body is gone when this returns: the answer may take long, and many wait at once.
fn read_refund(
    state: &WebState,
    request: &HttpRequest,
    body: Body,
) -> Result<(PaymentId, OperationDraft), ApiError> {
    let body = body::bytes(body)?;
    let mut params = body::params(request, &body)?;
    let payment = payment_of(&mut params)?.ok_or_else(|| InputError::missing("payment_intent"))?;
    let draft = OperationDraft::read(&mut params, Verb::Refund, "amount", &submit::context(state))?;
    params.refuse(&["reason", "metadata"])?;
    submit::finish(&params)?;
    Ok((payment, submit::with_key(draft, request)?))
}

/// `GET /v1/refunds/{id}`
pub async fn retrieve(state: State, caller: ApiCaller, id: web::Path<String>) -> Answer {
    let missing = || ApiError::not_found("refund", &id);
    let refund: RefundId = id.parse().map_err(|_| missing())?;
    let record = state.store.refund_get(refund).await?;
    let record = record.filter(|record| record.owner == caller.account).ok_or_else(missing)?;
    let object = objects(&state, &[record]).await?.into_iter().next().ok_or_else(missing)?;
    Ok(HttpResponse::Ok().json(object))
}

/// `GET /v1/refunds`: those of one payment or of all, newest first.
pub async fn list(state: State, caller: ApiCaller, request: HttpRequest) -> Answer {
    let mut params = body::query(&request)?;
    let payment = payment_of(&mut params)?;
    let limit = list::limit(&mut params)?;
    let after = cursor(&mut params)?;
    params.refuse(&["ending_before", "created"])?;
    submit::finish(&params)?;
    let (data, has_more) = match payment {
        Some(id) => {
            let payment = state.own_payment(caller.account, id, "payment_intent", &id.to_string()).await?;
            let mut refunds: Vec<_> = payment.state().refunds.iter().collect();
            refunds.retain(|refund| after.is_none_or(|after| refund.id < after));
            refunds.sort_unstable_by_key(|refund| std::cmp::Reverse(refund.id));
            let has_more = refunds.len() > limit as usize;
            let shown = refunds.into_iter().take(limit as usize);
            (shown.map(|refund| RefundObject::of(&payment, refund)).collect(), has_more)
        }
        None => {
            let mut records = state.store.refund_list(caller.account, after, limit.saturating_add(1)).await?;
            let has_more = records.len() > limit as usize;
            records.truncate(limit as usize);
            (objects(&state, &records).await?, has_more)
        }
    };
    Ok(HttpResponse::Ok().json(List::new(data, has_more, URL)))
}

/// What these refunds look like, in the same order: the payments' histories tell.
async fn objects(state: &WebState, records: &[RefundRecord]) -> Result<Vec<RefundObject>, ApiError> {
    let mut ids: Vec<PaymentId> = records.iter().map(|record| record.payment).collect();
    ids.sort_unstable();
    ids.dedup();
    let payments: HashMap<PaymentId, Payment> =
        state.store.payment_get(&ids).await?.into_iter().map(|payment| (payment.id(), payment)).collect();
    let object = |record: &RefundRecord| {
        let payment = payments.get(&record.payment)?;
        Some(RefundObject::of(payment, payment.refund(record.id)?))
    };
    Ok(records.iter().filter_map(object).collect())
}

fn cursor(params: &mut Params<'_>) -> Result<Option<RefundId>, InputError> {
    let Some(text) = params.text("starting_after")? else {
        return Ok(None);
    };
    let missing = |_| {
        InputError::new(
            "starting_after",
            "resource_missing",
            "No such object: give the id of one in the list.",
        )
    };
    text.parse().map(Some).map_err(missing)
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
