//! The file of acknowledgements: a line for each payment as it is acknowledged, and another with its outcome when that is known.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;

use crate::domain::status::Status;
use crate::load::work::Pending;

/// The file, if there is one.
#[derive(Debug, Default)]
pub struct AckLog {
    file: Option<File>,
    lines: String,
    failed: Option<std::io::Error>,
}

impl AckLog {
    /// Writes to this file.
    #[must_use]
    pub const fn new(file: Option<File>) -> Self {
        Self { file, lines: String::new(), failed: None }
    }

    /// Notes an acknowledgement, or an outcome.
    pub fn note(&mut self, id: &str, pending: &Pending, outcome: Option<Status>) {
        if self.file.is_none() {
            return;
        }
        let (kind, amount_minor) = (pending.work.name(), pending.amount_minor);
        // Writing to a string cannot fail.
        let _ = write!(self.lines, "{id} {kind} {amount_minor} {}", pending.currency.lower());
        if let Some(outcome) = outcome {
            let _ = write!(self.lines, " {}", outcome.as_str());
        }
        self.lines.push('\n');
    }

    /// One write per frame, into the system's cache: what was acknowledged survives this process and the server's.
    pub fn write(&mut self) {
        if let Some(file) = self.file.as_mut()
            && !self.lines.is_empty()
            && self.failed.is_none()
        {
            self.failed = file.write_all(self.lines.as_bytes()).err();
        }
        self.lines.clear();
    }

    /// Takes the error that writing met, if any.
    #[must_use]
    pub const fn failure(&mut self) -> Option<std::io::Error> {
        self.failed.take()
    }
}
