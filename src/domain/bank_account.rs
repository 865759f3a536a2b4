//! The test bank accounts that payouts go to.

use serde::{Deserialize, Serialize};

/// A test bank account that payouts can go to. The list is closed, like the list of test cards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BankAccount {
    /// `000123456789`: credited.
    #[serde(rename = "ok")]
    Valid,
    /// `000111111113`: the account is closed; the payout is returned.
    #[serde(rename = "closed")]
    Closed,
}

impl BankAccount {
    /// Every account with its number.
    pub const ALL: [(Self, &'static str); 2] =
        [(Self::Valid, "000123456789"), (Self::Closed, "000111111113")];

    /// The account with this number.
    #[must_use]
    pub fn by_number(number: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, known)| *known == number).map(|(account, _)| account)
    }

    /// The last four digits; no more is ever shown.
    #[must_use]
    pub const fn last4(self) -> &'static str {
        match self {
            Self::Valid => "6789",
            Self::Closed => "1113",
        }
    }

    /// `Bank •••• 6789`.
    #[must_use]
    pub fn label(self) -> String {
        format!("Bank •••• {}", self.last4())
    }
}
