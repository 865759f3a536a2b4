//! Reads customers from parameters.

use super::contact::{self, NAME_CHARS_MAX, PHONE_CHARS_MAX};
use super::fields::DESCRIPTION_CHARS_MAX;
use super::metadata::metadata_patch;
use crate::domain::customer::CustomerPatch;
use crate::intake::error::InputError;
use crate::intake::params::Params;

/// The parameters that an empty value unsets.
pub const CUSTOMER_UNSET: &[&str] =
    &["address", "description", "email", "metadata", "name", "phone", "shipping"];

/// Reads a customer's fields: all of a new customer, or the changes to an existing one.
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
