//! Customers: whom an account takes money from. A plain resource.

use serde::{Deserialize, Serialize};

use super::contact::{Address, Shipping};
use super::metadata::{self, Metadata, MetadataPatch};
use super::rejection::Rejection;

/// What is known of a customer. Serialised as an array: new fields go to the end with a default.
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
    /// Where things are sent to.
    pub shipping: Option<Shipping>,
    /// Free pairs.
    pub metadata: Metadata,
}

/// What a request changes about one field: nothing, or to this, or to nothing.
pub type Field<T> = Option<Option<T>>;

/// What a request changes about a customer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CustomerPatch {
    /// The name.
    pub name: Field<String>,
    /// The e-mail address.
    pub email: Field<String>,
    /// The description.
    pub description: Field<String>,
    /// The telephone number.
    pub phone: Field<String>,
    /// The address, as a whole.
    pub address: Field<Address>,
    /// Where things are sent to, as a whole.
    pub shipping: Field<Shipping>,
    /// The pairs.
    pub metadata: MetadataPatch,
}

impl Customer {
    /// The customer as the patch leaves them.
    ///
    /// # Errors
    /// More metadata than there may be.
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
    /// The bytes of its text, near enough.
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
