//! `route`, `match` and `not`: conditions, each with a value or a list of them.

use std::ops::RangeInclusive;

use super::field::Field;
use super::section::Section;
use super::words::shown;
use crate::domain::card::Brand;
use crate::domain::country::Country;
use crate::domain::currency::Currency;
use crate::domain::ids::CustomerId;
use crate::domain::metadata::KEYS_MAX;
use crate::domain::payment::OperationName;
use crate::domain::payment_kind::PaymentKind;
use crate::domain::test_cards::TestCard;
use crate::simulator::scenario::{Conditions, Method, Pattern};

/// The conditions of a route: those on which all operations of a payment agree.
pub(super) const ROUTE_KEYS: [&str; 5] = ["kind", "currency", "amount_minor", "brand", "country"];
/// The conditions of a rule.
pub(super) const MATCH_KEYS: [&str; 16] = [
    "kind",
    "operation",
    "currency",
    "amount_minor",
    "brand",
    "country",
    "card",
    "last4",
    "attempt",
    "customer",
    "metadata",
    "hour",
    "cents",
    "holder",
    "email",
    "method",
];
/// What a range may have.
pub(super) const RANGE_KEYS: [&str; 2] = ["min", "max"];

/// The kinds of payment that somebody outside is asked about.
pub(super) const KINDS: [(&str, PaymentKind); 3] = [
    (PaymentKind::Charge.as_str(), PaymentKind::Charge),
    (PaymentKind::TopUp.as_str(), PaymentKind::TopUp),
    (PaymentKind::Payout.as_str(), PaymentKind::Payout),
];

/// What an amount may be.
const AMOUNT_MINOR: RangeInclusive<i64> = 0..=i64::MAX;
/// What the number of an attempt may be.
const ATTEMPT: RangeInclusive<i64> = 1..=65_535;
/// What an hour may be.
const HOUR: RangeInclusive<i64> = 0..=23;
/// What cents may be.
const CENTS: RangeInclusive<i64> = 0..=99;
/// The longest pattern, in characters.
const PATTERN_CHARS_MAX: usize = 500;

/// The conditions in a table.
pub(super) fn conditions(section: &Section<'_>) -> Conditions {
    let brands = Brand::ALL.map(|brand| (brand.as_str(), brand));
    let methods = Method::ALL.map(|method| (method.as_str(), method));
    let operations = OperationName::ALL.map(|operation| (operation.as_str(), operation));
    let bounds = |key: &str, allowed| section.get(key).and_then(|field| range(&field, allowed));
    Conditions {
        kinds: section.each("kind", kind),
        operations: section.each("operation", |field| field.word("operation", &operations)),
        currencies: section.each("currency", currency),
        amount_minor: bounds("amount_minor", &AMOUNT_MINOR),
        brands: section.each("brand", |field| field.word("brand", &brands)),
        countries: section.each("country", country),
        cards: section.each("card", card),
        last4: section.each("last4", last4).concat(),
        attempts: bounds("attempt", &ATTEMPT),
        customers: section.each("customer", customer),
        metadata: section.get("metadata").map(|metadata| pairs(&metadata)).unwrap_or_default(),
        hours: bounds("hour", &HOUR),
        cents: section.each("cents", |field| u8::try_from(field.whole(&CENTS)?).ok()),
        holders: section.each("holder", pattern),
        emails: section.each("email", pattern),
        methods: section.each("method", |field| field.word("method", &methods)),
    }
}

/// The conditions under `match`; none if it is not given.
pub(super) fn matched(section: &Section<'_>) -> Conditions {
    let when = section.get("match").and_then(|when| Section::of(&when, &MATCH_KEYS));
    when.map(|when| conditions(&when)).unwrap_or_default()
}

/// The conditions under `not`: a table of them, or a list of such tables.
pub(super) fn exclusions(section: &Section<'_>) -> Vec<Conditions> {
    let exclusion = |field: &Field<'_>| {
        let section = Section::of(field, &MATCH_KEYS)?;
        if MATCH_KEYS.iter().all(|key| section.get(key).is_none()) {
            section.refuse("is empty, and would leave out everything");
        }
        Some(conditions(&section))
    };
    let tables = section.get("not").map(|not| not.one_or_more()).unwrap_or_default();
    tables.iter().filter_map(exclusion).collect()
}

