//! The tantivy schema: the same fields, under the same names, as the Elasticsearch mapping. Nothing is stored: hits are
//! read from columns. Ids are terms of 16 bytes, whose dictionaries cost less than those of 22 digits.

use std::borrow::Cow;

use tantivy::schema::{
    BytesOptions, FAST, Field, IndexRecordOption, Schema, SchemaBuilder, TextFieldIndexing, TextOptions,
};
use tantivy::{TantivyDocument, Term};

use crate::domain::ids::{base62_decode, base62_encode};
use crate::search::document::{DocKey, FieldSink, PaymentDocument};
use crate::search::query::{NumberField, TermField};

/// Column names that no query names.
pub(super) const ID_HIGH: &str = "id_high";
pub(super) const ID_LOW: &str = "id_low";
pub(super) const VERSION: &str = "version";

/// The handles of all fields.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields {
    pub key: Field,
    pub text: Field,
    id_high: Field,
    id_low: Field,
    version: Field,
    terms: [Field; TermField::ALL.len()],
    numbers: [Field; NumberField::ALL.len()],
}

/// The schema and its handles.
pub(super) fn schema() -> (Schema, Fields) {
    let mut builder = Schema::builder();
    let fields = Fields {
        key: builder.add_bytes_field("key", BytesOptions::default().set_indexed()),
        text: builder.add_text_field("text", words()),
        id_high: builder.add_u64_field(ID_HIGH, FAST),
        id_low: builder.add_u64_field(ID_LOW, FAST),
        version: builder.add_u64_field(VERSION, FAST),
        terms: TermField::ALL.map(|field| add_term(&mut builder, field)),
        numbers: NumberField::ALL.map(|field| builder.add_i64_field(field.name(), FAST)),
    };
    (builder.build(), fields)
}

fn add_term(builder: &mut SchemaBuilder, field: TermField) -> Field {
    if field.is_id() {
        return builder.add_bytes_field(field.name(), BytesOptions::default().set_indexed());
    }
    let options = if field.is_counted() { exact().set_fast("raw") } else { exact() };
    builder.add_text_field(field.name(), options)
}

fn exact() -> TextOptions {
    let indexing = TextFieldIndexing::default().set_tokenizer("raw").set_fieldnorms(false);
    TextOptions::default().set_indexing_options(indexing.set_index_option(IndexRecordOption::Basic))
}

fn words() -> TextOptions {
    let indexing = TextFieldIndexing::default().set_tokenizer("whitespace").set_fieldnorms(false);
    TextOptions::default()
        .set_indexing_options(indexing.set_index_option(IndexRecordOption::WithFreqsAndPositions))
}

impl Fields {
    pub(super) fn term(&self, field: TermField) -> Field {
        let at = TermField::ALL.iter().position(|known| *known == field);
        // Every variant is in ALL; a test counts them.
        at.and_then(|at| self.terms.get(at)).copied().unwrap_or(self.key)
    }

    pub(super) fn number(&self, field: NumberField) -> Field {
        let at = NumberField::ALL.iter().position(|known| *known == field);
        at.and_then(|at| self.numbers.get(at)).copied().unwrap_or(self.key)
    }

    pub(super) fn key_term(&self, key: DocKey) -> Term {
        Term::from_field_bytes(self.key, &key.to_bytes())
    }

    /// The term of a value that a query names; `None` where the field holds ids and the value is none, so nothing can match.
    pub(super) fn exact(&self, field: TermField, value: &str) -> Option<Term> {
        if field.is_id() {
            let bits = base62_decode(value)?;
            return Some(Term::from_field_bytes(self.term(field), &bits.to_be_bytes()));
        }
        Some(Term::from_field_text(self.term(field), value))
    }

    /// A payment as tantivy takes it.
    pub(super) fn document(&self, payment: &PaymentDocument) -> TantivyDocument {
        let (high, low) = split_id(u128::from_be_bytes(*payment.key.payment.as_bytes()));
        let mut document = TantivyDocument::new();
        document.add_bytes(self.key, &payment.key.to_bytes());
        document.add_u64(self.id_high, high);
        document.add_u64(self.id_low, low);
        document.add_u64(self.version, payment.version);
        let mut sink = DocumentSink { fields: self, document, receipt: payment.key.receipt_of.is_some() };
        payment.visit(&mut sink);
        sink.document
    }
}

/// A term as a query would name it.
pub(super) fn text_of(field: TermField, term: &[u8]) -> Cow<'_, str> {
    match <[u8; 16]>::try_from(term) {
        Ok(bits) if field.is_id() => Cow::Owned(base62_encode(u128::from_be_bytes(bits))),
        Ok(_) | Err(_) => String::from_utf8_lossy(term),
    }
}

/// The halves of an id, as two columns hold them.
pub(super) fn split_id(id: u128) -> (u64, u64) {
    (
        u64::try_from(id >> 64).unwrap_or(u64::MAX),
        u64::try_from(id & u128::from(u64::MAX)).unwrap_or(u64::MAX),
    )
}

/// The id of two halves.
pub(super) fn join_id(high: u64, low: u64) -> u128 {
    (u128::from(high) << 64) | u128::from(low)
}

struct DocumentSink<'a> {
    fields: &'a Fields,
    document: TantivyDocument,
    receipt: bool,
}

impl FieldSink for DocumentSink<'_> {
    fn term(&mut self, field: TermField, value: &str) {
        self.document.add_text(self.fields.term(field), value);
    }

    fn id(&mut self, field: TermField, bits: &[u8; 16]) {
        // A submitter's document has the payment's id as its key already; unique terms are what merging costs most.
        if field == TermField::Payment && !self.receipt {
            return;
        }
        self.document.add_bytes(self.fields.term(field), bits);
    }

    fn number(&mut self, field: NumberField, value: i64) {
        self.document.add_i64(self.fields.number(field), value);
    }

    fn words(&mut self, words: &str) {
        self.document.add_text(self.fields.text, words);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_has_a_handle_of_its_own() {
        let (schema, fields) = schema();
        for field in TermField::ALL {
            assert_eq!(schema.get_field_name(fields.term(field)), field.name());
        }
        for field in NumberField::ALL {
            assert_eq!(schema.get_field_name(fields.number(field)), field.name());
        }
        let id = 0x0123_4567_89ab_cdef_0011_2233_4455_6677;
        let (high, low) = split_id(id);
        assert_eq!(join_id(high, low), id);
    }
}
