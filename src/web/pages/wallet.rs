//! `/wallets/{currency}`: the movements of one wallet, newest first. Most accounts have a statement (`super::statement`); for a lean
//! account, movements are found through the payments behind them.

use actix_web::{HttpRequest, web};
use askama::Template;

use super::format;
use super::forms::Fields;
use super::frame;
use super::layout::{Layout, Nav};
use super::movement_line::MovementLine;
use super::names;
use super::responses::{self, PageResult};
use super::row::{Names, end_labels};
use super::statement;
use crate::domain::currency::Currency;
use crate::domain::event::Event;
use crate::domain::ids::PaymentId;
use crate::domain::ledger::{Holdings, LedgerAccount};
use crate::domain::money::Money;
use crate::domain::payment::Payment;
use crate::domain::submission::Kind;
use crate::domain::time::Timestamp;
use crate::domain::wallet::WalletId;
use crate::store::{MovementRecord, PaymentFilter, StoreResult};
use crate::web::error::ApiError;
use crate::web::security::SignedIn;
use crate::web::state::WebState;

/// Payments read at once; a page has about as many lines.
const ROWS: u32 = 50;
/// The maximum number of reads for one page while none finds a movement in this wallet.
const LOOKS_MAX: usize = 40;

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
    let touching = ours.filter(|record| record.movement.change_of(account) != 0);
    let line = |record: &MovementRecord| {
        let amount = Money::new(record.movement.amount_minor, record.movement.currency).grouped();
        let comes_in = record.movement.credit == account;
        let at = happened(payment, record.version);
        let (cause, from, to) = words(payment, record, names);
        let (money_in, money_out) = if comes_in { (amount, String::new()) } else { (String::new(), amount) };
        MovementLine {
            at_iso: format::iso(at),
            at_full: format::absolute(at),
            at_ago: format::ago(now, at),
            at_ms: at.millis(),
            cause,
            from,
            to,
            href: format!("/payments/{}", payment.submission().public_id()),
            money_in,
            money_out,
            fee: String::new(),
            available: String::new(),
            balance: String::new(),
        }
    };
    let mut lines: Vec<MovementLine> = touching.map(line).collect();
    lines.reverse();
    lines
}

/// When the payment reached a version.
fn happened(payment: &Payment, version: u32) -> Timestamp {
    let place = usize::try_from(version.saturating_sub(1)).unwrap_or(usize::MAX);
    payment.history().get(place).map_or(payment.state().updated_at, |recorded| recorded.at)
}

/// The payments and movements of one page.
#[derive(Default)]
struct Found {
    payments: Vec<Payment>,
    movements: Vec<MovementRecord>,
    /// The payment after which the next page begins, if there may be one.
    last: Option<PaymentId>,
    /// When the oldest payment read was created; `None` if there was none.
    back_to: Option<Timestamp>,
}

/// Reads the owner's payments, newest first, and finds movements through them: an index of movements by wallet and time would cost
/// every payment a write in a random place.
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

/// The note beside the movements: which payments were searched, or why there are none; `None` if everything is shown.
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

