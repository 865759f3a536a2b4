//! Reads the messages that clients send, with as little copying as possible.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::BATCH_PAYMENTS_MAX;
use crate::intake::{InputError, Params};

const ID_BYTES_MAX: usize = 128;

/// The client's own id of a message, repeated in the answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ClientId {
    /// Sent as a JSON number.
    Number(i64),
    /// Sent as JSON text, at most 128 bytes.
    Text(String),
}

/// A message as it arrives, with the fields of all types of message.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Message<'a> {
    /// The type of message.
    #[serde(borrow, rename = "type")]
    pub kind: Cow<'a, str>,
    /// Repeated in the answer.
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
    /// `operation.submit`: the dispute that is closed.
    pub dispute: Option<String>,
    /// `operation.submit`: the refund that is ended.
    pub refund: Option<String>,
    /// `operation.submit`: why it fails.
    pub failure_reason: Option<String>,
    /// `operation.submit`: whether the charge is disputed, asked about, or warned of.
    pub dispute_type: Option<String>,
    /// `subscribe`.
    pub topic: Option<String>,
    /// `subscribe` to a run.
    pub run: Option<String>,
    /// `subscribe`.
    pub max_per_second: Option<u32>,
    /// `unsubscribe`.
    pub subscription: Option<u64>,
}

/// The one type of message whose frame may be long.
pub const BATCH: &str = "payment.submit_batch";

/// A frame that is not a valid message.
#[derive(Debug)]
pub struct Unread {
    /// Its id, if that could be read.
    pub id: Option<ClientId>,
    /// Whether its type is a batch, so that it may be long.
    pub batch: bool,
    /// The answer to the client.
    pub error: InputError,
}

/// What can be read of a frame whose rest is wrong. Lenient, since unknown fields may be the error.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Outline<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    id: Option<ClientId>,
}

impl<'a> Message<'a> {
    /// Reads a frame.
    ///
    /// # Errors
    /// Not JSON, not an object, unknown fields, or a batch that is too long.
    pub fn read(text: &'a str) -> Result<Self, Unread> {
        let unread = |error| {
            let Outline { kind, id } = serde_json::from_str(text).unwrap_or_default();
            Unread { id: id.filter(|id| !is_long(id)), batch: kind == BATCH, error }
        };
        let message: Self = serde_json::from_str(text).map_err(|error| unread(InputError::json(&error)))?;
        if message.payments.as_ref().is_some_and(|payments| payments.len() > BATCH_PAYMENTS_MAX) {
            let text = format!("A batch can have at most {BATCH_PAYMENTS_MAX} payments.");
            return Err(unread(InputError::new("payments", "parameter_invalid_list", text)));
        }
        if message.id.as_ref().is_some_and(is_long) {
            let text = format!("An id can have at most {ID_BYTES_MAX} bytes.");
            return Err(unread(InputError::new("id", "parameter_invalid_string", text)));
        }
        Ok(message)
    }
}

fn is_long(id: &ClientId) -> bool {
    match id {
        ClientId::Text(text) => text.len() > ID_BYTES_MAX,
        ClientId::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_batch_is_distinguished_from_a_frame_that_is_too_long() {
        let payments = vec!["{}"; BATCH_PAYMENTS_MAX + 1].join(",");
        let batch = format!(r#"{{"type":"payment.submit_batch","id":7,"payments":[{payments}]}}"#);
        let Unread { id, batch, error } = Message::read(&batch).unwrap_err();
        assert_eq!((id, batch, error.code), (Some(ClientId::Number(7)), true, "parameter_invalid_list"));
        let strange = r#"{"type":"payment.submit_batch","id":"a","payments":[],"colour":"red"}"#;
        let Unread { id, batch, error } = Message::read(strange).unwrap_err();
        assert_eq!((id, batch, error.code), (Some(ClientId::Text("a".to_owned())), true, "body_invalid"));
        for other in ["", "{", r#"{"type":"ping","colour":1}"#, r#"{"colour":"payment.submit_batch"}"#] {
            assert!(!Message::read(other).unwrap_err().batch, "{other}");
        }
    }
}
