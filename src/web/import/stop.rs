//! Why an import was not read to its end, and what its sender can do about it. Plain values.

use super::AGAIN;

/// Why no more rows were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stop {
    /// Something around it broke; the file may be as good as it was.
    Again(String),
    /// The file is at fault: sent again as it is, it would stop there again.
    Mend(String),
}

impl Stop {
    /// What is told of it, where some rows were read or none.
    pub(super) fn words(self, rows_read: u64) -> String {
        match self {
            Self::Again(cause) if rows_read > 0 => format!("{cause} {AGAIN}"),
            Self::Again(cause) | Self::Mend(cause) => cause,
        }
    }
}
