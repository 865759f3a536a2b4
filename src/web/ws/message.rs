//! What clients send, read with as little copying as possible.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::BATCH_PAYMENTS_MAX;
use crate::web::error::InputError;
use crate::web::params::Params;

const ID_CHARS_MAX: usize = 128;

/// The client's own id of a message, repeated in the answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ClientId {
    /// A number.
    Number(i64),
    /// Text.
    Text(String),
}

/// A message as it arrives: every field that any type of message has.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Message<'a> {
    /// What kind of message.
    #[serde(borrow, rename = "type")]
    pub kind: Cow<'a, str>,
    /// The client's id.
    pub id: Option<ClientId>,
    /// `payment.submit`.
    #[serde(borrow)]
    pub payment: Option<Params<'a>>,
    /// `payment.submit_batch`.
    #[serde(borrow)]
    pub payments: Option<Vec<Params<'a>>>,
    /// The account to act for.
    pub account: Option<String>,
    /// `operation.submit`, `subscribe` to one payment.
    pub payment_id: Option<String>,
    /// `operation.submit`.
    pub operation: Option<String>,
    /// `operation.submit`.
    pub amount: Option<i64>,
    /// `operation.submit`.
    pub reason: Option<String>,
    /// `operation.submit`.
    #[serde(borrow)]
    pub payment_method: Option<Cow<'a, str>>,
    /// `operation.submit`.
    #[serde(borrow)]
    pub card: Option<Params<'a>>,
    /// `operation.submit`.
    pub passed: Option<bool>,
    /// `operation.submit`.
    #[serde(borrow)]
    pub idempotency_key: Option<Cow<'a, str>>,
    /// `subscribe`.
    pub topic: Option<String>,
    /// `subscribe` to a run.
    pub run: Option<String>,
    /// `subscribe`.
    pub max_per_second: Option<u32>,
    /// `unsubscribe`.
    pub subscription: Option<u64>,
}

impl<'a> Message<'a> {
    /// Reads a frame.
    ///
    /// # Errors
    /// Not JSON, not an object, unknown fields, or a batch that is too long.
    pub fn read(text: &'a str) -> Result<Self, InputError> {
        let message: Self = serde_json::from_str(text).map_err(|error| InputError::json(&error))?;
        if message.payments.as_ref().is_some_and(|payments| payments.len() > BATCH_PAYMENTS_MAX) {
            let text = format!("A batch can have at most {BATCH_PAYMENTS_MAX} payments.");
            return Err(InputError::new("payments", "parameter_invalid_list", text));
        }
        match &message.id {
            Some(ClientId::Text(text)) if text.len() > ID_CHARS_MAX => {
                Err(InputError::new("id", "parameter_invalid_string", "An id can have at most 128 bytes."))
            }
            Some(ClientId::Text(_) | ClientId::Number(_)) | None => Ok(message),
        }
    }
}
