//! `/v1/test_helpers/scenario`: the scenario that answers an account's payments. Not part of the dialect.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use super::list::{self, List, STARTING_AFTER};
use super::parameters;
use crate::domain::card_numbers::shown;
use crate::domain::time::Timestamp;
use crate::intake::error::SHOWN_CHARS_MAX;
use crate::intake::{InputError, Params};
use crate::scenarios::{
    AcquirerState, Counts, PackFile, Position, Revision, ScenarioFile, ScenarioProblem, Scenarios, pack_files,
};
use crate::store::RevisionRecord;
use crate::web::body::{self, Body};
use crate::web::error::ApiError;
use crate::web::security::ApiCaller;
use crate::web::state::WebState;

const REVISIONS_URL: &str = "/v1/test_helpers/scenario/revisions";
const PACKS_URL: &str = "/v1/test_helpers/scenario/packs";
const FILE: &str = "file";

type State = web::Data<WebState>;
type Answer = Result<HttpResponse, ApiError>;

/// A scenario that was put in force, or the world of the settings.
#[derive(Debug, Serialize)]
struct ScenarioObject {
    object: &'static str,
    /// Counts the account's own; null where no scenario was ever put in force.
    revision: Option<u32>,
    created: Option<i64>,
    /// Null for the world of the settings.
    name: Option<String>,
    livemode: bool,
    /// Left out of lists.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    contents: Option<Contents>,
}

/// What is in a file; all null for the world of the settings.
#[derive(Debug, Default, Serialize)]
struct Contents {
    description: Option<String>,
    acquirers: Option<usize>,
    rules: Option<usize>,
    file: Option<String>,
}

impl ScenarioObject {
    fn of(revision: Option<Revision>) -> Self {
        let (record, file) = revision.map_or((None, None), |revision| (Some(revision.record), revision.file));
        Self { contents: Some(Contents::of(file)), ..Self::listed(record) }
    }

    fn listed(record: Option<RevisionRecord>) -> Self {
        Self {
            object: "test_helpers.scenario",
            revision: record.as_ref().map(|record| record.number),
            created: record.as_ref().map(|record| record.at.seconds()),
            name: record.and_then(|record| record.name),
            livemode: false,
            contents: None,
        }
    }
}

impl Contents {
    fn of(file: Option<ScenarioFile>) -> Self {
        let Some(ScenarioFile { text, scenario }) = file else { return Self::default() };
        Self {
            acquirers: Some(scenario.acquirers.len()),
            rules: Some(scenario.rules.len()),
            description: Some(scenario.description).filter(|text| !text.is_empty()),
            file: Some(text),
        }
    }
}

impl From<ScenarioProblem> for ApiError {
    fn from(problem: ScenarioProblem) -> Self {
        let message = problem.to_string();
        match problem {
            ScenarioProblem::Mistakes(_) => Self::invalid("scenario_invalid", message).with_param(FILE),
            ScenarioProblem::Characters { .. } => {
                Self::invalid("parameter_invalid_string", message).with_param(FILE)
            }
            ScenarioProblem::CardNumber { .. } => {
                Self::invalid("card_number_refused", message).with_param(FILE)
            }
            ScenarioProblem::Closed => Self::invalid("account_closed", message),
            ScenarioProblem::Store(error) => error.into(),
        }
    }
}

/// `GET /v1/test_helpers/scenario`: the one in force.
pub async fn in_force(state: State, caller: ApiCaller, request: HttpRequest) -> Answer {
    finish(&mut body::query(&request)?)?;
    let revision = state.scenarios.current(caller.account).await?;
    Ok(HttpResponse::Ok().json(ScenarioObject::of(revision)))
}

/// `POST /v1/test_helpers/scenario`: puts a file in force, for everything that is queued from now on.
pub async fn put(state: State, caller: ApiCaller, request: HttpRequest, body: Body) -> Answer {
    let text = file(&request, body)?;
    let revision = state.scenarios.put(caller.account, &text).await?;
    Ok(HttpResponse::Ok().json(ScenarioObject::of(Some(revision))))
}

