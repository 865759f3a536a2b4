//! The known settings with their types, read from the built-in defaults, so that they are written down once.
//!
//! Each value is checked by itself, before layers are merged, so that a wrong one is refused by name and origin even
//! where a later layer overrides it.

use std::collections::BTreeMap;

use serde::Deserialize as _;
use toml::{Table, Value};

use super::Settings;
use crate::setting::{InvalidSetting, distance};

/// Keys that have no value unless they are set; `config/default.toml` has them as comments. All are strings.
pub const OPTIONAL: &[&str] = &["search.username", "search.password"];

/// How many letters may differ between an unknown key and the known one that is suggested instead.
const SUGGESTION_DISTANCE_MAX: usize = 3;

/// An example value for each key, which shows its type.
pub(super) struct Schema(BTreeMap<String, Value>);

impl Schema {
    /// The schema of a table in which every setting has a value, but for the optional ones.
    pub(super) fn of(defaults: &Table) -> Self {
        let mut examples = BTreeMap::new();
        flatten("", defaults, &mut |key, value| {
            examples.insert(key, value.clone());
        });
        examples.extend(OPTIONAL.iter().map(|key| ((*key).to_owned(), Value::String(String::new()))));
        Self(examples)
    }

    /// Checks one value.
    ///
    /// # Errors
    /// If there is no such setting, or the value is not of its type.
    pub(super) fn check(&self, key: &str, value: &Value) -> Result<(), InvalidSetting> {
        let example = self.example(key)?;
        let fits = match (example, value) {
            (Value::Float(_), Value::Integer(_)) => true,
            (example, value) => example.same_type(value),
        };
        if !fits {
            let problem = format!("expected {}, not {}", type_name(example), type_name(value));
            return Err(InvalidSetting::new(key, problem));
        }
        match Settings::deserialize(table_of(key, value.clone())) {
            Ok(_) => Ok(()),
            Err(error) => Err(InvalidSetting::new(key, error.message().trim())),
        }
    }

    /// Reads the text of an environment variable or a flag as a value of the key's type.
    ///
    /// # Errors
    /// If there is no such setting, or the text is not a value of its type.
    pub(super) fn parse(&self, key: &str, text: &str) -> Result<Value, InvalidSetting> {
        let (parsed, expected) = match self.example(key)? {
            Value::Integer(_) => (text.trim().parse().ok().map(Value::Integer), "a whole number"),
            Value::Float(_) => (text.trim().parse().ok().map(Value::Float), "a number"),
            Value::Boolean(_) => (text.trim().parse().ok().map(Value::Boolean), "true or false"),
            Value::Array(items) => (parse_list(text, items.first()), "a list, separated by commas"),
            Value::String(_) | Value::Datetime(_) | Value::Table(_) => {
                (Some(Value::String(text.to_owned())), "a string")
            }
        };
        parsed.ok_or_else(|| InvalidSetting::new(key, format!("expected {expected}, not {text:?}")))
    }

    /// Whether this is the name of a section.
    pub(super) fn is_section(&self, key: &str) -> bool {
        let prefix = join(key, "");
        self.0.keys().any(|known| known.starts_with(&prefix))
    }

    fn example(&self, key: &str) -> Result<&Value, InvalidSetting> {
        self.0.get(key).ok_or_else(|| {
            if self.is_section(key) {
                return InvalidSetting::new(key, "this is a section; set one of its keys");
            }
            let nearest = self.0.keys().map(|known| (distance(known, key), known)).min();
            let hint = match nearest {
                Some((distance, known)) if distance <= SUGGESTION_DISTANCE_MAX => {
                    format!("did you mean {known}?")
                }
                Some(_) | None => "`paystorm config` prints them all".to_owned(),
            };
            InvalidSetting::new(key, format!("there is no such setting; {hint}"))
        })
    }
}

/// Calls `found` with the dotted key of each value in a table.
pub(super) fn flatten(prefix: &str, table: &Table, found: &mut dyn FnMut(String, &Value)) {
    for (name, value) in table {
        let key = join(prefix, name);
        match value {
            Value::Table(section) => flatten(&key, section, found),
            value => found(key, value),
        }
    }
}

/// The dotted key of a name within a section; `""` is the root.
pub(super) fn join(section: &str, name: &str) -> String {
    if section.is_empty() { name.to_owned() } else { format!("{section}.{name}") }
}

/// A table with nothing but this value in it.
fn table_of(key: &str, value: Value) -> Table {
    let nest = |value, name: &str| Value::Table(Table::from_iter([(name.to_owned(), value)]));
    match key.split('.').rev().fold(value, nest) {
        Value::Table(table) => table,
        _ => Table::new(),
    }
}

/// `a, b` or a TOML array; the items are of the type of `example`, strings if there is none.
fn parse_list(text: &str, example: Option<&Value>) -> Option<Value> {
    if text.trim_start().starts_with('[') {
        let table: Table = toml::from_str(&format!("list = {text}")).ok()?;
        return table.get("list").filter(|list| list.is_array()).cloned();
    }
    let item = |item: &str| match example {
        Some(Value::Integer(_)) => item.parse().map(Value::Integer).ok(),
        Some(Value::Float(_)) => item.parse().map(Value::Float).ok(),
        _ => Some(Value::String(item.to_owned())),
    };
    let items = text.split(',').map(str::trim).filter(|text| !text.is_empty());
    items.map(item).collect::<Option<Vec<_>>>().map(Value::Array)
}

const fn type_name(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a string",
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a number",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "a list",
        Value::Table(_) => "a section",
    }
}
