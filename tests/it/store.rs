//! The contract of the store's port, run against every adapter.

mod accounts;
mod concurrency;
mod details;
mod errors;
mod imports;
mod owners;
mod queries;
mod readers;
mod requests;
mod resources;
mod scenarios;
mod sequencer;
mod sources;
mod wallets;
