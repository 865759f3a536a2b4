//! Compiles the syntax tree to a filter: looks fields up, reads their values, and refuses what makes no sense.

use crate::domain::card::Brand;
use crate::domain::card_numbers;
use crate::domain::currency::Currency;
use crate::domain::ids::{AccountId, ChargeId, PaymentId, RefundId, base62_decode};
use crate::domain::payment_kind::PaymentKind;
use crate::domain::status::Status;
use crate::domain::text::composed;
use crate::search::text::{fold, words};

use super::fields::{FieldSpec, METADATA_SEPARATOR, Shape, find, has, suggestions};
use super::filter::{Filter, TermField};
use super::range::range;
use super::syntax::{FieldName, Junction, Operator, Syntax, Term, Value};
use super::{
    QueryError, Reading, SUBSTRING_MAX_CHARS, SUBSTRING_MIN_CHARS, VALUE_MAX_CHARS, half_typed, shown, times,
};

/// The most characters of a user's text in a message.
const SHOWN_CHARS_MAX: usize = 40;

/// Checks a whole query, read from `text`.
pub(super) fn check(syntax: &Syntax, text: &str, reading: Reading) -> Result<Filter, QueryError> {
    let mut filters = Vec::with_capacity(syntax.clauses.len());
    let mut clauses = syntax.clauses.as_slice();
    while let Some((clause, rest)) = clauses.split_first() {
        clauses = rest;
        let filter = match &clause.term {
            Term::Field { field, operator, value } => {
                condition(field, *operator, value, reading).map_err(|error| {
                    if half_typed::is(text, field, *operator, value) {
                        error.half_typed(clause.span.start)
                    } else {
                        error
                    }
                })?
            }
            Term::Text(value) if reading == Reading::AsTyped => {
                check_value(value)?;
                let (filter, taken) = shown::text(value, clause, rest, syntax.junction);
                clauses = rest.get(taken..).unwrap_or_default();
                match filter {
                    Some(filter) => filter,
                    None => free(value)?,
                }
            }
            Term::Text(value) => free(value)?,
        };
        filters.push(if clause.negated { Filter::Not(Box::new(filter)) } else { filter });
    }
    Ok(match syntax.junction {
        Junction::And => Filter::All(filters),
        Junction::Or => Filter::Any(filters),
    })
}

/// A free word or phrase: an id if it is one, else words in a row.
fn free(value: &Value) -> Result<Filter, QueryError> {
    check_value(value)?;
    if let Some(filter) = id(&value.text) {
        return Ok(filter);
    }
    let words = words(&value.text);
    if words.is_empty() {
        let message = "There is no letter or digit to look for here.";
        return Err(QueryError::new(value.span.clone(), message).expecting(["a word", "field:value"]));
    }
    Ok(Filter::Words(words))
}

fn id(text: &str) -> Option<Filter> {
    if let Some(payment) = payment(text) {
        return Some(payment);
    }
    if let Some(refund) = prefixed::<RefundId>(text, RefundId::PREFIXES) {
        return Some(Filter::term(TermField::Refund, refund));
    }
    prefixed::<AccountId>(text, AccountId::PREFIXES).map(|account| Filter::term(TermField::Payee, account))
}

/// The payment with this id, under any of its prefixes or none, or with a charge of this id: the first charge has the digits
/// of its payment, later ones have their own.
fn payment(text: &str) -> Option<Filter> {
    if let Some(charge) = prefixed::<ChargeId>(text, ChargeId::PREFIXES) {
        let later = Filter::term(TermField::Charge, charge.clone());
        return Some(Filter::Any(vec![Filter::term(TermField::Payment, charge), later]));
    }
    let id = prefixed::<PaymentId>(text, PaymentId::PREFIXES).or_else(|| {
        base62_decode(text).filter(|_| text.bytes().any(|b| b.is_ascii_digit())).map(|_| text.to_owned())
    });
    id.map(|id| Filter::term(TermField::Payment, id))
}

fn prefixed<T: std::str::FromStr>(text: &str, prefixes: &[&str]) -> Option<String> {
    text.parse::<T>().ok()?;
    prefixes.iter().find_map(|prefix| text.strip_prefix(prefix)).map(str::to_owned)
}

