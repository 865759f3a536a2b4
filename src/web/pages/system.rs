//! `/system`: the state of the parts and background tasks, the queue, parked operations, and the switch that pauses the workers.

use actix_web::{HttpRequest, web};
use askama::Template;

use super::error_page::PageError;
use super::format;
use super::forms;
use super::frame;
use super::layout::{Layout, Nav};
use super::names;
use super::onboarding;
use super::responses::{self, PageResult};
use super::row::{Names, PaymentRow};
use super::tasks::{FailedTask, TaskLine, failed_tasks, task_lines};
use crate::domain::ids::AccountId;
use crate::domain::payment::{Payment, Phase};
use crate::domain::time::Timestamp;
use crate::readers::live::Counts;
use crate::readers::monitor;
use crate::readers::system::{QueueSample, ReaderSample, SystemSample, SystemState};
use crate::store::{AsideReason, AsideRecord, StoreTrouble, Subject};
use crate::web::addresses;
use crate::web::body::Body;
use crate::web::error::ApiError;
use crate::web::security::SignedIn;
use crate::web::state::WebState;

/// A number, with its path in the socket's `stats` frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Number {
    /// What it measures, in words.
    pub label: &'static str,
    /// The value as text; a dash if unknown.
    pub value: String,
    /// Its path in a `stats` frame.
    pub stat: &'static str,
    /// `count`, or `duration` for microseconds.
    pub unit: &'static str,
}

/// A part of the server and its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartLine {
    /// `Store`, `Work queue`, `Search` or `Clock`.
    pub name: &'static str,
    /// Whether it answers.
    pub up: bool,
    /// Its state in words.
    pub detail: &'static str,
}

/// A reader of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReaderLine {
    /// The name of its cursor.
    pub key: String,
    /// Its name for people.
    pub name: &'static str,
    /// The number of batches it is behind.
    pub batches: String,
    /// The age of the first of them; a dash if it is level.
    pub lag: String,
    /// Its position in the journal.
    pub cursor: String,
}

/// A payment with parked operations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedLine {
    /// The payment's row.
    pub row: PaymentRow,
    /// The id as the dialect shows it.
    pub id: String,
    /// Each parked operation and its cause: `authorize, attempt 4: the acquirer was not reachable`.
    pub causes: Vec<String>,
    /// The idempotency key of Replay; it names the version, so that a payment parked again can be replayed again.
    pub idempotency_key: String,
}

/// A payment or row that is set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AsideLine {
    /// Its id or name.
    pub subject: String,
    /// Why it was set aside, in a sentence.
    pub cause: String,
    /// When it was first set aside, as an age and in milliseconds since the epoch.
    pub since: (String, i64),
}

/// The page.
#[derive(Template)]
#[template(path = "system.html")]
pub struct SystemPage {
    /// The frame.
    pub layout: Layout,
    /// When the workers were paused, as an age and in milliseconds since the epoch; `None` while they run.
    pub paused: Option<(String, i64)>,
    /// The numbers of the work queue.
    pub queue: Vec<Number>,
    /// The rates of the last second.
    pub rates: Vec<Number>,
    /// Store, work queue and search; also the clock if it is behind.
    pub parts: Vec<PartLine>,
    /// The background tasks of this server that have crashed.
    pub failed_tasks: Vec<FailedTask>,
    /// All background tasks of this server.
    pub tasks: Vec<TaskLine>,
    /// The readers of the journal.
    pub readers: Vec<ReaderLine>,
    /// The viewer's parked operations.
    pub parked: Vec<ParkedLine>,
    /// Payments and rows set aside, the latest first.
    pub aside: Vec<AsideLine>,
    /// The effective settings; `None` unless the viewer is an operator.
    pub settings: Option<String>,
}

/// Parked payments shown.
const PARKED_MAX: u32 = 50;

/// Items set aside shown.
const ASIDE_SHOWN_MAX: u32 = 50;

