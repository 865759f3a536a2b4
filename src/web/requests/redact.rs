//! Replaces secrets and card data in requests and answers with `***` before they are stored. Pure.
//!
//! Three filters, one after another: members with sensitive names, whatever they hold; secrets by their prefix; and digits,
//! however they are separated, that could hide a card number. What cannot be read is not kept at all.

use serde_json::Value;

use crate::domain::card_numbers::{LENGTHS, MASK};
use crate::domain::digits::digit;
use crate::domain::time::Timestamp;
use crate::web::pages::format;

/// The longest text that is kept, in bytes.
pub const KEPT_MAX_BYTES: usize = 4_096;
/// A body longer than this is not read, in bytes.
pub const READ_MAX_BYTES: usize = 65_536;

/// Names of members that are masked whatever they hold.
const NAMES: [&str; 9] =
    ["number", "cvc", "cvv", "csc", "pan", "authorization", "api_key", "account_number", "bank_account"];
/// Words that make any name that contains them sensitive.
const WORDS: [&str; 4] = ["secret", "password", "token", "card_number"];
/// The name of members that hold a time in microseconds.
const TIME: &str = "at_us";
/// Prefixes of secrets; what follows them is masked.
const SECRETS: [&str; 6] = ["sk_test_", "sk_live_", "rk_test_", "rk_live_", "whsec_", "_secret_"];
/// Digits with up to this many other characters between them count as one number written in groups.
const SEPARATORS_MAX: usize = 3;

/// Masks a body by its media type; says why if it is not kept.
#[must_use]
pub fn body(media_type: &str, bytes: &[u8]) -> String {
    if bytes.len() > READ_MAX_BYTES {
        return too_long(bytes.len());
    }
    let masked = match media_type.split(';').next().unwrap_or_default().trim() {
        "application/json" => json(bytes),
        "application/x-www-form-urlencoded" | "" => std::str::from_utf8(bytes).ok().map(form),
        _ => None,
    };
    masked.unwrap_or_else(|| "(not kept: it could not be read)".to_owned())
}

/// What is kept of a body that is too long to be read.
#[must_use]
pub fn too_long(bytes: usize) -> String {
    format!("(not kept: {bytes} bytes are too many)")
}

/// Masks a JSON document; `None` if it is not JSON.
#[must_use]
pub fn json(bytes: &[u8]) -> Option<String> {
    let mut value: Value = serde_json::from_slice(bytes).ok()?;
    mask_value(&mut value);
    // Adjacent numbers in a list are digits in groups as well, so the whole text is masked once more.
    Some(kept(&value.to_string()))
}

/// Masks a form or a query string; the result has one parameter per line.
#[must_use]
pub fn form(text: &str) -> String {
    let mut lines = String::new();
    for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
        let secret = name.split(['[', ']']).any(is_secret);
        lines.push_str(&name);
        lines.push('=');
        lines.push_str(if secret { MASK } else { &value });
        lines.push('\n');
    }
    kept(lines.trim_end())
}

/// Masks secrets and possible card numbers in any text.
#[must_use]
pub fn line(text: &str) -> String {
    mask_digits(&mask_secrets(text))
}

/// Masks a path. It keeps its encoding, unless the encoding hides something that must be masked.
#[must_use]
pub fn path(text: &str) -> String {
    let decoded = percent_encoding::percent_decode_str(text).decode_utf8_lossy();
    let masked = line(&decoded);
    if masked == decoded { line(text) } else { masked }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    NAMES.contains(&name.as_str()) || WORDS.iter().any(|word| name.contains(word))
}

