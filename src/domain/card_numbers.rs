//! Card numbers in text: detects and masks them. Pure; used wherever text that people or programs send is stored, shown again
//! or logged.
//!
//! A number of the published list is detected wherever its digits stand, even within longer numbers. Any other is detected where
//! whole groups of digits, adjacent or separated by spaces or dashes, have a network's prefix and length and the right check
//! digit. An order number, a time or half of an id is no card just because some of its digits could be. Digits of any script
//! count.

use std::borrow::Cow;
use std::ops::Range;

use super::card::luhn;
use super::digits::{self, digit};
use super::test_cards::TestCard;
use super::text::misleads;
use super::{iban, ids};

/// Replaces a card number.
pub const MASK: &str = "***";
/// The lengths of card numbers considered.
pub const LENGTHS: std::ops::RangeInclusive<usize> = 13..=19;
/// Shown instead of text with too many digits.
pub const HIDDEN: &str = "(digits)";
/// Text with this many digits is not repeated.
const HIDDEN_MIN: usize = 12;
/// The most characters of a number, separators included.
const SHOWN_MARGIN: usize = 4 * *LENGTHS.end();
/// The most other characters between two groups that still form one number.
const SEPARATORS_MAX: usize = 3;
/// A word of at least this many hexadecimal digits is a checksum or a key.
const HEX_MIN: usize = 32;
/// The most digits of a telephone number in international form (E.164).
const PHONE_MAX: usize = 15;
/// The lengths of a UUID's groups.
const UUID_GROUPS: [usize; 5] = [8, 4, 4, 4, 12];

/// A network's numbers: the range of their first four digits, and their lengths.
type Network = (u32, u32, &'static [usize]);

/// Prefixes and lengths of the networks on the published list (ISO/IEC 7812; the networks' own tables). Maestro is left out:
/// it is being withdrawn, and its prefixes and lengths would match every second long number.
const NETWORKS: [Network; 15] = [
    // Visa
    (4000, 4999, &[13, 16, 19]),
    // Mastercard
    (5100, 5599, &[16]),
    (2221, 2720, &[16]),
    // American Express
    (3400, 3499, &[15]),
    (3700, 3799, &[15]),
    // Discover
    (6011, 6011, &[16, 17, 18, 19]),
    (6440, 6599, &[16, 17, 18, 19]),
    // Diners Club
    (3000, 3059, &[14, 16, 19]),
    (3095, 3095, &[14, 16, 19]),
    (3600, 3699, &[14, 16, 19]),
    (3800, 3999, &[14, 16, 19]),
    // JCB
    (3528, 3589, &[16, 17, 18, 19]),
    // Carnet
    (5062, 5062, &[16]),
    // UnionPay
    (6200, 6299, &[16, 17, 18, 19]),
    (8100, 8199, &[16, 17, 18, 19]),
];

/// Whether the text contains a card number.
#[must_use]
pub fn holds_card_number(text: &str) -> bool {
    !spans(text).is_empty()
}

/// The text with [`MASK`] in place of every card number.
#[must_use]
pub fn masked(text: &str) -> Cow<'_, str> {
    without(text, spans(text))
}

/// What was sent, as it may be repeated in an error, on a page or in a log: at most `chars_max` characters, none that acts on a
/// terminal, and [`HIDDEN`] instead of text with about as many digits as a card number. Whether they are one does not matter: a
/// mistyped number still gives most of the number away. Our own ids may have as many digits.
#[must_use]
pub fn shown(text: &str, chars_max: usize) -> String {
    // A number that begins within the bound may end beyond it.
    let start: String = text.chars().filter(|c| !misleads(*c)).take(chars_max + SHOWN_MARGIN).collect();
    if digits::count(&start) >= HIDDEN_MIN {
        let words = start.split(|c: char| !c.is_alphanumeric() && c != '_');
        if words.filter(|word| !is_id(word)).map(digits::count).sum::<usize>() >= HIDDEN_MIN {
            return HIDDEN.to_owned();
        }
    }
    masked(&start).chars().take(chars_max).collect()
}

/// Whether a word has the form of our ids: letters, an underscore, and digits of base 62.
fn is_id(word: &str) -> bool {
    word.split_once('_').is_some_and(|(prefix, bits)| {
        prefix.chars().all(|c| c.is_ascii_lowercase())
            && bits.len() == ids::TEXT_LEN
            && bits.chars().all(|c| c.is_ascii_alphanumeric())
    })
}

fn without(text: &str, spans: Vec<Range<usize>>) -> Cow<'_, str> {
    if spans.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut masked = String::with_capacity(text.len());
    let mut done = 0;
    for span in spans {
        // Sorted, but they may overlap.
        if span.start >= done {
            masked.push_str(text.get(done..span.start).unwrap_or_default());
            masked.push_str(MASK);
        }
        done = done.max(span.end);
    }
    masked.push_str(text.get(done..).unwrap_or_default());
    Cow::Owned(masked)
}

/// Whether the digits, all of them, are a card number by network, length and check digit.
#[must_use]
pub fn is_card_number(digits: &str) -> bool {
    let head = digits.bytes().take(4).fold(0, |value, byte| value * 10 + u32::from(byte.wrapping_sub(b'0')));
    let fits =
        |(from, to, lengths): &Network| (*from..=*to).contains(&head) && lengths.contains(&digits.len());
    NETWORKS.iter().any(fits) && luhn(digits)
}

/// How a group follows the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Follows {
    /// Something else is between them.
    Not,
    /// Only a few characters other than letters are.
    Loosely,
    /// Only spaces or dashes are.
    Closely,
}

