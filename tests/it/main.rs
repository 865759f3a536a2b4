//! The one integration-test crate: a module per area.

mod engine;
mod store;
mod stores;
