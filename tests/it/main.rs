//! The one integration-test crate: a module per area.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may panic: that is how it fails; clippy.toml covers test functions, not what they call"
)]

mod api;
mod arrows;
mod bad_input;
mod broker;
mod budget;
mod corruption;
mod engine;
mod making;
mod search;
mod server;
mod session;
mod store;
mod stores;
mod websocket;