/// `GET /system`.
pub async fn show(state: web::Data<WebState>, who: SignedIn) -> PageResult {
    let now = state.wall.now();
    let parked = state.store.payment_parked(who.account, PARKED_MAX).await?;
    let names = names::names_of(&state, &parked).await?;
    let sample = monitor::sample(state.store.as_ref(), state.broker.as_ref(), now).await?;
    let aside = state.store.aside_list(ASIDE_SHOWN_MAX).await?;
    let (parts, tasks) = (*state.hub.system().borrow(), state.tasks.all());
    let page = SystemPage {
        layout: frame::frame(&state, &who, "System", Nav::System),
        paused: parts.paused_since.map(|since| (format::ago(now, since), since.millis())),
        queue: queue_numbers(&sample.queue),
        rates: rate_numbers(&state.hub.stats().now(now).per_second),
        parts: part_lines(&parts),
        failed_tasks: failed_tasks(&tasks, now),
        tasks: task_lines(&tasks, now),
        readers: reader_lines(&sample),
        parked: parked.iter().map(|payment| parked_line(payment, &names, who.account, now)).collect(),
        aside: aside.iter().map(|record| aside_line(record, now)).collect(),
        settings: who.operator.then(|| state.effective_settings.to_string()),
    };
    Ok(responses::ok(&page))
}

/// `POST /system/pause`.
pub async fn pause(
    state: web::Data<WebState>,
    request: HttpRequest,
    who: SignedIn,
    body: Body,
) -> PageResult {
    turn(&state, &request, &who, body, true).await
}

/// `POST /system/resume`.
pub async fn resume(
    state: web::Data<WebState>,
    request: HttpRequest,
    who: SignedIn,
    body: Body,
) -> PageResult {
    turn(&state, &request, &who, body, false).await
}

async fn turn(
    state: &WebState,
    request: &HttpRequest,
    who: &SignedIn,
    body: Body,
    pause: bool,
) -> PageResult {
    forms::signed_form(state, request, who, body)?;
    if !who.operator {
        let message = "Only those named in the setting accounts.operators may pause and resume the workers.";
        return Err(ApiError::forbidden(message).into());
    }
    tracing::info!(account.id = %who.account, pause, "operator pressed the workers' switch");
    let (switch, now) = (state.switch.clone(), state.wall.now());
    // In its own task: a browser that disconnects must not leave the switch half turned.
    let turned = actix_web::rt::spawn(async move {
        match pause {
            true => switch.pause(now).await,
            false => switch.resume().await,
        }
    });
    turned.await.map_err(|_| PageError(ApiError::internal()))??;
    // The next page must already show the new state.
    let paused_since = *state.switch.watch().borrow();
    state.hub.system_change(|system| system.paused_since = paused_since);
    onboarding::note(
        state,
        who.account,
        if pause { onboarding::Step::Paused } else { onboarding::Step::Resumed },
    )
    .await;
    Ok(responses::see_other(&addresses::referring(state, request).unwrap_or_else(|| "/system".to_owned())))
}

/// The numbers of the work queue.
#[must_use]
pub fn queue_numbers(queue: &QueueSample) -> Vec<Number> {
    let count = |label, value: Option<u64>, stat| Number {
        label,
        value: value.map_or_else(|| "–".to_owned(), format::count),
        stat,
        unit: "count",
    };
    vec![
        count("Interactive lane", queue.interactive, "queue.interactive"),
        count("Bulk lane", queue.bulk, "queue.bulk"),
        count("In flight", queue.in_flight, "queue.in_flight"),
        count("Open operations", Some(queue.open), "queue.open"),
        Number {
            label: "Oldest waits",
            value: some_duration(queue.oldest_us),
            stat: "queue.oldest_us",
            unit: "duration",
        },
    ]
}

