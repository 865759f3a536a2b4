//! Reads what people type because they see it on the pages: amounts (`12.50`, `€1,234.50`), statuses, kinds, badges and
//! reasons in their words there, currencies in capitals. Only for [`super::Query::parse_as_typed`]; programs use the language alone.
//!
//! Where such a word stands free it may also just be a word of a text, so that both are found. A test of the pages holds
//! their words against the lists here.

use super::amounts::{amount, amount_in_two, code};
use super::fields::Shape;
use super::filter::{Filter, NumberField, TermField};
use super::syntax::{Clause, Junction, Operator, Term, Value};
use crate::domain::card::Brand;
use crate::domain::decline::DeclineReason;
use crate::domain::payment_kind::PaymentKind;
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
    // The dialect's word covers what is queued, too; the pages' does not.
    ("processing", Status::Processing),
];

/// The pages' words for kinds, singular and plural, as nouns and as what one does.
const KINDS: &[(&str, PaymentKind)] = &[
    ("charge", PaymentKind::Charge),
    ("charges", PaymentKind::Charge),
    ("charge a card", PaymentKind::Charge),
    ("card charge", PaymentKind::Charge),
    ("card charges", PaymentKind::Charge),
    ("topup", PaymentKind::TopUp),
    ("top-up", PaymentKind::TopUp),
    ("top-ups", PaymentKind::TopUp),
    ("add money", PaymentKind::TopUp),
    ("added money", PaymentKind::TopUp),
    ("transfer", PaymentKind::Transfer),
    ("transfers", PaymentKind::Transfer),
    ("sent or received", PaymentKind::Transfer),
    ("payout", PaymentKind::Payout),
    ("payouts", PaymentKind::Payout),
    ("pay out", PaymentKind::Payout),
    ("paid out", PaymentKind::Payout),
];

/// The pages' words for money that went to others, which is not every transfer: some were received.
const SENT: &[&str] = &["send to a person", "sent to a person"];

/// The pages' badges.
const BADGES: &[(&str, &str)] = &[
    ("partly refunded", "partially_refunded"),
    ("partially refunded", "partially_refunded"),
    ("parked", "parked"),
    ("received", "received"),
];

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
        let amount = || match taken {
            [first, second] => amount_in_two(&first.text, &second.text),
            _ => None,
        };
        if let Some(named) = named(&fold(&name)).or_else(amount) {
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
        .or_else(|| kind(name))
        .or_else(|| badge(name))
        .or_else(|| brand(name).map(|brand| term(TermField::CardBrand, brand.as_str())))
        .or_else(|| {
            let reason = DeclineReason::ALL.into_iter().find(|reason| fold(reason.words()) == name);
            reason.map(|reason| term(TermField::DeclineCode, reason.decline_code()))
        })
}

fn status(name: &str) -> Option<Status> {
    let shown = STATUSES.iter().find(|(words, _)| *words == name).map(|(_, status)| *status);
    shown.or_else(|| Status::parse(&name.replace(' ', "_")))
}

fn kind(name: &str) -> Option<Filter> {
    let of_kind = |kind: PaymentKind| Filter::term(TermField::Kind, kind.as_str());
    if SENT.contains(&name) {
        let received = Filter::term(TermField::Flag, "received");
        return Some(Filter::All(vec![of_kind(PaymentKind::Transfer), Filter::Not(Box::new(received))]));
    }
    KINDS.iter().find(|(words, _)| *words == name).map(|(_, kind)| of_kind(*kind))
}

fn badge(name: &str) -> Option<Filter> {
    let flag = |name: &str| Filter::term(TermField::Flag, name);
    // The badge means all of it; the flag, any of it.
    if name == "refunded" {
        let in_part = Filter::Not(Box::new(flag("partially_refunded")));
        return Some(Filter::All(vec![flag("refunded"), in_part]));
    }
    BADGES.iter().find(|(words, _)| *words == name).map(|(_, name)| flag(name))
}

/// A network whose name on pages is not the word for it in documents.
fn brand(name: &str) -> Option<Brand> {
    Brand::ALL.into_iter().find(|brand| fold(brand.label()) == name && brand.as_str() != name)
}

fn currency(text: &str) -> Option<Filter> {
    code(text).map(|currency| Filter::term(TermField::Currency, currency.lower()))
}

/// Every word that a status can be asked by.
pub(super) fn status_words() -> impl Iterator<Item = &'static str> {
    STATUSES.iter().map(|(words, _)| *words).chain(Status::ALL.map(Status::as_str))
}

