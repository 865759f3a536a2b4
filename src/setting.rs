//! Building blocks of every module's settings: secrets that cannot be printed, the error that names an unusable setting, how far a
//! misspelt key is from a known one, and durations as people write them.
//!
//! Depends on no other module, so that any may use it. Reads nothing: values come from `config`.

pub mod duration;

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};
use url::Url;

/// What is printed in place of a secret.
const MASK: &str = "***";

/// A password, key or token. Printing or serializing it shows at most that there is one.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The secret itself. Not for logs or errors.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether it is empty, which counts as not set.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    const fn masked(&self) -> &'static str {
        if self.is_empty() { "" } else { MASK }
    }
}

impl<T: Into<String>> From<T> for Secret {
    fn from(secret: T) -> Self {
        Self(secret.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.masked(), f)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.masked())
    }
}

/// A URL that may hold a password. Printing or serializing it masks the password.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct SecretUrl(String);

impl SecretUrl {
    /// The URL as it was set, password included. Not for logs or errors.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether it is empty, which counts as not set.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The URL in parts, if it is one.
    #[must_use]
    pub fn parse(&self) -> Option<Url> {
        Url::parse(&self.0).ok()
    }

    /// Where it is unclear which part is the password, all of it is masked.
    fn masked(&self) -> String {
        if self.is_empty() {
            return String::new();
        }
        let Some(mut url) = self.parse() else { return MASK.to_owned() };
        // A password with an unescaped `/`, `?` or `#` ends up in what follows the host.
        let after_host = [Some(url.path()), url.query(), url.fragment()];
        if after_host.into_iter().flatten().any(|part| part.contains('@')) {
            return MASK.to_owned();
        }
        if url.password().is_none() {
            return self.0.clone();
        }
        // Cannot fail for a URL that has a password; but if it did, nothing may be shown.
        if url.set_password(Some(MASK)).is_ok() { url.into() } else { MASK.to_owned() }
    }
}

impl<T: Into<String>> From<T> for SecretUrl {
    fn from(url: T) -> Self {
        Self(url.into())
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.masked(), f)
    }
}

impl Serialize for SecretUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.masked())
    }
}

/// A setting whose value cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct InvalidSetting {
    /// The key: within its section where a section checks itself, from the root (`section.key`) elsewhere.
    pub key: String,
    /// What is wrong and what is expected. Quotes no secret.
    pub problem: String,
}

impl InvalidSetting {
    /// The setting at this key has this problem.
    pub fn new(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { key: key.into(), problem: problem.into() }
    }

    /// The same, for a key within this section.
    #[must_use]
    pub fn in_section(self, section: &str) -> Self {
        Self { key: format!("{section}.{}", self.key), ..self }
    }
}

/// Checks a lower bound.
///
/// # Errors
/// [`InvalidSetting`] if the value is below it.
pub fn at_least<T: PartialOrd + fmt::Display>(key: &str, value: T, min: T) -> Result<(), InvalidSetting> {
    if value >= min {
        return Ok(());
    }
    Err(InvalidSetting::new(key, format!("must be at least {min}, not {value}")))
}

/// Checks an upper bound.
///
/// # Errors
/// [`InvalidSetting`] if the value is above it.
pub fn at_most<T: PartialOrd + fmt::Display>(key: &str, value: T, max: T) -> Result<(), InvalidSetting> {
    if value <= max {
        return Ok(());
    }
    Err(InvalidSetting::new(key, format!("must be at most {max}, not {value}")))
}

/// Checks that a value lies between two bounds, which are allowed themselves.
///
/// # Errors
/// [`InvalidSetting`] if it does not; NaN never does.
pub fn between<T: PartialOrd + fmt::Display>(
    key: &str,
    value: T,
    min: T,
    max: T,
) -> Result<(), InvalidSetting> {
    if min <= value && value <= max {
        return Ok(());
    }
    Err(InvalidSetting::new(key, format!("must be between {min} and {max}, not {value}")))
}

/// How many letters must change to turn one word into the other (Levenshtein).
#[must_use]
pub fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut left = i + 1;
        let mut diagonal = i;
        let mut next = vec![left];
        for (above, to) in row.iter().skip(1).zip(b.chars()) {
            left = (diagonal + usize::from(from != to)).min(above + 1).min(left + 1);
            diagonal = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_only_whether_it_is_set() {
        let (set, unset) = (Secret::from("hush"), Secret::default());
        assert_eq!(format!("{set:?} {unset:?}"), "\"***\" \"\"");
        assert_eq!(serde_json::to_string(&[&set, &unset]).unwrap(), "[\"***\",\"\"]");
        assert_eq!(serde_json::from_str::<Secret>("\"hush\"").unwrap().expose(), "hush");
    }

    #[test]
    fn the_password_of_a_url_is_masked() {
        for (url, shown) in [
            ("", ""),
            ("mysql://me:hush@db:3306/p", "mysql://me:***@db:3306/p"),
            ("amqp://me:hu%2Fsh@mq/%2f", "amqp://me:***@mq/%2f"),
            ("amqp://me:hu@sh@mq/%2f", "amqp://me:***@mq/%2f"),
            ("mysql://me@db/p", "mysql://me@db/p"),
            ("http://127.0.0.1:9200", "http://127.0.0.1:9200"),
            // Not a URL, or not one in which the password can be distinguished.
            ("hush", "***"),
            ("mysql://me:hush/x@db/p", "***"),
            ("mysql://me:12/hush@db/p", "***"),
            ("mysql://me:12?hush@db/p", "***"),
            ("mysql://me:12#hush@db/p", "***"),
        ] {
            let secret = SecretUrl::from(url);
            assert_eq!(format!("{secret:?}"), format!("{shown:?}"), "{url}");
            assert_eq!(serde_json::to_string(&secret).unwrap(), format!("{shown:?}"), "{url}");
            assert_eq!(secret.expose(), url);
        }
    }

    #[test]
    fn bounds_are_allowed_and_nan_is_not() {
        assert_eq!(at_least("a", 1, 1), Ok(()));
        assert_eq!(at_most("a", 1, 1), Ok(()));
        assert_eq!(between("a", 1.0, 0.0, 1.0), Ok(()));
        let problem = |outcome: Result<(), InvalidSetting>| outcome.unwrap_err().in_section("s").to_string();
        assert_eq!(problem(at_least("a", 0, 1)), "s.a: must be at least 1, not 0");
        assert_eq!(problem(at_most("a", 2, 1)), "s.a: must be at most 1, not 2");
        assert_eq!(problem(between("a", f64::NAN, 0.0, 1.0)), "s.a: must be between 0 and 1, not NaN");
    }

    #[test]
    fn the_distance_of_words_is_in_letters() {
        for (a, b, letters) in
            [("", "", 0), ("share", "share", 0), ("", "abc", 3), ("shrae", "share", 2), ("bär", "bar", 1)]
        {
            assert_eq!((distance(a, b), distance(b, a)), (letters, letters), "{a} {b}");
        }
    }
}
