//! A wallet's statement, as a page and as a CSV file: its lines in the order of movement, each with the balance after it. Accounts
//! without statements have the page of [`super::wallet`] instead.

use std::collections::HashMap;

use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use futures_util::stream;

use super::format;
use super::movement_line::MovementLine;
use super::names;
use super::responses::PageResult;
use super::row::{Names, end_labels};
use crate::domain::currency::Currency;
use crate::domain::ids::PaymentId;
use crate::domain::money::Money;
use crate::domain::payment::Payment;
use crate::domain::statement::{self, LineKind, LinePlace, Side, StatementLine};
use crate::domain::time::Timestamp;
use crate::domain::wallet::WalletId;
use crate::store::StatementFilter;
use crate::web::api::objects::BalanceTransaction;
use crate::web::csv;
use crate::web::error::ApiError;
use crate::web::projected::{self, Freshness};
use crate::web::security::SignedIn;
use crate::web::state::WebState;

/// Lines per page.
const ROWS: u32 = 50;
/// Lines read at once for the file.
const ROWS_OF_FILE: u32 = 500;

/// The columns of the file, in order.
const COLUMNS: [&str; 17] = [
    "id",
    "created",
    "type",
    "source",
    "gross_minor",
    "gross",
    "fee_minor",
    "fee",
    "net_minor",
    "net",
    "currency",
    "balance_minor",
    "balance",
    "available_on",
    "from",
    "to",
    "description",
];

/// A page of a statement.
pub struct Found {
    /// The lines, newest first.
    pub lines: Vec<MovementLine>,
    /// The position after which the next older page begins, if there is one.
    pub older: Option<String>,
    /// Whether the newest lines may be missing.
    pub behind: bool,
}

/// A line's position as it is written in an address.
fn name_of(place: LinePlace) -> String {
    format!("{}.{}", place.seq, place.place)
}

/// The position written in an address.
pub fn place_of(name: &str) -> Option<LinePlace> {
    let (seq, place) = name.split_once('.')?;
    Some(LinePlace { seq: seq.parse().ok()?, place: place.parse().ok()? })
}

/// The lines of a wallet before a position, or the newest.
///
/// # Errors
/// The store's.
pub async fn find(state: &WebState, wallet: WalletId, before: Option<LinePlace>) -> Result<Found, ApiError> {
    let freshness = projected::caught_up(state.store.as_ref(), statement::READER).await?;
    let limit = ROWS.saturating_add(1);
    let filter = StatementFilter { before, limit, ..StatementFilter::default() };
    let mut lines = state.store.statement_list(wallet, &filter).await?;
    let more = lines.len() > usize::try_from(ROWS).unwrap_or(usize::MAX);
    lines.truncate(usize::try_from(ROWS).unwrap_or(usize::MAX));
    let (payments, names) = behind_lines(state, &lines).await?;
    let now = state.wall.now();
    let shown = |line: &StatementLine| shown(line, payments.get(&line.id.payment), &names, now);
    Ok(Found {
        older: lines.last().filter(|_| more).map(|last| name_of(last.place)),
        lines: lines.iter().map(shown).collect(),
        behind: freshness == Freshness::Behind,
    })
}

/// The payments behind these lines, and the names of the accounts in them.
async fn behind_lines(
    state: &WebState,
    lines: &[StatementLine],
) -> Result<(HashMap<PaymentId, Payment>, Names), ApiError> {
    let mut ids: Vec<PaymentId> = lines.iter().map(|line| line.id.payment).collect();
    ids.sort_unstable();
    ids.dedup();
    let payments = state.store.payment_get(&ids).await?;
    let names = names::names_of(state, &payments).await?;
    Ok((payments.into_iter().map(|payment| (payment.id(), payment)).collect(), names))
}

/// The source and destination of a line's money, in words.
fn way(line: &StatementLine, payment: Option<&Payment>, names: &Names) -> (String, String) {
    let Some(payment) = payment else { return (String::new(), String::new()) };
    let [from, to] = end_labels(payment, names);
    match line.kind {
        LineKind::Refund
        | LineKind::Dispute
        | LineKind::TransferFailure
        | LineKind::TransferCancel
        | LineKind::PayoutFailure
        | LineKind::PayoutCancel => (to, from),
        LineKind::Charge
        | LineKind::Payment
        | LineKind::TopUp
        | LineKind::Transfer
        | LineKind::Payout
        | LineKind::RefundFailure
        | LineKind::DisputeReversal => (from, to),
    }
}

