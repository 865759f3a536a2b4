//! The contract of the store's port, run against every adapter.

mod imports;
mod line;
mod people;
mod queries;
mod readers;
mod together;
mod wallets;
