//! What can be said of a payment in words, as it stands after an amendment: a row beside the payment.

use serde::{Deserialize, Serialize};

use super::contact::Shipping;
use super::ids::CustomerId;
use super::metadata::{self, Metadata};
use super::submission::Submission;

/// What can be said of a payment in words, as it is after an amendment. Serialised as an array: new fields go to the end with a
/// default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// Free text.
    pub description: Option<String>,
    /// Free pairs.
    pub metadata: Metadata,
    /// The customer.
    pub customer: Option<CustomerId>,
    /// Where a receipt goes.
    pub receipt_email: Option<String>,
    /// Where the goods go.
    pub shipping: Option<Shipping>,
    /// What the cardholder reads on a statement.
    pub statement_descriptor: Option<String>,
    /// What follows the account's own name there.
    pub statement_descriptor_suffix: Option<String>,
}

impl Terms {
    /// Those of a submission that was never amended.
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
        // Nothing in it can fail to be written.
        rmp_serde::to_vec(self).unwrap_or_default()
    }

    /// Reads [`Self::to_bytes`] back.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        rmp_serde::from_slice(bytes).ok()
    }

    /// A short hash of the stored form, by which the event vouches for the row.
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
