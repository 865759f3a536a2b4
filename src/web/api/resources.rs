//! Shared code of plain resources: changes whose answers are kept, and lists.

use actix_web::HttpRequest;
use actix_web::HttpResponse;
use actix_web::http::header::{ContentType, HeaderName, HeaderValue};

use super::list::{self, List};
use super::objects::ResourceObject;
use super::parameters;
use crate::domain::ids::{AccountId, ClockId};
use crate::domain::resource::{AnswerForm, Change, ChangeResource, Resource};
use crate::domain::subject::{Subject, SubjectKind};
use crate::intake::{self, Canonical, InputError, Params};
use crate::store::ResourceFilter;
use crate::web::call;
use crate::web::error::ApiError;
use crate::web::state::WebState;

/// The idempotency key of a request with these parameters. All of them, even how the answer is shown, are part of the
/// request's form. `subject` is the resource it changes; `None` if it creates one.
///
/// # Errors
/// A key that is too long or not printable.
pub fn key(
    state: &WebState,
    request: &HttpRequest,
    (kind, subject): (SubjectKind, Option<Subject>),
    params: &Params<'_>,
) -> Result<Option<crate::domain::command::IdempotencyKey>, ApiError> {
    let Some(name) = parameters::key_of(request)? else { return Ok(None) };
    let form = Canonical::default()
        .field("change")
        .field(kind.name())
        .optional(subject.map(|subject| subject.to_key()))
        .field(params.form());
    let secret = &state.intake.rules.key_secret;
    Ok(Some(crate::domain::command::IdempotencyKey::new(&name, &form.into_bytes(), secret)))
}

/// Hands in a change and answers with the stored answer.
///
/// # Errors
/// Whatever the dialect answers for it.
pub async fn change(
    state: &WebState,
    request: &HttpRequest,
    (actor, subject): (AccountId, Subject),
    change: Change,
    idempotency: Option<crate::domain::command::IdempotencyKey>,
) -> Result<HttpResponse, ApiError> {
    let answer = Some(AnswerForm::new(|resource| ResourceObject::of(resource).to_bytes()));
    // Deletions take no key.
    let key = if idempotency.is_some() { parameters::key_of(request)? } else { None };
    let origin = call::origin(state, request, actor, key.as_ref());
    let change = ChangeResource { subject, actor, change, answer, idempotency };
    let changed = state.intake.change(change, origin).await?;
    let mut response = HttpResponse::Ok();
    if changed.replayed {
        response.insert_header((
            HeaderName::from_static("idempotent-replayed"),
            HeaderValue::from_static("true"),
        ));
    }
    let answer = changed.answer.ok_or_else(ApiError::internal)?;
    Ok(response.insert_header(ContentType::json()).body(answer.to_vec()))
}

/// Reads the id of a resource.
///
/// # Errors
/// 404 for anything else.
pub fn subject(kind: SubjectKind, text: &str) -> Result<Subject, ApiError> {
    let bits = text.strip_prefix(kind.prefix()).and_then(crate::domain::ids::base62_decode);
    let bits = bits.ok_or_else(|| ApiError::not_found(kind.name(), text))?;
    Ok(Subject::new(kind, bits.to_be_bytes()))
}

/// The resource as its owner sees it, deleted or not. Deleting its clock deletes it as well.
///
/// # Errors
/// 404 if there is none, or it belongs to another account.
pub async fn own(state: &WebState, owner: AccountId, subject: Subject) -> Result<Resource, ApiError> {
    let found = state.store.resource_get(subject).await?;
    let own = found.filter(|resource| resource.owner == owner);
    let own = own.ok_or_else(|| ApiError::not_found(subject.kind().name(), &subject.to_string()))?;
    let Some(clock) = own.lives_by() else { return Ok(own) };
    match state.store.resource_get(clock.into()).await? {
        Some(Resource { body: Some(_), .. }) => Ok(own),
        Some(Resource { body: None, .. }) | None => Ok(Resource { body: None, ..own }),
    }
}

/// A list as asked for. Its cursors are checked when it is read.
#[derive(Debug)]
pub struct Asked {
    filter: ResourceFilter,
    cursor: Option<(&'static str, String)>,
}

/// Reads the parameters common to all lists of resources.
///
/// # Errors
/// [`InputError`] names the parameter at fault.
pub fn asked(params: &mut Params<'_>, kind: SubjectKind, clock: ClockId) -> Result<Asked, InputError> {
    let limit = list::limit(params)?;
    let (before, after) = list::cursors(params)?;
    let parse = |name, text: Option<&String>| -> Result<Option<Subject>, InputError> {
        let unknown = |text: &String| list::unknown_cursor(name, kind.name(), text);
        text.map(|text| subject(kind, text).map_err(|_| unknown(text))).transpose()
    };
    let (created_from, created_to) = list::created(params)?;
    let filter = ResourceFilter {
        kind,
        clock,
        before: parse(list::STARTING_AFTER, before.as_ref())?,
        after: parse(list::ENDING_BEFORE, after.as_ref())?,
        created_from,
        created_to,
        limit,
    };
    let cursor = before
        .map(|text| (list::STARTING_AFTER, text))
        .or_else(|| after.map(|text| (list::ENDING_BEFORE, text)));
    Ok(Asked { filter, cursor })
}

/// A page of resources, and whether there are more.
///
/// # Errors
/// A cursor that names nothing this account owns; the store's.
pub async fn page(
    state: &WebState,
    owner: AccountId,
    asked: Asked,
) -> Result<(Vec<Resource>, bool), ApiError> {
    let Asked { mut filter, cursor } = asked;
    if let (Some((param, text)), Some(subject)) = (cursor, filter.before.or(filter.after)) {
        let found = state.store.resource_get(subject).await?;
        if found.is_none_or(|resource| resource.owner != owner) {
            return Err(list::unknown_cursor(param, subject.kind().name(), &text).into());
        }
    }
    let limit = filter.limit;
    filter.limit = limit.saturating_add(1);
    Ok(list::cut(state.store.resource_list(owner, &filter).await?, limit, filter.after.is_some()))
}

/// The answer with a page.
pub fn listed((resources, has_more): (Vec<Resource>, bool), url: &'static str) -> HttpResponse {
    let objects: Vec<ResourceObject> = resources.iter().map(ResourceObject::of).collect();
    HttpResponse::Ok().json(List::new(objects, has_more, url))
}

/// Refuses text that contains a card number: plain resources are stored as they are, without reducing anything.
///
/// # Errors
/// Names the parameter.
pub fn check(state: &WebState, params: &Params<'_>) -> Result<(), InputError> {
    intake::check_params(params, &state.intake.rules)
}
