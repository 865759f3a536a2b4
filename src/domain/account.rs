//! The facts of an account that decisions depend on: what it was created with, and whether it is closed.

use serde::{Deserialize, Serialize};

use super::country::Country;
use super::currency::Currency;
use super::ids::ClockId;
use super::scenario_revision::ScenarioRevision;
use super::time::Timestamp;

const DAY_US: i64 = 24 * 3_600 * 1_000_000;

/// The fee kept back from each charge: a share of it, and a fixed amount in minor units of its currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FeePlan {
    /// The share, in hundredths of a percent; at most [`Self::BASIS_POINTS_MAX`].
    pub basis_points: u16,
    /// The fixed amount; at most [`Self::FIXED_MINOR_MAX`].
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

/// What an account is created with; never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountTerms {
    /// Its home country.
    pub country: Country,
    /// Its default currency, where none is given.
    pub currency: Currency,
    /// The fee on its charges.
    pub fee: FeePlan,
    /// The days its charges take to become available; zero means at once.
    pub payout_delay_days: u16,
    /// Whether it is a load run's own account, which has no statement and no events.
    pub lean: bool,
}

impl Default for AccountTerms {
    /// The plainest account: in the euro area, without fees, everything available at once.
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
    /// When a charge that succeeds at this time becomes available: at the beginning of a day (UTC). `None` means at once.
    #[must_use]
    pub fn available_at(&self, at: Timestamp) -> Option<Timestamp> {
        let day = at.micros().div_euclid(DAY_US).saturating_add(i64::from(self.payout_delay_days));
        (self.payout_delay_days > 0).then(|| Timestamp::from_micros(day.saturating_mul(DAY_US)))
    }
}

/// What the sequencer knows about an account while it decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AccountFacts {
    /// Whether it is closed: it no longer receives anyone else's money.
    pub closed: bool,
    /// What it was created with.
    pub terms: AccountTerms,
    /// The clock that its new payments and resources run on, unless a customer has another.
    pub clock: ClockId,
    /// The scenario that answers its payments; `None` for the world of the settings.
    pub scenario: Option<ScenarioRevision>,
}