fn condition(
    field: &FieldName,
    operator: Operator,
    value: &Value,
    reading: Reading,
) -> Result<Filter, QueryError> {
    let Some(spec) = find(&field.name) else {
        let message = format!("There is no field {}.", shorten(&field.name));
        return Err(QueryError::new(field.span.clone(), message).expecting(suggestions(&field.name)));
    };
    match (spec.shape, &field.key) {
        (Shape::Metadata, None) if !value.is_null() => {
            let message = "metadata needs a key.";
            return Err(QueryError::new(field.span.clone(), message).expecting(["metadata[\"key\"]"]));
        }
        (Shape::Metadata, _) | (_, None) => {}
        (_, Some(_)) => {
            let message = format!("{} has no keys; only metadata has.", shorten(&field.name));
            return Err(QueryError::new(field.span.clone(), message).expecting([field.name.clone()]));
        }
    }
    if value.is_null() {
        return null(spec, field, operator, value);
    }
    if !spec.shape.operators().contains(&operator) {
        let message = format!("{} cannot be asked with {}.", shorten(&field.name), operator.as_str());
        let place = field.span.end..value.span.start;
        return Err(
            QueryError::new(place, message).expecting(spec.shape.operators().iter().map(|o| o.as_str()))
        );
    }
    check_value(value)?;
    let shown = match reading {
        Reading::AsTyped => shown::condition(spec.shape, operator, &value.text),
        Reading::Strict => None,
    };
    match shown {
        Some(filter) => Ok(filter),
        None => comparison(spec.shape, field, operator, value),
    }
}

/// `field:null` is the absence of a value; where there always is one, the question is a mistake.
fn null(
    spec: &FieldSpec,
    field: &FieldName,
    operator: Operator,
    value: &Value,
) -> Result<Filter, QueryError> {
    if operator != Operator::Is {
        let message = format!("null cannot be asked with {}.", operator.as_str());
        return Err(QueryError::new(field.span.end..value.span.start, message).expecting([":"]));
    }
    let absent = |name: String| Filter::Not(Box::new(Filter::term(TermField::Has, name)));
    Ok(match (&field.key, spec.presence) {
        (Some(key), _) => absent(has(&composed(key))),
        (None, Some(presence)) => absent(presence.to_owned()),
        (None, None) => {
            let message = format!("{} always has a value.", shorten(&field.name));
            return Err(QueryError::new(value.span.clone(), message));
        }
    })
}

fn comparison(
    shape: Shape,
    field: &FieldName,
    operator: Operator,
    value: &Value,
) -> Result<Filter, QueryError> {
    let text = value.text.as_str();
    match shape {
        Shape::Status => status(value),
        Shape::Kind => kind(value),
        Shape::Currency => text
            .parse::<Currency>()
            .map(|currency| Filter::term(TermField::Currency, currency.lower()))
            .map_err(|_| wrong(value, "is not a currency", ["eur", "usd", "jpy"])),
        Shape::Brand => Brand::ALL
            .iter()
            .find(|brand| brand.as_str().eq_ignore_ascii_case(text))
            .map(|brand| Filter::term(TermField::CardBrand, brand.as_str()))
            .ok_or_else(|| wrong(value, "is not a card network known here", Brand::ALL.map(Brand::as_str))),
        Shape::Digits(field, count) => digits(field, count, value),
        Shape::Fingerprint => u64::from_str_radix(text, 16)
            .ok()
            .filter(|_| text.len() == 16 && !text.starts_with('+'))
            .map(|_| Filter::term(TermField::CardFingerprint, fold(text)))
            .ok_or_else(|| wrong(value, "is not a fingerprint", ["16 hexadecimal digits"])),
        Shape::PaymentId => payment(text)
            .ok_or_else(|| wrong(value, "is not the id of a payment", ["pi_…", "tu_…", "tr_…", "po_…"])),
        Shape::RefundId => prefixed::<RefundId>(text, RefundId::PREFIXES)
            .map(|id| Filter::term(TermField::Refund, id))
            .ok_or_else(|| wrong(value, "is not the id of a refund", ["re_…"])),
        Shape::AccountId => prefixed::<AccountId>(text, AccountId::PREFIXES)
            .map(|id| Filter::term(TermField::Payee, id))
            .ok_or_else(|| wrong(value, "is not the id of an account", ["acct_…"])),
        Shape::Exact(field) => Ok(Filter::term(field, fold(text))),
        Shape::Text(field) => text_comparison(field, String::new(), operator, value),
        Shape::Metadata => {
            let key = composed(field.key.as_deref().unwrap_or_default());
            let prefix = format!("{key}{METADATA_SEPARATOR}");
            text_comparison(TermField::Metadata, prefix, operator, value)
        }
        Shape::Amount(field) => {
            let amount = text.parse::<i64>().map_err(|_| {
                wrong(
                    value,
                    "is not an amount in minor units (12.50 EUR is 1250)",
                    ["a whole number such as 1250"],
                )
            })?;
            Ok(range(field, operator, amount..amount.saturating_add(1)))
        }
        Shape::Time(field) => {
            let time = times::parse(text).ok_or_else(|| wrong(value, "is not a time", times::EXPECTED))?;
            Ok(range(field, operator, time))
        }
        Shape::Flag(name) => flag(name, value),
    }
}