/// A line as the owner of the wallet sees it.
#[must_use]
pub fn shown(line: &StatementLine, payment: Option<&Payment>, names: &Names, now: Timestamp) -> MovementLine {
    let money = |minor: i64| Money::new(minor, line.wallet.currency).grouped();
    let unless_zero = |minor: i64| if minor == 0 { String::new() } else { money(minor) };
    let (from, to) = way(line, payment, names);
    let href =
        payment.map_or_else(String::new, |payment| format!("/payments/{}", payment.submission().public_id()));
    MovementLine {
        at_iso: format::iso(line.at),
        at_full: format::absolute(line.at),
        at_ago: format::ago(now, line.at),
        at_ms: line.at.millis(),
        cause: line.kind.words(),
        from,
        to,
        href,
        money_in: unless_zero(line.gross_minor.max(0)),
        money_out: unless_zero(line.gross_minor.min(0).saturating_neg()),
        fee: unless_zero(line.fee_minor),
        available: if line.available_at > now { format::day(line.available_at) } else { String::new() },
        balance: money(line.balance_minor),
    }
}

/// `GET /wallets/{currency}.csv`.
pub async fn download(
    state: web::Data<WebState>,
    _request: HttpRequest,
    who: SignedIn,
    code: web::Path<String>,
) -> PageResult {
    let currency: Currency = code.parse().map_err(|_| ApiError::not_found("wallet", &code))?;
    let wallet = WalletId { owner: who.account, currency };
    let freshness = projected::caught_up(state.store.as_ref(), statement::READER).await?;
    let day = format::iso(state.wall.now()).chars().take(10).collect::<String>();
    let mut pages = Pages { state, wallet, before: None, ended: false };
    // Errors must be answered before the file begins.
    let first = pages.next().await?;
    let begun = [Ok::<Bytes, actix_web::Error>(csv::begin(COLUMNS)?)].into_iter().chain(first.map(Ok));
    // The response has begun: aborting it is the only way left to show that the file is incomplete.
    let rest = stream::try_unfold(pages, async |mut pages| {
        let next = pages.next().await.map_err(actix_web::Error::from)?;
        Ok(next.map(|bytes| (bytes, pages)))
    });
    let body = futures_util::StreamExt::chain(stream::iter(begun), rest);
    let mut response = csv::download(&format!("statement-{}-{day}.csv", currency.lower()));
    freshness.tell(&mut response);
    Ok::<HttpResponse, _>(response.streaming(body))
}

/// A statement read page by page as the client takes it, newest first.
struct Pages {
    state: web::Data<WebState>,
    wallet: WalletId,
    before: Option<LinePlace>,
    ended: bool,
}

impl Pages {
    /// The next page as CSV; `None` at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, ApiError> {
        if self.ended {
            return Ok(None);
        }
        let filter =
            StatementFilter { before: self.before, limit: ROWS_OF_FILE, ..StatementFilter::default() };
        let lines = self.state.store.statement_list(self.wallet, &filter).await?;
        self.ended = lines.len() < usize::try_from(ROWS_OF_FILE).unwrap_or(usize::MAX);
        self.before = lines.last().map(|line| line.place).or(self.before);
        let (payments, names) = behind_lines(&self.state, &lines).await?;
        csv::encode(lines.iter().map(|line| record(line, payments.get(&line.id.payment), &names))).map(Some)
    }
}

fn record(line: &StatementLine, payment: Option<&Payment>, names: &Names) -> [String; COLUMNS.len()] {
    let decimal = |minor: i64| Money::new(minor, line.wallet.currency).decimal();
    let (from, to) = way(line, payment, names);
    // The payee of a transfer must not see the sender's notes.
    let own = payment.filter(|_| line.id.side == Side::Submitter);
    let description = own.and_then(|payment| payment.submission().description.as_deref());
    let label = |text: &str| csv::guarded(&csv::plain(text)).into_owned();
    [
        line.id.to_string(),
        format::iso(line.at),
        line.kind.dialect().to_owned(),
        BalanceTransaction::source_of(line),
        line.gross_minor.to_string(),
        decimal(line.gross_minor),
        line.fee_minor.to_string(),
        decimal(line.fee_minor),
        line.net_minor().to_string(),
        decimal(line.net_minor()),
        line.wallet.currency.lower(),
        line.balance_minor.to_string(),
        decimal(line.balance_minor),
        format::iso(line.available_at),
        label(&from),
        label(&to),
        csv::guarded(description.unwrap_or_default()).into_owned(),
    ]
}
