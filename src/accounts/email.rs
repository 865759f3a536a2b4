//! E-mail addresses, parsed once at the edge.

use std::fmt;

use crate::domain::text::{fold, misleads};

/// A plausible e-mail address, folded, so that it is the same however it is typed. Whether it exists is never tested: no
/// mail is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email {
    folded: String,
    /// How it was stored before addresses were folded, if that differs: accounts from then are found by it.
    former: Option<String>,
}

/// A text that is not an e-mail address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Not an e-mail address: write it like ada@example.org.")]
pub struct EmailError;

/// The longest address SMTP can carry (RFC 5321, 4.5.3.1.3, less the angle brackets).
const LENGTH_MAX: usize = 254;

impl Email {
    /// Reads an address: one `@`, something before it, a dotted or plain host after it, no spaces or controls.
    ///
    /// # Errors
    /// [`EmailError`] if it is not one.
    pub fn parse(text: &str) -> Result<Self, EmailError> {
        let text = text.trim();
        // Folding can make it three times as long; a longer text would be refused below anyway.
        let folded = if text.len() <= LENGTH_MAX { fold(text) } else { return Err(EmailError) };
        let (local, host) = folded.rsplit_once('@').ok_or(EmailError)?;
        let plain =
            |c: char| !c.is_whitespace() && !misleads(c) && !matches!(c, '<' | '>' | ',' | ';' | '"' | '@');
        let labels_ok = host.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.chars().all(|c| c.is_alphanumeric() || c == '-')
        });
        let ok = folded.len() <= LENGTH_MAX
            && !local.is_empty()
            && local.len() <= 64
            && local.chars().all(plain)
            && labels_ok;
        let former = Some(text.to_lowercase()).filter(|former| *former != folded);
        if ok { Ok(Self { folded, former }) } else { Err(EmailError) }
    }

    /// The folded address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.folded
    }

    /// The forms in which an account may have it, the folded one first.
    pub fn spellings(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.as_str()).chain(self.former.as_deref())
    }

    /// The part before the `@`, as a first display name.
    #[must_use]
    pub fn local(&self) -> &str {
        self.folded.rsplit_once('@').map_or(self.folded.as_str(), |(local, _)| local)
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.folded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_folded_and_trimmed() {
        assert_eq!(Email::parse(" Ada@Example.ORG ").unwrap().as_str(), "ada@example.org");
        assert_eq!(Email::parse("ada@localhost").unwrap().local(), "ada");
        assert_eq!(Email::parse("STRASSE@example.org"), Email::parse("strasse@example.org"));
        for (one, other) in
            [("Zoe\u{308}@bücher.example", "ZOË@BU\u{308}CHER.example"), ("İ@x.org", "i@x.org")]
        {
            assert_eq!(Email::parse(one).unwrap().as_str(), Email::parse(other).unwrap().as_str());
        }
        let kept: Vec<String> =
            Email::parse("Straße@x.org").unwrap().spellings().map(str::to_owned).collect();
        assert_eq!(kept, ["strasse@x.org", "straße@x.org"]);
    }

    #[test]
    fn anything_else_is_refused() {
        let long = format!("{}@example.org", "a".repeat(65));
        for text in [
            "",
            "ada",
            "@example.org",
            "ada@",
            "a b@example.org",
            "ada@ex..org",
            "a@b@c",
            "ada@-x.org",
            "a\n@x.org",
            "a\u{202e}@x.org",
            &long,
        ] {
            assert_eq!(Email::parse(text), Err(EmailError), "{text:?}");
        }
    }
}
