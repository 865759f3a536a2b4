//! What `verify` proves: that histories, columns, refund rows, ledger, journal, idempotency rows, index and a list of
//! acknowledged payments agree.
//!
//! May depend on `domain`, the ports and the journal's encoding; changes nothing anywhere. All store checks read views of one
//! moment by keyset pages, at once where there are several. Memory is bounded by the number of *accounts and wallets*, never by
//! the number of payments, movements or journal rows; lists of violations and of documents to look at again are capped.
//!
//! - `span`: how the work is shared.
//! - `payments`: the pass over payments; `payment`: one of them against its columns and its movements.
//! - `ledger`: sums per wallet, money in transit.
//! - `journal`: the line without holes, its entries against histories; `lines`: what its order shows.
//! - `keys`: idempotency rows. `rows`: refund rows and receipts. `named`: the payments that rows name.
//! - `index`: documents against payments, looked at again until the lag bound; `document`: what they must be.
//! - `acks`: acknowledged payments exist, are what was sent, and came to what was said.
//! - `report`: violations by name, and what was counted.
//!
//! Journal rows that were pruned can vouch for nothing any more: what only they show (the order of versions, keys that are
//! gone, where open work was opened, balances in between) is checked from the first row that is kept.

pub mod acks;
pub mod document;
pub mod index;
pub mod journal;
mod keys;
pub mod ledger;
mod lines;
mod named;
pub mod payment;
mod payments;
pub mod report;
mod rows;
pub mod span;

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::time::Duration;

use parking_lot::Mutex;

use crate::domain::ids::{AccountId, PaymentId};
use crate::domain::ledger::LedgerAccount;
use crate::domain::time::Timestamp;
use crate::store::{Snapshot, StoreError};
use acks::AckFile;
use index::{Current, IndexView, Suspects};
use keys::Balance;
use ledger::Ledger;
use lines::Stretch;
pub use report::{Counted, Name, Report};
use span::{Job, Queue, Span};

/// What to prove, and how.
#[derive(Debug, Clone)]
pub struct AuditOptions {
    /// Forbid open operations, and documents that are behind.
    pub at_rest: bool,
    /// Rows per page.
    pub page: u32,
    /// How long the index may take to catch up with a payment before a difference is a violation.
    pub index_lag: Duration,
    /// The name of the reader of the journal that feeds the index.
    pub index_reader: String,
    /// The names of the readers whose cursors are kept. Other names are of leases, which stand nowhere.
    pub journal_readers: Vec<String>,
    /// Whether everybody who owns or receives something must have an account.
    pub accounts: bool,
    /// Idempotency rows written earlier than this may have been deleted.
    pub keys_since: Timestamp,
}

impl Default for AuditOptions {
    fn default() -> Self {
        Self {
            at_rest: false,
            page: 1_000,
            index_lag: Duration::from_secs(15),
            index_reader: "index".to_owned(),
            journal_readers: ["dispatch_interactive", "dispatch_bulk", "index"].map(str::to_owned).to_vec(),
            accounts: false,
            keys_since: Timestamp::default(),
        }
    }
}

/// What keeps an audit from being finished. Violations are no errors: they are in the [`Report`].
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The index could not be read.
    #[error("the index could not be read: {0}")]
    Index(String),
    /// A thread ended before its work did: a defect.
    #[error("one of the threads that read stopped")]
    Stopped,
    /// The file of acknowledgements could not be read.
    #[error("the file of acknowledgements could not be read: {0}")]
    Acks(#[from] std::io::Error),
}

/// The index, and the payments as they are now: what a difference is looked at again with.
pub struct IndexSide<'a> {
    /// The index.
    pub view: &'a mut dyn IndexView,
    /// The payments as they are now, not as they were in the snapshot.
    pub current: &'a dyn Current,
}

/// A table that takes long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// Payments.
    Payments,
    /// The journal.
    Journal,
    /// Idempotency rows.
    Keys,
}

/// Hears how far an audit has come. Called from several threads.
pub trait Progress: Sync {
    /// So many rows more were looked at.
    fn passed(&self, table: Table, rows: u64);
}

/// Nobody wants to know.
impl Progress for () {
    fn passed(&self, _: Table, _: u64) {}
}

