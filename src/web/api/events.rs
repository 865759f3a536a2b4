//! `/v1/events`: an account's events, newest first. Each shows its object as it was when the event happened.

use std::collections::{BTreeSet, HashMap};

use actix_web::{HttpRequest, HttpResponse, web};

use super::list::{self, List};
use super::objects::{
    ChargeExpand, ChargeObject, DisputeExpand, DisputeObject, EventObject, FraudWarningObject, Presenter,
    RefundObject, Rendered, ResourceObject,
};
use super::parameters;
use crate::domain::announcement::{Announcement, AnnouncementId, dispute_of, refund_of};
use crate::domain::announcement_kind::{AnnouncementKind, PreviousAttributes, ShownObject};
use crate::domain::event::Event;
use crate::domain::ids::{AccountId, PaymentId};
use crate::domain::origin::{Origin, causes};
use crate::domain::payment::{Payment, Refund};
use crate::domain::resource::{Body, Resource, States};
use crate::domain::statement;
use crate::domain::subject::Subject;
use crate::intake::details::{self, Attempts};
use crate::intake::{InputError, Params, earlier_terms};
use crate::store::{EventFilter, EventSource, SourcePlace, Store};
use crate::web::body;
use crate::web::error::ApiError;
use crate::web::projected;
use crate::web::security::ApiCaller;
use crate::web::state::WebState;

const URL: &str = "/v1/events";
const NAME: &str = "event";
/// The most types in one request.
const TYPES_MAX: usize = 20;

type State = web::Data<WebState>;
type Answer = Result<HttpResponse, ApiError>;

/// `GET /v1/events/{id}`
pub async fn retrieve(
    state: State,
    caller: ApiCaller,
    request: HttpRequest,
    id: web::Path<String>,
) -> Answer {
    let params = body::query(&request)?;
    parameters::finish(&params)?;
    let missing = || ApiError::not_found(NAME, &id);
    let wanted: AnnouncementId = id.parse().map_err(|_| missing())?;
    let freshness = projected::caught_up(state.store.as_ref(), statement::READER).await?;
    let found = find(&state, caller.account, wanted).await?.ok_or_else(missing)?;
    let object = objects(&state, caller.account, &[found]).await?.pop().ok_or_else(missing)?;
    let mut response = HttpResponse::Ok();
    freshness.tell(&mut response);
    Ok(response.json(object))
}

/// `GET /v1/events`
pub async fn list(state: State, caller: ApiCaller, request: HttpRequest) -> Answer {
    let mut params = body::query(&request)?;
    let limit = list::limit(&mut params)?;
    let (before, after) = list::cursors(&mut params)?;
    let (created_from, created_to) = list::created(&mut params)?;
    let kinds = kinds(&mut params)?;
    params.refuse(&["delivery_success"])?;
    parameters::finish(&params)?;
    let filter = EventFilter {
        before: cursor(&state, caller.account, list::STARTING_AFTER, before).await?,
        after: cursor(&state, caller.account, list::ENDING_BEFORE, after).await?,
        of: None,
        kinds,
        created_from,
        created_to,
        limit: limit.saturating_add(1),
    };
    let freshness = projected::caught_up(state.store.as_ref(), statement::READER).await?;
    let found = state.store.event_list(caller.account, &filter).await?;
    let (found, has_more) = list::cut(found, limit, filter.after.is_some());
    let mut response = HttpResponse::Ok();
    freshness.tell(&mut response);
    Ok(response.json(List::new(objects(&state, caller.account, &found).await?, has_more, URL)))
}

