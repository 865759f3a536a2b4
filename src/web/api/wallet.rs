//! `/v1/topups`, `/v1/transfers`, `/v1/payouts`: money in and out of wallets.

use actix_web::{HttpRequest, HttpResponse, web};

use super::details::Attempts;
use super::list::List;
use super::objects::{Expand, Rendered};
use super::payment_list::{self, Resource};
use super::submit;
use crate::domain::payment::Payment;
use crate::web::body::{self, Body};
use crate::web::error::{ApiError, InputError};
use crate::web::intake::KindName;
use crate::web::params::Params;
use crate::web::security::ApiCaller;
use crate::web::state::WebState;

type State = web::Data<WebState>;
type Answer = Result<HttpResponse, ApiError>;

// The codes are those of `Kind::to_code`; a test compares them.
const TOPUP: Resource =
    Resource { name: "topup", prefix: "tu_", code: 2, not_narrowed_by: &["amount", "status"] };
const TRANSFER: Resource = Resource {
    name: "transfer",
    prefix: "tr_",
    code: 3,
    not_narrowed_by: &["destination", "transfer_group"],
};
const PAYOUT: Resource = Resource {
    name: "payout",
    prefix: "po_",
    code: 4,
    not_narrowed_by: &["arrival_date", "destination", "status"],
};

/// `POST /v1/topups`
pub async fn topup_create(state: State, caller: ApiCaller, request: HttpRequest, body: Body) -> Answer {
    submit::create(&state, caller, &request, body, KindName::TopUp).await
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
    submit::create(&state, caller, &request, body, KindName::Transfer).await
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
    submit::create(&state, caller, &request, body, KindName::Payout).await
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
    submit::finish(&params)?;
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
    let payment_id = submit::payment_id(id, resource.name, &[resource.prefix])?;
    let payment = state.own_payment(caller.account, payment_id, resource.name, id).await?;
    if payment.submission().kind.to_code() != resource.code {
        return Err(ApiError::not_found(resource.name, id));
    }
    Ok(HttpResponse::Ok().json(object(state, &payment)))
}

/// Reads `expand[]`, of which nothing is known here.
fn nothing_to_expand(params: &mut Params<'_>) -> Result<(), InputError> {
    submit::expand_with(params, "", "nothing of this", |_| false)
}

fn object(state: &WebState, payment: &Payment) -> Rendered {
    Rendered::of(payment, Expand::default(), state.presenter(), &Attempts::default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::bank_account::BankAccount;
    use crate::domain::submission::Kind;
    use crate::web::api::objects::resource_name;

    #[test]
    fn codes_are_those_of_the_domain() {
        let payee = crate::domain::ids::AccountId::generate();
        for (kind, resource) in [
            (Kind::Charge, payment_list::PAYMENT_INTENTS),
            (Kind::TopUp, TOPUP),
            (Kind::Transfer { payee }, TRANSFER),
            (Kind::Payout { bank: BankAccount::Valid }, PAYOUT),
        ] {
            assert_eq!(
                (kind.to_code(), kind.id_prefix(), resource_name(kind)),
                (resource.code, resource.prefix, resource.name)
            );
        }
    }
}
