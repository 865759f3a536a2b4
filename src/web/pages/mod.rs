//! The server-rendered pages: one file per page, each a pure view of the domain and a template, and thin handlers that
//! parse, call one use case and render.
//!
//! May depend on `web`'s state and extractors, `accounts`, and the ports' read side. Must not decide anything about a
//! payment: actions are commands, and the reasons shown for disabled ones only repeat what `domain::decide` would say.

pub mod assets;
pub mod error_page;
pub mod form;
pub mod format;
pub mod home;
pub mod journey;
pub mod keys;
pub mod layout;
pub mod payment;
pub mod payments;
pub mod row;
pub mod sign_in;
pub mod status;
pub mod system;
pub mod wallets;

#[cfg(test)]
mod render_tests;
#[cfg(test)]
mod samples;
