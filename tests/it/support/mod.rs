//! What tests are made with: servers in this process and as a program of their own, stores, sockets and commands. No tests.

pub mod binary;
pub mod broken_upload;
pub mod commands;
pub mod server;
pub mod socket;
pub mod stores;
