//! Paystorm: an asynchronous payment simulator in one binary.
//!
//! The structure and its invariants are in `docs/ARCHITECTURE.md`. A test checks the dependencies between modules.

pub mod accounts;
pub mod app;
pub mod audit;
pub mod background;
pub mod broker;
pub mod cli;
pub mod clock;
pub mod config;
pub mod domain;
pub mod engine;
pub mod experiments;
pub mod intake;
pub mod lease;
pub mod load;
pub mod outage;
pub mod readers;
pub mod runs;
pub mod scenarios;
pub mod search;
pub mod setting;
pub mod simulator;
pub mod store;
pub mod telemetry;
pub mod web;
pub mod worker;
