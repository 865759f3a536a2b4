//! Checks details of attempts and refunds: those that histories name exist, say what they said, and no refund shows one that it
//! does not name.
//!
//! A detail is written before the command that names it, and a request that is sent again or refused leaves one that nothing names.
//! Nothing shows such a row, so it is counted and is no violation, as long as it matches its name.

use std::collections::{BTreeSet, HashMap};

use super::named::payments_named;
use super::report::{Name, Report};
use crate::domain::event::Event;
use crate::domain::ids::{DisputeId, PartId, PaymentId, RefundId};
use crate::domain::payment::{Payment, Refund};
use crate::domain::terms::Terms;
use crate::store::{AuditPayment, DetailRecord, PartKind, PartRecord, Snapshot, StoreError};

/// A detail's subject and name.
type Key = ([u8; 16], u64);

/// Details read at once.
const AT_ONCE: usize = 64;

/// The details that a history names.
#[must_use]
pub fn named_by(payment: &Payment) -> BTreeSet<Key> {
    let attempts = payment.history().iter().filter_map(|recorded| match recorded.event {
        Event::Created { instrument, .. } => instrument?.detail(),
        Event::Confirmed { instrument, .. } => instrument.detail(),
        _ => None,
    });
    let terms = (1..).zip(payment.history()).filter_map(|(version, recorded)| match recorded.event {
        Event::Amended { terms: Some(_), .. } => Some((*payment.id().as_bytes(), version)),
        _ => None,
    });
    let attempts = attempts.map(|id| (*payment.id().as_bytes(), id));
    let refunds = payment.state().refunds.iter();
    let refunds = refunds.map(|refund| (*refund.id.as_bytes(), refund.detail.unwrap_or(0)));
    let disputes = payment.history().iter().filter_map(|recorded| match recorded.event {
        Event::DisputeNoted { dispute, detail, .. } => Some((*dispute.as_bytes(), detail)),
        _ => None,
    });
    attempts.chain(refunds).chain(terms).chain(disputes).filter(|(_, id)| *id != 0).collect()
}

/// Reports the details of these payments that are gone.
///
/// # Errors
/// If the store cannot be read.
pub async fn missing<'a>(
    snapshot: &mut dyn Snapshot,
    payments: impl Iterator<Item = &'a Payment>,
    report: &mut Report,
) -> Result<(), StoreError> {
    let mut wanted: HashMap<Key, PaymentId> = HashMap::new();
    for payment in payments {
        wanted.extend(named_by(payment).into_iter().map(|key| (key, payment.id())));
    }
    if wanted.is_empty() {
        return Ok(());
    }
    let keys: BTreeSet<Key> = wanted.keys().copied().collect();
    let keys: Vec<Key> = keys.into_iter().collect();
    // Each may be a hundred kilobytes.
    for chunk in keys.chunks(AT_ONCE) {
        for found in snapshot.details_of(chunk).await? {
            wanted.remove(&(found.subject, found.id));
        }
    }
    let mut wanted: Vec<_> = wanted.into_iter().map(|((subject, _), payment)| (payment, subject)).collect();
    wanted.sort_unstable();
    for (payment, subject) in wanted {
        let of = if subject == *payment.as_bytes() {
            "an attempt".to_owned()
        } else {
            format!("a part, {}", RefundId::from_bytes(subject).with_prefix(""))
        };
        report.violation(Name::MissingDetail, format!("payment {payment}: what was kept of {of} is gone"));
    }
    Ok(())
}

/// Checks all that are stored.
///
/// # Errors
/// If the store cannot be read.
pub async fn all(snapshot: &mut dyn Snapshot, limit: u32, report: &mut Report) -> Result<(), StoreError> {
    let (mut after, mut left_over) = (None, 0_u64);
    loop {
        let page = snapshot.details(after, limit.min(64)).await?;
        let Some(last) = page.last() else { break };
        after = Some((last.subject, last.id));
        let subjects = page.iter().map(|row| PaymentId::from_bytes(row.subject));
        let payments = payments_named(snapshot, subjects).await?;
        for row in &page {
            report.counted.details += 1;
            let found = match payments.get(&PaymentId::from_bytes(row.subject)) {
                Some(stored) => of_attempt(row, stored),
                None => match part_row(snapshot, row.subject).await? {
                    Some(part) if part.kind == PartKind::Refund => of_refund(row, &part, snapshot).await?,
                    Some(part) if part.kind == PartKind::Dispute => of_dispute(row, &part, snapshot).await?,
                    Some(_) | None => of_nothing(row),
                },
            };
            match found {
                Found::Named => {}
                Found::LeftOver => left_over += 1,
                Found::Wrong(name, cause) => {
                    let (payment, id) = (PaymentId::from_bytes(row.subject), row.id);
                    report.violation(name, format!("detail {id:x} of {}: {cause}", payment.with_prefix("")));
                }
            }
        }
    }
    if left_over > 0 {
        report
            .note(format!("{left_over} details are left over from requests that were refused or sent again"));
    }
    Ok(())
}