fn status(value: &Value) -> Result<Filter, QueryError> {
    let folded = fold(&value.text);
    let folded = if folded == "cancelled" { "canceled" } else { folded.as_str() };
    // The dialect's words cover several of ours; ours that are not the dialect's mean themselves.
    let matching = |status: &Status| {
        if Status::ALL.iter().any(|known| known.dialect() == folded) {
            status.dialect() == folded
        } else {
            status.as_str() == folded
        }
    };
    let mut terms: Vec<Filter> = Status::ALL
        .iter()
        .filter(|s| matching(s))
        .map(|s| Filter::term(TermField::Status, s.as_str()))
        .collect();
    match (terms.len(), terms.pop()) {
        (1, Some(only)) => Ok(only),
        (_, Some(last)) => {
            terms.push(last);
            Ok(Filter::Any(terms))
        }
        (_, None) => Err(wrong(value, "is not a status", Status::ALL.map(Status::as_str))),
    }
}

fn kind(value: &Value) -> Result<Filter, QueryError> {
    let folded = fold(&value.text).replace('_', "");
    PaymentKind::parse(&folded)
        .map(|kind| Filter::term(TermField::Kind, kind.as_str()))
        .ok_or_else(|| wrong(value, "is not a kind of payment", PaymentKind::ALL.map(PaymentKind::as_str)))
}

fn digits(field: TermField, count: usize, value: &Value) -> Result<Filter, QueryError> {
    if value.text.len() == count && value.text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(Filter::term(field, value.text.clone()));
    }
    Err(QueryError::new(value.span.clone(), format!("{count} digits are needed here."))
        .expecting([format!("{count} digits")]))
}

fn flag(name: &'static str, value: &Value) -> Result<Filter, QueryError> {
    let set = Filter::term(TermField::Flag, name);
    match fold(&value.text).as_str() {
        "true" => Ok(set),
        "false" => Ok(Filter::Not(Box::new(set))),
        _ => Err(wrong(value, "is neither true nor false", ["true", "false"])),
    }
}

fn text_comparison(
    field: TermField,
    prefix: String,
    operator: Operator,
    value: &Value,
) -> Result<Filter, QueryError> {
    let folded = fold(&value.text);
    if operator != Operator::Contains {
        return Ok(Filter::term(field, prefix + &folded));
    }
    if value.text.chars().count() < SUBSTRING_MIN_CHARS {
        let message = format!("~ needs at least {SUBSTRING_MIN_CHARS} characters.");
        return Err(QueryError::new(value.span.clone(), message).expecting(["a longer text"]));
    }
    if folded.chars().nth(SUBSTRING_MAX_CHARS).is_some() {
        let message = format!("~ takes at most {SUBSTRING_MAX_CHARS} characters.");
        return Err(QueryError::new(value.span.clone(), message).expecting(["a shorter text"]));
    }
    Ok(Filter::Contains { field, prefix, needle: folded })
}

/// Refuses values that nothing can have: too long ones, and those with control characters, which no text is taken with.
fn check_value(value: &Value) -> Result<(), QueryError> {
    if value.text.chars().any(char::is_control) {
        let message = "There is a control character in this, which no text has.";
        return Err(QueryError::new(value.span.clone(), message));
    }
    if value.text.chars().nth(VALUE_MAX_CHARS).is_some() {
        let message = format!("This is longer than {VALUE_MAX_CHARS} characters.");
        return Err(QueryError::new(value.span.clone(), message));
    }
    Ok(())
}

fn wrong<T: Into<String>>(value: &Value, what: &str, expected: impl IntoIterator<Item = T>) -> QueryError {
    QueryError::new(value.span.clone(), format!("{} {what}.", shorten(&value.text))).expecting(expected)
}

/// Enough of a user's text to recognise it in a message.
fn shorten(text: &str) -> String {
    let mut short = card_numbers::shown(text, SHOWN_CHARS_MAX);
    if text.chars().nth(SHOWN_CHARS_MAX).is_some() {
        short.push('…');
    }
    if short.is_empty() { "An empty text".to_owned() } else { short }
}
