//! One source of settings, flattened: dotted keys, values, and where each stands.

use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

use super::ConfigError;

/// One value that was set.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The dotted key.
    pub key: String,
    /// Its value; a table only where the schema is to refuse it.
    pub value: Value,
    /// Where it was set.
    pub origin: String,
}

/// Flattens a TOML text.
pub fn from_toml(text: &str, name: &str) -> Result<Vec<Setting>, ConfigError> {
    let broken = |error: toml::de::Error| {
        let line = error.span().map_or(1, |span| line_at(text, span.start));
        ConfigError::new("", format!("{name}:{line}"), error.message().to_owned())
    };
    let spans = DeTable::parse(text).map_err(broken)?;
    let values: Table = toml::from_str(text).map_err(broken)?;
    let mut settings = Vec::new();
    flatten("", &values, spans.get_ref(), &mut |key, value, start| {
        settings.push(Setting { key, value, origin: format!("{name}:{}", line_at(text, start)) });
    });
    Ok(settings)
}

fn flatten(prefix: &str, values: &Table, spans: &DeTable<'_>, found: &mut dyn FnMut(String, Value, usize)) {
    for (name, span) in spans {
        let Some(value) = values.get(name.get_ref().as_ref()) else { continue };
        let key = join(prefix, name.get_ref());
        match (value, span.get_ref()) {
            (Value::Table(values), DeValue::Table(spans)) if !values.is_empty() => {
                flatten(&key, values, spans, found);
            }
            _ => found(key, value.clone(), name.span().start),
        }
    }
}

/// Flattens a table whose place in a text does not matter.
pub fn keys_of(prefix: &str, table: &Table, found: &mut dyn FnMut(String, &Value)) {
    for (name, value) in table {
        let key = join(prefix, name);
        match value {
            Value::Table(table) => keys_of(&key, table, found),
            value => found(key, value),
        }
    }
}

fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }
}

fn line_at(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}