/// The cause of a movement, its source and its destination, in words.
fn words(payment: &Payment, record: &MovementRecord, names: &Names) -> (&'static str, String, String) {
    let [from, to] = end_labels(payment, names);
    let at = usize::try_from(record.version).ok().and_then(|version| version.checked_sub(1));
    let event = at.and_then(|at| payment.history().get(at)).map(|recorded| recorded.event);
    match event {
        Some(Event::RefundQueued { .. }) => ("Refund", to, from),
        Some(Event::RefundFailed { .. }) => ("Refund came back", from, to),
        Some(Event::DisputeOpened { .. } | Event::DisputeEscalated { .. }) => ("Dispute", to, from),
        Some(Event::DisputeClosed { .. }) => ("Dispute won", from, to),
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
    /// The currency's code, upper-case.
    pub currency: String,
    /// The balance with symbol and code.
    pub balance: String,
    /// The debt; empty if there is none.
    pub owed: String,
    /// The part of the balance that has not settled yet; empty if there is none.
    pub pending: String,
    /// Whether the lines are a statement's, each with the balance after it.
    pub statement: bool,
    /// Whether any line has a fee.
    pub fees: bool,
    /// Whether the newest lines may be missing.
    pub behind: bool,
    /// The movements, newest first.
    pub lines: Vec<MovementLine>,
    /// Which payments were searched for them, or why there are none; `None` if everything is shown.
    pub scope: Option<String>,
    /// The address of the next older page, if there is one.
    pub older: Option<String>,
    /// The address of the first page; `None` on the first page.
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
    // The balance is read first, so that the movements include everything in it.
    let wallets = state.store.wallet_list(who.account).await?;
    let held = wallets.iter().find(|held| held.wallet == wallet);
    let held = held.map_or_else(Holdings::default, |held| held.holdings);
    let here = format!("/wallets/{}", currency.lower());
    let profile = state.accounts.directory().get(who.account).await?;
    let lean = profile.is_some_and(|profile| profile.lean);
    let unless_zero = |minor: i64| match minor {
        0 => String::new(),
        minor => Money::new(minor, currency).to_string(),
    };
    let mut page = WalletPage {
        layout: frame::frame(&state, &who, &format!("{} wallet", currency.code()), Nav::Wallets),
        currency: currency.code().to_owned(),
        balance: Money::new(held.balance_minor, currency).to_string(),
        owed: unless_zero(held.owed_minor),
        pending: unless_zero(held.pending_minor),
        statement: !lean,
        fees: false,
        behind: false,
        lines: Vec::new(),
        scope: None,
        older: None,
        first: Some(here.clone()).filter(|_| !fields.get("before").is_empty()),
    };
    if lean {
        by_payments(&state, wallet, &fields, held.balance_minor, &mut page).await?;
    } else {
        let found = statement::find(&state, wallet, statement::place_of(fields.get("before"))).await?;
        page.fees = found.lines.iter().any(|line| !line.fee.is_empty());
        page.behind = found.behind;
        page.older = found.older.map(|older| format!("{here}?before={older}"));
        page.scope = found
            .lines
            .is_empty()
            .then(|| format!("No money has moved in {} yet.", currency.code()))
            .filter(|_| page.first.is_none() && !found.behind);
        page.lines = found.lines;
    }
    Ok(responses::ok(&page))
}

/// Fills the page of an account without statements.
async fn by_payments(
    state: &WebState,
    wallet: WalletId,
    fields: &Fields,
    balance_minor: i64,
    page: &mut WalletPage,
) -> Result<(), ApiError> {
    let before: Option<PaymentId> = fields.get("before").parse().ok();
    let found = find(state, wallet, before).await?;
    let names = names::names_of(state, &found.payments).await?;
    let now = state.wall.now();
    let lines = |payment| movement_lines(wallet, &found.movements, payment, &names, now);
    page.lines = found.payments.iter().flat_map(lines).collect();
    // They come in the order of their payments, but a refund or a late answer moves money later.
    page.lines.sort_by_key(|line| std::cmp::Reverse(line.at_ms));
    page.scope = scope(&found, before.is_none(), balance_minor, wallet.currency.code());
    page.older = found.last.map(|last| format!("/wallets/{}?before={last}", wallet.currency.lower()));
    Ok(())
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
        let note = |more, moved, whole, balance| scope(&found(more, moved), whole, balance, "KWD");
        assert_eq!(note(false, true, true, 5), None, "everything is here");
        let nothing = note(false, false, true, 0).expect("said");
        assert_eq!(nothing, "No money has moved in KWD yet.");
        for (more, moved, whole, balance) in [
            (true, false, true, 100),
            (true, false, false, 0),
            (true, true, true, 5),
            (false, false, false, 0),
            (false, false, true, 5),
        ] {
            let text = note(more, moved, whole, balance).expect("said");
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
