//! `/wallets`: what is there, and what is owed.

use std::collections::BTreeMap;

use actix_web::web;
use askama::Template;

use super::handle::{self, PageResult};
use super::layout::{Layout, Nav};
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
    /// The currency's code.
    pub currency: String,
    /// What is there.
    pub balance: String,
    /// What is owed; empty if nothing.
    pub owed: String,
    /// What of the balance has not settled yet; empty if nothing.
    pub pending: String,
    /// What has left it and not arrived yet; empty if nothing.
    pub in_transit: String,
    /// The payments that hold it.
    pub under_way: String,
    /// Its movements.
    pub href: String,
    /// The payments in this currency.
    pub payments: String,
}

/// The wallets of these records, by currency.
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
    /// The wallets.
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
    let layout = handle::frame(&state, &who, "Wallets", Nav::Wallets);
    Ok(handle::ok(&WalletsPage { layout, wallets }))
}

/// What transfers, payouts and refunds under way hold, by currency, as search has it: a figure to look at, not to reckon with.
async fn in_transit(state: &WebState, owner: AccountId) -> BTreeMap<Currency, i64> {
    let Ok(query) = Query::parse("in_transit>0") else { return BTreeMap::new() };
    let request = SearchRequest { limit: 1, sums: true, ..SearchRequest::new(owner, query) };
    let found = state.search.find(&request).await.ok().and_then(|page| page.sums);
    let of_one = |sums: CurrencySums| Some((sums.currency.parse().ok()?, sums.in_transit_minor));
    found.into_iter().flatten().filter_map(of_one).collect()
}
