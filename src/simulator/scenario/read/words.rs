//! Words for what is wrong with a word: what is meant instead, or what there is.

use crate::domain::card_numbers;
use crate::setting::distance;

/// The most characters of a file's text in a message.
const SHOWN_CHARS_MAX: usize = 40;
/// The most words that are suggested.
const SUGGESTIONS_MAX: usize = 3;
/// So much of the beginning of a word is enough to suggest it.
const PREFIX_CHARS_MIN: usize = 3;

/// A file's text as it may be repeated.
pub(super) fn shown(text: &str) -> String {
    card_numbers::shown(text, SHOWN_CHARS_MAX)
}

/// `a, b or c`.
pub(super) fn joined(words: &[&str], last: &str) -> String {
    match words {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [first @ .., end] => format!("{} {last} {end}", first.join(", ")),
    }
}

/// `did you mean a or b?`, the nearest first; `None` if nothing is near.
pub(super) fn did_you_mean(unknown: &str, known: &[&str]) -> Option<String> {
    let length = unknown.chars().count();
    if length > SHOWN_CHARS_MAX {
        return None;
    }
    let is_near = |letters: usize, word: &str| {
        letters <= 1 + length / 4 || (length >= PREFIX_CHARS_MIN && word.starts_with(unknown))
    };
    let known = known.iter().map(|word| (distance(unknown, word), *word));
    let mut near: Vec<(usize, &str)> = known.filter(|(letters, word)| is_near(*letters, word)).collect();
    near.sort_by_key(|(letters, _)| *letters);
    near.truncate(SUGGESTIONS_MAX);
    let near: Vec<&str> = near.into_iter().map(|(_, word)| word).collect();
    (!near.is_empty()).then(|| format!("did you mean {}?", joined(&near, "or")))
}