/// Audits one snapshot, the index beside it, and a file of acknowledgements. Open `acks` *before* the snapshot: what
/// was acknowledged later need not be in it.
///
/// # Errors
/// [`AuditError`] if something could not be read to its end.
pub async fn audit(
    snapshot: &mut dyn Snapshot,
    index: Option<IndexSide<'_>>,
    acks: Option<AckFile>,
    options: &AuditOptions,
) -> Result<Report, AuditError> {
    audit_at_once(vec![snapshot], index, acks, options, &()).await
}

/// The same with several views of one moment, a thread for each. More than one needs a runtime of many threads.
///
/// # Errors
/// [`AuditError`] if something could not be read to its end.
pub async fn audit_at_once(
    mut snapshots: Vec<&mut dyn Snapshot>,
    index: Option<IndexSide<'_>>,
    acks: Option<AckFile>,
    options: &AuditOptions,
    progress: &dyn Progress,
) -> Result<Report, AuditError> {
    let Some(first) = snapshots.first_mut() else { return Ok(Report::default()) };
    let mut report = Report::default();
    report.counted.head = first.head().await?;
    let accounts =
        if options.accounts { Some(accounts(&mut **first, options, &mut report).await?) } else { None };
    // What was written before the journal begins is vouched for by nobody.
    let begins = first.journal(0, 1).await?.first().map(|row| row.at);
    let since = begins.map_or(Timestamp::default(), |at| at.max(options.keys_since));
    let (head, last) = (report.counted.head.to_be_bytes(), last_payment(&mut **first).await?);
    let work = Work {
        queue: Queue::new(vec![
            Job::Receipts,
            Job::Refunds,
            Job::Keys(Span::ALL),
            // What stands beyond the head and beyond the last payment should not be there.
            Job::Journal(Span { after: Some(head), ..Span::ALL }),
            Job::Journal(Span { after: None, upto: head }),
            Job::Payments(Span { after: Some(last), ..Span::ALL }),
            Job::Payments(Span { after: None, upto: last }),
        ]),
        view: index.as_ref().map(|side| &*side.view),
        accounts: accounts.as_ref(),
        balance: Balance::new(since),
        head: report.counted.head,
        options,
        progress,
        found: Mutex::new(Found { report, ledger: Ledger::default(), suspects: None, stretches: Vec::new() }),
    };
    read_all(&work, &mut snapshots).await?;
    let Work { balance, found, .. } = work;
    let Some(snapshot) = snapshots.into_iter().next() else { return Ok(Report::default()) };
    found.into_inner().settle(snapshot, index, acks, &balance, options).await
}

/// What all readers share.
struct Work<'a> {
    queue: Queue,
    view: Option<&'a dyn IndexView>,
    accounts: Option<&'a HashSet<AccountId>>,
    balance: Balance,
    head: u64,
    options: &'a AuditOptions,
    progress: &'a dyn Progress,
    found: Mutex<Found>,
}

/// What they have found so far.
struct Found {
    report: Report,
    ledger: Ledger,
    suspects: Option<Suspects>,
    /// With the place after which each begins.
    stretches: Vec<(u64, Stretch)>,
}

/// Reads everything that is long: with one view here, with more on a thread each.
async fn read_all(work: &Work<'_>, snapshots: &mut [&mut dyn Snapshot]) -> Result<(), AuditError> {
    if let [only] = snapshots {
        return work.read(&mut **only).await;
    }
    let runtime = tokio::runtime::Handle::current();
    tokio::task::block_in_place(|| {
        std::thread::scope(|scope| {
            let readers: Vec<_> = snapshots
                .iter_mut()
                .map(|snapshot| scope.spawn(|| runtime.block_on(work.read(&mut **snapshot))))
                .collect();
            readers.into_iter().try_for_each(|reader| reader.join().unwrap_or(Err(AuditError::Stopped)))
        })
    })
}

/// Lets the others end where one panics.
struct Watch<'a>(&'a Queue);

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.give_up();
        }
    }
}

