//! Checks idempotency rows: each points at a payment or resource of its owner that has had the version it remembers, and each that
//! the journal vouches for is there, unchanged.
//!
//! A batch's journal row keeps a fingerprint of each idempotency row that it wrote. Both sides are summed up in a fixed number of
//! buckets; only where sums differ are the rows themselves compared. Nothing vouches any more for rows of batches that are pruned
//! from the journal, or older than keys are kept: their time is compared with that of the version they remember.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use super::named::payments_named;
use super::report::{Name, Report};
use super::span::{Job, Queue, Span};
use super::{AuditOptions, Progress, Table};
use crate::domain::ids::{AccountId, PaymentId};
use crate::domain::payment::Payment;
use crate::domain::subject::Subject;
use crate::domain::time::Timestamp;
use crate::engine::journal::{JournalBody, decode};
use crate::store::{IdempotencyRecord, PaymentHead, Snapshot, StoreError};

/// How many sums there are.
const BUCKETS: usize = 65_536;
/// Buckets looked into again at once; with more, all is lost anyway.
const AGAIN_MAX: usize = 256;
/// How far clocks of different processes may be apart.
const CLOCKS_APART_MS: u64 = 60_000;
/// Journal rows read at once.
const ROWS_MAX: u32 = 32;

/// What the journal vouches for, less what is there.
#[derive(Debug)]
pub struct Balance {
    sums: Vec<AtomicU64>,
    /// Rows written earlier are left out on both sides.
    since: Timestamp,
    /// Rows written from then on are vouched for, even if the clocks of the processes that wrote the journal's first rows were off.
    all_since: Timestamp,
}

impl Balance {
    /// Nothing so far. `begins` is the position and time of the first journal row: nothing vouches for what was written before it.
    /// Rows older than `kept` may have been deleted.
    pub fn new(begins: Option<(u64, Timestamp)>, kept: Timestamp) -> Self {
        let never = Timestamp::from_micros(i64::MAX);
        let since = begins.map_or(never, |(_, at)| at.max(kept));
        let all_since = match begins {
            Some((1, _)) => since,
            Some(_) => since.plus_ms(CLOCKS_APART_MS),
            None => never,
        };
        Self { sums: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(), since, all_since }
    }

    fn sum(&self, mark: u64) -> Option<&AtomicU64> {
        self.sums.get(bucket(mark))
    }

    /// A batch decided at `at` vouches for this.
    pub fn vouched(&self, at: Timestamp, fingerprint: u64) {
        let mark = mark(fingerprint, at);
        if at >= self.since
            && let Some(sum) = self.sum(mark)
        {
            sum.fetch_add(mark, Ordering::Relaxed);
        }
    }

    fn found(&self, record: &IdempotencyRecord) {
        let mark = mark_of(record);
        if record.at >= self.since
            && let Some(sum) = self.sum(mark)
        {
            sum.fetch_sub(mark, Ordering::Relaxed);
        }
    }

