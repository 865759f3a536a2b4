//! Amounts as pages show them and people write them: `12.50`, `€1,234.50`, `12,50 €`, `5000 XOF`. Pure.

use super::filter::{Filter, NumberField, TermField};
use super::range::range;
use super::syntax::Operator;
use crate::domain::currency::Currency;

/// The symbols that the pages write before amounts.
const SYMBOLS: &[(char, &str)] =
    &[('€', "EUR"), ('$', "USD"), ('£', "GBP"), ('¥', "JPY"), ('₹', "INR"), ('₩', "KRW")];

/// An amount as shown, in whatever currency it could be of: a symbol or the number of its decimals says which.
pub(super) fn amount(text: &str, field: NumberField, operator: Operator) -> Option<Filter> {
    let (symbol, digits) = without_symbol(text);
    if let Some(currency) = symbol {
        return of(currency, digits, field, operator);
    }
    let number = split(digits).filter(Number::says_amount)?;
    let candidates = [0, 2, 3].into_iter().filter_map(|decimals| {
        Some(Filter::All(vec![written_with(decimals), number.range(decimals, field, operator)?]))
    });
    let candidates: Vec<Filter> = candidates.collect();
    (!candidates.is_empty()).then_some(Filter::Any(candidates))
}

/// An amount whose currency stands apart from it, on either side: `12.50 €`, `€ 12.50`, `5000 XOF`, `JPY 1250`.
pub(super) fn amount_in_two(first: &str, second: &str) -> Option<Filter> {
    let named = |text: &str| symbol_alone(text).or_else(|| code(text));
    let (currency, text) = named(second).map(|currency| (currency, first)).or_else(|| {
        let currency = named(first)?;
        Some((currency, second))
    })?;
    let (symbol, digits) = without_symbol(text);
    if symbol.is_some_and(|symbol| symbol != currency) {
        return None;
    }
    of(currency, digits, NumberField::Amount, Operator::Is)
}

/// A currency by its code in capitals, as the pages write it.
pub(super) fn code(text: &str) -> Option<Currency> {
    let capitals = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase());
    text.parse().ok().filter(|_| capitals)
}

/// Whether more characters could make an amount of a text that is none yet.
pub(super) fn may_become_amount(text: &str) -> bool {
    let (symbol, digits) = without_symbol(text);
    match digits.strip_suffix(['.', ',']) {
        Some(whole) => split(whole).is_some(),
        None => digits.is_empty() && (symbol.is_some() || !text.is_empty()),
    }
}

fn of(currency: Currency, digits: &str, field: NumberField, operator: Operator) -> Option<Filter> {
    // A decimal sign that nothing follows yet.
    let number = split(digits.strip_suffix(['.', ',']).unwrap_or(digits))?;
    let amount = number.range(currency.decimals(), field, operator)?;
    Some(Filter::All(vec![Filter::term(TermField::Currency, currency.lower()), amount]))
}

fn by_symbol(symbol: char) -> Option<Currency> {
    SYMBOLS.iter().find(|(known, _)| *known == symbol).and_then(|(_, code)| code.parse().ok())
}

fn symbol_alone(text: &str) -> Option<Currency> {
    let mut chars = text.chars();
    let symbol = chars.next()?;
    by_symbol(symbol).filter(|_| chars.next().is_none())
}

/// The currency of the symbol before or behind an amount, and the rest without the sign of money that came in or went out.
fn without_symbol(text: &str) -> (Option<Currency>, &str) {
    let text = text.strip_prefix(['+', '−']).unwrap_or(text);
    let mut chars = text.chars();
    if let Some(currency) = chars.next().and_then(by_symbol) {
        return (Some(currency), chars.as_str());
    }
    let mut chars = text.chars();
    match chars.next_back().and_then(by_symbol) {
        Some(currency) => (Some(currency), chars.as_str()),
        None => (None, text),
    }
}

/// The currency is one of those written with this many decimals; two is what all others have.
fn written_with(decimals: u32) -> Filter {
    let terms = |decimals| {
        Currency::with_decimals(decimals).map(|currency| Filter::term(TermField::Currency, currency.lower()))
    };
    match decimals {
        2 => Filter::Not(Box::new(Filter::Any(terms(0).chain(terms(3)).collect()))),
        _ => Filter::Any(terms(decimals).collect()),
    }
}

/// The digits before and after the decimal sign.
#[derive(Debug, PartialEq, Eq)]
struct Number {
    whole: String,
    fraction: String,
    grouped: bool,
}

impl Number {
    /// A bare number is an amount only where a currency stands by it.
    fn says_amount(&self) -> bool {
        self.grouped || !self.fraction.is_empty()
    }

