//! `/wallets/{currency}`: the movements of one wallet, by the payments behind them, the newest first.

use actix_web::{HttpRequest, web};
use askama::Template;

use super::format;
use super::handle::{self, Fields, PageResult};
use super::layout::{Layout, Nav};
use super::row::{Names, from_label, to_label};
use crate::domain::currency::Currency;
use crate::domain::event::Event;
use crate::domain::ids::PaymentId;
use crate::domain::ledger::{LedgerAccount, WalletId};
use crate::domain::money::Money;
use crate::domain::payment::Payment;
use crate::domain::submission::Kind;
use crate::domain::time::Timestamp;
use crate::store::{MovementRecord, PaymentFilter, StoreResult};
use crate::web::error::ApiError;
use crate::web::security::SignedIn;
use crate::web::state::WebState;

/// Payments looked at together; about as many lines make a page.
const ROWS: u32 = 50;
/// How often a page looks further when none of them moved money in this wallet.
const LOOKS_MAX: usize = 40;

/// One movement as the owner of the wallet sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovementLine {
    /// When, for machines.
    pub at_iso: String,
    /// When, in full.
    pub at_full: String,
    /// When, as an age.
    pub at_ago: String,
    /// When, in milliseconds since the epoch.
    pub at_ms: i64,
    /// Why the money moved.
    pub cause: &'static str,
    /// Where it came from.
    pub from: String,
    /// Where it went.
    pub to: String,
    /// The payment behind it.
    pub href: String,
    /// What came in; empty if it went out.
    pub money_in: String,
    /// What went out; empty if it came in.
    pub money_out: String,
}

/// The lines of one payment's movements in this wallet, the newest first.
#[must_use]
pub fn movement_lines(
    wallet: WalletId,
    movements: &[MovementRecord],
    payment: &Payment,
    names: &Names,
    now: Timestamp,
) -> Vec<MovementLine> {
    let account = LedgerAccount::Wallet(wallet);
    let ours = movements.iter().filter(|record| record.payment == payment.id());
    let touching = ours.filter(|record| record.debit == account || record.credit == account);
    let line = |record: &MovementRecord| {
        let amount = Money::new(record.amount_minor, record.currency).grouped();
        let comes_in = record.credit == account;
        let (cause, from, to) = words(payment, record, names);
        let (money_in, money_out) = if comes_in { (amount, String::new()) } else { (String::new(), amount) };
        MovementLine {
            at_iso: format::iso(record.at),
            at_full: format::absolute(record.at),
            at_ago: format::ago(now, record.at),
            at_ms: record.at.millis(),
            cause,
            from,
            to,
            href: format!("/payments/{}", payment.submission().public_id()),
            money_in,
            money_out,
        }
    };
    let mut lines: Vec<MovementLine> = touching.map(line).collect();
    lines.reverse();
    lines
}

/// What a page of a wallet shows.
#[derive(Default)]
struct Found {
    payments: Vec<Payment>,
    movements: Vec<MovementRecord>,
    /// The payment after which the next page begins, if there may be one.
    last: Option<PaymentId>,
    /// When the oldest payment looked at was made; `None` if there was none.
    back_to: Option<Timestamp>,
}

/// Looks through the owner's payments from the newest on. Movements are found by their payments: an order of their own, by
/// wallet and time, would cost every payment a write in a random place.
async fn find(state: &WebState, wallet: WalletId, before: Option<PaymentId>) -> StoreResult<Found> {
    let mut found = Found::default();
    let mut filter = PaymentFilter { before, received: true, limit: ROWS, ..PaymentFilter::default() };
    for _ in 0..LOOKS_MAX {
        let page = state.store.payment_list(wallet.owner, &filter).await?;
        let whole = page.len() == usize::try_from(ROWS).unwrap_or(usize::MAX);
        filter.before = page.last().map(Payment::id);
        found.back_to = page.last().map(|payment| payment.created_at()).or(found.back_to);
        found.last = filter.before.filter(|_| whole);
        let ours: Vec<Payment> = page
            .into_iter()
            .filter(|payment| payment.submission().amount.currency == wallet.currency)
            .collect();
        let mut ids: Vec<PaymentId> = ours.iter().map(Payment::id).collect();
        ids.sort_unstable();
        found.movements.extend(state.store.movement_list(&ids).await?);
        found.payments.extend(ours);
        if !whole || !found.movements.is_empty() {
            break;
        }
    }
    Ok(found)
}

/// What a page must say beside its movements: what was looked through, unless that is everything.
#[must_use]
fn scope(found: &Found, whole: bool, balance_minor: i64, code: &str) -> Option<String> {
    let some = !found.movements.is_empty();
    let since = |at: Timestamp| format!("payments made since {} UTC", format::minute(at));
    match (found.last.and(found.back_to).map(since), some) {
        (Some(looked), true) => Some(format!(
            "From {looked}. Money that moved for older ones, such as a refund, stands with them, under Older."
        )),
        (Some(looked), false) => {
            Some(format!("Nothing moved in {code} for {looked}. Older ones may have: look under Older."))
        }
        (None, true) if whole => None,
        (None, true) => Some("These are the oldest.".to_owned()),
        (None, false) if !whole => Some(format!("Nothing moved in {code} for payments as old as these.")),
        (None, false) if balance_minor != 0 => {
            Some("The payments behind this balance cannot be read. The System page says more.".to_owned())
        }
        (None, false) => Some(format!("No money has moved in {code} yet.")),
    }
}

