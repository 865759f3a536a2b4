//! The disputes of a payment, as its page lists them. Pure.

use super::super::format;
use super::PartForm;
use crate::domain::dispute::Dispute;
use crate::domain::money::Money;
use crate::domain::payment::Payment;

/// A dispute or an early fraud warning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisputeLine {
    /// `du_…` or `issfr_…`.
    pub id: String,
    /// The amount with symbol and code; empty for a warning.
    pub amount: String,
    /// What it is about and where it stands.
    pub about: String,
    /// When it was opened, in full.
    pub at_full: String,
    /// Until when it can be answered; empty if it cannot, or no more.
    pub due: String,
    /// What can be done about it.
    pub forms: Vec<PartForm>,
}

/// The disputes of a payment, then its warnings.
#[must_use]
pub fn disputes(payment: &Payment) -> Vec<DisputeLine> {
    let currency = payment.submission().amount.currency;
    let dispute = |dispute: &Dispute| DisputeLine {
        id: dispute.id.to_string(),
        amount: Money::new(dispute.amount_minor, currency).to_string(),
        about: format!("{}: {}", dispute.reason.words(), dispute.status.words()),
        at_full: format::absolute(dispute.created_at),
        due: match dispute.due_at() {
            Some(_) if dispute.status.needs_response() => {
                format!("answer by {}", format::day(dispute.due_by))
            }
            Some(at) => format!("decided by {}", format::day(at)),
            None => String::new(),
        },
        forms: match (dispute.status.is_open(), dispute.status.needs_response()) {
            (true, true) => vec![PartForm::WIN, PartForm::LOSE, PartForm::GIVE_UP],
            (true, false) => vec![PartForm::GIVE_UP],
            (false, _) => Vec::new(),
        },
    };
    let warnings = payment.state().warnings.iter().map(|warning| DisputeLine {
        id: warning.id.to_string(),
        amount: String::new(),
        about: "early fraud warning".to_owned(),
        at_full: format::absolute(warning.created_at),
        due: String::new(),
        forms: Vec::new(),
    });
    payment.state().disputes.iter().map(dispute).chain(warnings).collect()
}
