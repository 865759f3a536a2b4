//! `/how-it-works/…`: the guided experiments, one page each: started by a button, drawn while it runs, and what came of it.
//!
//! May depend on `experiments` and the frame of pages. Decides nothing: `experiments` knows what is done and what it comes to.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use serde::Serialize;

use super::error_page::{PageError, render};
use super::forms::{self, Fields};
use super::frame;
use super::layout::{Layout, Nav, Notice, Tone};
use super::responses::{self, PageResult};
use crate::experiments::{Band, ExperimentError, Findings, Kind, Outcome, Point, Run, View};
use crate::web::body::Body;
use crate::web::error::ApiError;
use crate::web::security::SignedIn;
use crate::web::state::WebState;

/// How often the page of a running experiment reloads itself without scripts, in seconds.
const REFRESH_S: u32 = 3;

/// A run that the page shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunShown {
    /// Its id.
    pub id: u64,
    /// How long it has gone on, in seconds.
    pub elapsed_s: u32,
    /// Whether it goes on.
    pub running: bool,
    /// What came of it.
    pub findings: Option<Findings>,
    /// Why it ended early.
    pub failed: Option<String>,
}

impl RunShown {
    fn of(run: &Run) -> Self {
        let view = run.view(usize::MAX);
        let (findings, failed) = match view.outcome.clone() {
            Some(Outcome::Done(findings)) => (Some(findings), None),
            Some(Outcome::Failed(why)) => (None, Some(why)),
            None => (None, None),
        };
        Self { id: run.id, elapsed_s: view.elapsed_s, running: view.outcome.is_none(), findings, failed }
    }
}

/// The page of an experiment.
#[derive(Template)]
#[template(path = "experiment.html")]
pub struct ExperimentPage {
    /// The frame.
    pub layout: Layout,
    /// Which experiment.
    pub kind: Kind,
    /// The plots, each as JSON for scripts.
    pub plots: Vec<String>,
    /// What it shows of the latest run; `None` before the first.
    pub run: Option<RunShown>,
    /// Whether the settings allow experiments.
    pub allowed: bool,
}

impl ExperimentPage {
    /// The page about this run.
    #[must_use]
    pub fn new(mut layout: Layout, kind: Kind, run: Option<RunShown>, allowed: bool) -> Self {
        layout.refresh_s = run.as_ref().filter(|run| run.running).map(|_| REFRESH_S);
        let plots = kind.plots().iter().map(|plot| serde_json::to_string(plot).unwrap_or_default()).collect();
        Self { layout, kind, plots, run, allowed }
    }
}

fn kind_of(path: &str) -> Result<Kind, ApiError> {
    Kind::parse(path).ok_or_else(|| ApiError::not_found("page", ""))
}

fn page(state: &WebState, who: &SignedIn, kind: Kind, run: Option<&Run>) -> ExperimentPage {
    let layout = frame::frame(state, who, kind.title(), Nav::How);
    ExperimentPage::new(layout, kind, run.map(RunShown::of), state.experiments.are_allowed())
}

/// `GET /how-it-works`: where the list of experiments is.
pub async fn list() -> PageResult {
    Ok(responses::see_other("/how"))
}

/// `GET /how-it-works/{experiment}?run=ID`; without an id, the latest of this account.
pub async fn show(
    state: web::Data<WebState>,
    request: HttpRequest,
    who: SignedIn,
    path: web::Path<String>,
) -> PageResult {
    let kind = kind_of(&path)?;
    let named = Fields::of_query(&request).get("run").parse().ok();
    let run = match named.and_then(|id| state.experiments.find(who.account, kind, id)) {
        Some(run) => Some(run),
        None => state.experiments.latest(who.account, kind),
    };
    Ok(responses::ok(&page(&state, &who, kind, run.as_deref())))
}

/// `POST /how-it-works/{experiment}`: starts it.
pub async fn start(
    state: web::Data<WebState>,
    request: HttpRequest,
    who: SignedIn,
    path: web::Path<String>,
    body: Body,
) -> PageResult {
    forms::signed_form(&state, &request, &who, body)?;
    let kind = kind_of(&path)?;
    match state.experiments.start(kind, who.account) {
        Ok(run) => Ok(responses::see_other(&format!("/how-it-works/{}?run={}", kind.slug(), run.id))),
        Err(error) => {
            let mut page = page(&state, &who, kind, None);
            page.layout.notices.push(Notice::new(Tone::Warning, error.to_string()));
            let status = match error {
                ExperimentError::Off => HttpResponse::Forbidden(),
                ExperimentError::Busy => HttpResponse::TooManyRequests(),
            };
            Ok(render(status, &page))
        }
    }
}

/// A run as scripts read it, again and again.
#[derive(Debug, Serialize)]
struct RunState {
    running: bool,
    elapsed_s: u32,
    points: Vec<Point>,
    /// What to ask for next time.
    next: usize,
    bands: Vec<Band>,
    findings: Option<Findings>,
    failed: Option<String>,
}

impl From<View> for RunState {
    fn from(View { points, next, bands, elapsed_s, outcome }: View) -> Self {
        let running = outcome.is_none();
        let (findings, failed) = match outcome {
            Some(Outcome::Done(findings)) => (Some(findings), None),
            Some(Outcome::Failed(why)) => (None, Some(why)),
            None => (None, None),
        };
        Self { running, elapsed_s, points, next, bands, findings, failed }
    }
}

/// `GET /how-it-works/{experiment}/runs/{id}?from=NUMBER`: how it stands, with the points from this one on.
pub async fn run_state(
    state: web::Data<WebState>,
    request: HttpRequest,
    who: SignedIn,
    path: web::Path<(String, u64)>,
) -> Result<HttpResponse, PageError> {
    let (slug, id) = path.into_inner();
    let kind = kind_of(&slug)?;
    let run = state.experiments.find(who.account, kind, id);
    let run = run.ok_or_else(|| ApiError::not_found("page", ""))?;
    let from = Fields::of_query(&request).get("from").parse().unwrap_or(0);
    let mut response = HttpResponse::Ok();
    response.insert_header((actix_web::http::header::CACHE_CONTROL, "no-store"));
    Ok(response.json(RunState::from(run.view(from))))
}
