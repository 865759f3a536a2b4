//! Patterns of text: a whole text, or its beginning with `*` behind it. Case is ignored in every script, and so are blanks around.

use crate::domain::text::fold;

/// A pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    /// As texts are compared.
    folded: String,
    /// Whether anything may follow.
    open: bool,
}

impl Pattern {
    /// The pattern that is written so; `*` alone is any text.
    #[must_use]
    pub fn new(written: &str) -> Self {
        let written = written.trim();
        let (text, open) = written.strip_suffix('*').map_or((written, false), |text| (text, true));
        Self { folded: fold(text), open }
    }

    /// Whether this text is as the pattern says.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        let text = fold(text.trim());
        if self.open { text.starts_with(&self.folded) } else { text == self.folded }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_a_whole_text_or_its_beginning() {
        for (pattern, text, matches) in [
            ("DECLINED", "declined", true),
            ("declined", " Declined ", true),
            ("DECLINED", "DECLINED 2", false),
            ("DECL*", "Declined", true),
            ("DECL*", "decl", true),
            ("DECL*", "dec", false),
            ("*", "anybody", true),
            ("*lined", "declined", false),
            ("Straße*", "STRASSE 5", true),
            ("josé", "JOSE\u{301}", true),
            ("a*b", "a*b", true),
            ("a*b", "axb", false),
        ] {
            assert_eq!(Pattern::new(pattern).matches(text), matches, "{pattern} {text}");
        }
    }
}
