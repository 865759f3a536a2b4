//! Lists of payments of one kind.

use super::customers;
use super::list::{ENDING_BEFORE, STARTING_AFTER, created, cursors, cut, limit, unknown_cursor};
use crate::domain::ids::{AccountId, CustomerId, PaymentId};
use crate::domain::payment::Payment;
use crate::domain::payment_kind::PaymentKind;
use crate::intake::{InputError, Params};
use crate::store::PaymentFilter;
use crate::web::error::ApiError;
use crate::web::state::WebState;

/// What distinguishes the resources that are payments.
#[derive(Debug, Clone, Copy)]
pub struct Resource {
    /// Its name in messages.
    pub name: &'static str,
    /// Its payments are of this kind.
    pub kind: PaymentKind,
    /// Filters of the dialect's list that are not offered.
    pub not_narrowed_by: &'static [&'static str],
}

/// Charges, under the dialect's name.
pub const PAYMENT_INTENTS: Resource =
    Resource { name: "payment_intent", kind: PaymentKind::Charge, not_narrowed_by: &["customer_account"] };

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
    /// The same list, narrowed to one customer's payments; `None` does not narrow it.
    #[must_use]
    pub fn of_customer(self, customer: Option<CustomerId>) -> Self {
        Self { customer, ..self }
    }
}

/// Reads the parameters common to all lists of payments.
///
/// # Errors
/// [`InputError`] names the parameter at fault.
pub fn asked(params: &mut Params<'_>, resource: &Resource) -> Result<Asked, InputError> {
    params.refuse(resource.not_narrowed_by)?;
    let mut filter =
        PaymentFilter { kinds: vec![resource.kind], limit: limit(params)?, ..PaymentFilter::default() };
    let (before, after) = cursors(params)?;
    let id = |name, text: Option<&String>| -> Result<Option<PaymentId>, InputError> {
        let unknown = |text: &String| unknown_cursor(name, resource.name, text);
        let parse = |text: &String| {
            let bits = text.strip_prefix(resource.kind.id_prefix()).ok_or_else(|| unknown(text))?;
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
                && payment.submission().kind.payment_kind() == resource.kind
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
