//! `GET /payments`. Without a query the list comes from the store, so that it is never behind; with one from the index.

use actix_web::{HttpRequest, HttpResponse, web};

use super::handle::{self, Fields, PageError, PageResult};
use super::layout::{Layout, Nav, Notice, Tone};
use super::payments::{PaymentsPage, QueryError, address};
use super::row::PaymentRow;
use super::search_view;
use crate::domain::payment::Payment;
use crate::domain::time::Timestamp;
use crate::feed::index;
use crate::search::{Cursor, Query, SearchPage, SearchRequest};
use crate::store::PaymentFilter;
use crate::web::security::SignedIn;
use crate::web::state::WebState;

/// Rows on a page.
const ROWS: u32 = 50;
/// A lag that is worth saying.
const LAG_SAID_S: u64 = 3;

/// `GET /payments?q=…&page=…` (or `&before=…` without a query).
pub async fn show(state: web::Data<WebState>, request: HttpRequest, who: SignedIn) -> PageResult {
    let fields = Fields::of_query(&request);
    let text = fields.get("q").trim();
    let mut page = blank(handle::frame(&state, &who, "Payments", Nav::Payments), text);
    let query = match Query::parse(text) {
        Ok(query) => query,
        Err(error) => {
            let expected = match error.expected.as_slice() {
                [] => String::new(),
                expected => format!(" It could be: {}.", expected.join(", ")),
            };
            let message = format!("{}{expected}", error.message);
            page.error = Some(QueryError::new(text, error.span.start, error.span.end, message));
            return Ok(handle::render(HttpResponse::BadRequest(), &page));
        }
    };
    let everything = query.is_everything();
    let found = search(&state, &who, query, fields.get("page")).await;
    let payments = match (&found, everything) {
        (_, true) => from_store(&state, &who, fields.get("before"), &mut page).await?,
        (Ok(found), false) => from_index(&state, &who, text, found, &mut page).await?,
        (Err(error), false) => {
            page.layout.notices.push(Notice::new(Tone::Warning, error.0.message.to_string()));
            Vec::new()
        }
    };
    if let Ok(found) = &found {
        page.total = Some(search_view::total_words(found.total));
        page.groups =
            found.facets.as_ref().map_or_else(Vec::new, |facets| search_view::chip_groups(text, facets));
        page.bars =
            found.histogram.as_ref().map_or_else(Vec::new, |all| search_view::histogram_bars(text, all));
    }
    if page.first.is_none() && !(fields.get("page").is_empty() && fields.get("before").is_empty()) {
        page.first = Some(address(text));
    }
    let names = handle::names_of(&state, &payments).await?;
    let now = Timestamp::now();
    page.rows = payments.iter().map(|payment| PaymentRow::of(payment, &names, who.account, now)).collect();
    if let Some(seconds) = lag_s(&state, now).await.filter(|seconds| *seconds >= LAG_SAID_S && !everything) {
        let words = format!("Search is {seconds} s behind; the newest may be missing.");
        page.layout.notices.push(Notice::new(Tone::Warning, words));
    }
    Ok(handle::ok(&page))
}

fn blank(layout: Layout, query: &str) -> PaymentsPage {
    PaymentsPage {
        layout,
        query: query.to_owned(),
        error: None,
        groups: Vec::new(),
        bars: Vec::new(),
        rows: Vec::new(),
        total: None,
        next: None,
        first: None,
    }
}

async fn search(
    state: &WebState,
    who: &SignedIn,
    query: Query,
    cursor: &str,
) -> Result<SearchPage, PageError> {
    let since = state
        .accounts
        .account(who.account)
        .await?
        .map_or_else(Timestamp::default, |account| account.created_at);
    let request = SearchRequest {
        cursor: Cursor::parse(cursor),
        limit: usize::try_from(ROWS).unwrap_or(50),
        facets: true,
        histogram: Some(search_view::histogram_spec(since, Timestamp::now())),
        ..SearchRequest::new(who.account, query)
    };
    Ok(state.search.search(&request).await?)
}

async fn from_store(
    state: &WebState,
    who: &SignedIn,
    before: &str,
    page: &mut PaymentsPage,
) -> Result<Vec<Payment>, PageError> {
    let filter = PaymentFilter { before: before.parse().ok(), limit: ROWS + 1, ..PaymentFilter::default() };
    let mut payments = state.store.payment_list(who.account, &filter).await?;
    let rows = usize::try_from(ROWS).unwrap_or(50);
    if payments.len() > rows {
        payments.truncate(rows);
        page.next = payments.last().map(|last| format!("/payments?before={}", last.submission().public_id()));
    }
    Ok(payments)
}

/// The store's newest state of what was found, in the order in which it was found.
async fn from_index(
    state: &WebState,
    who: &SignedIn,
    query: &str,
    found: &SearchPage,
    page: &mut PaymentsPage,
) -> Result<Vec<Payment>, PageError> {
    page.next = found.next_cursor.map(|cursor| format!("{}&page={}", address(query), cursor.encode()));
    let ids: Vec<_> = found.hits.iter().map(|hit| hit.payment).collect();
    let mut payments = state.store.payment_get(&ids).await?;
    payments.sort_by_key(|payment| ids.iter().position(|id| *id == payment.id()));
    // The owner filter is the index's; this is the belt.
    payments.retain(|payment| super::row::accounts_of(payment).any(|account| account == who.account));
    Ok(payments)
}

/// How old the first batch is that the index has not taken in; `None` if it is level.
async fn lag_s(state: &WebState, now: Timestamp) -> Option<u64> {
    let at = state.store.cursor_get(index::NAME).await.ok()?;
    let next = state.store.journal_read(at, 1).await.ok()?.into_iter().next()?;
    Some(now.micros_since(next.at) / 1_000_000)
}