/// Reads `type` or `types[]`, not both; each is a type of event, or the beginning of some with `*` behind it. `None` means all.
fn kinds(params: &mut Params<'_>) -> Result<Option<Vec<AnnouncementKind>>, InputError> {
    let (one, several) = (params.text("type")?, params.list("types")?);
    if one.is_some() && !several.is_empty() {
        let message = "You may only specify one of these parameters: type, types.";
        return Err(InputError::new("types", "parameters_exclusive", message));
    }
    if several.len() > TYPES_MAX {
        let message = format!("Too many types: at most {TYPES_MAX}.");
        return Err(InputError::new("types", "parameter_invalid_integer", message));
    }
    let param = if one.is_some() { "type" } else { "types" };
    let names: Vec<_> = one.into_iter().chain(several).collect();
    if names.is_empty() {
        return Ok(None);
    }
    let all = AnnouncementKind::ALL;
    if names.iter().any(|name| !all.iter().any(|kind| is_named(*kind, name))) {
        let types: Vec<&str> = all.iter().map(|kind| kind.dialect()).collect();
        let types = types.join(", ");
        let message =
            format!("Invalid {param}: must be one of {types}, or the beginning of some with * behind it.");
        return Err(InputError::new(param, "parameter_invalid_enum", message));
    }
    let named = |kind: &AnnouncementKind| names.iter().any(|name| is_named(*kind, name));
    Ok(Some(all.iter().copied().filter(named).collect()))
}

/// Whether this is the kind's type, or the beginning of it with `*` behind it.
fn is_named(kind: AnnouncementKind, name: &str) -> bool {
    match name.strip_suffix('*') {
        Some(beginning) => kind.dialect().starts_with(beginning),
        None => kind.dialect() == name,
    }
}

/// An event of this account that is still kept.
async fn find(
    state: &WebState,
    owner: AccountId,
    id: AnnouncementId,
) -> Result<Option<Announcement>, ApiError> {
    let filter = EventFilter { of: Some(id), limit: 1, ..EventFilter::default() };
    let filter = match id.subject.payment() {
        Some(payment) => {
            let payment = state.store.payment_one(payment).await?;
            let Some(payment) = payment.filter(|payment| payment.owner() == owner) else { return Ok(None) };
            let place = usize::try_from(id.version.saturating_sub(1)).unwrap_or(usize::MAX);
            let Some(at) = payment.history().get(place).map(|recorded| recorded.at) else { return Ok(None) };
            EventFilter { created_from: Some(at), created_to: Some(at.next()), ..filter }
        }
        // Only its event knows when a change was made, so the search starts when the resource was created.
        None => match state.store.resource_get(id.subject).await? {
            Some(resource) if resource.owner == owner => {
                EventFilter { created_from: Some(resource.created), ..filter }
            }
            Some(_) | None => return Ok(None),
        },
    };
    Ok(state.store.event_list(owner, &filter).await?.pop())
}

/// The place of the event that a cursor names, if one is given.
async fn cursor(
    state: &WebState,
    owner: AccountId,
    param: &'static str,
    text: Option<String>,
) -> Result<Option<(crate::domain::time::Timestamp, AnnouncementId)>, ApiError> {
    let Some(text) = text else { return Ok(None) };
    let unknown = || ApiError::from(list::unknown_cursor(param, NAME, &text));
    let id: AnnouncementId = text.parse().map_err(|_| unknown())?;
    let found = find(state, owner, id).await?.ok_or_else(unknown)?;
    Ok(Some((found.at, found.id)))
}

/// These events as objects of the dialect, in the same order. Events whose object is gone are left out.
async fn objects(
    state: &WebState,
    owner: AccountId,
    found: &[Announcement],
) -> Result<Vec<EventObject>, ApiError> {
    let mut shown = of_payments(state, found).await?;
    shown.extend(of_resources(state, owner, found).await?);
    Ok(found.iter().filter_map(|one| shown.remove(&one.id)).collect())
}

/// Events by their ids.
type ById = HashMap<AnnouncementId, EventObject>;

