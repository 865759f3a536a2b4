//! What was seen of a payment.

use crate::domain::status::Status;

/// What was seen of a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its status.
    pub status: Status,
    /// Its version; the largest number where that was not shown.
    pub version: u32,
    /// Why it was declined last.
    pub decline: Option<Box<str>>,
    /// How long the acquirer had its last attempt, as the server measured, in microseconds.
    pub acquirer_us: Option<u64>,
    /// Time that went to earlier attempts, to people, or to a capture.
    pub other_us: u64,
}

impl Seen {
    /// A status that came without a version, and without anything else.
    #[must_use]
    pub const fn bare(status: Status) -> Self {
        Self { status, version: u32::MAX, decline: None, acquirer_us: None, other_us: 0 }
    }

    /// Whether it came with a version. Over HTTP, the dialect has one word for declined and failed payments, and no times.
    #[must_use]
    pub const fn is_exact(&self) -> bool {
        self.version != u32::MAX
    }
}
