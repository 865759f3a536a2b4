//! The badge of a payment's status: icon, word and colour, never colour alone. Pure.

use askama::Template;

use super::format;
use crate::domain::payment::Payment;
use crate::domain::status::Status;
use crate::domain::time::Timestamp;

/// The badge of one status. The icon and the class are named after the status.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(path = "parts/status.html")]
pub struct StatusBadge {
    /// The status as the API names it; also its class, icon and `data-status`.
    pub name: &'static str,
    /// The word beside the icon.
    pub word: &'static str,
    /// A detail, such as the end of an authorisation or the decline reason.
    pub detail: Option<String>,
}

impl StatusBadge {
    /// The badge of a bare status.
    #[must_use]
    pub const fn new(status: Status) -> Self {
        Self { name: status.as_str(), word: word(status), detail: None }
    }

    /// The badge of a payment, with the detail its page shows.
    #[must_use]
    pub fn of(payment: &Payment) -> Self {
        let state = payment.state();
        let by = |at: Timestamp| format!("capture by {}", format::day(at));
        let detail = match state.status {
            Status::RequiresCapture => state.capture_before.map(by),
            Status::Declined => state.decline.map(|reason| reason.words().to_owned()),
            Status::RequiresPaymentMethod
            | Status::RequiresConfirmation
            | Status::Queued
            | Status::Processing
            | Status::RequiresAction
            | Status::Succeeded
            | Status::Failed
            | Status::Canceled => None,
        };
        Self { detail, ..Self::new(state.status) }
    }
}

/// The word for a status, lower-case; the API's own word if it is plain enough.
#[must_use]
pub const fn word(status: Status) -> &'static str {
    match status {
        Status::RequiresPaymentMethod => "needs a card",
        Status::RequiresConfirmation => "needs confirmation",
        Status::Queued => "queued",
        Status::Processing => "processing",
        Status::RequiresAction => "needs 3-D Secure",
        Status::RequiresCapture => "authorised",
        Status::Succeeded => "succeeded",
        Status::Declined => "declined",
        Status::Failed => "failed",
        Status::Canceled => "canceled",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_an_icon_and_its_own_word() {
        let sprite = include_str!("../../../static/icons.svg");
        let script = include_str!("../../../static/js/format.js");
        let mut words = std::collections::BTreeSet::new();
        for status in Status::ALL {
            assert!(
                sprite.contains(&format!("id=\"{}\"", status.as_str())),
                "no icon for {}",
                status.as_str()
            );
            assert!(words.insert(word(status)));
            let entry = format!("{}: \"{}\"", status.as_str(), word(status));
            assert!(script.contains(&entry), "format.js has another word: {entry}");
        }
    }

    #[test]
    fn the_words_are_understood_by_search() {
        use crate::search::Query;
        use crate::search::query::{Filter, TermField};
        for status in Status::ALL {
            let query = format!("status:\"{}\"", word(status));
            let found = Query::parse_as_typed(&query).expect(&query);
            let one = Filter::All(vec![Filter::term(TermField::Status, status.as_str())]);
            assert_eq!(found.filter(), &one, "{query}");
        }
    }
}
