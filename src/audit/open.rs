//! Checks open work: what the histories have in the queue is what the table and the journal beyond its reader's cursor say.
//!
//! What was queued up to the cursor must have a row, and a row must be of a payment that had something in the queue there. What was
//! queued later must be in the journal: both sides are summed up, since neither is in the other's order.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::report::{Name, Report};
use crate::domain::payment::{Payment, WorkKey};
use crate::domain::time::Timestamp;
use crate::engine::open_payments::READER;
use crate::store::{AuditPayment, Snapshot, StoreError};

/// How far the rows of open work reach.
#[derive(Debug, Clone, Copy)]
pub struct Scope {
    /// The cursor of the reader that writes them.
    pub cursor: u64,
    /// When the first batch beyond it was decided; `None` if there is none.
    beyond: Option<Timestamp>,
}

impl Scope {
    /// Reads the cursor.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn read(snapshot: &mut dyn Snapshot) -> Result<Self, StoreError> {
        let cursors = snapshot.cursors().await?;
        let cursor = cursors.iter().find(|(name, _)| name == READER).map_or(0, |(_, cursor)| *cursor);
        let next = snapshot.journal(cursor, 1).await?;
        Ok(Self { cursor, beyond: next.first().map(|row| row.at) })
    }

    fn is_beyond(&self, wall: Timestamp) -> bool {
        self.beyond.is_some_and(|beyond| wall >= beyond)
    }

    /// Compares a payment with its row; returns the work that must be in the journal.
    pub fn check(&self, row: &AuditPayment, payment: &Payment, report: &mut Report) -> Sum {
        let mut in_journal = Sum::default();
        let mut wanted = false;
        for operation in payment.queued_operations() {
            if self.is_beyond(operation.queued_at) {
                in_journal.add(&payment.work_of(operation));
            } else {
                wanted = true;
            }
        }
        let cursor = self.cursor;
        let wrong = match row.has_open_work {
            false if wanted => {
                format!("it has no row of open work, though it waits since before row {cursor}")
            }
            true if !self.was_open(payment) => {
                format!("it has a row of open work, though nothing waited at row {cursor}")
            }
            true | false => return in_journal,
        };
        report.violation(Name::WrongColumn, format!("payment {}: {wrong}", row.id));
        in_journal
    }

    /// Whether something of the payment was in the queue at the cursor's place.
    fn was_open(&self, payment: &Payment) -> bool {
        let then = payment.history().iter().take_while(|recorded| !self.is_beyond(recorded.wall)).count();
        let then = payment.at_version(u32::try_from(then).unwrap_or(u32::MAX));
        then.is_some_and(|then| then.queued_work().next().is_some())
    }
}

/// Attempts that are in the queue, in any order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sum {
    count: u64,
    hashes: u64,
}

impl Sum {
    /// Adds one.
    pub fn add(&mut self, work: &WorkKey) {
        let mut hasher = DefaultHasher::new();
        (work.payment.as_bytes(), work.operation, work.attempt).hash(&mut hasher);
        self.join(Self { count: 1, hashes: hasher.finish() });
    }

    /// Adds what others have summed up.
    pub fn join(&mut self, other: Self) {
        self.count += other.count;
        self.hashes = self.hashes.wrapping_add(other.hashes);
    }

    /// Compares what the histories have beyond the cursor with what the journal has there.
    pub fn compare(self, journal: Self, report: &mut Report) {
        // After rows that are lost or cannot be read it would only be reported twice.
        let reported = [Name::IllegalHistory, Name::JournalHole, Name::DamagedJournal];
        if self != journal && !reported.iter().any(|name| report.counts().contains_key(name)) {
            let text = format!(
                "the journal beyond the cursor of open work tells of {} operations in the queue, the histories of {}{}",
                journal.count,
                self.count,
                if self.count == journal.count { " others" } else { "" }
            );
            report.violation(Name::WrongJournalEntry, text);
        }
    }
}
