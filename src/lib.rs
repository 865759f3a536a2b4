//! Paystorm: an asynchronous payment simulator in one binary.
//!
//! The shape and its invariants are in `docs/ARCHITECTURE.md`. The arrows between modules are checked by a test.

pub mod domain;
pub mod search;
