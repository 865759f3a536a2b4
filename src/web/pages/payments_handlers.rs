//! `GET /payments`. Without a query the list comes from the store, so that it is never behind; with one, from the search index.

use actix_web::{HttpRequest, HttpResponse, web};

use super::error_page::{PageError, render};
use super::forms::Fields;
use super::frame;
use super::layout::{Layout, Nav};
use super::names;
use super::onboarding;
use super::payments::{PaymentsPage, QueryError, address, export_address};
use super::responses::{self, PageResult};
use super::row::PaymentRow;
use super::search_view;
use crate::domain::ids::AccountId;
use crate::domain::payment::Payment;
use crate::domain::time::Timestamp;
use crate::readers::index;
use crate::search::{Cursor, Query, SearchPage, SearchRequest, Sort};
use crate::store::PaymentFilter;
use crate::web::security::SignedIn;
use crate::web::state::WebState;

/// Rows per page.
const ROWS: usize = 50;
/// The header with which the page's script renews its results; such a request is not a search by a person.
const RENEWAL: &str = "x-paystorm-renewal";
/// The lag from which the page mentions it, in seconds.
const LAG_SHOWN_S: u64 = 3;

/// `GET /payments?q=…&page=…` (`&before=…` or `&after=…` without a query).
pub async fn show(state: web::Data<WebState>, request: HttpRequest, who: SignedIn) -> PageResult {
    let fields = Fields::of_query(&request);
    let text = fields.get("q").trim();
    let mut page = blank(frame::frame(&state, &who, "Payments", Nav::Payments), text);
    let query = match Query::parse_as_typed(text) {
        Ok(query) => query,
        Err(error) => {
            page.error = Some(error_of(text, &error));
            return Ok(render(HttpResponse::BadRequest(), &page));
        }
    };
    let everything = query.is_everything();
    query.unfinished().clone_into(&mut page.unfinished);
    let base = search_view::narrowable(&query);
    page.groups.extend(base.as_deref().and_then(|base| search_view::time_chip(base, &query)));
    let cursor = Cursor::parse(fields.get("page")).filter(|_| !everything);
    let found = search(&state, who.account, query, cursor).await;
    let payments = match &found {
        _ if everything => from_store(&state, who.account, &fields, &mut page).await?,
        Ok((found, cursor)) => from_index(&state, who.account, text, found, *cursor, &mut page).await?,
        Err(error) => {
            page.failure = Some(error.0.message.to_string());
            Vec::new()
        }
    };
    if found.is_ok() && !everything && !request.headers().contains_key(RENEWAL) {
        onboarding::note(&state, who.account, onboarding::Step::Searched).await;
    }
    if let Ok((found, _)) = &found {
        page.total = Some(search_view::total_words(found.total));
        let facets = found.facets.iter().flat_map(|facets| search_view::chip_groups(base.as_deref(), facets));
        page.groups.extend(facets);
        page.histogram =
            found.histogram.as_ref().and_then(|all| search_view::histogram(base.as_deref(), all));
    }
    let names = names::names_of(&state, &payments).await?;
    let now = state.wall.now();
    page.rows = payments.iter().map(|payment| PaymentRow::of(payment, &names, who.account, now)).collect();
    if let Some(seconds) = lag_s(&state, now).await.filter(|seconds| *seconds >= LAG_SHOWN_S && !everything) {
        page.lag = Some(format!("Search is {seconds} s behind; the newest may be missing."));
    }
    Ok(responses::ok(&page))
}

fn error_of(text: &str, error: &crate::search::QueryError) -> QueryError {
    let expected = match error.expected.as_slice() {
        [] => String::new(),
        expected => format!(" It could be: {}.", expected.join(", ")),
    };
    let message = format!("{}{expected}", error.message);
    QueryError::new(text, error.span.start, error.span.end, message)
}

fn blank(layout: Layout, query: &str) -> PaymentsPage {
    PaymentsPage {
        layout,
        query: query.to_owned(),
        error: None,
        unfinished: String::new(),
        lag: None,
        failure: None,
        groups: Vec::new(),
        histogram: None,
        rows: Vec::new(),
        total: None,
        older: None,
        newer: None,
        first: None,
        export: export_address(query),
    }
}