/// Why the money moved, from where and to where.
fn words(payment: &Payment, record: &MovementRecord, names: &Names) -> (&'static str, String, String) {
    let (from, to) = (from_label(payment, names), to_label(payment, names));
    let at = usize::try_from(record.version).ok().and_then(|version| version.checked_sub(1));
    let event = at.and_then(|at| payment.history().get(at)).map(|recorded| recorded.event);
    match event {
        Some(Event::RefundQueued { .. }) => ("Refund", to, from),
        Some(Event::RefundFailed { .. }) => ("Refund came back", from, to),
        Some(Event::Declined { .. } | Event::Failed { .. } | Event::Canceled { .. }) => {
            ("Came back", to, from)
        }
        Some(_) | None => {
            let cause = match payment.submission().kind {
                Kind::Charge => "Charge",
                Kind::TopUp => "Added money",
                Kind::Transfer { .. } => "Transfer",
                Kind::Payout { .. } => "Payout",
            };
            (cause, from, to)
        }
    }
}

/// The page.
#[derive(Template)]
#[template(path = "wallet.html")]
pub struct WalletPage {
    /// The frame.
    pub layout: Layout,
    /// The currency's code.
    pub currency: String,
    /// The balance now.
    pub balance: String,
    /// The movements.
    pub lines: Vec<MovementLine>,
    /// What was looked through for them; none where that is everything.
    pub scope: Option<String>,
    /// The page of older ones.
    pub older: Option<String>,
    /// The first page, when this is not it.
    pub first: Option<String>,
}

/// `GET /wallets/{currency}`.
pub async fn show(
    state: web::Data<WebState>,
    request: HttpRequest,
    who: SignedIn,
    code: web::Path<String>,
) -> PageResult {
    let currency: Currency = code.parse().map_err(|_| ApiError::not_found("wallet", &code))?;
    let wallet = WalletId { owner: who.account, currency };
    let fields = Fields::of_query(&request);
    let before: Option<PaymentId> = fields.get("before").parse().ok();
    // Read first, so that whatever the balance holds is among the movements.
    let wallets = state.store.wallet_list(who.account).await?;
    let account = LedgerAccount::Wallet(wallet);
    let balance_minor =
        wallets.iter().find(|held| held.account == account).map_or(0, |held| held.balance_minor);
    let found = find(&state, wallet, before).await?;
    let names = handle::names_of(&state, &found.payments).await?;
    let now = state.wall.now();
    let lines = |payment| movement_lines(wallet, &found.movements, payment, &names, now);
    let mut lines: Vec<MovementLine> = found.payments.iter().flat_map(lines).collect();
    // Found by their payments; a refund or a late answer moved its money later than that.
    lines.sort_by_key(|line| std::cmp::Reverse(line.at_ms));
    let here = format!("/wallets/{}", currency.lower());
    let layout = handle::frame(&state, &who, &format!("{} wallet", currency.code()), Nav::Wallets);
    Ok(handle::ok(&WalletPage {
        layout,
        currency: currency.code().to_owned(),
        balance: Money::new(balance_minor, currency).to_string(),
        lines,
        scope: scope(&found, before.is_none(), balance_minor, currency.code()),
        older: found.last.map(|last| format!("{here}?before={last}")),
        first: before.map(|_| here),
    }))
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn a_page_claims_no_more_than_it_looked_through() {
        let payment = samples::all().remove(1).1;
        let found = |more: bool, moved: bool| Found {
            movements: if moved { samples::movements(&payment) } else { Vec::new() },
            payments: Vec::new(),
            last: more.then(|| payment.id()),
            back_to: Some(samples::START),
        };
        let said = |more, moved, whole, balance| scope(&found(more, moved), whole, balance, "KWD");
        assert_eq!(said(false, true, true, 5), None, "everything is here");
        let nothing = said(false, false, true, 0).expect("said");
        assert_eq!(nothing, "No money has moved in KWD yet.");
        for (more, moved, whole, balance) in [
            (true, false, true, 100),
            (true, false, false, 0),
            (true, true, true, 5),
            (false, false, false, 0),
            (false, false, true, 5),
        ] {
            let text = said(more, moved, whole, balance).expect("said");
            assert!(!text.contains("No money has moved"), "{text}");
            assert_eq!(text.contains("under Older"), more, "{text}");
        }
    }

    #[test]
    fn movements_stand_by_their_payments() {
        let wallet = WalletId { owner: samples::viewer(), currency: Currency::EUR };
        let lines: Vec<MovementLine> = samples::all()
            .into_iter()
            .filter(|(name, _)| ["succeeded", "partly_refunded", "transfer"].contains(name))
            .flat_map(|(_, payment)| {
                let movements = samples::movements(&payment);
                let now = samples::START.plus_ms(70_000);
                movement_lines(wallet, &movements, &payment, &samples::names(), now)
            })
            .collect();
        let text = |line: &MovementLine| {
            let (paid_in, paid_out) = (&line.money_in, &line.money_out);
            format!(
                "{:<12}{:<18}{} → {} | in {paid_in} out {paid_out}",
                line.at_ago, line.cause, line.from, line.to
            )
        };
        insta::assert_snapshot!(lines.iter().map(text).collect::<Vec<_>>().join("\n"));
    }
}
