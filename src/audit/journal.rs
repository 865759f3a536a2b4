//! The journal: no place in the line without its row, and every entry a part of its payment's history.

use std::collections::HashMap;

use super::AuditError;
use super::report::{Name, Report};
use crate::domain::ids::PaymentId;
use crate::domain::payment::Payment;
use crate::engine::journal::{JournalEntry, decode};
use crate::store::{JournalRecord, Snapshot, StoreError};

/// Journal rows read at once: each may hold a thousand entries.
const ROWS_MAX: u32 = 32;
/// Payments looked up at once.
const LOOKUP_MAX: usize = 500;

/// Checks the journal from its first kept row to the head.
///
/// # Errors
/// If the store cannot be read.
pub async fn check(snapshot: &mut dyn Snapshot, page: u32, report: &mut Report) -> Result<(), AuditError> {
    let head = snapshot.head().await?;
    let mut first = None;
    let mut last = 0;
    loop {
        let rows = snapshot.journal(last, page.min(ROWS_MAX)).await?;
        let Some(newest) = rows.last() else { break };
        let mut expected = if first.is_some() { last + 1 } else { rows.first().map_or(1, |row| row.seq) };
        first = first.or(Some(expected));
        for row in &rows {
            hole(expected, row.seq, report);
            expected = row.seq.saturating_add(1);
        }
        last = newest.seq;
        entries(snapshot, &rows, report).await?;
    }
    let end = if first.is_some() { last.saturating_add(1) } else { head.saturating_add(1) };
    hole(end, head.saturating_add(1), report);
    if last > head {
        report.violation(
            Name::JournalHole,
            format!("the last row is {last}, the head of the line only {head}"),
        );
    }
    cursors(snapshot, first.unwrap_or_else(|| head.saturating_add(1)), head, report).await?;
    // Anything of these would only be said twice.
    let said = [Name::IllegalHistory, Name::JournalHole, Name::DamagedJournal];
    if first == Some(1) && !said.iter().any(|name| report.counts().contains_key(name)) {
        complete(report);
    }
    Ok(())
}

fn hole(expected: u64, found: u64, report: &mut Report) {
    match found.saturating_sub(expected) {
        0 => {}
        1 => report.violation(Name::JournalHole, format!("row {expected} is missing")),
        _ => report.violation(Name::JournalHole, format!("rows {expected} to {} are missing", found - 1)),
    }
}

/// With the whole journal at hand, it holds as many events as the histories together. Each of its entries is found in
/// a history, so the two can only differ by entries that are lost or doubled.
fn complete(report: &mut Report) {
    let (journal, histories) = (report.counted.journal_events, report.history_events);
    if journal != histories {
        let text = format!("the journal holds {journal} events, the histories {histories}");
        report.violation(Name::WrongJournalEntry, text);
    }
}

async fn cursors(
    snapshot: &mut dyn Snapshot,
    first: u64,
    head: u64,
    report: &mut Report,
) -> Result<(), StoreError> {
    for (reader, cursor) in snapshot.cursors().await? {
        if cursor > head {
            let text = format!("reader {reader} is at {cursor}, the head of the line at {head}");
            report.violation(Name::WrongCursor, text);
        } else if cursor.saturating_add(1) < first {
            let text = format!("reader {reader} is at {cursor}, the journal begins only at {first}");
            report.violation(Name::WrongCursor, text);
        }
    }
    Ok(())
}

async fn entries(
    snapshot: &mut dyn Snapshot,
    rows: &[JournalRecord],
    report: &mut Report,
) -> Result<(), StoreError> {
    for row in rows {
        report.counted.journal += 1;
        match decode(&row.body) {
            Err(error) => report.violation(Name::DamagedJournal, format!("row {}: {error}", row.seq)),
            Ok(entries) => {
                for chunk in entries.chunks(LOOKUP_MAX) {
                    chunk_of_entries(snapshot, row.seq, chunk, report).await?;
                }
            }
        }
    }
    Ok(())
}

async fn chunk_of_entries(
    snapshot: &mut dyn Snapshot,
    seq: u64,
    entries: &[JournalEntry],
    report: &mut Report,
) -> Result<(), StoreError> {
    let mut ids: Vec<PaymentId> = entries.iter().map(|entry| entry.payment).collect();
    ids.sort_unstable();
    ids.dedup();
    let found = snapshot.payments_by_id(&ids).await?;
    // Payments whose history is not legal are named elsewhere.
    let known: HashMap<PaymentId, Option<Payment>> =
        found.into_iter().map(|row| (row.id, row.folded.ok())).collect();
    for entry in entries {
        report.counted.journal_events += entry.events.len() as u64;
        let cause = match known.get(&entry.payment) {
            None => Some("which does not exist"),
            Some(Some(payment)) if !is_part(payment, entry) => Some("which is not what its history says"),
            Some(_) => None,
        };
        if let Some(cause) = cause {
            let versions =
                format!("version {} and {} more", entry.first_version, entry.events.len().saturating_sub(1));
            let text = format!("row {seq}: payment {} {versions}, {cause}", entry.payment);
            report.violation(Name::WrongJournalEntry, text);
        }
    }
    Ok(())
}

fn is_part(payment: &Payment, entry: &JournalEntry) -> bool {
    let Some(start) = entry.first_version.checked_sub(1).and_then(|start| usize::try_from(start).ok()) else {
        return false;
    };
    let end = start.saturating_add(entry.events.len());
    entry.owner == payment.owner() && payment.history().get(start..end) == Some(entry.events.as_slice())
}
