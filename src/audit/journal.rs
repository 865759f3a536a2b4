//! Checks the journal: every position has its row, every entry is part of its payment's history, and the order of the rows is right
//! (see `order`).

use std::collections::HashMap;

use super::keys::Balance;
use super::named::payments_named;
use super::open;
use super::order::{Stretch, WithinBatch, hole};
use super::payment::part;
use super::report::{Name, Report};
use super::span::{Job, Queue, Span};
use super::{AuditOptions, Progress, Table, resources};
use crate::domain::ids::PaymentId;
use crate::domain::ledger::{LedgerAccount, Movement};
use crate::domain::payment::{Payment, WorkKey};
use crate::domain::wallet::WalletId;
use crate::engine::journal::{JournalBody, JournalEntry, decode};
use crate::store::{AuditPayment, JournalRecord, MovementRecord, Snapshot, StoreError};

/// Journal rows read at once: each may hold a thousand entries.
const ROWS_MAX: u32 = 32;
/// About how many entries' payments are looked up together: neighbouring rows often name the same payments.
const ENTRIES_MAX: usize = 2_000;

/// A row that could be read.
type Row = (JournalRecord, JournalBody);
/// Payments that entries name; `None` if the history is not legal, which is reported elsewhere.
type Known = HashMap<PaymentId, Option<AuditPayment>>;

/// Walks a stretch of the journal.
pub(super) struct Walk<'a> {
    pub(super) snapshot: &'a mut dyn Snapshot,
    pub(super) balance: &'a Balance,
    pub(super) open: open::Scope,
    pub(super) options: &'a AuditOptions,
    pub(super) progress: &'a dyn Progress,
    pub(super) report: &'a mut Report,
}

