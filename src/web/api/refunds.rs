//! `/v1/refunds`.

use actix_web::{HttpRequest, HttpResponse, web};

use super::list::{self, List};
use super::objects::RefundObject;
use super::submit;
use crate::domain::command::Command;
use crate::domain::ids::{AccountId, PaymentId, RefundId};
use crate::domain::payment::Payment;
use crate::search::{Query, SearchRequest};
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
    let body = body::bytes(body)?;
    let mut params = body::params(&request, &body)?;
    let payment = payment_of(&mut params)?.ok_or_else(|| InputError::missing("payment_intent"))?;
    let draft = OperationDraft::read(&mut params, Verb::Refund, "amount", &submit::context(&state))?;
    params.refuse(&["reason", "metadata"])?;
    submit::finish(&params)?;
    let draft = submit::with_key(draft, &request)?;
    let command = Command::Operate(draft.into_command(payment, caller.account));
    let wait = Wait::of(&request, &state);
    let outcome = outcome::execute(&state, command, wait).await?;
    let id = outcome.refund().ok_or_else(ApiError::internal)?;
    state.refunds.remember(id, payment);
    let refund = outcome.payment.refund(id).ok_or_else(ApiError::internal)?;
    Ok(submit::answer(&outcome, wait).json(RefundObject::of(&outcome.payment, refund)))
}

/// `GET /v1/refunds/{id}`
pub async fn retrieve(state: State, caller: ApiCaller, id: web::Path<String>) -> Answer {
    let missing = || ApiError::not_found("refund", &id);
    let refund: RefundId = id.parse().map_err(|_| missing())?;
    let payment = find(&state, caller.account, refund).await?.ok_or_else(missing)?;
    let refund = payment.refund(refund).ok_or_else(missing)?;
    Ok(HttpResponse::Ok().json(RefundObject::of(&payment, refund)))
}

/// The payment that a refund belongs to: from memory, else through the search index.
async fn find(state: &WebState, owner: AccountId, refund: RefundId) -> Result<Option<Payment>, ApiError> {
    let id = match state.refunds.payment(refund) {
        Some(id) => Some(id),
        None => {
            let request = SearchRequest::new(owner, Query::parse(&format!("refund:\"{refund}\""))?);
            state.search.search(&request).await?.hits.first().map(|hit| hit.payment)
        }
    };
    let Some(id) = id else {
        return Ok(None);
    };
    let found = state.store.payment_get(&[id]).await?.into_iter().next();
    Ok(found.filter(|payment| payment.owner() == owner))
}

/// `GET /v1/refunds`: those of one payment, newest first; or of all payments, as the search index knows them.
pub async fn list(state: State, caller: ApiCaller, request: HttpRequest) -> Answer {
    let mut params = body::query(&request)?;
    let payment = payment_of(&mut params)?;
    let limit = usize::try_from(list::limit(&mut params)?).unwrap_or(10);
    let after = cursor(&mut params)?;
    params.refuse(&["ending_before", "created"])?;
    submit::finish(&params)?;
    let payments = match payment {
        Some(id) => vec![state.own_payment(caller.account, id, "payment_intent", &id.to_string()).await?],
        None => refunded(&state, caller.account).await?,
    };
    let mut refunds: Vec<_> = payments
        .iter()
        .flat_map(|payment| payment.state().refunds.iter().map(move |refund| (payment, refund)))
        .collect();
    refunds.sort_by_key(|(_, refund)| std::cmp::Reverse(refund.id));
    refunds.retain(|(_, refund)| after.is_none_or(|after| refund.id < after));
    let has_more = refunds.len() > limit;
    let data =
        refunds.iter().take(limit).map(|(payment, refund)| RefundObject::of(payment, refund)).collect();
    Ok(HttpResponse::Ok().json(List::new(data, has_more, URL)))
}

/// The newest hundred payments of an owner that have refunds.
async fn refunded(state: &WebState, owner: AccountId) -> Result<Vec<Payment>, ApiError> {
    let mut request = SearchRequest::new(owner, Query::parse("-refund:null")?);
    request.limit = 100;
    let ids: Vec<PaymentId> =
        state.search.search(&request).await?.hits.iter().map(|hit| hit.payment).collect();
    let mut payments = if ids.is_empty() { Vec::new() } else { state.store.payment_get(&ids).await? };
    payments.retain(|payment| payment.owner() == owner);
    Ok(payments)
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
