//! `/scenario`: the scenario of the account that is signed in, with an editor, what it would do, and all its revisions.
//!
//! May depend on `scenarios`, the frame of pages and plots. Decides nothing about a file: `scenarios` reads it and puts it in force.
//!
//! - [`editor`]: the page with the editor. - [`revisions`]: one revision, its file, and what it changed.
//! - [`acquirers`]: what its acquirers do now. - [`files`]: the schema and the rule packs, as they are.
//! - [`preview`]: what a file does, or its mistakes. - [`changes`]: two files compared. - [`lines`]: revisions in words.

pub mod acquirers;
pub mod changes;
pub mod editor;
pub mod files;
pub mod lines;
pub mod preview;
pub mod revisions;
#[cfg(test)]
pub(super) mod samples;
mod strip;
