//! `/system`: how the parts are.

use askama::Template;

use super::layout::Layout;

/// A part and how it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartLine {
    /// What it is: `Store`, `Broker`, `Search`.
    pub name: String,
    /// Which: `SQLite`, `RabbitMQ`.
    pub kind: String,
    /// Whether it answers.
    pub up: bool,
    /// In words.
    pub detail: String,
}

/// A reader of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReaderLine {
    /// Its name.
    pub name: String,
    /// How many batches it is behind.
    pub lag: String,
    /// Where it stands.
    pub cursor: String,
}

/// The page.
#[derive(Template)]
#[template(path = "system.html")]
pub struct SystemPage {
    /// The frame.
    pub layout: Layout,
    /// Numbers at the top: label, value, and the name under which the socket's `stats` has it.
    pub numbers: Vec<(String, String, String)>,
    /// The parts.
    pub parts: Vec<PartLine>,
    /// The readers.
    pub readers: Vec<ReaderLine>,
    /// The viewer's parked operations.
    pub parked: Vec<super::row::PaymentRow>,
    /// The key that makes a double click on Replay harmless.
    pub idempotency_key: String,
}
