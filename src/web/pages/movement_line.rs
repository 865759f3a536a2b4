//! One line of a wallet's page: a movement, or a line of a statement.

/// One movement as the owner of the wallet sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovementLine {
    /// The time of the movement, in ISO 8601.
    pub at_iso: String,
    /// The same in full.
    pub at_full: String,
    /// The same as an age.
    pub at_ago: String,
    /// The same in milliseconds since the epoch.
    pub at_ms: i64,
    /// Why the money moved.
    pub cause: &'static str,
    /// The source in a few words; empty if the payment cannot be read.
    pub from: String,
    /// The destination in a few words; empty if the payment cannot be read.
    pub to: String,
    /// The address of the payment behind it.
    pub href: String,
    /// What came in; empty if it went out.
    pub money_in: String,
    /// What went out; empty if it came in.
    pub money_out: String,
    /// The fee taken from it; empty if there was none.
    pub fee: String,
    /// The day from which it can be paid out; empty if it already can.
    pub available: String,
    /// The wallet's balance after it; empty where there is no statement.
    pub balance: String,
}
