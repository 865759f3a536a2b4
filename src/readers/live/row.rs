//! A payment as lists show it: the row of docs/websocket.md, in acknowledgements and in live updates alike.

use std::sync::Arc;

use serde::Serialize;

use crate::accounts::Directory;
use crate::domain::ends::ends;
use crate::domain::instrument::{Instrument, PresentedCard};
use crate::domain::payment::Payment;
use crate::domain::stages::Stages;
use crate::domain::time::Timestamp;

/// Who looks at the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Viewer {
    /// The submitter.
    Owner,
    /// The user who received a transfer; sees nothing of the sender's notes, stages and runs.
    Payee,
}

/// The instrument as shown.
#[derive(Debug, Clone, Serialize)]
pub struct Method {
    /// The card network, or `bank`.
    pub brand: &'static str,
    /// The last four digits.
    pub last4: String,
}

/// A decline as shown.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Decline {
    /// The dialect's error code.
    pub code: &'static str,
    /// The dialect's decline code.
    pub decline_code: &'static str,
    /// A few plain words.
    pub words: &'static str,
}

/// A part of the time to settlement that belongs to no stage of the attempt shown.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct OtherTime {
    /// What it went to, in words that follow the time.
    pub words: &'static str,
    /// In microseconds.
    pub us: u64,
}

/// A row. Field names and units are those of docs/websocket.md.
#[derive(Debug, Clone, Serialize)]
pub struct Row<'a> {
    /// The public id.
    pub id: String,
    /// Only grows; a client that has a newer one ignores the row.
    pub version: u32,
    /// The kind's name.
    pub kind: &'static str,
    /// The status's name.
    pub status: &'static str,
    /// Minor units.
    pub amount: i64,
    /// Lower-case ISO 4217 code.
    pub currency: String,
    /// The amount for people.
    pub amount_text: String,
    /// Where the money comes from.
    pub from: Arc<str>,
    /// Where it goes.
    pub to: Arc<str>,
    /// The card or bank account.
    pub method: Option<Method>,
    /// The last decline.
    pub decline: Option<Decline>,
    /// Minor units that arrived: the amount, or the part captured; 0 before.
    pub received: i64,
    /// What was captured, for people, where that is less than the amount.
    pub captured_text: Option<String>,
    /// Minor units refunded or on their way back.
    pub refunded: i64,
    /// Whether an operation is parked.
    pub parked: bool,
    /// Free text.
    pub description: Option<&'a str>,
    /// The load run.
    pub run: Option<&'a str>,
    /// Milliseconds since the epoch.
    pub created_ms: i64,
    /// When the first commit carried it. Microseconds since `created`, as all of these.
    pub accepted_us: Option<u64>,
    /// When the attempt shown came into the work queue.
    pub queued_us: Option<u64>,
    /// When a worker took it up.
    pub started_us: Option<u64>,
    /// When it was done with the acquirer.
    pub answered_us: Option<u64>,
    /// When the payment came to its present rest.
    pub settled_us: Option<u64>,
    /// What else that time was spent on.
    pub other_time: Vec<OtherTime>,
    /// The time of the next attempt, if it waits for one. Milliseconds since the epoch.
    pub retry_ms: Option<i64>,
    /// Milliseconds since the epoch.
    pub updated_ms: i64,
}

impl<'a> Row<'a> {
    /// The row of a payment for this viewer, with names as far as the directory has them in memory.
    #[must_use]
    pub fn of(payment: &'a Payment, names: &Directory, viewer: Viewer) -> Self {
        let submission = payment.submission();
        let state = payment.state();
        let own = viewer == Viewer::Owner;
        let stages = own.then(|| Stages::of(payment));
        let other_time = stages.iter().flat_map(Stages::other_time);
        let [from, to] = ends(payment).map(|end| end.label(|account| names.name(account)));
        Self {
            id: submission.public_id(),
            version: payment.version(),
            kind: submission.kind.as_str(),
            status: state.status.as_str(),
            amount: submission.amount.amount_minor,
            currency: submission.amount.currency.lower(),
            amount_text: submission.amount.to_string(),
            from,
            to,
            method: method(payment),
            decline: state.decline.filter(|_| own).map(|reason| Decline {
                code: if submission.kind.takes_from_wallet() { reason.wallet_code() } else { reason.code() },
                decline_code: reason.decline_code(),
                words: reason.words(),
            }),
            received: state.received_minor,
            captured_text: payment.captured_part().map(|money| money.to_string()),
            refunded: payment.refunded_minor(),
            parked: own && payment.is_parked(),
            description: submission.description.as_deref().filter(|_| own),
            run: submission.run.as_deref().filter(|_| own),
            created_ms: payment.created_at().millis(),
            accepted_us: stages.map(|stages| stages.accepted_us),
            queued_us: stages.and_then(|stages| stages.queued_us),
            started_us: stages.and_then(|stages| stages.started_us),
            answered_us: stages.and_then(|stages| stages.answered_us),
            settled_us: stages.and_then(|stages| stages.settled_us),
            other_time: other_time.map(|(words, us)| OtherTime { words, us }).collect(),
            retry_ms: stages.and_then(|stages| stages.retry_at).map(Timestamp::millis),
            updated_ms: state.updated_at.millis(),
        }
    }

