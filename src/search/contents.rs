//! The contents of an index's documents, read back from the very fields that queries look at, and summed up so that a million
//! of them can be compared.
//!
//! A sum is over the set of a document's values, each hashed with the name of its field: it does not depend on the order in
//! which an adapter finds them. It is compared within one process only and stored nowhere.

use std::hash::{DefaultHasher, Hasher as _};

use super::document::{DocKey, FieldSink, PaymentDocument};
use super::query::{NumberField, TermField};

/// The name that words have in sums and lists.
pub const TEXT: &str = "text";

/// A value with the name of its field.
pub type Value = (String, String);

/// A document as `verify` sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ScannedDocument {
    /// The payment or receipt it is about.
    pub key: DocKey,
    /// The version of the payment that it shows.
    pub version: u64,
    /// The sum over its terms and numbers.
    pub fields: u64,
    /// The sum over its words.
    pub words: u64,
}

impl ScannedDocument {
    /// How an index must show this document.
    #[must_use]
    pub fn of(document: &PaymentDocument) -> Self {
        let mut contents = Contents::default();
        document.visit(&mut contents);
        let (fields, words) = contents.sums();
        Self { key: document.key, version: document.version, fields, words }
    }
}

/// A value's part of a sum.
#[must_use]
pub fn hashed(field: &str, value: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(field.as_bytes());
    // No field's name contains this byte.
    hasher.write_u8(0xff);
    hasher.write(value);
    hasher.finish()
}

/// A number's part of a sum.
#[must_use]
pub fn hashed_number(field: &str, value: i64) -> u64 {
    hashed(field, &value.to_le_bytes())
}

/// Takes the values of one document and sums them up.
#[derive(Debug, Clone, Default)]
pub struct Contents {
    fields: Vec<u64>,
    words: Vec<u64>,
}

impl Contents {
    /// Adds a value of a term field by its name.
    pub fn value(&mut self, field: &str, value: &str) {
        self.fields.push(hashed(field, value.as_bytes()));
    }

    /// The sums over fields and over words.
    #[must_use]
    pub fn sums(self) -> (u64, u64) {
        (sum(self.fields), sum(self.words))
    }
}

fn sum(mut parts: Vec<u64>) -> u64 {
    parts.sort_unstable();
    parts.dedup();
    parts.into_iter().fold(0, u64::wrapping_add)
}

impl FieldSink for Contents {
    fn term(&mut self, field: TermField, value: &str) {
        self.value(field.name(), value);
    }

    fn number(&mut self, field: NumberField, value: i64) {
        self.fields.push(hashed_number(field.name(), value));
    }

    fn words(&mut self, words: &str) {
        self.words.extend(words.split(' ').map(|word| hashed(TEXT, word.as_bytes())));
    }
}

/// Takes the values of one document as they are, to say which of them is wrong.
#[derive(Debug, Default)]
pub struct Listed(pub Vec<Value>);

impl FieldSink for Listed {
    fn term(&mut self, field: TermField, value: &str) {
        self.0.push((field.name().to_owned(), value.to_owned()));
    }

    fn number(&mut self, field: NumberField, value: i64) {
        self.0.push((field.name().to_owned(), value.to_string()));
    }

    fn words(&mut self, words: &str) {
        self.0.extend(words.split(' ').map(|word| (TEXT.to_owned(), word.to_owned())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sums(fill: impl FnOnce(&mut Contents)) -> (u64, u64) {
        let mut contents = Contents::default();
        fill(&mut contents);
        contents.sums()
    }

    #[test]
    fn sums_are_of_sets_and_distinguish_fields() {
        let one = sums(|contents| {
            contents.term(TermField::Flag, "refunded");
            contents.term(TermField::Has, "settled");
            contents.words("a b a");
        });
        let same = sums(|contents| {
            contents.words("b a");
            contents.term(TermField::Has, "settled");
            contents.term(TermField::Flag, "refunded");
            contents.term(TermField::Flag, "refunded");
        });
        assert_eq!(one, same);
        let exchanged = sums(|contents| {
            contents.term(TermField::Flag, "settled");
            contents.term(TermField::Has, "refunded");
            contents.words("a b c");
        });
        assert_ne!(one.0, exchanged.0);
        assert_ne!(one.1, exchanged.1);
        let number = |value| sums(|contents| contents.number(NumberField::Amount, value)).0;
        assert_ne!(number(1), number(-1));
    }
}
