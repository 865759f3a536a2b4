//! Cards: the check digit, and what is reduced to what or refused.

use proptest::prelude::*;

use crate::domain::card::{Card, CardDetails, CardError, TEST_CARDS, TestCard, YearMonth, luhn};

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
        // Well-formed, so that it may be real: never accepted.
        ("4111111111111111", 12, 2030, None, Some(CardError::NotATestCard)),
        ("5105105105105100", 12, 2030, None, Some(CardError::NotATestCard)),
    ];
    for (number, month, year, cvc, wanted) in rows {
        let found = reduce(number, *month, *year, *cvc);
        assert_eq!(found.err(), *wanted, "{number:?} {month}/{year} {cvc:?}");
    }
}

#[test]
fn what_is_kept_names_the_card_and_no_more() {
    let card = reduce("4000056655665556", 12, 2030, Some("123")).unwrap();
    assert_eq!((card.first6(), card.last4(), card.brand().as_str()), ("400005", "5556", "visa"));
    assert_eq!((card.exp_month, card.exp_year, card.cvc_sent), (12, 2030, true));
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
    let mut codes = std::collections::HashSet::new();
    for card in TEST_CARDS {
        assert!(codes.insert(card.code), "code {} twice", card.code);
        assert_eq!(TestCard::by_code(card.code), Some(card));
        assert_eq!(TestCard::by_token(&format!("pm_card_{}", card.token)), Some(card));
        assert_eq!(TestCard::by_token(&format!("tok_{}", card.token)), Some(card));
        if !card.number.is_empty() {
            assert!(luhn(card.number), "{}", card.token);
            assert_eq!(reduce(card.number, 12, 2030, Some("123")).map(|card| card.code), Ok(card.code));
        }
        let from_token = Card::from_token(&format!("pm_card_{}", card.token), &KEY, TODAY).unwrap();
        assert_eq!((from_token.code, from_token.exp_year), (card.code, 2028));
    }
    assert_eq!(TestCard::by_number(""), None, "a token-only card has no number");
    assert_eq!(Card::from_token("pm_card_", &KEY, TODAY), Err(CardError::UnknownToken));
    assert_eq!(Card::from_token("visa", &KEY, TODAY), Err(CardError::UnknownToken));
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
