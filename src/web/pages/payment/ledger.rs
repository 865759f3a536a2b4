//! The ledger movements of a payment in two columns with equal totals. Pure.

use super::super::format;
use super::super::row::Names;
use crate::domain::ledger::LedgerAccount;
use crate::domain::money::Money;
use crate::domain::time::Timestamp;
use crate::domain::wallet::WalletId;
use crate::store::MovementRecord;

/// One side of one movement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerLine {
    /// The account in words.
    pub account: String,
    /// The amount debited, empty on the credit side.
    pub debit: String,
    /// The amount credited, empty on the debit side.
    pub credit: String,
    /// The event that caused it; only on the first line of an event.
    pub cause: String,
    /// The time of the event, in full.
    pub at_full: String,
}

/// The table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerTable {
    /// Two lines per movement.
    pub lines: Vec<LedgerLine>,
    /// The total of each column, without symbol.
    pub total_debit: String,
    /// Equal to `total_debit`.
    pub total_credit: String,
    /// The code of the one currency of all amounts.
    pub currency: String,
}

/// The table of these movements, `None` without any. `cause` names the event of a version, and its time.
#[must_use]
pub fn ledger_table(
    movements: &[MovementRecord],
    cause: impl Fn(u32) -> (&'static str, Timestamp),
    names: &Names,
) -> Option<LedgerTable> {
    let currency = movements.first()?.movement.currency;
    let total_minor = movements.iter().map(|record| record.movement.amount_minor).sum();
    let lines = movements.iter().flat_map(|record| {
        let movement = record.movement;
        let amount = Money::new(movement.amount_minor, movement.currency).grouped();
        // An event that moved money more than once is named once.
        let (name, at) = cause(record.version);
        let name = if record.n == 0 { name.replace('_', " ") } else { String::new() };
        let line = |account, debit: &str, credit: &str, cause: &str| LedgerLine {
            account: account_label(account, names),
            debit: debit.to_owned(),
            credit: credit.to_owned(),
            cause: cause.to_owned(),
            at_full: format::absolute(at),
        };
        [line(movement.debit, &amount, "", &name), line(movement.credit, "", &amount, "")]
    });
    let total = Money::new(total_minor, currency).grouped();
    Some(LedgerTable {
        lines: lines.collect(),
        total_credit: total.clone(),
        total_debit: total,
        currency: currency.code().to_owned(),
    })
}

fn account_label(account: LedgerAccount, names: &Names) -> String {
    let wallet =
        |wallet: WalletId, what: &str| format!("{}'s {} {what}", names.get(wallet.owner), wallet.currency);
    match account {
        LedgerAccount::Wallet(id) => wallet(id, "wallet"),
        LedgerAccount::Receivable(id) => wallet(id, "debt"),
        LedgerAccount::InTransit => "In transit".to_owned(),
        LedgerAccount::Acquirer => "Card acquirer".to_owned(),
        LedgerAccount::Bank => "Bank".to_owned(),
        LedgerAccount::Fees => "Fees".to_owned(),
    }
}
