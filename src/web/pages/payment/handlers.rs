//! The handlers of one payment: its page, its 3-D Secure page, its actions, and its row for scripts.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};

use super::super::clock_strip;
use super::super::error_page::{PageError, answer_to, render};
use super::super::forms;
use super::super::frame;
use super::super::indexed;
use super::super::journey::Journey;
use super::super::layout::{Nav, Notice, Tone};
use super::super::names::names_of;
use super::super::responses::{self, PageResult};
use super::super::submit;
use super::actions::ANSWER_DISPUTE;
use super::{ChallengePage, Now, PaymentPage, PaymentView};
use crate::domain::ids::{AccountId, PaymentId};
use crate::domain::payment::Payment;
use crate::domain::status::Status;
use crate::domain::submission::Kind;
use crate::domain::time::Timestamp;
use crate::intake::Verb;
use crate::intake::details::Attempts;
use crate::readers::live::{Row, Viewer};
use crate::web::api::objects::{Expand, Rendered};
use crate::web::body::Body;
use crate::web::error::ApiError;
use crate::web::security::SignedIn;
use crate::web::state::WebState;

/// Without JavaScript, the page of an unfinished payment reloads after so many seconds.
const REFRESH_S: u32 = 2;

/// The payment, if this account may see it: its own, or a transfer it received.
async fn visible(state: &WebState, viewer: AccountId, id: &str) -> Result<Payment, PageError> {
    let missing = || ApiError::not_found("payment", id);
    let id: PaymentId = id.parse().map_err(|_| missing())?;
    let payment = state.store.payment_one(id).await?.ok_or_else(missing)?;
    let received = match payment.submission().kind {
        Kind::Transfer { payee } => payee == viewer && payment.state().status == Status::Succeeded,
        Kind::Charge | Kind::TopUp | Kind::Payout { .. } => false,
    };
    if payment.owner() == viewer || received { Ok(payment) } else { Err(missing().into()) }
}

async fn view(
    state: &WebState,
    viewer: AccountId,
    payment: &Payment,
    clock: Option<Timestamp>,
) -> Result<PaymentView, PageError> {
    let names = names_of(state, std::slice::from_ref(payment)).await?;
    let movements = state.store.movement_list(&[payment.id()]).await?;
    let now = Now { wall: state.wall.now(), clock };
    let mut view = PaymentView::of(payment, &movements, &names, viewer, now);
    if view.journey.is_some() {
        view.journey = Some(Journey::of(payment, indexed::indexed(state, payment).await));
    }
    Ok(view)
}

async fn page(
    state: &WebState,
    who: &SignedIn,
    payment: &Payment,
    notice: Option<Notice>,
) -> Result<PaymentPage, PageError> {
    let own = payment.owner() == who.account;
    let clock = if own { clock_strip::strip(state, payment.clock()).await? } else { None };
    let (strip, shown) = clock.unzip();
    let view = view(state, who.account, payment, shown).await?;
    let mut layout = frame::frame(state, who, &format!("{} {}", view.kind, view.amount), Nav::Payments)
        .with_notice(notice)
        .by_clock(strip);
    layout.refresh_s = view.under_way.then_some(REFRESH_S);
    let attempts = Attempts::of(state.store.as_ref(), &[payment]).await?;
    let object = Rendered::of(payment, Expand::default(), state.presenter(), &attempts);
    let raw_json =
        if own { serde_json::to_string_pretty(&object).unwrap_or_default() } else { String::new() };
    Ok(PaymentPage { layout, view, idempotency_key: forms::idempotency_key()?, raw_json })
}

/// `GET /payments/{id}`.
pub async fn show(state: web::Data<WebState>, who: SignedIn, id: web::Path<String>) -> PageResult {
    let payment = visible(&state, who.account, &id).await?;
    Ok(responses::ok(&page(&state, &who, &payment, None).await?))
}

