//! `/v1/payment_intents`: charging cards.

use actix_web::{HttpRequest, HttpResponse, web};

use super::list::{self, List};
use super::objects::Rendered;
use super::submit;
use crate::domain::submission::Kind;
use crate::web::body::{self, Body};
use crate::web::error::ApiError;
use crate::web::intake::{KindName, Verb};
use crate::web::security::ApiCaller;
use crate::web::state::WebState;

type State = web::Data<WebState>;
type Answer = Result<HttpResponse, ApiError>;

/// `POST /v1/payment_intents`
pub async fn create(state: State, caller: ApiCaller, request: HttpRequest, body: Body) -> Answer {
    submit::create(&state, caller, &request, body, KindName::Charge).await
}

/// `GET /v1/payment_intents/{id}`
pub async fn retrieve(
    state: State,
    caller: ApiCaller,
    request: HttpRequest,
    id: web::Path<String>,
) -> Answer {
    let mut params = body::query(&request)?;
    let expand = submit::expand(&mut params, "")?;
    // Browsers send it along; whoever has the key needs no other proof.
    params.text("client_secret")?;
    params.finish()?;
    let payment = state
        .own_payment(
            caller.account,
            submit::payment_id(&id, "payment_intent", &["pi_"])?,
            "payment_intent",
            &id,
        )
        .await?;
    match payment.submission().kind {
        Kind::Charge => {
            Ok(HttpResponse::Ok().json(Rendered::of(&payment, expand, &state.rules.fingerprint_key)))
        }
        Kind::TopUp | Kind::Transfer { .. } | Kind::Payout { .. } => {
            Err(ApiError::not_found("payment_intent", &id))
        }
    }
}

/// `GET /v1/payment_intents`
pub async fn list(state: State, caller: ApiCaller, request: HttpRequest) -> Answer {
    let mut params = body::query(&request)?;
    let filter = list::filter(&mut params, Kind::Charge.to_code())?;
    let expand = submit::expand(&mut params, "data.")?;
    submit::finish(&params)?;
    let (payments, has_more) = list::page(&state, caller.account, filter).await?;
    let data =
        payments.iter().map(|payment| Rendered::of(payment, expand, &state.rules.fingerprint_key)).collect();
    Ok(HttpResponse::Ok().json(List::new(data, has_more, "/v1/payment_intents")))
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
