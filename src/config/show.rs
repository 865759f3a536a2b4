//! The effective settings as TOML, for people. Secrets mask themselves when they are serialized.

use std::fmt::Write as _;

use toml::{Table, Value};

use super::Settings;
use super::origins::Origins;
use super::schema::{OPTIONAL, join};

/// The effective settings as TOML, without any secret.
///
/// # Errors
/// The serializer's, if a value has no place in TOML.
pub fn to_toml(settings: &Settings) -> Result<String, toml::ser::Error> {
    toml::to_string(settings)
}

/// The same, with a comment after each value that says where it was set.
///
/// # Errors
/// The serializer's, if a value has no place in TOML.
pub fn to_toml_with_origins(settings: &Settings, origins: &Origins) -> Result<String, toml::ser::Error> {
    let mut text = String::new();
    write_section(&mut text, "", &Table::try_from(settings)?, origins);
    Ok(text)
}

fn write_section(text: &mut String, section: &str, table: &Table, origins: &Origins) {
    // Writing to a `String` cannot fail.
    for (name, value) in table.iter().filter(|(_, value)| !value.is_table()) {
        let origin = origins.set_by(&join(section, name)).unwrap_or("built-in default");
        // A comment ends at the end of its line, and may hold no other control characters.
        let origin = origin.replace(char::is_control, "?");
        let _ = writeln!(text, "{name} = {value}  # {origin}");
    }
    let unset = OPTIONAL.iter().filter_map(|key| key.split_once('.'));
    for (_, name) in unset.filter(|(within, name)| *within == section && !table.contains_key(*name)) {
        let _ = writeln!(text, "# {name} is not set");
    }
    for (name, value) in table {
        let Value::Table(inner) = value else { continue };
        let inner_section = join(section, name);
        let _ = writeln!(text, "\n[{inner_section}]");
        write_section(text, &inner_section, inner, origins);
    }
}
