//! Reasons why an import was not read to its end, and what its sender can do about it. Plain values.

use super::AGAIN;

/// Why no more rows were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stop {
    /// Something other than the file failed; the same file may be sent again.
    Again(String),
    /// The file is at fault: sent again unchanged, it would stop at the same row.
    Fix(String),
}

impl Stop {
    /// The message for the sender; it depends on whether some rows were read.
    pub(super) fn words(self, rows_read: u64) -> String {
        match self {
            Self::Again(cause) if rows_read > 0 => format!("{cause} {AGAIN}"),
            Self::Again(cause) | Self::Fix(cause) => cause,
        }
    }
}