/// What a row turned out to be.
enum Found {
    Named,
    LeftOver,
    Wrong(Name, &'static str),
}

const ALTERED: Found = Found::Wrong(Name::AlteredDetail, "it says something else than when it was kept");

/// A detail of an amendment: written with its event, so none is ever left over.
fn of_amendment(row: &DetailRecord, version: u32, stored: &AuditPayment) -> Found {
    // An illegal history is reported elsewhere.
    let Ok(payment) = &stored.folded else { return Found::LeftOver };
    let place = usize::try_from(version).ok().and_then(|version| version.checked_sub(1));
    match place.and_then(|place| payment.history().get(place)).map(|recorded| recorded.event) {
        Some(Event::Amended { terms: Some(name), .. }) if name == Terms::fingerprint(&row.body) => {
            Found::Named
        }
        Some(Event::Amended { terms: Some(_), .. }) => ALTERED,
        Some(_) | None => Found::Wrong(Name::DanglingDetail, "the payment was not amended then"),
    }
}

fn of_attempt(row: &DetailRecord, stored: &AuditPayment) -> Found {
    if let Some(version) = row.version() {
        return of_amendment(row, version, stored);
    }
    if row.id != DetailRecord::name_of_attempt(&row.body) {
        return ALTERED;
    }
    // An illegal history is reported elsewhere.
    let is_named = |payment: &Payment| named_by(payment).contains(&(row.subject, row.id));
    if stored.folded.as_ref().is_ok_and(is_named) { Found::Named } else { Found::LeftOver }
}

async fn part_row(snapshot: &mut dyn Snapshot, subject: [u8; 16]) -> Result<Option<PartRecord>, StoreError> {
    let before = u128::from_be_bytes(subject).checked_sub(1);
    let before = before.map(|bits| PartId::from_bytes(bits.to_be_bytes()));
    let next = snapshot.parts(before, 1).await?.into_iter().next();
    Ok(next.filter(|record| *record.id.as_bytes() == subject))
}

/// A detail of a dispute: its history names each that was ever in force, since events show it.
async fn of_dispute(
    row: &DetailRecord,
    record: &PartRecord,
    snapshot: &mut dyn Snapshot,
) -> Result<Found, StoreError> {
    let dispute = DisputeId::from_bytes(*record.id.as_bytes());
    if row.id != DetailRecord::name_of_dispute(dispute, &row.body) {
        return Ok(ALTERED);
    }
    let payments = payments_named(snapshot, std::iter::once(record.payment)).await?;
    let payment = payments.get(&record.payment).and_then(|stored| stored.folded.as_ref().ok());
    let is_named = |payment: &Payment| named_by(payment).contains(&(row.subject, row.id));
    Ok(if payment.is_some_and(is_named) { Found::Named } else { Found::LeftOver })
}

async fn of_refund(
    row: &DetailRecord,
    record: &PartRecord,
    snapshot: &mut dyn Snapshot,
) -> Result<Found, StoreError> {
    let payments = payments_named(snapshot, std::iter::once(record.payment)).await?;
    let payment = payments.get(&record.payment).and_then(|stored| stored.folded.as_ref().ok());
    // A row of a refund that is in no history is reported elsewhere.
    let Some(refund) =
        payment.and_then(|payment| payment.refund(RefundId::from_bytes(*record.id.as_bytes())))
    else {
        return Ok(Found::LeftOver);
    };
    Ok(match refund {
        // From before its name was part of the history.
        Refund { detail: None, .. } if row.id == 0 && is_object(&row.body) => Found::Named,
        Refund { detail: None | Some(0), .. } => {
            Found::Wrong(Name::DanglingDetail, "the refund has none, by its history")
        }
        Refund { id, .. } if row.id != DetailRecord::name_of_refund(*id, &row.body) => ALTERED,
        Refund { detail: Some(named), .. } if *named == row.id => Found::Named,
        Refund { .. } => Found::Wrong(Name::DanglingDetail, "the refund has another, by its history"),
    })
}

fn of_nothing(row: &DetailRecord) -> Found {
    let refund = RefundId::from_bytes(row.subject);
    let names = [DetailRecord::name_of_attempt(&row.body), DetailRecord::name_of_refund(refund, &row.body)];
    if names.contains(&row.id) || (row.id == 0 && is_object(&row.body)) {
        Found::LeftOver
    } else {
        Found::Wrong(Name::DanglingDetail, "it belongs to nothing, and is not what its name says")
    }
}

fn is_object(body: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Value>(body).is_ok_and(|value| value.is_object())
}
