//! Text comparison: folding for exact and substring matches, words for free text.
//!
//! Documents and queries go through the same two functions, so that both adapters find the same payments whatever their
//! own analysis would do. Pure.

use crate::domain::text;

/// The longest word kept, in characters; longer ones are cut, in documents and in queries alike.
const WORD_MAX_CHARS: usize = 64;

/// The longest folded text indexed as one term, in bytes. Elasticsearch refuses terms beyond 32,766 bytes.
pub const FOLDED_MAX_BYTES: usize = 8_000;

/// The form in which text is compared, cut at [`FOLDED_MAX_BYTES`].
#[must_use]
pub fn fold(text: &str) -> String {
    let mut folded = text::fold(text);
    if folded.len() > FOLDED_MAX_BYTES {
        folded.truncate(folded.floor_char_boundary(FOLDED_MAX_BYTES));
    }
    folded
}

/// Appends the folded words of `text` to `out`, separated by single spaces. A word is a run of letters and ASCII digits;
/// in scripts written without spaces every character is a word, so that a phrase still finds them.
pub fn append_words(text: &str, out: &mut String) {
    let mut length = 0_usize;
    for c in text::fold(text).chars() {
        if is_ideographic(c) {
            separate(out);
            out.push(c);
            // The next character starts a word of its own, whatever it is.
            out.push(' ');
            length = 0;
        } else if is_word(c) {
            if length == 0 {
                separate(out);
            }
            if length < WORD_MAX_CHARS {
                out.push(c);
            }
            length += 1;
        } else {
            length = 0;
        }
    }
    if out.ends_with(' ') {
        out.pop();
    }
}

/// The words of `text`, as [`append_words`] finds them.
#[must_use]
pub fn words(text: &str) -> Vec<String> {
    let mut joined = String::with_capacity(text.len());
    append_words(text, &mut joined);
    joined.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn separate(out: &mut String) {
    if !out.is_empty() && !out.ends_with(' ') {
        out.push(' ');
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_digit() || c.is_alphabetic()
}

/// Han, Hiragana, Katakana and their extensions.
fn is_ideographic(c: char) -> bool {
    matches!(u32::from(c), 0x2E80..=0x30FF | 0x31F0..=0x31FF | 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xF900..=0xFAFF
        | 0xFF66..=0xFF9F | 0x20000..=0x3FFFF)
        && c.is_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_runs_of_letters_and_digits() {
        assert_eq!(words("Coffee, 2x (oat-milk)!"), ["coffee", "2x", "oat", "milk"]);
        assert_eq!(words("ORD-42_b"), ["ord", "42", "b"]);
        assert_eq!(words("日本語 tea日"), ["日", "本", "語", "tea", "日"]);
        assert_eq!(words("ÉCLAIR Straße"), ["éclair", "strasse"]);
        assert_eq!(words("E\u{301}CLAIR İSTANBUL"), ["éclair", "istanbul"]);
        assert!(words(" -- !").is_empty());
        assert_eq!(words(&"x".repeat(200)), ["x".repeat(64)]);
    }

    #[test]
    fn folding_cuts_at_a_character() {
        assert_eq!(fold("ÄBC"), "äbc");
        let long = fold(&"ä".repeat(FOLDED_MAX_BYTES));
        assert_eq!(long.len(), FOLDED_MAX_BYTES);
    }
}