fn mask_value(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members.iter_mut() {
                if is_secret(name) && !member.is_null() {
                    *member = Value::String(MASK.to_owned());
                } else if let Some(at) = member.as_i64().filter(|_| name == TIME) {
                    // Sixteen digits: written as a date, since the third filter would take many for card numbers.
                    *member = Value::String(format::iso(Timestamp::from_micros(at)));
                } else {
                    mask_value(member);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(mask_value),
        Value::String(text) => *text = line(text),
        Value::Number(number) => {
            let text = number.to_string();
            if mask_digits(&text) != text {
                *value = Value::String(MASK.to_owned());
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

fn mask_secrets(text: &str) -> String {
    // All secrets contain one, and long texts rarely do.
    if !text.contains('_') {
        return text.to_owned();
    }
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    loop {
        let next = SECRETS.iter().filter_map(|start| Some((rest.find(start)?, start.len()))).min();
        let Some((at, length)) = next else {
            masked.push_str(rest);
            return masked;
        };
        let (before, after) = rest.split_at(at + length);
        masked.push_str(before);
        masked.push_str(MASK);
        // Text that is already masked is not masked again.
        let end = after
            .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '*')))
            .unwrap_or(after.len());
        rest = after.split_at(end).1;
    }
}

/// Replaces every run of digits, groups included, that contains a card number.
fn mask_digits(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|c| digit(c).is_some()) {
        let (before, run) = rest.split_at(start);
        masked.push_str(before);
        let (end, digits) = digits_of(run);
        let (run, after) = run.split_at(end);
        masked.push_str(if holds_card_number(&digits) { MASK } else { run });
        rest = after;
    }
    masked.push_str(rest);
    masked
}

/// The end of the run of digits that begins the text, across separators, and the digits themselves.
fn digits_of(text: &str) -> (usize, Vec<u32>) {
    let (mut digits, mut end, mut apart) = (Vec::new(), 0, 0);
    for (at, c) in text.char_indices() {
        match digit(c) {
            Some(digit) => {
                digits.push(u32::from(digit));
                (end, apart) = (at + c.len_utf8(), 0);
            }
            None if c.is_alphanumeric() || apart == SEPARATORS_MAX => break,
            None => apart += 1,
        }
    }
    (end, digits)
}

fn holds_card_number(digits: &[u32]) -> bool {
    LENGTHS.into_iter().any(|length| digits.windows(length).any(fits_check_digit))
}

/// The Luhn check (ISO/IEC 7812-1, annex B).
fn fits_check_digit(digits: &[u32]) -> bool {
    let doubled = |digit: u32| if digit > 4 { 2 * digit - 9 } else { 2 * digit };
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| if at % 2 == 1 { doubled(*digit) } else { *digit })
        .sum();
    sum.is_multiple_of(10)
}

/// The beginning of a text, masked. The rest is not kept, and so not read.
fn kept(text: &str) -> String {
    let beginning = beginning(text);
    let mut masked = line(beginning);
    if masked.len() > KEPT_MAX_BYTES || beginning.len() < text.len() {
        let end = (0..=KEPT_MAX_BYTES - 3).rev().find(|at| masked.is_char_boundary(*at)).unwrap_or(0);
        masked.truncate(end);
        masked.push('…');
    }
    masked
}

