//! Paystorm: an asynchronous payment simulator in one binary.
//!
//! The shape and its invariants are in `docs/ARCHITECTURE.md`. The arrows between modules are checked by a test.

pub mod accounts;
pub mod app;
pub mod audit;
pub mod broker;
pub mod cli;
pub mod clock;
pub mod config;
pub mod domain;
pub mod engine;
pub mod feed;
pub mod load;
pub mod outage;
pub mod search;
pub mod simulator;
pub mod store;
pub mod telemetry;
pub mod web;
pub mod worker;
