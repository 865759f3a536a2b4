//! Where each setting's value came from.

use std::collections::BTreeMap;

/// Where each value came from, by key.
#[derive(Debug, Default)]
pub struct Origins(BTreeMap<String, String>);

impl Origins {
    /// Notes where the value of this key came from.
    pub(super) fn set(&mut self, key: String, origin: String) {
        self.0.insert(key, origin);
    }

    /// Whether anyone set this key.
    #[must_use]
    pub fn is_set(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// The origin of this key's value.
    #[must_use]
    pub fn of(&self, key: &str) -> &str {
        self.0.get(key).map_or("built-in defaults", String::as_str)
    }
}
