//! Passwords: what is accepted, and Argon2id with bounded parallelism.
//!
//! Parameters: 19,456 KiB, 2 passes, 1 lane (OWASP Password Storage Cheat Sheet), at most two hashes at once so that a
//! flood of sign-ins costs 40 MiB and two threads, never more.

use std::sync::Arc;

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use icu_properties::CodePointMapData;
use icu_properties::props::{GeneralCategory, GeneralCategoryGroup};
use precis_profiles::precis_core::{DerivedPropertyValue, FreeformClass, StringClass as _};
use tokio::sync::Semaphore;

use super::error::{AccountError, PasswordError};
use super::token::random_bytes;
use crate::domain::text::{composed, fold};

const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const AT_ONCE: usize = 2;
/// The fewest characters of a password.
pub const LENGTH_MIN: usize = 12;
/// The most characters of a password.
pub const LENGTH_MAX: usize = 128;

/// Passwords of sufficient length that everybody tries first, one a line, in lower case.
const COMMON: &str = include_str!("common_passwords.txt");

/// A new password that meets the rules. Held until it is hashed; never shown.
pub struct NewPassword(String);

impl NewPassword {
    /// Checks a password against the rules.
    ///
    /// # Errors
    /// [`PasswordError`] says which rule it breaks.
    pub fn parse(text: &str) -> Result<Self, PasswordError> {
        let text = prepared(text);
        if !(LENGTH_MIN..=LENGTH_MAX).contains(&text.chars().count()) {
            return Err(PasswordError::Length);
        }
        if !is_typed(&text) {
            return Err(PasswordError::Characters);
        }
        let lower = fold(&text);
        let first = lower.chars().next();
        let monotone = lower.chars().all(|c| Some(c) == first);
        if monotone || COMMON.lines().any(|common| common == lower) {
            return Err(PasswordError::Common);
        }
        Ok(Self(text))
    }
}

/// A password as it is hashed (RFC 8265, 4.2.2, OpaqueString): every kind of space is a space, every letter is composed, so that
/// it is the same on every keyboard. Case and everything else stay. One that is too long stays so.
fn prepared(text: &str) -> String {
    // Composing shortens a text, by no more than this; longer ones need not be read to their end.
    let start: String =
        text.chars().take(4 * (LENGTH_MAX + 1)).map(|c| if is_space(c) { ' ' } else { c }).collect();
    composed(&start).into_owned()
}

/// Whether a text holds only what a password may hold (RFC 8264, 4.3, FreeformClass). The library knows what Unicode 6.3
/// had assigned, like the RFC's registry, which has not changed since 2013. Later characters are accepted by their
/// category.
fn is_typed(text: &str) -> bool {
    let class = FreeformClass::default();
    let newer = |c: char| {
        let unknown = matches!(class.get_value_from_char(c), DerivedPropertyValue::Unassigned);
        unknown && SEEN.contains(CodePointMapData::<GeneralCategory>::new().get(c))
    };
    // Rules about neighbouring characters only concern old ones, so a stand-in may replace newer ones.
    let known: String = text.chars().map(|c| if newer(c) { STAND_IN } else { c }).collect();
    class.allows(known).is_ok()
}

/// The categories that are visible when typed.
const SEEN: GeneralCategoryGroup = GeneralCategoryGroup::Letter
    .union(GeneralCategoryGroup::Mark)
    .union(GeneralCategoryGroup::Number)
    .union(GeneralCategoryGroup::Punctuation)
    .union(GeneralCategoryGroup::Symbol);
/// Any symbol that the library knows.
const STAND_IN: char = '☠';

/// Unicode's space separators.
const fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}')
}

impl std::fmt::Debug for NewPassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NewPassword(…)")
    }
}

/// Hashes and verifies on the blocking pool.
#[derive(Debug, Clone)]
pub struct Passwords {
    slots: Arc<Semaphore>,
    dummy: Arc<str>,
}

impl Passwords {
    /// Makes the hasher and the dummy hash that stands in for unknown users. Takes some 20 ms.
    ///
    /// # Errors
    /// [`AccountError::Hashing`] or [`AccountError::Randomness`] if the machine cannot do it at all.
    pub fn new() -> Result<Self, AccountError> {
        let dummy = hash_now("a password that nobody has")?;
        Ok(Self { slots: Arc::new(Semaphore::new(AT_ONCE)), dummy: dummy.into() })
    }

    /// The PHC text of a new password.
    ///
    /// # Errors
    /// [`AccountError::Hashing`] if hashing itself breaks.
    pub async fn hash(&self, password: NewPassword) -> Result<String, AccountError> {
        self.blocking(move || hash_now(&password.0)).await?
    }

