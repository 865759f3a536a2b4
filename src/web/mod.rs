//! The web: `/v1`, `/ws`, health, metrics, and the pages.
//!
//! Handlers parse, call one use case and render. May depend on everything but adapters; nothing depends on it but `app`.
//!
//! - [`intake`]: the one place where untrusted input becomes a command. - [`outcome`]: handing it in, waiting for what
//!   comes of it. - [`security`]: who asks. - [`demo`]: the account of the start. - [`error`]: the one mapping of errors. - [`requests`]: the log of calls to the API.
//! - [`banners`]: what every page says while something is away. - [`api`], [`ws`]: the entrances.
//! - [`listen`], [`connection`]: connections, bounded in bytes and in time. - [`edge`]: what every request and answer goes through. - [`at`]: paths and their methods.
//! - [`body`], `arriving`: bodies, bounded in bytes and in time. - [`addresses`]: what may stand in a `Location`.

pub mod addresses;
pub mod api;
mod arriving;
pub mod at;
pub mod banners;
pub mod body;
pub mod connection;
mod csv;
pub mod demo;
pub mod edge;
pub mod error;
pub mod health;
mod import;
pub mod intake;
pub mod listen;
mod origin;
pub mod outcome;
pub mod pages;
pub mod params;
pub mod payees;
mod projected;
pub mod replays;
pub mod requests;
pub mod routes;
mod said;
pub mod security;
pub mod settings;
pub mod state;
pub mod ws;

pub use routes::configure;
pub use settings::{addresses as own_addresses, base_url, origins};
pub use state::{WebMetrics, WebState};