    /// Reports what is missing and what is too much, where sums differ.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn settle(&self, snapshot: &mut dyn Snapshot, report: &mut Report) -> Result<(), StoreError> {
        let uneven = |(at, sum): (usize, &AtomicU64)| (sum.load(Ordering::Relaxed) != 0).then_some(at);
        let mut uneven: Vec<usize> = self.sums.iter().enumerate().filter_map(uneven).collect();
        uneven.truncate(AGAIN_MAX);
        if uneven.is_empty() {
            return Ok(());
        }
        let looked_at = |mark: u64| uneven.binary_search(&bucket(mark)).is_ok();
        // Rows that are gone or unreadable vouch for nothing either.
        let broken = [Name::JournalHole, Name::DamagedJournal, Name::UnreadableRow];
        let broken = broken.iter().any(|name| report.counts().contains_key(name));
        let mut missing: HashMap<u64, (u64, Subject)> = HashMap::new();
        let mut after = 0;
        loop {
            let rows = snapshot.journal(after, ROWS_MAX).await?;
            let Some(last) = rows.last() else { break };
            after = last.seq;
            for row in rows.iter().filter(|row| row.at >= self.since) {
                let JournalBody { payments, resources } = decode(&row.body).unwrap_or_default();
                let of_payments = payments.iter().map(|entry| (Subject::from(entry.payment), &entry.keys));
                let of_resources = resources.iter().map(|entry| (entry.subject, &entry.keys));
                for (subject, keys) in of_payments.chain(of_resources) {
                    let marks = keys.iter().map(|key| mark(*key, row.at)).filter(|mark| looked_at(*mark));
                    missing.extend(marks.map(|mark| (mark, (row.seq, subject))));
                }
            }
        }
        let mut after = None;
        loop {
            let mut rows = snapshot.idempotency(after, 1_000).await?;
            let Some(last) = rows.last() else { break };
            after = Some((last.key, last.owner));
            rows.retain(|record| {
                let mark = mark_of(record);
                missing.remove(&mark).is_none() && record.at >= self.all_since && looked_at(mark)
            });
            if !broken {
                unexplained(snapshot, &rows, report).await?;
            }
        }
        let mut missing: Vec<_> = missing.into_values().collect();
        missing.sort_unstable();
        for (seq, subject) in missing {
            let text = format!(
                "{} {subject}: the idempotency row written with row {seq} is gone, or says something else",
                subject.kind().name()
            );
            report.violation(Name::MissingKey, text);
        }
        Ok(())
    }
}

fn bucket(mark: u64) -> usize {
    usize::try_from(mark % (BUCKETS as u64)).unwrap_or(0)
}

