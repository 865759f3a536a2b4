//! Reads idempotency keys as callers write them.

use crate::domain::idempotency::RequestKey;
use crate::intake::error::InputError;
use crate::intake::params::Params;

const KEY_CHARS_MAX: usize = 255;

/// Checks a raw idempotency key from a header.
///
/// # Errors
/// Empty, too long, or not printable.
pub fn idempotency_key(raw: &str) -> Result<RequestKey, InputError> {
    let ok = (1..=KEY_CHARS_MAX).contains(&raw.chars().count()) && !raw.chars().any(char::is_control);
    let message = "An idempotency key needs 1 to 255 printable characters.";
    if ok {
        Ok(RequestKey::Text(raw.to_owned()))
    } else {
        Err(InputError::new("idempotency_key", "parameter_invalid_string", message))
    }
}

pub(super) fn key(params: &mut Params<'_>) -> Result<Option<RequestKey>, InputError> {
    params.text("idempotency_key")?.map(|raw| idempotency_key(&raw)).transpose()
}
