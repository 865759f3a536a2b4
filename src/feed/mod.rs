//! Readers of the journal: dispatch (→ broker), index (→ search), live (→ browsers).
//!
//! May depend on `engine`, `domain` and the ports. Must not know the web.
//!
//! Each reader is a step function over [`Batch`]es in strict order. A batch committed by this process comes from
//! memory ([`ring::Ring`]); anything else is read from the store.

pub mod batch;
pub mod dispatch;
pub mod follower;
mod gap;
pub mod index;
pub mod live;
pub mod live_reader;
mod mirror;
mod rebuild;
pub mod ring;
pub mod statement;
pub mod system;

pub use batch::{Batch, Entry};
