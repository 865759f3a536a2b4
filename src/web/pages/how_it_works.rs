//! `/how`: follows a live payment from station to station, and compares one burst of payments answered at once with the same burst
//! answered at the end.

use std::time::{Duration, Instant};

use actix_web::{HttpRequest, web};
use askama::Template;
use futures_util::future::join_all;

use super::curve::{self, Chart};
use super::error_page::render;
use super::format;
use super::forms;
use super::frame;
use super::layout::{Layout, Nav, Notice, Tone};
use super::responses::{self, PageResult};
use crate::domain::ids::{AccountId, PaymentId};
use crate::domain::payment_kind::PaymentKind;
use crate::intake::{Call, Params, PaymentDraft, Wait};
use crate::web::body::Body;
use crate::web::error::ApiError;
use crate::web::security::SignedIn;
use crate::web::state::WebState;

/// Payments in a burst.
const BURST: usize = 200;
/// How long a burst may take to settle before the page is shown without its settling times.
const REST_WITHIN: Duration = Duration::from_secs(10);
const REST_LOOK: Duration = Duration::from_millis(100);

/// A station on a payment's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Station {
    /// The name that scripts use.
    pub key: &'static str,
    /// The name people see.
    pub name: &'static str,
    /// What happens there, in a plain sentence.
    pub teaches: &'static str,
    /// The meaning of its time, in a few words.
    pub time: &'static str,
}

/// The stations of a payment, in order.
pub const STATIONS: [Station; 5] = [
    Station {
        key: "writer",
        name: "Writer",
        teaches: "One writer takes whatever has arrived and commits it together, payment and journal in one transaction; \
                  only then are you told that it is accepted.",
        time: "until it is accepted",
    },
    Station {
        key: "queue",
        name: "Queue",
        teaches: "A message with nothing but ids waits until a worker is free, so that a slow bank never makes you wait; \
                  pause the workers on the System page and it waits here.",
        time: "waiting",
    },
    Station {
        key: "worker",
        name: "Worker",
        teaches: "A worker asks the card network and waits for the answer without blocking: thousands of payments can be \
                  out there at once.",
        time: "with the card network",
    },
    Station {
        key: "ledger",
        name: "Ledger",
        teaches: "The answer and the movement of money it causes are written in one transaction, debit and credit \
                  together, so that money neither vanishes nor appears.",
        time: "until it is settled, in all",
    },
    Station {
        key: "index",
        name: "Index",
        teaches: "Search is a mirror that follows the journal a moment later; losing it loses nothing, since it \
                  can be rebuilt.",
        time: "until search finds it",
    },
];

/// The result of one burst: latencies in microseconds, sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Burst {
    /// Until the caller had an answer.
    pub answered_us: Vec<u64>,
    /// Until the payment had settled, by its own timestamps.
    pub settled_us: Vec<u64>,
    /// Callers that were rejected, or answered without an outcome.
    pub without: usize,
}

/// A line of the table under the curves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompareLine {
    /// The burst, in words.
    pub label: &'static str,
    /// The 50th, 90th, 99th and 100th percentile of the time to the answer.
    pub within: [String; 4],
    /// The time until all payments had settled; a dash if unknown.
    pub settled: String,
}

/// Both bursts, side by side.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The result, in a sentence or two.
    pub verdict: String,
    /// The curves.
    pub chart: Chart,
    /// The lines of the table.
    pub lines: Vec<CompareLine>,
}

impl Comparison {
    /// Compares a burst that was answered at the end with one that was answered at once.
    #[must_use]
    pub fn of(at_end: &Burst, at_once: &Burst) -> Self {
        let half = |burst: &Burst| curve::percentile(&burst.answered_us, 50);
        let last = |values: &[u64]| format::duration(values.last().copied().unwrap_or(0));
        let verdict = match (at_end.without, at_once.without) {
            (0, 0) => format!(
                "Answered at once, half of the callers had their answer within {} and all within {}. Made to wait for the \
                 end, half waited {} and the last {}: {} as long. The payments themselves settled in about the same time \
                 either way, the last after {} and {}.",
                format::duration(half(at_once)),
                last(&at_once.answered_us),
                format::duration(half(at_end)),
                last(&at_end.answered_us),
                curve::times(half(at_end), half(at_once)),
                last(&at_once.settled_us),
                last(&at_end.settled_us),
            ),
            (end, 0) => format!(
                "Answered at once, all callers had their answer within {}. Made to wait for the end, {} of {} callers gave \
                 up without knowing what came of their payment. That is what happens when something behind the queue \
                 stands still.",
                last(&at_once.answered_us),
                end,
                end + at_end.answered_us.len(),
            ),
            (end, once) => format!(
                "Of the callers answered at once {once} were refused, of those made to wait {end} had no outcome: the \
                 server has more to do than it can take.",
            ),
        };
        let line = |label, burst: &Burst| CompareLine {
            label,
            within: [50, 90, 99, 100]
                .map(|percent| format::duration(curve::percentile(&burst.answered_us, percent))),
            settled: if burst.settled_us.is_empty() { "–".to_owned() } else { last(&burst.settled_us) },
        };
        Self {
            verdict,
            chart: Chart::of(&[
                ("at-end", "answered at the end", &at_end.answered_us),
                ("at-once", "answered at once", &at_once.answered_us),
            ]),
            lines: vec![line("Answered at once", at_once), line("Answered at the end", at_end)],
        }
    }
}

