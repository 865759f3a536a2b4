//! Checks scenarios: each file is what its hash says, and each revision that a history names exists. Which revision an account is
//! under is checked with other rows that may contradict one another. May depend on the store's port. Must not repair anything.

use std::collections::BTreeMap;

use super::report::{Name, Report};
use crate::domain::ids::PaymentId;
use crate::domain::payment::Payment;
use crate::domain::scenario_revision::ScenarioRevision;
use crate::store::{Snapshot, StoreError};

/// Files read at once: each may have a quarter of a megabyte.
const FILES_AT_ONCE: u32 = 16;

/// Reports files that are not what they were.
///
/// # Errors
/// If the store cannot be read.
pub async fn files(snapshot: &mut dyn Snapshot, report: &mut Report) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let page = snapshot.scenario_files(after, FILES_AT_ONCE).await?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        after = Some(*last);
        for (hash, body) in &page {
            if blake3::hash(body).as_bytes() != hash {
                let hash = blake3::Hash::from_bytes(*hash).to_hex();
                report
                    .violation(Name::WrongScenario, format!("the file {hash} is not what was put in force"));
            }
        }
    }
}

/// Reports revisions that answered these payments and are gone: nobody could say any more why they were answered so.
///
/// # Errors
/// If the store cannot be read.
pub async fn missing<'a>(
    snapshot: &mut dyn Snapshot,
    payments: impl Iterator<Item = &'a Payment>,
    report: &mut Report,
) -> Result<(), StoreError> {
    let mut named: BTreeMap<ScenarioRevision, PaymentId> = BTreeMap::new();
    for payment in payments {
        let revisions = payment.history().iter().filter_map(|recorded| recorded.scenario);
        named.extend(revisions.map(|revision| (revision, payment.id())));
    }
    if named.is_empty() {
        return Ok(());
    }
    let revisions: Vec<ScenarioRevision> = named.keys().copied().collect();
    for record in snapshot.scenario_revisions_of(&revisions).await? {
        named.remove(&record.revision);
    }
    for (revision, payment) in named {
        let text =
            format!("payment {payment} was answered by scenario revision {revision}, which does not exist");
        report.violation(Name::WrongScenario, text);
    }
    Ok(())
}
