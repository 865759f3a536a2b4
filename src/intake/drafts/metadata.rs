//! Reads `metadata`: of something new, or changes to it.

use crate::domain::forced::{FORCED_KEY, ForcedOutcome};
use crate::domain::metadata::{KEYS_MAX, Metadata, MetadataPatch};
use crate::intake::error::InputError;
use crate::intake::params::Params;

const KEY_CHARS_MAX: usize = 40;
const VALUE_CHARS_MAX: usize = 500;

/// Reads the `metadata` of something new.
///
/// # Errors
/// Too many keys, or keys or values that are too long.
pub fn metadata(params: &mut Params<'_>) -> Result<Metadata, InputError> {
    let mut pairs = metadata_patch(params)?.pairs;
    // An empty value means "no such key" in the dialect.
    pairs.retain(|(_, value)| !value.is_empty());
    Ok(pairs)
}

/// Reads changes to `metadata`: an empty value removes its key, `metadata=` all keys.
///
/// # Errors
/// Too many keys, or keys or values that are too long.
pub fn metadata_patch(params: &mut Params<'_>) -> Result<MetadataPatch, InputError> {
    let clear = params.empties("metadata");
    let pairs = params.map("metadata")?;
    let invalid = |message: String| Err(InputError::new("metadata", "metadata_invalid", message));
    if pairs.len() > KEYS_MAX {
        return invalid(format!("Metadata can have at most {KEYS_MAX} keys."));
    }
    if pairs.iter().any(|(key, _)| key.chars().count() > KEY_CHARS_MAX) {
        return invalid(format!("Metadata keys can have at most {KEY_CHARS_MAX} characters."));
    }
    if pairs.iter().any(|(_, value)| value.chars().count() > VALUE_CHARS_MAX) {
        return invalid(format!("Metadata values can have at most {VALUE_CHARS_MAX} characters."));
    }
    Ok(MetadataPatch { clear, pairs })
}

/// Reads the `metadata` of a new payment, which may ask for an outcome.
///
/// # Errors
/// As [`metadata`], and an outcome that cannot be read.
pub fn payment_metadata(params: &mut Params<'_>) -> Result<Metadata, InputError> {
    let pairs = metadata(params)?;
    check_forced(&pairs).map(|()| pairs)
}

/// Reads changes to the `metadata` of a payment, which may ask for an outcome.
///
/// # Errors
/// As [`metadata_patch`], and an outcome that cannot be read.
pub fn payment_metadata_patch(params: &mut Params<'_>) -> Result<MetadataPatch, InputError> {
    let patch = metadata_patch(params)?;
    check_forced(&patch.pairs).map(|()| patch)
}

fn check_forced(pairs: &[(String, String)]) -> Result<(), InputError> {
    let forced = pairs.iter().find(|(key, value)| key == FORCED_KEY && !value.is_empty());
    let Some((key, value)) = forced else { return Ok(()) };
    let field = format!("metadata[{key}]");
    ForcedOutcome::parse(value).map(drop).map_err(|problem| wrong_outcome(&field, &problem))
}

/// An outcome that cannot be forced, by the field that asks for it.
#[must_use]
pub fn wrong_outcome(field: &str, problem: &str) -> InputError {
    InputError::new(field, "parameter_invalid_string", format!("Invalid {field}: {problem}."))
}
