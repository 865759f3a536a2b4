//! Which version of an account's scenario is in force.

use std::fmt;
use std::num::NonZeroU64;

use serde::{Deserialize, Serialize};

/// A revision of an account's scenario, named by the position in the journal from which it is in force. So revisions of all accounts
/// are distinct, and later ones are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ScenarioRevision(NonZeroU64);

impl ScenarioRevision {
    /// The revision put in force at this position; `None` for 0, which no batch has.
    #[must_use]
    pub const fn at(seq: u64) -> Option<Self> {
        match NonZeroU64::new(seq) {
            Some(seq) => Some(Self(seq)),
            None => None,
        }
    }

    /// Its position in the journal.
    #[must_use]
    pub const fn seq(self) -> u64 {
        self.0.get()
    }
}

impl fmt::Display for ScenarioRevision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
