//! Lists with cursors, as the dialect has them.

use serde::Serialize;

use crate::domain::ids::{AccountId, PaymentId};
use crate::domain::payment::Payment;
use crate::domain::time::Timestamp;
use crate::store::PaymentFilter;
use crate::web::error::{ApiError, InputError};
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

/// Reads the parameters that every list of payments has.
///
/// # Errors
/// [`InputError`] names the parameter at fault.
pub fn filter(params: &mut Params<'_>, kind: i16) -> Result<PaymentFilter, InputError> {
    let mut filter = PaymentFilter { kinds: vec![kind], limit: limit(params)?, ..PaymentFilter::default() };
    filter.before = cursor(params, "starting_after")?;
    filter.after = cursor(params, "ending_before")?;
    if filter.before.is_some() && filter.after.is_some() {
        let message = "You may only specify one of these parameters: starting_after, ending_before.";
        return Err(InputError::new("ending_before", "parameters_exclusive", message));
    }
    let at = |seconds: i64| Timestamp::from_micros(seconds.saturating_mul(1_000_000));
    let next = |seconds: i64| at(seconds.saturating_add(1));
    if let Some(exact) = params.integer("created")? {
        (filter.created_from, filter.created_to) = (Some(at(exact)), Some(next(exact)));
    }
    let lower = [params.integer("created[gte]")?.map(at), params.integer("created[gt]")?.map(next)];
    let upper = [params.integer("created[lte]")?.map(next), params.integer("created[lt]")?.map(at)];
    filter.created_from = lower.into_iter().flatten().chain(filter.created_from).max();
    filter.created_to = upper.into_iter().flatten().chain(filter.created_to).min();
    Ok(filter)
}

fn cursor(params: &mut Params<'_>, name: &str) -> Result<Option<PaymentId>, InputError> {
    let Some(text) = params.text(name)? else {
        return Ok(None);
    };
    let unknown =
        |_| InputError::new(name, "resource_missing", "No such object: give the id of one in the list.");
    text.parse().map(Some).map_err(unknown)
}

/// A page of payments, and whether there are more.
///
/// # Errors
/// The store's.
pub async fn page(
    state: &WebState,
    owner: AccountId,
    mut filter: PaymentFilter,
) -> Result<(Vec<Payment>, bool), ApiError> {
    let limit = usize::try_from(filter.limit).unwrap_or(usize::MAX);
    filter.limit = filter.limit.saturating_add(1);
    let mut payments = state.store.payment_list(owner, &filter).await?;
    let has_more = payments.len() > limit;
    if has_more && filter.after.is_some() {
        // Newest first, but the page is the oldest of those that are newer: the surplus one is in front.
        payments.remove(0);
    }
    payments.truncate(limit);
    Ok((payments, has_more))
}
