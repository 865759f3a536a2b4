//! Amounts of money as integers in the currency's smallest unit. No floating point anywhere.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::currency::Currency;

/// An amount in minor units of one currency.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    /// Minor units: cents, yen, fils.
    pub amount_minor: i64,
    /// Determines the unit and the decimals.
    pub currency: Currency,
}

/// Why a typed decimal amount is not an amount of the currency.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// Not digits with at most one decimal point.
    #[error("not an amount: write it like {example}")]
    Malformed {
        /// A well-formed amount of the same currency.
        example: String,
    },
    /// A comma before three digits: it groups thousands for some people and begins the decimals for others.
    #[error("a comma before three digits can be read in two ways: write it like {example}")]
    Ambiguous {
        /// A well-formed amount of the same currency.
        example: String,
    },
    /// More decimals than the currency has.
    #[error("{currency} has {decimals} decimals")]
    TooPrecise {
        /// The currency asked for.
        currency: Currency,
        /// How many decimals it has.
        decimals: u32,
    },
    /// Larger than the integer type can hold.
    #[error("the amount is too large")]
    TooLarge,
}

impl Money {
    /// An amount in minor units.
    #[must_use]
    pub const fn new(amount_minor: i64, currency: Currency) -> Self {
        Self { amount_minor, currency }
    }

    /// Reads what a person types: `12.50`, `12,50`, `1250` for yen. Signs, exponents and group separators are refused, and so
    /// is a comma before three digits, which is ambiguous.
    ///
    /// # Errors
    /// [`AmountError`] says what is wrong with it.
    pub fn parse_decimal(text: &str, currency: Currency) -> Result<Self, AmountError> {
        let decimals = currency.decimals();
        let malformed = || AmountError::Malformed { example: Self::new(1250, currency).decimal() };
        let text = text.trim();
        let (whole, fraction) = text.split_once(['.', ',']).unwrap_or((text, ""));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty()
            || !digits(whole)
            || !digits(fraction)
            || (text.len() > whole.len() && fraction.is_empty())
        {
            return Err(malformed());
        }
        if fraction.len() == 3 && text.contains(',') {
            return Err(AmountError::Ambiguous { example: Self::new(1250, currency).decimal() });
        }
        let width = usize::try_from(decimals).unwrap_or(0);
        if fraction.len() > width {
            return Err(AmountError::TooPrecise { currency, decimals });
        }
        let padded = format!("{whole}{fraction:0<width$}");
        let amount_minor = padded.parse::<i64>().map_err(|_| AmountError::TooLarge)?;
        Ok(Self { amount_minor, currency })
    }

    /// The plain decimal form, without the currency: `12.50`, `1250`, `1.250`.
    #[must_use]
    pub fn decimal(&self) -> String {
        self.written(false)
    }

    /// The decimal form as people read it, without the currency: `12,500.00`; four digits are not grouped (`1250`).
    #[must_use]
    pub fn grouped(&self) -> String {
        self.written(true)
    }

    fn written(&self, grouped: bool) -> String {
        let decimals = usize::try_from(self.currency.decimals()).unwrap_or(0);
        let digits = self.amount_minor.unsigned_abs().to_string();
        let zeros = (decimals + 1).saturating_sub(digits.len());
        let whole = zeros + digits.len() - decimals;
        let mut text = String::with_capacity(digits.len() * 2 + decimals + 2);
        if self.amount_minor < 0 {
            text.push('-');
        }
        for (at, digit) in std::iter::repeat_n('0', zeros).chain(digits.chars()).enumerate() {
            if at == whole {
                text.push('.');
            } else if grouped && whole >= 5 && at > 0 && at < whole && (whole - at).is_multiple_of(3) {
                text.push(',');
            }
            text.push(digit);
        }
        text
    }

    /// The symbol people expect before an amount, where there is a common one.
    #[must_use]
    pub fn symbol(&self) -> &'static str {
        match self.currency.code() {
            "EUR" => "€",
            "USD" => "$",
            "GBP" => "£",
            "JPY" => "¥",
            "INR" => "₹",
            "KRW" => "₩",
            _ => "",
        }
    }
}

impl fmt::Display for Money {
    /// `€12.50 EUR`, `¥1250 JPY`, `1.250 KWD`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{} {}", self.symbol(), self.grouped(), self.currency)
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
