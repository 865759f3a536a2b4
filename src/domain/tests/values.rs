//! Money, ids and ledger keys: values that are written read back the same. The amounts that docs/dialect.md lists are those of the code.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use crate::domain::amounts::{self, AmountProblem};
use crate::domain::currency::Currency;
use crate::domain::ids::{AccountId, PaymentId, base62_decode, base62_encode};
use crate::domain::ledger::LedgerAccount;
use crate::domain::money::{AmountError, Money};
use crate::domain::wallet::WalletId;

fn currency() -> impl Strategy<Value = Currency> {
    prop::sample::select(Currency::all())
}

proptest! {
    #[test]
    fn an_amount_reads_back(amount_minor in 0..i64::MAX, currency in currency()) {
        let money = Money::new(amount_minor, currency);
        prop_assert_eq!(Money::parse_decimal(&money.decimal(), currency), Ok(money));
        let comma = money.decimal().replace('.', ",");
        let read = Money::parse_decimal(&format!(" {comma} "), currency);
        match currency.decimals() {
            3 => prop_assert!(matches!(read, Err(AmountError::Ambiguous { .. })), "{comma}"),
            _ => prop_assert_eq!(read, Ok(money)),
        }
    }

    #[test]
    fn no_text_makes_a_negative_amount_or_panics(text in ".{0,24}", currency in currency()) {
        if let Ok(money) = Money::parse_decimal(&text, currency) {
            prop_assert!(money.amount_minor >= 0);
        }
    }

    #[test]
    fn ids_keep_their_order_as_text(a: u128, b: u128) {
        let (text_a, text_b) = (base62_encode(a), base62_encode(b));
        prop_assert_eq!(text_a.cmp(&text_b), a.cmp(&b));
        prop_assert_eq!(base62_decode(&text_a), Some(a));
        let id = PaymentId::from_bytes(a.to_be_bytes());
        prop_assert_eq!(id.to_string().parse::<PaymentId>(), Ok(id));
        prop_assert_eq!(PaymentId::from_slice(id.as_bytes()), Some(id));
    }

    #[test]
    fn other_text_is_no_id(text in "[ -~]{0,30}") {
        if let Some(bits) = base62_decode(&text) {
            prop_assert_eq!(base62_encode(bits), text);
        }
    }

    #[test]
    fn ledger_keys_read_back(owner: [u8; 16], currency in currency()) {
        let wallet = WalletId { owner: AccountId::from_bytes(owner), currency };
        prop_assert_eq!(WalletId::from_key(&wallet.to_key()), Some(wallet));
        for account in [
            LedgerAccount::Wallet(wallet),
            LedgerAccount::Receivable(wallet),
            LedgerAccount::InTransit,
            LedgerAccount::Acquirer,
            LedgerAccount::Bank,
            LedgerAccount::Fees,
        ] {
            prop_assert_eq!(LedgerAccount::from_key(&account.to_key()), Some(account));
        }
    }
}

#[test]
fn amounts_of_each_precision() {
    let money = |text: &str, code: &str| Money::parse_decimal(text, code.parse().unwrap());
    let minor = |text: &str, code: &str| money(text, code).map(|money| money.amount_minor);
    assert_eq!(minor("12.50", "EUR"), Ok(1_250));
    assert_eq!(minor("12,5", "EUR"), Ok(1_250));
    assert_eq!(minor("0.01", "EUR"), Ok(1));
    assert_eq!(minor("1250", "JPY"), Ok(1_250));
    assert_eq!(minor("1.25", "KWD"), Ok(1_250));
    assert_eq!(minor("12.505", "EUR"), Err(AmountError::TooPrecise { currency: Currency::EUR, decimals: 2 }));
    assert!(matches!(minor("1.5", "JPY"), Err(AmountError::TooPrecise { decimals: 0, .. })));
    assert!(matches!(minor("1.2345", "KWD"), Err(AmountError::TooPrecise { decimals: 3, .. })));
    for text in ["", ".", ".5", "5.", "-1", "+1", "1e3", "1 000", "1.000,00", "1'000", "٣", "0x10", "NaN"] {
        assert!(matches!(minor(text, "EUR"), Err(AmountError::Malformed { .. })), "{text:?}");
    }
    for code in ["JPY", "EUR", "KWD"] {
        assert!(matches!(minor("1,250", code), Err(AmountError::Ambiguous { .. })), "{code}");
    }
    assert_eq!(minor("99999999999999999999", "EUR"), Err(AmountError::TooLarge));
    assert_eq!(Money::new(-5, Currency::EUR).decimal(), "-0.05");
}

