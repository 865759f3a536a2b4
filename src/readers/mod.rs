//! Readers of the journal: dispatch (→ broker), index (→ search), live (→ browsers), statement and open work (→ store).
//!
//! Also the state of the installation ([`system`]), which [`monitor`] keeps up to date.
//!
//! May depend on `engine`, `domain`, `background`, `lease` and the ports. Must not know the web.
//!
//! Each reader is a step function over [`Batch`]es in strict order. A batch committed by this process comes from
//! memory ([`ring::Ring`]); anything else is read from the store.

pub mod batch;
pub mod broadcast;
pub mod dispatch;
pub mod follower;
mod gap;
pub mod index;
pub mod live;
pub mod live_reader;
mod mirror;
pub mod monitor;
pub mod open_work;
pub mod prune;
mod rebuild;
pub mod ring;
pub mod statement;
pub mod system;

pub use batch::{Batch, Entry};

/// The readers whose cursors are kept in the store. A row of the journal is kept until all of them have passed it.
pub const CURSORS: [&str; 5] =
    [dispatch::NAMES[0], dispatch::NAMES[1], index::NAME, open_work::NAME, statement::NAME];
