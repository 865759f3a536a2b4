//! Cards: the check digit, the reduction of details, and what is refused.

use std::collections::HashSet;

use proptest::prelude::*;

use crate::domain::card::{Card, CardDetails, CardError, Check, CheckResults, YearMonth, luhn};
use crate::domain::country::Country;
use crate::domain::ids::MethodId;
use crate::domain::instrument::{Instrument, Presented, PresentedCard};
use crate::domain::test_cards::TestCard;

const KEY: [u8; 32] = [7; 32];
const TODAY: YearMonth = YearMonth { year: 2026, month: 6 };

fn reduce(number: &str, exp_month: i64, exp_year: i64, cvc: Option<&str>) -> Result<Card, CardError> {
    Card::reduce(&CardDetails { number, exp_month, exp_year, cvc }, &KEY, TODAY)
}

/// Number, month, year, security code, and what is wrong with them.
type Row = (&'static str, i64, i64, Option<&'static str>, Option<CardError>);

#[test]
fn the_reduction_table() {
    let visa = "4242424242424242";
    let amex = "378282246310005";
    let rows: &[Row] = &[
        (visa, 12, 2030, Some("123"), None),
        ("4242 4242-4242 4242", 12, 2030, Some("123"), None),
        (visa, 6, 2026, None, None),
        (amex, 1, 2027, Some("1234"), None),
        (amex, 1, 2027, Some("123"), None),
        (visa, 13, 2030, None, Some(CardError::InvalidExpiryMonth)),
        (visa, 0, 2030, None, Some(CardError::InvalidExpiryMonth)),
        (visa, -1, 2030, None, Some(CardError::InvalidExpiryMonth)),
        (visa, 5, 2026, None, Some(CardError::InvalidExpiryMonth)),
        (visa, 12, 2025, None, Some(CardError::InvalidExpiryYear)),
        (visa, 12, 30, None, Some(CardError::InvalidExpiryYear)),
        (visa, 12, 2077, None, Some(CardError::InvalidExpiryYear)),
        (visa, 12, i64::MAX, None, Some(CardError::InvalidExpiryYear)),
        (visa, 12, 2030, Some("12"), Some(CardError::InvalidCvc)),
        (visa, 12, 2030, Some("1234"), Some(CardError::InvalidCvc)),
        (visa, 12, 2030, Some("12a"), Some(CardError::InvalidCvc)),
        (visa, 12, 2030, Some(""), Some(CardError::InvalidCvc)),
        ("4242424242424241", 12, 2030, None, Some(CardError::IncorrectNumber)),
        ("", 12, 2030, None, Some(CardError::IncorrectNumber)),
        ("4242", 12, 2030, None, Some(CardError::IncorrectNumber)),
        ("42424242424242424242424242", 12, 2030, None, Some(CardError::IncorrectNumber)),
        ("４２４２424242424242", 12, 2030, None, Some(CardError::IncorrectNumber)),
        // Well-formed, so they may be real: never accepted.
        ("4111111111111111", 12, 2030, None, Some(CardError::NotATestCard)),
        ("5454545454545454", 12, 2030, None, Some(CardError::NotATestCard)),
    ];
    for (number, month, year, cvc, wanted) in rows {
        let reduced = reduce(number, *month, *year, *cvc);
        assert_eq!(reduced.err(), *wanted, "{number:?} {month}/{year} {cvc:?}");
    }
}

#[test]
fn what_is_kept_names_the_card_and_no_more() {
    let card = reduce("4000056655665556", 12, 2030, Some("123")).unwrap();
    assert_eq!(
        (card.first6().as_str(), card.last4().as_str(), card.brand.as_str()),
        ("400005", "5556", "visa")
    );
    assert_eq!((card.funding.as_str(), card.country.as_str()), ("debit", "US"));
    assert_eq!((card.exp_month, card.exp_year, card.checks.cvc), (12, 2030, Some(Check::Pass)));
    let again = reduce("4000-0566-5566-5556", 11, 2031, None).unwrap();
    assert_eq!(card.fingerprint, again.fingerprint, "the same number");
    assert_ne!(card.fingerprint, reduce("4242424242424242", 12, 2030, None).unwrap().fingerprint);
    let details = CardDetails { number: "4000056655665556", exp_month: 12, exp_year: 2030, cvc: None };
    let elsewhere = Card::reduce(&details, &[8; 32], TODAY).unwrap();
    assert_ne!(card.fingerprint, elsewhere.fingerprint, "another installation's key");
    let error = reduce("4111111111111111", 12, 2030, Some("987")).unwrap_err().to_string();
    assert!(!error.contains("4111") && !error.contains("987"), "{error}");
}

#[test]
fn the_list_is_sound() {
    let (mut codes, mut numbers, mut tokens) = (HashSet::new(), HashSet::new(), HashSet::new());
    for card in TestCard::all() {
        assert!(codes.insert(card.code), "code {} twice", card.code);
        assert_eq!(TestCard::by_code(card.code), Some(card));
        assert!(!card.tokens.is_empty(), "code {} has no alias", card.code);
        for token in card.tokens {
            assert!(tokens.insert(token), "{token} twice");
            assert_eq!(TestCard::by_token(&format!("pm_card_{token}")), Some(card));
            assert_eq!(TestCard::by_token(&format!("tok_{token}")), Some(card));
        }
        assert!(
            card.country != Country::in_table("")
                && Country::parse(card.country.as_str()) == Some(card.country)
        );
        if !card.number.is_empty() {
            assert!(numbers.insert(card.number), "{} twice", card.number);
            assert!(luhn(card.number), "{}", card.token());
            assert_eq!(reduce(card.number, 12, 2030, Some("123")).map(|card| card.listed), Ok(card.code));
        }
        let from_token = Card::from_token(&format!("pm_card_{}", card.token()), &KEY, TODAY).unwrap();
        assert_eq!((from_token.listed, from_token.exp_year), (card.code, 2028));
    }
    assert_eq!(TestCard::by_number(""), None, "a token-only card has no number");
    assert_eq!(Card::from_token("pm_card_", &KEY, TODAY), Err(CardError::UnknownToken));
    assert_eq!(Card::from_token("visa", &KEY, TODAY), Err(CardError::UnknownToken));
}

