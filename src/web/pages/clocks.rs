//! `/clocks`: the test clocks of an account: a list with a form for a new one, and one of them, to be set forward, run, frozen or
//! deleted. What goes by a clock says so in a strip above its page.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::format;
use super::handle::{self, Fields, PageError, PageResult};
use super::layout::{Layout, Nav, Notice, Tone};
use crate::domain::clock::{CLOCKS_MAX, Clock, ClockPatch, ClockStatus, KEPT_MS, LATEST, Rate};
use crate::domain::ids::{AccountId, ClockId};
use crate::domain::resource::{Body as Made, Change, ChangeResource, Patch, Resource};
use crate::domain::subject::{Subject, SubjectKind};
use crate::domain::time::Timestamp;
use crate::store::{ResourceFilter, StoreError};
use crate::web::api::objects::ResourceObject;
use crate::web::api::resources;
use crate::web::body::Body;
use crate::web::error::ApiError;
use crate::web::intake::{check_params, clock_name};
use crate::web::params::Params;
use crate::web::security::SignedIn;
use crate::web::state::WebState;

/// Customers shown of one clock.
const CUSTOMERS_MAX: u32 = 50;
/// Without JavaScript, the page of a clock that moves asks again after so many seconds.
const REFRESH_S: u32 = 2;

/// How far a button sets a clock forward: the label, and the seconds.
const STEPS: [(&str, i64); 4] =
    [("1 hour", 3_600), ("1 day", 86_400), ("7 days", 7 * 86_400), ("30 days", 30 * 86_400)];
/// The speeds that are offered.
const SPEEDS: [(u32, &str); 6] = [
    (0, "frozen"),
    (1, "as real time"),
    (10, "10 × real time"),
    (60, "60 × (a minute a second)"),
    (600, "600 × (ten minutes a second)"),
    (1_000, "1,000 × real time"),
];

/// What a page says of the clock that its subject goes by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClockStrip {
    /// The clock's id.
    pub id: String,
    /// What it is called.
    pub label: String,
    /// What it shows.
    pub shows: String,
    /// How it goes on, in words.
    pub state: String,
    /// Whether its time goes on by itself, so that the page should look again.
    pub moves: bool,
}

impl ClockStrip {
    fn of(id: &str, clock: &Clock, wall: Timestamp) -> Self {
        let state = match (clock.status(), clock.rate()) {
            (ClockStatus::Advancing { target, .. }, _) => {
                format!("advancing to {}", format::absolute(target))
            }
            (ClockStatus::Ready, Rate::Frozen) => "frozen".to_owned(),
            (ClockStatus::Ready, Rate::Times(1)) => "running as real time".to_owned(),
            (ClockStatus::Ready, Rate::Times(speed)) => {
                format!("running {} × real time", format::grouped(speed.into()))
            }
        };
        Self {
            label: clock.name.clone().unwrap_or_else(|| format::short_id(id)),
            id: id.to_owned(),
            shows: format::absolute(clock.at(wall)),
            state,
            moves: clock.moves(),
        }
    }
}

/// The strip and the time of what goes by a clock; `None` for the wall, and where the clock is gone.
///
/// # Errors
/// The store's.
pub async fn strip(state: &WebState, clock: ClockId) -> Result<Option<(ClockStrip, Timestamp)>, StoreError> {
    if clock.is_wall() {
        return Ok(None);
    }
    let found = state.store.resource_get(clock.into()).await?;
    let wall = state.wall.now();
    Ok(match found.and_then(|resource| resource.body) {
        Some(Made::Clock(shown)) => Some((ClockStrip::of(&clock.to_string(), &shown, wall), shown.at(wall))),
        Some(Made::Customer(_)) | None => None,
    })
}

/// The page with the list.
#[derive(Template)]
#[template(path = "clocks.html")]
pub struct ClocksPage {
    /// The frame.
    pub layout: Layout,
    /// The clocks, newest first.
    pub clocks: Vec<ClockStrip>,
    /// How many there may be.
    pub most: u32,
    /// What the form is filled with: name and time.
    pub name: String,
    /// The time that a new one shows.
    pub at: String,
    /// What is wrong with the time.
    pub wrong: String,
    /// Makes sending the form twice do it once.
    pub idempotency_key: String,
}