fn rate_numbers(second: &Counts) -> Vec<Number> {
    let number = |label, value: u64, stat| Number { label, value: format::count(value), stat, unit: "count" };
    vec![
        number("Accepted", second.accepted, "per_second.accepted"),
        number("Succeeded", second.succeeded, "per_second.succeeded"),
        number("Declined", second.declined, "per_second.declined"),
        number("Failed", second.failed, "per_second.failed"),
    ]
}

/// A length of time; a dash for zero.
fn some_duration(us: u64) -> String {
    if us == 0 { "–".to_owned() } else { format::duration(us) }
}

/// The state of each part, as lines.
#[must_use]
pub fn part_lines(state: &SystemState) -> Vec<PartLine> {
    let part = |name, up: bool, away| PartLine { name, up, detail: if up { "answers" } else { away } };
    let store = match state.store_trouble {
        StoreTrouble::Away => "does not answer: no payment can be taken",
        StoreTrouble::Full => "has a full disk: no payment can be taken",
        StoreTrouble::Refusing => {
            "is read-only, or rights or tables are missing: the server's log says which"
        }
        StoreTrouble::Damaged => "has a damaged file, or has lost it: the server's log says what to do",
    };
    let broker = match state.broker_blocked {
        true => "takes nothing at the moment: payments are accepted and wait",
        false => "is away: payments are accepted and wait",
    };
    let search = match (state.search_filling, state.search_behind) {
        (true, _) => "is being filled from the store: it answers once that is done",
        (false, true) => "takes nothing in at the moment: it answers without the newest payments",
        (false, false) => "is away: it catches up once it is back",
    };
    let clock = "of this server is more than two seconds behind: it is late, or another server's is early. Payments \
                 are given the time of the one that is ahead";
    let mut parts = vec![
        part("Store", state.store, store),
        part("Work queue", state.broker, broker),
        part("Search", state.search, search),
    ];
    if state.clock_behind {
        parts.push(part("Clock", false, clock));
    }
    parts
}

/// The readers of the journal, as lines.
#[must_use]
pub fn reader_lines(sample: &SystemSample) -> Vec<ReaderLine> {
    let line = |(key, reader): (&String, &ReaderSample)| ReaderLine {
        key: key.clone(),
        name: match key.as_str() {
            "dispatch_interactive" => "Dispatch, interactive lane",
            "dispatch_bulk" => "Dispatch, bulk lane",
            "statement" => "Statements and events",
            _ => "Search index",
        },
        batches: format::count(reader.batches),
        lag: some_duration(reader.lag_us),
        cursor: format::grouped(reader.cursor),
    };
    sample.readers.iter().map(line).collect()
}

/// Something set aside, as a line. It reveals only the id of a payment.
fn aside_line(record: &AsideRecord, now: Timestamp) -> AsideLine {
    let subject = match &record.subject {
        Subject::Payment(id) => format!("Payment {id}"),
        Subject::Row(row) => row.clone(),
    };
    let what = match record.reason {
        AsideReason::Unreadable => "It cannot be read",
        AsideReason::Undecidable => "What is due or in the queue for it cannot be carried out",
    };
    let since = (format::ago(now, record.first_at), record.first_at.millis());
    AsideLine { subject, cause: format!("{what}: {}", record.cause), since }
}

/// A payment with parked operations, as a line.
#[must_use]
pub fn parked_line(payment: &Payment, names: &Names, viewer: AccountId, now: Timestamp) -> ParkedLine {
    let cause = |operation: &crate::domain::payment::Operation| match operation.phase {
        Phase::Parked { cause } => {
            Some(format!("{}, attempt {}: {}", operation.kind.words(), operation.attempt, cause.words()))
        }
        Phase::Queued | Phase::Waiting { .. } | Phase::Pending { .. } => None,
    };
    let id = payment.submission().public_id();
    ParkedLine {
        row: PaymentRow::of(payment, names, viewer, now),
        causes: payment.operations().filter_map(cause).collect(),
        idempotency_key: format!("replay-{id}-{}", payment.version()),
        id,
    }
}
