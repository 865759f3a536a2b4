//! Customers among the parameters.

use super::contact::{self, NAME_CHARS_MAX, PHONE_CHARS_MAX};
use super::{DESCRIPTION_CHARS_MAX, metadata_patch};
use crate::domain::customer::CustomerPatch;
use crate::web::error::InputError;
use crate::web::params::Params;

/// What an empty value unsets.
pub const CUSTOMER_UNSET: &[&str] =
    &["address", "description", "email", "metadata", "name", "phone", "shipping"];

/// Reads what is said of a customer: all of a new one, or what changes.
///
/// # Errors
/// [`InputError`] names the parameter at fault.
pub fn customer_patch(params: &mut Params<'_>) -> Result<CustomerPatch, InputError> {
    Ok(CustomerPatch {
        name: contact::text_field(params, "name", NAME_CHARS_MAX)?,
        email: contact::email_field(params, "email")?,
        description: contact::text_field(params, "description", DESCRIPTION_CHARS_MAX)?,
        phone: contact::text_field(params, "phone", PHONE_CHARS_MAX)?,
        address: contact::address_field(params, "address")?,
        shipping: contact::shipping_field(params)?,
        metadata: metadata_patch(params)?,
    })
}
