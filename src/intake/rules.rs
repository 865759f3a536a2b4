//! The context of reading requests: the installation's secrets, its rule about card numbers, and the time.

use crate::accounts::AccountError;
use crate::accounts::token;
use crate::domain::idempotency::KeySecret;
use crate::domain::time::Timestamp;
use crate::store::{Store, StoreError};

/// The name under which the store keeps the key for card fingerprints.
pub const FINGERPRINT_KEY_NAME: &str = "fingerprint_key";

/// The rules for everything that an installation reads.
#[derive(Clone, Copy)]
pub struct Rules {
    /// Keys the hashes of card numbers. Secret.
    pub fingerprint_key: [u8; 32],
    /// The secret under which idempotency keys and requests are hashed.
    pub key_secret: KeySecret,
    /// Whether text that holds a card number is refused.
    pub refuse_card_numbers: bool,
}

impl Rules {
    /// The rules of an installation with this secret, from which the others are derived.
    #[must_use]
    pub fn new(fingerprint_key: [u8; 32], refuse_card_numbers: bool) -> Self {
        Self { fingerprint_key, key_secret: KeySecret::derive(&fingerprint_key), refuse_card_numbers }
    }
}

impl std::fmt::Debug for Rules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rules")
            .field("refuse_card_numbers", &self.refuse_card_numbers)
            .finish_non_exhaustive()
    }
}

/// The context of reading a request.
#[derive(Debug, Clone, Copy)]
pub struct InputContext<'a> {
    /// The installation's.
    pub rules: &'a Rules,
    /// The time of the request, by the wall clock.
    pub now: Timestamp,
    /// Whether a charge is confirmed at once where `confirm` is absent: true on the WebSocket, false in the dialect.
    pub confirm_default: bool,
}

/// Reads the installation's secret, created at the first start: the key for card fingerprints, from which others are derived.
///
/// # Errors
/// The store's, or the system has no randomness.
pub async fn fingerprint_key(store: &dyn Store) -> Result<[u8; 32], AccountError> {
    let fresh = token::random_bytes::<32>()?;
    let kept = store.installation_set_once(FINGERPRINT_KEY_NAME, &fresh).await?;
    let damaged = |_| StoreError::Damaged("the fingerprint key does not have 32 bytes".to_owned());
    Ok(<[u8; 32]>::try_from(kept.as_slice()).map_err(damaged)?)
}
