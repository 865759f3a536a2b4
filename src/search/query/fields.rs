//! The fields a query can name: their spellings, what may be asked of them, and the nearest to a misspelt one.

use super::filter::{NumberField, TermField};
use super::syntax::Operator;

/// Separates key and value in an indexed metadata pair. Not printable, so that no key contains it.
pub const METADATA_SEPARATOR: char = '\u{1f}';
/// The name under which [`TermField::Has`] records that there is a card.
pub const CARD_PRESENT: &str = "card";

/// The entry of [`TermField::Has`] for a metadata key.
#[must_use]
pub fn has(key: &str) -> String {
    format!("metadata{METADATA_SEPARATOR}{key}")
}

/// What a field holds, which decides what can be asked of it and how its values are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// One of our statuses or the dialect's.
    Status,
    /// One of the four kinds.
    Kind,
    /// A currency code.
    Currency,
    /// A card network.
    Brand,
    /// This many digits.
    Digits(TermField, usize),
    /// Sixteen hexadecimal digits.
    Fingerprint,
    /// A payment's id under any prefix.
    PaymentId,
    /// A refund's id.
    RefundId,
    /// An account's id.
    AccountId,
    /// A folded term; exact only.
    Exact(TermField),
    /// A folded term that can also be looked into.
    Text(TermField),
    /// A pair named by a key.
    Metadata,
    /// Minor units.
    Amount(NumberField),
    /// A time.
    Time(NumberField),
    /// True or false.
    Flag(&'static str),
}

impl Shape {
    /// The operators that make sense.
    pub(super) const fn operators(self) -> &'static [Operator] {
        use Operator::{Above, AtLeast, AtMost, Below, Contains, Is};
        match self {
            Self::Text(_) | Self::Metadata => &[Is, Contains],
            Self::Amount(_) | Self::Time(_) => &[Is, Above, AtLeast, Below, AtMost],
            Self::Status
            | Self::Kind
            | Self::Currency
            | Self::Brand
            | Self::Digits(..)
            | Self::Fingerprint
            | Self::PaymentId
            | Self::RefundId
            | Self::AccountId
            | Self::Exact(_)
            | Self::Flag(_) => &[Is],
        }
    }
}

/// A field, its spellings (the first is the one suggested) and the entry of [`TermField::Has`] that says whether it has
/// a value; `None` where it always has one.
pub(super) struct FieldSpec {
    pub names: &'static [&'static str],
    pub shape: Shape,
    pub presence: Option<&'static str>,
}

const fn always(names: &'static [&'static str], shape: Shape) -> FieldSpec {
    FieldSpec { names, shape, presence: None }
}

const fn optional(names: &'static [&'static str], shape: Shape, presence: &'static str) -> FieldSpec {
    FieldSpec { names, shape, presence: Some(presence) }
}

/// Every field. The long names are the dialect's.
pub(super) const FIELDS: &[FieldSpec] = &[
    always(&["status"], Shape::Status),
    always(&["kind", "type"], Shape::Kind),
    always(&["amount"], Shape::Amount(NumberField::Amount)),
    always(&["currency"], Shape::Currency),
    always(&["created"], Shape::Time(NumberField::Created)),
    always(&["updated"], Shape::Time(NumberField::Updated)),
    optional(&["settled"], Shape::Time(NumberField::Settled), "settled"),
    optional(&["customer"], Shape::Exact(TermField::Customer), "customer"),
    optional(&["metadata"], Shape::Metadata, "metadata"),
    optional(&["description"], Shape::Text(TermField::Description), "description"),
    optional(&["run"], Shape::Text(TermField::Run), "run"),
    optional(&["card.brand", "brand", "payment_method_details.card.brand"], Shape::Brand, CARD_PRESENT),
    optional(
        &["card.last4", "last4", "payment_method_details.card.last4"],
        Shape::Digits(TermField::CardLast4, 4),
        CARD_PRESENT,
    ),
    optional(
        &["card.first6", "first6", "card.iin", "payment_method_details.card.iin"],
        Shape::Digits(TermField::CardFirst6, 6),
        CARD_PRESENT,
    ),
    optional(
        &["card.fingerprint", "fingerprint", "payment_method_details.card.fingerprint"],
        Shape::Fingerprint,
        CARD_PRESENT,
    ),
    optional(
        &["decline_code", "last_payment_error.decline_code"],
        Shape::Exact(TermField::DeclineCode),
        "decline_code",
    ),
    always(&["id"], Shape::PaymentId),
    optional(&["refund"], Shape::RefundId, "refund"),
    optional(&["payee", "destination"], Shape::AccountId, "payee"),
    optional(
        &["amount_received", "received_amount"],
        Shape::Amount(NumberField::Received),
        "amount_received",
    ),
    always(&["amount_refunded", "refunded_amount"], Shape::Amount(NumberField::Refunded)),
    optional(&["in_transit"], Shape::Amount(NumberField::InTransit), "in_transit"),
    always(&["refunded"], Shape::Flag("refunded")),
    always(&["partially_refunded"], Shape::Flag("partially_refunded")),
    always(&["parked"], Shape::Flag("parked")),
    always(&["disputed"], Shape::Flag("disputed")),
    always(&["received"], Shape::Flag("received")),
];

/// The field with this name, whatever its case.
pub(super) fn find(name: &str) -> Option<&'static FieldSpec> {
    FIELDS.iter().find(|field| field.names.iter().any(|known| known.eq_ignore_ascii_case(name)))
}

/// The names closest to a misspelt one, else all of them.
pub(super) fn suggestions(name: &str) -> Vec<String> {
    let name = name.to_ascii_lowercase();
    let close = |known: &&str| name.len() <= 40 && distance(&name, known) <= 1 + name.len() / 4;
    let mut near: Vec<&str> = FIELDS.iter().flat_map(|field| field.names).copied().filter(close).collect();
    near.sort_by_key(|known| distance(&name, known));
    near.truncate(3);
    if near.is_empty() {
        near = FIELDS.iter().filter_map(|field| field.names.first()).copied().collect();
    }
    near.into_iter()
        .map(|known| if known == "metadata" { "metadata[\"key\"]".to_owned() } else { known.to_owned() })
        .collect()
}

/// How many letters must be added, dropped or changed (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (slot, y) in row.iter_mut().skip(1).zip(b.bytes()) {
            let cost = diagonal + usize::from(x != y);
            diagonal = *slot;
            left = cost.min(left + 1).min(*slot + 1);
            *slot = left;
        }
    }
    row.last().copied().unwrap_or(0)
}
