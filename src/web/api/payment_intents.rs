//! `/v1/payment_intents`: charges to cards.

use actix_web::{HttpRequest, HttpResponse, web};

use super::customers;
use super::list::List;
use super::objects::{Expand, Rendered};
use super::parameters;
use super::payment_list;
use super::submit;
use crate::domain::payment::Payment;
use crate::domain::payment_kind::PaymentKind;
use crate::domain::submission::Kind;
use crate::intake::Verb;
use crate::intake::details::Attempts;
use crate::web::body::{self, Body};
use crate::web::error::ApiError;
use crate::web::security::ApiCaller;
use crate::web::state::WebState;

type State = web::Data<WebState>;
type Answer = Result<HttpResponse, ApiError>;

/// `POST /v1/payment_intents`
pub async fn create(state: State, caller: ApiCaller, request: HttpRequest, body: Body) -> Answer {
    submit::create(&state, caller, &request, body, PaymentKind::Charge).await
}

/// `GET /v1/payment_intents/{id}`
pub async fn retrieve(
    state: State,
    caller: ApiCaller,
    request: HttpRequest,
    id: web::Path<String>,
) -> Answer {
    let mut params = body::query(&request)?;
    let expand = parameters::expand(&mut params, "")?;
    // Browsers send it along; a caller with an API key needs no other proof.
    params.text("client_secret")?;
    params.finish()?;
    let payment = state
        .own_payment(
            caller.account,
            parameters::payment_id(&id, "payment_intent", &["pi_"])?,
            "payment_intent",
            &id,
        )
        .await?;
    match payment.submission().kind {
        Kind::Charge => {
            let kept = Attempts::of(state.store.as_ref(), &[&payment]).await?;
            let object = Rendered::of(&payment, expand, state.presenter(), &kept);
            Ok(HttpResponse::Ok().json(object))
        }
        Kind::TopUp | Kind::Transfer { .. } | Kind::Payout { .. } => {
            Err(ApiError::not_found("payment_intent", &id))
        }
    }
}

/// `GET /v1/payment_intents`
pub async fn list(state: State, caller: ApiCaller, request: HttpRequest) -> Answer {
    let mut params = body::query(&request)?;
    let customer = customers::named(&mut params)?;
    let asked = payment_list::asked(&mut params, &payment_list::PAYMENT_INTENTS)?.of_customer(customer);
    let expand = parameters::expand(&mut params, "data.")?;
    parameters::finish(&params)?;
    let (payments, has_more) = payment_list::page(&state, caller.account, asked).await?;
    let data = rendered(&state, &payments, expand).await?;
    Ok(HttpResponse::Ok().json(List::new(data, has_more, "/v1/payment_intents")))
}

/// These payments as objects of the dialect, in the same order.
///
/// # Errors
/// The store's.
pub async fn rendered(
    state: &WebState,
    payments: &[Payment],
    expand: Expand,
) -> Result<Vec<Rendered>, ApiError> {
    let all: Vec<&Payment> = payments.iter().collect();
    let kept = Attempts::of(state.store.as_ref(), &all).await?;
    let object = |payment: &Payment| Rendered::of(payment, expand, state.presenter(), &kept);
    Ok(payments.iter().map(object).collect())
}

/// `POST /v1/test_helpers/payment_intents/{id}/authenticate`: does what the cardholder would do at `next_action`, for tests
/// without a browser. `passed=false` fails the authentication.
pub async fn authenticate(
    state: State,
    caller: ApiCaller,
    request: HttpRequest,
    id: web::Path<String>,
    body: Body,
) -> Answer {
    submit::operate(&state, caller, &request, body, &id, Verb::CompleteAction).await
}

/// `POST /v1/payment_intents/{id}`
pub async fn update(
    state: State,
    caller: ApiCaller,
    request: HttpRequest,
    id: web::Path<String>,
    body: Body,
) -> Answer {
    submit::amend(&state, caller, &request, body, &id).await
}

/// `POST /v1/payment_intents/{id}/confirm`
pub async fn confirm(
    state: State,
    caller: ApiCaller,
    request: HttpRequest,
    id: web::Path<String>,
    body: Body,
) -> Answer {
    submit::operate(&state, caller, &request, body, &id, Verb::Confirm).await
}

/// `POST /v1/payment_intents/{id}/capture`
pub async fn capture(
    state: State,
    caller: ApiCaller,
    request: HttpRequest,
    id: web::Path<String>,
    body: Body,
) -> Answer {
    submit::operate(&state, caller, &request, body, &id, Verb::Capture).await
}

/// `POST /v1/payment_intents/{id}/cancel`
pub async fn cancel(
    state: State,
    caller: ApiCaller,
    request: HttpRequest,
    id: web::Path<String>,
    body: Body,
) -> Answer {
    submit::operate(&state, caller, &request, body, &id, Verb::Cancel).await
}
