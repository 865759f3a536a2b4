//! The journey strip: Accepted → Queued → Processing → Settled → Indexed, with the time each stage took. Pure.
//! `static/js/journey.js` moves it in the browser.

use askama::Template;

use super::format;
use crate::domain::payment::Payment;
use crate::domain::status::Status;

/// How far a stage is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StageState {
    /// Behind us.
    Done,
    /// Where the payment is now.
    Current,
    /// Still to come.
    Ahead,
}

impl StageState {
    /// The class and the hidden word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Current => "current",
            Self::Ahead => "ahead",
        }
    }
}

/// One stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// The name scripts know it by.
    pub key: &'static str,
    /// The name people see.
    pub label: String,
    /// How far it is.
    pub state: StageState,
    /// How long it took, as text; empty while unknown.
    pub took: String,
    /// What the time means, on hover.
    pub hint: &'static str,
}

/// Whether search finds a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Indexed {
    /// Not yet, or nobody knows.
    No,
    /// It does; when that began is not known any more.
    Yes,
    /// It does since so many microseconds after the request.
    After(u64),
}

/// The strip.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(path = "parts/journey.html")]
pub struct Journey {
    /// The payment it shows; empty for the strip that waits for a first one.
    pub id: String,
    /// The version it shows.
    pub version: u32,
    /// The status it shows.
    pub status: &'static str,
    /// The five stages.
    pub stages: Vec<Stage>,
}

const HINTS: [(&str, &str, &str); 5] = [
    ("accepted", "Accepted", "from the request to the commit"),
    ("queued", "Queued", "waiting in the work queue"),
    ("processing", "Processing", "with the acquirer"),
    ("settled", "Settled", "from the request to the end"),
    ("indexed", "Indexed", "until search finds it"),
];

impl Journey {
    /// The strip before any payment.
    #[must_use]
    pub fn empty() -> Self {
        Self { id: String::new(), version: 0, status: "", stages: stages([None; 5], 0, "Settled") }
    }

    /// The strip of a payment.
    #[must_use]
    pub fn of(payment: &Payment, indexed: Indexed) -> Self {
        let (state, created) = (payment.state(), payment.submission().created_at);
        let since = |at: Option<crate::domain::time::Timestamp>| at.map(|at| at.micros_since(created));
        let (queued, started, settled) =
            (since(state.queued_at), since(state.started_at), since(state.settled_at));
        let span = |from: Option<u64>, to: Option<u64>| Some(to?.saturating_sub(from?));
        // A wallet that could not cover it settled without ever being with an acquirer.
        let at = match (state.status, queued, started) {
            (Status::RequiresPaymentMethod | Status::RequiresConfirmation, _, _) | (_, None, _) => 0,
            (Status::Queued, Some(_), _) => 1,
            (Status::Processing, _, _) => 2,
            _ => 3 + usize::from(indexed != Indexed::No),
        };
        // While it is queued again, what an earlier attempt took is no news.
        let started = started.filter(|_| at != 1);
        let indexed_us = if let Indexed::After(us) = indexed { Some(us) } else { None };
        let took = [queued, span(queued, started), span(started, settled), settled, indexed_us];
        let mut stages = stages(took, at, end_label(state.status));
        if let Some(last) = stages.last_mut().filter(|_| indexed == Indexed::Yes) {
            last.state = StageState::Done;
            "found".clone_into(&mut last.took);
        }
        Self {
            id: payment.submission().public_id(),
            version: payment.version(),
            status: state.status.as_str(),
            stages,
        }
    }
}

fn end_label(status: Status) -> &'static str {
    match status {
        Status::Declined => "Declined",
        Status::Failed => "Failed",
        Status::Canceled => "Canceled",
        Status::RequiresAction => "3-D Secure",
        Status::RequiresCapture => "Authorised",
        Status::RequiresPaymentMethod
        | Status::RequiresConfirmation
        | Status::Queued
        | Status::Processing
        | Status::Succeeded => "Settled",
    }
}

/// Key, label and hint of a stage.
type Words = (&'static str, &'static str, &'static str);

fn stages(took: [Option<u64>; 5], at: usize, end: &str) -> Vec<Stage> {
    let stage = |(n, ((key, label, hint), took)): (usize, (Words, Option<u64>))| Stage {
        key,
        label: if key == "settled" { end.to_owned() } else { label.to_owned() },
        state: match n.cmp(&at) {
            std::cmp::Ordering::Less => StageState::Done,
            std::cmp::Ordering::Equal if at >= 3 => StageState::Done,
            std::cmp::Ordering::Equal if took.is_some() || at > 0 => StageState::Current,
            std::cmp::Ordering::Equal | std::cmp::Ordering::Greater => StageState::Ahead,
        },
        took: took.map(format::duration).unwrap_or_default(),
        hint,
    };
    HINTS.into_iter().zip(took).enumerate().map(stage).collect()
}