    /// The row as JSON text.
    #[must_use]
    pub fn to_json(&self) -> Arc<str> {
        let mut text = Vec::with_capacity(512);
        // Strings and numbers into memory: nothing can fail.
        let written = serde_json::to_writer(&mut text, self).is_ok();
        let text = if written { String::from_utf8(text).unwrap_or_default() } else { String::new() };
        Arc::from(text)
    }
}

fn method(payment: &Payment) -> Option<Method> {
    match payment.state().instrument? {
        Instrument::Card(PresentedCard { card, .. }) => {
            Some(Method { brand: card.brand.as_str(), last4: card.last4() })
        }
        Instrument::Bank(bank) => Some(Method { brand: "bank", last4: bank.last4().to_owned() }),
        Instrument::Wallet => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    const PAGE: &str = include_str!("../../../docs/websocket.md");

    /// The row that the page shows, and what it says of it.
    fn documented() -> (Value, &'static str) {
        let (_, example) = PAGE.split_once("A row is what a list shows:\n\n```json\n").expect("an example");
        let (example, words) = example.split_once("```").expect("an end");
        (serde_json::from_str(example).expect("JSON"), words)
    }

    /// A row of which no member is absent.
    fn complete() -> Value {
        let row = Row {
            id: "pi_1".to_owned(),
            version: 3,
            kind: "charge",
            status: "declined",
            amount: 1_250,
            currency: "eur".to_owned(),
            amount_text: "€12.50 EUR".to_owned(),
            from: Arc::from("Visa •••• 4242"),
            to: Arc::from("Corner Coffee"),
            method: Some(Method { brand: "visa", last4: "4242".to_owned() }),
            decline: Some(Decline { code: "card_declined", decline_code: "lost_card", words: "lost" }),
            received: 1_000,
            captured_text: Some("€10.00 EUR".to_owned()),
            refunded: 0,
            parked: false,
            description: Some("coffee"),
            run: Some("run-1"),
            created_ms: 1,
            accepted_us: Some(1),
            queued_us: Some(2),
            started_us: Some(3),
            answered_us: Some(4),
            settled_us: Some(5),
            other_time: vec![OtherTime { words: "for the capture", us: 1 }],
            retry_ms: Some(1),
            updated_ms: 2,
        };
        serde_json::to_value(row).expect("JSON")
    }

    fn keys(value: &Value) -> BTreeSet<&str> {
        value.as_object().expect("an object").keys().map(String::as_str).collect()
    }

    #[test]
    fn the_page_shows_every_member_of_a_row() {
        let (example, row) = (documented().0, complete());
        assert_eq!(keys(&example), keys(&row));
        assert_eq!(keys(&example["method"]), keys(&row["method"]));
        for key in keys(&example) {
            let (shown, sent) = (&example[key], &row[key]);
            let same_type = std::mem::discriminant(shown) == std::mem::discriminant(sent);
            assert!(shown.is_null() || same_type, "{key}: {shown} is shown, {sent} is sent");
        }
    }

    #[test]
    fn the_page_names_the_members_of_what_its_example_leaves_out() {
        let (words, row) = (documented().1, complete());
        for (member, sent) in [("decline", &row["decline"]), ("other_time", &row["other_time"][0])] {
            let (_, said) = words.split_once(&format!("`{member}` says ")).expect(member);
            let (_, names) = said.split_once("as `{").expect(member);
            let (names, _) = names.split_once("}`").expect(member);
            let named: BTreeSet<&str> = names.split(", ").map(|name| name.trim_matches('"')).collect();
            assert_eq!(named, keys(sent), "{member}");
        }
    }
}
