//! `/v1/test_helpers/load_runs`: load runs within the server, live and afterwards. Not part of the dialect.

use std::convert::Infallible;
use std::time::Duration;

use actix_web::http::header;
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::stream;
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;

use super::list::List;
use super::parameters;
use crate::domain::ids::{AccountId, LoadRunId};
use crate::intake::{InputError, Params};
use crate::runs::{Compared, Head, Kind, Record, RunError, RunLive, RunSettings, compare};
use crate::setting::Secret;
use crate::web::body::{self, Body};
use crate::web::error::{ApiError, ErrorType};
use crate::web::security::ApiCaller;
use crate::web::state::WebState;

const URL: &str = "/v1/test_helpers/load_runs";
/// How often a stream says how a run is doing.
const LIVE_EVERY: Duration = Duration::from_millis(250);
/// Points that a stream repeats at each update: those that may still change.
const POINTS_AGAIN: usize = 3;

type State = web::Data<WebState>;
type Answer = Result<HttpResponse, ApiError>;

impl From<RunError> for ApiError {
    fn from(error: RunError) -> Self {
        let message = error.to_string();
        match error {
            RunError::SwitchedOff => Self::forbidden(message),
            RunError::Field { field, .. } => Self::invalid("parameter_invalid", message).with_param(field),
            RunError::Busy { .. } => Self::busy(message),
            RunError::NotFound => Self::new(
                actix_web::http::StatusCode::NOT_FOUND,
                ErrorType::InvalidRequestError,
                "resource_missing",
                message,
            ),
            RunError::NotNow(_) => Self::invalid("load_run_unexpected_state", message),
            RunError::Scenario(problem) => Self::from(problem).with_param("scenario"),
            RunError::Account(error) => error.into(),
            RunError::Store(error) => error.into(),
            RunError::Reports => Self::unavailable(message),
        }
    }
}

/// A run, as it is listed.
#[derive(Debug, Serialize)]
struct RunObject {
    id: String,
    object: &'static str,
    created: i64,
    ended: Option<i64>,
    livemode: bool,
    name: String,
    kind: Kind,
    state: &'static str,
    rate: String,
    duration: String,
    settle_p99_ms: Option<f64>,
    verdict: Option<String>,
    passed: Option<bool>,
    /// Left out of lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    settings: Option<RunSettings>,
    /// Left out of lists; null once the run has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    live: Option<RunLive>,
}

impl RunObject {
    fn listed(head: Head) -> Self {
        Self {
            id: head.id.to_string(),
            object: "test_helpers.load_run",
            created: head.created.seconds(),
            ended: head.ended.map(|at| at.seconds()),
            livemode: false,
            name: head.name,
            kind: head.kind,
            state: head.state.as_str(),
            rate: head.rate,
            duration: head.duration,
            settle_p99_ms: head.settle_p99_ms,
            verdict: head.verdict,
            passed: head.passed,
            settings: None,
            live: None,
        }
    }

    fn whole(record: Record, live: Option<RunLive>) -> Self {
        Self { live, ..Self { settings: Some(record.settings.clone()), ..Self::listed(record.head()) } }
    }
}

/// The id in an address.
///
/// # Errors
/// As for a run that there is not.
pub fn id_of(text: &str) -> Result<LoadRunId, ApiError> {
    text.parse().map_err(|_| RunError::NotFound.into())
}

async fn object(state: &WebState, owner: AccountId, id: LoadRunId) -> Result<RunObject, ApiError> {
    let record = state.runs.one(owner, id).await?;
    let live = state.runs.live(owner, id, 0)?;
    Ok(RunObject::whole(record, live))
}

