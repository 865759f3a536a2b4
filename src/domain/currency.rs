//! ISO 4217 currencies and the number of decimals of each.
//!
//! The decimals are the dialect's (docs.stripe.com/currencies), which differ from ISO's for three currencies: ISK and UGX
//! are written with two decimals that are always zero, MGA with none.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An ISO 4217 currency: three upper-case letters inside, shown lower-case in the dialect.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

/// A currency code that is not in ISO 4217's list of circulating currencies.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Invalid currency: {0}. Use a three-letter ISO 4217 code such as eur")]
pub struct CurrencyError(String);

/// Currencies written without decimals.
const ZERO_DECIMAL: &[&str] = &[
    "BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF",
];
/// Currencies written with three decimals.
const THREE_DECIMAL: &[&str] = &["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"];
/// Currencies written with two decimals.
const TWO_DECIMAL: &[&str] = &[
    "AED", "AFN", "ALL", "AMD", "ANG", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT", "BGN", "BMD",
    "BND", "BOB", "BRL", "BSD", "BTN", "BWP", "BYN", "BZD", "CAD", "CDF", "CHF", "CNY", "COP", "CRC", "CUP",
    "CVE", "CZK", "DKK", "DOP", "DZD", "EGP", "ERN", "ETB", "EUR", "FJD", "FKP", "GBP", "GEL", "GHS", "GIP",
    "GMD", "GTQ", "GYD", "HKD", "HNL", "HTG", "HUF", "IDR", "ILS", "INR", "IRR", "ISK", "JMD", "KES", "KGS",
    "KHR", "KPW", "KYD", "KZT", "LAK", "LBP", "LKR", "LRD", "LSL", "MAD", "MDL", "MKD", "MMK", "MNT", "MOP",
    "MRU", "MUR", "MVR", "MWK", "MXN", "MYR", "MZN", "NAD", "NGN", "NIO", "NOK", "NPR", "NZD", "PAB", "PEN",
    "PGK", "PHP", "PKR", "PLN", "QAR", "RON", "RSD", "RUB", "SAR", "SBD", "SCR", "SDG", "SEK", "SGD", "SHP",
    "SLE", "SOS", "SRD", "SSP", "STD", "STN", "SVC", "SYP", "SZL", "THB", "TJS", "TMT", "TOP", "TRY", "TTD",
    "TWD", "TZS", "UAH", "UGX", "USD", "UYU", "UZS", "VES", "WST", "XCD", "XCG", "YER", "ZAR", "ZMW", "ZWG",
];

impl Currency {
    /// The euro, the default of the pages.
    pub const EUR: Self = Self(*b"EUR");

    /// How many decimals amounts are written with: 0, 2 or 3.
    #[must_use]
    pub fn decimals(self) -> u32 {
        let code = self.code();
        if ZERO_DECIMAL.contains(&code) {
            0
        } else if THREE_DECIMAL.contains(&code) {
            3
        } else {
            2
        }
    }

    /// The upper-case code, as ISO writes it.
    #[must_use]
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("???")
    }

    /// The lower-case code, as the dialect writes it.
    #[must_use]
    pub fn lower(&self) -> String {
        self.code().to_ascii_lowercase()
    }

    /// The three ASCII letters.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 3] {
        &self.0
    }

    /// Every currency written with this many decimals.
    pub fn with_decimals(decimals: u32) -> impl Iterator<Item = Self> {
        let codes = match decimals {
            0 => ZERO_DECIMAL,
            2 => TWO_DECIMAL,
            3 => THREE_DECIMAL,
            _ => &[],
        };
        codes.iter().filter_map(|code| code.parse().ok())
    }

    /// Every currency known here, in alphabetical order.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let mut all: Vec<Self> = [ZERO_DECIMAL, THREE_DECIMAL, TWO_DECIMAL]
            .concat()
            .iter()
            .filter_map(|code| code.parse().ok())
            .collect();
        all.sort();
        all
    }
}

impl FromStr for Currency {
    type Err = CurrencyError;
    fn from_str(text: &str) -> Result<Self, CurrencyError> {
        let error = || CurrencyError(text.chars().take(16).collect());
        let bytes = <[u8; 3]>::try_from(text.as_bytes()).map_err(|_| error())?;
        let upper = bytes.map(|byte| byte.to_ascii_uppercase());
        let code = std::str::from_utf8(&upper).map_err(|_| error())?;
        let known = [ZERO_DECIMAL, THREE_DECIMAL, TWO_DECIMAL].iter().any(|list| list.contains(&code));
        if known { Ok(Self(upper)) } else { Err(error()) }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Serialize for Currency {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
