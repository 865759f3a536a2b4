//! `/v1/charges`: the result of each attempt of a charge.
//!
//! The charge of a payment's first attempt has the payment's id; charges of later attempts have rows of their own.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};

use super::list::{self, List};
use super::objects::{ChargeExpand, ChargeObject};
use super::parameters;
use crate::domain::ids::{AccountId, ChargeId, PaymentId};
use crate::domain::payment::Payment;
use crate::domain::submission::Kind;
use crate::intake::details::Attempts;
use crate::intake::{InputError, Params};
use crate::store::{ChargeFilter, Charged, PartKind, charge_list};
use crate::web::body;
use crate::web::error::ApiError;
use crate::web::security::ApiCaller;
use crate::web::state::WebState;

const URL: &str = "/v1/charges";

/// Filters of the dialect's list that are not offered.
const NOT_NARROWED_BY: &[&str] = &["customer", "transfer_group"];

type State = web::Data<WebState>;
type Answer = Result<HttpResponse, ApiError>;

/// `GET /v1/charges/{id}`
pub async fn retrieve(
    state: State,
    caller: ApiCaller,
    request: HttpRequest,
    id: web::Path<String>,
) -> Answer {
    let mut params = body::query(&request)?;
    let expand = expand(&mut params, "")?;
    params.finish()?;
    let found = find(&state, caller.account, &id, "id").await?;
    let object = objects(&state, &[found], expand).await?.into_iter().next();
    Ok(HttpResponse::Ok().json(object.ok_or_else(|| ApiError::not_found("charge", &id))?))
}

/// `GET /v1/charges`: the charges of one payment or of all, newest first.
pub async fn list(state: State, caller: ApiCaller, request: HttpRequest) -> Answer {
    let mut params = body::query(&request)?;
    params.refuse(NOT_NARROWED_BY)?;
    let intent = params.text("payment_intent")?.map(String::from);
    let limit = list::limit(&mut params)?;
    let (before, after) = list::cursors(&mut params)?;
    let (created_from, created_to) = list::created(&mut params)?;
    let expand = expand(&mut params, "data.")?;
    parameters::finish(&params)?;
    let payment = match &intent {
        Some(text) => {
            let id = parameters::payment_id(text, "payment_intent", &["pi_"])?;
            Some(Arc::new(state.named_intent(caller.account, id, "payment_intent").await?))
        }
        None => None,
    };
    let within = payment.as_ref().map(|payment| payment.id());
    let filter = ChargeFilter {
        before: cursor(&state, caller.account, within, list::STARTING_AFTER, before).await?,
        after: cursor(&state, caller.account, within, list::ENDING_BEFORE, after).await?,
        created_from,
        created_to,
        limit: limit.saturating_add(1),
    };
    let found = match payment {
        Some(payment) => of_payment(&payment, &filter),
        None => charge_list(state.store.as_ref(), caller.account, filter).await?,
    };
    let (page, has_more) = list::cut(found, limit, filter.after.is_some());
    Ok(HttpResponse::Ok().json(List::new(objects(&state, &page, expand).await?, has_more, URL)))
}

/// The owner's charge with this id. `param` is the parameter that named it.
///
/// # Errors
/// 404 if there is none; the store's.
pub async fn find(
    state: &WebState,
    owner: AccountId,
    text: &str,
    param: &'static str,
) -> Result<Charged, ApiError> {
    let missing = || ApiError::not_found("charge", text).with_param(param);
    let charge: ChargeId = text.parse().map_err(|_| missing())?;
    let first = PaymentId::from_bytes(*charge.as_bytes());
    let payment = match state.store.payment_one(first).await? {
        Some(payment) => Some(payment),
        None => match state.store.part_get(charge.into()).await? {
            Some(part) if part.kind == PartKind::Charge => state.store.payment_one(part.payment).await?,
            Some(_) | None => None,
        },
    };
    let theirs = |payment: &Payment| {
        payment.owner() == owner
            && payment.submission().kind == Kind::Charge
            && payment.charge(charge).is_some()
    };
    let payment = payment.filter(theirs).ok_or_else(missing)?;
    Ok(Charged { payment: Arc::new(payment), charge })
}

/// The charge that a cursor names, if one is given. It must be in this list.
async fn cursor(
    state: &WebState,
    owner: AccountId,
    within: Option<PaymentId>,
    param: &'static str,
    text: Option<String>,
) -> Result<Option<ChargeId>, ApiError> {
    let Some(text) = text else { return Ok(None) };
    match find(state, owner, &text, param).await {
        Ok(found) if within.is_none_or(|id| id == found.payment.id()) => Ok(Some(found.charge)),
        Err(error) if error.status.is_server_error() => Err(error),
        Ok(_) | Err(_) => Err(list::unknown_cursor(param, "charge", &text).into()),
    }
}

/// The charges of one payment, newest first.
fn of_payment(payment: &Arc<Payment>, filter: &ChargeFilter) -> Vec<Charged> {
    let charged = payment.charges().map(|charge| Charged { payment: Arc::clone(payment), charge: charge.id });
    let mut charges: Vec<Charged> = charged.filter(|one| filter.takes(one)).collect();
    charges.sort_unstable_by_key(|one| std::cmp::Reverse(one.charge));
    charges
}

/// These charges as objects of the dialect, in the same order.
async fn objects(
    state: &WebState,
    found: &[Charged],
    expand: ChargeExpand,
) -> Result<Vec<ChargeObject>, ApiError> {
    let payments: Vec<&Payment> = found.iter().map(|one| one.payment.as_ref()).collect();
    let attempts = Attempts::of(state.store.as_ref(), &payments).await?;
    let object = |one: &Charged| {
        let charge = one.payment.charge(one.charge)?;
        Some(ChargeObject::of(&one.payment, charge, &attempts, expand, state.presenter()))
    };
    Ok(found.iter().filter_map(object).collect())
}

/// Reads `expand[]`.
fn expand(params: &mut Params<'_>, prefix: &str) -> Result<ChargeExpand, InputError> {
    let mut expand = ChargeExpand::default();
    parameters::expand_with(params, prefix, "payment_intent of charges", |property| {
        expand.payment_intent |= property == "payment_intent";
        property == "payment_intent"
    })?;
    Ok(expand)
}
