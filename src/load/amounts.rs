//! Laws of amounts, as `--amounts` names them: `fixed:1250`, `uniform:100..10000`, `lognormal:median=2500,sigma=0.8,max=100000`.
//! They are in the smallest unit, whatever the currency, and fitted to what the currency allows.

use std::str::FromStr;

use super::numbers::{approximate, mixed, normal, whole};
use crate::domain::amounts::{max_minor, min_charge_minor, step_minor};
use crate::domain::currency::Currency;

/// The largest amount that can be asked for, in minor units.
const MINOR_MAX: u64 = 99_999_999;
const SIGMA_MAX: f64 = 5.0;

/// A law of amounts, in minor units.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Amounts {
    /// From one to another, both included, each as likely as any other.
    Uniform(u64, u64),
    /// Half of all are below the median, and the logarithm has this standard deviation; what is beyond the bounds is put to them.
    LogNormal {
        /// The median.
        median: f64,
        /// The standard deviation of the logarithm.
        sigma: f64,
        /// The smallest.
        min: u64,
        /// The largest.
        max: u64,
    },
}

impl Amounts {
    /// 1.00 to 101.00 in a currency of two decimals.
    pub const CHARGES: Self = Self::Uniform(100, 10_099);
    /// Small against what wallets are filled with, so that they do not run dry.
    pub const FROM_WALLETS: Self = Self::Uniform(1, 500);

    /// The amount at this index.
    #[must_use]
    pub fn draw(&self, seed: u64, index: u64) -> u64 {
        let bits = mixed(seed, index, 4);
        match *self {
            Self::Uniform(from, to) => from + bits % (to - from + 1),
            Self::LogNormal { median, sigma, min, max } => {
                let normal = normal(bits, mixed(seed, index, 5));
                whole((median * (sigma * normal).exp()).round()).clamp(min, max)
            }
        }
    }
}

/// The nearest amount not above this one that a card can be charged in this currency; the smallest, if there is none.
#[must_use]
pub fn fitted(minor: u64, currency: Currency) -> u64 {
    let bound = |minor: i64| u64::try_from(minor).unwrap_or(1);
    let step = bound(step_minor(currency)).max(1);
    let smallest = bound(min_charge_minor(currency)).max(1).next_multiple_of(step);
    let bounded = minor.min(bound(max_minor(currency)));
    (bounded - bounded % step).max(smallest)
}

/// The same, without the smallest charge: what transfers can be of. Payouts end in 00 where banks take no fractions.
#[must_use]
pub fn fitted_to_wallets(minor: u64, currency: Currency) -> u64 {
    let step = match currency.code() {
        "HUF" | "TWD" => 100,
        _ => u64::try_from(step_minor(currency)).unwrap_or(1).max(1),
    };
    (minor - minor % step).max(step)
}

fn minor(name: &str, text: &str) -> Result<u64, String> {
    let minor = text.trim().parse().ok().filter(|minor| (1..=MINOR_MAX).contains(minor));
    minor.ok_or_else(|| {
        format!("{name} is a whole number of the smallest unit, from 1 to {MINOR_MAX}; it says '{text}'")
    })
}

impl FromStr for Amounts {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let forms = "amounts are written fixed:1250, uniform:100..10000 or lognormal:median=2500,sigma=0.8,max=100000";
        let (name, rest) = text.split_once(':').ok_or(forms)?;
        match name.trim() {
            "fixed" => minor("the amount", rest).map(|minor| Self::Uniform(minor, minor)),
            "uniform" => {
                let (from, to) =
                    rest.split_once("..").ok_or("uniform amounts are written uniform:100..10000")?;
                match (minor("the smallest", from)?, minor("the largest", to)?) {
                    (from, to) if from > to => {
                        Err(format!("the smallest, {from}, is above the largest, {to}"))
                    }
                    (from, to) => Ok(Self::Uniform(from, to)),
                }
            }
            "lognormal" => log_normal(rest),
            _ => Err(format!("no law is called '{name}'; {forms}")),
        }
    }
}

