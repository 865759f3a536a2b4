//! What decisions look at of an account: what it was created with, and whether it is closed.

use serde::{Deserialize, Serialize};

use super::country::Country;
use super::currency::Currency;
use super::ids::ClockId;
use super::time::Timestamp;

/// Microseconds of a day.
const DAY_US: i64 = 24 * 3_600 * 1_000_000;

/// What is kept back of each charge: a share of it, and a fixed amount in minor units of its currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FeePlan {
    /// The share, in hundredths of a percent.
    pub basis_points: u16,
    /// The fixed amount.
    pub fixed_minor: i64,
}

impl FeePlan {
    /// The largest share: all of it.
    pub const BASIS_POINTS_MAX: u16 = 10_000;
    /// The largest fixed amount.
    pub const FIXED_MINOR_MAX: i64 = 1_000_000;

    /// The fee on a charge of this much: rounded to the nearest minor unit, halves up, and never more than the charge.
    #[must_use]
    pub fn fee_minor(self, gross_minor: i64) -> i64 {
        let whole = i128::from(Self::BASIS_POINTS_MAX);
        let share = (i128::from(gross_minor) * i128::from(self.basis_points) + whole / 2) / whole;
        let fee = share + i128::from(self.fixed_minor);
        i64::try_from(fee).unwrap_or(gross_minor).clamp(0, gross_minor.max(0))
    }
}

/// The longest that charges may take to become available, in days.
pub const PAYOUT_DELAY_DAYS_MAX: u16 = 365;

/// What an account is created with, and keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountTerms {
    /// Where it is at home.
    pub country: Country,
    /// The currency of what is said of it without one.
    pub currency: Currency,
    /// What is kept back of its charges.
    pub fee: FeePlan,
    /// How many days its charges take to become available; zero: at once.
    pub payout_delay_days: u16,
    /// A load run's own account: it has no statement and no events.
    pub lean: bool,
}

impl Default for AccountTerms {
    /// The plainest: in the euro area, nothing is kept back, everything is available at once.
    fn default() -> Self {
        Self {
            country: Country::in_table("IE"),
            currency: Currency::EUR,
            fee: FeePlan::default(),
            payout_delay_days: 0,
            lean: false,
        }
    }
}

impl AccountTerms {
    /// When a charge that succeeds at this time becomes available: at the beginning of a day (UTC). `None`: at once.
    #[must_use]
    pub fn available_at(&self, at: Timestamp) -> Option<Timestamp> {
        let day = at.micros().div_euclid(DAY_US).saturating_add(i64::from(self.payout_delay_days));
        (self.payout_delay_days > 0).then(|| Timestamp::from_micros(day.saturating_mul(DAY_US)))
    }
}

/// What the line knows of an account while it decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AccountFacts {
    /// Whether it is closed: no money of anybody else's reaches it any more.
    pub closed: bool,
    /// What it was created with.
    pub terms: AccountTerms,
    /// The clock that what it makes goes by, unless a customer says otherwise.
    pub clock: ClockId,
}
