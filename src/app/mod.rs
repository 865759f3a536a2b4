//! The composition root: the only place that names an adapter, starts tasks, and stops them in order.
//!
//! - [`adapters`]: opens the store, broker and index that the settings choose.
//! - [`pipeline`]: the sequencer, its readers, timers and workers.
//! - [`serve`]: a whole server, from settings to an address, and its shutdown.
//! - `instance_lease`: held by a process that must be the only one on its store.
//! - [`demo`]: the account that is there from the start, and its first payments.
//! - `scenario`: files of scenarios, which the simulator cannot read by itself.
//! - [`commands`]: the other subcommands; [`verify`]: the longest of them.

pub mod adapters;
pub mod commands;
pub mod demo;
mod instance_lease;
pub mod pipeline;
mod scenario;
pub mod serve;
pub mod verify;
mod web_server;

#[cfg(test)]
mod simulation;

pub use commands::run;
pub use serve::App;
