//! What a query found, and which rows could not be read: one damaged row never hides the others.

use super::aside::{ASIDE_MAX, AsideReason, SetAside, Subject};
use super::payments::PaymentRow;
use super::snapshot::AuditPayment;
use crate::domain::payment::Payment;

/// Rows that were read, and those that could not be.
#[derive(Debug)]
pub(super) struct Found<T> {
    pub rows: Vec<T>,
    /// At most [`ASIDE_MAX`].
    pub damaged: Vec<(Subject, String)>,
}

impl<T> Default for Found<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), damaged: Vec::new() }
    }
}

impl<T> Found<T> {
    /// Adds the result of another query.
    pub(super) fn add(&mut self, other: Self) {
        self.rows.extend(other.rows);
        self.damaged.extend(other.damaged);
        self.damaged.truncate(ASIDE_MAX);
    }

    /// Adds what `make` makes of this row's payment, or notes that it cannot be read.
    pub(super) fn push(&mut self, row: &PaymentRow, make: impl FnOnce(Payment) -> T) {
        match row.decode() {
            Ok(payment) => self.rows.push(make(payment)),
            Err(error) => self.damage(row.subject(), error.to_string()),
        }
    }

    /// Sets aside what could not be read, and returns the rest.
    pub(super) fn sort_out(self, aside: &SetAside) -> Vec<T> {
        for (subject, cause) in self.damaged {
            aside.note(subject, AsideReason::Unreadable, &cause);
        }
        self.rows
    }

    pub(super) fn damage(&mut self, subject: Subject, cause: String) {
        if self.damaged.len() < ASIDE_MAX {
            self.damaged.push((subject, cause));
        }
    }
}

/// A row that holds a payment.
pub(super) trait OfPayment {
    /// `None` if its history is not legal.
    fn payment(&mut self) -> Option<&mut Payment>;
}

impl OfPayment for Payment {
    fn payment(&mut self) -> Option<&mut Payment> {
        Some(self)
    }
}

impl OfPayment for AuditPayment {
    fn payment(&mut self) -> Option<&mut Payment> {
        self.folded.as_mut().ok()
    }
}

impl<T: OfPayment> Found<T> {
    /// Takes out payments whose amendments are gone or cannot be read, so that nobody is shown the terms from before them.
    pub(super) fn without_unread(mut self) -> Self {
        let mut unread = Vec::new();
        self.rows.retain_mut(|row| {
            let found = row.payment().filter(|payment| payment.unread_terms().is_some());
            unread.extend(found.as_ref().map(|payment| payment.id()));
            found.is_none()
        });
        for id in unread {
            let cause = format!("payment {id}: what it was amended to is gone, or cannot be read");
            self.damage(Subject::Payment(id), cause);
        }
        self
    }
}