/// The page of one.
#[derive(Template)]
#[template(path = "clock.html")]
pub struct ClockPage {
    /// The frame.
    pub layout: Layout,
    /// The clock.
    pub clock: ClockStrip,
    /// How far a button sets it forward.
    pub steps: [(&'static str, i64); 4],
    /// Speeds: the number, the words, whether it is this one.
    pub speeds: Vec<(u32, &'static str, bool)>,
    /// What it shows, as the field for a time has it.
    pub at: String,
    /// When it is deleted by itself.
    pub deletes_after: String,
    /// Its customers: id and what they are called.
    pub customers: Vec<(String, String)>,
    /// The clock as the API shows it.
    pub raw_json: String,
}

/// `GET /clocks`.
pub async fn show(state: web::Data<WebState>, who: SignedIn) -> PageResult {
    let now = field(state.wall.now());
    Ok(handle::ok(&list(&state, &who, (String::new(), now, String::new())).await?))
}

async fn list(
    state: &WebState,
    who: &SignedIn,
    (name, at, wrong): (String, String, String),
) -> Result<ClocksPage, PageError> {
    let found = state.store.resource_list(who.account, &filter(SubjectKind::Clock, ClockId::WALL)).await?;
    let wall = state.wall.now();
    let strip = |resource: &Resource| match &resource.body {
        Some(Made::Clock(clock)) => Some(ClockStrip::of(&resource.subject.to_string(), clock, wall)),
        Some(Made::Customer(_)) | None => None,
    };
    Ok(ClocksPage {
        layout: handle::frame(state, who, "Test clocks", Nav::Clocks),
        clocks: found.iter().filter_map(strip).collect(),
        most: CLOCKS_MAX,
        name,
        at,
        wrong,
        idempotency_key: handle::idempotency_key()?,
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
    let fields = handle::signed_form(&state, &request, &who, body)?;
    match created(&state, who.account, &fields).await {
        Ok(subject) => Ok(handle::see_other(&format!("/clocks/{subject}"))),
        Err(error) => {
            let input = (fields.get("name").to_owned(), fields.get("at").to_owned(), handle::words(&error));
            let mut page = list(&state, &who, input).await?;
            page.layout.notices.push(Notice::new(Tone::Error, handle::words(&error)));
            handle::keep_key(&mut page.idempotency_key, &error, &fields);
            Ok(handle::render(handle::answer_to(&error), &page))
        }
    }
}

async fn created(state: &WebState, owner: AccountId, fields: &Fields) -> Result<Subject, ApiError> {
    let mut params = Params::default();
    params.add_path("name".to_owned(), fields.get("name").trim());
    check_params(&params, &state.rules)?;
    let clock = Clock::frozen(clock_name(&mut params)?, state.wall.now(), time(fields.get("at"))?);
    let key = match fields.get("idempotency_key") {
        "" => None,
        key => Some(crate::web::intake::idempotency_key(key)?),
    };
    let secret = &state.rules.key_secret;
    let idempotency = key.map(|key| crate::domain::command::IdempotencyKey::new(&key, b"clock form", secret));
    let change = Change::Create { clock: ClockId::WALL, body: Box::new(Made::Clock(clock)) };
    let subject = ClockId::generate().into();
    let change = ChangeResource { subject, actor: owner, change, answer: None, idempotency };
    Ok(state.engine.change(change).await?.subject)
}

/// The time in a field of a form, which browsers send without a zone: it is UTC.
fn time(text: &str) -> Result<Timestamp, ApiError> {
    let read: Result<jiff::civil::DateTime, _> = text.trim().parse();
    let at = read.ok().and_then(|time| time.to_zoned(jiff::tz::TimeZone::UTC).ok());
    let at = at.map(|time| Timestamp::from_micros(time.timestamp().as_microsecond()));
    at.filter(|at| (Timestamp::default()..=LATEST).contains(at))
        .ok_or_else(|| handle::wrong("at", "Give a date and time between 1970 and 2199, in UTC."))
}

/// A time as the field of a form has it.
fn field(at: Timestamp) -> String {
    format::iso(at).chars().take("2026-11-29T12:34:56".len()).collect()
}

/// `GET /clocks/{id}`.
pub async fn show_one(state: web::Data<WebState>, who: SignedIn, id: web::Path<String>) -> PageResult {
    Ok(handle::ok(&one(&state, &who, &id, None).await?))
}

async fn one(
    state: &WebState,
    who: &SignedIn,
    id: &str,
    notice: Option<Notice>,
) -> Result<ClockPage, PageError> {
    let missing = || ApiError::not_found(SubjectKind::Clock.name(), id);
    let subject = resources::subject(SubjectKind::Clock, id)?;
    let resource = resources::own(state, who.account, subject).await?;
    let (Some(Made::Clock(clock)), Some(clock_id)) = (&resource.body, subject.clock()) else {
        return Err(missing().into());
    };
    let found = state.store.resource_list(who.account, &filter(SubjectKind::Customer, clock_id)).await?;
    let customer = |resource: &Resource| match &resource.body {
        Some(Made::Customer(customer)) => {
            let id = resource.subject.to_string();
            Some((id.clone(), super::customers::label(customer, &id)))
        }
        Some(Made::Clock(_)) | None => None,
    };
    let wall = state.wall.now();
    let shown = ClockStrip::of(id, clock, wall);
    let mut layout = handle::frame(state, who, &shown.label, Nav::Clocks).with_notice(notice);
    layout.refresh_s = shown.moves.then_some(REFRESH_S);
    let seen = Resource { body: Some(Made::Clock(clock.clone().seen_at(wall))), ..resource.clone() };
    Ok(ClockPage {
        layout,
        steps: STEPS,
        speeds: SPEEDS
            .iter()
            .map(|(speed, words)| (*speed, *words, clock.rate().speed() == *speed))
            .collect(),
        at: field(clock.at(wall)),
        deletes_after: format::absolute(resource.created.plus_ms(KEPT_MS)),
        customers: found.iter().filter_map(customer).collect(),
        raw_json: serde_json::to_string_pretty(&ResourceObject::of(&seen)).unwrap_or_default(),
        clock: shown,
    })
}

/// `POST /clocks/{id}`: sets it forward, or has it run at another speed.
pub async fn update(
    state: web::Data<WebState>,
    request: HttpRequest,
    who: SignedIn,
    id: web::Path<String>,
    body: Body,
) -> PageResult {
    let fields = handle::signed_form(&state, &request, &who, body)?;
    match changed(&state, who.account, &id, &fields).await {
        Ok(()) => Ok(handle::see_other(&format!("/clocks/{id}"))),
        Err(error) if error.status == StatusCode::NOT_FOUND => Err(error.into()),
        Err(error) => {
            let notice = Notice::new(Tone::Error, handle::words(&error));
            let page = one(&state, &who, &id, Some(notice)).await?;
            Ok(handle::render(handle::answer_to(&error), &page))
        }
    }
}

async fn changed(state: &WebState, owner: AccountId, id: &str, fields: &Fields) -> Result<(), ApiError> {
    let subject = resources::subject(SubjectKind::Clock, id)?;
    let patch = match (fields.get("by"), fields.get("to"), fields.get("speed")) {
        ("", "", speed) => {
            let rate = speed.parse().ok().and_then(Rate::of_speed);
            ClockPatch::SetRate(rate.ok_or_else(|| handle::wrong("speed", "Choose one of the speeds."))?)
        }
        ("", to, _) => ClockPatch::Advance(time(to)?),
        (by, ..) => {
            let seconds: u64 = by.parse().map_err(|_| handle::wrong("by", "Choose how far."))?;
            let resource = resources::own(state, owner, subject).await?;
            let Some(Made::Clock(clock)) = resource.body else {
                return Err(ApiError::not_found(SubjectKind::Clock.name(), id));
            };
            ClockPatch::Advance(clock.at(state.wall.now()).plus_ms(seconds.saturating_mul(1_000)))
        }
    };
    change(state, owner, subject, Change::Update(Patch::Clock(patch))).await
}

async fn change(
    state: &WebState,
    actor: AccountId,
    subject: Subject,
    change: Change,
) -> Result<(), ApiError> {
    let change = ChangeResource { subject, actor, change, answer: None, idempotency: None };
    Ok(state.engine.change(change).await.map(drop)?)
}

/// `POST /clocks/{id}/delete`.
pub async fn delete(
    state: web::Data<WebState>,
    request: HttpRequest,
    who: SignedIn,
    id: web::Path<String>,
    body: Body,
) -> PageResult {
    handle::signed_form(&state, &request, &who, body)?;
    let subject = resources::subject(SubjectKind::Clock, &id)?;
    match change(&state, who.account, subject, Change::Delete).await {
        // A second click finds nothing any more, which is what was wanted.
        Ok(()) => Ok(handle::see_other("/clocks")),
        Err(error) if error.status == StatusCode::NOT_FOUND => Ok(handle::see_other("/clocks")),
        Err(error) => Err(error.into()),
    }
}

/// `GET /clocks/{id}/delete`: where a form's address is opened again.
pub async fn deleted(_: SignedIn) -> HttpResponse {
    handle::see_other("/clocks")
}
