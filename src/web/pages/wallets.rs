//! `/wallets`: what is there, and what is owed.

use actix_web::web;
use askama::Template;

use super::handle::{self, PageResult};
use super::layout::{Layout, Nav};
use crate::domain::ledger::LedgerAccount;
use crate::domain::money::Money;
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
    /// The payments in this currency.
    pub href: String,
}

/// The wallets of these records, by currency.
#[must_use]
pub fn wallet_lines(records: &[WalletRecord]) -> Vec<WalletLine> {
    let mut lines: std::collections::BTreeMap<_, (i64, i64)> = std::collections::BTreeMap::new();
    for record in records {
        let (balance, owed) = lines.entry(record.wallet.currency).or_default();
        match record.account {
            LedgerAccount::Receivable(_) => *owed += record.balance_minor,
            LedgerAccount::Wallet(_) => *balance += record.balance_minor,
            LedgerAccount::InTransit
            | LedgerAccount::Acquirer
            | LedgerAccount::Bank
            | LedgerAccount::Fees => {}
        }
    }
    let line = |(currency, (balance, owed)): (crate::domain::currency::Currency, (i64, i64))| WalletLine {
        currency: currency.code().to_owned(),
        balance: Money::new(balance, currency).to_string(),
        owed: if owed == 0 { String::new() } else { Money::new(owed.saturating_abs(), currency).to_string() },
        href: super::payments::address(&format!("currency:\"{}\"", currency.lower())),
    };
    lines.into_iter().map(line).collect()
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
    let layout = handle::frame(&state, &who, "Wallets", Nav::Wallets);
    Ok(handle::ok(&WalletsPage { layout, wallets: wallet_lines(&records) }))
}