    /// Whether `password` is the one behind `stored`. Without a stored hash it works just as long and returns `false`.
    ///
    /// # Errors
    /// [`AccountError::Hashing`] if the blocking pool is gone.
    pub async fn verify(&self, password: &str, stored: Option<&str>) -> Result<bool, AccountError> {
        let known = stored.is_some();
        let stored = stored.map_or_else(|| Arc::clone(&self.dummy), Arc::from);
        // Longer ones cannot be anybody's, and hashing megabytes would be a gift to an attacker.
        let short = |text: &str| text.chars().take(LENGTH_MAX + 1).collect::<String>();
        let (candidate, as_typed) = (short(&prepared(password)), short(password));
        // A hash from before passwords were prepared was made of the text as typed.
        let differs = candidate != as_typed;
        let matches = self
            .blocking(move || verify_now(&candidate, &stored) || (differs && verify_now(&as_typed, &stored)));
        Ok(matches.await? && known)
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, AccountError> {
        let slot = Arc::clone(&self.slots).acquire_owned().await.map_err(|_| AccountError::Hashing)?;
        // The slot travels into the closure: a caller that goes away does not free it before the work is done.
        let done = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(slot);
            result
        });
        done.await.map_err(|_| AccountError::Hashing)
    }
}

fn argon2() -> Result<Argon2<'static>, AccountError> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|_| AccountError::Hashing)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash_now(password: &str) -> Result<String, AccountError> {
    let salt = SaltString::encode_b64(&random_bytes::<16>()?).map_err(|_| AccountError::Hashing)?;
    let hash = argon2()?.hash_password(password.as_bytes(), &salt).map_err(|_| AccountError::Hashing)?;
    Ok(hash.to_string())
}

fn verify_now(password: &str, stored: &str) -> bool {
    // The parameters come from the stored text, so that they can be raised later.
    PasswordHash::new(stored)
        .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules() {
        let refused = |text: &str| NewPassword::parse(text).unwrap_err();
        assert_eq!(refused("short"), PasswordError::Length);
        assert_eq!(refused(&"x1".repeat(65)), PasswordError::Length);
        assert_eq!(refused("Password1234"), PasswordError::Common);
        assert_eq!(refused("aaaaaaaaaaaaaaaa"), PasswordError::Common);
        assert!(NewPassword::parse("twelve chars").is_ok());
        assert!(NewPassword::parse("pässwörtchen").is_ok());
        for (wrong, what) in [
            ("\u{0}", "a control character"),
            ("\n", "a line feed"),
            ("\u{7f}", "another"),
            ("\u{85}", "a third"),
            ("\u{200d}", "a joiner that joins nothing"),
            ("\u{200b}", "a space that shows nothing"),
            ("\u{202e}", "a turn of the direction"),
            ("\u{ad}", "a soft hyphen"),
            ("\u{feff}", "a byte order mark"),
            ("\u{e0001}", "a tag"),
            ("\u{1100}", "a part of a syllable"),
            ("\u{378}", "nothing that Unicode knows"),
            ("\u{e000}", "something private"),
            ("\u{fffe}", "no character"),
            ("\u{10ffff}", "no character either"),
        ] {
            assert_eq!(refused(&format!("twelve{wrong} chars")), PasswordError::Characters, "{what}");
        }
        for fine in [
            "twelve © chars",
            "пароль длинный",
            "密码密码密码密码密码密码",
            "🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🔑🗝",
            "ﬁfty-ﬁve ½ Ⅷ",
            "🙂🤔🫠🙂🤔🫠🙂🤔🫠🙂🤔🫠",
        ] {
            assert!(NewPassword::parse(fine).is_ok(), "{fine}");
        }
        // Twenty-two signs, eleven letters.
        assert_eq!(refused(&"e\u{301}".repeat(11)), PasswordError::Length);
        assert!(NewPassword::parse(&["e\u{301}", "a\u{308}"].concat().repeat(64)).is_ok());
        assert!(COMMON.lines().all(|line| line.len() >= LENGTH_MIN && line == line.to_lowercase()));
    }

    #[tokio::test]
    async fn only_the_right_password_verifies_and_unknown_users_cost_the_same() {
        let passwords = Passwords::new().unwrap();
        let hash = passwords.hash(NewPassword::parse("correct horse battery").unwrap()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(passwords.verify("correct horse battery", Some(&hash)).await.unwrap());
        assert!(!passwords.verify("wrong horse battery", Some(&hash)).await.unwrap());
        assert!(!passwords.verify("a password that nobody has", None).await.unwrap());
        assert!(!passwords.verify("anything", Some("damaged")).await.unwrap());
    }

    #[tokio::test]
    async fn a_password_is_the_same_on_every_keyboard() {
        let passwords = Passwords::new().unwrap();
        for (set, typed) in [
            ("pässwört im café", "pa\u{308}sswo\u{308}rt im cafe\u{301}"),
            ("pa\u{308}sswo\u{308}rt im cafe\u{301}", "pässwört im café"),
            ("pässwört im café", "pässwört\u{a0}im\u{3000}café"),
        ] {
            let hash = passwords.hash(NewPassword::parse(set).unwrap()).await.unwrap();
            assert!(passwords.verify(typed, Some(&hash)).await.unwrap(), "{set} {typed}");
            assert!(!passwords.verify(&typed.to_uppercase(), Some(&hash)).await.unwrap());
        }
        // One that was hashed as it was typed, before they were prepared.
        let typed = "pa\u{308}sswo\u{308}rt im cafe\u{301}";
        assert!(passwords.verify(typed, Some(&hash_now(typed).unwrap())).await.unwrap());
    }
}