/// Every word that a kind can be asked by.
pub(super) fn kind_words() -> impl Iterator<Item = &'static str> {
    KINDS.iter().map(|(words, _)| *words).chain(SENT.iter().copied())
}

/// Every word that a card network can be asked by.
pub(super) fn brand_words() -> impl Iterator<Item = String> {
    Brand::ALL.into_iter().flat_map(|brand| [brand.as_str().to_owned(), fold(brand.label())])
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
        Shape::Kind => kind(&name),
        Shape::Brand => brand(&name).map(|brand| Filter::term(TermField::CardBrand, brand.as_str())),
        // A whole number is one of minor units, as ever.
        Shape::Amount(field) if value.parse::<i64>().is_err() => amount(value, field, operator),
        Shape::Exact(field @ TermField::DeclineCode) => {
            let reason = DeclineReason::ALL.into_iter().find(|reason| fold(reason.words()) == name)?;
            Some(Filter::term(field, reason.decline_code()))
        }
        Shape::Amount(_)
        | Shape::Currency
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

#[cfg(test)]
mod tests {
    use super::super::range::range;
    use super::*;
    use crate::search::Query;

    fn typed(text: &str) -> Filter {
        Query::parse_as_typed(text).unwrap_or_else(|error| panic!("{text}: {error:?}")).filter().clone()
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
        let brand = |brand: &str| Some(Filter::term(TermField::CardBrand, brand));
        let flag = |flag: &str| Filter::term(TermField::Flag, flag);
        let but = |this: Filter, not: &str| Some(Filter::All(vec![this, Filter::Not(Box::new(flag(not)))]));
        let sent = but(Filter::term(TermField::Kind, "transfer"), "received");
        let refunded = but(flag("refunded"), "partially_refunded");
        for (text, wanted) in [
            ("authorized", status(Status::RequiresCapture)),
            ("Authorised", status(Status::RequiresCapture)),
            ("declined", status(Status::Declined)),
            ("needs 3-D Secure", status(Status::RequiresAction)),
            ("\"needs 3-D Secure\"", status(Status::RequiresAction)),
            ("status:authorized", status(Status::RequiresCapture)),
            ("added money", kind("topup")),
            ("sent or received", kind("transfer")),
            ("Sent to a person", sent.clone()),
            ("kind:\"sent to a person\"", sent),
            ("status:processing", status(Status::Processing)),
            ("processing", status(Status::Processing)),
            ("refunded", refunded),
            ("Diners Club", brand("diners")),
            ("card.brand:\"Diners Club\"", brand("diners")),
            ("Carnet", brand("unknown")),
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
            ("coffee status:succ", "coffee"),
            ("coffee -status:\"needs 3", "coffee"),
            ("coffee kind:add", "coffee"),
            ("coffee currency:e", "coffee"),
            ("coffee card.brand:Vi", "coffee"),
            ("coffee card.last4:42", "coffee"),
            ("coffee card.fingerprint:0f", "coffee"),
            ("coffee id:pi_03", "coffee"),
            ("coffee refund:r", "coffee"),
            ("coffee description~ic", "coffee"),
            ("coffee metadata['order']~'4", "coffee"),
            ("coffee amount>12.", "coffee"),
            ("coffee amount:€", "coffee"),
            ("coffee created>2026-0", "coffee"),
            ("coffee refunded:tr", "coffee"),
            ("coffee NOT", "coffee"),
            ("coffee tea OR", "coffee tea"),
            ("coffee OR tea O", "coffee OR tea"),
            ("status:failed or status:declined o", "status:failed OR status:declined"),
            ("status:failed or", "status:failed"),
            ("status:", ""),
            ("-", ""),
            ("OR", ""),
            ("\"", ""),
        ] {
            assert_eq!(typed(text), Query::parse(same).unwrap().filter().clone(), "{text}");
            let unfinished = Query::parse_as_typed(text).unwrap().unfinished().to_owned();
            assert!(text.ends_with(&unfinished), "{text}: {unfinished}");
            assert!(Query::parse(text).is_err(), "{text} is an error for programs");
        }
        for text in [
            "stauts:succeeded",
            "amount > 5",
            "status:done",
            "status:\"succ\"",
            "status:succ coffee",
            "currency:xyz",
            "created>2026-13",
            "card.last4:42 coffee",
            "(a)",
            "a AND b OR c",
            "a OR b c",
        ] {
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