#[test]
fn every_card_is_documented() {
    let page = include_str!("../../../docs/dialect.md");
    for card in TestCard::all() {
        assert!(page.contains(&format!("| {} |", card.number)) || card.number.is_empty(), "{}", card.number);
        for token in card.tokens {
            assert!(page.contains(&format!("`{token}`")), "{token}");
        }
    }
}

#[test]
fn what_a_card_is() {
    let of = |token: &str| {
        let card = TestCard::by_token(token).unwrap_or_else(|| panic!("{token} is not known"));
        (card.brand.as_str(), card.country.as_str(), card.funding.as_str(), card.risk.as_str())
    };
    for (token, wanted) in [
        ("pm_card_visa", ("visa", "US", "credit", "normal")),
        ("pm_card_us", ("visa", "US", "credit", "normal")),
        ("tok_mastercard_prepaid", ("mastercard", "US", "prepaid", "normal")),
        ("pm_card_mastercard_debit", ("mastercard", "US", "debit", "normal")),
        ("pm_card_diners", ("diners", "US", "credit", "normal")),
        ("pm_card_unionpay", ("unionpay", "CN", "credit", "normal")),
        ("pm_card_jcb", ("jcb", "JP", "credit", "normal")),
        ("pm_card_br", ("visa", "BR", "credit", "normal")),
        ("tok_gb_debit", ("visa", "GB", "debit", "normal")),
        ("pm_card_gb_mastercard", ("mastercard", "GB", "credit", "normal")),
        ("pm_card_th_credit", ("visa", "TH", "credit", "normal")),
        ("pm_card_visa_cartesBancaires", ("visa", "FR", "credit", "normal")),
        ("pm_card_riskLevelElevated", ("visa", "US", "credit", "elevated")),
        ("pm_card_riskLevelHighest", ("visa", "US", "credit", "highest")),
        ("pm_card_threeDSecure2Required", ("visa", "IE", "credit", "normal")),
    ] {
        assert_eq!(of(token), wanted, "{token}");
    }
    assert_eq!(TestCard::by_number("6205500000000000004").map(|card| card.brand.as_str()), Some("unionpay"));
    assert_eq!(TestCard::by_number("36227206271667").map(|card| card.brand.as_str()), Some("diners"));
}

#[test]
fn a_card_reads_back_with_what_came_with_it() {
    let stored = |card: &PresentedCard| rmp_serde::to_vec(card).unwrap();
    let plain = PresentedCard::from(reduce("4242424242424242", 12, 2030, Some("123")).unwrap());
    assert_eq!(stored(&plain).first(), Some(&0x91), "nothing but the card");
    let method = MethodId::from_bytes([5; 16]);
    let presented = Presented::OFF_SESSION.naming(u64::MAX).with_method(method);
    for card in [plain, PresentedCard { presented, ..plain }] {
        assert_eq!(rmp_serde::from_slice::<PresentedCard>(&stored(&card)).unwrap(), card);
    }
}

#[test]
fn an_address_counts_for_later_attempts_and_flags_do_not() {
    let card = reduce("4000000000000010", 12, 2030, Some("123")).unwrap();
    assert_eq!((card.checks.postal, card.checks.line1), (None, None), "no address came");
    let first = Presented::OFF_SESSION.with(Presented::POSTAL).naming(u64::MAX);
    let with = Instrument::from(card).presented_again(first);
    let checks = with.card().unwrap().checks;
    assert_eq!((checks.cvc, checks.postal, checks.line1), (Some(Check::Pass), Some(Check::Fail), None));
    let again = with.presented_again(Presented::NO_ACTION);
    assert_eq!(again.card().unwrap().checks, checks, "the address is its own");
    let Some(PresentedCard { presented, .. }) = again.presented_card() else { panic!("a card") };
    assert!(presented.has(Presented::NO_ACTION) && !presented.has(Presented::OFF_SESSION));
    assert_eq!(presented.detail, u64::MAX, "its billing details stay");
    assert_eq!(Instrument::Wallet.presented_again(first), Instrument::Wallet);
}

#[test]
fn the_results_of_checks_fit_a_byte() {
    for byte in 0..64 {
        assert_eq!(u8::from(CheckResults::from(byte)), byte);
    }
}

proptest! {
    #[test]
    fn one_wrong_digit_is_always_seen(digits in prop::collection::vec(0_u8..10, 11..18), at: prop::sample::Index, by in 1_u8..10) {
        let text = |digits: &[u8]| digits.iter().map(|digit| char::from(b'0' + digit)).collect::<String>();
        let check = (0..10).find(|check| luhn(&(text(&digits) + &check.to_string())));
        let mut number = digits.clone();
        number.push(check.expect("one check digit fits"));
        prop_assert_eq!((0..10).filter(|check: &u8| luhn(&(text(&digits) + &check.to_string()))).count(), 1);
        let slot = at.index(number.len());
        number[slot] = (number[slot] + by) % 10;
        prop_assert!(!luhn(&text(&number)));
    }

    #[test]
    fn no_details_panic(number in ".{0,24}", month: i64, year: i64, cvc in prop::option::of(".{0,6}")) {
        let _ = reduce(&number, month, year, cvc.as_deref());
    }
}
