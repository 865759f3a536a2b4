//! The effective settings as TOML, for people: secrets are masked, passwords inside addresses too.

use toml::{Table, Value};
use url::Url;

use super::Settings;

const MASK: &str = "***";

/// The effective settings as TOML, without any secret.
///
/// # Errors
/// The words of the serialiser, if a value has no place in TOML.
pub fn to_toml(settings: &Settings) -> Result<String, toml::ser::Error> {
    let mut table = Table::try_from(settings)?;
    mask(&mut table);
    toml::to_string(&table)
}

fn mask(table: &mut Table) {
    for (key, value) in table.iter_mut() {
        match value {
            Value::Table(inner) => mask(inner),
            Value::String(text) if is_secret(key) && !text.is_empty() => MASK.clone_into(text),
            Value::String(text) => {
                if let Some(masked) = without_password(text) {
                    *text = masked;
                }
            }
            Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_)
            | Value::Array(_) => {}
        }
    }
}

fn is_secret(key: &str) -> bool {
    ["password", "secret", "token", "api_key"].iter().any(|word| key.contains(word))
}

/// The same address with its password masked, if it has one.
fn without_password(text: &str) -> Option<String> {
    let mut url = Url::parse(text).ok()?;
    url.password()?;
    // Cannot fail for an address that has a password; but if it did, nothing may be shown.
    Some(if url.set_password(Some(MASK)).is_ok() { url.to_string() } else { MASK.to_owned() })
}
