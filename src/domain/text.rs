//! Comparison of text: what looks the same is the same. Whatever is searched or looked up by text (descriptions, metadata,
//! names, e-mail addresses) goes through [`fold`] on both sides; text is stored as it was written.

use std::borrow::Cow;

use icu_casemap::CaseMapper;
use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};

/// The text with every letter composed (Unicode Normalization Form C): `e` and a combining accent become `é`.
#[must_use]
pub fn composed(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    ComposingNormalizerBorrowed::new_nfc().normalize(text)
}

/// The form in which texts are compared: composed, with case ignored in every script (`Straße` and `STRASSE`). This is
/// Unicode's canonical caseless matching (3.13, D145) in composed form. A redundant dot above an `i` is dropped, so that
/// `İstanbul` is found as `istanbul`.
#[must_use]
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let decomposed = DecomposingNormalizerBorrowed::new_nfd().normalize(text);
    let folded = CaseMapper::new().fold_string(&decomposed);
    composed(&without_second_dots(&folded)).into_owned()
}

/// Whether a character is invisible and changes the text around it: controls, separators of lines and paragraphs, and marks
/// that change the writing direction of more than themselves. They make text read differently from what it is on pages,
/// terminals and spreadsheets. Joiners and the marks needed in Hebrew, Arabic and Persian are not among them.
#[must_use]
pub fn misleads(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fff9}'..='\u{fffb}')
}

/// `\u{307}` is COMBINING DOT ABOVE.
fn without_second_dots(text: &str) -> Cow<'_, str> {
    if text.contains("i\u{307}") { Cow::Owned(text.replace("i\u{307}", "i")) } else { Cow::Borrowed(text) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_that_look_alike_fold_alike() {
        for (one, other) in [
            ("Coffee", "COFFEE"),
            ("Straße", "STRASSE"),
            ("Straße", "strasse"),
            ("STRAẞE", "straße"),
            ("café", "cafe\u{301}"),
            ("CAFE\u{301}", "café"),
            ("İSTANBUL", "istanbul"),
            ("İSTANBUL", "i\u{307}stanbul"),
            ("I\u{307}stanbul", "İSTANBUL"),
            ("ΣΊΣΥΦΟΣ", "σίσυφος"),
            ("ﬁle", "FILE"),
            ("Ångström", "A\u{30a}NGSTRO\u{308}M"),
            ("\u{212b}", "å"),
            ("한글", "\u{1112}\u{1161}\u{11ab}\u{1100}\u{1173}\u{11af}"),
            ("ΐ", "\u{399}\u{308}\u{301}"),
        ] {
            assert_eq!(fold(one), fold(other), "{one} {other}");
        }
        for (one, other) in [("cafe", "café"), ("ısparta", "isparta"), ("日本", "日木")] {
            assert_ne!(fold(one), fold(other), "{one} {other}");
        }
    }

    #[test]
    fn invisible_controls_mislead_and_marks_that_scripts_need_do_not() {
        for c in ['\0', '\n', '\u{85}', '\u{2028}', '\u{2029}', '\u{202e}', '\u{2066}', '\u{fffa}'] {
            assert!(misleads(c), "{c:?}");
        }
        for c in "a é 日 ש \u{200c}\u{200d}\u{200e}\u{200f}\u{a0}\u{ad}👩🏽".chars() {
            assert!(!misleads(c), "{c:?}");
        }
    }

    proptest! {
        #[test]
        fn folding_is_idempotent_and_ignores_composition(text in "\\PC{0,12}") {
            let folded = fold(&text);
            prop_assert_eq!(fold(&folded), folded.clone());
            prop_assert_eq!(composed(&folded), folded.as_str());
            prop_assert_eq!(fold(&composed(&text)), folded);
        }
    }
}
