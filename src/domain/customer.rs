//! Customers: the people from whom an account takes money. A plain resource.

use serde::{Deserialize, Serialize};

use super::contact::{Address, Shipping};
use super::metadata::{self, Metadata, MetadataPatch};
use super::rejection::Rejection;

/// A customer's details. Serialised as an array: new fields go to the end with a default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Customer {
    /// Their name.
    pub name: Option<String>,
    /// Their e-mail address.
    pub email: Option<String>,
    /// Free text.
    pub description: Option<String>,
    /// Their telephone number.
    pub phone: Option<String>,
    /// Where they live.
    pub address: Option<Address>,
    /// Where goods are sent.
    pub shipping: Option<Shipping>,
    /// Free key–value pairs.
    pub metadata: Metadata,
}

/// A change to one field: `None` leaves it, `Some(None)` clears it, `Some(Some(_))` sets it.
pub type Field<T> = Option<Option<T>>;

/// A request's changes to a customer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CustomerPatch {
    /// Their name.
    pub name: Field<String>,
    /// Their e-mail address.
    pub email: Field<String>,
    /// Free text.
    pub description: Field<String>,
    /// Their telephone number.
    pub phone: Field<String>,
    /// Replaces the whole address.
    pub address: Field<Address>,
    /// Replaces the whole shipping details.
    pub shipping: Field<Shipping>,
    /// Pairs to set or remove.
    pub metadata: MetadataPatch,
}

impl Customer {
    /// The customer with the patch applied.
    ///
    /// # Errors
    /// There would be more pairs of metadata than allowed.
    pub fn patched(&self, patch: &CustomerPatch) -> Result<Self, Rejection> {
        Ok(Self {
            name: field(&patch.name, &self.name),
            email: field(&patch.email, &self.email),
            description: field(&patch.description, &self.description),
            phone: field(&patch.phone, &self.phone),
            address: field(&patch.address, &self.address),
            shipping: field(&patch.shipping, &self.shipping),
            metadata: patch.metadata.applied_to(&self.metadata)?,
        })
    }

    /// The bytes of its text.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        let Self { name, email, description, phone, address, shipping, metadata } = self;
        let texts = [name, email, description, phone].into_iter().flatten();
        texts.map(String::len).sum::<usize>()
            + address.as_ref().map_or(0, Address::text_bytes)
            + shipping.as_ref().map_or(0, Shipping::text_bytes)
            + metadata::text_bytes(metadata)
    }
}

impl CustomerPatch {
    /// Approximate bytes of its text.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        let Self { name, email, description, phone, address, shipping, metadata } = self;
        let texts = [name, email, description, phone].into_iter().flatten().flatten();
        texts.map(String::len).sum::<usize>()
            + address.iter().flatten().map(Address::text_bytes).sum::<usize>()
            + shipping.iter().flatten().map(Shipping::text_bytes).sum::<usize>()
            + metadata::text_bytes(&metadata.pairs)
    }
}

fn field<T: Clone>(patch: &Field<T>, current: &Option<T>) -> Option<T> {
    patch.as_ref().map_or_else(|| current.clone(), Clone::clone)
}
