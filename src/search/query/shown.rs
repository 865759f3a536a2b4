//! What people type because they see it: amounts (`12.50`, `€1,234.50`), statuses, kinds, badges and reasons in the words
//! of the pages, currencies in capitals. Only for [`super::Query::parse_as_typed`]; programs ask in the language alone.
//!
//! Where such a word stands free it may also just be a word of a text, so that both are found. A test of the pages holds
//! their words against the lists here.

use super::check::range;
use super::fields::Shape;
use super::filter::{Filter, NumberField, TermField};
use super::syntax::{Clause, Junction, Operator, Term, Value};
use crate::domain::currency::Currency;
use crate::domain::decline::DeclineReason;
use crate::domain::status::Status;
use crate::search::text::{fold, words};

/// The most words that one name on a page has.
const NAME_WORDS_MAX: usize = 5;

/// The pages' words for statuses where they are not the status's own name.
const STATUSES: &[(&str, Status)] = &[
    ("needs a card", Status::RequiresPaymentMethod),
    ("needs a payment method", Status::RequiresPaymentMethod),
    ("needs confirmation", Status::RequiresConfirmation),
    ("needs 3-d secure", Status::RequiresAction),
    ("needs 3ds", Status::RequiresAction),
    ("authorized", Status::RequiresCapture),
    ("authorised", Status::RequiresCapture),
    ("cancelled", Status::Canceled),
];

/// The pages' words for kinds, singular and plural, as nouns and as what one does.
const KINDS: &[(&str, &str)] = &[
    ("charge", "charge"),
    ("charges", "charge"),
    ("charge a card", "charge"),
    ("card charge", "charge"),
    ("card charges", "charge"),
    ("topup", "topup"),
    ("top-up", "topup"),
    ("top-ups", "topup"),
    ("add money", "topup"),
    ("added money", "topup"),
    ("transfer", "transfer"),
    ("transfers", "transfer"),
    ("send to a person", "transfer"),
    ("sent to a person", "transfer"),
    ("payout", "payout"),
    ("payouts", "payout"),
    ("pay out", "payout"),
    ("paid out", "payout"),
];

/// The pages' badges.
const BADGES: &[(&str, &str)] = &[
    ("refunded", "refunded"),
    ("partly refunded", "partially_refunded"),
    ("partially refunded", "partially_refunded"),
    ("parked", "parked"),
    ("received", "received"),
];

/// The symbols that the pages write before amounts.
const SYMBOLS: &[(char, &str)] =
    &[('€', "EUR"), ('$', "USD"), ('£', "GBP"), ('¥', "JPY"), ('₹', "INR"), ('₩', "KRW")];

/// What a free word means if it stands on the pages, together with how many of the clauses after it belong to it; `None`
/// where it is nothing but a word.
pub(super) fn text(
    value: &Value,
    clause: &Clause,
    rest: &[Clause],
    junction: Junction,
) -> (Option<Filter>, usize) {
    // A name of several words is typed as several clauses.
    let further = rest.iter().map_while(|next| match &next.term {
        Term::Text(next_value) if !next.negated && !next_value.quoted => Some(next_value),
        Term::Text(_) | Term::Field { .. } => None,
    });
    let joined = junction == Junction::And && !clause.negated && !value.quoted;
    let run: Vec<&Value> =
        std::iter::once(value).chain(further.take(if joined { NAME_WORDS_MAX - 1 } else { 0 })).collect();
    for count in (1..=run.len()).rev() {
        let taken = run.get(..count).unwrap_or_default();
        let name = taken.iter().map(|value| value.text.as_str()).collect::<Vec<_>>().join(" ");
        if let Some(named) = named(&fold(&name)) {
            return (Some(either(taken, named)), count - 1);
        }
    }
    let meant = amount(&value.text, NumberField::Amount, Operator::Is).or_else(|| currency(&value.text));
    match meant {
        Some(meant) => (Some(either(&[value], meant)), 0),
        // Dots before a card's last digits, a dash between two names: nothing to look for.
        None if words(&value.text).is_empty() && !value.text.is_empty() => (Some(Filter::All(Vec::new())), 0),
        None => (None, 0),
    }
}

/// What is meant, or the words themselves in a text.
fn either(taken: &[&Value], meant: Filter) -> Filter {
    let texts: Vec<Filter> = taken
        .iter()
        .map(|value| words(&value.text))
        .filter(|words| !words.is_empty())
        .map(Filter::Words)
        .collect();
    if texts.is_empty() { meant } else { Filter::Any(vec![meant, Filter::All(texts)]) }
}

