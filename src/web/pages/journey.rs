//! The journey strip: Accepted → Queued → Processing → Settled → Indexed, with the time each stage took. Pure.
//!
//! Accepted, Queued and Processing are consecutive lengths; Settled and Indexed are totals since the request, and are marked as such. A
//! sentence below names any other time in the total. `static/js/journey.js` animates the strip in the browser.

use askama::Template;

use super::format;
use crate::domain::payment::Payment;
use crate::domain::stages::Stages;
use crate::domain::status::Status;

/// Whether a stage has been passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StageState {
    /// Passed.
    Done,
    /// Where the payment is now.
    Current,
    /// Still to come, or never reached.
    Ahead,
}

impl StageState {
    /// The CSS class and the hidden word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Current => "current",
            Self::Ahead => "ahead",
        }
    }

    const fn done_if(done: bool) -> Self {
        if done { Self::Done } else { Self::Ahead }
    }
}

/// One stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// The name that scripts use.
    pub key: &'static str,
    /// The name people see.
    pub label: &'static str,
    /// Whether it has been passed.
    pub state: StageState,
    /// Its time in words; empty while unknown.
    pub took: String,
    /// Whether the time is a total since the request.
    pub total: bool,
    /// The meaning of the time, shown on hover.
    pub hint: &'static str,
}

/// Whether search finds a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Indexed {
    /// Not yet, or unknown.
    No,
    /// Yes; the time when it was first found is no longer known.
    Yes,
    /// Yes, first found so many microseconds after the request.
    After(u64),
}

/// The strip.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(path = "parts/journey.html")]
pub struct Journey {
    /// The payment shown; empty before the first one.
    pub id: String,
    /// The payment's version shown.
    pub version: u32,
    /// The payment's status shown; empty before the first one.
    pub status: &'static str,
    /// When the current stage began, in milliseconds since the epoch; `None` unless it is queued or processing.
    pub since_ms: Option<i64>,
    /// When the attempt shown was queued and when the payment came to rest, in microseconds since the request. Scripts use them to see
    /// whether an update is about the same attempt.
    pub moments_us: (Option<u64>, Option<u64>),
    /// Whether it waits for its next attempt.
    pub waiting: bool,
    /// The five stages.
    pub stages: [Stage; 5],
    /// The time in the total outside the stages, in a sentence; empty if there is none.
    pub besides: String,
}

impl Journey {
    /// The strip before any payment.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            id: String::new(),
            version: 0,
            status: "",
            since_ms: None,
            moments_us: (None, None),
            waiting: false,
            stages: stages([(StageState::Ahead, None); 5], "Queued", "Settled"),
            besides: String::new(),
        }
    }

    /// The strip of a payment.
    #[must_use]
    pub fn of(payment: &Payment, indexed: Indexed) -> Self {
        use StageState::{Ahead, Current, Done};
        let (status, times) = (payment.state().status, Stages::of(payment));
        let (queue, acquirer) = (times.in_queue_us(), times.with_acquirer_us());
        let accepted = (Done, Some(times.accepted_us));
        let ahead = (Ahead, None);
        let under_way = matches!(status, Status::Queued | Status::Processing);
        let states = match (status, times.settled_us) {
            (Status::Queued, _) => [accepted, (Current, None), ahead, ahead, ahead],
            (Status::Processing, _) => [accepted, (Done, queue), (Current, None), ahead, ahead],
            (_, None) => [accepted, ahead, ahead, ahead, ahead],
            // A payment that its wallet could not cover settles without ever reaching an acquirer.
            (_, Some(settled_us)) => {
                let passed = |took: Option<u64>| (StageState::done_if(took.is_some()), took);
                let found = match indexed {
                    // Search found an earlier state.
                    Indexed::After(us) if us < settled_us => ahead,
                    Indexed::After(us) => (Done, Some(us)),
                    Indexed::Yes => (Done, None),
                    Indexed::No => ahead,
                };
                [accepted, passed(queue), passed(acquirer), (Done, Some(settled_us)), found]
            }
        };
        let waiting = times.retry_at.is_some();
        let end = end_label(status);
        let mut stages = stages(states, if waiting { "Waiting" } else { "Queued" }, end);
        if let [.., last] = &mut stages
            && last.state == Done
            && last.took.is_empty()
        {
            "found".clone_into(&mut last.took);
            last.total = false;
        }
        Self {
            id: payment.submission().public_id(),
            version: payment.version(),
            status: status.as_str(),
            since_ms: under_way.then(|| times.since.millis()),
            moments_us: (times.queued_us, times.settled_us),
            waiting,
            stages,
            besides: besides(&times, end),
        }
    }
}

/// `Settled includes 16 min 40 s waiting for someone to act and 400 ms for the capture.`
fn besides(times: &Stages, end: &str) -> String {
    let parts: Vec<String> =
        times.other_time().map(|(words, us)| format!("{} {words}", format::duration(us))).collect();
    match parts.split_last() {
        None => String::new(),
        Some((only, [])) => format!("{end} includes {only}."),
        Some((last, others)) => format!("{end} includes {} and {last}.", others.join(", ")),
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

fn stages(states: [(StageState, Option<u64>); 5], queued: &'static str, settled: &'static str) -> [Stage; 5] {
    let stage = |(key, label, hint), (state, took): (StageState, Option<u64>), total| Stage {
        key,
        label,
        state,
        took: took.map(format::duration).unwrap_or_default(),
        total,
        hint,
    };
    let [a, q, p, s, i] = states;
    [
        stage(("accepted", "Accepted", "from the request to the first commit"), a, false),
        stage(("queued", queued, "in the work queue: the last attempt"), q, false),
        stage(("processing", "Processing", "with the acquirer: the last attempt"), p, false),
        stage(("settled", settled, "from the request to the end"), s, true),
        stage(("indexed", "Indexed", "from the request until search finds how it ended"), i, true),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    fn sample(name: &str) -> Payment {
        samples::all().into_iter().find(|(other, _)| *other == name).expect("a sample").1
    }

    fn indexed(payment: &Payment, indexed: Indexed) -> (StageState, String) {
        let [.., last] = Journey::of(payment, indexed).stages;
        (last.state, last.took)
    }

    #[test]
    fn indexed_never_comes_before_the_end() {
        use StageState::{Ahead, Done};
        let succeeded = sample("succeeded");
        assert_eq!(indexed(&succeeded, Indexed::After(530_000)), (Done, "530 ms".to_owned()));
        assert_eq!(indexed(&succeeded, Indexed::After(500_000)), (Ahead, String::new()));
        assert_eq!(indexed(&succeeded, Indexed::Yes), (Done, "found".to_owned()));
        for under_way in ["queued", "retrying", "payout"] {
            for found in [Indexed::After(530_000), Indexed::Yes] {
                assert_eq!(indexed(&sample(under_way), found), (Ahead, String::new()), "{under_way}");
            }
        }
        // Found when it was authorised, but captured long after.
        assert_eq!(indexed(&sample("partly_captured"), Indexed::After(530_000)), (Ahead, String::new()));
    }
}
