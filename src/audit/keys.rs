//! Idempotency rows: each points at a payment of its owner that has had the version it remembers, and each that the
//! journal vouches for is there, unchanged.
//!
//! A batch's journal row keeps a fingerprint of each idempotency row that it wrote. Both sides are summed up in buckets of
//! fixed number; only where sums differ the rows themselves are compared. Rows of batches that are pruned from the
//! journal, or older than keys are kept, are vouched for by nobody any more.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use super::report::{Name, Report};
use super::span::{Job, Queue, Span};
use super::{AuditOptions, Progress, Table};
use crate::domain::ids::{AccountId, PaymentId};
use crate::domain::time::Timestamp;
use crate::engine::journal::decode;
use crate::store::{IdempotencyRecord, PaymentHead, Snapshot, StoreError};

/// How many sums there are.
const BUCKETS: usize = 65_536;
/// Buckets looked into again at once; with more, all is lost anyway.
const AGAIN_MAX: usize = 256;
/// Journal rows read at once.
const ROWS_MAX: u32 = 32;

/// What the journal vouches for, less what is there.
#[derive(Debug)]
pub struct Balance {
    sums: Vec<AtomicU64>,
    /// Rows written earlier are left out on both sides.
    since: Timestamp,
}

impl Balance {
    /// Nothing so far.
    pub fn new(since: Timestamp) -> Self {
        Self { sums: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(), since }
    }

    fn sum(&self, fingerprint: u64) -> Option<&AtomicU64> {
        self.sums.get(bucket(fingerprint))
    }

    /// A batch decided at `at` vouches for this.
    pub fn vouched(&self, at: Timestamp, fingerprint: u64) {
        if at >= self.since
            && let Some(sum) = self.sum(fingerprint)
        {
            sum.fetch_add(fingerprint, Ordering::Relaxed);
        }
    }

    fn found(&self, record: &IdempotencyRecord) {
        let fingerprint = record.fingerprint();
        if record.at >= self.since
            && let Some(sum) = self.sum(fingerprint)
        {
            sum.fetch_sub(fingerprint, Ordering::Relaxed);
        }
    }

    /// Names what is missing, where sums differ.
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
        let looked_at = |fingerprint: u64| uneven.binary_search(&bucket(fingerprint)).is_ok();
        let mut missing: HashMap<u64, (u64, PaymentId)> = HashMap::new();
        let mut after = 0;
        loop {
            let rows = snapshot.journal(after, ROWS_MAX).await?;
            let Some(last) = rows.last() else { break };
            after = last.seq;
            for row in rows.iter().filter(|row| row.at >= self.since) {
                for entry in decode(&row.body).unwrap_or_default() {
                    let keys = entry.keys.iter().filter(|key| looked_at(**key));
                    missing.extend(keys.map(|key| (*key, (row.seq, entry.payment))));
                }
            }
        }
        let mut after = None;
        loop {
            let rows = snapshot.idempotency(after, 1_000).await?;
            let Some(last) = rows.last() else { break };
            after = Some((last.key, last.owner));
            for record in &rows {
                missing.remove(&record.fingerprint());
            }
        }
        let mut missing: Vec<_> = missing.into_values().collect();
        missing.sort_unstable();
        for (seq, payment) in missing {
            let text = format!(
                "payment {payment}: the idempotency row written with row {seq} is gone, or says something else"
            );
            report.violation(Name::MissingKey, text);
        }
        Ok(())
    }
}

fn bucket(fingerprint: u64) -> usize {
    usize::try_from(fingerprint % (BUCKETS as u64)).unwrap_or(0)
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
    let mut ids: Vec<PaymentId> = page.iter().map(|row| row.payment).collect();
    ids.sort_unstable();
    ids.dedup();
    let found: HashMap<PaymentId, PaymentHead> =
        snapshot.payment_heads(&ids).await?.into_iter().map(|head| (head.id, head)).collect();
    for row in page {
        report.counted.idempotency += 1;
        balance.found(row);
        let fault = match found.get(&row.payment) {
            None => Some("does not exist".to_owned()),
            Some(head) if head.owner != row.owner => Some(format!("is of {}", head.owner)),
            Some(head) if row.version == 0 || row.version > head.version => {
                Some(format!("never had version {}; it has {}", row.version, head.version))
            }
            Some(_) => None,
        };
        if let Some(fault) = fault {
            let key = String::from_utf8_lossy(&row.key)
                .chars()
                .take_while(char::is_ascii_graphic)
                .collect::<String>();
            let text = format!("key {key:?} of {}: payment {} {fault}", row.owner, row.payment);
            report.violation(Name::DanglingKey, text);
        }
    }
    Ok(())
}