/// A row's fingerprint together with its time, which is its batch's.
fn mark(fingerprint: u64, at: Timestamp) -> u64 {
    // An odd factor, so that neighbouring times are far apart.
    fingerprint ^ at.micros().cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn mark_of(record: &IdempotencyRecord) -> u64 {
    mark(record.fingerprint(), record.at)
}

/// Reports those of these rows, which no batch vouches for, that remember what a batch did: it would vouch for them. Journals from
/// before every key was vouched for lack the keys that changed nothing.
async fn unexplained(
    snapshot: &mut dyn Snapshot,
    rows: &[IdempotencyRecord],
    report: &mut Report,
) -> Result<(), StoreError> {
    let payments = payments_named(snapshot, rows.iter().filter_map(|row| row.subject.payment())).await?;
    for row in rows {
        let payment = row.subject.payment().and_then(|id| payments.get(&id));
        let payment = payment.and_then(|stored| stored.folded.as_ref().ok());
        let happened = payment.and_then(|payment| time_of(payment, row.version));
        // Every key of a resource was vouched for, since there are resources.
        let of_resource = row.subject.kind().is_resource();
        if of_resource || happened == Some(row.at) {
            let text = format!("{}: no batch wrote it as it is", words(row));
            report.violation(Name::ExtraKey, text);
        }
    }
    Ok(())
}

fn time_of(payment: &Payment, version: u32) -> Option<Timestamp> {
    let place = usize::try_from(version.checked_sub(1)?).ok()?;
    payment.history().get(place).map(|recorded| recorded.wall)
}

/// Reports those of these rows that were written at a time when their payment did not have the version they remember.
async fn out_of_time(
    snapshot: &mut dyn Snapshot,
    rows: &[&IdempotencyRecord],
    report: &mut Report,
) -> Result<(), StoreError> {
    let payments = payments_named(snapshot, rows.iter().filter_map(|row| row.subject.payment())).await?;
    for row in rows {
        let payment = row.subject.payment().and_then(|id| payments.get(&id));
        let payment = payment.and_then(|stored| stored.folded.as_ref().ok());
        let Some(payment) = payment.filter(|payment| payment.owner() == row.owner) else { continue };
        let Some(made) = time_of(payment, row.version) else { continue };
        let ended = time_of(payment, row.version.saturating_add(1));
        // A row that changed nothing may come from another process than the versions before and after.
        let early = made > row.at.plus_ms(CLOCKS_APART_MS);
        if early || ended.is_some_and(|ended| ended.plus_ms(CLOCKS_APART_MS) < row.at) {
            let text =
                format!("{}: payment {} did not have version {} then", words(row), row.subject, row.version);
            report.violation(Name::DanglingKey, text);
        }
    }
    Ok(())
}

/// The row, as far as it may be shown.
fn words(row: &IdempotencyRecord) -> String {
    let key: String = String::from_utf8_lossy(&row.key).chars().take_while(char::is_ascii_graphic).collect();
    format!("key {key:?} of {}", row.owner)
}

/// Walks a stretch of the rows.
///
/// # Errors
/// If the store cannot be read.
pub async fn walk(
    snapshot: &mut dyn Snapshot,
    mut span: Span<32>,
    balance: &Balance,
    queue: &Queue,
    options: &AuditOptions,
    progress: &dyn Progress,
    report: &mut Report,
) -> Result<(), StoreError> {
    // Every owner of the key that the stretch begins after belongs to the one before.
    let mut after = span.after.map(|key| (key, AccountId::from_bytes([0xff; 16])));
    loop {
        let mut page = snapshot.idempotency(after, options.page).await?;
        let read = page.len();
        page.retain(|row| row.key <= span.upto);
        let Some(last) = page.last() else { return Ok(()) };
        after = Some((last.key, last.owner));
        if queue.is_waited_for()
            && let Some(later) = span.cut(last.key)
        {
            queue.give(Job::Keys(later));
        }
        let ended = page.len() < read;
        rows(snapshot, &page, balance, report).await?;
        progress.passed(Table::Keys, page.len() as u64);
        if ended {
            return Ok(());
        }
    }
}

async fn rows(
    snapshot: &mut dyn Snapshot,
    page: &[IdempotencyRecord],
    balance: &Balance,
    report: &mut Report,
) -> Result<(), StoreError> {
    let found = heads(snapshot, page).await?;
    for row in page {
        report.counted.idempotency += 1;
        report.keys_with_answers += u64::from(row.answer.is_some());
        balance.found(row);
        let fault = match found.get(&row.subject) {
            None => Some("does not exist".to_owned()),
            Some(head) if head.owner != row.owner => Some(format!("is of {}", head.owner)),
            Some(head) if row.version == 0 || row.version > head.version => {
                Some(format!("never had version {}; it has {}", row.version, head.version))
            }
            Some(_) => None,
        };
        if let Some(fault) = fault {
            let text = format!("{}: {} {} {fault}", words(row), row.subject.kind().name(), row.subject);
            report.violation(Name::DanglingKey, text);
        }
    }
    let alone: Vec<&IdempotencyRecord> = page.iter().filter(|row| row.at < balance.since).collect();
    out_of_time(snapshot, &alone, report).await
}

/// What a row that points at a subject is compared with.
struct Head {
    owner: AccountId,
    version: u32,
}

/// Resources looked up at once: each may hold a hundred kilobytes.
const RESOURCES_MAX: usize = 64;

async fn heads(
    snapshot: &mut dyn Snapshot,
    page: &[IdempotencyRecord],
) -> Result<HashMap<Subject, Head>, StoreError> {
    let mut ids: Vec<PaymentId> = page.iter().filter_map(|row| row.subject.payment()).collect();
    ids.sort_unstable();
    ids.dedup();
    let payments = snapshot.payment_heads(&ids).await?;
    let head = |head: PaymentHead| (head.id.into(), Head { owner: head.owner, version: head.version });
    let mut heads: HashMap<Subject, Head> = payments.into_iter().map(head).collect();
    let mut subjects: Vec<Subject> =
        page.iter().map(|row| row.subject).filter(|subject| subject.kind().is_resource()).collect();
    subjects.sort_unstable();
    subjects.dedup();
    for chunk in subjects.chunks(RESOURCES_MAX) {
        let resources = snapshot.resources_of(chunk).await?.into_iter().map(|row| row.resource);
        heads.extend(
            resources.map(|found| (found.subject, Head { owner: found.owner, version: found.version })),
        );
    }
    Ok(heads)
}
