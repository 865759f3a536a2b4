//! Lists with cursors, as the dialect has them.

use serde::Serialize;

use super::customers;
use crate::domain::card_numbers::shown;
use crate::domain::ids::{AccountId, CustomerId, PaymentId};
use crate::domain::payment::Payment;
use crate::domain::time::Timestamp;
use crate::store::PaymentFilter;
use crate::web::error::{ApiError, InputError, SHOWN_CHARS_MAX};
use crate::web::params::Params;
use crate::web::state::WebState;

const LIMIT_DEFAULT: u32 = 10;
const LIMIT_MAX: i64 = 100;

/// A page of a list.
#[derive(Debug, Serialize)]
pub struct List<T> {
    object: &'static str,
    data: Vec<T>,
    has_more: bool,
    url: &'static str,
}

impl<T> List<T> {
    /// A page.
    pub fn new(data: Vec<T>, has_more: bool, url: &'static str) -> Self {
        Self { object: "list", data, has_more, url }
    }
}

/// Reads `limit`, 1 to 100.
///
/// # Errors
/// Out of bounds.
pub fn limit(params: &mut Params<'_>) -> Result<u32, InputError> {
    match params.integer("limit")? {
        None => Ok(LIMIT_DEFAULT),
        Some(limit @ 1..=LIMIT_MAX) => Ok(u32::try_from(limit).unwrap_or(LIMIT_DEFAULT)),
        Some(_) => {
            let message = "Invalid limit: must be between 1 and 100.";
            Err(InputError::new("limit", "parameter_invalid_integer", message))
        }
    }
}

/// What tells the resources apart that are payments.
#[derive(Debug, Clone, Copy)]
pub struct Resource {
    /// The name in messages.
    pub name: &'static str,
    /// What ids begin with.
    pub prefix: &'static str,
    /// What [`crate::domain::submission::Kind::to_code`] says.
    pub code: i16,
    /// Parameters by which the dialect narrows its lists and that are not offered.
    pub not_narrowed_by: &'static [&'static str],
}

/// Charges.
pub const PAYMENT_INTENTS: Resource =
    Resource { name: "payment_intent", prefix: "pi_", code: 1, not_narrowed_by: &["customer_account"] };

/// A list as asked for. Its cursors are checked when it is read.
#[derive(Debug)]
pub struct Asked {
    filter: PaymentFilter,
    resource: Resource,
    /// The cursor's parameter and its value as sent.
    cursor: Option<(&'static str, String)>,
    /// Only payments of this customer.
    customer: Option<CustomerId>,
}

impl Asked {
    /// The same, of one customer only.
    #[must_use]
    pub fn of_customer(self, customer: Option<CustomerId>) -> Self {
        Self { customer, ..self }
    }
}

/// Reads the parameters that every list of payments has.
///
/// # Errors
/// [`InputError`] names the parameter at fault.
pub fn asked(params: &mut Params<'_>, resource: &Resource) -> Result<Asked, InputError> {
    params.refuse(resource.not_narrowed_by)?;
    let mut filter =
        PaymentFilter { kinds: vec![resource.code], limit: limit(params)?, ..PaymentFilter::default() };
    let (before, after) = cursors(params)?;
    let id = |name, text: Option<&String>| -> Result<Option<PaymentId>, InputError> {
        let unknown = |text: &String| unknown_cursor(name, resource.name, text);
        let parse = |text: &String| {
            let bits = text.strip_prefix(resource.prefix).ok_or_else(|| unknown(text))?;
            format!("pi_{bits}").parse().map_err(|_| unknown(text))
        };
        text.map(parse).transpose()
    };
    filter.before = id(STARTING_AFTER, before.as_ref())?;
    filter.after = id(ENDING_BEFORE, after.as_ref())?;
    (filter.created_from, filter.created_to) = created(params)?;
    let cursor =
        before.map(|text| (STARTING_AFTER, text)).or_else(|| after.map(|text| (ENDING_BEFORE, text)));
    Ok(Asked { filter, resource: *resource, cursor, customer: None })
}

/// The parameter for what is older than an object.
pub const STARTING_AFTER: &str = "starting_after";
/// The parameter for what is newer.
pub const ENDING_BEFORE: &str = "ending_before";

/// Reads `created`: a time, or bounds of it. From, and to which it does not go.
///
/// # Errors
/// What is no whole number.
pub fn created(params: &mut Params<'_>) -> Result<(Option<Timestamp>, Option<Timestamp>), InputError> {
    let at = |seconds: i64| Timestamp::from_micros(seconds.saturating_mul(1_000_000));
    let next = |seconds: i64| at(seconds.saturating_add(1));
    let exact = params.integer("created")?;
    let lower = [params.integer("created[gte]")?.map(at), params.integer("created[gt]")?.map(next)];
    let upper = [params.integer("created[lte]")?.map(next), params.integer("created[lt]")?.map(at)];
    Ok((
        lower.into_iter().flatten().chain(exact.map(at)).max(),
        upper.into_iter().flatten().chain(exact.map(next)).min(),
    ))
}

/// Reads `starting_after` and `ending_before`, of which one can be given.
///
/// # Errors
/// Both are.
pub fn cursors(params: &mut Params<'_>) -> Result<(Option<String>, Option<String>), InputError> {
    let before = params.text(STARTING_AFTER)?.map(String::from);
    let after = params.text(ENDING_BEFORE)?.map(String::from);
    if before.is_some() && after.is_some() {
        let message = "You may only specify one of these parameters: starting_after, ending_before.";
        return Err(InputError::new(ENDING_BEFORE, "parameters_exclusive", message));
    }
    Ok((before, after))
}

/// The answer to a cursor that names nothing in the list.
#[must_use]
pub fn unknown_cursor(param: &'static str, resource: &str, text: &str) -> InputError {
    let message = format!("No such {resource}: '{}'", shown(text, SHOWN_CHARS_MAX));
    InputError::new(param, "resource_missing", message)
}

/// A page of payments, and whether there are more.
///
/// # Errors
/// A cursor that is not in the list; the store's.
pub async fn page(
    state: &WebState,
    owner: AccountId,
    asked: Asked,
) -> Result<(Vec<Payment>, bool), ApiError> {
    let Asked { mut filter, resource, cursor, customer } = asked;
    if let (Some((param, text)), Some(id)) = (cursor, filter.before.or(filter.after)) {
        let found = state.store.payment_get(&[id]).await?;
        let in_list = |payment: &Payment| {
            payment.owner() == owner
                && payment.submission().kind.to_code() == resource.code
                && customer.is_none_or(|customer| payment.submission().customer == Some(customer))
        };
        if !found.first().is_some_and(in_list) {
            return Err(unknown_cursor(param, resource.name, &text).into());
        }
    }
    let limit = filter.limit;
    filter.limit = limit.saturating_add(1);
    let found = match customer {
        Some(customer) => {
            customers::must_be_own(state, owner, customer).await?;
            state.store.customer_payments(customer, &filter).await?
        }
        None => state.store.payment_list(owner, &filter).await?,
    };
    Ok(cut(found, limit, filter.after.is_some()))
}

/// What was found with one more than asked for, cut to a page, newest first, and whether there are more. Backwards, the page is
/// the oldest of those that are newer: the surplus one is in front.
pub fn cut<T>(mut found: Vec<T>, limit: u32, backwards: bool) -> (Vec<T>, bool) {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = found.len() > limit;
    if has_more && backwards {
        found.drain(..found.len() - limit);
    }
    found.truncate(limit);
    (found, has_more)
}
