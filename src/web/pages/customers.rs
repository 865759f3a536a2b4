//! `/customers`: whom the account takes money from: a list with a form for a new one, and one of them with their payments, to be
//! changed or deleted.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::error_page::{PageError, answer_to, render};
use super::handle::{self, Fields, PageResult, names_of};
use super::layout::{Layout, Nav, Notice, Tone};
use super::row::PaymentRow;
use super::{clock_strip, format};
use crate::domain::contact::Address;
use crate::domain::customer::{Customer, CustomerPatch};
use crate::domain::ids::{AccountId, ClockId, CustomerId};
use crate::domain::resource::{Body as Made, Change, Patch, Resource};
use crate::domain::subject::{Subject, SubjectKind};
use crate::domain::time::Timestamp;
use crate::store::{PaymentFilter, ResourceFilter};
use crate::web::api::objects::ResourceObject;
use crate::web::api::resources;
use crate::web::body::Body;
use crate::web::error::ApiError;
use crate::web::intake::{check_params, customer_patch};
use crate::web::params::Params;
use crate::web::security::SignedIn;
use crate::web::state::WebState;

/// Customers on a page.
const PAGE: u32 = 50;
/// Payments shown of one customer.
const PAYMENTS_MAX: u32 = 50;

/// The fields of a form under the names of the parameters they become.
const FIELDS: [(&str, &str); 10] = [
    ("name", "name"),
    ("email", "email"),
    ("phone", "phone"),
    ("description", "description"),
    ("line1", "address[line1]"),
    ("line2", "address[line2]"),
    ("postal_code", "address[postal_code]"),
    ("city", "address[city]"),
    ("state", "address[state]"),
    ("country", "address[country]"),
];

/// What a form is filled with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CustomerInput {
    /// Name.
    pub name: String,
    /// E-mail address.
    pub email: String,
    /// Telephone number.
    pub phone: String,
    /// Free text.
    pub description: String,
    /// Where they live.
    pub address: AddressInput,
    /// The field that is wrong, and why.
    pub error: Option<(String, String)>,
}

/// An address in a form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddressInput {
    /// Street and number.
    pub line1: String,
    /// The rest of it.
    pub line2: String,
    /// Postal code.
    pub postal_code: String,
    /// Town.
    pub city: String,
    /// State, county, province.
    pub state: String,
    /// Country.
    pub country: String,
}

impl AddressInput {
    /// Whether nothing stands in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl CustomerInput {
    /// What is known of a customer.
    #[must_use]
    pub fn of(customer: &Customer) -> Self {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let Address { city, country, line1, line2, postal_code, state } =
            customer.address.clone().unwrap_or_default();
        Self {
            name: text(&customer.name),
            email: text(&customer.email),
            phone: text(&customer.phone),
            description: text(&customer.description),
            address: AddressInput {
                line1: text(&line1),
                line2: text(&line2),
                postal_code: text(&postal_code),
                city: text(&city),
                state: text(&state),
                country: text(&country),
            },
            error: None,
        }
    }

    /// What was sent, to be shown again with what was wrong.
    fn sent(fields: &Fields, error: &ApiError) -> Self {
        let field = |name: &str| fields.get(name).to_owned();
        let param = error.param.as_deref().unwrap_or_default();
        let wrong = FIELDS.iter().find(|(_, path)| *path == param).map_or("", |(name, _)| *name);
        Self {
            name: field("name"),
            email: field("email"),
            phone: field("phone"),
            description: field("description"),
            address: AddressInput {
                line1: field("line1"),
                line2: field("line2"),
                postal_code: field("postal_code"),
                city: field("city"),
                state: field("state"),
                country: field("country"),
            },
            error: Some((wrong.to_owned(), handle::words(error))),
        }
    }

    /// What is wrong with a field; empty if nothing is.
    #[must_use]
    pub fn error_of(&self, field: &str) -> &str {
        self.error.as_ref().filter(|(wrong, _)| wrong == field).map_or("", |(_, words)| words)
    }
}

