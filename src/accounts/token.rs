//! Random secrets and the hashes under which they are stored.

use super::error::AccountError;

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The prefix of every API key. Paystorm has test keys only.
pub const KEY_PREFIX: &str = "sk_test_";
const KEY_RANDOM_LEN: usize = 32;
const SESSION_RANDOM_LEN: usize = 43;

/// Fills bytes from the system's randomness.
///
/// # Errors
/// [`AccountError::Randomness`] if the system has none to give.
pub fn random_bytes<const N: usize>() -> Result<[u8; N], AccountError> {
    let mut bytes = [0_u8; N];
    getrandom::fill(&mut bytes).map_err(|_| AccountError::Randomness)?;
    Ok(bytes)
}

/// `len` random base-62 characters, 5.95 bits each.
fn random_base62(len: usize) -> Result<String, AccountError> {
    let mut text = String::with_capacity(len);
    while text.len() < len {
        // Bytes from 248 on would make the first digits more likely than the others.
        let usable = random_bytes::<64>()?.into_iter().filter(|byte| *byte < 248);
        for byte in usable.take(len - text.len()) {
            text.push(BASE62.get(usize::from(byte % 62)).map_or('0', |digit| char::from(*digit)));
        }
    }
    Ok(text)
}

/// A new API key: the prefix and 32 random characters (190 bits).
///
/// # Errors
/// As [`random_bytes`].
pub fn new_api_key() -> Result<String, AccountError> {
    Ok(format!("{KEY_PREFIX}{}", random_base62(KEY_RANDOM_LEN)?))
}

/// A new session token of 256 random bits.
///
/// # Errors
/// As [`random_bytes`].
pub fn new_session_token() -> Result<String, AccountError> {
    random_base62(SESSION_RANDOM_LEN)
}

/// The hash under which a random secret is stored. Fast on purpose: the secret has too many bits to be guessed.
#[must_use]
pub fn secret_hash(secret: &str) -> [u8; 32] {
    *blake3::hash(secret.as_bytes()).as_bytes()
}

/// The last four characters of a secret.
#[must_use]
pub fn last4(secret: &str) -> String {
    secret.get(secret.len().saturating_sub(4)..).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_long_distinct_and_in_their_alphabet() {
        let (a, b) = (new_api_key().unwrap(), new_api_key().unwrap());
        assert_ne!(a, b);
        assert_eq!(a.len(), KEY_PREFIX.len() + KEY_RANDOM_LEN);
        assert!(a.strip_prefix(KEY_PREFIX).unwrap().bytes().all(|byte| BASE62.contains(&byte)));
        assert_eq!(new_session_token().unwrap().len(), SESSION_RANDOM_LEN);
        assert_eq!(last4("sk_test_abcd"), "abcd");
    }
}
