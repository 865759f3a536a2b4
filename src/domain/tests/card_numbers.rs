//! Card numbers in text: found however they are written, and never mistaken for counts, dates or names.

use proptest::prelude::*;

use crate::domain::card_numbers::{HIDDEN, holds_card_number, is_card_number, masked, shown};
use crate::domain::test_cards::TestCard;

/// Numbers of every network, on the published list and off it.
const NUMBERS: [&str; 12] = [
    "4111111111111111",
    "4222222222222",
    "4000000000000000006",
    "5105105105105100",
    "2223003122003222",
    "371449635398431",
    "6011000990139424",
    "30569309025904",
    "36227206271667",
    "3530111333300000",
    "6200000000000005",
    "6205500000000000004",
];

/// The number in groups of this size with this separator, in the script with this zero.
fn written(number: &str, group: usize, separator: &str, zero: char) -> String {
    let digit = |c: char| char::from_u32(u32::from(zero) + c.to_digit(10).unwrap()).unwrap();
    let digits: Vec<char> = number.chars().map(digit).collect();
    digits.chunks(group).map(|part| part.iter().collect::<String>()).collect::<Vec<_>>().join(separator)
}

fn written_in_fours(text: &str) -> String {
    text.as_bytes().chunks(4).map(String::from_utf8_lossy).collect::<Vec<_>>().join(" ")
}

/// A network's prefix, more digits, and the right check digit.
fn number() -> impl Strategy<Value = String> {
    let networks =
        [("4", 13), ("4", 16), ("4", 19), ("51", 16), ("2720", 16), ("34", 15), ("65", 16), ("36", 14)];
    let networks = networks.into_iter().chain([("3528", 16), ("62", 19), ("62", 17)]).collect::<Vec<_>>();
    (prop::sample::select(networks), prop::collection::vec(0_u8..10, 19)).prop_map(
        |((prefix, length), fill)| {
            let fill = fill.iter().map(ToString::to_string).collect::<String>();
            let body = format!("{prefix}{}", &fill[..length - 1 - prefix.len()]);
            (0..10).map(|check| format!("{body}{check}")).find(|number| is_card_number(number)).unwrap()
        },
    )
}

#[test]
fn numbers_are_found_however_they_are_written() {
    let published = TestCard::all().map(|card| card.number).filter(|number| !number.is_empty());
    for number in NUMBERS.into_iter().chain(published) {
        assert!(is_card_number(number), "{number}");
        for (group, separator) in
            [(99, ""), (4, " "), (4, "-"), (4, "\u{a0}"), (4, " – "), (6, "\u{200b}"), (2, "\t")]
        {
            for zero in ['0', '０', '٠', '०', '𝟘'] {
                let text = written(number, group, separator, zero);
                for around in
                    [text.clone(), format!("card:{text}, thanks"), format!("no{text}x"), format!("é {text}.")]
                {
                    assert!(holds_card_number(&around), "{around}");
                    assert!(
                        !masked(&around).contains(text.chars().next().unwrap()),
                        "{around}: {}",
                        masked(&around)
                    );
                }
            }
        }
        let (off, last) = number.split_at(number.len() - 1);
        let wrong = format!("{off}{}", (last.parse::<u8>().unwrap() + 1) % 10);
        assert!(!holds_card_number(&wrong), "{wrong}");
    }
}

#[test]
fn a_number_of_the_list_is_found_within_anything() {
    for text in [
        "42424242424242421234",
        "0004242424242424242",
        "4242.4242.4242.4242",
        "4242/4242/4242/4242 12/34 123",
        "4,2,4,2,4,2,4,2,4,2,4,2,4,2,4,2",
        "42424242-4242-4242-4242-424242424242",
        "424242424242424242424242424242424242424a",
        ";4242424242424242=34121010000000000?",
    ] {
        assert!(holds_card_number(text), "{text}");
    }
    assert_eq!(masked("pay 4242.4242.4242.4242 now, 5 times"), "pay *** now, 5 times");
    assert_eq!(masked("4111 1111 1111 1111 and 5105105105105100"), "*** and ***");
    assert_eq!(masked("order 1001"), "order 1001");
}

#[test]
fn everyday_numbers_and_ids_are_no_cards() {
    for text in [
        "",
        "4242",
        "4242 4242 4242",
        // Times in milli-, micro- and nanoseconds, dates, phones, accounts, parcels, books.
        "1767225600123",
        "1767225600123456",
        "1767225600123456789",
        "20261129115231",
        "2026-11-29T11:52:31.123456Z",
        "+49 30 901820, 0170 1234567",
        "+49 1511 2345675, +4915112345675",
        "DE89 3704 0044 0532 0130 00",
        "GB29 NWBK 6016 1331 9268 19",
        "000123456789",
        "1Z 999 AA1 01 2345 6784",
        "978-3-16-148410-0",
        // Begins like a network's number, but within a longer one, or torn apart.
        "941111111111111110",
        "4111111111111111, 1".get(1..).unwrap_or_default(),
        "4111 1111, 1111 1111",
        "4111x1111x1111x1111",
        // Ids.
        "41111111-1111-1111-b111-111111111111",
        "4111111111111111aaaaaaaaaaaaaaaa",
        "pi_0A1b2C3d4E5f6G7h8I9j0K",
        "order-2026-11-000123",
        "192.168.100.200, 10.20.30.40",
    ] {
        assert!(!holds_card_number(text), "{text}");
        assert_eq!(masked(text), text);
    }
}

