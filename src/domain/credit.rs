//! Credits: how money that reaches a wallet is split. The fee is kept back, what the owner owes is repaid next, and the rest
//! may have to settle before it is available.
//!
//! Decided while the batch runs, on the wallet as it is then, and written into the event: later readers of the history, the
//! auditor above all, need no balance.

use serde::{Deserialize, Serialize};

use super::time::Timestamp;

/// How a credit was split. By default all of it is in the wallet and available.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Credit {
    /// Kept back as a fee, in minor units.
    pub fee_minor: i64,
    /// Taken to repay what was owed, in minor units.
    pub repaid_minor: i64,
    /// When the rest becomes available; `None` means at once.
    pub available_at: Option<Timestamp>,
    /// When it arrived, by the receiving account's clock, where that is not the payment's: a transfer between two clocks has a
    /// time on each side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payee_at: Option<Timestamp>,
}

impl Credit {
    /// Whether nothing was taken and nothing is pending.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        *self == Self::default()
    }

    /// The part of `gross_minor` that stays in the wallet, in minor units.
    #[must_use]
    pub const fn kept_minor(&self, gross_minor: i64) -> i64 {
        gross_minor.saturating_sub(self.fee_minor).saturating_sub(self.repaid_minor)
    }
}

/// Whether an amount is zero, and so left out of the stored form.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
pub(super) const fn is_zero(minor: &i64) -> bool {
    *minor == 0
}
