//! `/v1/test_helpers/test_clocks`.

use actix_web::{HttpRequest, HttpResponse, web};

use super::objects::ResourceObject;
use super::parameters;
use super::resources;
use crate::domain::clock::{Clock, ClockPatch};
use crate::domain::ids::ClockId;
use crate::domain::resource::{Body as Made, Change, Patch};
use crate::domain::subject::SubjectKind;
use crate::intake::{InputError, Params, clock_name, frozen_time, speed};
use crate::web::body::{self, Body};
use crate::web::error::ApiError;
use crate::web::security::ApiCaller;
use crate::web::state::WebState;

const URL: &str = "/v1/test_helpers/test_clocks";
const KIND: SubjectKind = SubjectKind::Clock;

type State = web::Data<WebState>;
type Answer = Result<HttpResponse, ApiError>;

/// `POST /v1/test_helpers/test_clocks`: a clock that stands still.
pub async fn create(state: State, caller: ApiCaller, request: HttpRequest, body: Body) -> Answer {
    let body = body::bytes(body)?;
    let (change, key) = {
        let mut params = body::params(&request, &body)?;
        resources::check(&state, &params)?;
        let key = resources::key(&state, &request, (KIND, None), &params)?;
        let (at, name) = (frozen_time(&mut params)?, clock_name(&mut params)?);
        finish(&mut params)?;
        let clock = Clock::frozen(name, state.wall.now(), at);
        (Change::Create { clock: ClockId::WALL, body: Box::new(Made::Clock(clock)) }, key)
    };
    let subject = ClockId::generate().into();
    resources::change(&state, &request, (caller.account, subject), change, key).await
}

/// `POST /v1/test_helpers/test_clocks/{id}/advance`
pub async fn advance(
    state: State,
    caller: ApiCaller,
    request: HttpRequest,
    id: web::Path<String>,
    body: Body,
) -> Answer {
    let target = |params: &mut Params<'_>| Ok(ClockPatch::Advance(frozen_time(params)?));
    change(&state, &caller, &request, (&id, body), target).await
}

/// `POST /v1/test_helpers/test_clocks/{id}`: sets its speed, which the real service does not offer.
pub async fn update(
    state: State,
    caller: ApiCaller,
    request: HttpRequest,
    id: web::Path<String>,
    body: Body,
) -> Answer {
    let rate = |params: &mut Params<'_>| Ok(ClockPatch::SetRate(speed(params)?));
    change(&state, &caller, &request, (&id, body), rate).await
}

async fn change(
    state: &WebState,
    caller: &ApiCaller,
    request: &HttpRequest,
    (id, body): (&str, Body),
    patch: impl FnOnce(&mut Params<'_>) -> Result<ClockPatch, InputError>,
) -> Answer {
    let subject = resources::subject(KIND, id)?;
    let body = body::bytes(body)?;
    let (change, key) = {
        let mut params = body::params(request, &body)?;
        let key = resources::key(state, request, (KIND, Some(subject)), &params)?;
        let patch = patch(&mut params)?;
        finish(&mut params)?;
        (Change::Update(Patch::Clock(patch)), key)
    };
    resources::change(state, request, (caller.account, subject), change, key).await
}

/// `DELETE /v1/test_helpers/test_clocks/{id}`: deletes its customers as well.
pub async fn delete(state: State, caller: ApiCaller, request: HttpRequest, id: web::Path<String>) -> Answer {
    let subject = resources::subject(KIND, &id)?;
    resources::change(&state, &request, (caller.account, subject), Change::Delete, None).await
}

/// `GET /v1/test_helpers/test_clocks/{id}`
pub async fn retrieve(
    state: State,
    caller: ApiCaller,
    request: HttpRequest,
    id: web::Path<String>,
) -> Answer {
    let mut params = body::query(&request)?;
    finish(&mut params)?;
    let clock = resources::own(&state, caller.account, resources::subject(KIND, &id)?).await?;
    Ok(HttpResponse::Ok().json(ResourceObject::of(&clock.seen_at(state.wall.now()))))
}

/// `GET /v1/test_helpers/test_clocks`
pub async fn list(state: State, caller: ApiCaller, request: HttpRequest) -> Answer {
    let mut params = body::query(&request)?;
    let asked = resources::asked(&mut params, KIND, ClockId::WALL)?;
    finish(&mut params)?;
    let (found, more) = resources::page(&state, caller.account, asked).await?;
    let wall = state.wall.now();
    let found = found.into_iter().map(|clock| clock.seen_at(wall)).collect();
    Ok(resources::listed((found, more), URL))
}

/// Checks that every parameter was taken. Clocks have nothing to expand.
fn finish(params: &mut Params<'_>) -> Result<(), InputError> {
    parameters::expand_with(params, "", "nothing of test clocks", |_| false)?;
    params.finish()
}