/// At least as much as can be kept, cut at a letter. A number never continues across a letter, so half a number is never left
/// at the end.
fn beginning(text: &str) -> &str {
    let letter =
        |(at, c): &(usize, char)| *at >= KEPT_MAX_BYTES && c.is_alphanumeric() && digit(*c).is_none();
    let end = text.char_indices().find(letter).map_or(text.len(), |(at, _)| at);
    text.split_at(end).0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CARD: &str = "4242424242424242";

    #[test]
    fn secrets_and_cards_are_masked_wherever_they_stand() {
        let sent = r#"{"amount":1250,"card":{"number":"4242 4242 4242 4242","cvc":"123","exp_year":2030},
            "metadata":{"note":"my card is 4242-4242-4242-4242, ok","order":"42"},"list":[4242,4242,4242,4242],
            "whole":4242424242424242,"client_secret":"pi_1_secret_abc","nested":[{"Password":{"a":1}}],"key":"sk_test_abc def"}"#;
        let kept = json(sent.as_bytes()).unwrap();
        assert_eq!(
            kept,
            r#"{"amount":1250,"card":{"number":"***","cvc":"***","exp_year":2030},"metadata":{"note":"my card is ***, ok","order":"42"},"list":[***],"whole":"***","client_secret":"***","nested":[{"Password":"***"}],"key":"sk_test_*** def"}"#
        );
        let kept = form(
            "amount=1250&card%5Bnumber%5D=4242424242424242&card[cvc]=123&description=4242+4242%204242-4242&expand[]=x",
        );
        assert_eq!(kept, "amount=1250\ncard[number]=***\ncard[cvc]=***\ndescription=***\nexpand[]=x");
        assert_eq!(line("/v1/payment_intents/pi_1_secret_abc"), "/v1/payment_intents/pi_1_secret_***");
        assert_eq!(path(&format!("/v1/x/{CARD}")), "/v1/x/***");
        assert_eq!(path("/v1/x/%34242 4242%2042424242"), "/v1/x/***");
        assert_eq!(path("/v1/x/%D9%A4242424242424242"), "/v1/x/***");
        assert_eq!(path("/v1/x/a%20b"), "/v1/x/a%20b");
        assert_eq!(line("４２４２ ４２４２ ４２４２ ４２４２!"), "***!");
    }

    #[test]
    fn times_stay_readable() {
        let kept = json(br#"{"at_us":1767225600123456,"created":1767225600}"#).unwrap();
        assert_eq!(kept, r#"{"at_us":"2026-01-01T00:00:00.123Z","created":1767225600}"#);
    }

    #[test]
    fn what_cannot_be_read_is_not_kept() {
        for (kind, body_sent) in [
            ("application/json", &b"{\"number\":\"4242"[..]),
            ("application/json", b"\xff"),
            ("application/x-www-form-urlencoded", b"\xff\xfe"),
            ("text/plain", b"4242424242424242"),
        ] {
            assert!(body(kind, body_sent).starts_with("(not kept"), "{kind}");
        }
        assert!(body("application/json", &vec![b' '; READ_MAX_BYTES + 1]).starts_with("(not kept"));
        let long = json(format!("\"{}\"", "ä".repeat(10_000)).as_bytes()).unwrap();
        assert!(long.len() <= KEPT_MAX_BYTES && long.ends_with('…'));
    }

    #[test]
    fn nothing_is_left_of_a_number_where_a_text_is_cut() {
        assert!(SECRETS.iter().all(|start| start.contains('_')));
        // More is masked before the number than is cut off after it, and the number stands at every position near the cut.
        let secrets = format!("sk_test_{} ", "a".repeat(1_000)).repeat(2);
        for before in ["", secrets.as_str(), "4242424242424242 x "] {
            for at in KEPT_MAX_BYTES - 24..=KEPT_MAX_BYTES + 4 {
                let start = format!("{before}{}", "b".repeat(at - before.len() - 1));
                for number in [CARD, "4242 4242-4242 4242", "sk_test_4242424242424242"] {
                    let text = format!("{start} {number} {}", "c".repeat(1_000));
                    let encoded =
                        url::form_urlencoded::Serializer::new(String::new()).append_pair("", &text).finish();
                    assert!(form(&encoded).ends_with('…'));
                    for kept in [form(&encoded), json(format!("\"{text}\"").as_bytes()).unwrap()] {
                        assert!(!kept.contains("42"), "{at}: {number} in {kept}");
                        assert!(kept.len() <= KEPT_MAX_BYTES);
                    }
                }
            }
        }
        let digits = CARD.repeat(1_000);
        assert_eq!(form(&digits), "***=");
    }

    /// An independent implementation: every 13 to 19 digits that are adjacent or separated by one character.
    fn numbers_in(text: &str) -> Vec<String> {
        let digits: Vec<(usize, char)> =
            text.chars().enumerate().filter(|(_, c)| c.is_ascii_digit()).collect();
        let mut found = Vec::new();
        for start in 0..digits.len() {
            for length in 13..=19 {
                let Some(part) = digits.get(start..start + length) else { break };
                let together = part.windows(2).all(|pair| {
                    pair[1].0 - pair[0].0 <= 2 && {
                        let between = text.chars().nth(pair[0].0 + 1).unwrap();
                        pair[1].0 - pair[0].0 == 1 || matches!(between, ' ' | '-' | '.')
                    }
                });
                let mut sum = 0;
                for (at, (_, c)) in part.iter().rev().enumerate() {
                    let digit = c.to_digit(10).unwrap();
                    sum += if at % 2 == 0 { digit } else { digit * 2 / 10 + digit * 2 % 10 };
                }
                if together && sum % 10 == 0 {
                    found.push(part.iter().map(|(_, c)| *c).collect());
                }
            }
        }
        found
    }

    /// Digits with a valid check digit.
    fn card_number() -> impl Strategy<Value = String> {
        proptest::collection::vec(0_u32..10, 12..=18).prop_map(|mut digits| {
            let check = (0..10).find(|check| fits_check_digit(&[digits.as_slice(), &[*check]].concat()));
            digits.push(check.unwrap());
            digits.iter().map(ToString::to_string).collect()
        })
    }

    proptest! {
        #[test]
        fn no_card_number_survives(
            number in card_number(),
            group in 1_usize..8,
            separator in "[ .-]?",
            before in "[a-z0-9 \"\\\\{}:,]{0,12}",
            after in "[a-z0-9 \"\\\\{}:,]{0,12}",
            name in "[a-z]{1,8}",
        ) {
            let digits: Vec<char> = number.chars().collect();
            let grouped = digits.chunks(group).map(|part| part.iter().collect::<String>());
            let written = grouped.collect::<Vec<_>>().join(&separator);
            let text = format!("{before}{written}{after}");
            let document = serde_json::json!({ name.clone(): text, "list": [{ text.clone(): [text, written] }] });
            let encoded = url::form_urlencoded::Serializer::new(String::new()).append_pair(&name, &text).finish();
            for kept in [
                json(document.to_string().as_bytes()).unwrap(),
                form(&encoded),
                form(&text),
                body("application/json", text.as_bytes()),
                line(&text),
            ] {
                prop_assert!(numbers_in(&kept).is_empty(), "{:?} in {kept:?}", numbers_in(&kept));
                prop_assert!(!kept.contains(&number));
            }
        }

        #[test]
        fn anything_can_be_masked(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "\\PC{0,80}") {
            for kind in ["application/json", "application/x-www-form-urlencoded"] {
                prop_assert!(body(kind, &bytes).len() <= KEPT_MAX_BYTES);
                prop_assert!(numbers_in(&body(kind, text.as_bytes())).is_empty());
            }
        }
    }
}