/// `DELETE /v1/test_helpers/scenario`: puts the world of the settings in force again.
pub async fn clear(state: State, caller: ApiCaller) -> Answer {
    let revision = state.scenarios.clear(caller.account).await?;
    Ok(HttpResponse::Ok().json(ScenarioObject::of(Some(revision))))
}

#[derive(Debug, Serialize)]
struct Checked {
    object: &'static str,
    valid: bool,
    mistakes: Vec<Mistake>,
}

/// A mistake in a file, with its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mistake {
    /// Counted from 1.
    pub line: usize,
    /// The character within the line, counted from 1.
    pub column: usize,
    /// The path of keys to the field; none where no field is at fault.
    pub field: Option<String>,
    /// What is wrong.
    pub message: String,
}

/// The mistakes in a file.
///
/// # Errors
/// Problems that are not the file's.
pub fn mistakes(problem: ScenarioProblem) -> Result<Vec<Mistake>, ScenarioProblem> {
    let message = problem.to_string();
    match problem {
        ScenarioProblem::Mistakes(errors) => {
            let mistake = |error: &crate::scenarios::ScenarioError| Mistake {
                line: error.line,
                column: error.column,
                field: Some(error.field.clone()).filter(|field| !field.is_empty()),
                message: error.problem.clone(),
            };
            Ok(errors.errors().iter().map(mistake).collect())
        }
        ScenarioProblem::CardNumber { line } | ScenarioProblem::Characters { line } => {
            Ok(vec![Mistake { line, column: 1, field: None, message }])
        }
        other @ (ScenarioProblem::Closed | ScenarioProblem::Store(_)) => Err(other),
    }
}

/// `POST /v1/test_helpers/scenario/check`: says what is wrong with a file, and changes nothing.
pub async fn check(_caller: ApiCaller, request: HttpRequest, body: Body) -> Answer {
    let text = file(&request, body)?;
    let mistakes = Scenarios::read(&text).map_or_else(mistakes, |_| Ok(Vec::new()))?;
    let object = "test_helpers.scenario_check";
    Ok(HttpResponse::Ok().json(Checked { object, valid: mistakes.is_empty(), mistakes }))
}

/// The acquirers of the scenario in force, as this process knows them.
#[derive(Debug, Serialize)]
struct AcquirersObject {
    object: &'static str,
    livemode: bool,
    /// Breakers and queues are of one process; other instances have their own.
    scope: &'static str,
    acquirers: Vec<AcquirerObject>,
}

#[derive(Debug, Serialize)]
struct AcquirerObject {
    name: String,
    breaker: Option<BreakerObject>,
    queue: Option<QueueObject>,
    last_minute: CountsObject,
    total: CountsObject,
}

#[derive(Debug, Serialize)]
struct BreakerObject {
    /// `closed`, `open` or `half_open`.
    state: &'static str,
    since: i64,
    /// Null unless it is open.
    open_until: Option<i64>,
    error_share: f64,
}

#[derive(Debug, Serialize)]
struct QueueObject {
    waiting: u64,
    wait_ms: u64,
    /// Null before it was first asked, and while nothing limits it.
    capacity_per_s: Option<f64>,
    queue_max: Option<u32>,
}

#[derive(Debug, Serialize)]
struct CountsObject {
    answered: u64,
    failed: u64,
    kept_away: u64,
}

impl From<Counts> for CountsObject {
    fn from(Counts { answered, failed, kept_away }: Counts) -> Self {
        Self { answered, failed, kept_away }
    }
}

impl From<AcquirerState> for AcquirerObject {
    fn from(state: AcquirerState) -> Self {
        let breaker = state.breaker.map(|breaker| BreakerObject {
            state: match breaker.position {
                Position::Closed => "closed",
                Position::Open => "open",
                Position::HalfOpen => "half_open",
            },
            since: breaker.since.seconds(),
            open_until: breaker.open_until.map(Timestamp::seconds),
            error_share: breaker.error_share,
        });
        let queue = state.queue.map(|queue| QueueObject {
            waiting: queue.waiting,
            wait_ms: queue.wait_us / 1_000,
            capacity_per_s: queue.capacity.map(|capacity| capacity.per_s),
            queue_max: queue.capacity.map(|capacity| capacity.queue_max),
        });
        let (last_minute, total) = (state.last_minute.into(), state.total.into());
        Self { name: state.name, breaker, queue, last_minute, total }
    }
}

