//! The handlers of `/customers`: the list with its form for a new customer, and one customer with their payments, who can be changed
//! or deleted there. What the pages show is in [`super::customer_view`].

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};

use super::customer_view::{
    CustomerInput, CustomerLine, CustomerPage, CustomersPage, FIELDS, label, shipping_lines,
};
use super::error_page::{PageError, answer_to, render};
use super::forms::{self, Fields};
use super::frame;
use super::layout::{Nav, Notice, Tone};
use super::names::names_of;
use super::responses::{self, PageResult};
use super::row::PaymentRow;
use super::{clock_strip, format};
use crate::domain::customer::{Customer, CustomerPatch};
use crate::domain::ids::{AccountId, ClockId, CustomerId};
use crate::domain::resource::{Body as ResourceBody, Change, Patch, Resource};
use crate::domain::subject::{Subject, SubjectKind};
use crate::intake::{Params, check_params, customer_patch};
use crate::store::{PaymentFilter, ResourceFilter};
use crate::web::api::objects::ResourceObject;
use crate::web::api::resources;
use crate::web::body::Body;
use crate::web::error::ApiError;
use crate::web::security::SignedIn;
use crate::web::state::WebState;

/// Customers per page.
const PAGE: u32 = 50;
/// Payments shown of one customer.
const PAYMENTS_MAX: u32 = 50;

/// `GET /customers`.
pub async fn show(state: web::Data<WebState>, request: HttpRequest, who: SignedIn) -> PageResult {
    let query = Fields::of_query(&request);
    let place = (query.get("before"), query.get("clock"));
    Ok(responses::ok(&list(&state, &who, place, CustomerInput::default()).await?))
}

async fn list(
    state: &WebState,
    who: &SignedIn,
    (before, clock): (&str, &str),
    input: CustomerInput,
) -> Result<CustomersPage, PageError> {
    let (clock, shown) = match clock {
        "" => (ClockId::WALL, None),
        text => {
            let subject = resources::subject(SubjectKind::Clock, text)?;
            resources::own(state, who.account, subject).await?;
            let clock = subject.clock().unwrap_or_default();
            // A deleted clock takes its customers with it.
            let strip = clock_strip::strip(state, clock).await?;
            let gone = || ApiError::not_found(SubjectKind::Clock.name(), text);
            (clock, Some(strip.ok_or_else(gone)?))
        }
    };
    let before = before.parse::<CustomerId>().ok().map(Subject::from);
    let filter = ResourceFilter {
        kind: SubjectKind::Customer,
        clock,
        before,
        after: None,
        created_from: None,
        created_to: None,
        limit: PAGE + 1,
    };
    let mut found = state.store.resource_list(who.account, &filter).await?;
    let more = found.len() > usize::try_from(PAGE).unwrap_or(usize::MAX);
    found.truncate(usize::try_from(PAGE).unwrap_or(usize::MAX));
    let now = shown.as_ref().map_or_else(|| state.wall.now(), |(_, now)| *now);
    let on_clock = shown.as_ref().map(|(strip, _)| strip.id.clone()).unwrap_or_default();
    let of_clock = |start: &str| match on_clock.as_str() {
        "" => String::new(),
        id => format!("{start}clock={id}"),
    };
    let address = |resource: &Resource| format!("/customers?before={}{}", resource.subject, of_clock("&"));
    Ok(CustomersPage {
        layout: frame::frame(state, who, "Customers", Nav::Customers).by_clock(shown.map(|(strip, _)| strip)),
        newest: before.map(|_| format!("/customers{}", of_clock("?"))),
        older: found.last().filter(|_| more).map(address),
        customers: found.iter().filter_map(|resource| CustomerLine::of(resource, now)).collect(),
        input,
        clock: on_clock,
        idempotency_key: forms::idempotency_key()?,
    })
}

/// `POST /customers`.
pub async fn create(
    state: web::Data<WebState>,
    request: HttpRequest,
    who: SignedIn,
    body: Body,
) -> PageResult {
    let fields = forms::signed_form(&state, &request, &who, body)?;
    match created(&state, who.account, &fields).await {
        Ok(subject) => Ok(responses::see_other(&format!("/customers/{subject}"))),
        Err(error) => {
            let page =
                list(&state, &who, ("", fields.get("clock")), CustomerInput::sent(&fields, &error)).await;
            let mut page = page.map_err(|_| PageError(error.clone()))?;
            page.layout.notices.push(Notice::new(Tone::Error, forms::words(&error)));
            forms::keep_key(&mut page.idempotency_key, &error, &fields);
            Ok(render(answer_to(&error), &page))
        }
    }
}

async fn created(state: &WebState, owner: AccountId, fields: &Fields) -> Result<Subject, ApiError> {
    let customer = Customer::default().patched(&patch_of(state, fields)?)?;
    let clock = match fields.get("clock") {
        "" => ClockId::WALL,
        text => resources::subject(SubjectKind::Clock, text)?.clock().unwrap_or_default(),
    };
    let change = Change::Create { clock, body: Box::new(ResourceBody::Customer(customer)) };
    let subject = CustomerId::generate().into();
    forms::change(state, owner, subject, change, forms::once(state, fields, "customer")?).await
}

