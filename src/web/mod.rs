//! The web: `/v1`, `/ws`, health, metrics, and the pages.
//!
//! Handlers parse, call one use case and render. Payments and plain resources are changed only through use cases of `intake`.
//! May depend on everything but adapters; only `app` depends on it.
//!
//! - [`api`], [`ws`], [`pages`]: the entrances.
//! - [`security`]: callers, sessions and origins.
//! - [`demo`]: the demo account.
//! - [`error`]: the errors that clients see.
//! - [`requests`]: the log of calls to the API.
//! - [`banners`]: what every page says while something is unavailable.
//! - [`listen`], [`connection`]: connections, bounded in bytes and in time.
//! - [`edge`]: the middleware around every request.
//! - [`at`]: paths and their methods.
//! - [`body`], `arriving`: bodies, bounded in bytes and in time.
//! - [`addresses`]: redirect targets, and this server's own address.

pub mod addresses;
pub mod api;
mod arriving;
pub mod at;
pub mod banners;
pub mod body;
mod call;
pub mod connection;
mod csv;
pub mod demo;
pub mod edge;
pub mod error;
pub mod health;
mod import;
pub mod listen;
pub mod pages;
mod projected;
pub mod requests;
pub mod routes;
pub mod security;
pub mod settings;
pub mod state;
pub mod ws;

pub use routes::configure;
pub use settings::{addresses as own_addresses, base_url, origins};
pub use state::{WebMetrics, WebState};
