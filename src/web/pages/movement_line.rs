//! A line of a wallet: one movement, or one line of a statement.

/// One movement as the owner of the wallet sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovementLine {
    /// When, for machines.
    pub at_iso: String,
    /// When, in full.
    pub at_full: String,
    /// When, as an age.
    pub at_ago: String,
    /// When, in milliseconds since the epoch.
    pub at_ms: i64,
    /// Why the money moved.
    pub cause: &'static str,
    /// Where it came from.
    pub from: String,
    /// Where it went.
    pub to: String,
    /// The payment behind it.
    pub href: String,
    /// What came in; empty if it went out.
    pub money_in: String,
    /// What went out; empty if it came in.
    pub money_out: String,
    /// What was kept back of it; empty if nothing.
    pub fee: String,
    /// When it can be paid out; empty if it can.
    pub available: String,
    /// What the owner has after it; empty where there is no statement.
    pub balance: String,
}
