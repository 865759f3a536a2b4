//! Identities of wallets, and the keys under which the store keeps them.

use arrayvec::ArrayVec;
use serde::{Deserialize, Serialize};

use super::currency::Currency;
use super::ids::AccountId;

/// A user's wallet in one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WalletId {
    /// The account it belongs to.
    pub owner: AccountId,
    /// The currency it holds.
    pub currency: Currency,
}

/// The store's key of a wallet or another ledger account. Kept inline, as a payment needs several.
pub type LedgerKey = ArrayVec<u8, LEDGER_KEY_LEN>;

/// The length of a receivable's key, the longest: a letter, 16 bytes of owner, 3 letters of currency.
const LEDGER_KEY_LEN: usize = 20;

/// The parts concatenated; never longer than the longest key.
pub(super) fn joined<const N: usize>(parts: [&[u8]; N]) -> LedgerKey {
    parts.into_iter().flatten().copied().take(LEDGER_KEY_LEN).collect()
}

impl WalletId {
    /// The store's key: 16 bytes of owner, 3 letters of currency. One column, so that an `IN` list stays cheap.
    #[must_use]
    pub fn to_key(self) -> LedgerKey {
        joined([self.owner.as_bytes(), self.currency.as_bytes()])
    }

    /// Reads [`Self::to_key`] back.
    #[must_use]
    pub fn from_key(key: &[u8]) -> Option<Self> {
        let (owner, currency) = key.split_at_checked(16)?;
        let currency = std::str::from_utf8(currency).ok()?.parse().ok()?;
        Some(Self { owner: AccountId::from_slice(owner)?, currency })
    }
}