#[test]
fn amounts_have_bounds_and_steps_of_their_currency() {
    let money = |minor: i64, code: &str| Money::new(minor, code.parse().unwrap());
    let wrong = |minor, code| amounts::check(money(minor, code)).err().map(AmountProblem::code);
    for (minor, code, wanted) in [
        (99_999_999, "EUR", None),
        (100_000_000, "EUR", Some("amount_too_large")),
        (999_999_999_999, "IDR", None),
        (1_000_000_000_000, "IDR", Some("amount_too_large")),
        (9_999_999_999, "COP", None),
        (999_999_999, "INR", None),
        (100_000_000, "VND", Some("amount_too_large")),
        (0, "EUR", Some("parameter_invalid_integer")),
        (-50, "EUR", Some("parameter_invalid_integer")),
        (1, "EUR", None),
        (500, "ISK", None),
        (550, "ISK", Some("parameter_invalid_integer")),
        (500, "UGX", None),
        (501, "UGX", Some("parameter_invalid_integer")),
        (5_120, "KWD", None),
        (5_124, "KWD", Some("parameter_invalid_integer")),
        (1, "MGA", None),
    ] {
        assert_eq!(wrong(minor, code), wanted, "{minor} {code}");
    }
    let charge = |minor, code| amounts::check_charge(money(minor, code)).err().map(AmountProblem::code);
    let small = Some("amount_too_small");
    for (minor, code, wanted) in [
        (49, "EUR", small),
        (50, "EUR", None),
        (29, "GBP", small),
        (30, "GBP", None),
        (49, "JPY", small),
        (50, "JPY", None),
        (17_499, "HUF", small),
        (17_500, "HUF", None),
        (399, "HKD", small),
        (1, "XPF", None),
    ] {
        assert_eq!(charge(minor, code), wanted, "{minor} {code}");
    }
    assert_eq!(
        amounts::check_payout(money(1_045, "HUF")).err().map(AmountProblem::code),
        Some("parameter_invalid_integer")
    );
    assert_eq!(amounts::check_payout(money(1_000, "HUF")), Ok(()));
    assert_eq!(money(500, "ISK").decimal(), "5.00");
    assert_eq!(money(500, "MGA").decimal(), "500");
}

/// The currencies that a text names.
fn currencies_in(text: &str) -> BTreeSet<Currency> {
    let words = text.split(|character: char| !character.is_ascii_alphabetic());
    let is_code = |word: &&str| word.len() == 3 && word.bytes().all(|byte| byte.is_ascii_uppercase());
    words.filter(is_code).map(|code| code.parse().expect(code)).collect()
}

/// The currencies for which this holds.
fn currencies_where(holds: impl Fn(Currency) -> bool) -> BTreeSet<Currency> {
    Currency::all().into_iter().filter(|currency| holds(*currency)).collect()
}

/// The sentence of docs/dialect.md that has these words.
fn sentence(words: &str) -> String {
    let page: Vec<&str> = include_str!("../../../docs/dialect.md").split_whitespace().collect();
    let page = page.join(" ");
    page.split(". ").find(|sentence| sentence.contains(words)).expect(words).to_owned()
}

#[test]
fn the_page_lists_the_steps_of_amounts() {
    assert_eq!(
        currencies_in(&sentence("Without decimals:")),
        currencies_where(|currency| currency.decimals() == 0)
    );
    assert_eq!(
        currencies_in(&sentence("two decimals that are always zero")),
        currencies_where(|currency| amounts::step_minor(currency) == 100)
    );
    let of_three = currencies_in(&sentence("Currencies of three decimals"));
    assert_eq!(of_three, currencies_where(|currency| currency.decimals() == 3));
    assert_eq!(of_three, currencies_where(|currency| amounts::step_minor(currency) == 10));
    assert_eq!(
        currencies_in(&sentence("are multiples of 100")),
        currencies_where(|currency| {
            let amount = Money::new(110, currency);
            amounts::check(amount).is_ok() && amounts::check_payout(amount).is_err()
        })
    );
}

#[test]
fn the_page_lists_the_smallest_charges() {
    let listed = sentence("`amount_too_small`:");
    let (_, listed) = listed.split_once("`amount_too_small`: ").expect("a list");
    let minimums = listed.split("; ").flat_map(|group| {
        let (minor, _) = group.split_once(' ').expect(group);
        let minor: i64 = minor.parse().expect(group);
        currencies_in(group).into_iter().map(move |currency| (currency, minor))
    });
    let minimums: BTreeMap<Currency, i64> = minimums.collect();
    for currency in Currency::all() {
        let minor = minimums.get(&currency).copied().unwrap_or(1);
        assert_eq!(minor, amounts::min_charge_minor(currency), "{currency}");
    }
}

#[test]
fn the_page_lists_the_most_digits() {
    let listed = sentence("Card payments hold at most");
    let counts = [("eight", 8), ("nine", 9), ("ten", 10), ("twelve", 12)];
    let digits = |text: &str| {
        let count = counts.iter().find(|(word, _)| text.split(' ').any(|part| part == *word));
        count.expect(text).1
    };
    let (usual, others) = listed.split_once(", ").expect("currencies with more");
    let more = others.split(", ").flat_map(|one| {
        let digits = digits(one);
        currencies_in(one).into_iter().map(move |currency| (currency, digits))
    });
    let more: BTreeMap<Currency, u32> = more.collect();
    for currency in Currency::all() {
        let digits = more.get(&currency).copied().unwrap_or_else(|| digits(usual));
        assert_eq!(10_i64.pow(digits) - 1, amounts::max_minor(currency), "{currency}");
    }
}

#[test]
fn ids_of_other_kinds_and_lengths_are_refused() {
    let id = PaymentId::from_bytes([0xab; 16]);
    let text = id.to_string();
    assert!(text.starts_with("pi_") && text.len() == 25);
    assert!(text.parse::<AccountId>().is_err());
    assert!(text[..24].parse::<PaymentId>().is_err());
    assert!(format!("{text}0").parse::<PaymentId>().is_err());
    assert!(format!("pi_{}", "z".repeat(22)).parse::<PaymentId>().is_err(), "more than 128 bits");
    assert!(base62_decode(&"z".repeat(22)).is_none());
}
