//! Reads contact data from parameters: addresses, shipping details, e-mail addresses.

use crate::domain::card_numbers::shown;
use crate::domain::contact::{Address, Shipping};
use crate::domain::customer::Field;
use crate::intake::error::{InputError, SHOWN_CHARS_MAX};
use crate::intake::params::Params;

/// The most characters of a line of an address.
const LINE_CHARS_MAX: usize = 500;
/// The most characters of a name.
pub const NAME_CHARS_MAX: usize = 256;
/// The most characters of a telephone number.
pub const PHONE_CHARS_MAX: usize = 40;

/// Reads the address below a path.
///
/// # Errors
/// A line that is too long.
pub fn address(params: &mut Params<'_>, path: &str) -> Result<Address, InputError> {
    empty(params, path)?;
    let mut line = |name: &str| -> Result<Option<String>, InputError> {
        Ok(params.text_up_to(&format!("{path}[{name}]"), LINE_CHARS_MAX)?.map(String::from))
    };
    Ok(Address {
        city: line("city")?,
        country: line("country")?,
        line1: line("line1")?,
        line2: line("line2")?,
        postal_code: line("postal_code")?,
        state: line("state")?,
    })
}

/// Takes the path itself. It may only be empty, which unsets everything below it.
fn empty(params: &mut Params<'_>, path: &str) -> Result<(), InputError> {
    match params.text(path)? {
        None => Ok(()),
        Some(_) => {
            let message = "Invalid hash: keys and plain values were expected.";
            Err(InputError::new(path, "parameter_invalid_string", message))
        }
    }
}

/// Reads an address that may be changed or, with an empty value, unset.
///
/// # Errors
/// As [`address`].
pub fn address_field(params: &mut Params<'_>, path: &str) -> Result<Field<Address>, InputError> {
    if !params.has(path) {
        return Ok(None);
    }
    let address = address(params, path)?;
    Ok(Some((address != Address::default()).then_some(address)))
}

/// Reads shipping details, which may be changed as a whole or, with an empty value, unset.
///
/// # Errors
/// A name or an address that is missing, or a text that is too long.
pub fn shipping_field(params: &mut Params<'_>) -> Result<Field<Shipping>, InputError> {
    let path = "shipping";
    if !params.has(path) {
        return Ok(None);
    }
    empty(params, path)?;
    if !params.has(path) {
        return Ok(Some(None));
    }
    let missing = |name: &str| InputError::missing(&format!("{path}[{name}]"));
    let name = params.text_up_to("shipping[name]", NAME_CHARS_MAX)?.ok_or_else(|| missing("name"))?;
    let address = address_field(params, "shipping[address]")?.flatten().ok_or_else(|| missing("address"))?;
    let phone = params.text_up_to("shipping[phone]", PHONE_CHARS_MAX)?.map(String::from);
    Ok(Some(Some(Shipping { address, name: name.into_owned(), phone })))
}

/// Reads text that may be changed or, with an empty value, unset.
///
/// # Errors
/// Too long, or not text.
pub fn text_field(
    params: &mut Params<'_>,
    path: &str,
    chars_max: usize,
) -> Result<Field<String>, InputError> {
    if !params.has(path) {
        return Ok(None);
    }
    Ok(Some(params.text_up_to(path, chars_max)?.map(String::from)))
}

/// Reads an e-mail address that may be changed or unset. It is kept as written, since nobody is looked up by it.
///
/// # Errors
/// Not an e-mail address.
pub fn email_field(params: &mut Params<'_>, path: &str) -> Result<Field<String>, InputError> {
    let field = text_field(params, path, 512)?;
    match field.iter().flatten().next() {
        Some(email) if crate::accounts::Email::parse(email).is_err() => {
            let email = shown(email, SHOWN_CHARS_MAX);
            Err(InputError::new(path, "email_invalid", format!("Invalid email address: {email}")))
        }
        Some(_) | None => Ok(field),
    }
}
