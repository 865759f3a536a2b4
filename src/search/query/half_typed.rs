//! Recognises a condition that cannot be read only because it is unfinished: it stands last, and could still become valid. Pure.
//!
//! People are answered while they type. Programs never ask here: see [`super::Query::parse_as_typed`].

use super::fields::{Shape, find};
use super::syntax::{FieldName, Operator, Value};
use super::{SUBSTRING_MIN_CHARS, amounts, shown, times};
use crate::domain::currency::Currency;
use crate::domain::ids::{AccountId, PaymentId, RefundId};
use crate::search::text::fold;

/// Digits of an id after its prefix.
const ID_DIGITS: usize = 22;
/// Hexadecimal digits of a fingerprint.
const FINGERPRINT_DIGITS: usize = 16;

/// Whether this condition ends the text, and more characters could make sense of it.
pub(super) fn is(text: &str, field: &FieldName, operator: Operator, value: &Value) -> bool {
    let written = text.get(value.span.clone()).unwrap_or_default();
    let is_quote = |c: char| matches!(c, '"' | '\'');
    let closed = value.quoted && written.len() > 1 && written.ends_with(is_quote);
    if closed || value.span.end < text.trim_end().len() {
        return false;
    }
    let Some(spec) = find(&field.name) else { return false };
    spec.shape.operators().contains(&operator) && may_become(spec.shape, operator, &value.text)
}

fn may_become(shape: Shape, operator: Operator, text: &str) -> bool {
    let folded = fold(text);
    let begins = |whole: &str| whole.len() > folded.len() && whole.starts_with(folded.as_str());
    let hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match shape {
        Shape::Status => shown::status_words().any(begins),
        Shape::Kind => shown::kind_words().any(begins),
        Shape::Brand => shown::brand_words().any(|word| begins(&word)),
        Shape::Currency => Currency::all().iter().any(|currency| begins(&currency.lower())),
        Shape::Digits(_, count) => text.len() < count && text.bytes().all(|byte| byte.is_ascii_digit()),
        Shape::Fingerprint => text.len() < FINGERPRINT_DIGITS && hex(text),
        Shape::PaymentId => of_id(text, PaymentId::PREFIXES),
        Shape::RefundId => of_id(text, RefundId::PREFIXES),
        Shape::AccountId => of_id(text, AccountId::PREFIXES),
        Shape::Text(_) | Shape::Metadata => {
            operator == Operator::Contains && text.chars().count() < SUBSTRING_MIN_CHARS
        }
        Shape::Amount(_) => amounts::may_become_amount(text),
        Shape::Time(_) => times::may_become(text),
        Shape::Flag(_) => begins("true") || begins("false"),
        Shape::Exact(_) => false,
    }
}

fn of_id(text: &str, prefixes: &[&str]) -> bool {
    prefixes.iter().any(|prefix| match text.strip_prefix(prefix) {
        Some(digits) => digits.len() < ID_DIGITS && digits.bytes().all(|byte| byte.is_ascii_alphanumeric()),
        None => prefix.starts_with(text),
    })
}
