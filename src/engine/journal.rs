//! The encoding of the journal: one batch's events, compressed. What a reader needs to route a payment's part of the
//! batch is in the entry; the payment itself is read by id.

use serde::{Deserialize, Serialize};

use crate::domain::event::Recorded;
use crate::domain::ids::{AccountId, PaymentId};
use crate::domain::submission::Lane;

/// zstd's fastest real level; the design measured it at 1–2 % of the line's time.
const COMPRESSION_LEVEL: i32 = 1;
/// A decoded body larger than this is not ours: 1,024 commands of at most a few events each are far below.
const DECODED_MAX: usize = 64 << 20;

/// One payment's part of a batch, as stored. Serialised as an array; new fields go to the end with a default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalEntry {
    /// The payment.
    pub payment: PaymentId,
    /// Its submitter.
    pub owner: AccountId,
    /// Who receives it, for transfers.
    pub payee: Option<AccountId>,
    /// The queue its operations use.
    pub lane: Lane,
    /// The load run it belongs to.
    pub run: Option<String>,
    /// The version of the first of `events`.
    pub first_version: u32,
    /// What happened, in order; nothing where only keys were remembered.
    pub events: Vec<Recorded>,
    /// Operation and attempt of the work that this batch put into the queue.
    pub work: Vec<(u16, u16)>,
    /// Fingerprints of the idempotency rows that this batch wrote for the payment, by which the auditor misses one that is gone or was changed.
    #[serde(default)]
    pub keys: Vec<u64>,
}

/// A body that cannot be encoded or read.
#[derive(Debug, thiserror::Error)]
#[error("journal body: {0}")]
pub struct JournalError(String);

/// Encodes a batch.
///
/// # Errors
/// [`JournalError`] if an encoder fails, which nothing a command contains can cause.
pub fn encode(entries: &[&JournalEntry]) -> Result<Vec<u8>, JournalError> {
    let plain = rmp_serde::to_vec(entries).map_err(|error| JournalError(error.to_string()))?;
    zstd::bulk::compress(&plain, COMPRESSION_LEVEL).map_err(|error| JournalError(error.to_string()))
}

/// Reads what readers follow of a batch: what happened, not which keys were remembered beside.
///
/// # Errors
/// [`JournalError`] if the body is damaged.
pub fn decode_changes(body: &[u8]) -> Result<Vec<JournalEntry>, JournalError> {
    let mut entries = decode(body)?;
    entries.retain(|entry| !entry.events.is_empty());
    Ok(entries)
}

/// Reads a batch back. An empty body is that of a place in which nothing happened to any payment: an account was closed.
///
/// # Errors
/// [`JournalError`] if the body is damaged.
pub fn decode(body: &[u8]) -> Result<Vec<JournalEntry>, JournalError> {
    if body.is_empty() {
        return Ok(Vec::new());
    }
    let size = zstd::bulk::Decompressor::upper_bound(body).unwrap_or(DECODED_MAX).min(DECODED_MAX);
    let plain = zstd::bulk::decompress(body, size).map_err(|error| JournalError(error.to_string()))?;
    rmp_serde::from_slice(&plain).map_err(|error| JournalError(error.to_string()))
}
