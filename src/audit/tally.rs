//! Compares two sets of rows that come in different orders, without keeping either.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crate::store::OwnerPayment;

/// How many rows there are, and a sum over what they say: lists are in another order than payments, so neither has to be kept
/// until the other is read.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    pub(super) rows: u64,
    sum: u64,
}

impl Tally {
    /// Counts a row.
    pub(super) fn count(&mut self, row: OwnerPayment) {
        let mut hasher = DefaultHasher::new();
        row.hash(&mut hasher);
        self.rows += 1;
        self.sum = self.sum.wrapping_add(hasher.finish());
    }

    /// Adds another reader's.
    pub fn join(&mut self, other: Self) {
        self.rows += other.rows;
        self.sum = self.sum.wrapping_add(other.sum);
    }
}
