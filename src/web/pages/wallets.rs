//! `/wallets`: the account's wallets, with what each holds and owes.

use std::collections::BTreeMap;

use actix_web::web;
use askama::Template;

use super::frame;
use super::layout::{Layout, Nav};
use super::responses::{self, PageResult};
use crate::domain::currency::Currency;
use crate::domain::ids::AccountId;
use crate::domain::money::Money;
use crate::search::{CurrencySums, Query, SearchRequest};
use crate::store::WalletRecord;
use crate::web::security::SignedIn;
use crate::web::state::WebState;

/// A wallet in one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalletLine {
    /// The currency's code, upper-case.
    pub currency: String,
    /// The balance with symbol and code.
    pub balance: String,
    /// The debt; empty if there is none.
    pub owed: String,
    /// The part of the balance that has not settled yet; empty if there is none.
    pub pending: String,
    /// The money that has left it and not arrived yet; empty if there is none.
    pub in_transit: String,
    /// The address of the payments behind `in_transit`.
    pub under_way: String,
    /// The address of its movements.
    pub href: String,
    /// The address of the payments in this currency.
    pub payments: String,
}

/// The wallets of these records, in their order.
#[must_use]
pub fn wallet_lines(records: &[WalletRecord]) -> Vec<WalletLine> {
    let line = |record: &WalletRecord| {
        let (currency, held) = (record.wallet.currency, record.holdings);
        let unless_zero = |minor: i64| match minor {
            0 => String::new(),
            minor => Money::new(minor, currency).to_string(),
        };
        WalletLine {
            currency: currency.code().to_owned(),
            balance: Money::new(held.balance_minor, currency).to_string(),
            owed: unless_zero(held.owed_minor),
            pending: unless_zero(held.pending_minor),
            in_transit: String::new(),
            under_way: super::payments::address(&format!("in_transit>0 currency:\"{}\"", currency.lower())),
            href: format!("/wallets/{}", currency.lower()),
            payments: super::payments::address(&format!("currency:\"{}\"", currency.lower())),
        }
    };
    records.iter().map(line).collect()
}

/// The page.
#[derive(Template)]
#[template(path = "wallets.html")]
pub struct WalletsPage {
    /// The frame.
    pub layout: Layout,
    /// One per currency.
    pub wallets: Vec<WalletLine>,
}

/// `GET /wallets`.
pub async fn show(state: web::Data<WebState>, who: SignedIn) -> PageResult {
    let records = state.store.wallet_list(who.account).await?;
    let mut wallets = wallet_lines(&records);
    for (currency, minor) in in_transit(&state, who.account).await {
        for wallet in wallets.iter_mut().filter(|wallet| wallet.currency == currency.code()) {
            wallet.in_transit = Money::new(minor, currency).to_string();
        }
    }
    let layout = frame::frame(&state, &who, "Wallets", Nav::Wallets);
    Ok(responses::ok(&WalletsPage { layout, wallets }))
}

/// The money in transit in transfers, payouts and refunds, by currency. It comes from the search index: good for display, not for
/// accounting.
async fn in_transit(state: &WebState, owner: AccountId) -> BTreeMap<Currency, i64> {
    let Ok(query) = Query::parse("in_transit>0") else { return BTreeMap::new() };
    let request = SearchRequest { limit: 1, sums: true, ..SearchRequest::new(owner, query) };
    let found = state.search.find(&request).await.ok().and_then(|page| page.sums);
    let of_one = |sums: CurrencySums| Some((sums.currency.parse().ok()?, sums.in_transit_minor));
    found.into_iter().flatten().filter_map(of_one).collect()
}