/// `POST /v1/test_helpers/load_runs`: starts a run.
pub async fn create(state: State, caller: ApiCaller, request: HttpRequest, body: Body) -> Answer {
    let body = body::bytes(body)?;
    let mut params = body::params(&request, &body)?;
    let settings = settings(&mut params)?;
    finish(&mut params)?;
    let operator = state.is_operator(caller.key_account).await?;
    let id = state.runs.start(caller.account, settings, operator).await?;
    Ok(HttpResponse::Ok().json(object(&state, caller.account, id).await?))
}

/// What a request asks a run to be.
fn settings(params: &mut Params<'_>) -> Result<RunSettings, InputError> {
    let kind = match params.text("kind")?.as_deref() {
        None | Some("run") => Kind::Run,
        Some("capacity") => Kind::Capacity,
        Some(_) => {
            return Err(InputError::new(
                "kind",
                "parameter_invalid_string",
                "Invalid kind: run or capacity was expected.",
            ));
        }
    };
    let mut settings = RunSettings { kind, ..RunSettings::default() };
    if let Some(scenario) = params.file("scenario")? {
        settings.scenario = scenario.into_owned();
    }
    if let Some(key) = params.text("key")? {
        settings.key = Secret::from(key.into_owned());
    }
    let RunSettings { name, target, transport, rate, shape, duration, warmup, drain, .. } = &mut settings;
    let texts = [
        ("name", name),
        ("target", target),
        ("transport", transport),
        ("rate", rate),
        ("shape", shape),
        ("duration", duration),
        ("warmup", warmup),
        ("drain", drain),
    ];
    take_texts(params, texts)?;
    let RunSettings { mix, amounts, currencies, cards, think, step, from, limit, .. } = &mut settings;
    let texts = [
        ("mix", mix),
        ("amounts", amounts),
        ("currencies", currencies),
        ("cards", cards),
        ("think", think),
        ("step", step),
        ("from", from),
        ("limit", limit),
    ];
    take_texts(params, texts)?;
    settings.poisson = params.boolean("poisson")?.unwrap_or(settings.poisson);
    settings.close_wallets = params.boolean("close_wallets")?.unwrap_or(settings.close_wallets);
    settings.seed = number(params, "seed", settings.seed)?;
    settings.pass = number(params, "pass", settings.pass)?;
    settings.precision = number(params, "precision", settings.precision)?;
    settings.wallets = number(params, "wallets", settings.wallets)?;
    settings.connections = number(params, "connections", settings.connections)?;
    for (path, list) in [("fail_if", &mut settings.fail_if), ("objectives", &mut settings.objectives)] {
        let given = params.list(path)?;
        if !given.is_empty() {
            *list = given.into_iter().map(std::borrow::Cow::into_owned).collect();
        }
    }
    Ok(settings)
}

fn take_texts(params: &mut Params<'_>, texts: [(&'static str, &mut String); 8]) -> Result<(), InputError> {
    for (path, to) in texts {
        if let Some(text) = params.text(path)? {
            *to = text.into_owned();
        }
    }
    Ok(())
}

/// A whole number that is not below 0.
fn number<T: TryFrom<i64>>(params: &mut Params<'_>, path: &'static str, default: T) -> Result<T, InputError> {
    let wrong =
        || InputError::new(path, "parameter_invalid_integer", format!("Invalid {path}: out of range."));
    params.integer(path)?.map_or(Ok(default), |value| T::try_from(value).map_err(|_| wrong()))
}

/// `GET /v1/test_helpers/load_runs`: the account's runs, latest first. There are no more than `load.reports_max`.
pub async fn list(state: State, caller: ApiCaller, request: HttpRequest) -> Answer {
    finish(&mut body::query(&request)?)?;
    let runs = state.runs.list(caller.account).into_iter().map(RunObject::listed).collect();
    Ok(HttpResponse::Ok().json(List::new(runs, false, URL)))
}

/// `GET /v1/test_helpers/load_runs/{id}`: with its settings, and with `live` while it is under way.
pub async fn retrieve(
    state: State,
    caller: ApiCaller,
    request: HttpRequest,
    id: web::Path<String>,
) -> Answer {
    finish(&mut body::query(&request)?)?;
    Ok(HttpResponse::Ok().json(object(&state, caller.account, id_of(&id)?).await?))
}

