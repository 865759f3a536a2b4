//! Terms of a payment: everything about it that amendments can change, except the amount. A row beside the payment.

use serde::{Deserialize, Serialize};

use super::contact::Shipping;
use super::ids::CustomerId;
use super::metadata::{self, Metadata};
use super::submission::Submission;

/// The terms of a payment, complete as of one amendment. Serialised as an array: new fields go to the end with a default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// Free text.
    pub description: Option<String>,
    /// Free key–value pairs.
    pub metadata: Metadata,
    /// The customer who pays, where one was named.
    pub customer: Option<CustomerId>,
    /// The address for a receipt.
    pub receipt_email: Option<String>,
    /// Where the goods are sent.
    pub shipping: Option<Shipping>,
    /// The text on the cardholder's statement.
    pub statement_descriptor: Option<String>,
    /// The text after the account's own name there.
    pub statement_descriptor_suffix: Option<String>,
}

impl Terms {
    /// The terms of a submission that was never amended.
    #[must_use]
    pub fn of(submission: &Submission) -> Self {
        Self {
            description: submission.description.clone(),
            metadata: submission.metadata.clone(),
            customer: submission.customer,
            ..Self::default()
        }
    }

    /// The stored form.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        // No part of it can fail to serialise.
        rmp_serde::to_vec(self).unwrap_or_default()
    }

    /// Reads [`Self::to_bytes`] back.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        rmp_serde::from_slice(bytes).ok()
    }

    /// A short hash of the stored form, with which the event vouches for the row.
    #[must_use]
    pub fn fingerprint(bytes: &[u8]) -> u64 {
        blake3::hash(bytes)
            .as_bytes()
            .iter()
            .take(8)
            .fold(0, |name: u64, byte| (name << 8) | u64::from(*byte))
    }

    /// The bytes of its text.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        let texts = [
            &self.description,
            &self.receipt_email,
            &self.statement_descriptor,
            &self.statement_descriptor_suffix,
        ];
        texts.into_iter().flatten().map(String::len).sum::<usize>()
            + metadata::text_bytes(&self.metadata)
            + self.shipping.as_ref().map_or(0, Shipping::text_bytes)
    }
}
