//! `/scenario/revisions/{number}`: a file that was put in force, what it does, what it changed, and its download.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::super::error_page::PageError;
use super::super::forms;
use super::super::frame;
use super::super::layout::{Layout, Nav};
use super::super::responses::{self, PageResult};
use super::changes::Changes;
use super::lines::{RevisionLine, file_name};
use super::preview::{self, Panel};
use crate::domain::card_numbers::shown;
use crate::intake::error::SHOWN_CHARS_MAX;
use crate::scenarios::Revision;
use crate::web::body::Body;
use crate::web::error::ApiError;
use crate::web::security::SignedIn;
use crate::web::state::WebState;

/// The page of a revision.
#[derive(Template)]
#[template(path = "scenario_revision.html")]
pub struct RevisionPage {
    /// The frame.
    pub layout: Layout,
    /// The revision.
    pub line: RevisionLine,
    /// Whether it is in force.
    pub in_force: bool,
    /// The scenario's description; empty if there is none.
    pub description: String,
    /// Its file; empty for the return to the settings.
    pub text: String,
    /// What it does.
    pub panel: Panel,
}

/// The page that compares a revision with the one before.
#[derive(Template)]
#[template(path = "scenario_changes.html")]
pub struct ChangesPage {
    /// The frame.
    pub layout: Layout,
    /// The revision.
    pub line: RevisionLine,
    /// The one before; `None` for the first.
    pub before: Option<RevisionLine>,
    /// What differs.
    pub changes: Changes,
}

/// The number in an address.
fn number(text: &str) -> Result<u32, ApiError> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| missing(text))
}

fn missing(number: &str) -> ApiError {
    ApiError::not_found("revision", &shown(number, SHOWN_CHARS_MAX))
}

async fn own(state: &WebState, who: &SignedIn, id: &str) -> Result<Revision, ApiError> {
    let found = state.scenarios.numbered(who.account, number(id)?).await?;
    found.ok_or_else(|| missing(id))
}

/// `GET /scenario/revisions/{number}`.
pub async fn show(state: web::Data<WebState>, who: SignedIn, id: web::Path<String>) -> PageResult {
    let revision = own(&state, &who, &id).await?;
    let in_force = state.scenarios.current(who.account).await?;
    let line = RevisionLine::of(&revision.record, state.wall.now());
    let title = format!("Revision {}", line.number);
    let (text, description) =
        revision.file.map(|file| (file.text, file.scenario.description)).unwrap_or_default();
    Ok(responses::ok(&RevisionPage {
        layout: frame::frame(&state, &who, &title, Nav::Scenario),
        in_force: in_force.is_some_and(|revision| revision.record.number == line.number),
        panel: preview::panel_or_words(&state, text.clone()).await,
        line,
        description,
        text,
    }))
}

/// `GET /scenario/revisions/{number}.toml`: the file as it was put in force.
pub async fn download(state: web::Data<WebState>, who: SignedIn, id: web::Path<String>) -> PageResult {
    let file = own(&state, &who, &id).await?.file.ok_or_else(|| missing(&id))?;
    let disposition = format!("attachment; filename=\"{}.toml\"", file_name(&file.scenario.name));
    let mut response = HttpResponse::Ok();
    response
        .content_type("application/toml; charset=utf-8")
        .insert_header((header::CONTENT_DISPOSITION, disposition))
        .insert_header((header::CACHE_CONTROL, "no-store"));
    Ok(response.body(file.text))
}

/// `GET /scenario/revisions/{number}/changes`: compared with the revision before.
pub async fn show_changes(state: web::Data<WebState>, who: SignedIn, id: web::Path<String>) -> PageResult {
    let revision = own(&state, &who, &id).await?;
    let before = match revision.record.number.checked_sub(1).filter(|number| *number > 0) {
        Some(number) => state.scenarios.numbered(who.account, number).await?,
        None => None,
    };
    let line = |revision: &Revision| RevisionLine::of(&revision.record, state.wall.now());
    let lines = (line(&revision), before.as_ref().map(line));
    let text = |revision: Option<Revision>| revision.and_then(|revision| revision.file).map(|file| file.text);
    let (old, new) = (text(before).unwrap_or_default(), text(Some(revision)).unwrap_or_default());
    let changes = preview::aside(&state, move || Changes::between(&old, &new)).await?;
    Ok(responses::ok(&ChangesPage {
        layout: frame::frame(&state, &who, &format!("Changes in revision {}", lines.0.number), Nav::Scenario),
        line: lines.0,
        before: lines.1,
        changes,
    }))
}

/// `POST /scenario/revisions/{number}`: puts the same file in force, as a new revision.
pub async fn put_again(
    state: web::Data<WebState>,
    request: HttpRequest,
    who: SignedIn,
    id: web::Path<String>,
    body: Body,
) -> PageResult {
    forms::signed_form(&state, &request, &who, body)?;
    let put = match own(&state, &who, &id).await?.file {
        Some(file) => state.scenarios.put(who.account, &file.text).await,
        None => state.scenarios.clear(who.account).await,
    };
    let revision = put.map_err(PageError::from)?;
    Ok(responses::see_other(&format!("/scenario?put={}", revision.record.number)))
}
