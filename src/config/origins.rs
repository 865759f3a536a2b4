//! Where each setting's value came from, as the `config` crate noted it while it merged the layers.

use std::collections::BTreeMap;

use ::config::{Config, Source as _, Value, ValueKind};

use super::schema::join;

/// The origin of everything in `config/default.toml`.
pub(super) const BUILT_IN: &str = "built-in defaults";

/// The origin of each value, by key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins(BTreeMap<String, String>);

impl Origins {
    /// The origins of merged values.
    pub(super) fn of_merged(merged: &Config) -> Result<Self, ::config::ConfigError> {
        let mut origins = Self::default();
        for (name, value) in merged.collect()? {
            origins.add(name, &value);
        }
        Ok(origins)
    }

    fn add(&mut self, key: String, value: &Value) {
        if let ValueKind::Table(section) = &value.kind {
            section.iter().for_each(|(name, value)| self.add(join(&key, name), value));
        } else if let Some(origin) = value.origin() {
            self.0.insert(key, origin.to_owned());
        }
    }

    /// Where this key was set, unless it has its default.
    #[must_use]
    pub fn set_by(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str).filter(|origin| *origin != BUILT_IN)
    }

    /// The origin of this key's value.
    #[must_use]
    pub fn of(&self, key: &str) -> &str {
        self.set_by(key).unwrap_or(BUILT_IN)
    }
}
