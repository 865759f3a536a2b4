//! `/load/{id}`: a run while it is under way, and its report.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::super::error_page::PageError;
use super::super::forms::{self, Fields};
use super::super::frame;
use super::super::layout::{Layout, Nav, Notice, Tone};
use super::super::responses::{self, PageResult};
use super::list::{RunLine, state_words};
use crate::domain::ids::{AccountId, LoadRunId};
use crate::runs::{Found, Kind, Record, Report, RunError, RunLive, State, ms, per_s, thousands};
use crate::web::api::load_runs::{self, id_of};
use crate::web::body::Body;
use crate::web::error::ApiError;
use crate::web::security::SignedIn;
use crate::web::state::WebState;

/// The page.
#[derive(Template)]
#[template(path = "load_run.html")]
pub struct RunPage {
    /// The frame.
    pub layout: Layout,
    /// The run.
    pub line: RunLine,
    /// Whether it is under way.
    pub running: bool,
    /// Whether nothing is due in it now.
    pub paused: bool,
    /// Whether it is a search.
    pub search: bool,
    /// How it is doing, or its verdict.
    pub sentence: String,
    /// Figures.
    pub facts: Vec<(&'static str, String)>,
    /// What the audit of its own payments found.
    pub audit: String,
    /// How it went so far, as JSON for the script.
    pub data: String,
    /// The steps of a search.
    pub steps: Vec<StepLine>,
    /// What it was asked to be.
    pub settings: Vec<(&'static str, String)>,
    /// Its scenario; empty if it brought none.
    pub scenario: String,
    /// Whether there is a report to look at.
    pub has_report: bool,
    /// Other runs to compare it with.
    pub others: Vec<RunLine>,
}

/// A rate that was tried.
#[derive(Debug, Clone)]
pub struct StepLine {
    /// The rate.
    pub rate: String,
    /// What completed.
    pub completed: String,
    /// Settle p50.
    pub p50: String,
    /// Settle p99.
    pub p99: String,
    /// Whether it holds.
    pub holds: bool,
    /// Why not.
    pub why: String,
}

fn steps(found: Option<&Found>) -> Vec<StepLine> {
    let line = |step: &crate::runs::Step| StepLine {
        rate: per_s(step.rate),
        completed: per_s(step.completed_per_s),
        p50: ms(step.settle_p50_ms),
        p99: ms(step.settle_p99_ms),
        holds: step.holds,
        why: step.why.clone().unwrap_or_default(),
    };
    let mut lines: Vec<&crate::runs::Step> = found.iter().flat_map(|found| &found.steps).collect();
    lines.sort_by(|one, other| one.rate.total_cmp(&other.rate));
    lines.into_iter().map(line).collect()
}

fn live_facts(live: &RunLive) -> Vec<(&'static str, String)> {
    let live = &live.live;
    vec![
        ("Sent", thousands(live.sent)),
        ("Accepted", thousands(live.accepted)),
        ("Completed", thousands(live.completed)),
        ("Open", thousands(live.open)),
        ("Refused", thousands(live.errors)),
        ("Accept p99", ms(live.accept_ms.p99)),
        ("Settle p50", ms(live.settle_ms.p50)),
        ("Settle p99", ms(live.settle_ms.p99)),
    ]
}

fn report_facts(report: &Report) -> Vec<(&'static str, String)> {
    vec![
        ("Offered", per_s(report.offered_per_s)),
        ("Accepted", per_s(report.accepted_per_s)),
        ("Completed", per_s(report.completed_per_s)),
        ("Open", thousands(report.open)),
        ("Refused", thousands(report.errors)),
        ("Accept p99", ms(report.accept_ms.p99)),
        ("Settle p50", ms(report.settle_ms.p50)),
        ("Settle p99", ms(report.settle_ms.p99)),
    ]
}

fn audit_words(record: &Record) -> String {
    match record.report.as_ref().map(|report| &report.audit) {
        None => String::new(),
        Some(None) => "The server was not asked again for what it acknowledged.".to_owned(),
        Some(Some(audit)) => format!(
            "Audit: of {} payments that the server was asked for again, {} were as acknowledged, {} missing, {} different, {} not answered.",
            thousands(audit.asked),
            thousands(audit.found),
            audit.missing,
            audit.different,
            audit.unanswered
        ),
    }
}

fn settings(record: &Record) -> Vec<(&'static str, String)> {
    let asked = &record.settings;
    let rate = if asked.shape.is_empty() { &asked.rate } else { &asked.shape };
    let mut rows = vec![(
        "Server",
        if asked.is_elsewhere() { asked.target.clone() } else { "this one, over loopback".to_owned() },
    )];
    match asked.kind {
        Kind::Run => rows.extend([
            ("Rate", rate.clone()),
            ("Duration", asked.duration.clone()),
            ("Warm-up", asked.warmup.clone()),
        ]),
        Kind::Capacity => rows.extend([
            ("Has to hold", asked.objectives.join(", ")),
            ("Step", asked.step.clone()),
            ("First rate", asked.from.clone()),
        ]),
    }
    rows.extend([
        ("Arrivals", if asked.poisson { "at random moments" } else { "at even distances" }.to_owned()),
        ("Transport", asked.transport.clone()),
        ("Mix", asked.mix.clone()),
        ("Cards", asked.cards.clone()),
        ("Currencies", asked.currencies.clone()),
        ("Accounts", asked.wallets.to_string()),
        ("Fails if", asked.fail_if.join(", ")),
    ]);
    rows.retain(|(_, text)| !text.is_empty());
    rows
}

/// What the script draws: as in the stream, from the live run or from the report.
fn data(live: Option<&RunLive>, record: &Record) -> String {
    let json = match (live, &record.report) {
        (Some(live), _) => serde_json::to_string(live),
        (None, Some(report)) => serde_json::to_string(&serde_json::json!({
            "points": report.series,
            "skipped_points": 0,
            "faults": report.faults,
            "pauses": report.pauses,
        })),
        (None, None) => Ok("{}".to_owned()),
    };
    // Within a script element nothing may look like its end.
    json.unwrap_or_else(|_| "{}".to_owned()).replace('<', "\\u003c")
}

async fn page(state: &WebState, who: &SignedIn, id: LoadRunId) -> Result<RunPage, PageError> {
    let live = state.runs.live(who.account, id, 0).map_err(ApiError::from)?;
    let record = state.runs.one(who.account, id).await.map_err(ApiError::from)?;
    let now = state.wall.now();
    let line = RunLine::of(record.head(), now);
    let paused = live.as_ref().is_some_and(|live| live.live.phase == crate::runs::Phase::Paused);
    let found = live.as_ref().map_or(record.found.as_ref(), |live| live.found.as_ref());
    let sentence = match &live {
        Some(live) => live.sentence.clone(),
        None => record.verdict().unwrap_or(state_words(record.state, record.passed()).0).to_owned(),
    };
    let facts = match (&live, &record.report) {
        (Some(live), _) => live_facts(live),
        (None, Some(report)) => report_facts(report),
        (None, None) => Vec::new(),
    };
    let others = state.runs.list(who.account).into_iter().map(|head| RunLine::of(head, now));
    let others = others.filter(|other| other.comparable && other.id != line.id).take(20).collect();
    let mut layout = frame::frame(state, who, &line.label, Nav::Load);
    layout.refresh_s = live.is_some().then_some(2);
    Ok(RunPage {
        layout,
        running: live.is_some(),
        paused,
        search: record.settings.kind == Kind::Capacity,
        sentence,
        facts,
        audit: if live.is_some() { String::new() } else { audit_words(&record) },
        data: data(live.as_ref(), &record),
        steps: steps(found),
        settings: settings(&record),
        scenario: record.settings.scenario.clone(),
        has_report: live.is_none()
            && record.state != State::Running
            && (record.report.is_some() || record.found.is_some()),
        others,
        line,
    })
}

/// `GET /load/{id}`.
pub async fn show(state: web::Data<WebState>, who: SignedIn, id: web::Path<String>) -> PageResult {
    Ok(responses::ok(&page(&state, &who, id_of(&id)?).await?))
}

/// `GET /load/{id}/live`: the stream of the page.
pub async fn live(state: web::Data<WebState>, who: SignedIn, id: web::Path<String>) -> PageResult {
    Ok(load_runs::watch(&state, who.account, &id)?)
}

/// `GET /load/{id}/report.html`: the report as a file.
pub async fn report_html(state: web::Data<WebState>, who: SignedIn, id: web::Path<String>) -> PageResult {
    report(&state, who.account, &id, true).await
}

/// `GET /load/{id}/report.json`: the report for programs.
pub async fn report_json(state: web::Data<WebState>, who: SignedIn, id: web::Path<String>) -> PageResult {
    report(&state, who.account, &id, false).await
}

async fn report(state: &WebState, owner: AccountId, id: &str, html: bool) -> Result<HttpResponse, PageError> {
    Ok(load_runs::report(state, owner, id, html).await?)
}

/// `POST /load/{id}`: pauses, resumes, stops or deletes it, as the button says.
pub async fn change(
    state: web::Data<WebState>,
    request: HttpRequest,
    who: SignedIn,
    id: web::Path<String>,
    body: Body,
) -> PageResult {
    let fields: Fields = forms::signed_form(&state, &request, &who, body)?;
    let id = id_of(&id)?;
    let done = match fields.get("do") {
        "pause" => state.runs.pause(who.account, id, true).await,
        "resume" => state.runs.pause(who.account, id, false).await,
        "stop" => state.runs.stop(who.account, id),
        "delete" => state.runs.delete(who.account, id).await,
        _ => return Ok(responses::see_other(&format!("/load/{id}"))),
    };
    match done {
        Ok(()) if fields.get("do") == "delete" => Ok(responses::see_other("/load")),
        Ok(()) => Ok(responses::see_other(&format!("/load/{id}"))),
        Err(RunError::NotNow(why)) => {
            let mut page = page(&state, &who, id).await?;
            page.layout.notices.push(Notice::new(Tone::Warning, why.to_owned()));
            Ok(responses::ok(&page))
        }
        Err(error) => Err(ApiError::from(error).into()),
    }
}