/// A customer in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerLine {
    /// Their id.
    pub id: String,
    /// What they are known by.
    pub label: String,
    /// Their e-mail address.
    pub email: String,
    /// The description.
    pub description: String,
    /// When they were made, as an age.
    pub created_ago: String,
    /// The same in full.
    pub created_full: String,
}

impl CustomerLine {
    fn of(resource: &Resource, now: Timestamp) -> Option<Self> {
        let Made::Customer(customer) = resource.body.as_ref()? else { return None };
        let id = resource.subject.to_string();
        Some(Self {
            label: label(customer, &id),
            id,
            email: customer.email.clone().unwrap_or_default(),
            description: customer.description.clone().unwrap_or_default(),
            created_ago: format::ago(now, resource.created),
            created_full: format::absolute(resource.created),
        })
    }
}

/// What a customer is called: by name, else by address, else by id.
pub(super) fn label(customer: &Customer, id: &str) -> String {
    let named = customer.name.clone().or_else(|| customer.email.clone());
    named.unwrap_or_else(|| format::short_id(id))
}

/// The page with the list.
#[derive(Template)]
#[template(path = "customers.html")]
pub struct CustomersPage {
    /// The frame.
    pub layout: Layout,
    /// Customers, newest first.
    pub customers: Vec<CustomerLine>,
    /// Where the first page is, unless this is it.
    pub newest: Option<String>,
    /// Where older ones are.
    pub older: Option<String>,
    /// The form for a new one.
    pub input: CustomerInput,
    /// The test clock whose customers they are; empty for real time.
    pub clock: String,
    /// Makes sending the form twice do it once.
    pub idempotency_key: String,
}

/// The page of one.
#[derive(Template)]
#[template(path = "customer.html")]
pub struct CustomerPage {
    /// The frame.
    pub layout: Layout,
    /// Their id.
    pub id: String,
    /// What they are known by.
    pub label: String,
    /// When they were made, in full.
    pub created_full: String,
    /// Where things are sent to, a line each.
    pub shipping: Vec<String>,
    /// The metadata.
    pub metadata: Vec<(String, String)>,
    /// Their latest payments.
    pub payments: Vec<PaymentRow>,
    /// Whether there are more.
    pub more: bool,
    /// The form to change them.
    pub input: CustomerInput,
    /// The object as the API shows it.
    pub raw_json: String,
}

/// `GET /customers`.
pub async fn show(state: web::Data<WebState>, request: HttpRequest, who: SignedIn) -> PageResult {
    let query = Fields::of_query(&request);
    let place = (query.get("before"), query.get("clock"));
    Ok(handle::ok(&list(&state, &who, place, CustomerInput::default()).await?))
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
            // With a clock its customers are gone.
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
        layout: handle::frame(state, who, "Customers", Nav::Customers)
            .by_clock(shown.map(|(strip, _)| strip)),
        newest: before.map(|_| format!("/customers{}", of_clock("?"))),
        older: found.last().filter(|_| more).map(address),
        customers: found.iter().filter_map(|resource| CustomerLine::of(resource, now)).collect(),
        input,
        clock: on_clock,
        idempotency_key: handle::idempotency_key()?,
    })
}

