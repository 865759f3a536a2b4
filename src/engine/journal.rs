//! The encoding of the journal: what one batch did to payments and to plain resources, compressed. What a reader needs to
//! route a payment's part of the batch is in the entry; the payment itself is read by id. A resource has no history: its
//! entry says what it was before and after, which is kept nowhere else.

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

use crate::domain::event::Recorded;
use crate::domain::ids::{AccountId, ClockId, PaymentId};
use crate::domain::resource::Body;
use crate::domain::subject::Subject;
use crate::domain::submission::Lane;
use crate::domain::time::Timestamp;

/// zstd's fastest real level; the design measured it at 1–2 % of the sequencer's time.
const COMPRESSION_LEVEL: i32 = 1;
/// A decoded body larger than this is not ours: 1,024 commands of at most a few events each are far below.
const DECODED_MAX: usize = 64 << 20;

/// One payment's part of a batch, as stored. Serialised as an array; new fields go to the end with a default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JournalEntry {
    /// The payment that these events belong to.
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
    /// Fingerprints of the idempotency rows that this batch wrote for the payment, by which the auditor notices one that is missing or
    /// was changed.
    #[serde(default)]
    pub keys: Vec<u64>,
    /// Whether the payment has anything in the queue, where this batch changed that.
    #[serde(default)]
    pub open: Option<bool>,
}

/// A plain resource's part of a batch. Serialised as an array; new fields go to the end with a default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceEntry {
    /// The resource that these states belong to.
    pub subject: Subject,
    /// Whose it is.
    pub owner: AccountId,
    /// The clock it follows.
    pub clock: ClockId,
    /// When it was created, on its clock.
    pub created: Timestamp,
    /// The version of the first of `states`.
    pub first_version: u32,
    /// What it was before; `None` for one that is new, and where nothing changed.
    pub before: Option<Body>,
    /// What it was after each change, in order; `None` once it is deleted. Nothing where only keys were remembered.
    pub states: Vec<Option<Body>>,
    /// As [`JournalEntry::keys`].
    pub keys: Vec<u64>,
}

/// A whole body, as read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct JournalBody {
    /// One entry per payment touched.
    pub payments: Vec<JournalEntry>,
    /// One entry per resource touched.
    pub resources: Vec<ResourceEntry>,
}

/// The same, for readers of payments only.
#[derive(Default, Deserialize)]
struct PaymentsOnly {
    payments: Vec<JournalEntry>,
    #[serde(rename = "resources")]
    _resources: IgnoredAny,
}

/// A body that cannot be encoded or read.
#[derive(Debug, thiserror::Error)]
#[error("journal body: {0}")]
pub struct JournalError(String);

/// Encodes a batch.
///
/// # Errors
/// [`JournalError`] if an encoder fails, which nothing a command contains can cause.
pub fn encode(payments: &[&JournalEntry], resources: &[ResourceEntry]) -> Result<Vec<u8>, JournalError> {
    let plain = rmp_serde::to_vec(&(payments, resources)).map_err(|error| JournalError(error.to_string()))?;
    zstd::bulk::compress(&plain, COMPRESSION_LEVEL).map_err(|error| JournalError(error.to_string()))
}

/// Reads what readers of payments see of a batch: the events, without entries that only remember keys.
///
/// # Errors
/// [`JournalError`] if the body is damaged.
pub fn decode_changes(body: &[u8]) -> Result<Vec<JournalEntry>, JournalError> {
    let PaymentsOnly { mut payments, .. } = read(body)?;
    payments.retain(|entry| !entry.events.is_empty());
    Ok(payments)
}

/// Reads a batch back. At a position with an empty body nothing happened to any payment: an account was closed.
///
/// # Errors
/// [`JournalError`] if the body is damaged.
pub fn decode(body: &[u8]) -> Result<JournalBody, JournalError> {
    read(body)
}

fn read<T: DeserializeOwned + Default>(body: &[u8]) -> Result<T, JournalError> {
    if body.is_empty() {
        return Ok(T::default());
    }
    let size = zstd::bulk::Decompressor::upper_bound(body).unwrap_or(DECODED_MAX).min(DECODED_MAX);
    let plain = zstd::bulk::decompress(body, size).map_err(|error| JournalError(error.to_string()))?;
    rmp_serde::from_slice(&plain).map_err(|error| JournalError(error.to_string()))
}