impl Walk<'_> {
    /// From the first row to the last, giving work away to readers that wait for it.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn walk(&mut self, mut span: Span<8>, queue: &Queue) -> Result<Stretch, StoreError> {
        let mut stretch = Stretch::default();
        let mut after = span.after.map_or(0, u64::from_be_bytes);
        loop {
            let mut rows = self.snapshot.journal(after, self.options.page.min(ROWS_MAX)).await?;
            let read = rows.len();
            rows.retain(|row| row.seq <= u64::from_be_bytes(span.upto));
            let (Some(first), Some(last)) = (rows.first().map(|row| row.seq), rows.last().map(|row| row.seq))
            else {
                return Ok(stretch);
            };
            after = last;
            if queue.is_waited_for()
                && let Some(later) = span.cut(last.to_be_bytes())
            {
                queue.give(Job::Journal(later));
            }
            let ended = rows.len() < read;
            let (count, begins) = (rows.len() as u64, stretch.rows.map_or(first, |(first, _)| first));
            let mut expected = stretch.rows.map_or(first, |(_, last)| last.saturating_add(1));
            for row in &rows {
                hole(expected, row.seq, self.report);
                expected = row.seq.saturating_add(1);
            }
            stretch.rows = Some((begins, last));
            self.rows(rows, &mut stretch).await?;
            self.progress.passed(Table::Journal, count);
            if ended {
                return Ok(stretch);
            }
        }
    }

    async fn rows(&mut self, rows: Vec<JournalRecord>, stretch: &mut Stretch) -> Result<(), StoreError> {
        let mut readable: Vec<Row> = Vec::new();
        let mut entries = 0;
        for row in rows {
            self.report.counted.journal += 1;
            match decode(&row.body) {
                Err(error) => {
                    self.report.violation(Name::DamagedJournal, format!("row {}: {error}", row.seq));
                }
                Ok(decoded) => {
                    entries += decoded.payments.len() + decoded.resources.len();
                    readable.push((row, decoded));
                }
            }
            if entries >= ENTRIES_MAX {
                self.readable(&std::mem::take(&mut readable), stretch).await?;
                entries = 0;
            }
        }
        self.readable(&readable, stretch).await
    }

    async fn readable(&mut self, rows: &[Row], stretch: &mut Stretch) -> Result<(), StoreError> {
        let resources = resources::named_in(self.snapshot, rows.iter().map(|(_, body)| body)).await?;
        let ids = rows.iter().flat_map(|(_, body)| &body.payments).map(|entry| entry.payment);
        let named = payments_named(self.snapshot, ids).await?;
        let known: Known =
            named.into_iter().map(|(id, row)| (id, row.folded.is_ok().then_some(row))).collect();
        let paid: Vec<PaymentId> = known.keys().copied().collect();
        let stored = self.snapshot.movements_of(&paid).await?;
        let stored: HashMap<_, _> =
            stored.iter().map(|found| ((found.payment, found.version, found.n), found)).collect();
        for (row, body) in rows {
            for entry in &body.resources {
                entry.keys.iter().for_each(|key| self.balance.vouched(row.at, *key));
                resources::entry(row, entry, &resources, self.report);
            }
            let mut order = Order { seq: row.seq, stored: &stored, made: Vec::new(), unknown: false };
            for entry in &body.payments {
                entry.keys.iter().for_each(|key| self.balance.vouched(row.at, *key));
                self.entry(row, entry, &known, stretch, &mut order);
            }
            stretch.batch(row.seq, &order.changes(self.report));
        }
        Ok(())
    }

    fn entry(
        &mut self,
        row: &JournalRecord,
        entry: &JournalEntry,
        known: &Known,
        stretch: &mut Stretch,
        order: &mut Order<'_>,
    ) {
        let (seq, events) = (row.seq, entry.events.len());
        self.report.counted.journal_events += events as u64;
        let mut wrong = |cause: &str| {
            let versions = format!("version {} and {} more", entry.first_version, events.saturating_sub(1));
            let text = format!("row {seq}: payment {} {versions}, {cause}", entry.payment);
            self.report.violation(Name::WrongJournalEntry, text);
        };
        let stored = match known.get(&entry.payment) {
            None => {
                order.unknown = true;
                return wrong("which does not exist");
            }
            Some(None) => {
                order.unknown = true;
                return;
            }
            Some(Some(stored)) => stored,
        };
        let Ok(payment) = &stored.folded else { return };
        if !is_part(payment, entry) {
            order.unknown = true;
            return wrong("which is not what its history says");
        }
        if entry.events.iter().any(|recorded| recorded.wall != row.at) {
            wrong("which did not happen when the row was written");
        }
        let end = entry.first_version.saturating_add(u32::try_from(events).unwrap_or(u32::MAX));
        let part = part(payment, entry.first_version..end);
        if part.opened().map(|work| (work.operation, work.attempt)).ne(entry.work.iter().copied()) {
            wrong("which opened other work than it says");
        }
        stretch.versions(seq, entry.payment, entry.first_version..end, payment.version());
        order.payment(entry.payment, &part.movements, self.report);
        if part.open() != entry.open {
            let text = format!("row {seq}: payment {}, whether anything is left in the queue", entry.payment);
            self.report.violation(Name::WrongJournalEntry, text);
        }
        if seq > self.open.cursor {
            let key = |(operation, attempt)| WorkKey { payment: entry.payment, operation, attempt };
            let opened: Vec<WorkKey> = entry.work.iter().copied().map(key).collect();
            payment
                .queued_work()
                .filter(|work| opened.contains(work))
                .for_each(|work| stretch.queued.add(&work));
        }
    }
}

/// The movements of one batch, and the order in which they were made.
struct Order<'a> {
    seq: u64,
    /// The movements that are stored.
    stored: &'a HashMap<(PaymentId, u32, u8), &'a MovementRecord>,
    made: Vec<(u32, Movement)>,
    /// Whether something of the batch is not known.
    unknown: bool,
}

