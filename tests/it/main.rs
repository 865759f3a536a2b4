//! The one integration-test crate: a module per area.

mod api;
mod arrows;
mod broker;
mod engine;
mod search;
mod store;
mod stores;
