//! Postal addresses and shipping details.

use serde::{Deserialize, Serialize};

/// A postal address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Address {
    /// Town.
    pub city: Option<String>,
    /// Country code, two letters.
    pub country: Option<String>,
    /// Street and number.
    pub line1: Option<String>,
    /// Further address details, such as the apartment.
    pub line2: Option<String>,
    /// Postal code.
    pub postal_code: Option<String>,
    /// State, county, province.
    pub state: Option<String>,
}

impl Address {
    /// The bytes of its text.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        let Self { city, country, line1, line2, postal_code, state } = self;
        [city, country, line1, line2, postal_code, state].into_iter().flatten().map(String::len).sum()
    }
}

/// The recipient of a delivery, and the address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shipping {
    /// Where it is sent.
    pub address: Address,
    /// The recipient's name.
    pub name: String,
    /// Their telephone number.
    pub phone: Option<String>,
}

impl Shipping {
    /// The bytes of its text.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        self.address.text_bytes() + self.name.len() + self.phone.as_ref().map_or(0, String::len)
    }
}
