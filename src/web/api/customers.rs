//! `/v1/customers`.

use actix_web::{HttpRequest, HttpResponse, web};

use super::objects::ResourceObject;
use super::parameters;
use super::resources;
use crate::domain::card_numbers::shown;
use crate::domain::customer::Customer;
use crate::domain::ids::{ClockId, CustomerId};
use crate::domain::resource::{Body as Made, Change, Patch};
use crate::domain::subject::{Subject, SubjectKind};
use crate::intake::error::SHOWN_CHARS_MAX;
use crate::intake::{CUSTOMER_UNSET, InputError, Params, customer_patch};
use crate::web::body::{self, Body};
use crate::web::error::ApiError;
use crate::web::security::ApiCaller;
use crate::web::state::WebState;

const URL: &str = "/v1/customers";
const KIND: SubjectKind = SubjectKind::Customer;

/// Parameters of the real service that Paystorm can neither store nor apply.
const NOT_OFFERED: &[&str] = &[
    "balance",
    "business_name",
    "cash_balance",
    "coupon",
    "default_source",
    "individual_name",
    "invoice_prefix",
    "invoice_settings",
    "next_invoice_sequence",
    "payment_method",
    "preferred_locales",
    "promotion_code",
    "source",
    "tax",
    "tax_exempt",
    "tax_id_data",
    "validate",
];

type State = web::Data<WebState>;
type Answer = Result<HttpResponse, ApiError>;

/// `POST /v1/customers`
pub async fn create(state: State, caller: ApiCaller, request: HttpRequest, body: Body) -> Answer {
    let body = body::bytes(body)?;
    let (change, key) = {
        let mut params = body::params_with(&request, &body, CUSTOMER_UNSET)?;
        resources::check(&state, &params)?;
        let key = resources::key(&state, &request, (KIND, None), &params)?;
        let clock = test_clock(&mut params)?;
        let patch = customer_patch(&mut params)?;
        finish(&mut params)?;
        let customer = Customer::default().patched(&patch)?;
        (Change::Create { clock, body: Box::new(Made::Customer(customer)) }, key)
    };
    let subject = CustomerId::generate().into();
    resources::change(&state, &request, (caller.account, subject), change, key).await
}

/// `POST /v1/customers/{id}`
pub async fn update(
    state: State,
    caller: ApiCaller,
    request: HttpRequest,
    id: web::Path<String>,
    body: Body,
) -> Answer {
    let subject = resources::subject(KIND, &id)?;
    let body = body::bytes(body)?;
    let (change, key) = {
        let mut params = body::params_with(&request, &body, CUSTOMER_UNSET)?;
        resources::check(&state, &params)?;
        let key = resources::key(&state, &request, (KIND, Some(subject)), &params)?;
        let patch = customer_patch(&mut params)?;
        finish(&mut params)?;
        (Change::Update(Patch::Customer(Box::new(patch))), key)
    };
    resources::change(&state, &request, (caller.account, subject), change, key).await
}

/// `DELETE /v1/customers/{id}`
pub async fn delete(state: State, caller: ApiCaller, request: HttpRequest, id: web::Path<String>) -> Answer {
    let subject = resources::subject(KIND, &id)?;
    resources::change(&state, &request, (caller.account, subject), Change::Delete, None).await
}

/// `GET /v1/customers/{id}`
pub async fn retrieve(
    state: State,
    caller: ApiCaller,
    request: HttpRequest,
    id: web::Path<String>,
) -> Answer {
    let mut params = body::query(&request)?;
    finish(&mut params)?;
    let customer = resources::own(&state, caller.account, resources::subject(KIND, &id)?).await?;
    Ok(HttpResponse::Ok().json(ResourceObject::of(&customer)))
}

/// `GET /v1/customers`: the customers in real time, or those of one test clock.
pub async fn list(state: State, caller: ApiCaller, request: HttpRequest) -> Answer {
    let mut params = body::query(&request)?;
    let clock = test_clock(&mut params)?;
    must_have_clock(&state, caller.account, clock).await?;
    let asked = resources::asked(&mut params, KIND, clock)?;
    params.refuse(&["email"])?;
    finish(&mut params)?;
    Ok(resources::listed(resources::page(&state, caller.account, asked).await?, URL))
}

/// Reads `test_clock`. Whether the clock exists is checked later.
pub(super) fn test_clock(params: &mut Params<'_>) -> Result<ClockId, InputError> {
    let Some(text) = params.text("test_clock")? else { return Ok(ClockId::WALL) };
    // The wall clock's id is not a test clock's.
    text.parse().ok().filter(|clock: &ClockId| !clock.is_wall()).ok_or_else(|| {
        let message = format!("No such test_clock: '{}'", shown(&text, SHOWN_CHARS_MAX));
        InputError::new("test_clock", "resource_missing", message)
    })
}

/// Refuses a clock that is not the account's, or was deleted.
pub(super) async fn must_have_clock(
    state: &WebState,
    owner: crate::domain::ids::AccountId,
    clock: ClockId,
) -> Result<(), ApiError> {
    if clock.is_wall() {
        return Ok(());
    }
    let missing = |text: String| InputError::new("test_clock", "resource_missing", text);
    match resources::own(state, owner, Subject::from(clock)).await {
        Ok(found) if found.body.is_some() => Ok(()),
        Ok(_) => Err(missing(format!("No such test_clock: '{clock}'")).into()),
        Err(error) if error.code == Some("resource_missing") => Err(missing(error.message.into()).into()),
        Err(error) => Err(error),
    }
}

/// Checks that every parameter was taken. Customers have nothing to expand.
fn finish(params: &mut Params<'_>) -> Result<(), InputError> {
    parameters::expand_with(params, "", "nothing of customers", |_| false)?;
    params.refuse(NOT_OFFERED)?;
    params.finish()
}

/// Reads `customer`. The caller checks that the customer exists.
///
/// # Errors
/// Not the id of a customer.
pub fn named(params: &mut Params<'_>) -> Result<Option<CustomerId>, InputError> {
    crate::intake::customer(params)
}

/// Refuses a customer that is not the account's.
///
/// # Errors
/// Names the parameter; the store's.
pub async fn must_be_own(
    state: &WebState,
    owner: crate::domain::ids::AccountId,
    customer: CustomerId,
) -> Result<(), ApiError> {
    match resources::own(state, owner, Subject::from(customer)).await {
        Ok(_) => Ok(()),
        Err(error) if error.code == Some("resource_missing") => {
            let message = format!("No such customer: '{customer}'");
            Err(InputError::new("customer", "resource_missing", message).into())
        }
        Err(error) => Err(error),
    }
}