/// A text, or the beginning of one with `*` behind it.
fn pattern(field: &Field<'_>) -> Option<Pattern> {
    let text = field.text()?;
    if text.trim().is_empty() || text.chars().count() > PATTERN_CHARS_MAX {
        field.refuse(format!("must have 1 to {PATTERN_CHARS_MAX} characters"));
        return None;
    }
    Some(Pattern::new(text))
}

fn customer(field: &Field<'_>) -> Option<CustomerId> {
    let text = field.text()?;
    let customer = text.parse().ok();
    if customer.is_none() {
        field.refuse(format!("expected the id of a customer such as cus_…, not {:?}", shown(text)));
    }
    customer
}

/// Keys of metadata, each with a value or a list of values.
fn pairs(field: &Field<'_>) -> Vec<(String, Vec<String>)> {
    let Some(section) = Section::any(field) else { return Vec::new() };
    let keys = section.keys();
    if keys.is_empty() {
        field.refuse("names nothing; leave it out to allow everything");
    }
    if keys.len() > KEYS_MAX {
        field.refuse(format!("there may be at most {KEYS_MAX} keys, not {}", keys.len()));
        return Vec::new();
    }
    let values = |key: &str| section.each(key, |value| value.text().map(str::to_owned));
    keys.into_iter().map(|key| (key.to_owned(), values(key))).collect()
}

fn kind(field: &Field<'_>) -> Option<PaymentKind> {
    if field.text()? == PaymentKind::Transfer.as_str() {
        field.refuse("transfers stay within Paystorm: nobody outside is asked about them");
        return None;
    }
    field.word("kind", &KINDS)
}

fn currency(field: &Field<'_>) -> Option<Currency> {
    let text = field.text()?;
    let currency: Option<Currency> = text.parse().ok();
    if currency.is_none() {
        let problem = format!("expected a currency of ISO 4217 such as eur, not {:?}", shown(text));
        field.refuse(problem);
    }
    currency
}

fn country(field: &Field<'_>) -> Option<Country> {
    let text = field.text()?;
    let country = Country::parse(text);
    if country.is_none() {
        let problem = format!("expected two capital letters of ISO 3166-1 such as IE, not {:?}", shown(text));
        field.refuse(problem);
    }
    country
}

/// A published number or token. A number that is not published may be somebody's, and is not repeated.
fn card(field: &Field<'_>) -> Option<u16> {
    let text = field.text()?;
    let number: String = text.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
    let card = TestCard::by_number(&number).or_else(|| TestCard::by_token(text));
    if card.is_none() {
        field.refuse("expected the number or token of a test card, such as pm_card_visa (docs/dialect.md)");
    }
    card.map(|card| card.code)
}

/// All published cards with these last four digits.
fn last4(field: &Field<'_>) -> Option<Vec<u16>> {
    let text = field.text()?;
    if text.len() != 4 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        field.refuse("expected four digits such as \"4242\"");
        return None;
    }
    let cards: Vec<u16> =
        TestCard::all().filter(|card| card.number.ends_with(text)).map(|card| card.code).collect();
    if cards.is_empty() {
        field.refuse("no test card ends in these digits");
        return None;
    }
    Some(cards)
}

/// A number, or `{ min, max }` with at least one of the two.
fn range(field: &Field<'_>, allowed: &RangeInclusive<i64>) -> Option<RangeInclusive<i64>> {
    if !field.is_table() {
        return field.whole(allowed).map(|exact| exact..=exact);
    }
    let section = Section::of(field, &RANGE_KEYS)?;
    let (from, to) = (section.get("min"), section.get("max"));
    if from.is_none() && to.is_none() {
        section.refuse("needs min, max or both");
        return None;
    }
    let min = from.map_or(Some(*allowed.start()), |from| from.whole(allowed));
    let max = to.as_ref().map_or(Some(*allowed.end()), |to| to.whole(allowed));
    let (min, max) = min.zip(max)?;
    if let Some(to) = to.filter(|_| max < min) {
        to.refuse(format!("must not be below min, {min}"));
    }
    Some(min..=max)
}
