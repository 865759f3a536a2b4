//! `/v1/payment_intents/search`.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use super::objects::{Expand, Rendered};
use super::parameters;
use super::{list, payment_intents};
use crate::domain::ids::{AccountId, PaymentId};
use crate::domain::payment::Payment;
use crate::domain::payment_kind::PaymentKind;
use crate::domain::submission::Kind;
use crate::intake::{InputError, Params};
use crate::search::{Cursor, Query, SearchRequest};
use crate::web::body;
use crate::web::error::ApiError;
use crate::web::security::ApiCaller;
use crate::web::state::WebState;

/// Payment intents are payments of this kind.
const KIND: PaymentKind = PaymentKind::Charge;

#[derive(Debug, Serialize)]
struct SearchResult {
    object: &'static str,
    data: Vec<Rendered>,
    has_more: bool,
    next_page: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_count: Option<u64>,
    url: &'static str,
}

/// `GET /v1/payment_intents/search`
pub async fn search(
    state: web::Data<WebState>,
    caller: ApiCaller,
    request: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let mut params = body::query(&request)?;
    let text = params.text("query")?.ok_or_else(|| InputError::missing("query"))?;
    let limit = list::limit(&mut params)?;
    let page = params.text("page")?;
    let (expand, counted) = expand(&mut params)?;
    params.finish()?;
    let cursor = match page {
        None => None,
        Some(page) => Some(Cursor::parse(&page).ok_or_else(|| {
            InputError::new(
                "page",
                "parameter_invalid_string",
                "Invalid page: use next_page of the page before.",
            )
        })?),
    };
    // The index filters by kind before it pages; filtering afterwards would make pages short.
    let mut wanted = SearchRequest::new(caller.account, Query::parse(&text)?.of_kind(KIND));
    wanted.limit = usize::try_from(limit).unwrap_or(10);
    wanted.cursor = cursor;
    let found = state.search.find(&wanted).await?;
    let ids: Vec<PaymentId> = found.hits.iter().map(|hit| hit.payment).collect();
    let payments = read_in_order(&state, caller.account, &ids).await?;
    let next_page = found.next_cursor.map(|cursor| cursor.encode());
    Ok(HttpResponse::Ok().json(SearchResult {
        object: "search_result",
        data: payment_intents::rendered(&state, &payments, expand).await?,
        has_more: next_page.is_some(),
        next_page,
        total_count: counted.then_some(found.total.value),
        url: "/v1/payment_intents/search",
    }))
}

/// Reads `expand[]`, and whether it asks for the total count.
fn expand(params: &mut Params<'_>) -> Result<(Expand, bool), InputError> {
    let (mut expand, mut counted) = (Expand::default(), false);
    let can_be = "total_count, and latest_charge and payment_method of payment intents (data.latest_charge)";
    parameters::expand_with(params, "", can_be, |property| {
        match property {
            "data.latest_charge" => expand.latest_charge = true,
            "data.payment_method" => expand.payment_method = true,
            "total_count" => counted = true,
            _ => return false,
        }
        true
    })?;
    Ok((expand, counted))
}

/// The payments as they are in the store now, in the order of `ids`.
async fn read_in_order(
    state: &WebState,
    owner: AccountId,
    ids: &[PaymentId],
) -> Result<Vec<Payment>, ApiError> {
    let mut payments = if ids.is_empty() { Vec::new() } else { state.store.payment_get(ids).await? };
    payments.retain(|payment| payment.owner() == owner && payment.submission().kind == Kind::Charge);
    let place = |payment: &Payment| ids.iter().position(|id| *id == payment.id());
    payments.sort_by_key(place);
    Ok(payments)
}
