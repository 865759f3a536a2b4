//! Merging: one value at a time, so that whatever is refused is refused by name and origin.

use std::collections::BTreeMap;

use serde::Deserialize as _;
use toml::{Table, Value};

use super::check;
use super::origins::Origins;
use super::source::{self, Setting};
use super::{ConfigError, Settings};

/// The built-in, commented settings.
pub const DEFAULTS: &str = include_str!("../../config/default.toml");

/// Keys that have no value unless they are set; the file of defaults holds them as comments. All are strings.
pub const OPTIONAL: &[&str] = &["search.username", "search.password"];

const PREFIX: &str = "PAYSTORM__";

/// Settings under construction.
pub struct Layers {
    table: Table,
    schema: BTreeMap<String, Value>,
    origins: Origins,
}

impl Layers {
    /// The built-in settings alone.
    pub(super) fn defaults() -> Result<Self, ConfigError> {
        let table: Table = toml::from_str(DEFAULTS)
            .map_err(|error| ConfigError::new("", "built-in defaults", error.message().to_owned()))?;
        let mut schema = BTreeMap::new();
        source::keys_of("", &table, &mut |key, value| {
            schema.insert(key, value.clone());
        });
        schema.extend(OPTIONAL.iter().map(|key| ((*key).to_owned(), Value::String(String::new()))));
        Ok(Self { table, schema, origins: Origins::default() })
    }

    /// Lays a TOML text over what there is; `name` is what errors call it.
    pub(super) fn add_toml(&mut self, text: &str, name: &str) -> Result<(), ConfigError> {
        source::from_toml(text, name)?.into_iter().try_for_each(|setting| self.set(setting))
    }

    /// Lays the variables named `PAYSTORM__…` over what there is.
    pub(super) fn add_environment(
        &mut self,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<(), ConfigError> {
        let mut ours: Vec<_> = variables.into_iter().filter(|(name, _)| name.starts_with(PREFIX)).collect();
        ours.sort();
        ours.into_iter().try_for_each(|(name, text)| {
            let path = name.get(PREFIX.len()..).unwrap_or_default();
            let key = path.split("__").map(str::to_ascii_lowercase).collect::<Vec<_>>().join(".");
            self.set_text(&key, &name, &text)
        })
    }

    /// Lays one flag over what there is.
    pub(super) fn add_flag(&mut self, key: &str, flag: &str, text: &str) -> Result<(), ConfigError> {
        self.set_text(key, flag, text)
    }

    fn set_text(&mut self, key: &str, origin: &str, text: &str) -> Result<(), ConfigError> {
        let wanted = self.known(key, origin)?;
        let refuse =
            |expected: &str| ConfigError::new(key, origin, format!("expected {expected}, not {text:?}"));
        let value = match wanted {
            Value::Integer(_) => {
                text.trim().parse().map(Value::Integer).map_err(|_| refuse("a whole number"))?
            }
            Value::Float(_) => text.trim().parse().map(Value::Float).map_err(|_| refuse("a number"))?,
            Value::Boolean(_) => {
                text.trim().parse().map(Value::Boolean).map_err(|_| refuse("true or false"))?
            }
            Value::Array(items) => {
                parse_list(text, items.first()).ok_or_else(|| refuse("a list, separated by commas"))?
            }
            Value::String(_) | Value::Datetime(_) | Value::Table(_) => Value::String(text.to_owned()),
        };
        self.set(Setting { key: key.to_owned(), value, origin: origin.to_owned() })
    }

    fn known(&self, key: &str, origin: &str) -> Result<&Value, ConfigError> {
        self.schema.get(key).ok_or_else(|| {
            let section = format!("{key}.");
            if self.schema.keys().any(|known| known.starts_with(&section)) {
                return ConfigError::new(key, origin, "this is a section; set one of its keys");
            }
            let nearest = self.schema.keys().map(|known| (distance(known, key), known)).min();
            let hint = match nearest {
                Some((0..=3, known)) => format!("; did you mean {known}?"),
                _ => "; `paystorm config` prints them all".to_owned(),
            };
            ConfigError::new(key, origin, format!("there is no such setting{hint}"))
        })
    }

    fn set(&mut self, Setting { key, value, origin }: Setting) -> Result<(), ConfigError> {
        // An empty section says nothing, if it exists.
        let section = format!("{key}.");
        let is_section = self.schema.keys().any(|known| known.starts_with(&section));
        if is_section && value.as_table().is_some_and(Table::is_empty) {
            return Ok(());
        }
        let wanted = self.known(&key, &origin)?;
        let fits = match (wanted, &value) {
            (Value::Float(_), Value::Integer(_)) => true,
            (wanted, value) => wanted.same_type(value),
        };
        if !fits {
            let problem = format!("expected {}, not {}", type_name(wanted), type_name(&value));
            return Err(ConfigError::new(key, origin, problem));
        }
        put(&mut self.table, &key, value);
        Settings::deserialize(self.table.clone()).map_err(|error| {
            ConfigError::new(key.as_str(), origin.as_str(), error.message().trim().to_owned())
        })?;
        self.origins.set(key, origin);
        Ok(())
    }

    /// The settings, checked for contradictions.
    pub(super) fn finish(self) -> Result<Settings, ConfigError> {
        let settings = Settings::deserialize(self.table)
            .map_err(|error| ConfigError::new("", "built-in defaults", error.message().to_owned()))?;
        check::check(&settings, &self.origins)?;
        Ok(settings)
    }
}

fn put(table: &mut Table, key: &str, value: Value) {
    match key.split_once('.') {
        Some((section, rest)) => {
            let inner = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(inner) = inner {
                put(inner, rest, value);
            }
        }
        None => {
            table.insert(key.to_owned(), value);
        }
    }
}

/// `a, b` or a TOML array; the items are of the kind of `example`, strings if there is none.
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
    text.split(',')
        .map(str::trim)
        .filter(|text| !text.is_empty())
        .map(item)
        .collect::<Option<Vec<_>>>()
        .map(Value::Array)
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

/// How many letters must change to turn one into the other (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut left = i + 1;
        let mut diagonal = i;
        let mut next = vec![left];
        for (above, to) in row.iter().skip(1).zip(b.chars()) {
            left = (diagonal + usize::from(from != to)).min(above + 1).min(left + 1);
            diagonal = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}
