//! Lists charges. The charge of a first attempt has its payment's id and no row; those of later attempts have rows of parts. A list
//! merges both in the order of ids, and skips attempts that came to no charge.

use std::collections::HashMap;
use std::sync::Arc;

use super::parts::{PartFilter, PartKind};
use super::{PaymentFilter, Store, StoreResult};
use crate::domain::ids::{AccountId, ChargeId, PaymentId};
use crate::domain::payment::Payment;
use crate::domain::payment_kind::PaymentKind;
use crate::domain::submission::Kind;
use crate::domain::time::Timestamp;

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

/// Which charges to list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChargeFilter {
    /// Only charges older than this one.
    pub before: Option<ChargeId>,
    /// Only charges newer than this one; the page is then the oldest of those, still newest first.
    pub after: Option<ChargeId>,
    /// Created at or after.
    pub created_from: Option<Timestamp>,
    /// Created before.
    pub created_to: Option<Timestamp>,
    /// At most so many.
    pub limit: u32,
}

impl ChargeFilter {
    /// Whether this is a charge, and within all bounds but the limit.
    #[must_use]
    pub fn takes(&self, one: &Charged) -> bool {
        let bounds = self.later_attempts();
        let charge = one.payment.charge(one.charge);
        one.payment.submission().kind == Kind::Charge
            && charge.is_some_and(|charge| bounds.takes(charge.id.into(), charge.created_at))
    }

    /// The rows of later attempts in these bounds.
    fn later_attempts(&self) -> PartFilter {
        PartFilter {
            before: self.before.map(Into::into),
            after: self.after.map(Into::into),
            created_from: self.created_from,
            created_to: self.created_to,
            limit: self.limit,
        }
    }

    /// The payments whose first attempts are in these bounds.
    fn first_attempts(&self) -> PaymentFilter {
        let payment = |id: ChargeId| PaymentId::from_bytes(*id.as_bytes());
        let tolerance_ms = PartFilter::ID_TOLERANCE_MS;
        PaymentFilter {
            kinds: vec![PaymentKind::Charge],
            before: self.before.map(payment),
            after: self.after.map(payment),
            created_from: self.created_from.map(|from| from.minus_ms(tolerance_ms)),
            created_to: self.created_to.map(|to| to.plus_ms(tolerance_ms)),
            limit: self.limit,
            ..PaymentFilter::default()
        }
    }
}

/// An owner's charges, newest first.
///
/// # Errors
/// If the store cannot be read.
pub async fn charge_list(
    store: &dyn Store,
    owner: AccountId,
    filter: ChargeFilter,
) -> StoreResult<Vec<Charged>> {
    let backwards = filter.after.is_some();
    let wanted = usize::try_from(filter.limit).unwrap_or(usize::MAX);
    let mut found: Vec<Charged> = Vec::new();
    let mut next = filter;
    for _ in 0..READS_MAX {
        let read = Read::of(store, owner, &next).await?;
        let taken = read.charges.into_iter().filter(|one| filter.takes(one));
        found.extend(taken.take(wanted.saturating_sub(found.len())));
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
    horizon: Option<ChargeId>,
}

impl Read {
    async fn of(store: &dyn Store, owner: AccountId, filter: &ChargeFilter) -> StoreResult<Self> {
        let backwards = filter.after.is_some();
        let parts = store.part_list(owner, PartKind::Charge, &filter.later_attempts()).await?;
        let later: Vec<(ChargeId, PaymentId)> =
            parts.iter().map(|part| (ChargeId::from_bytes(*part.id.as_bytes()), part.payment)).collect();
        let payments = store.payment_list(owner, &filter.first_attempts()).await?;
        // A full page may hide charges past its end that the other page already has.
        let ends: Vec<Option<ChargeId>> = {
            let later = later.iter().map(|(charge, _)| *charge);
            let first = payments.iter().map(|payment| ChargeId::of_payment(payment.id()));
            vec![end(later, filter.limit, backwards), end(first, filter.limit, backwards)]
        };
        let ends = ends.into_iter().flatten();
        let horizon = if backwards { ends.min() } else { ends.max() };
        let within = |id: ChargeId| {
            horizon.is_none_or(|horizon| if backwards { id <= horizon } else { id >= horizon })
        };
        let later: Vec<(ChargeId, PaymentId)> =
            later.into_iter().filter(|(charge, _)| within(*charge)).collect();
        let mut ids: Vec<PaymentId> = later.iter().map(|(_, payment)| *payment).collect();
        ids.sort_unstable();
        ids.dedup();
        let named = if ids.is_empty() { Vec::new() } else { store.payment_get(&ids).await? };
        let named: HashMap<PaymentId, Arc<Payment>> =
            named.into_iter().map(|payment| (payment.id(), Arc::new(payment))).collect();
        let later = later.into_iter().filter_map(|(charge, payment)| {
            Some(Charged { payment: Arc::clone(named.get(&payment)?), charge })
        });
        let first = payments.into_iter().map(|payment| {
            let charge = ChargeId::of_payment(payment.id());
            Charged { payment: Arc::new(payment), charge }
        });
        let first = first.filter(|one| within(one.charge));
        let mut charges: Vec<Charged> = first.chain(later).collect();
        charges.sort_unstable_by_key(|one| one.charge);
        if !backwards {
            charges.reverse();
        }
        Ok(Self { charges, horizon })
    }
}

/// Where a full page ends in the direction of reading; `None` if it is not full. Pages are newest first in both directions.
fn end(
    mut ids: impl DoubleEndedIterator<Item = ChargeId> + ExactSizeIterator,
    limit: u32,
    backwards: bool,
) -> Option<ChargeId> {
    let full = ids.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
    if !full {
        return None;
    }
    if backwards { ids.next() } else { ids.next_back() }
}