/// `POST /v1/test_helpers/load_runs/{id}/pause`
pub async fn pause(state: State, caller: ApiCaller, id: web::Path<String>) -> Answer {
    let id = id_of(&id)?;
    state.runs.pause(caller.account, id, true).await?;
    Ok(HttpResponse::Ok().json(object(&state, caller.account, id).await?))
}

/// `POST /v1/test_helpers/load_runs/{id}/resume`
pub async fn resume(state: State, caller: ApiCaller, id: web::Path<String>) -> Answer {
    let id = id_of(&id)?;
    state.runs.pause(caller.account, id, false).await?;
    Ok(HttpResponse::Ok().json(object(&state, caller.account, id).await?))
}

/// `POST /v1/test_helpers/load_runs/{id}/stop`: once, what is open is waited for; twice, nothing is.
pub async fn stop(state: State, caller: ApiCaller, id: web::Path<String>) -> Answer {
    let id = id_of(&id)?;
    state.runs.stop(caller.account, id)?;
    Ok(HttpResponse::Ok().json(object(&state, caller.account, id).await?))
}

#[derive(Debug, Serialize)]
struct Deleted {
    id: String,
    object: &'static str,
    deleted: bool,
}

/// `DELETE /v1/test_helpers/load_runs/{id}`: forgets a run that has ended. Its payments stay.
pub async fn delete(state: State, caller: ApiCaller, id: web::Path<String>) -> Answer {
    let id = id_of(&id)?;
    state.runs.delete(caller.account, id).await?;
    let object = "test_helpers.load_run";
    Ok(HttpResponse::Ok().json(Deleted { id: id.to_string(), object, deleted: true }))
}

/// `GET /v1/test_helpers/load_runs/{id}/report.json`: what `paystorm load --json` writes.
pub async fn report_json(state: State, caller: ApiCaller, id: web::Path<String>) -> Answer {
    report(&state, caller.account, &id, false).await
}

/// `GET /v1/test_helpers/load_runs/{id}/report.html`: what `paystorm load --html` writes.
pub async fn report_html(state: State, caller: ApiCaller, id: web::Path<String>) -> Answer {
    report(&state, caller.account, &id, true).await
}

/// The report of a run as a file.
pub async fn report(state: &WebState, owner: AccountId, id: &str, html: bool) -> Answer {
    let id = id_of(id)?;
    let record = state.runs.one(owner, id).await?;
    if state.runs.live(owner, id, usize::MAX)?.is_some() {
        return Err(RunError::NotNow("This load run is under way. Its report comes when it ends.").into());
    }
    let rendered = web::block(move || match (&record.found, &record.report) {
        (Some(found), _) if html => found.to_html().ok(),
        (Some(found), _) => found.to_json().ok(),
        (None, Some(report)) if html => report.to_html().ok(),
        (None, Some(report)) => report.to_json().ok(),
        (None, None) => None,
    });
    let text = rendered.await.map_err(|_| ApiError::internal())?;
    let text = text.ok_or(RunError::NotNow("This load run has no report: it could not begin."))?;
    let (kind, ending) =
        if html { ("text/html; charset=utf-8", "html") } else { ("application/json", "json") };
    Ok(HttpResponse::Ok()
        .content_type(kind)
        .insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{id}.{ending}\"")))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(text))
}

#[derive(Debug, Serialize)]
struct Comparison {
    object: &'static str,
    a: String,
    b: String,
    figures: Vec<Compared>,
}

