//! `/keys`: API keys, each shown once.

use askama::Template;

use super::format;
use super::layout::Layout;
use crate::domain::time::Timestamp;
use crate::store::ApiKey;

/// A key in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyLine {
    /// Its id.
    pub id: String,
    /// The name its owner gave it.
    pub name: String,
    /// What is left to recognise it by.
    pub hint: String,
    /// When it was made, as an age.
    pub created_ago: String,
    /// The same in full.
    pub created_full: String,
    /// When it was revoked, in full; `None` if it works.
    pub revoked: Option<String>,
}

impl KeyLine {
    /// The line of a key at `now`.
    #[must_use]
    pub fn of(key: &ApiKey, now: Timestamp) -> Self {
        Self {
            id: key.id.to_string(),
            name: key.name.clone(),
            hint: format!("sk_test_…{}", key.last4),
            created_ago: format::ago(now, key.created_at),
            created_full: format::absolute(key.created_at),
            revoked: key.revoked_at.map(format::absolute),
        }
    }
}

/// The page.
#[derive(Template)]
#[template(path = "keys.html")]
pub struct KeysPage {
    /// The frame.
    pub layout: Layout,
    /// The secret just made; shown once and never again.
    pub secret: Option<String>,
    /// The address of this server, for the example.
    pub origin: String,
    /// Keys, newest first.
    pub keys: Vec<KeyLine>,
}
