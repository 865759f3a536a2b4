//! The handlers of imports: their pages, their state for scripts, the sample file and the results.

use actix_multipart::Multipart;
use actix_web::http::StatusCode;
use actix_web::http::header::ACCEPT;
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use futures_util::stream;

use super::super::error_page::{PageError, answer_to, render};
use super::super::forms::Fields;
use super::super::frame;
use super::super::layout::Nav;
use super::super::responses::{self, PageResult};
use super::{ImportLine, ImportOnePage, ImportPage, upload};
use crate::domain::ids::{ImportId, PaymentId};
use crate::domain::payment::Payment;
use crate::store::{ImportRecord, ImportRow};
use crate::web::csv;
use crate::web::error::ApiError;
use crate::web::import::SAMPLE;
use crate::web::security::SignedIn;
use crate::web::state::WebState;

/// Imports that the page lists.
const LISTED: u32 = 20;
/// Refused rows per page.
const REFUSED: u32 = 50;
/// Rows of the results read at once.
const RESULTS: u32 = 1_000;
/// Without JavaScript, the page of a running import reloads after so many seconds.
const REFRESH_S: u32 = 2;

async fn page(state: &WebState, who: &SignedIn, error: Option<String>) -> Result<ImportPage, PageError> {
    let imports = state.store.import_list(who.account, LISTED).await?;
    let now = state.wall.now();
    Ok(ImportPage {
        layout: frame::frame(state, who, "Import payments", Nav::Payments),
        import: ImportId::generate().to_string(),
        error,
        imports: imports.iter().map(|import| ImportLine::of(import, now)).collect(),
    })
}

/// `GET /payments/import`.
pub async fn show(state: web::Data<WebState>, who: SignedIn) -> PageResult {
    Ok(responses::ok(&page(&state, &who, None).await?))
}

/// `GET /payments/import/sample.csv`.
pub async fn sample(_who: SignedIn) -> HttpResponse {
    csv::download("payments-sample.csv").body([csv::MARK, SAMPLE].concat())
}

/// `POST /payments/import`: answers once every row has been read, with a redirect to the import (or, for scripts, its state).
pub async fn upload(
    state: web::Data<WebState>,
    request: HttpRequest,
    who: SignedIn,
    form: Multipart,
) -> PageResult {
    let json = request.headers().get(ACCEPT).is_some_and(|value| value.as_bytes() == b"application/json");
    match upload::receive(&state, &request, &who, form).await {
        Ok(import) if json => Ok(HttpResponse::Ok().json(state_of(&state, &import))),
        Ok(import) => Ok(responses::see_other(&format!("/payments/imports/{}", import.id))),
        Err(error) if json => Err(error.into()),
        Err(error) if error.status == StatusCode::FORBIDDEN => Err(error.into()),
        Err(error) => {
            let page = page(&state, &who, Some(error.message.to_string())).await;
            let page = page.map_err(|_| PageError(error.clone()))?;
            Ok(render(answer_to(&error), &page))
        }
    }
}

fn state_of(state: &WebState, import: &ImportRecord) -> serde_json::Value {
    let line = ImportLine::of(import, state.wall.now());
    serde_json::json!({
        "id": line.id, "running": line.running, "state": line.state,
        "rows_read": import.rows_read, "accepted": import.rows_accepted,
        "known": import.rows_known, "refused": import.rows_refused,
    })
}

async fn own(state: &WebState, who: &SignedIn, id: &str) -> Result<ImportRecord, ApiError> {
    let missing = || ApiError::not_found("import", id);
    let id: ImportId = id.parse().map_err(|_| missing())?;
    state.store.import_get(who.account, id).await?.ok_or_else(missing)
}

/// `GET /payments/imports/{id}/state`: the progress, for scripts.
pub async fn show_state(
    state: web::Data<WebState>,
    who: SignedIn,
    id: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let import = own(&state, &who, &id).await?;
    Ok(HttpResponse::Ok().insert_header(("cache-control", "no-store")).json(state_of(&state, &import)))
}

/// `GET /payments/imports/{id}?after=LINE`.
pub async fn show_one(
    state: web::Data<WebState>,
    request: HttpRequest,
    who: SignedIn,
    id: web::Path<String>,
) -> PageResult {
    let import = own(&state, &who, &id).await?;
    let after: u64 = Fields::of_query(&request).get("after").parse().unwrap_or(0);
    let mut refused = state.store.import_rows(import.id, after, true, REFUSED + 1).await?;
    let rows = usize::try_from(REFUSED).unwrap_or(50);
    let more = refused.len() > rows;
    refused.truncate(rows);
    let more = refused.last().filter(|_| more);
    let more = more.map(|last| format!("/payments/imports/{}?after={}", import.id, last.line));
    let mut layout = frame::frame(&state, &who, &format!("Import {}", import.name), Nav::Payments);
    let import = ImportLine::of(&import, state.wall.now());
    layout.refresh_s = import.running.then_some(REFRESH_S);
    Ok(responses::ok(&ImportOnePage { layout, import, refused, more }))
}

/// `GET /payments/imports/{id}/results.csv`: every row with its payment's current state, or its error.
pub async fn results(state: web::Data<WebState>, who: SignedIn, id: web::Path<String>) -> PageResult {
    let import = own(&state, &who, &id).await?;
    let name = format!("import-{}.csv", import.id.with_prefix(""));
    let header = csv::begin(["line", "key", "payment", "status", "decline_code", "column", "error"])?;
    let begun = stream::iter([Ok::<Bytes, actix_web::Error>(header)]);
    let rest = stream::try_unfold(Some(0_u64), move |after| {
        let (state, import) = (state.clone(), import.id);
        async move {
            let Some(after) = after else { return Ok(None) };
            let rows =
                state.store.import_rows(import, after, false, RESULTS).await.map_err(ApiError::from)?;
            let Some(last) = rows.last().map(|row| row.line) else { return Ok(None) };
            let ids: Vec<PaymentId> =
                rows.iter().filter_map(|row| row.outcome.as_ref().ok().copied()).collect();
            let mut payments = state.store.payment_get(&ids).await.map_err(ApiError::from)?;
            payments.sort_unstable_by_key(Payment::id);
            let bytes = csv::encode(rows.iter().map(|row| result(row, &payments)))?;
            let next = (u32::try_from(rows.len()).unwrap_or(0) == RESULTS).then_some(last);
            Ok(Some((bytes, next)))
        }
    });
    Ok(csv::download(&name).streaming(futures_util::StreamExt::chain(begun, rest)))
}

/// One row of the results; `payments` are sorted by id.
fn result(row: &ImportRow, payments: &[Payment]) -> [String; 7] {
    let text = |text: &str| csv::guarded(text).into_owned();
    let found = |id: &PaymentId| {
        let at = payments.binary_search_by_key(id, Payment::id).ok();
        at.and_then(|at| payments.get(at))
    };
    let (payment, fault) = match &row.outcome {
        Ok(id) => (found(id), None),
        Err(fault) => (None, Some(fault)),
    };
    let decline = payment.and_then(|payment| payment.state().decline);
    [
        row.line.to_string(),
        text(&row.key),
        payment.map(|payment| payment.submission().public_id()).unwrap_or_default(),
        payment.map_or("", |payment| payment.state().status.as_str()).to_owned(),
        decline.map_or("", |reason| reason.decline_code()).to_owned(),
        text(fault.map_or("", |fault| fault.column.as_str())),
        text(fault.map_or("", |fault| fault.message.as_str())),
    ]
}