/// `POST /customers`.
pub async fn create(
    state: web::Data<WebState>,
    request: HttpRequest,
    who: SignedIn,
    body: Body,
) -> PageResult {
    let fields = handle::signed_form(&state, &request, &who, body)?;
    match created(&state, who.account, &fields).await {
        Ok(subject) => Ok(handle::see_other(&format!("/customers/{subject}"))),
        Err(error) => {
            let page =
                list(&state, &who, ("", fields.get("clock")), CustomerInput::sent(&fields, &error)).await;
            let mut page = page.map_err(|_| PageError(error.clone()))?;
            page.layout.notices.push(Notice::new(Tone::Error, handle::words(&error)));
            handle::keep_key(&mut page.idempotency_key, &error, &fields);
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
    let change = Change::Create { clock, body: Box::new(Made::Customer(customer)) };
    let subject = CustomerId::generate().into();
    handle::change(state, owner, subject, change, handle::once(state, fields, "customer")?).await
}

/// What a form says of a customer: an empty field unsets what was there.
fn patch_of(state: &WebState, fields: &Fields) -> Result<CustomerPatch, ApiError> {
    let mut params = Params::default();
    for (name, path) in FIELDS {
        params.add_path(path.to_owned(), fields.get(name).trim());
    }
    check_params(&params, &state.rules)?;
    Ok(customer_patch(&mut params)?)
}

/// A customer of this account that was not deleted.
async fn own(state: &WebState, owner: AccountId, id: &str) -> Result<(Resource, Customer), PageError> {
    let missing = || ApiError::not_found("customer", id);
    let id: CustomerId = id.parse().map_err(|_| missing())?;
    let resource = resources::own(state, owner, id.into()).await?;
    let Some(Made::Customer(customer)) = resource.body.clone() else { return Err(missing().into()) };
    Ok((resource, customer))
}

/// `GET /customers/{id}`.
pub async fn show_one(state: web::Data<WebState>, who: SignedIn, id: web::Path<String>) -> PageResult {
    let (resource, customer) = own(&state, who.account, &id).await?;
    let input = CustomerInput::of(&customer);
    Ok(handle::ok(&one(&state, &who, &resource, &customer, input).await?))
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
        layout: handle::frame(state, who, &label, Nav::Customers).by_clock(clock),
        label,
        id,
        created_full: format::absolute(resource.created),
        shipping: customer.shipping.as_ref().map_or_else(Vec::new, |shipping| {
            let named = [Some(shipping.name.clone()), shipping.phone.clone()];
            named.into_iter().flatten().chain(lines(&shipping.address)).collect()
        }),
        metadata: customer.metadata.clone(),
        payments: payments.iter().map(row).collect(),
        more,
        input,
        raw_json: serde_json::to_string_pretty(&ResourceObject::of(resource)).unwrap_or_default(),
    })
}

/// An address as it is written on an envelope.
fn lines(address: &Address) -> Vec<String> {
    let Address { city, country, line1, line2, postal_code, state } = address.clone();
    let town: Vec<String> = [postal_code, city, state].into_iter().flatten().collect();
    let town = Some(town.join(" ")).filter(|town| !town.is_empty());
    [line1, line2, town, country].into_iter().flatten().collect()
}

/// `POST /customers/{id}`: changes one.
pub async fn update(
    state: web::Data<WebState>,
    request: HttpRequest,
    who: SignedIn,
    id: web::Path<String>,
    body: Body,
) -> PageResult {
    let fields = handle::signed_form(&state, &request, &who, body)?;
    let (resource, customer) = own(&state, who.account, &id).await?;
    let patched = async {
        let patch = Patch::Customer(Box::new(patch_of(&state, &fields)?));
        handle::change(&state, who.account, resource.subject, Change::Update(patch), None).await
    };
    match patched.await {
        Ok(_) => Ok(handle::see_other(&format!("/customers/{}", resource.subject))),
        Err(error) if error.status == StatusCode::NOT_FOUND => Err(error.into()),
        Err(error) => {
            let input = CustomerInput::sent(&fields, &error);
            let page = one(&state, &who, &resource, &customer, input).await;
            let mut page = page.map_err(|_| PageError(error.clone()))?;
            page.layout.notices.push(Notice::new(Tone::Error, handle::words(&error)));
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
    handle::signed_form(&state, &request, &who, body)?;
    let id: CustomerId = id.parse().map_err(|_| ApiError::not_found("customer", &id))?;
    let found = resources::own(&state, who.account, id.into()).await?;
    let list = if found.clock.is_wall() {
        "/customers".to_owned()
    } else {
        format!("/customers?clock={}", found.clock)
    };
    match handle::change(&state, who.account, id.into(), Change::Delete, None).await {
        // A second click finds nothing any more, which is what was wanted.
        Ok(_) => Ok(handle::see_other(&list)),
        Err(error) if error.status == StatusCode::NOT_FOUND => Ok(handle::see_other(&list)),
        Err(error) => Err(error.into()),
    }
}

/// `GET /customers/{id}/delete`: where a form's address is opened again.
pub async fn deleted(_who: SignedIn, id: web::Path<String>) -> HttpResponse {
    handle::see_other(&format!("/customers/{id}"))
}
