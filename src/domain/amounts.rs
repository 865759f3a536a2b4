//! The amounts that can be paid: bounds and steps of each currency, as the dialect publishes them (docs.stripe.com/currencies).
//!
//! [`check`] applies to every payment and every part of one. [`check_charge`] and [`check_payout`] add the rules for taking
//! money from a card and sending it to a bank; a wallet can hold any amount, so that a balance never gets stuck.

use super::currency::Currency;
use super::money::Money;

/// The most digits of an amount in currencies that are not in [`MORE_DIGITS`].
const DIGITS_MAX: u32 = 8;

/// Currencies with units so small that eight digits are too few, with the most digits of an amount.
const MORE_DIGITS: &[(&str, u32)] = &[("COP", 10), ("IDR", 12), ("INR", 9)];

/// Currencies written with two decimals that are always zero.
const WHOLE_UNITS: &[&str] = &["ISK", "UGX"];

/// Currencies paid out in whole units only, although cards can be charged fractions.
const WHOLE_UNITS_IN_PAYOUTS: &[&str] = &["HUF", "TWD"];

/// The smallest charge in minor units. Other currencies have no minimum here: the dialect's would depend on exchange rates.
const MINIMUM: &[(&str, i64)] = &[
    ("AED", 200),
    ("ARS", 50),
    ("AUD", 50),
    ("BRL", 50),
    ("CAD", 50),
    ("CHF", 50),
    ("COP", 50),
    ("CZK", 1_500),
    ("DKK", 250),
    ("EUR", 50),
    ("GBP", 30),
    ("HKD", 400),
    ("HUF", 17_500),
    ("IDR", 50),
    ("ILS", 50),
    ("INR", 50),
    ("JPY", 50),
    ("KRW", 50),
    ("MXN", 1_000),
    ("MYR", 200),
    ("NOK", 300),
    ("NZD", 50),
    ("PHP", 50),
    ("PLN", 200),
    ("RON", 200),
    ("RUB", 50),
    ("SEK", 300),
    ("SGD", 50),
    ("THB", 1_000),
    ("USD", 50),
    ("ZAR", 50),
];

/// An amount that cannot be paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AmountProblem {
    /// Zero or less.
    #[error("Invalid positive integer: this value must be greater than or equal to 1.")]
    NotPositive,
    /// Less than the smallest charge, which this carries.
    #[error("Amount must be at least {0}.")]
    TooSmall(Money),
    /// More than the largest amount, which this carries.
    #[error("Amount must be no more than {0}.")]
    TooLarge(Money),
    /// The currency has no such fraction; this carries the step.
    #[error("Invalid amount: in {currency}, amounts are multiples of {step} in the smallest unit.", currency = .0.currency, step = .0.amount_minor)]
    Fraction(Money),
}

impl AmountProblem {
    /// The dialect's error code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotPositive | Self::Fraction(_) => "parameter_invalid_integer",
            Self::TooSmall(_) => "amount_too_small",
            Self::TooLarge(_) => "amount_too_large",
        }
    }
}

/// The largest amount in this currency, in minor units.
#[must_use]
pub fn max_minor(currency: Currency) -> i64 {
    let more = MORE_DIGITS.iter().find(|(code, _)| *code == currency.code());
    10_i64.saturating_pow(more.map_or(DIGITS_MAX, |(_, digits)| *digits)) - 1
}

/// The smallest amount that a card can be charged, in minor units.
#[must_use]
pub fn min_charge_minor(currency: Currency) -> i64 {
    MINIMUM.iter().find(|(code, _)| *code == currency.code()).map_or(1, |(_, minor)| *minor)
}

/// What every amount is a multiple of, in minor units: 10 with three decimals, whose last is always zero, 100 where
/// nothing smaller than the unit exists.
#[must_use]
pub fn step_minor(currency: Currency) -> i64 {
    if WHOLE_UNITS.contains(&currency.code()) {
        return 100;
    }
    if currency.decimals() == 3 { 10 } else { 1 }
}

fn multiple_of(amount: Money, step_minor: i64) -> Result<(), AmountProblem> {
    if amount.amount_minor % step_minor == 0 {
        Ok(())
    } else {
        Err(AmountProblem::Fraction(Money::new(step_minor, amount.currency)))
    }
}

/// Whether this can be the amount of a payment, a capture or a refund.
///
/// # Errors
/// [`AmountProblem`] says what is wrong with it.
pub fn check(amount: Money) -> Result<(), AmountProblem> {
    if amount.amount_minor < 1 {
        return Err(AmountProblem::NotPositive);
    }
    let max_minor = max_minor(amount.currency);
    if amount.amount_minor > max_minor {
        return Err(AmountProblem::TooLarge(Money::new(max_minor, amount.currency)));
    }
    multiple_of(amount, step_minor(amount.currency))
}

/// Whether a card can be charged this.
///
/// # Errors
/// As [`check`], or less than the currency's smallest charge.
pub fn check_charge(amount: Money) -> Result<(), AmountProblem> {
    check(amount)?;
    let min_minor = min_charge_minor(amount.currency);
    if amount.amount_minor < min_minor {
        return Err(AmountProblem::TooSmall(Money::new(min_minor, amount.currency)));
    }
    Ok(())
}

/// Whether a bank can be sent this.
///
/// # Errors
/// As [`check`], or a fraction that banks do not take.
pub fn check_payout(amount: Money) -> Result<(), AmountProblem> {
    check(amount)?;
    let whole = WHOLE_UNITS_IN_PAYOUTS.contains(&amount.currency.code());
    multiple_of(amount, if whole { 100 } else { 1 })
}