/// The changes that a form asks for: an empty field unsets the stored value.
fn patch_of(state: &WebState, fields: &Fields) -> Result<CustomerPatch, ApiError> {
    let mut params = Params::default();
    for (name, path) in FIELDS {
        params.add_path(path.to_owned(), fields.get(name).trim());
    }
    check_params(&params, &state.intake.rules)?;
    Ok(customer_patch(&mut params)?)
}

/// A customer of this account that has not been deleted.
async fn own(state: &WebState, owner: AccountId, id: &str) -> Result<(Resource, Customer), PageError> {
    let missing = || ApiError::not_found("customer", id);
    let id: CustomerId = id.parse().map_err(|_| missing())?;
    let resource = resources::own(state, owner, id.into()).await?;
    let Some(ResourceBody::Customer(customer)) = resource.body.clone() else { return Err(missing().into()) };
    Ok((resource, customer))
}

/// `GET /customers/{id}`.
pub async fn show_one(state: web::Data<WebState>, who: SignedIn, id: web::Path<String>) -> PageResult {
    let (resource, customer) = own(&state, who.account, &id).await?;
    let input = CustomerInput::of(&customer);
    Ok(responses::ok(&one(&state, &who, &resource, &customer, input).await?))
}

async fn one(
    state: &WebState,
    who: &SignedIn,
    resource: &Resource,
    customer: &Customer,
    input: CustomerInput,
) -> Result<CustomerPage, PageError> {
    let filter = PaymentFilter { limit: PAYMENTS_MAX + 1, ..PaymentFilter::default() };
    let id = CustomerId::from_bytes(*resource.subject.id());
    let mut payments = state.store.customer_payments(id, &filter).await?;
    let more = payments.len() > usize::try_from(PAYMENTS_MAX).unwrap_or(usize::MAX);
    payments.truncate(usize::try_from(PAYMENTS_MAX).unwrap_or(usize::MAX));
    let names = names_of(state, &payments).await?;
    let (clock, shown) = clock_strip::strip(state, resource.clock).await?.unzip();
    let now = shown.unwrap_or_else(|| state.wall.now());
    let row = |payment| PaymentRow::of(payment, &names, who.account, now);
    let id = resource.subject.to_string();
    let label = label(customer, &id);
    Ok(CustomerPage {
        layout: frame::frame(state, who, &label, Nav::Customers).by_clock(clock),
        label,
        id,
        created_full: format::absolute(resource.created),
        shipping: shipping_lines(customer),
        metadata: customer.metadata.clone(),
        payments: payments.iter().map(row).collect(),
        more,
        input,
        raw_json: serde_json::to_string_pretty(&ResourceObject::of(resource)).unwrap_or_default(),
    })
}

/// `POST /customers/{id}`.
pub async fn update(
    state: web::Data<WebState>,
    request: HttpRequest,
    who: SignedIn,
    id: web::Path<String>,
    body: Body,
) -> PageResult {
    let fields = forms::signed_form(&state, &request, &who, body)?;
    let (resource, customer) = own(&state, who.account, &id).await?;
    let patched = async {
        let patch = Patch::Customer(Box::new(patch_of(&state, &fields)?));
        forms::change(&state, who.account, resource.subject, Change::Update(patch), None).await
    };
    match patched.await {
        Ok(_) => Ok(responses::see_other(&format!("/customers/{}", resource.subject))),
        Err(error) if error.status == StatusCode::NOT_FOUND => Err(error.into()),
        Err(error) => {
            let input = CustomerInput::sent(&fields, &error);
            let page = one(&state, &who, &resource, &customer, input).await;
            let mut page = page.map_err(|_| PageError(error.clone()))?;
            page.layout.notices.push(Notice::new(Tone::Error, forms::words(&error)));
            Ok(render(answer_to(&error), &page))
        }
    }
}

/// `POST /customers/{id}/delete`.
pub async fn delete(
    state: web::Data<WebState>,
    request: HttpRequest,
    who: SignedIn,
    id: web::Path<String>,
    body: Body,
) -> PageResult {
    forms::signed_form(&state, &request, &who, body)?;
    let id: CustomerId = id.parse().map_err(|_| ApiError::not_found("customer", &id))?;
    let found = resources::own(&state, who.account, id.into()).await?;
    let list = if found.clock.is_wall() {
        "/customers".to_owned()
    } else {
        format!("/customers?clock={}", found.clock)
    };
    match forms::change(&state, who.account, id.into(), Change::Delete, None).await {
        // A second click finds nothing left to delete, which is success.
        Ok(_) => Ok(responses::see_other(&list)),
        Err(error) if error.status == StatusCode::NOT_FOUND => Ok(responses::see_other(&list)),
        Err(error) => Err(error.into()),
    }
}

/// `GET /customers/{id}/delete`: someone reopens the address of the form.
pub async fn deleted(_who: SignedIn, id: web::Path<String>) -> HttpResponse {
    responses::see_other(&format!("/customers/{id}"))
}
