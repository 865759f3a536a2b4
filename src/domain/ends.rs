//! The two ends of a payment: where its money comes from, and where it goes. Everything that shows them takes them from here. Pure.

use super::bank_account::BankAccount;
use super::card::Card;
use super::ids::AccountId;
use super::payment::Payment;
use super::submission::Kind;

/// One end of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The wallet of an account.
    Account(AccountId),
    /// A card; `None` while none is known.
    Card(Option<Card>),
    /// A bank account.
    Bank(BankAccount),
}

/// Where the money of a payment comes from, and where it goes.
#[must_use]
pub fn ends(payment: &Payment) -> [End; 2] {
    let own = End::Account(payment.owner());
    match payment.submission().kind {
        Kind::Charge | Kind::TopUp => [End::Card(payment.state().card().copied()), own],
        Kind::Transfer { payee } => [own, End::Account(payee)],
        Kind::Payout { bank } => [own, End::Bank(bank)],
    }
}

impl End {
    /// The account, if it is one.
    #[must_use]
    pub const fn account(&self) -> Option<AccountId> {
        match self {
            Self::Account(account) => Some(*account),
            Self::Card(_) | Self::Bank(_) => None,
        }
    }

    /// In a few words; `name` gives an account's name.
    #[must_use]
    pub fn label<T: From<String>>(&self, name: impl FnOnce(AccountId) -> T) -> T {
        match self {
            Self::Account(account) => name(*account),
            Self::Card(None) => "No card yet".to_owned().into(),
            Self::Card(Some(card)) => card.label().into(),
            Self::Bank(bank) => bank.label().into(),
        }
    }
}