/// `GET /v1/test_helpers/load_runs/compare?a=…&b=…`: how much `b` is above `a`, figure by figure.
pub async fn compared(state: State, caller: ApiCaller, request: HttpRequest) -> Answer {
    let mut params = body::query(&request)?;
    let mut named =
        |path| params.text(path)?.map(std::borrow::Cow::into_owned).ok_or_else(|| InputError::missing(path));
    let (a, b) = (named("a")?, named("b")?);
    finish(&mut params)?;
    let (one, other) = both(&state, caller.account, &a, &b).await?;
    let figures = compare(&one, &other)?;
    Ok(HttpResponse::Ok().json(Comparison { object: "test_helpers.load_run_comparison", a, b, figures }))
}

/// Two runs of an account.
///
/// # Errors
/// The account does not have both.
pub async fn both(
    state: &WebState,
    owner: AccountId,
    a: &str,
    b: &str,
) -> Result<(Record, Record), ApiError> {
    let one =
        state.runs.one(owner, id_of(a)?).await.map_err(|error| ApiError::from(error).with_param("a"))?;
    let other =
        state.runs.one(owner, id_of(b)?).await.map_err(|error| ApiError::from(error).with_param("b"))?;
    Ok((one, other))
}

/// `GET /v1/test_helpers/load_runs/{id}/live`: how a run is doing, as server-sent events, until it ends.
pub async fn live(state: State, caller: ApiCaller, id: web::Path<String>) -> Answer {
    watch(&state, caller.account, &id)
}

/// How one stream stands.
struct Watch {
    state: State,
    owner: AccountId,
    id: LoadRunId,
    ticks: tokio::time::Interval,
    /// Points that the client has and that change no more.
    known: usize,
    width_s: u64,
    run: String,
    over: bool,
    _place: OwnedSemaphorePermit,
}

/// A stream of server-sent events: `live` four times a second, and `ended` at the end.
///
/// # Errors
/// The account has no such run, or as many streams as may be are open.
pub fn watch(state: &State, owner: AccountId, id: &str) -> Answer {
    let id = id_of(id)?;
    state.runs.live(owner, id, usize::MAX)?;
    let place = std::sync::Arc::clone(&state.watching).try_acquire_owned();
    let place = place
        .map_err(|_| ApiError::busy("Too many live views of load runs are open. Close one and try again."))?;
    let watch = Watch {
        state: state.clone(),
        owner,
        id,
        ticks: tokio::time::interval(LIVE_EVERY),
        known: 0,
        width_s: 0,
        run: String::new(),
        over: false,
        _place: place,
    };
    let events = stream::unfold(watch, |mut watch| async move {
        let event = watch.next().await?;
        Some((Ok::<Bytes, Infallible>(event), watch))
    });
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header(("X-Accel-Buffering", "no"))
        .streaming(events))
}

impl Watch {
    async fn next(&mut self) -> Option<Bytes> {
        if self.over {
            return None;
        }
        tokio::select! {
            _ = self.ticks.tick() => {}
            () = self.state.shutdown.cancelled() => return None,
        }
        let Ok(Some(mut live)) = self.state.runs.live(self.owner, self.id, self.known) else {
            self.over = true;
            return Some(Bytes::from_static(b"event: ended\ndata: {}\n\n"));
        };
        if live.live.width_s != self.width_s || live.live.run != self.run {
            // Points became wider, or a search has gone on to its next step: all of them are sent again.
            self.known = 0;
            (self.width_s, self.run) = (live.live.width_s, live.live.run.clone());
            live = self.state.runs.live(self.owner, self.id, 0).ok().flatten()?;
        }
        let all = self.known + live.live.points.len();
        self.known = all.saturating_sub(POINTS_AGAIN);
        let text = serde_json::to_string(&live).ok()?;
        Some(Bytes::from(format!("event: live\ndata: {text}\n\n")))
    }
}

/// Checks that every parameter was taken. Load runs have nothing to expand.
fn finish(params: &mut Params<'_>) -> Result<(), InputError> {
    parameters::expand_with(params, "", "nothing of load runs", |_| false)?;
    params.finish()
}
