//! Sums: every stored balance is the sum of its movements, and money in transit is what open payments hold there.

use std::collections::{BTreeMap, HashMap};

use super::AuditError;
use super::people::People;
use super::report::{Name, Report};
use crate::domain::currency::Currency;
use crate::domain::ledger::LedgerAccount;
use crate::domain::money::Money;
use crate::domain::payment::Payment;
use crate::store::{MovementRecord, Snapshot};

/// The sums so far. One entry per wallet that ever moved, and one per currency.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Credits less debits, of wallets and receivables.
    sums: HashMap<LedgerAccount, i128>,
    in_transit: BTreeMap<Currency, i128>,
    reserved: BTreeMap<Currency, i128>,
}

impl Ledger {
    /// Adds a stored movement, whether or not it should be there: balances follow what is stored.
    pub fn add(&mut self, movement: &MovementRecord) {
        let amount = i128::from(movement.amount_minor);
        for (account, change) in [(movement.debit, -amount), (movement.credit, amount)] {
            match account {
                LedgerAccount::Wallet(_) | LedgerAccount::Receivable(_) => {
                    *self.sums.entry(account).or_default() += change;
                }
                LedgerAccount::InTransit => *self.in_transit.entry(movement.currency).or_default() += change,
                LedgerAccount::Acquirer | LedgerAccount::Bank | LedgerAccount::Fees => {}
            }
        }
    }

    /// Adds what others have summed up.
    pub fn join(&mut self, other: Self) {
        for (account, sum) in other.sums {
            *self.sums.entry(account).or_default() += sum;
        }
        for (sums, others) in [(&mut self.in_transit, other.in_transit), (&mut self.reserved, other.reserved)]
        {
            for (currency, sum) in others {
                *sums.entry(currency).or_default() += sum;
            }
        }
    }

    /// Credits less debits of an account so far.
    #[must_use]
    pub fn sum(&self, account: LedgerAccount) -> i128 {
        self.sums.get(&account).copied().unwrap_or(0)
    }

    /// Adds what this payment and its open refunds hold in transit.
    pub fn expect_in_transit(&mut self, payment: &Payment) {
        let held = payment.in_transit_minor();
        if held != 0 {
            let currency = payment.submission().amount.currency;
            *self.reserved.entry(currency).or_default() += i128::from(held);
        }
    }

    /// Compares with what is stored.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn check(
        mut self,
        snapshot: &mut dyn Snapshot,
        people: Option<&People>,
        limit: u32,
        report: &mut Report,
    ) -> Result<(), AuditError> {
        let mut after = None;
        loop {
            let page = snapshot.wallets(after.take(), limit).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.account.to_key());
            for row in &page {
                report.counted.wallets += 1;
                self.balance(row.account, row.balance_minor, report);
                if people.is_some_and(|people| !people.has(row.wallet.owner)) {
                    let text = format!("{}, whose {} it is, does not exist", row.wallet.owner, row.account);
                    report.violation(Name::MissingAccount, text);
                }
            }
        }
        // What is left never had a row.
        let mut left: Vec<_> = self.sums.into_iter().collect();
        left.sort_unstable();
        for (account, sum) in left {
            report.violation(Name::MissingWallet, format!("{account}: its movements sum to {sum}"));
        }
        let currencies: std::collections::BTreeSet<_> =
            self.in_transit.keys().chain(self.reserved.keys()).collect();
        for currency in currencies {
            let [booked, held] =
                [&self.in_transit, &self.reserved].map(|sums| sums.get(currency).copied().unwrap_or(0));
            if booked != held {
                let text = format!("{currency}: {booked} are booked, open payments and refunds hold {held}");
                report.violation(Name::WrongInTransit, text);
            }
        }
        Ok(())
    }

    fn balance(&mut self, account: LedgerAccount, stored: i64, report: &mut Report) {
        let moved = self.sums.remove(&account);
        if moved.is_none() && stored == 0 {
            let text = format!("{account}: it has a row, and nothing ever moved there");
            report.violation(Name::WrongBalance, text);
        }
        let sum = moved.unwrap_or(0);
        let (currency, sum) = match account {
            LedgerAccount::Wallet(wallet) => (wallet.currency, sum),
            // What a user owes is an asset: debits less credits.
            LedgerAccount::Receivable(wallet) => (wallet.currency, -sum),
            LedgerAccount::InTransit
            | LedgerAccount::Acquirer
            | LedgerAccount::Bank
            | LedgerAccount::Fees => {
                let text = format!("{account} has a stored balance, and must not");
                report.violation(Name::WrongBalance, text);
                return;
            }
        };
        if i128::from(stored) != sum {
            let text =
                format!("{account}: {} is stored, its movements sum to {sum}", Money::new(stored, currency));
            report.violation(Name::WrongBalance, text);
        }
        if stored < 0 {
            report.violation(Name::NegativeBalance, format!("{account}: {}", Money::new(stored, currency)));
        }
    }
}