/// `GET /v1/test_helpers/scenario/acquirers`: their breakers, queues and last answers, in this process.
pub async fn acquirers(state: State, caller: ApiCaller, request: HttpRequest) -> Answer {
    finish(&mut body::query(&request)?)?;
    let states = state.scenarios.acquirers(caller.account).await?;
    Ok(HttpResponse::Ok().json(AcquirersObject {
        object: "test_helpers.scenario_acquirers",
        livemode: false,
        scope: "process",
        acquirers: states.into_iter().map(AcquirerObject::from).collect(),
    }))
}

/// `GET /v1/test_helpers/scenario/revisions`: all that the account put in force, latest first.
pub async fn list(state: State, caller: ApiCaller, request: HttpRequest) -> Answer {
    let mut params = body::query(&request)?;
    let limit = list::limit(&mut params)?;
    let below = match params.text(STARTING_AFTER)? {
        None => None,
        Some(text) => {
            Some(number(&text).ok_or_else(|| list::unknown_cursor(STARTING_AFTER, "revision", &text))?)
        }
    };
    finish(&mut params)?;
    let found = state.scenarios.list(caller.account, below, limit.saturating_add(1)).await?;
    let (page, has_more) = list::cut(found, limit, false);
    let objects = page.into_iter().map(|record| ScenarioObject::listed(Some(record))).collect();
    Ok(HttpResponse::Ok().json(List::new(objects, has_more, REVISIONS_URL)))
}

/// `GET /v1/test_helpers/scenario/revisions/{number}`
pub async fn retrieve(
    state: State,
    caller: ApiCaller,
    request: HttpRequest,
    id: web::Path<String>,
) -> Answer {
    finish(&mut body::query(&request)?)?;
    let missing = || ApiError::not_found("revision", &shown(&id, SHOWN_CHARS_MAX));
    let number = number(&id).ok_or_else(missing)?;
    let revision = state.scenarios.numbered(caller.account, number).await?.ok_or_else(missing)?;
    Ok(HttpResponse::Ok().json(ScenarioObject::of(Some(revision))))
}

/// A rule pack.
#[derive(Debug, Serialize)]
struct PackObject {
    object: &'static str,
    name: &'static str,
    description: &'static str,
    rules: usize,
    file: &'static str,
    livemode: bool,
}

impl From<&'static PackFile> for PackObject {
    fn from(pack: &'static PackFile) -> Self {
        let PackFile { name, description, rules, text } = pack;
        let object = "test_helpers.scenario_pack";
        Self { object, name, description, rules: *rules, file: text, livemode: false }
    }
}

/// `GET /v1/test_helpers/scenario/packs`: all rule packs, with their files.
pub async fn packs(_caller: ApiCaller, request: HttpRequest) -> Answer {
    finish(&mut body::query(&request)?)?;
    let packs: Vec<PackObject> = pack_files().iter().map(PackObject::from).collect();
    Ok(HttpResponse::Ok().json(List::new(packs, false, PACKS_URL)))
}

/// The file in a request.
fn file(request: &HttpRequest, body: Body) -> Result<String, ApiError> {
    let body = body::bytes(body)?;
    let mut params = body::params(request, &body)?;
    let text = params.file(FILE)?.ok_or_else(|| InputError::missing(FILE))?.into_owned();
    finish(&mut params)?;
    Ok(text)
}

fn number(text: &str) -> Option<u32> {
    text.parse().ok().filter(|number| *number > 0)
}

/// Checks that every parameter was taken. Scenarios have nothing to expand.
fn finish(params: &mut Params<'_>) -> Result<(), InputError> {
    parameters::expand_with(params, "", "nothing of scenarios", |_| false)?;
    params.finish()
}