/// The page.
#[derive(Template)]
#[template(path = "how.html")]
pub struct HowPage {
    /// The frame.
    pub layout: Layout,
    /// The comparison; `None` before it has been run.
    pub comparison: Option<Comparison>,
    /// How many payments a burst has.
    pub burst: usize,
}

/// `GET /how`.
pub async fn show(state: web::Data<WebState>, who: SignedIn) -> PageResult {
    let layout = frame::frame(&state, &who, "How it works", Nav::How);
    Ok(responses::ok(&HowPage { layout, comparison: None, burst: BURST }))
}

/// `POST /how/compare`: sends the same burst twice and shows what its callers saw.
pub async fn compare(
    state: web::Data<WebState>,
    request: HttpRequest,
    who: SignedIn,
    body: Body,
) -> PageResult {
    forms::signed_form(&state, &request, &who, body)?;
    let layout = frame::frame(&state, &who, "How it works", Nav::How);
    let mut page = HowPage { layout, comparison: None, burst: BURST };
    // One at a time: two would measure each other.
    let Ok(_alone) = state.comparing.try_acquire() else {
        let text = "Someone is comparing just now. Try again in a moment.";
        page.layout.notices.push(Notice::new(Tone::Warning, text));
        return Ok(render(actix_web::HttpResponse::TooManyRequests(), &page));
    };
    let wait = Wait::UpTo(Duration::from_millis(state.settings.outcome_wait_ms));
    let at_end = burst(&state, who.account, wait).await?;
    let at_once = burst(&state, who.account, Wait::No).await.map_err(ApiError::after_write)?;
    page.comparison = Some(Comparison::of(&at_end, &at_once));
    Ok(responses::ok(&page))
}

/// Sends a burst, all at once as from so many callers, and waits until its payments are at rest.
async fn burst(state: &WebState, owner: AccountId, wait: Wait) -> Result<Burst, ApiError> {
    // The same draws in both bursts, so that the card network is as slow for one as for the other.
    let drafts = (0..BURST).map(|n| charge(state, n)).collect::<Result<Vec<PaymentDraft>, ApiError>>()?;
    let call = |draft: PaymentDraft| async {
        let began = Instant::now();
        let outcome = match state.intake.submit(draft, owner, Call::waiting(wait)).await {
            Ok(handed) => state.intake.outcome(handed).await,
            Err(error) => Err(error),
        };
        (u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX), outcome)
    };
    let answers = join_all(drafts.into_iter().map(call)).await;
    let mut burst = Burst::default();
    let mut accepted = Vec::with_capacity(BURST);
    for (took, outcome) in answers {
        match &outcome {
            Ok(outcome) if wait == Wait::No || outcome.settled => burst.answered_us.push(took),
            Ok(_) | Err(_) => burst.without += 1,
        }
        accepted.extend(outcome.map(|outcome| outcome.payment.id()));
    }
    burst.answered_us.sort_unstable();
    burst.settled_us = settled(state, &accepted).await.map_err(ApiError::after_write)?;
    Ok(burst)
}

fn charge(state: &WebState, n: usize) -> Result<PaymentDraft, ApiError> {
    let text = serde_json::json!({
        "amount": 100, "currency": "eur", "payment_method": "pm_card_visa", "draw_key": n,
        "description": "How it works: one of a burst",
    })
    .to_string();
    let mut params = Params::from_json(text.as_bytes())?;
    let draft = PaymentDraft::read(&mut params, PaymentKind::Charge, &state.intake.context())?;
    params.finish()?;
    Ok(draft)
}

/// How long these payments took to settle, sorted; empty if they did not all do so in time.
async fn settled(state: &WebState, ids: &[PaymentId]) -> Result<Vec<u64>, ApiError> {
    let began = Instant::now();
    loop {
        let payments = state.store.payment_get(ids).await?;
        if payments.iter().all(|payment| payment.state().status.is_at_rest()) {
            let took = |payment: &crate::domain::payment::Payment| payment.took_us();
            let mut all: Vec<u64> = payments.iter().filter_map(took).collect();
            all.sort_unstable();
            return Ok(all);
        }
        if began.elapsed() >= REST_WITHIN {
            return Ok(Vec::new());
        }
        tokio::time::sleep(REST_LOOK).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn burst(from_us: u64, step_us: u64, without: usize) -> Burst {
        let answered_us: Vec<u64> = (0..200).map(|n| from_us + n * step_us).collect();
        Burst { settled_us: vec![410_000], answered_us, without }
    }

    #[test]
    fn the_verdict_is_a_sentence_with_numbers() {
        let verdict = |at_end: &Burst, at_once: &Burst| Comparison::of(at_end, at_once).verdict;
        insta::assert_snapshot!(
            [
                verdict(&burst(90_000, 1_500, 0), &burst(2_000, 20, 0)),
                verdict(&Burst { without: 200, ..Burst::default() }, &burst(2_000, 20, 0)),
                verdict(&burst(90_000, 1_500, 3), &burst(2_000, 20, 7)),
            ]
            .join("\n")
        );
    }
}