/// What a name on the pages stands for.
fn named(name: &str) -> Option<Filter> {
    let term = |field, value: &str| Filter::term(field, value);
    status(name)
        .map(|status| term(TermField::Status, status.as_str()))
        .or_else(|| kind(name).map(|kind| term(TermField::Kind, kind)))
        .or_else(|| {
            let badge = BADGES.iter().find(|(words, _)| *words == name);
            badge.map(|(_, flag)| term(TermField::Flag, flag))
        })
        .or_else(|| {
            let reason = DeclineReason::ALL.iter().find(|reason| fold(reason.words()) == name);
            reason.map(|reason| term(TermField::DeclineCode, reason.decline_code()))
        })
}

fn status(name: &str) -> Option<Status> {
    let shown = STATUSES.iter().find(|(words, _)| *words == name).map(|(_, status)| *status);
    shown.or_else(|| Status::parse(&name.replace(' ', "_")))
}

fn kind(name: &str) -> Option<&'static str> {
    KINDS.iter().find(|(words, _)| *words == name).map(|(_, kind)| *kind)
}

fn currency(text: &str) -> Option<Filter> {
    let capitals = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase());
    let currency = text.parse::<Currency>().ok().filter(|_| capitals)?;
    Some(Filter::term(TermField::Currency, currency.lower()))
}

/// What a condition means whose value is written as on the pages; `None` leaves it to the language.
pub(super) fn condition(shape: Shape, operator: Operator, value: &str) -> Option<Filter> {
    let name = fold(value);
    match shape {
        // The dialect's words keep their meaning, which may be several statuses.
        Shape::Status => {
            let shown = STATUSES.iter().find(|(words, _)| *words == name);
            shown.map(|(_, status)| Filter::term(TermField::Status, status.as_str()))
        }
        Shape::Kind => kind(&name).map(|kind| Filter::term(TermField::Kind, kind)),
        // A whole number is one of minor units, as ever.
        Shape::Amount(field) if value.parse::<i64>().is_err() => amount(value, field, operator),
        Shape::Exact(field @ TermField::DeclineCode) => {
            let reason = DeclineReason::ALL.iter().find(|reason| fold(reason.words()) == name)?;
            Some(Filter::term(field, reason.decline_code()))
        }
        Shape::Amount(_)
        | Shape::Currency
        | Shape::Brand
        | Shape::Digits(..)
        | Shape::Fingerprint
        | Shape::PaymentId
        | Shape::RefundId
        | Shape::AccountId
        | Shape::Exact(_)
        | Shape::Text(_)
        | Shape::Metadata
        | Shape::Time(_)
        | Shape::Flag(_) => None,
    }
}

