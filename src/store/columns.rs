//! Encodes values for columns and decodes them again. Pure.

use super::error::StoreError;
use crate::domain::currency::Currency;
use crate::domain::ids::AccountId;
use crate::domain::subject as domain;

/// Enough for most values, so that the buffer need not grow while one is encoded.
const ENCODED_BYTES: usize = 384;

/// Encodes a submission or a history: MessagePack with structs as arrays.
pub(super) fn encode<T: serde::Serialize>(value: &T) -> Result<Vec<u8>, StoreError> {
    let mut bytes = Vec::with_capacity(ENCODED_BYTES);
    rmp_serde::encode::write(&mut bytes, value).map_err(|error| StoreError::Refused(error.to_string()))?;
    Ok(bytes)
}

pub(super) fn decode<T: serde::de::DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T, StoreError> {
    rmp_serde::from_slice(bytes).map_err(|error| StoreError::Damaged(format!("{what}: {error}")))
}

/// A journal position, or a count, as a `BIGINT` column stores it.
pub(super) fn signed(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

/// The same, read back.
pub(super) fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

pub(super) fn version_column(version: u32) -> i32 {
    i32::try_from(version).unwrap_or(i32::MAX)
}

/// The most rows read of a small table.
pub(super) const SMALL_MAX: u32 = 10_000;

pub(super) fn damaged(what: &str) -> StoreError {
    StoreError::Damaged(format!("{what} cannot be read"))
}

pub(super) fn account_id(bytes: &[u8]) -> Result<AccountId, StoreError> {
    AccountId::from_slice(bytes).ok_or_else(|| damaged("account id"))
}

pub(super) fn currency(text: &str) -> Result<Currency, StoreError> {
    text.parse().map_err(|_| damaged("currency"))
}

pub(super) fn fixed<const N: usize>(bytes: &[u8], what: &str) -> Result<[u8; N], StoreError> {
    <[u8; N]>::try_from(bytes).map_err(|_| damaged(what))
}

pub(super) fn subject(key: &[u8], what: &str) -> Result<domain::Subject, StoreError> {
    domain::Subject::from_key(key).ok_or_else(|| damaged(what))
}