impl Work<'_> {
    /// Takes job after job.
    async fn read(&self, snapshot: &mut dyn Snapshot) -> Result<(), AuditError> {
        let _watch = Watch(&self.queue);
        while let Some(job) = self.queue.take() {
            if let Err(error) = self.job(job, snapshot).await {
                self.queue.give_up();
                return Err(error);
            }
            self.queue.done();
        }
        Ok(())
    }

    async fn job(&self, job: Job, snapshot: &mut dyn Snapshot) -> Result<(), AuditError> {
        let mut report = Report::default();
        let Self { queue, balance, options, progress, .. } = self;
        let (options, progress, page) = (*options, *progress, options.page);
        match job {
            Job::Payments(span) => {
                let pass = payments::Pass {
                    snapshot,
                    view: self.view,
                    accounts: self.accounts,
                    options,
                    progress,
                    head: self.head,
                    report: &mut report,
                };
                let (ledger, suspects) = pass.run(span, queue).await?;
                let mut found = self.found.lock();
                found.ledger.join(ledger);
                if let Some(suspects) = suspects {
                    found.suspects.get_or_insert_default().join(suspects);
                }
            }
            Job::Journal(span) => {
                let mut walk = journal::Walk { snapshot, balance, options, progress, report: &mut report };
                let stretch = walk.walk(span, queue).await?;
                let begins = span.after.map_or(0, u64::from_be_bytes);
                self.found.lock().stretches.push((begins, stretch));
            }
            Job::Keys(span) => {
                keys::walk(snapshot, span, balance, queue, options, progress, &mut report).await?;
            }
            Job::Refunds => rows::refunds(snapshot, page, &mut report).await?,
            Job::Receipts => rows::receipts(snapshot, page, &mut report).await?,
        }
        self.found.lock().report.add(report);
        Ok(())
    }
}

impl Found {
    /// What can be said only when everything was read.
    async fn settle(
        self,
        snapshot: &mut dyn Snapshot,
        index: Option<IndexSide<'_>>,
        acks: Option<AckFile>,
        balance: &Balance,
        options: &AuditOptions,
    ) -> Result<Report, AuditError> {
        let Self { mut report, ledger, suspects, mut stretches } = self;
        stretches.sort_unstable_by_key(|(begins, _)| *begins);
        let mut line = Stretch::default();
        for (_, stretch) in stretches {
            line.follow_up(stretch, &mut report);
        }
        journal::ends(snapshot, &line, options, &mut report).await?;
        line.end(|account: LedgerAccount| ledger.sum(account), &mut report);
        ledger.check(snapshot, options.page, &mut report).await?;
        rows::none_missing(&mut report);
        balance.settle(snapshot, &mut report).await?;
        if let Some(acks) = acks {
            acks.check(snapshot, &mut report).await?;
        }
        if let (Some(suspects), Some(side)) = (suspects, index) {
            suspects.finish(side, snapshot, options, &mut report).await?;
        }
        Ok(report)
    }
}

/// Every account; those that others were made by are looked at here.
async fn accounts(
    snapshot: &mut dyn Snapshot,
    options: &AuditOptions,
    report: &mut Report,
) -> Result<HashSet<AccountId>, StoreError> {
    let (mut all, mut parents, mut after) = (HashSet::new(), HashSet::new(), None);
    loop {
        let page = snapshot.accounts(after, options.page).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        all.extend(page.iter().map(|account| account.id));
        parents.extend(page.iter().filter_map(|account| account.parent));
    }
    let mut missing: Vec<&AccountId> = parents.difference(&all).collect();
    missing.sort_unstable();
    for parent in missing {
        report.violation(Name::MissingAccount, format!("{parent}, who made others, does not exist"));
    }
    Ok(all)
}

/// The last payment, or an id just after it: halves of what is left before it are about halves of the work.
async fn last_payment(snapshot: &mut dyn Snapshot) -> Result<[u8; 16], StoreError> {
    let (mut low, mut high) = ([0; 16], [0xff; 16]);
    loop {
        let middle = span::middle(low, high);
        if middle <= low {
            break;
        }
        let beyond = snapshot.payments(Some(PaymentId::from_bytes(middle)), 1).await?;
        match beyond.first() {
            Some(row) => low = *row.id.as_bytes(),
            None => high = middle,
        }
    }
    Ok(high)
}