impl Order<'_> {
    /// Adds what the batch did to a payment.
    fn payment(&mut self, id: PaymentId, movements: &[(u32, u8, Movement)], report: &mut Report) {
        let mut before = None;
        for (version, n, movement) in movements {
            let Some(stored) = self.stored.get(&(id, *version, *n)) else {
                // It is lost, which is reported elsewhere.
                self.unknown = true;
                self.made.push((u32::MAX, *movement));
                continue;
            };
            if stored.seq != self.seq || before.is_some_and(|before| stored.place <= before) {
                self.unknown = true;
                let text = format!(
                    "payment {id} version {version}: its movement stands at place {} of row {}, it was made by row {}",
                    stored.place, stored.seq, self.seq
                );
                report.violation(Name::AlteredPlace, text);
            }
            before = Some(stored.place);
            self.made.push((stored.place, *movement));
        }
    }

    /// What the batch did to each wallet.
    fn changes(mut self, report: &mut Report) -> HashMap<WalletId, WithinBatch> {
        self.made.sort_by_key(|(place, _)| *place);
        if !self.unknown && (0..).zip(&self.made).any(|(wanted, (place, _))| wanted != *place) {
            let text = format!("row {}: its movements do not stand in one order", self.seq);
            report.violation(Name::AlteredPlace, text);
        }
        let mut changes: HashMap<WalletId, WithinBatch> = HashMap::new();
        for (_, movement) in &self.made {
            for account in [movement.debit, movement.credit] {
                if let LedgerAccount::Wallet(wallet) = account {
                    changes.entry(wallet).or_default().movement(movement.change_of(account));
                }
            }
        }
        changes
    }
}

fn is_part(payment: &Payment, entry: &JournalEntry) -> bool {
    let submission = payment.submission();
    let Some(start) = entry.first_version.checked_sub(1).and_then(|start| usize::try_from(start).ok()) else {
        return false;
    };
    let end = start.saturating_add(entry.events.len());
    entry.owner == payment.owner()
        && entry.payee == submission.payee_wallet().map(|wallet| wallet.owner)
        && entry.lane == submission.lane
        && entry.run == submission.run
        && payment.history().get(start..end) == Some(entry.events.as_slice())
}

/// Checks that the journal ends at the head, and that no reader is past it or was cut off. Called with all stretches joined.
///
/// # Errors
/// If the store cannot be read.
pub(super) async fn ends(
    snapshot: &mut dyn Snapshot,
    stretch: &Stretch,
    options: &AuditOptions,
    report: &mut Report,
) -> Result<(), StoreError> {
    let head = report.counted.head;
    let (first, last) = stretch.rows.unwrap_or((head.saturating_add(1), head));
    hole(last.saturating_add(1), head.saturating_add(1), report);
    if last > head {
        let text = format!("the last row is {last}, the head of the line only {head}");
        report.violation(Name::JournalHole, text);
    }
    cursors(snapshot, options, first, head, report).await?;
    // After any of these, a difference would only be reported twice.
    let reported = [Name::IllegalHistory, Name::JournalHole, Name::DamagedJournal];
    if first == 1 && !reported.iter().any(|name| report.counts().contains_key(name)) {
        complete(report);
    }
    Ok(())
}

/// Checks that the whole journal holds as many events as the histories together. Each of its entries is found in a history, so the
/// two can only differ by entries that are lost or doubled.
fn complete(report: &mut Report) {
    let (journal, histories) = (report.counted.journal_events, report.history_events);
    if journal != histories {
        let text = format!("the journal holds {journal} events, the histories {histories}");
        report.violation(Name::WrongJournalEntry, text);
    }
}

async fn cursors(
    snapshot: &mut dyn Snapshot,
    options: &AuditOptions,
    first: u64,
    head: u64,
    report: &mut Report,
) -> Result<(), StoreError> {
    let cursors = snapshot.cursors().await?;
    let stands = |reader: &&String| cursors.iter().any(|(name, _)| name == *reader);
    for reader in options.journal_readers.iter().filter(|reader| first > 1 && !stands(reader)) {
        let text = format!("reader {reader} stands nowhere, the journal begins only at {first}");
        report.violation(Name::WrongCursor, text);
    }
    // Other rows are leases, which have no position.
    for (reader, cursor) in cursors.into_iter().filter(|(name, _)| options.journal_readers.contains(name)) {
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
