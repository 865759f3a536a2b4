//! The books while a batch is decided: what wallets hold at each moment of it, and the movements so far. Pure.

use std::collections::BTreeSet;

use crate::domain::account::AccountFacts;
use crate::domain::event::Event;
use crate::domain::ids::{AccountId, IdMap};
use crate::domain::ledger::{self, Holdings, LedgerAccount};
use crate::domain::payment::Payment;
use crate::domain::wallet::WalletId;
use crate::store::{BatchWrite, MovementWrite};

/// A wallet's balance would overflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a balance that is too large")]
pub struct TooLarge;

/// Accounts and wallets as they were loaded, and what the batch has done to wallets since.
#[derive(Debug, Default)]
pub struct Books {
    accounts: IdMap<AccountId, AccountFacts>,
    wallets: IdMap<WalletId, Holdings>,
    changed: BTreeSet<WalletId>,
    movements: Vec<MovementWrite>,
}

impl Books {
    /// The books before anything was decided.
    #[must_use]
    pub fn open(accounts: IdMap<AccountId, AccountFacts>, wallets: IdMap<WalletId, Holdings>) -> Self {
        Self { accounts, wallets, ..Self::default() }
    }

    /// What a wallet holds now; nothing if it does not exist yet.
    #[must_use]
    pub fn wallet(&self, id: WalletId) -> Holdings {
        self.wallets.get(&id).copied().unwrap_or_default()
    }

    /// What is known of an account.
    #[must_use]
    pub fn account(&self, id: AccountId) -> AccountFacts {
        self.accounts.get(&id).copied().unwrap_or_default()
    }

    /// Books what an event does to money. `payment` is as it is before the event that makes `version`.
    ///
    /// # Errors
    /// [`TooLarge`]; the batch must not be written then.
    pub fn book(&mut self, payment: &Payment, event: &Event, version: u32) -> Result<(), TooLarge> {
        for (n, movement) in (0..).zip(ledger::effects(payment, event)) {
            for account in [movement.debit, movement.credit] {
                if let LedgerAccount::Wallet(wallet) | LedgerAccount::Receivable(wallet) = account {
                    let held = self.wallet(wallet);
                    let moved = held.moved(account, movement.change_of(account)).ok_or(TooLarge)?;
                    self.keep(wallet, moved);
                }
            }
            let place = u32::try_from(self.movements.len()).unwrap_or(u32::MAX);
            self.movements.push(MovementWrite { payment: payment.id(), version, n, place, movement });
        }
        let change_minor = ledger::pending_change(payment, event);
        if change_minor != 0 {
            let wallet = payment.submission().own_wallet();
            let held = self.wallet(wallet);
            let pending_minor = held.pending_minor.checked_add(change_minor).ok_or(TooLarge)?;
            self.keep(wallet, Holdings { pending_minor, ..held });
        }
        Ok(())
    }

    fn keep(&mut self, wallet: WalletId, held: Holdings) {
        self.wallets.insert(wallet, held);
        self.changed.insert(wallet);
    }

    /// Adds what is to be written, in the order of keys: neighbours share pages.
    pub fn close(mut self, write: &mut BatchWrite) {
        self.movements.sort_unstable_by_key(|movement| (movement.payment, movement.version, movement.n));
        let held = |wallet: &WalletId| (*wallet, self.wallets.get(wallet).copied().unwrap_or_default());
        write.wallets = self.changed.iter().map(held).collect();
        write.movements = self.movements;
    }
}
