//! `/scenario`: the scenario in force, the editor with its preview, and the list of revisions.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use serde::Serialize;

use super::super::error_page::{PageError, answer_to, render};
use super::super::forms::{self, Fields};
use super::super::frame;
use super::super::layout::{Layout, Nav, Notice, Tone};
use super::super::responses::{self, PageResult};
use super::acquirers::AcquirersNow;
use super::changes::unix_lines;
use super::lines::RevisionLine;
use super::preview::{self, Panel};
use crate::scenarios::{EXAMPLES, FILE_BYTES_MAX, Revision, ScenarioProblem};
use crate::web::api::scenarios::{Mistake, mistakes};
use crate::web::body::Body;
use crate::web::error::ApiError;
use crate::web::security::SignedIn;
use crate::web::state::WebState;

/// Revisions per page.
const REVISIONS: u32 = 10;

/// An example to begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExampleOption {
    /// The name that the address has.
    pub name: &'static str,
    /// The name people see.
    pub label: String,
    /// Whether the editor shows it.
    pub chosen: bool,
}

/// The page.
#[derive(Template)]
#[template(path = "scenario.html")]
pub struct ScenarioPage {
    /// The frame.
    pub layout: Layout,
    /// The revision that holds; `None` if there was never one.
    pub in_force: Option<RevisionLine>,
    /// What its acquirers do now.
    pub acquirers: AcquirersNow,
    /// The text in the editor.
    pub text: String,
    /// The examples.
    pub examples: Vec<ExampleOption>,
    /// What the text would do.
    pub panel: Panel,
    /// The revisions, latest first.
    pub revisions: Vec<RevisionLine>,
    /// The address of earlier revisions.
    pub older: Option<String>,
    /// Whether the list begins with earlier revisions.
    pub turned: bool,
    /// The largest file, in bytes.
    pub bytes_max: usize,
}

/// The examples, and which of them the editor shows.
#[must_use]
pub fn examples(chosen: &str) -> Vec<ExampleOption> {
    let option = |example: &crate::scenarios::Example| ExampleOption {
        name: example.name,
        label: example.title().to_owned(),
        chosen: example.name == chosen,
    };
    EXAMPLES.iter().map(option).collect()
}

/// The page with this text in the editor; without one, the file in force.
async fn page(
    state: &WebState,
    who: &SignedIn,
    fields: &Fields,
    text: Option<(String, Panel)>,
) -> Result<ScenarioPage, PageError> {
    let in_force = state.scenarios.current(who.account).await?;
    let below: Option<u32> = fields.get("before").parse().ok();
    let mut found = state.scenarios.list(who.account, below, REVISIONS + 1).await?;
    let more = found.len() > usize::try_from(REVISIONS).unwrap_or(usize::MAX);
    found.truncate(usize::try_from(REVISIONS).unwrap_or(usize::MAX));
    let last = found.last().filter(|_| more).map(|record| record.number);
    let (text, panel) = match text {
        Some(shown) => shown,
        None => {
            let text = in_force.as_ref().and_then(text_of).unwrap_or_default();
            let panel = preview::panel_or_words(state, text.clone()).await;
            (text, panel)
        }
    };
    let now = state.wall.now();
    Ok(ScenarioPage {
        layout: frame::frame(state, who, "Scenario", Nav::Scenario),
        in_force: in_force.map(|revision| RevisionLine::of(&revision.record, now)),
        acquirers: AcquirersNow::load(state, who).await?,
        text,
        examples: examples(fields.get("example")),
        panel,
        revisions: found.iter().map(|record| RevisionLine::of(record, now)).collect(),
        older: last.map(|last| format!("/scenario?before={last}#revisions")),
        turned: below.is_some(),
        bytes_max: FILE_BYTES_MAX,
    })
}

fn text_of(revision: &Revision) -> Option<String> {
    revision.file.as_ref().map(|file| file.text.clone())
}