/// A run of adjacent digits.
#[derive(Debug)]
struct Group {
    /// Their byte range in the text.
    text: Range<usize>,
    /// Their range among all digits of the text.
    digits: Range<usize>,
    follows: Follows,
    /// Whether they are part of a UUID, a bank account or a telephone number.
    of_id: bool,
}

/// The byte ranges of card numbers, ordered by start. Costs next to nothing for text with few digits.
fn spans(text: &str) -> Vec<Range<usize>> {
    // Every digit takes at least a byte, and most texts are ASCII with few digits.
    if text.len() < *LENGTHS.start()
        || (text.is_ascii() && text.bytes().filter(u8::is_ascii_digit).count() < *LENGTHS.start())
    {
        return Vec::new();
    }
    let (digits, groups) = groups(text);
    if digits.len() < *LENGTHS.start() {
        return Vec::new();
    }
    let mut spans = published(&digits, &groups);
    for (at, first) in groups.iter().enumerate() {
        let rest = groups.get(at..).unwrap_or_default();
        let joined = rest
            .iter()
            .enumerate()
            .take_while(|(n, group)| !group.of_id && (*n == 0 || group.follows == Follows::Closely));
        for (_, last) in joined {
            let number = first.digits.start..last.digits.end;
            if number.len() > *LENGTHS.end() {
                break;
            }
            if digits.get(number).is_some_and(is_card_number) {
                spans.push(first.text.start..last.text.end);
            }
        }
    }
    spans.sort_unstable_by_key(|span| (span.start, span.end));
    spans
}

/// Numbers of the published list, wherever they begin and end.
fn published(digits: &str, groups: &[Group]) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    for run in groups.chunk_by(|_, next| next.follows != Follows::Not) {
        let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
        for start in first.digits.start..last.digits.end {
            let number = LENGTHS.map(|length| start..start + length).find(|number| {
                let known = |number: &str| is_card_number(number) && TestCard::by_number(number).is_some();
                number.end <= last.digits.end && digits.get(number.clone()).is_some_and(known)
            });
            let Some(number) = number else { continue };
            let touched =
                run.iter().filter(|group| group.digits.start < number.end && number.start < group.digits.end);
            let (from, to) = touched.fold((usize::MAX, 0), |(from, to), group| {
                (from.min(group.text.start), to.max(group.text.end))
            });
            spans.push(from..to);
        }
    }
    spans
}

/// The digits of a text in ASCII, and their groups.
fn groups(text: &str) -> (String, Vec<Group>) {
    let (mut digits, mut groups) = (String::new(), Vec::<Group>::new());
    let (mut apart, mut follows, mut word, mut id_end) = (0, Follows::Not, false, 0);
    for (at, c) in text.char_indices() {
        if !word && at >= id_end && c.is_ascii_alphanumeric() {
            let rest = text.as_bytes().get(at..).unwrap_or_default();
            id_end = at + id_length(rest).max(iban::length(rest));
        }
        word = c.is_alphanumeric();
        let Some(value) = digit(c) else {
            apart += 1;
            follows = match follows {
                _ if c.is_alphanumeric() || apart > SEPARATORS_MAX => Follows::Not,
                Follows::Closely if is_space_or_dash(c) => Follows::Closely,
                Follows::Closely | Follows::Loosely => Follows::Loosely,
                Follows::Not => Follows::Not,
            };
            continue;
        };
        digits.push(char::from(b'0' + value));
        let (end, of_id) = (at + c.len_utf8(), at < id_end);
        match groups.last_mut().filter(|group| apart == 0 && group.of_id == of_id) {
            Some(group) => {
                group.text.end = end;
                group.digits.end = digits.len();
            }
            None => {
                groups.push(Group { text: at..end, digits: digits.len() - 1..digits.len(), follows, of_id });
            }
        }
        (apart, follows) = (0, Follows::Closely);
    }
    mark_phones(text, &mut groups);
    (digits, groups)
}

/// Marks groups that follow a plus sign and are short enough for a telephone number.
fn mark_phones(text: &str, groups: &mut [Group]) {
    for run in groups.chunk_by_mut(|_, next| next.follows == Follows::Closely) {
        let start = run.first().map_or(0, |group| group.text.start);
        let plus = text.get(..start).is_some_and(|before| before.ends_with('+'));
        if plus && run.iter().map(|group| group.digits.len()).sum::<usize>() <= PHONE_MAX {
            run.iter_mut().for_each(|group| group.of_id = true);
        }
    }
}

/// Spaces and dashes of any kind, and invisible characters.
fn is_space_or_dash(c: char) -> bool {
    c.is_whitespace()
        || matches!(
            c,
            '-' | '\u{ad}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2010}'..='\u{2015}' | '\u{2060}' | '\u{2212}'
                | '\u{fe58}' | '\u{fe63}' | '\u{feff}' | '\u{ff0d}'
        )
}

/// The length of the UUID or long hexadecimal word at the start of these bytes; 0 if there is neither.
fn id_length(bytes: &[u8]) -> usize {
    let hex = |bytes: &[u8]| bytes.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let ends = |at: usize| bytes.get(at).is_none_or(|byte| byte.is_ascii() && !byte.is_ascii_alphanumeric());
    let first = hex(bytes);
    if first >= HEX_MIN {
        return if ends(first) { first } else { 0 };
    }
    let mut at = 0;
    for (n, length) in UUID_GROUPS.into_iter().enumerate() {
        if n > 0 {
            if bytes.get(at) != Some(&b'-') {
                return 0;
            }
            at += 1;
        }
        if hex(bytes.get(at..).unwrap_or_default()) != length {
            return 0;
        }
        at += length;
    }
    if ends(at) { at } else { 0 }
}