/// The events about payments.
async fn of_payments(state: &WebState, found: &[Announcement]) -> Result<ById, ApiError> {
    let mut ids: Vec<PaymentId> = found.iter().filter_map(|one| one.id.subject.payment()).collect();
    ids.sort_unstable();
    ids.dedup();
    let store = state.store.as_ref();
    let payments = store.payment_get(&ids).await?;
    let payments: HashMap<PaymentId, Payment> =
        payments.into_iter().map(|payment| (payment.id(), payment)).collect();
    let refunds: Vec<&Refund> =
        payments.values().flat_map(|payment| payment.state().refunds.iter()).collect();
    let refunds = details::of_refunds(store, &refunds).await?;
    // Details are read for each version, since each attempt may have had its own.
    let mut then = Vec::with_capacity(found.len());
    for one in found {
        let payment = one.id.subject.payment().and_then(|id| payments.get(&id));
        let Some(payment) = payment else { continue };
        let before = payment.at_version(one.id.version.saturating_sub(1));
        then.extend(payment.at_version(one.id.version).map(|after| (*one, before, after)));
    }
    earlier_terms::read(
        store,
        then.iter_mut().flat_map(|(_, before, after)| before.iter_mut().chain([after])),
    )
    .await?;
    let all: Vec<&Payment> =
        then.iter().flat_map(|(_, before, after)| before.iter().chain([after])).collect();
    let attempts = Attempts::of(store, &all).await?;
    let noted = then.iter().flat_map(|(_, before, after)| before.iter().chain([after]));
    let noted = noted.flat_map(|payment| payment.state().disputes.iter());
    let disputes = details::of_disputes(store, noted.map(|dispute| (dispute.id, dispute.detail))).await?;
    let origins = origins(store, then.iter().map(|(one, _, after)| (one, after))).await?;
    let shown = Shown {
        presenter: state.presenter(),
        attempts: &attempts,
        refunds: &refunds,
        disputes: &disputes,
        origins,
    };
    Ok(then.iter().map(|(one, before, after)| (one.id, shown.event(one, before.as_ref(), after))).collect())
}

/// The events about plain resources. The state of a resource at that time is kept beside its event.
async fn of_resources(state: &WebState, owner: AccountId, found: &[Announcement]) -> Result<ById, ApiError> {
    let place = |one: &Announcement| (owner, one.at, one.id.subject, one.id.version);
    let found: Vec<&Announcement> = found.iter().filter(|one| one.id.subject.kind().is_resource()).collect();
    let sources = state.store.source_get(&found.iter().map(|one| place(one)).collect::<Vec<_>>()).await?;
    let sources: HashMap<SourcePlace, EventSource> =
        sources.into_iter().map(|source| (source.place(), source)).collect();
    let mut shown = ById::new();
    for one in found {
        let Some(source) = sources.get(&place(one)) else { continue };
        let Some(States { clock, created, before, after }) = &source.states else { continue };
        let object = |version: u32, body: &Option<Body>| {
            let (subject, body) = (one.id.subject, body.clone());
            let resource = Resource { subject, owner, version, clock: *clock, created: *created, body };
            serde_json::to_value(ResourceObject::of(&resource)).unwrap_or_default()
        };
        let version = one.id.version;
        // A deleted resource is shown as it was before.
        let now = object(version, if after.is_some() { after } else { before });
        let previous = shows_previous(one).then(|| object(version.saturating_sub(1), before));
        shown.insert(one.id, EventObject::of(one, now, previous.as_ref(), source.origin.as_ref()));
    }
    Ok(shown)
}

/// Whether it shows what the attributes that changed were before.
fn shows_previous(one: &Announcement) -> bool {
    one.kind.previous_attributes() == PreviousAttributes::Shown
}

/// The requests that caused events, by the payment and version that the event is about.
type Origins = HashMap<(PaymentId, u32), Origin>;