/// `GET /scenario?example=NAME&revision=NUMBER&before=NUMBER&put=NUMBER`.
pub async fn show(state: web::Data<WebState>, request: HttpRequest, who: SignedIn) -> PageResult {
    let fields = Fields::of_query(&request);
    let example = EXAMPLES.iter().find(|example| example.name == fields.get("example"));
    let text = match (example, fields.get("revision").parse::<u32>()) {
        (Some(example), _) => Some(example.text.to_owned()),
        (None, Ok(number)) => state.scenarios.numbered(who.account, number).await?.as_ref().and_then(text_of),
        (None, Err(_)) => None,
    };
    let shown = match text {
        Some(text) => Some((text.clone(), preview::panel_or_words(&state, text).await)),
        None => None,
    };
    let mut page = page(&state, &who, &fields, shown).await?;
    // Said only while it is true, whoever wrote the address.
    let put: Option<u32> = fields.get("put").parse().ok();
    let put = page.in_force.as_ref().filter(|line| Some(line.number) == put);
    page.layout.notices.extend(put.map(|line| Notice::new(Tone::Info, in_force_words(line))));
    Ok(responses::ok(&page))
}

fn in_force_words(line: &RevisionLine) -> String {
    let number = line.number;
    match &line.name {
        Some(name) => {
            format!("Revision {number}, {name}, is in force for everything that is queued from now on.")
        }
        None => format!("The server's settings are in force again (revision {number})."),
    }
}

/// `POST /scenario`: checks the file, puts it in force, or returns to the settings, as the button says.
pub async fn update(
    state: web::Data<WebState>,
    request: HttpRequest,
    who: SignedIn,
    body: Body,
) -> PageResult {
    let fields = forms::signed_form(&state, &request, &who, body)?;
    let text = unix_lines(fields.get("file"));
    let put = match fields.get("do") {
        "put" => state.scenarios.put(who.account, &text).await,
        "clear" => state.scenarios.clear(who.account).await,
        _ => {
            let panel = preview::panel_or_words(&state, text.clone()).await;
            return Ok(responses::ok(&page(&state, &who, &fields, Some((text, panel))).await?));
        }
    };
    match put {
        Ok(revision) => Ok(responses::see_other(&format!("/scenario?put={}", revision.record.number))),
        Err(problem) => rejected(&state, &who, &fields, text, problem).await,
    }
}

/// The page with a file that was not put in force, and why.
async fn rejected(
    state: &WebState,
    who: &SignedIn,
    fields: &Fields,
    text: String,
    problem: ScenarioProblem,
) -> PageResult {
    let (error, panel) = match mistakes(problem) {
        Ok(mistakes) => {
            let error = ApiError::invalid("scenario_invalid", "Not put in force: the file has mistakes.");
            (error, Panel::wrong(mistakes))
        }
        Err(problem) => (problem.into(), Panel::saying("Not checked.")),
    };
    let page = page(state, who, fields, Some((text, panel))).await;
    let mut page = page.map_err(|_| PageError(error.clone()))?;
    page.layout.notices.push(Notice::new(Tone::Error, forms::words(&error)));
    Ok(render(answer_to(&error), &page))
}

/// What a file would do, for the script beside the editor.
#[derive(Debug, Serialize)]
struct PreviewAnswer {
    valid: bool,
    mistakes: Vec<Mistake>,
    /// The panel as HTML, with the strip of the timeline once there is one.
    html: String,
}

/// `POST /scenario/preview`: says what a file would do, and changes nothing.
pub async fn preview(
    state: web::Data<WebState>,
    request: HttpRequest,
    who: SignedIn,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let fields = forms::signed_form(&state, &request, &who, body).map_err(|PageError(error)| error)?;
    let mut panel = preview::panel(&state, unix_lines(fields.get("file"))).await?;
    panel.live = true;
    let html = panel.render().map_err(|error| {
        tracing::error!(error = %error, "preview could not be rendered");
        ApiError::internal()
    })?;
    let (valid, mistakes) = (panel.drawn.is_some(), panel.mistakes);
    let mut answer = HttpResponse::Ok();
    answer.insert_header((header::CACHE_CONTROL, "no-store"));
    Ok(answer.json(PreviewAnswer { valid, mistakes, html }))
}
