//! Checks plain resources: each row is what the journal last said of it; each stored answer is the one that its key names; each
//! payment of a customer is listed under them.
//!
//! Resources have no histories. What changed is in the journal, with the state after each change: the entry with a row's
//! version must say what the row says and be at the position that the row names. Nothing vouches any more for rows whose last
//! change was pruned from the journal.

use std::collections::HashMap;

use super::named::payments_named;
use super::report::{Name, Report};
use crate::domain::ids::AccountId;
use crate::domain::resource::Body;
use crate::domain::subject::Subject;
use crate::engine::journal::{JournalBody, ResourceEntry};
use crate::store::{AnswerWrite, AuditResource, IdempotencyRecord, JournalRecord, Snapshot, StoreError};

/// Resources and answers read at once: each may be a hundred kilobytes.
const ROWS_MAX: u32 = 64;

/// Resources by subject.
pub type Known = HashMap<Subject, AuditResource>;

/// The resources that these bodies of the journal name.
///
/// # Errors
/// The store's.
pub async fn named_in(
    snapshot: &mut dyn Snapshot,
    bodies: impl Iterator<Item = &JournalBody>,
) -> Result<Known, StoreError> {
    let mut subjects: Vec<Subject> =
        bodies.flat_map(|body| &body.resources).map(|entry| entry.subject).collect();
    subjects.sort_unstable();
    subjects.dedup();
    if subjects.is_empty() {
        return Ok(Known::new());
    }
    let found = snapshot.resources_of(&subjects).await?;
    Ok(found.into_iter().map(|row| (row.resource.subject, row)).collect())
}

/// Compares an entry of the journal with the resource it names.
pub fn entry(row: &JournalRecord, entry: &ResourceEntry, known: &Known, report: &mut Report) {
    report.resource_changes += entry.states.len() as u64;
    let subject = entry.subject;
    let mut wrong = |cause: &str| {
        let text = format!("row {}: {subject} version {}, {cause}", row.seq, entry.first_version);
        report.violation(Name::WrongResource, text);
    };
    let Some(AuditResource { resource, seq, .. }) = known.get(&subject) else {
        return wrong("which does not exist");
    };
    if (entry.owner, entry.clock, entry.created) != (resource.owner, resource.clock, resource.created) {
        return wrong("which its row says to be another's, or made at another time");
    }
    let Some(last) = entry.states.last() else { return };
    let changes = u32::try_from(entry.states.len()).unwrap_or(u32::MAX);
    let version = entry.first_version.saturating_add(changes).saturating_sub(1);
    if entry.first_version == 0 || version > resource.version {
        wrong("which its row never had");
    } else if version < resource.version {
        if *seq <= row.seq {
            wrong("after which its row says that it was not changed again");
        }
    } else if (last, row.seq) == (&resource.body, *seq) {
        report.vouched_resources += 1;
    } else {
        wrong("of which its row says something else");
    }
}

/// Goes through all resources. `begins` is the first row of the journal.
///
/// # Errors
/// If the store cannot be read.
pub async fn rows(
    snapshot: &mut dyn Snapshot,
    begins: Option<u64>,
    page: u32,
    report: &mut Report,
) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let page = snapshot.resources(after, page.min(ROWS_MAX)).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.resource.subject);
        for AuditResource { resource, seq, awake } in &page {
            if let Some(Body::Clock(clock)) = &resource.body
                && clock.moves()
                && !awake
            {
                let text = format!("{}: its time goes on, and nobody looks after it", resource.subject);
                report.violation(Name::WrongResource, text);
            }
            report.counted.resources += 1;
            report.resource_versions += u64::from(resource.version);
            if begins.is_some_and(|begins| *seq >= begins) {
                report.later_resources += 1;
            }
        }
    }
}

/// Checks that every stored answer is named by its key.
///
/// # Errors
/// If the store cannot be read.
pub async fn answers(snapshot: &mut dyn Snapshot, page: u32, report: &mut Report) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let page = snapshot.answers(after, page.min(ROWS_MAX)).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some((last.key, last.owner));
        for answer in &page {
            let record = key_of(snapshot, answer).await?;
            match record.and_then(|record| record.answer) {
                Some(name) if name == AnswerWrite::name(&answer.body) => report.sound_answers += 1,
                Some(_) => {
                    let text = format!("an answer of {} is not the one that was given", answer.owner);
                    report.violation(Name::WrongAnswer, text);
                }
                None => {
                    let text = format!("an answer of {} is kept for no key", answer.owner);
                    report.violation(Name::WrongAnswer, text);
                }
            }
        }
    }
}

/// The idempotency row of an answer.
async fn key_of(
    snapshot: &mut dyn Snapshot,
    answer: &AnswerWrite,
) -> Result<Option<IdempotencyRecord>, StoreError> {
    let before = u128::from_be_bytes(*answer.owner.as_bytes()).saturating_sub(1);
    let before = (answer.key, AccountId::from_bytes(before.to_be_bytes()));
    let next = snapshot.idempotency(Some(before), 1).await?.into_iter().next();
    Ok(next.filter(|record| (record.key, record.owner) == (answer.key, answer.owner)))
}

/// Checks that every payment listed for a customer names that customer.
///
/// # Errors
/// If the store cannot be read.
pub async fn customer_payments(
    snapshot: &mut dyn Snapshot,
    limit: u32,
    report: &mut Report,
) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let page = snapshot.customer_payments(after, limit).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(*last);
        let named = payments_named(snapshot, page.iter().map(|row| row.payment)).await?;
        for row in &page {
            let payment = named.get(&row.payment).and_then(|payment| payment.folded.as_ref().ok());
            if payment.is_some_and(|payment| payment.customer() == Some(row.customer)) {
                report.sound_customer_payments += 1;
            } else {
                let text = format!("payment {}: it is not of {}", row.payment, row.customer);
                report.violation(Name::WrongCustomerPayment, text);
            }
        }
    }
}

/// Compares the sums over all readers' reports. `whole` says that the journal was never pruned.
pub fn settle(whole: bool, report: &mut Report) {
    // What the journal can no longer show was reported already.
    let torn = [Name::JournalHole, Name::DamagedJournal, Name::WrongResource];
    if torn.iter().any(|name| report.counts().contains_key(name)) {
        return;
    }
    if report.vouched_resources != report.later_resources {
        let (vouched, rows) = (report.vouched_resources, report.later_resources);
        let text =
            format!("the journal vouches for {vouched} of {rows} resources that changed since it begins");
        report.violation(Name::WrongResource, text);
    } else if whole && report.resource_changes != report.resource_versions {
        let (changes, versions) = (report.resource_changes, report.resource_versions);
        let text =
            format!("the journal tells of {changes} changes of resources, their versions of {versions}");
        report.violation(Name::WrongResource, text);
    }
}

/// The same for answers and for payments of customers.
pub fn none_missing(report: &mut Report) {
    if let Some(missing @ 1..) = report.keys_with_answers.checked_sub(report.sound_answers)
        && !report.counts().contains_key(&Name::WrongAnswer)
    {
        let text = format!("{missing} answers that keys name are gone");
        report.violation(Name::WrongAnswer, text);
    }
    if let Some(missing @ 1..) = report.history_customer_payments.checked_sub(report.sound_customer_payments)
    {
        let text = format!("{missing} payments are not listed for their customers");
        report.violation(Name::WrongCustomerPayment, text);
    }
}
