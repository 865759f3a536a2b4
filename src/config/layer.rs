//! One layer of settings: the built-in defaults, a file, the environment, or the flags, each value with its own origin.
//!
//! The `config` crate merges layers, but its own sources cannot say on which line of a file or in which variable a value was
//! set, and guess at types. So layers are read here and handed to it as [`Source`]s.

use std::fmt;

use ::config::{Map, Source, ValueKind};
use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

use super::error::ConfigError;
use super::origins::BUILT_IN;
use super::schema::{Schema, flatten, join};

/// What the names of our environment variables begin with.
const PREFIX: &str = "PAYSTORM__";

/// Settings from one source, each checked by itself.
#[derive(Clone)]
pub(super) struct Layer(Vec<Setting>);

#[derive(Clone)]
struct Setting {
    key: String,
    value: Value,
    origin: String,
}

impl Layer {
    /// The built-in defaults, which the schema was made from.
    pub(super) fn built_in(defaults: &Table) -> Self {
        let mut settings = Vec::new();
        flatten("", defaults, &mut |key, value| {
            settings.push(Setting { key, value: value.clone(), origin: BUILT_IN.to_owned() });
        });
        Self(settings)
    }

    /// The settings in a TOML text; `name` is what origins and errors call it.
    ///
    /// # Errors
    /// If it is not TOML, or names a setting that does not exist, or gives one a value of another type.
    pub(super) fn from_toml(text: &str, name: &str, schema: &Schema) -> Result<Self, ConfigError> {
        let origin = |offset| format!("{name}:{}", line_at(text, offset));
        let malformed = |error: toml::de::Error| {
            ConfigError::of_source(origin(error.span().map_or(0, |span| span.start)), error.message())
        };
        let spans = DeTable::parse(text).map_err(malformed)?;
        let values: Table = toml::from_str(text).map_err(malformed)?;
        let mut settings = Vec::new();
        flatten_with_offsets("", &values, spans.get_ref(), &mut |key, value, offset| {
            settings.push(Setting { key, value: value.clone(), origin: origin(offset) });
        });
        // An empty section sets nothing, if there is such a section.
        settings.retain(|setting| !(is_empty_table(&setting.value) && schema.is_section(&setting.key)));
        settings.iter().try_for_each(|setting| setting.check(schema))?;
        Ok(Self(settings))
    }

    /// The settings in the environment variables named `PAYSTORM__…`.
    ///
    /// # Errors
    /// As [`Self::from_toml`].
    pub(super) fn from_environment(
        variables: impl IntoIterator<Item = (String, String)>,
        schema: &Schema,
    ) -> Result<Self, ConfigError> {
        let key_of = |name: &str| Some(name.strip_prefix(PREFIX)?.to_ascii_lowercase().replace("__", "."));
        let ours = variables.into_iter().filter_map(|(name, text)| Some((key_of(&name)?, name, text)));
        let mut ours: Vec<_> = ours.collect();
        ours.sort();
        Self::from_texts(ours, schema)
    }

    /// Settings given as text: key, origin, text.
    ///
    /// # Errors
    /// As [`Self::from_toml`].
    pub(super) fn from_texts(
        texts: impl IntoIterator<Item = (String, String, String)>,
        schema: &Schema,
    ) -> Result<Self, ConfigError> {
        let parse = |(key, origin, text): (String, String, String)| {
            let value = schema
                .parse(&key, &text)
                .map_err(|invalid| ConfigError::of_setting(invalid, origin.as_str()))?;
            let setting = Setting { key, value, origin };
            setting.check(schema).map(|()| setting)
        };
        texts.into_iter().map(parse).collect::<Result<_, _>>().map(Self)
    }
}

impl Setting {
    fn check(&self, schema: &Schema) -> Result<(), ConfigError> {
        let checked = schema.check(&self.key, &self.value);
        checked.map_err(|invalid| ConfigError::of_setting(invalid, self.origin.as_str()))
    }
}

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, ::config::Value>, ::config::ConfigError> {
        let value = |setting: &Setting| ::config::Value::new(Some(&setting.origin), kind_of(&setting.value));
        Ok(self.0.iter().map(|setting| (setting.key.clone(), value(setting))).collect())
    }
}

/// Keys and origins; values may be secrets.
impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter().map(|setting| (&setting.key, &setting.origin))).finish()
    }
}

fn kind_of(value: &Value) -> ValueKind {
    match value {
        Value::String(text) => ValueKind::String(text.clone()),
        Value::Integer(number) => ValueKind::I64(*number),
        Value::Float(number) => ValueKind::Float(*number),
        Value::Boolean(flag) => ValueKind::Boolean(*flag),
        Value::Datetime(date) => ValueKind::String(date.to_string()),
        Value::Array(items) => {
            ValueKind::Array(items.iter().map(|item| ::config::Value::new(None, kind_of(item))).collect())
        }
        Value::Table(table) => {
            let inner =
                |(name, value): (&String, &Value)| (name.clone(), ::config::Value::new(None, kind_of(value)));
            ValueKind::Table(table.iter().map(inner).collect())
        }
    }
}

/// Calls `found` with the dotted key of each value, and where its name begins in the text.
fn flatten_with_offsets(
    prefix: &str,
    values: &Table,
    spans: &DeTable<'_>,
    found: &mut dyn FnMut(String, &Value, usize),
) {
    for (name, span) in spans {
        let Some(value) = values.get(name.get_ref().as_ref()) else { continue };
        let key = join(prefix, name.get_ref());
        match (value, span.get_ref()) {
            (Value::Table(values), DeValue::Table(spans)) if !values.is_empty() => {
                flatten_with_offsets(&key, values, spans, found);
            }
            _ => found(key, value, name.span().start),
        }
    }
}

fn is_empty_table(value: &Value) -> bool {
    value.as_table().is_some_and(Table::is_empty)
}

fn line_at(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}
