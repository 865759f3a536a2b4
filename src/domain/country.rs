//! Countries: two letters of ISO 3166-1, as the dialect writes them.

use std::fmt;

use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A country.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country([u8; 2]);

impl Country {
    /// Reads two capital letters; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let letters = <[u8; 2]>::try_from(text.as_bytes()).ok()?;
        letters.iter().all(u8::is_ascii_uppercase).then_some(Self(letters))
    }

    /// A country named in a table of this program; the unassigned `ZZ` for anything but two letters.
    #[must_use]
    pub const fn in_table(text: &'static str) -> Self {
        match text.as_bytes() {
            [first, second] => Self([*first, *second]),
            _ => Self(*b"ZZ"),
        }
    }

    /// The two letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Only capital letters are accepted.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Country {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Country {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Letters)
    }
}

/// Reads a country; accepts owned strings too, as settings are not borrowed.
struct Letters;

impl Visitor<'_> for Letters {
    type Value = Country;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("two capital letters of ISO 3166-1, such as IE")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Country, E> {
        Country::parse(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_two_capital_letters_are_a_country() {
        assert_eq!(Country::parse("DE").map(|country| country.to_string()).as_deref(), Some("DE"));
        for text in ["", "D", "DEU", "de", "D1", "Ä", "É"] {
            assert_eq!(Country::parse(text), None, "{text:?}");
        }
        let country = Country::parse("IE").unwrap();
        let bytes = rmp_serde::to_vec(&country).unwrap();
        assert_eq!(rmp_serde::from_slice::<Country>(&bytes).unwrap(), country);
        assert!(rmp_serde::from_slice::<Country>(&rmp_serde::to_vec("ie").unwrap()).is_err());
    }
}
