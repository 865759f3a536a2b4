//! `/clocks`: the list of an account's test clocks with a form for a new one, and one clock, which can be advanced, run, frozen or
//! deleted there.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::clock_strip::ClockStrip;
use super::error_page::{PageError, answer_to, render};
use super::format;
use super::forms::{self, Fields};
use super::frame;
use super::layout::{Layout, Nav, Notice, Tone};
use super::responses::{self, PageResult};
use crate::domain::clock::{CLOCKS_MAX, Clock, ClockPatch, ClockStatus, KEPT_MS, LATEST, Rate};
use crate::domain::ids::{AccountId, ClockId};
use crate::domain::resource::{Body as ResourceBody, Change, Patch, Resource};
use crate::domain::subject::{Subject, SubjectKind};
use crate::domain::time::Timestamp;
use crate::intake::{Params, check_params, clock_name};
use crate::store::ResourceFilter;
use crate::web::api::objects::ResourceObject;
use crate::web::api::resources;
use crate::web::body::Body;
use crate::web::error::ApiError;
use crate::web::security::SignedIn;
use crate::web::state::WebState;

/// Customers shown of one clock.
const CUSTOMERS_MAX: u32 = 50;
/// Without JavaScript, the page of a moving clock reloads after so many seconds.
const REFRESH_S: u32 = 2;

/// How far a button advances a clock: label and seconds.
const STEPS: [(&str, u64); 4] =
    [("1 hour", 3_600), ("1 day", 86_400), ("7 days", 7 * 86_400), ("30 days", 30 * 86_400)];
/// The speeds on offer, as multiples of real time, with their labels.
const SPEEDS: [(u32, &str); 6] = [
    (0, "Frozen"),
    (1, "Real time"),
    (10, "10× real time"),
    (60, "60× (1 minute per second)"),
    (600, "600× (10 minutes per second)"),
    (1_000, "1,000× real time"),
];

/// The contents of a clock's forms.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClockInput {
    /// The clock's name as typed.
    pub name: String,
    /// The time it is to show, as a browser's date field writes it, in UTC.
    pub at: String,
    /// The field at fault (empty: the whole form) and the message for it.
    pub error: Option<(String, String)>,
}

impl ClockInput {
    /// With this time and no error.
    fn showing(at: Timestamp) -> Self {
        Self { at: field(at), ..Self::default() }
    }

    /// Filled with a rejected form and its error, to be shown again.
    fn sent(fields: &Fields, error: &ApiError) -> Self {
        let wrong = match error.param.as_deref() {
            Some("frozen_time" | "at") => "at",
            Some("name") => "name",
            _ => "",
        };
        Self {
            name: fields.get("name").to_owned(),
            at: fields.get("at").to_owned(),
            error: Some((wrong.to_owned(), words(error))),
        }
    }

    /// The error message for a field; empty if there is none.
    #[must_use]
    pub fn error_of(&self, field: &str) -> &str {
        self.error.as_ref().filter(|(wrong, _)| wrong == field).map_or("", |(_, words)| words)
    }
}

/// An error's message for people, who do not see the API's terms.
fn words(error: &ApiError) -> String {
    match error.code {
        Some("lock_timeout") => "The clock is still advancing. Try again in a moment.".to_owned(),
        Some("test_clock_backwards") => "Choose a time after the one the clock shows.".to_owned(),
        Some("test_clock_too_far") => {
            "A clock advances by two years at most, and not past the year 2199.".to_owned()
        }
        Some(_) | None => forms::words(error),
    }
}

/// `/clocks`.
#[derive(Template)]
#[template(path = "clocks.html")]
pub struct ClocksPage {
    /// The frame.
    pub layout: Layout,
    /// The clocks, newest first.
    pub clocks: Vec<ClockStrip>,
    /// The limit on clocks per account.
    pub most: u32,
    /// The form for a new clock.
    pub input: ClockInput,
    /// The idempotency key of the form.
    pub idempotency_key: String,
}