fn log_normal(text: &str) -> Result<Amounts, String> {
    let form = "lognormal amounts are written lognormal:median=2500,sigma=0.8,max=100000";
    let (mut median, mut deviation, mut min, mut max) = (None, None, 1, MINOR_MAX);
    for part in text.split(',') {
        let (name, value) = part.split_once('=').ok_or(form)?;
        match name.trim() {
            "median" => median = Some(minor("median", value)?),
            "sigma" => deviation = Some(sigma(value)?),
            "min" => min = minor("min", value)?,
            "max" => max = minor("max", value)?,
            name => return Err(format!("lognormal amounts have no '{name}'; {form}")),
        }
    }
    let median = median.ok_or_else(|| format!("median is missing; {form}"))?;
    let sigma = deviation.ok_or_else(|| format!("sigma is missing; {form}"))?;
    if !(min..=max).contains(&median) {
        return Err(format!(
            "the median, {median}, is not between the smallest, {min}, and the largest, {max}"
        ));
    }
    Ok(Amounts::LogNormal { median: approximate(median), sigma, min, max })
}

fn sigma(text: &str) -> Result<f64, String> {
    let sigma = text.trim().parse().ok().filter(|sigma| (0.0..=SIGMA_MAX).contains(sigma));
    sigma.ok_or_else(|| format!("sigma is a number from 0 to {SIGMA_MAX}; it says '{text}'"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::amounts::{check_charge, check_payout};
    use crate::domain::money::Money;

    fn drawn(text: &str) -> Vec<u64> {
        let amounts: Amounts = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        let mut drawn: Vec<u64> = (0..40_000).map(|index| amounts.draw(7, index)).collect();
        drawn.sort_unstable();
        drawn
    }

    #[test]
    fn amounts_follow_their_law() {
        assert!(drawn("fixed:1250").iter().all(|minor| *minor == 1_250));
        let uniform = drawn("uniform:100..199");
        assert_eq!((uniform[0], uniform[39_999]), (100, 199));
        assert!(uniform.iter().filter(|minor| **minor < 150).count().abs_diff(20_000) < 500);
        let log_normal = drawn("lognormal:median=2500,sigma=0.8,min=50,max=100000");
        // The median's standard error is 0.8·1.25/√40,000 of it; e^0.8 above it lie 15.87 %.
        assert!(log_normal[20_000].abs_diff(2_500) < 70, "{}", log_normal[20_000]);
        let above = log_normal.iter().filter(|minor| **minor > 5_564).count();
        assert!(above.abs_diff(6_348) < 370, "{above}");
        assert!(log_normal[0] >= 50 && log_normal[39_999] <= 100_000);
        assert!(
            drawn("lognormal:median=2500,sigma=5,min=2000,max=3000")
                .iter()
                .all(|minor| (2_000..=3_000).contains(minor))
        );
    }

    #[test]
    fn every_currency_takes_what_is_fitted_to_it() {
        for currency in Currency::all() {
            for minor in [1, 49, 999, 12_345, MINOR_MAX] {
                let charge = Money::new(fitted(minor, currency) as i64, currency);
                assert_eq!(check_charge(charge), Ok(()), "{minor} {charge:?}");
                if minor <= 500 {
                    let payout = Money::new(fitted_to_wallets(minor, currency) as i64, currency);
                    assert_eq!(check_payout(payout), Ok(()), "{minor} {payout:?}");
                }
            }
        }
    }

    #[test]
    fn what_is_wrong_with_amounts_is_said() {
        for (text, said) in [
            ("12", "amounts are written fixed:1250"),
            (
                "fixed:12.50",
                "the amount is a whole number of the smallest unit, from 1 to 99999999; it says '12.50'",
            ),
            ("fixed:0", "the amount is a whole number"),
            ("uniform:100", "uniform:100..10000"),
            ("uniform:200..100", "the smallest, 200, is above the largest, 100"),
            ("uniform:1..100000000", "the largest is a whole number"),
            ("normal:1", "no law is called 'normal'"),
            ("lognormal:median=5", "sigma is missing"),
            ("lognormal:sigma=1", "median is missing"),
            ("lognormal:median=5,sigma=-1", "sigma is a number from 0 to 5; it says '-1'"),
            (
                "lognormal:median=5,sigma=1,max=4",
                "the median, 5, is not between the smallest, 1, and the largest, 4",
            ),
            ("lognormal:mean=5,sigma=1", "lognormal amounts have no 'mean'"),
        ] {
            let error = text.parse::<Amounts>().expect_err(text);
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