#[test]
fn repeated_text_is_bounded_and_holds_no_number_not_even_a_mistyped_one() {
    for (text, expected) in [
        ("", ""),
        ("pi_nope", "pi_nope"),
        ("order 1001", "order 1001"),
        ("4242424242424242", HIDDEN),
        ("4242424242424241", HIDDEN),
        ("pi_4242 4242 4242 4241!", HIDDEN),
        ("42a42b42c42d42e42f", HIDDEN),
        ("a\u{1b}[31mb\u{0}", "a[31mb"),
        ("424242424242", HIDDEN),
        ("42424242424", "42424242424"),
        ("%34242-4242/4242,4242", HIDDEN),
        ("４２４２４２４２４２４２４２４１", HIDDEN),
        ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaa4242424242424242", HIDDEN),
        ("pi_0000000000000000000001", "pi_0000000000000000000001"),
        ("/pi_0000000000000000000001/x", "/pi_0000000000000000000001/x"),
        ("pi_4242424242424242000000", "pi_***"),
        ("ääääääääääääääääääääääääääääääääääää", "ääääääääääääääääääääääääääääää"),
    ] {
        assert_eq!(shown(text, 30), expected, "{text}");
    }
    assert_eq!(shown(&"x".repeat(1 << 20), 64), "x".repeat(64));
}

proptest! {
    #[test]
    fn a_number_is_found_anywhere(
        number in number(),
        group in 1_usize..20,
        separator in "[ \u{a0}\u{2013}-]{1,3}",
        zero in prop::sample::select(vec!['0', '０', '٠', '०']),
        before in "([a-zé:,;!?=#]{0,9}[a-zé:,;!?=#\n])?",
        after in "([a-zé:,;!?=#\n][a-zé:,;!?=# ]{0,9})?",
    ) {
        let text = format!("{before}{}{after}", written(&number, group, &separator, zero));
        prop_assert!(holds_card_number(&text), "{text}");
        let kept = masked(&text);
        prop_assert!(!holds_card_number(&kept), "{kept}");
        prop_assert!(kept.starts_with(&before) && kept.ends_with(&after), "{kept}");
    }

    #[test]
    fn ids_and_times_are_never_one(
        bits in any::<u128>(),
        digest in prop::collection::vec(any::<u8>(), 16..33),
        seconds in 1_000_000_000_u64..2_000_000_000,
        number in 0_u64..1_000_000,
    ) {
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let uuid = uuid::Uuid::from_u128(bits);
        let published = |text: &str| TestCard::all().any(|card| !card.number.is_empty() && text.contains(card.number));
        for text in [uuid.to_string(), uuid.simple().to_string(), hex, format!("order-{uuid}"), format!("{uuid} {number}")] {
            prop_assert!(!holds_card_number(&text) || published(&text), "{text}");
        }
        for text in [
            format!("{seconds}"),
            format!("{}", seconds * 1_000 + number % 1_000),
            format!("{}", seconds * 1_000_000 + number),
            format!("{}", (seconds * 1_000_000 + number) * 1_000),
            format!("order-{number}"),
            format!("2026-{number:06}"),
            format!("INV{seconds}-{}", number % 100),
            format!("{number},{seconds},{number}"),
        ] {
            prop_assert!(!holds_card_number(&text), "{text}");
        }
    }

    #[test]
    fn phones_and_bank_accounts_are_never_one(
        phone in "[1-9][0-9]{6,14}",
        group in 2_usize..6,
        bank in "[0-9]{18}",
        account in prop::sample::select(vec![("DE", 18), ("NO", 11), ("BE", 12), ("FI", 14), ("ES", 20)]),
    ) {
        let published = |text: &str| {
            let digits: String = text.chars().filter(char::is_ascii_digit).collect();
            TestCard::all().any(|card| !card.number.is_empty() && digits.contains(card.number))
        };
        for text in [format!("+{phone}"), format!("call +{}, soon", written(&phone, group, " ", '0'))] {
            prop_assert!(!holds_card_number(&text) || published(&text), "{text}");
        }
        let (country, length) = account;
        let body: String = bank.chars().cycle().take(length).collect();
        // The check digits are 98 less the remainder.
        let letters = country.bytes().map(|letter| (letter - b'A' + 10).to_string()).collect::<String>();
        let left = format!("{body}{letters}00").bytes().fold(0_u32, |left, byte| (left * 10 + u32::from(byte - b'0')) % 97);
        let iban = format!("{country}{:02}{body}", 98 - left);
        for text in [iban.clone(), format!("to {iban}."), written_in_fours(&iban), format!("{} 7", written_in_fours(&iban))] {
            prop_assert!(!holds_card_number(&text) || published(&text), "{text}");
        }
    }

    #[test]
    fn any_text_can_be_scanned(text in "\\PC{0,200}", digits in "[0-9 \u{660}-\u{669}-]{0,120}") {
        for text in [&text, &digits, &format!("{text}{digits}")] {
            prop_assert_eq!(holds_card_number(text), masked(text) != text.as_str());
        }
    }
}
