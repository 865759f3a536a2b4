//! What becomes of money that reaches a wallet: the fee is kept back, what the wallet's owner owes is repaid next, and the
//! rest may have to settle before it is available.
//!
//! Decided while the batch runs, on the wallet as it is at that moment, and written into the event: whoever reads the
//! history later, the auditor above all, needs no balance.

use serde::{Deserialize, Serialize};

use super::time::Timestamp;

/// How a credit was split. The default: all of it is in the wallet, and available.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Credit {
    /// Kept back as a fee.
    pub fee_minor: i64,
    /// Taken to repay what was owed.
    pub repaid_minor: i64,
    /// When the rest becomes available; `None`: at once.
    pub available_at: Option<Timestamp>,
    /// When it arrived by the clock of whoever it is credited to, where that is not the payment's: of a transfer between two clocks
    /// each side has its own time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payee_at: Option<Timestamp>,
}

impl Credit {
    /// Whether nothing was taken and nothing waits.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        *self == Self::default()
    }

    /// What stays in the wallet of `gross_minor`.
    #[must_use]
    pub const fn kept_minor(&self, gross_minor: i64) -> i64 {
        gross_minor.saturating_sub(self.fee_minor).saturating_sub(self.repaid_minor)
    }
}

/// Whether an amount that is left out of the stored form is zero.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
pub(super) const fn is_zero(minor: &i64) -> bool {
    *minor == 0
}
