//! Reads amendments of payments from parameters.

use super::contact::{email_field, shipping_field, text_field};
use super::fields::{DESCRIPTION_CHARS_MAX, customer};
use super::metadata::payment_metadata_patch;
use super::text::check_params;
use crate::domain::amendment::PaymentPatch;
use crate::domain::customer::Field;
use crate::intake::error::InputError;
use crate::intake::params::Params;
use crate::intake::rules::InputContext;

/// The parameters that an empty value unsets.
pub const AMENDMENT_UNSET: &[&str] = &[
    "description",
    "metadata",
    "receipt_email",
    "shipping",
    "statement_descriptor",
    "statement_descriptor_suffix",
];

/// The most characters of a statement descriptor.
const DESCRIPTOR_CHARS_MAX: usize = 22;

/// Reads what changes about a payment.
///
/// # Errors
/// [`InputError`] names the parameter at fault.
pub fn payment_patch(
    params: &mut Params<'_>,
    context: &InputContext<'_>,
) -> Result<PaymentPatch, InputError> {
    check_params(params, context.rules)?;
    Ok(PaymentPatch {
        amount_minor: params.integer("amount")?,
        description: text_field(params, "description", DESCRIPTION_CHARS_MAX)?,
        metadata: payment_metadata_patch(params)?,
        customer: customer(params)?,
        receipt_email: email_field(params, "receipt_email")?,
        shipping: shipping_field(params)?,
        statement_descriptor: descriptor(params, "statement_descriptor")?,
        statement_descriptor_suffix: descriptor(params, "statement_descriptor_suffix")?,
    })
}

/// A statement descriptor: at most 22 characters, at least one of them a letter, and none that statements cannot show.
fn descriptor(params: &mut Params<'_>, path: &str) -> Result<Field<String>, InputError> {
    let field = text_field(params, path, DESCRIPTOR_CHARS_MAX)?;
    let invalid = |text: &String| {
        text.contains(['<', '>', '\\', '\'', '"', '*']) || !text.chars().any(|c| c.is_ascii_alphabetic())
    };
    match field.iter().flatten().next() {
        Some(text) if invalid(text) => {
            let message =
                "The statement descriptor must contain at least one letter, and none of < > \\ ' \" *.";
            Err(InputError::new(path, "parameter_invalid_string", message))
        }
        Some(_) | None => Ok(field),
    }
}
