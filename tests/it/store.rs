//! The contract of the store's port, run against every adapter.

mod details;
mod errors;
mod imports;
mod line;
mod owners;
mod people;
mod queries;
mod readers;
mod requests;
mod resources;
mod sources;
mod together;
mod wallets;
