//! `/v1/topups`, `/v1/transfers`, `/v1/payouts`: money in and out of wallets.

use actix_web::{HttpRequest, HttpResponse, web};

use super::list::List;
use super::objects::{Expand, Rendered};
use super::parameters;
use super::payment_list::{self, Resource};
use super::submit;
use crate::domain::payment::Payment;
use crate::domain::payment_kind::PaymentKind;
use crate::intake::details::Attempts;
use crate::intake::{InputError, Params};
use crate::web::body::{self, Body};
use crate::web::error::ApiError;
use crate::web::security::ApiCaller;
use crate::web::state::WebState;

type State = web::Data<WebState>;
type Answer = Result<HttpResponse, ApiError>;

const TOPUP: Resource =
    Resource { name: "topup", kind: PaymentKind::TopUp, not_narrowed_by: &["amount", "status"] };
const TRANSFER: Resource = Resource {
    name: "transfer",
    kind: PaymentKind::Transfer,
    not_narrowed_by: &["destination", "transfer_group"],
};
const PAYOUT: Resource = Resource {
    name: "payout",
    kind: PaymentKind::Payout,
    not_narrowed_by: &["arrival_date", "destination", "status"],
};

/// `POST /v1/topups`
pub async fn topup_create(state: State, caller: ApiCaller, request: HttpRequest, body: Body) -> Answer {
    submit::create(&state, caller, &request, body, PaymentKind::TopUp).await
}

/// `GET /v1/topups`
pub async fn topup_list(state: State, caller: ApiCaller, request: HttpRequest) -> Answer {
    list(&state, caller, &request, &TOPUP, "/v1/topups").await
}

/// `GET /v1/topups/{id}`
pub async fn topup_retrieve(
    state: State,
    caller: ApiCaller,
    request: HttpRequest,
    id: web::Path<String>,
) -> Answer {
    retrieve(&state, caller, &request, &id, &TOPUP).await
}

/// `POST /v1/transfers`
pub async fn transfer_create(state: State, caller: ApiCaller, request: HttpRequest, body: Body) -> Answer {
    submit::create(&state, caller, &request, body, PaymentKind::Transfer).await
}

/// `GET /v1/transfers`
pub async fn transfer_list(state: State, caller: ApiCaller, request: HttpRequest) -> Answer {
    list(&state, caller, &request, &TRANSFER, "/v1/transfers").await
}

/// `GET /v1/transfers/{id}`
pub async fn transfer_retrieve(
    state: State,
    caller: ApiCaller,
    request: HttpRequest,
    id: web::Path<String>,
) -> Answer {
    retrieve(&state, caller, &request, &id, &TRANSFER).await
}

/// `POST /v1/payouts`
pub async fn payout_create(state: State, caller: ApiCaller, request: HttpRequest, body: Body) -> Answer {
    submit::create(&state, caller, &request, body, PaymentKind::Payout).await
}

/// `GET /v1/payouts`
pub async fn payout_list(state: State, caller: ApiCaller, request: HttpRequest) -> Answer {
    list(&state, caller, &request, &PAYOUT, "/v1/payouts").await
}

/// `GET /v1/payouts/{id}`
pub async fn payout_retrieve(
    state: State,
    caller: ApiCaller,
    request: HttpRequest,
    id: web::Path<String>,
) -> Answer {
    retrieve(&state, caller, &request, &id, &PAYOUT).await
}

async fn list(
    state: &WebState,
    caller: ApiCaller,
    request: &HttpRequest,
    resource: &Resource,
    url: &'static str,
) -> Answer {
    let mut params = body::query(request)?;
    let asked = payment_list::asked(&mut params, resource)?;
    nothing_to_expand(&mut params)?;
    parameters::finish(&params)?;
    let (payments, has_more) = payment_list::page(state, caller.account, asked).await?;
    let data = payments.iter().map(|payment| object(state, payment)).collect();
    Ok(HttpResponse::Ok().json(List::new(data, has_more, url)))
}

async fn retrieve(
    state: &WebState,
    caller: ApiCaller,
    request: &HttpRequest,
    id: &str,
    resource: &Resource,
) -> Answer {
    let mut params = body::query(request)?;
    nothing_to_expand(&mut params)?;
    params.finish()?;
    let payment_id = parameters::payment_id(id, resource.name, &[resource.kind.id_prefix()])?;
    let payment = state.own_payment(caller.account, payment_id, resource.name, id).await?;
    if payment.submission().kind.payment_kind() != resource.kind {
        return Err(ApiError::not_found(resource.name, id));
    }
    Ok(HttpResponse::Ok().json(object(state, &payment)))
}

/// Reads `expand[]`, which must be empty: these resources have nothing to expand.
fn nothing_to_expand(params: &mut Params<'_>) -> Result<(), InputError> {
    parameters::expand_with(params, "", "nothing of this", |_| false)
}

fn object(state: &WebState, payment: &Payment) -> Rendered {
    Rendered::of(payment, Expand::default(), state.presenter(), &Attempts::default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::api::objects::resource_name;

    #[test]
    fn resources_have_the_names_of_their_objects() {
        for resource in [payment_list::PAYMENT_INTENTS, TOPUP, TRANSFER, PAYOUT] {
            assert_eq!(resource_name(resource.kind), resource.name);
        }
    }
}