/// An amount as shown, in whatever currency it could be of: the number of its decimals says which.
fn amount(text: &str, field: NumberField, operator: Operator) -> Option<Filter> {
    let symbol = SYMBOLS.iter().find(|(symbol, _)| text.starts_with(*symbol));
    let digits = symbol.and_then(|(symbol, _)| text.strip_prefix(*symbol)).unwrap_or(text);
    let (whole, fraction) = split(digits, symbol.is_some())?;
    let of = |decimals: u32| {
        let width = usize::try_from(decimals).ok().filter(|width| fraction.len() <= *width)?;
        let minor = format!("{whole}{fraction:0<width$}").parse::<i64>().ok()?;
        Some(range(field, operator, minor..minor.saturating_add(1)))
    };
    if let Some((_, code)) = symbol {
        let currency: Currency = code.parse().ok()?;
        let currency_is = Filter::term(TermField::Currency, currency.lower());
        return Some(Filter::All(vec![currency_is, of(currency.decimals())?]));
    }
    let candidates = [0, 2, 3].into_iter().filter_map(|decimals| {
        let amount = of(decimals)?;
        Some(Filter::All(vec![written_with(decimals), amount]))
    });
    let candidates: Vec<Filter> = candidates.collect();
    (!candidates.is_empty()).then_some(Filter::Any(candidates))
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

/// The digits before and after the decimal sign. Three digits after a comma are a group, as the pages write it; after a
/// point they are decimals. A bare number is an amount only behind a symbol.
fn split(text: &str, symbol: bool) -> Option<(String, String)> {
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
    let says_amount = symbol || !fraction.is_empty() || !others.is_empty();
    (grouped && first_fits && says_amount && whole.len() <= 20)
        .then(|| (groups.concat(), fraction.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::Query;

    fn typed(text: &str) -> Filter {
        Query::parse_as_typed(text).unwrap_or_else(|error| panic!("{text}: {error:?}")).filter().clone()
    }

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
            let found = split(text, false);
            let found = found.as_ref().map(|(whole, fraction)| (whole.as_str(), fraction.as_str()));
            assert_eq!(found, wanted, "{text}");
        }
        assert_eq!(split("1250", true), Some(("1250".to_owned(), String::new())));
    }

    #[test]
    fn a_symbol_names_the_currency() {
        let amount = |minor| range(NumberField::Amount, Operator::Is, minor..minor + 1);
        let in_currency =
            |code: &str, minor| Filter::All(vec![Filter::term(TermField::Currency, code), amount(minor)]);
        let wanted = |meant, text: &str| {
            let texts = Filter::All(vec![Filter::Words(words(text))]);
            Filter::All(vec![Filter::Any(vec![meant, texts])])
        };
        assert_eq!(typed("€12.50"), wanted(in_currency("eur", 1_250), "12.50"));
        assert_eq!(typed("€12"), wanted(in_currency("eur", 1_200), "12"));
        assert_eq!(typed("€1,234.50"), wanted(in_currency("eur", 123_450), "1,234.50"));
        assert_eq!(typed("¥12,500"), wanted(in_currency("jpy", 12_500), "12,500"));
        assert_eq!(
            typed("amount>=€12.50"),
            Filter::All(vec![Filter::All(vec![
                Filter::term(TermField::Currency, "eur"),
                range(NumberField::Amount, Operator::AtLeast, 1_250..1_251),
            ])])
        );
    }

    #[test]
    fn an_amount_without_a_symbol_is_one_of_each_precision() {
        let Filter::All(clauses) = typed("amount:12.50") else { panic!("a list") };
        let [Filter::Any(candidates)] = clauses.as_slice() else { panic!("{clauses:?}") };
        let minors: Vec<_> = candidates
            .iter()
            .map(|candidate| match candidate {
                Filter::All(parts) => parts[1].clone(),
                other => panic!("{other:?}"),
            })
            .collect();
        let wanted = |minor: i64| range(NumberField::Amount, Operator::Is, minor..minor + 1);
        assert_eq!(minors, [wanted(1_250), wanted(12_500)]);
        // Minor units stay what they are.
        assert_eq!(typed("amount:1250"), Query::parse("amount:1250").unwrap().filter().clone());
    }

    #[test]
    fn names_on_pages_mean_what_they_name() {
        let meant = |text: &str| match typed(text) {
            Filter::All(clauses) => match clauses.as_slice() {
                [Filter::Any(either)] => either.first().cloned(),
                [only] => Some(only.clone()),
                _ => None,
            },
            _ => None,
        };
        let status = |status: Status| Some(Filter::term(TermField::Status, status.as_str()));
        let kind = |kind: &str| Some(Filter::term(TermField::Kind, kind));
        for (text, wanted) in [
            ("authorized", status(Status::RequiresCapture)),
            ("Authorised", status(Status::RequiresCapture)),
            ("declined", status(Status::Declined)),
            ("needs 3-D Secure", status(Status::RequiresAction)),
            ("\"needs 3-D Secure\"", status(Status::RequiresAction)),
            ("status:authorized", status(Status::RequiresCapture)),
            ("added money", kind("topup")),
            ("Sent to a person", kind("transfer")),
            ("payouts", kind("payout")),
            ("kind:\"added money\"", kind("topup")),
            ("insufficient funds", Some(Filter::term(TermField::DeclineCode, "insufficient_funds"))),
            ("partly refunded", Some(Filter::term(TermField::Flag, "partially_refunded"))),
            ("EUR", Some(Filter::term(TermField::Currency, "eur"))),
        ] {
            assert_eq!(meant(text), wanted, "{text}");
        }
        // Elsewhere they are words.
        assert_eq!(typed("coffee eur"), Query::parse("coffee eur").unwrap().filter().clone());
        assert!(Query::parse("status:authorized").is_err());
    }

    #[test]
    fn what_is_half_typed_counts_when_it_is_finished() {
        for (text, same) in [
            ("coffee status:", "coffee"),
            ("coffee amount>", "coffee"),
            ("coffee amount>=", "coffee"),
            ("coffee -", "coffee"),
            ("coffee -status:", "coffee"),
            ("coffee AND", "coffee"),
            ("a OR b OR", "a OR b"),
            ("coffee metadata[", "coffee"),
            ("coffee metadata[\"or", "coffee"),
            ("coffee metadata[\"order\"", "coffee"),
            ("coffee metadata[\"order\"]", "coffee"),
            ("coffee metadata['order']:", "coffee"),
            ("coffee \"", "coffee"),
            ("coffee \"iced te", "coffee \"iced te\""),
            ("description:\"iced te", "description:\"iced te\""),
            ("coffee 'iced te", "coffee \"iced te\""),
            ("status:", ""),
            ("-", ""),
            ("OR", ""),
            ("\"", ""),
        ] {
            assert_eq!(typed(text), Query::parse(same).unwrap().filter().clone(), "{text}");
            assert!(Query::parse(text).is_err(), "{text} is an error for programs");
        }
        for text in ["stauts:succeeded", "amount > 5", "status:done", "(a)", "a AND b OR c"] {
            assert!(Query::parse_as_typed(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_pages_put_between_names_is_nothing_to_look_for() {
        assert_eq!(
            typed("Mastercard •••• 4444"),
            Filter::All(vec![
                Filter::Words(vec!["mastercard".to_owned()]),
                Filter::All(Vec::new()),
                Filter::Words(vec!["4444".to_owned()]),
            ])
        );
    }
}
