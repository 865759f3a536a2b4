//! `/wallets/{currency}`: the movements of one wallet, newest first, with the balance after each.

use actix_web::{HttpRequest, web};
use askama::Template;

use super::format;
use super::handle::{self, Fields, PageResult};
use super::layout::{Layout, Nav};
use super::row::{Names, from_label, to_label};
use crate::domain::currency::Currency;
use crate::domain::event::Event;
use crate::domain::ids::{PaymentId, base62_decode, base62_encode};
use crate::domain::ledger::{LedgerAccount, WalletId};
use crate::domain::money::Money;
use crate::domain::payment::Payment;
use crate::domain::submission::Kind;
use crate::domain::time::Timestamp;
use crate::store::{MovementPlace, MovementRecord};
use crate::web::error::ApiError;
use crate::web::security::SignedIn;
use crate::web::state::WebState;

/// Movements on a page.
const ROWS: u32 = 50;

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
    /// The balance afterwards.
    pub balance: String,
}

/// Where a page begins, and the balance there, so that every page can count on from the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// After which movement.
    pub movement: MovementPlace,
    /// The balance before that movement, in minor units.
    pub balance_minor: i64,
}

impl Place {
    /// The text that addresses carry.
    #[must_use]
    pub fn encode(&self) -> String {
        let MovementPlace { at, payment, version } = self.movement;
        let id = base62_encode(u128::from_be_bytes(*payment.as_bytes()));
        format!("{}.{id}.{version}.{}", at.micros(), self.balance_minor)
    }

    /// Reads [`Self::encode`] back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let at = Timestamp::from_micros(parts.next()?.parse().ok()?);
        let payment = PaymentId::from_bytes(base62_decode(parts.next()?)?.to_be_bytes());
        let version = parts.next()?.parse().ok()?;
        let balance_minor = parts.next()?.parse().ok()?;
        let movement = MovementPlace { at, payment, version };
        parts.next().is_none().then_some(Self { movement, balance_minor })
    }
}

/// The lines of these movements and the place after the last, counting back from the balance after the first.
#[must_use]
pub fn movement_lines(
    wallet: WalletId,
    movements: &[MovementRecord],
    balance_minor: i64,
    payments: &[Payment],
    names: &Names,
    now: Timestamp,
) -> (Vec<MovementLine>, Option<Place>) {
    let account = LedgerAccount::Wallet(wallet);
    let mut after_minor = balance_minor;
    let mut place = None;
    let mut lines = Vec::with_capacity(movements.len());
    for record in movements {
        let money = |minor: i64| Money::new(minor, record.currency).decimal();
        let comes_in = record.credit == account;
        let payment = payments.iter().find(|payment| payment.id() == record.payment);
        let words = payment.map_or(("moved", String::new(), String::new()), |p| words(p, record, names));
        lines.push(MovementLine {
            at_iso: format::iso(record.at),
            at_full: format::absolute(record.at),
            at_ago: format::ago(now, record.at),
            at_ms: record.at.millis(),
            cause: words.0,
            from: words.1,
            to: words.2,
            href: payment.map(|p| format!("/payments/{}", p.submission().public_id())).unwrap_or_default(),
            money_in: if comes_in { money(record.amount_minor) } else { String::new() },
            money_out: if comes_in { String::new() } else { money(record.amount_minor) },
            balance: money(after_minor),
        });
        let change = if comes_in { record.amount_minor } else { record.amount_minor.saturating_neg() };
        after_minor = after_minor.saturating_sub(change);
        let MovementRecord { at, payment, version, .. } = *record;
        place = Some(Place { movement: MovementPlace { at, payment, version }, balance_minor: after_minor });
    }
    (lines, place)
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
    let from = Place::parse(Fields::of_query(&request).get("before"));
    let found = state.store.wallet_movements(wallet, from.map(|from| from.movement), ROWS + 1).await?;
    let rows = usize::try_from(ROWS).unwrap_or(50);
    let more = found.movements.len() > rows;
    let movements = found.movements.get(..rows).unwrap_or(&found.movements);
    let mut ids: Vec<PaymentId> = movements.iter().map(|movement| movement.payment).collect();
    ids.sort_unstable();
    ids.dedup();
    let payments = state.store.payment_get(&ids).await?;
    let names = handle::names_of(&state, &payments).await?;
    let balance_minor = from.map_or(found.balance_minor, |from| from.balance_minor);
    let (lines, last) = movement_lines(wallet, movements, balance_minor, &payments, &names, Timestamp::now());
    let here = format!("/wallets/{}", currency.lower());
    let layout = handle::frame(&state, &who, &format!("{} wallet", currency.code()), Nav::Wallets);
    Ok(handle::ok(&WalletPage {
        layout,
        currency: currency.code().to_owned(),
        balance: Money::new(found.balance_minor, currency).to_string(),
        lines,
        older: last.filter(|_| more).map(|last| format!("{here}?before={}", last.encode())),
        first: from.map(|_| here),
    }))
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn places_read_back() {
        let movement =
            MovementPlace { at: samples::START, payment: PaymentId::from_bytes([9; 16]), version: 3 };
        let place = Place { movement, balance_minor: -5 };
        assert_eq!(Place::parse(&place.encode()), Some(place));
        for wrong in ["", "1", "1.x.1.1", "1.2.3.4.5", "x.0000000000000000000000.1.1"] {
            assert_eq!(Place::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_balance_counts_back_from_now() {
        let payments: Vec<Payment> = samples::all()
            .into_iter()
            .filter(|(name, _)| ["succeeded", "partly_refunded", "transfer"].contains(name))
            .map(|(_, payment)| payment)
            .collect();
        let mut movements: Vec<_> = payments.iter().flat_map(samples::movements).collect();
        let wallet = WalletId { owner: samples::viewer(), currency: Currency::EUR };
        let account = LedgerAccount::Wallet(wallet);
        movements.retain(|movement| movement.debit == account || movement.credit == account);
        movements
            .sort_by_key(|movement| std::cmp::Reverse((movement.at, movement.payment, movement.version)));
        let change = |record: &MovementRecord| {
            if record.credit == account { record.amount_minor } else { -record.amount_minor }
        };
        let balance: i64 = movements.iter().map(change).sum();
        let (lines, last) = movement_lines(
            wallet,
            &movements,
            balance,
            &payments,
            &samples::names(),
            samples::START.plus_ms(70_000),
        );
        assert_eq!(last.map(|place| place.balance_minor), Some(0), "before the first there was nothing");
        let text = |line: &MovementLine| {
            format!(
                "{:<12}{:<18}{} → {} | in {} out {} | {}",
                line.at_ago, line.cause, line.from, line.to, line.money_in, line.money_out, line.balance
            )
        };
        insta::assert_snapshot!(lines.iter().map(text).collect::<Vec<_>>().join("\n"));
    }
}