/// `GET /payments/{id}/challenge`.
pub async fn challenge(state: web::Data<WebState>, who: SignedIn, id: web::Path<String>) -> PageResult {
    let payment = visible(&state, who.account, &id).await?;
    let page = ChallengePage {
        layout: frame::frame(&state, &who, "3-D Secure", Nav::Payments),
        view: view(&state, who.account, &payment, None).await?,
        idempotency_key: forms::idempotency_key()?,
    };
    Ok(responses::ok(&page))
}

/// `POST /payments/{id}/{operation}`: an action without JavaScript.
pub async fn operate(
    state: web::Data<WebState>,
    request: HttpRequest,
    who: SignedIn,
    path: web::Path<(String, String)>,
    body: Body,
) -> PageResult {
    let fields = forms::signed_form(&state, &request, &who, body)?;
    let (id, operation) = path.into_inner();
    let payment = visible(&state, who.account, &id).await?;
    let done = if operation == ANSWER_DISPUTE {
        submit::answer_dispute(&state, who.account, &payment, &fields).await
    } else {
        let verb = Verb::parse(&operation).ok_or_else(|| ApiError::not_found("operation", &operation))?;
        submit::operate(&state, who.account, payment.id(), verb, &fields).await
    };
    match done {
        Ok(done) => Ok(responses::see_other(&format!("/payments/{}", done.payment.submission().public_id()))),
        Err(error) if error.status == StatusCode::NOT_FOUND => Err(error.into()),
        Err(error) => {
            let notice = Notice::new(Tone::Error, forms::words(&error));
            // If the page fails too, the action's own error still matters most.
            let page = page(&state, &who, &payment, Some(notice)).await;
            let mut page = page.map_err(|_| PageError(error.clone()))?;
            forms::keep_key(&mut page.idempotency_key, &error, &fields);
            Ok(render(answer_to(&error), &page))
        }
    }
}

/// `GET /payments/{id}/{operation}`: someone reopens the address of a form, as after a rejection without JavaScript.
pub async fn operated(_who: SignedIn, path: web::Path<(String, String)>) -> PageResult {
    let (id, operation) = path.into_inner();
    let _: PaymentId = id.parse().map_err(|_| ApiError::not_found("payment", &id))?;
    if operation != ANSWER_DISPUTE {
        Verb::parse(&operation).ok_or_else(|| ApiError::not_found("operation", &operation))?;
    }
    Ok(responses::see_other(&format!("/payments/{id}")))
}

/// The row of a payment as the socket would send it.
fn row(state: &WebState, viewer: AccountId, payment: &Payment) -> serde_json::Value {
    let viewer = if payment.owner() == viewer { Viewer::Owner } else { Viewer::Payee };
    serde_json::to_value(Row::of(payment, state.accounts.directory(), viewer)).unwrap_or_default()
}

/// `GET /payments/{id}/row`: the page's script reads it after it may have missed something.
pub async fn show_row(state: web::Data<WebState>, who: SignedIn, id: web::Path<String>) -> PageResult {
    let payment = visible(&state, who.account, &id).await?;
    names_of(&state, std::slice::from_ref(&payment)).await?;
    Ok(HttpResponse::Ok().insert_header(("cache-control", "no-store")).json(row(
        &state,
        who.account,
        &payment,
    )))
}

/// `GET /payments/rows`: the newest rows, for the same purpose.
pub async fn show_rows(state: web::Data<WebState>, who: SignedIn) -> PageResult {
    let filter = crate::store::PaymentFilter { limit: 50, received: true, ..Default::default() };
    let payments = state.store.payment_list(who.account, &filter).await?;
    names_of(&state, &payments).await?;
    let rows: Vec<_> = payments.iter().map(|payment| row(&state, who.account, payment)).collect();
    Ok(HttpResponse::Ok()
        .insert_header(("cache-control", "no-store"))
        .json(serde_json::json!({ "rows": rows })))
}
