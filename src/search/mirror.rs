//! The store's past that an index mirrors, and how far filling it has come. Plain data.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::ids::{BatchId, InstallationId};

/// A position in the past of one store, kept with the index that had reached it: a store that was emptied, replaced or restored to
/// an earlier day has another batch there, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mirrored {
    /// The installation that the store belongs to.
    pub installation: InstallationId,
    /// The position in the journal.
    pub seq: u64,
    /// The batch at that position.
    pub batch: BatchId,
}

/// How far filling an index from the store has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Filling {
    /// Payments that are in it.
    pub payments: u64,
    /// Of how many, where that is known.
    pub of: Option<u64>,
}

impl fmt::Display for Filling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.of {
            Some(of) => write!(f, "{} of {} payments so far", self.payments.min(of), of),
            None => write!(f, "{} payments so far", self.payments),
        }
    }
}
