//! Checks sums: every stored balance is the sum of its movements, and money in transit is what open payments hold there.

use std::collections::{BTreeMap, HashMap};

use super::open::Sum;
use super::people::People;
use super::report::{Name, Report};
use super::statement::Wanted;
use super::{AuditError, events};
use crate::domain::currency::Currency;
use crate::domain::ledger::{Holdings, LedgerAccount};
use crate::domain::money::Money;
use crate::domain::payment::Payment;
use crate::domain::wallet::WalletId;
use crate::store::{MovementRecord, Snapshot};

/// The sums so far. One entry per wallet that ever moved, and one per currency.
#[derive(Debug, Default)]
pub struct Ledger {
    wallets: HashMap<WalletId, Sums>,
    /// How many lines statements must have.
    pub lines: Wanted,
    /// How many events accounts must have.
    pub events: events::Wanted,
    /// Work that was queued beyond the cursor of open work.
    pub queued: Sum,
    in_transit: BTreeMap<Currency, i128>,
    reserved: BTreeMap<Currency, i128>,
}

/// What a wallet must hold, by its movements and its payments.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    /// Credits less debits of the wallet.
    balance: i128,
    /// Debits less credits of its owner's debt: that is an asset.
    owed: i128,
    /// What has not settled yet.
    pending: i128,
}

impl Ledger {
    /// Adds a stored movement, whether or not it should be there: balances follow what is stored.
    pub fn add(&mut self, movement: &MovementRecord) {
        let movement = &movement.movement;
        let amount = i128::from(movement.amount_minor);
        for (account, change) in [(movement.debit, -amount), (movement.credit, amount)] {
            match account {
                LedgerAccount::Wallet(wallet) => self.wallets.entry(wallet).or_default().balance += change,
                LedgerAccount::Receivable(wallet) => self.wallets.entry(wallet).or_default().owed -= change,
                LedgerAccount::InTransit => *self.in_transit.entry(movement.currency).or_default() += change,
                LedgerAccount::Acquirer | LedgerAccount::Bank | LedgerAccount::Fees => {}
            }
        }
    }

    /// Adds what others have summed up.
    pub fn join(&mut self, other: Self) {
        for (wallet, sums) in other.wallets {
            let so_far = self.wallets.entry(wallet).or_default();
            so_far.balance += sums.balance;
            so_far.owed += sums.owed;
            so_far.pending += sums.pending;
        }
        self.lines.join(other.lines);
        self.events.join(other.events);
        self.queued.join(other.queued);
        for (sums, others) in [(&mut self.in_transit, other.in_transit), (&mut self.reserved, other.reserved)]
        {
            for (currency, sum) in others {
                *sums.entry(currency).or_default() += sum;
            }
        }
    }

    /// The balance of a wallet by its movements so far.
    #[must_use]
    pub fn balance(&self, wallet: WalletId) -> i128 {
        self.wallets.get(&wallet).map_or(0, |sums| sums.balance)
    }

    /// Adds what this payment and its open refunds hold in transit, and what has not settled yet.
    pub fn expect(&mut self, payment: &Payment) {
        let held = payment.in_transit_minor();
        if held != 0 {
            let currency = payment.submission().amount.currency;
            *self.reserved.entry(currency).or_default() += i128::from(held);
        }
        let pending = payment.state().pending_minor;
        if pending != 0 {
            let wallet = payment.submission().own_wallet();
            self.wallets.entry(wallet).or_default().pending += i128::from(pending);
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
            after = Some(last.wallet.to_key().to_vec());
            for row in &page {
                report.counted.wallets += 1;
                self.wallet(row.wallet, row.holdings, report);
                if people.is_some_and(|people| !people.has(row.wallet.owner)) {
                    let wallet = LedgerAccount::Wallet(row.wallet);
                    let text = format!("{}, whose {wallet} it is, does not exist", row.wallet.owner);
                    report.violation(Name::MissingAccount, text);
                }
            }
        }
        // What is left never had a row.
        let mut left: Vec<_> =
            self.wallets.into_iter().map(|(wallet, sums)| (wallet, sums.balance)).collect();
        left.sort_unstable();
        for (wallet, sum) in left {
            let wallet = LedgerAccount::Wallet(wallet);
            report.violation(Name::MissingWallet, format!("{wallet}: its movements sum to {sum}"));
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

    fn wallet(&mut self, wallet: WalletId, stored: Holdings, report: &mut Report) {
        let moved = self.wallets.remove(&wallet);
        let account = LedgerAccount::Wallet(wallet);
        if moved.is_none() && stored == Holdings::default() {
            let text = format!("{account}: it has a row, and nothing ever moved there");
            report.violation(Name::WrongBalance, text);
        }
        let sums = moved.unwrap_or_default();
        let mut compare = |name, what, stored: i64, sum: i128, whose| {
            if i128::from(stored) != sum {
                let stored = Money::new(stored, wallet.currency);
                report.violation(name, format!("{account}: {stored} {what}, {whose} {sum}"));
            }
        };
        compare(Name::WrongBalance, "is stored", stored.balance_minor, sums.balance, "its movements sum to");
        compare(Name::WrongOwed, "is owed", stored.owed_minor, sums.owed, "its movements sum to");
        compare(Name::WrongPending, "is pending", stored.pending_minor, sums.pending, "its payments come to");
        for (minor, what) in [(stored.balance_minor, ""), (stored.owed_minor, " is owed")] {
            if minor < 0 {
                let text = format!("{account}: {}{what}", Money::new(minor, wallet.currency));
                report.violation(Name::NegativeBalance, text);
            }
        }
    }
}