/// `/clocks/{id}`.
#[derive(Template)]
#[template(path = "clock.html")]
pub struct ClockPage {
    /// The frame.
    pub layout: Layout,
    /// The clock as it stands now.
    pub clock: ClockStrip,
    /// How far each button advances it: label and seconds.
    pub steps: [(&'static str, u64); 4],
    /// Speeds: the multiple of real time, its label, whether it is the current one.
    pub speeds: Vec<(u32, String, bool)>,
    /// The form that advances it.
    pub input: ClockInput,
    /// The idempotency key of the forms.
    pub idempotency_key: String,
    /// When it is deleted automatically, to the second.
    pub deletes_after: String,
    /// Its customers: id and label.
    pub customers: Vec<(String, String)>,
    /// The clock as the API shows it.
    pub raw_json: String,
}

/// `GET /clocks`.
pub async fn show(state: web::Data<WebState>, who: SignedIn) -> PageResult {
    Ok(responses::ok(&list(&state, &who, ClockInput::showing(state.wall.now())).await?))
}

async fn list(state: &WebState, who: &SignedIn, input: ClockInput) -> Result<ClocksPage, PageError> {
    let found = state.store.resource_list(who.account, &filter(SubjectKind::Clock, ClockId::WALL)).await?;
    let wall = state.wall.now();
    let strip = |resource: &Resource| {
        Some(ClockStrip::of(&resource.subject.to_string(), resource.body.as_ref()?.clock()?, wall))
    };
    Ok(ClocksPage {
        layout: frame::frame(state, who, "Test clocks", Nav::Clocks),
        clocks: found.iter().filter_map(strip).collect(),
        most: CLOCKS_MAX,
        input,
        idempotency_key: forms::idempotency_key()?,
    })
}

fn filter(kind: SubjectKind, clock: ClockId) -> ResourceFilter {
    let limit = if kind == SubjectKind::Clock { CLOCKS_MAX } else { CUSTOMERS_MAX };
    ResourceFilter { kind, clock, before: None, after: None, created_from: None, created_to: None, limit }
}

/// `POST /clocks`.
pub async fn create(
    state: web::Data<WebState>,
    request: HttpRequest,
    who: SignedIn,
    body: Body,
) -> PageResult {
    let fields = forms::signed_form(&state, &request, &who, body)?;
    match created(&state, who.account, &fields).await {
        Ok(subject) => Ok(responses::see_other(&format!("/clocks/{subject}"))),
        Err(error) => {
            let mut page = list(&state, &who, ClockInput::sent(&fields, &error)).await?;
            page.layout.notices.push(Notice::new(Tone::Error, words(&error)));
            forms::keep_key(&mut page.idempotency_key, &error, &fields);
            Ok(render(answer_to(&error), &page))
        }
    }
}

async fn created(state: &WebState, owner: AccountId, fields: &Fields) -> Result<Subject, ApiError> {
    let mut params = Params::default();
    params.add_path("name".to_owned(), fields.get("name").trim());
    check_params(&params, &state.intake.rules)?;
    let clock = Clock::frozen(clock_name(&mut params)?, state.wall.now(), time(fields.get("at"))?);
    let change = Change::Create { clock: ClockId::WALL, body: Box::new(ResourceBody::Clock(clock)) };
    let subject = ClockId::generate().into();
    forms::change(state, owner, subject, change, forms::once(state, fields, "clock")?).await
}

/// Reads a form's time, which browsers send without a zone, as UTC.
fn time(text: &str) -> Result<Timestamp, ApiError> {
    let read: Result<jiff::civil::DateTime, _> = text.trim().parse();
    let at = read.ok().and_then(|time| time.to_zoned(jiff::tz::TimeZone::UTC).ok());
    let at = at.map(|time| Timestamp::from_micros(time.timestamp().as_microsecond()));
    at.filter(|at| (Timestamp::default()..=LATEST).contains(at))
        .ok_or_else(|| forms::wrong("at", "Enter a date and time between 1970 and 2199, in UTC."))
}

/// Writes a time for a form's date field.
fn field(at: Timestamp) -> String {
    format::iso(at).chars().take("2026-11-29T12:34:56".len()).collect()
}

/// `GET /clocks/{id}`.
pub async fn show_one(state: web::Data<WebState>, who: SignedIn, id: web::Path<String>) -> PageResult {
    let subject = resources::subject(SubjectKind::Clock, &id)?;
    let resource = resources::own(&state, who.account, subject).await?;
    if resource.body.is_none() {
        let mut page = list(&state, &who, ClockInput::showing(state.wall.now())).await?;
        page.layout.notices.push(Notice::new(Tone::Info, "This test clock was deleted."));
        return Ok(render(HttpResponse::NotFound(), &page));
    }
    Ok(responses::ok(&one(&state, &who, &resource, None).await?))
}

/// The page of a clock; `input` is a rejected form.
async fn one(
    state: &WebState,
    who: &SignedIn,
    resource: &Resource,
    input: Option<ClockInput>,
) -> Result<ClockPage, PageError> {
    let (subject, id) = (resource.subject, resource.subject.to_string());
    let clock = resource.body.as_ref().and_then(ResourceBody::clock);
    let (Some(clock), Some(clock_id)) = (clock, subject.clock()) else {
        return Err(ApiError::not_found(SubjectKind::Clock.name(), &id).into());
    };
    let found = state.store.resource_list(who.account, &filter(SubjectKind::Customer, clock_id)).await?;
    let customer = |resource: &Resource| {
        let (customer, id) = (resource.body.as_ref()?.customer()?, resource.subject.to_string());
        Some((id.clone(), super::customer_view::label(customer, &id)))
    };
    let wall = state.wall.now();
    let shown = ClockStrip::of(&id, clock, wall);
    // While the clock advances, the field already shows where it will arrive.
    let arrival = match clock.status() {
        ClockStatus::Advancing { target, .. } => target,
        ClockStatus::Ready => clock.at(wall),
    };
    let error = input.as_ref().and_then(|input| input.error.as_ref());
    let notice = error.map(|(_, words)| Notice::new(Tone::Error, words));
    let mut layout = frame::frame(state, who, &shown.label, Nav::Clocks).with_notice(notice);
    layout.refresh_s = clock.moves().then_some(REFRESH_S);
    let seen = resource.clone().seen_at(wall);
    Ok(ClockPage {
        layout,
        steps: STEPS,
        speeds: speeds(clock.rate().speed()),
        input: input.unwrap_or_else(|| ClockInput::showing(arrival)),
        idempotency_key: forms::idempotency_key()?,
        deletes_after: format::to_the_second(resource.created.plus_ms(KEPT_MS)),
        customers: found.iter().filter_map(customer).collect(),
        raw_json: serde_json::to_string_pretty(&ResourceObject::of(&seen)).unwrap_or_default(),
        clock: shown,
    })
}

/// The speeds to choose from, including the clock's own if it is not among them.
fn speeds(current: u32) -> Vec<(u32, String, bool)> {
    let offered = SPEEDS.iter().map(|(speed, words)| (*speed, (*words).to_owned(), *speed == current));
    let other = (!SPEEDS.iter().any(|(speed, _)| *speed == current))
        .then(|| (current, format!("{}× real time", format::grouped(current.into())), true));
    offered.chain(other).collect()
}

/// `POST /clocks/{id}`: advances it, or changes its speed.
pub async fn update(
    state: web::Data<WebState>,
    request: HttpRequest,
    who: SignedIn,
    id: web::Path<String>,
    body: Body,
) -> PageResult {
    let fields = forms::signed_form(&state, &request, &who, body)?;
    let subject = resources::subject(SubjectKind::Clock, &id)?;
    let found = resources::own(&state, who.account, subject).await?;
    let Some(clock) = found.body.as_ref().and_then(ResourceBody::clock) else {
        return Ok(responses::see_other(&format!("/clocks/{subject}")));
    };
    match changed(&state, &found, clock, &fields).await {
        Ok(()) => Ok(responses::see_other(&format!("/clocks/{subject}"))),
        Err(error) if error.status == StatusCode::NOT_FOUND => Err(error.into()),
        Err(error) => {
            let mut input = ClockInput::sent(&fields, &error);
            if input.at.is_empty() {
                input.at = field(clock.at(state.wall.now()));
            }
            let mut page = one(&state, &who, &found, Some(input)).await?;
            forms::keep_key(&mut page.idempotency_key, &error, &fields);
            Ok(render(answer_to(&error), &page))
        }
    }
}

async fn changed(state: &WebState, found: &Resource, clock: &Clock, fields: &Fields) -> Result<(), ApiError> {
    let (subject, actor) = (found.subject, found.owner);
    let (patch, form) = match (fields.get("by"), fields.get("speed")) {
        ("", "") => (ClockPatch::Advance(time(fields.get("at"))?), "at"),
        ("", speed) => {
            let rate = speed.parse().ok().and_then(Rate::of_speed);
            let rate = rate.ok_or_else(|| forms::wrong("speed", "Choose one of the speeds."))?;
            (ClockPatch::SetRate(rate), "speed")
        }
        (by, _) => {
            let seconds: u64 = by.parse().map_err(|_| forms::wrong("by", "Choose how far."))?;
            let target = clock.at(state.wall.now()).plus_ms(seconds.saturating_mul(1_000));
            (ClockPatch::Advance(target), "by")
        }
    };
    let change = Change::Update(Patch::Clock(patch));
    forms::change(state, actor, subject, change, forms::once(state, fields, form)?).await.map(drop)
}

/// `POST /clocks/{id}/delete`.
pub async fn delete(
    state: web::Data<WebState>,
    request: HttpRequest,
    who: SignedIn,
    id: web::Path<String>,
    body: Body,
) -> PageResult {
    forms::signed_form(&state, &request, &who, body)?;
    let subject = resources::subject(SubjectKind::Clock, &id)?;
    match forms::change(&state, who.account, subject, Change::Delete, None).await {
        // A second click finds nothing left to delete, which is success.
        Ok(_) => Ok(responses::see_other("/clocks")),
        Err(error) if error.status == StatusCode::NOT_FOUND => Ok(responses::see_other("/clocks")),
        Err(error) => Err(error.into()),
    }
}

/// `GET /clocks/{id}/delete`: someone reopens the address of the form.
pub async fn deleted(_: SignedIn) -> HttpResponse {
    responses::see_other("/clocks")
}
