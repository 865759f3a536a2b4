//! One payment as a row of a list or of the live feed. `static/js/row.js` builds the same markup from the row that the socket sends.
//! Pure.

use std::borrow::Cow;
use std::collections::HashMap;

use askama::Template;

use super::format;
use super::status::StatusBadge;
use crate::domain::ends::ends;
use crate::domain::ids::AccountId;
use crate::domain::payment::Payment;
use crate::domain::time::Timestamp;

/// The names of the accounts that appear on a page.
#[derive(Debug, Clone, Default)]
pub struct Names(HashMap<AccountId, String>);

impl Names {
    /// From pairs of account and name.
    pub fn new(names: impl IntoIterator<Item = (AccountId, String)>) -> Self {
        Self(names.into_iter().collect())
    }

    /// The name of an account; `another account` if it was not loaded.
    #[must_use]
    pub fn get(&self, id: AccountId) -> &str {
        self.0.get(&id).map_or("another account", String::as_str)
    }
}

/// The accounts whose names a payment's row and page need: the submitter, and the payee of a transfer.
pub fn accounts_of(payment: &Payment) -> impl Iterator<Item = AccountId> {
    ends(payment).into_iter().filter_map(|end| end.account())
}

/// Where the money comes from and where it goes, in a few words each.
#[must_use]
pub fn end_labels(payment: &Payment, names: &Names) -> [String; 2] {
    ends(payment).map(|end| end.label(|account| names.get(account).to_owned()))
}

/// A row.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(path = "parts/row.html")]
pub struct PaymentRow {
    /// The id as the dialect shows it.
    pub id: String,
    /// The id, shortened.
    pub short_id: String,
    /// The version shown; an update with a lower one is ignored.
    pub version: u32,
    /// The payment kind as the API names it.
    pub kind: &'static str,
    /// The status as a badge.
    pub status: StatusBadge,
    /// The amount with symbol and code.
    pub amount: String,
    /// Where the money comes from, in a few words.
    pub from: String,
    /// Where the money goes, in a few words.
    pub to: String,
    /// The decline reason, else the description; empty for a payee.
    pub note: String,
    /// Badges beside the status, such as `refunded`; empty for a payee.
    pub badges: Vec<Cow<'static, str>>,
    /// When it was accepted, in milliseconds since the epoch.
    pub created_ms: i64,
    /// The same in ISO 8601.
    pub created_iso: String,
    /// The same in full.
    pub created_full: String,
    /// The same as an age.
    pub created_ago: String,
}

impl PaymentRow {
    /// The row of a payment for `viewer` at `now`. The payee of a transfer must not see the sender's notes.
    #[must_use]
    pub fn of(payment: &Payment, names: &Names, viewer: AccountId, now: Timestamp) -> Self {
        let submission = payment.submission();
        let own = payment.owner() == viewer;
        let id = submission.public_id();
        let [from, to] = end_labels(payment, names);
        Self {
            short_id: format::short_id(&id),
            id,
            version: payment.version(),
            kind: submission.kind.as_str(),
            status: StatusBadge::new(payment.state().status),
            amount: submission.amount.to_string(),
            from,
            to,
            note: if own { note(payment) } else { String::new() },
            badges: if own { row_badges(payment) } else { Vec::new() },
            created_ms: payment.created_at().millis(),
            created_iso: format::iso(payment.created_at()),
            created_full: format::absolute(payment.created_at()),
            created_ago: format::ago(now, payment.created_at()),
        }
    }
}

fn note(payment: &Payment) -> String {
    let reason = payment.state().decline.map(|reason| reason.words().to_owned());
    reason.or_else(|| payment.submission().description.clone()).unwrap_or_default()
}

/// The badges of a row; the captured part is one of them, because a row has no other place for it.
fn row_badges(payment: &Payment) -> Vec<Cow<'static, str>> {
    let captured = payment.captured_part().map(|money| Cow::Owned(format!("{money} captured")));
    captured.into_iter().chain(badges(payment).into_iter().map(Cow::Borrowed)).collect()
}

/// The badges beside the status.
#[must_use]
pub fn badges(payment: &Payment) -> Vec<&'static str> {
    let refunded_minor = payment.refunded_minor();
    let refund = match (refunded_minor, payment.refundable_minor()) {
        (0, _) => None,
        (_, 0) => Some("refunded"),
        (_, _) => Some("partly refunded"),
    };
    let disputed = (!payment.state().disputes.is_empty()).then_some("disputed");
    refund.into_iter().chain(disputed).chain(payment.is_parked().then_some("parked")).collect()
}