/// The page after the cursor. Paging towards newer payments ends on the first page, so that it is full.
async fn search(
    state: &WebState,
    owner: AccountId,
    query: Query,
    cursor: Option<Cursor>,
) -> Result<(SearchPage, Option<Cursor>), PageError> {
    let since =
        state.accounts.account(owner).await?.map_or_else(Timestamp::default, |account| account.created_at);
    let histogram = search_view::histogram_of(&query, since, state.wall.now());
    let request = SearchRequest {
        sort: cursor.map_or(Sort::CreatedDesc, |cursor| cursor.sort()),
        cursor,
        limit: ROWS,
        facets: true,
        histogram: Some(histogram),
        ..SearchRequest::new(owner, query)
    };
    let found = state.search.find(&request).await?;
    if request.sort == Sort::CreatedDesc || found.next_cursor.is_some() {
        return Ok((found, cursor));
    }
    let first = SearchRequest { sort: Sort::CreatedDesc, cursor: None, ..request };
    Ok((state.search.find(&first).await?, None))
}

async fn from_store(
    state: &WebState,
    owner: AccountId,
    fields: &Fields,
    page: &mut PaymentsPage,
) -> Result<Vec<Payment>, PageError> {
    // One more than is shown reveals whether there are further ones.
    let limit = u32::try_from(ROWS + 1).unwrap_or(u32::MAX);
    let first = PaymentFilter { received: true, limit, ..PaymentFilter::default() };
    let asked = PaymentFilter {
        before: fields.get("before").parse().ok(),
        after: fields.get("after").parse().ok(),
        ..first.clone()
    };
    let mut payments = state.store.payment_list(owner, &asked).await?;
    let mut is_first = asked.before.is_none() && asked.after.is_none();
    let (mut newer, mut older) = (asked.before.is_some(), payments.len() > ROWS);
    if asked.after.is_some() {
        (newer, older) = (payments.len() > ROWS, true);
        if newer {
            payments.remove(0);
        } else {
            payments = state.store.payment_list(owner, &first).await?;
            (is_first, older) = (true, payments.len() > ROWS);
        }
    }
    payments.truncate(ROWS);
    let place = |name: &str, payment: Option<&Payment>| {
        payment.map(|payment| format!("/payments?{name}={}", payment.submission().public_id()))
    };
    page.older = place("before", payments.last().filter(|_| older));
    page.newer = place("after", payments.first().filter(|_| newer));
    page.first = (!is_first).then(|| address(""));
    Ok(payments)
}

/// The store's current state of the payments found, newest first.
async fn from_index(
    state: &WebState,
    viewer: AccountId,
    query: &str,
    found: &SearchPage,
    cursor: Option<Cursor>,
    page: &mut PaymentsPage,
) -> Result<Vec<Payment>, PageError> {
    let backwards = cursor.is_some_and(|cursor| cursor.sort() == Sort::CreatedAsc);
    let mut ids: Vec<_> = found.hits.iter().map(|hit| hit.payment).collect();
    if backwards {
        ids.reverse();
    }
    let mut payments = state.store.payment_get(&ids).await?;
    payments.sort_by_key(|payment| ids.iter().position(|id| *id == payment.id()));
    // The index has filtered by owner already; this is a second safeguard.
    payments.retain(|payment| super::row::accounts_of(payment).any(|account| account == viewer));
    let place = |oldest_first: bool, payment: Option<&Payment>| {
        let payment = payment?;
        let cursor = Cursor::at_created(oldest_first, payment.created_at(), payment.id());
        Some(format!("{}&page={}", address(query), cursor.encode()))
    };
    page.older = place(false, payments.last().filter(|_| backwards || found.next_cursor.is_some()));
    page.newer = place(true, payments.first().filter(|_| cursor.is_some()));
    page.first = cursor.map(|_| address(query));
    Ok(payments)
}

/// The age in seconds of the first batch that is not indexed yet; `None` if the index is level.
async fn lag_s(state: &WebState, now: Timestamp) -> Option<u64> {
    let at = state.store.cursor_get(index::NAME).await.ok()?;
    let next = state.store.journal_read(at, 1).await.ok()?.into_iter().next()?;
    Some(now.micros_since(next.at) / 1_000_000)
}
