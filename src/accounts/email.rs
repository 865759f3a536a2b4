//! E-mail addresses, parsed once at the edge.

use std::fmt;

/// A plausible e-mail address in lower case. Whether it exists is never tested: nothing is ever sent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Email(String);

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
        let (local, host) = text.rsplit_once('@').ok_or(EmailError)?;
        let plain = |c: char| {
            !c.is_whitespace() && !c.is_control() && !matches!(c, '<' | '>' | ',' | ';' | '"' | '@')
        };
        let labels_ok = host.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.chars().all(|c| c.is_alphanumeric() || c == '-')
        });
        let ok = text.len() <= LENGTH_MAX
            && !local.is_empty()
            && local.len() <= 64
            && local.chars().all(plain)
            && labels_ok;
        if ok { Ok(Self(text.to_lowercase())) } else { Err(EmailError) }
    }

    /// The address in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the `@`, as a first display name.
    #[must_use]
    pub fn local(&self) -> &str {
        self.0.rsplit_once('@').map_or(self.0.as_str(), |(local, _)| local)
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_lowered_and_trimmed() {
        assert_eq!(Email::parse(" Ada@Example.ORG ").unwrap().as_str(), "ada@example.org");
        assert_eq!(Email::parse("ada@localhost").unwrap().local(), "ada");
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
            &long,
        ] {
            assert_eq!(Email::parse(text), Err(EmailError), "{text:?}");
        }
    }
}