/// Finds the requests that caused these events; each event comes with its payment as it was then.
async fn origins<'a>(
    store: &dyn Store,
    events: impl Iterator<Item = (&'a Announcement, &'a Payment)>,
) -> Result<Origins, ApiError> {
    let (mut wanted, mut places) = (HashMap::new(), BTreeSet::new());
    for (one, then) in events {
        let (id, owner) = (then.id(), then.owner());
        let place = |version: u32| {
            let at = then.history().get(usize::try_from(version.checked_sub(1)?).ok()?)?.at;
            Some((owner, at, Subject::from(id), version))
        };
        let causes: Vec<SourcePlace> = causes(then, one.id.version).into_iter().filter_map(place).collect();
        places.extend(causes.iter().copied());
        wanted.insert((id, one.id.version), causes);
    }
    let found = store.source_get(&places.into_iter().collect::<Vec<_>>()).await?;
    let found: HashMap<SourcePlace, Origin> =
        found.into_iter().filter_map(|source| Some((source.place(), source.origin?))).collect();
    let origin = |causes: Vec<SourcePlace>| causes.iter().find_map(|place| found.get(place)).cloned();
    Ok(wanted.into_iter().filter_map(|(version, causes)| Some((version, origin(causes)?))).collect())
}

/// What rendering events needs.
struct Shown<'a> {
    presenter: Presenter<'a>,
    attempts: &'a Attempts,
    refunds: &'a HashMap<crate::domain::ids::RefundId, details::RefundDetail>,
    disputes: &'a details::Disputes,
    origins: Origins,
}

impl Shown<'_> {
    fn event(&self, one: &Announcement, before: Option<&Payment>, after: &Payment) -> EventObject {
        let object = self.object(one, after).unwrap_or_default();
        let previous = before.filter(|_| shows_previous(one)).and_then(|before| self.object(one, before));
        EventObject::of(one, object, previous.as_ref(), self.origins.get(&(after.id(), one.id.version)))
    }

    /// The object of an event, as of this state of the payment.
    fn object(&self, one: &Announcement, payment: &Payment) -> Option<serde_json::Value> {
        let rendered = match one.kind.object() {
            ShownObject::Resource => return None,
            ShownObject::Charge => {
                // Of several attempts, the one that took the money, otherwise the last.
                let charge = payment.charge_taken().or_else(|| payment.charges().next_back())?;
                let expand = ChargeExpand::default();
                serde_json::to_value(ChargeObject::of(payment, charge, self.attempts, expand, self.presenter))
            }
            ShownObject::Refund => {
                let place = usize::try_from(one.id.version.saturating_sub(1)).ok()?;
                let event = payment.history().get(place).or(payment.history().last())?.event;
                let refund = refund_of(&event).and_then(|id| payment.refund(id));
                let refund = refund.or(payment.state().refunds.last())?;
                let detail = self.refunds.get(&refund.id);
                let expand = super::objects::RefundExpand::default();
                serde_json::to_value(RefundObject::of(
                    payment,
                    refund,
                    detail,
                    self.attempts,
                    expand,
                    self.presenter,
                ))
            }
            ShownObject::Dispute => {
                let place = usize::try_from(one.id.version.saturating_sub(1)).ok()?;
                let event = payment.history().get(place).or(payment.history().last())?.event;
                let dispute = dispute_of(&event).and_then(|id| payment.dispute(id));
                let dispute = dispute.or(payment.state().disputes.last())?;
                let expand = DisputeExpand::default();
                serde_json::to_value(DisputeObject::of(
                    payment,
                    dispute,
                    self.disputes.get(&(dispute.id, dispute.detail)),
                    self.attempts,
                    expand,
                    self.presenter,
                ))
            }
            ShownObject::FraudWarning => {
                let place = usize::try_from(one.id.version.saturating_sub(1)).ok()?;
                let Event::FraudWarned { warning } = payment.history().get(place)?.event else { return None };
                serde_json::to_value(FraudWarningObject::of(payment, payment.warning(warning)?))
            }
            ShownObject::Payment => {
                let expand = super::objects::Expand::default();
                serde_json::to_value(Rendered::of(payment, expand, self.presenter, self.attempts))
            }
        };
        rendered.ok()
    }
}
