//! `GET /payments.csv`: payments as a CSV file of any size. Columns are described in docs/csv.md.
//!
//! The file is written page by page as the client takes it, so that memory use does not depend on its length. Without a query it is
//! read from the store alone and is complete. With one, the index finds the payments, and the store supplies their state.

use actix_web::{HttpRequest, web};
use bytes::Bytes;
use futures_util::stream;

use super::format;
use super::forms::Fields;
use super::names;
use super::responses::PageResult;
use super::row::{self, Names};
use crate::domain::card::Card;
use crate::domain::currency::Currency;
use crate::domain::ids::{AccountId, PaymentId};
use crate::domain::money::Money;
use crate::domain::payment::Payment;
use crate::search::request::LIMIT_MAX;
use crate::search::{Cursor, Query, SearchRequest};
use crate::store::PaymentFilter;
use crate::web::csv;
use crate::web::error::ApiError;
use crate::web::security::SignedIn;
use crate::web::state::WebState;

/// The columns, in order.
pub const COLUMNS: [&str; 22] = [
    "id",
    "created",
    "kind",
    "status",
    "amount_minor",
    "amount",
    "currency",
    "amount_received_minor",
    "amount_received",
    "from",
    "to",
    "card_brand",
    "card_last4",
    "decline_code",
    "refunded_minor",
    "refunded",
    "settled",
    "took_ms",
    "received",
    "description",
    "run",
    "metadata",
];

/// `GET /payments.csv?q=…`.
pub async fn show(state: web::Data<WebState>, request: HttpRequest, who: SignedIn) -> PageResult {
    let fields = Fields::of_query(&request);
    let query = Query::parse_as_typed(fields.get("q")).map_err(ApiError::from)?;
    let start = match query.is_everything() {
        true => PageStart::Store(None),
        false => PageStart::Index(query, None),
    };
    let day = format::iso(state.wall.now()).chars().take(10).collect::<String>();
    let mut pages = Pages { state, viewer: who.account, start };
    // Errors must be answered before the file begins.
    let first = pages.next().await?;
    let header = csv::begin(COLUMNS)?;
    let begun = stream::iter([Ok::<Bytes, actix_web::Error>(header)].into_iter().chain(first.map(Ok)));
    // The response has begun: aborting it is the only way left to show that the file is incomplete.
    let rest = stream::try_unfold(pages, async |mut pages| {
        let next = pages.next().await.map_err(actix_web::Error::from)?;
        Ok(next.map(|bytes| (bytes, pages)))
    });
    let body = futures_util::StreamExt::chain(begun, rest);
    Ok(csv::download(&format!("payments-{day}.csv")).streaming(body))
}

/// Where the next page starts.
enum PageStart {
    Store(Option<PaymentId>),
    Index(Query, Option<Cursor>),
    End,
}

struct Pages {
    state: web::Data<WebState>,
    viewer: AccountId,
    start: PageStart,
}

impl Pages {
    /// The next page as CSV; `None` at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        let (payments, start) = match std::mem::replace(&mut self.start, PageStart::End) {
            PageStart::End => return Ok(None),
            PageStart::Store(before) => self.of_store(before).await?,
            PageStart::Index(query, cursor) => self.of_index(query, cursor).await?,
        };
        self.start = start;
        let names = names::names_of(&self.state, &payments).await?;
        csv::encode(payments.iter().map(|payment| record(payment, &names, self.viewer))).map(Some)
    }

    async fn of_store(&self, before: Option<PaymentId>) -> Result<(Vec<Payment>, PageStart), ApiError> {
        let limit = u32::try_from(LIMIT_MAX).unwrap_or(u32::MAX);
        let filter = PaymentFilter { before, received: true, limit, ..PaymentFilter::default() };
        let payments = self.state.store.payment_list(self.viewer, &filter).await?;
        let full = payments.len() >= LIMIT_MAX;
        let last = payments.last().map(Payment::id).filter(|_| full);
        Ok((payments, last.map_or(PageStart::End, |last| PageStart::Store(Some(last)))))
    }

    async fn of_index(
        &self,
        query: Query,
        cursor: Option<Cursor>,
    ) -> Result<(Vec<Payment>, PageStart), ApiError> {
        let request =
            SearchRequest { cursor, limit: LIMIT_MAX, ..SearchRequest::new(self.viewer, query.clone()) };
        let found = self.state.search.find(&request).await?;
        let ids: Vec<PaymentId> = found.hits.iter().map(|hit| hit.payment).collect();
        let mut payments = self.state.store.payment_get(&ids).await?;
        payments.retain(|payment| row::accounts_of(payment).any(|account| account == self.viewer));
        payments.sort_unstable_by_key(|payment| std::cmp::Reverse((payment.created_at(), payment.id())));
        let start = found.next_cursor.map_or(PageStart::End, |cursor| PageStart::Index(query, Some(cursor)));
        Ok((payments, start))
    }
}

/// A payment as its viewer may see it: the payee of a transfer must not see the sender's notes.
fn record(payment: &Payment, names: &Names, viewer: AccountId) -> [String; COLUMNS.len()] {
    let (submission, state) = (payment.submission(), payment.state());
    let own = payment.owner() == viewer;
    let text = |text: &str| csv::guarded(if own { text } else { "" }).into_owned();
    let decimal = |minor: i64, currency: Currency| Money::new(minor, currency).decimal();
    let card = state.card();
    let [from, to] =
        row::end_labels(payment, names).map(|label| csv::guarded(&csv::plain(&label)).into_owned());
    let refunded_minor = if own { payment.refunded_minor() } else { 0 };
    let took = payment.took_us().filter(|_| own);
    let currency = submission.amount.currency;
    [
        submission.public_id(),
        format::iso(payment.created_at()),
        submission.kind.as_str().to_owned(),
        state.status.as_str().to_owned(),
        submission.amount.amount_minor.to_string(),
        submission.amount.decimal(),
        currency.lower(),
        state.received_minor.to_string(),
        decimal(state.received_minor, currency),
        from,
        to,
        card.map_or("", |card| card.brand.as_str()).to_owned(),
        card.map(Card::last4).unwrap_or_default(),
        text(state.decline.map_or("", |reason| reason.decline_code())),
        refunded_minor.to_string(),
        decimal(refunded_minor, currency),
        state.settled_at.filter(|_| own).map(format::iso).unwrap_or_default(),
        took.map(|us| format!("{}.{:03}", us / 1_000, us % 1_000)).unwrap_or_default(),
        (!own).to_string(),
        text(submission.description.as_deref().unwrap_or_default()),
        text(submission.run.as_deref().unwrap_or_default()),
        if own { metadata(&submission.metadata) } else { String::new() },
    ]
}

/// Metadata as a JSON object; an empty text without any.
fn metadata(pairs: &[(String, String)]) -> String {
    if pairs.is_empty() {
        return String::new();
    }
    let object: serde_json::Map<String, serde_json::Value> =
        pairs.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect();
    serde_json::Value::Object(object).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn records_read_well() {
        let names = samples::names();
        let lines: Vec<_> = samples::all()
            .iter()
            .map(|(_, payment)| record(payment, &names, samples::viewer()))
            .chain(samples::all().iter().filter(|(name, _)| *name == "transfer").map(|(_, payment)| {
                // As seen by Ada, the payee.
                record(payment, &names, samples::ada())
            }))
            .collect();
        let bytes = csv::encode(std::iter::once(COLUMNS.map(str::to_owned)).chain(lines)).unwrap();
        insta::assert_snapshot!(String::from_utf8(bytes.to_vec()).unwrap());
    }
}
