//! Lists charges. The charge of a first attempt has its payment's id and no row; those of later attempts have rows of parts. A list
//! merges both in the order of ids, and skips attempts that came to no charge.

use std::collections::HashMap;
use std::sync::Arc;

use super::parts::{PartFilter, PartKind};
use super::{PaymentFilter, Store, StoreResult};
use crate::domain::ids::{AccountId, ChargeId, PartId, PaymentId};
use crate::domain::payment::Payment;
use crate::domain::payment_kind::PaymentKind;

/// The most payments and rows read at once.
const READ_MAX: u32 = 256;
/// The most reads for one page.
const READS_MAX: usize = 1_000;

/// A charge and its payment.
#[derive(Debug, Clone)]
pub struct Charged {
    /// The payment that the charge is an attempt of.
    pub payment: Arc<Payment>,
    /// Names one of the payment's charges.
    pub charge: ChargeId,
}

/// An owner's charges, newest first.
///
/// # Errors
/// If the store cannot be read.
pub async fn charge_list(
    store: &dyn Store,
    owner: AccountId,
    filter: PartFilter,
) -> StoreResult<Vec<Charged>> {
    let backwards = filter.after.is_some();
    let wanted = usize::try_from(filter.limit).unwrap_or(usize::MAX);
    let mut found: Vec<Charged> = Vec::new();
    let mut next = filter;
    for _ in 0..READS_MAX {
        let read = Read::of(store, owner, &next).await?;
        let fits = |one: &Charged| {
            let charge = one.payment.charge(one.charge);
            charge.is_some_and(|charge| filter.is_in_time(charge.created_at))
        };
        found.extend(read.charges.into_iter().filter(fits).take(wanted.saturating_sub(found.len())));
        let Some(horizon) = read.horizon.filter(|_| found.len() < wanted) else { break };
        if backwards {
            next.after = Some(horizon);
        } else {
            next.before = Some(horizon);
        }
        next.limit = next.limit.saturating_mul(2).min(READ_MAX.max(filter.limit));
    }
    if backwards {
        found.reverse();
    }
    Ok(found)
}

/// A stretch of an owner's attempts.
struct Read {
    /// In the direction of reading.
    charges: Vec<Charged>,
    /// How far the stretch goes; `None` if nothing comes after it.
    horizon: Option<PartId>,
}

impl Read {
    async fn of(store: &dyn Store, owner: AccountId, filter: &PartFilter) -> StoreResult<Self> {
        let backwards = filter.after.is_some();
        let parts = store.part_list(owner, PartKind::Charge, filter).await?;
        let payments = store.payment_list(owner, &first_attempts(filter)).await?;
        // A full page may hide charges past its end that the other page already has.
        let ends: Vec<Option<PartId>> = {
            let (parts, payments) =
                (parts.iter().map(|part| part.id), payments.iter().map(|payment| first_of(payment.id())));
            vec![end(parts, filter.limit, backwards), end(payments, filter.limit, backwards)]
        };
        let ends = ends.into_iter().flatten();
        let horizon = if backwards { ends.min() } else { ends.max() };
        let within =
            |id: PartId| horizon.is_none_or(|horizon| if backwards { id <= horizon } else { id >= horizon });
        let later: Vec<(PartId, PaymentId)> =
            parts.iter().filter(|part| within(part.id)).map(|part| (part.id, part.payment)).collect();
        let mut ids: Vec<PaymentId> = later.iter().map(|(_, payment)| *payment).collect();
        ids.sort_unstable();
        ids.dedup();
        let named = if ids.is_empty() { Vec::new() } else { store.payment_get(&ids).await? };
        let named: HashMap<PaymentId, Arc<Payment>> =
            named.into_iter().map(|payment| (payment.id(), Arc::new(payment))).collect();
        let later = later.into_iter().filter_map(|(id, payment)| {
            let charge = ChargeId::from_bytes(*id.as_bytes());
            Some(Charged { payment: Arc::clone(named.get(&payment)?), charge })
        });
        let first = payments.into_iter().filter(|payment| within(first_of(payment.id()))).map(|payment| {
            let charge = ChargeId::of_payment(payment.id());
            Charged { payment: Arc::new(payment), charge }
        });
        let mut charges: Vec<Charged> = first.chain(later).collect();
        charges.sort_unstable_by_key(|one| one.charge);
        if !backwards {
            charges.reverse();
        }
        Ok(Self { charges, horizon })
    }
}

/// The id of the charge of a payment's first attempt.
fn first_of(payment: PaymentId) -> PartId {
    ChargeId::of_payment(payment).into()
}

/// Where a full page ends in the direction of reading; `None` if it is not full. Pages are newest first in both directions.
fn end(
    mut ids: impl DoubleEndedIterator<Item = PartId> + ExactSizeIterator,
    limit: u32,
    backwards: bool,
) -> Option<PartId> {
    let full = ids.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
    if !full {
        return None;
    }
    if backwards { ids.next() } else { ids.next_back() }
}

/// The payments whose first attempts are in these bounds.
fn first_attempts(filter: &PartFilter) -> PaymentFilter {
    let payment = |id: PartId| PaymentId::from_bytes(*id.as_bytes());
    let tolerance_ms = PartFilter::ID_TOLERANCE_MS;
    PaymentFilter {
        kinds: vec![PaymentKind::Charge],
        before: filter.before.map(payment),
        after: filter.after.map(payment),
        created_from: filter.created_from.map(|from| from.minus_ms(tolerance_ms)),
        created_to: filter.created_to.map(|to| to.plus_ms(tolerance_ms)),
        limit: filter.limit,
        ..PaymentFilter::default()
    }
}