    fn range(&self, decimals: u32, field: NumberField, operator: Operator) -> Option<Filter> {
        let width = usize::try_from(decimals).ok().filter(|width| self.fraction.len() <= *width)?;
        let minor = format!("{}{:0<width$}", self.whole, self.fraction).parse::<i64>().ok()?;
        Some(range(field, operator, minor..minor.saturating_add(1)))
    }
}

/// Reads digits with groups and a decimal sign. Three digits after a comma are a group, as the pages write it; after a
/// point they are decimals.
fn split(text: &str) -> Option<Number> {
    let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = match (text.rfind('.'), text.rfind(',')) {
        (Some(point), Some(comma)) if comma > point => (text.get(..comma)?, text.get(comma + 1..)?),
        (Some(point), _) => (text.get(..point)?, text.get(point + 1..)?),
        (None, Some(comma)) if text.len() - comma != 4 => (text.get(..comma)?, text.get(comma + 1..)?),
        (None, _) => (text, ""),
    };
    if fraction.len() > 3 || (whole.len() < text.len() && !is_digits(fraction)) {
        return None;
    }
    let groups: Vec<&str> = whole.split([',', '.']).collect();
    let (first, others) = groups.split_first()?;
    let grouped = is_digits(first) && others.iter().all(|group| group.len() == 3 && is_digits(group));
    let first_fits = others.is_empty() || first.len() <= 3;
    (grouped && first_fits && whole.len() <= 20).then(|| Number {
        whole: groups.concat(),
        fraction: fraction.to_owned(),
        grouped: !others.is_empty(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::money::Money;

    #[test]
    fn amounts_are_read_as_shown() {
        for (text, wanted) in [
            ("12.50", Some(("12", "50"))),
            ("12,50", Some(("12", "50"))),
            ("12.5", Some(("12", "5"))),
            ("1.250", Some(("1", "250"))),
            ("1,250", Some(("1250", ""))),
            ("1,234.50", Some(("1234", "50"))),
            ("1.234,50", Some(("1234", "50"))),
            ("1,234,567.89", Some(("1234567", "89"))),
            ("1250", None),
            ("1,23,456", None),
            ("12.", None),
            (".50", None),
            ("1.2.3", None),
            ("12.5000", None),
            ("x.50", None),
        ] {
            let found = split(text).filter(Number::says_amount);
            let found = found.as_ref().map(|number| (number.whole.as_str(), number.fraction.as_str()));
            assert_eq!(found, wanted, "{text}");
        }
    }

    #[test]
    fn the_symbols_are_those_of_the_pages() {
        for currency in Currency::all() {
            let shown = Money::new(1, currency).symbol();
            let known = SYMBOLS.iter().find(|(_, code)| *code == currency.code());
            assert_eq!(known.map_or(String::new(), |(symbol, _)| symbol.to_string()), shown, "{currency}");
        }
    }

    #[test]
    fn a_currency_is_named_on_either_side() {
        let in_currency = |code: &str, minor: i64| {
            let amount = range(NumberField::Amount, Operator::Is, minor..minor + 1);
            Some(Filter::All(vec![Filter::term(TermField::Currency, code), amount]))
        };
        for text in ["€12.50", "12.50€", "12,50€", "+€12.50", "−€12.50", "€12.5"] {
            assert_eq!(amount(text, NumberField::Amount, Operator::Is), in_currency("eur", 1_250), "{text}");
        }
        assert_eq!(amount("€12.", NumberField::Amount, Operator::Is), in_currency("eur", 1_200));
        for (first, second, code, minor) in [
            ("12,50", "€", "eur", 1_250),
            ("€", "12.50", "eur", 1_250),
            ("€12.50", "EUR", "eur", 1_250),
            ("5000", "XOF", "xof", 5_000),
            ("12,500", "XOF", "xof", 12_500),
            ("1.250", "KWD", "kwd", 1_250),
            ("JPY", "1250", "jpy", 1_250),
            ("12", "CHF", "chf", 1_200),
        ] {
            assert_eq!(amount_in_two(first, second), in_currency(code, minor), "{first} {second}");
        }
        for (first, second) in [("€12.50", "USD"), ("12.505", "EUR"), ("12.50", "eur"), ("coffee", "EUR")] {
            assert_eq!(amount_in_two(first, second), None, "{first} {second}");
        }
    }

    #[test]
    fn amounts_may_be_half_typed() {
        for half in ["12.", "1,234.", "€", "€12.", "+", "−"] {
            assert!(may_become_amount(half), "{half}");
        }
        for wrong in ["", "twelve", "12.50x", "1.2.3."] {
            assert!(!may_become_amount(wrong), "{wrong}");
        }
    }
}
