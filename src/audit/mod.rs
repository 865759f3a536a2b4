//! The audit behind `verify`: proves that histories, columns, parts, details, ledger, journal, idempotency rows, accounts, index
//! and a list of acknowledged payments agree.
//!
//! May depend on `domain`, the ports and the journal's encoding; changes nothing anywhere. All store checks read views of one
//! moment by keyset pages, in parallel if there are several. Memory is bounded by the number of *accounts and wallets*, never by
//! the number of payments, movements or journal rows; lists of violations and of documents to look at again are capped.
//!
//! - `work`: what readers do; `span`: how it is shared among them.
//! - `payments`: the pass over payments; `payment`: one of them against its columns and its movements.
//! - `ledger`: sums per wallet, money in transit.
//! - `journal`: its rows without holes, its entries against histories; `order`: what its order shows.
//! - `open`: open work. `keys`: idempotency rows. `rows`: rows of parts and receipts. `owners`: lists of payments by owner,
//!   compared by `tally`. `details`: what is stored beside attempts and refunds. `resources`: plain resources against the journal.
//!   `named`: the payments that rows name.
//! - `statement`: lines of statements. `events`: what accounts were notified of; `sources`: the requests that events came from.
//! - `scenarios`: files and revisions of scenarios.
//! - `people`: accounts, what else is stored about people and the installation, what is set aside.
//! - `index`: documents against payments, checked again until the lag bound; `faults`: what is wrong with them; `document`: what
//!   they must be, from `facts`; [`index_view`]: what is read of an index.
//! - `acks`: acknowledged payments exist, are what was sent, and have the outcome that was acknowledged.
//! - `report`: violations by name, and what was counted.
//!
//! Journal rows that were pruned can no longer vouch for anything: what only they show (the order of versions, keys that are gone,
//! balances in between) is checked from the first row that is kept.

pub mod acks;
mod details;
pub mod document;
mod events;
mod facts;
mod faults;
pub mod index;
pub mod index_view;
pub mod journal;
mod keys;
pub mod ledger;
mod named;
mod open;
mod order;
mod owners;
pub mod payment;
mod payments;
mod people;
pub mod report;
mod resources;
mod rows;
mod scenarios;
pub mod sources;
mod span;
mod statement;
mod tally;
mod work;

#[cfg(test)]
mod tests;

use std::time::Duration;

use parking_lot::Mutex;

use crate::domain::ids::PaymentId;
use crate::domain::time::Timestamp;
use crate::store::{Snapshot, StoreError};
use acks::AckFile;
use events::Kept;
use index::Current;
use index_view::IndexView;
use keys::Balance;
use ledger::Ledger;
use order::Stretch;
use people::People;
pub use report::{Counted, Name, Report};
use span::{Job, Queue, Span};
use statement::Scope;
use work::{Found, Work, read_all};

/// What to prove, and how.
#[derive(Debug, Clone)]
pub struct AuditOptions {
    /// Forbid open operations, and documents that are behind.
    pub at_rest: bool,
    /// Rows per page.
    pub page: u32,
    /// How long the index may take to catch up with a payment before a difference is a violation.
    pub index_lag: Duration,
    /// The name of the journal's reader that writes the index.
    pub index_reader: String,
    /// The names of the readers whose cursors are kept. Other names are leases, which have no position.
    pub journal_readers: Vec<String>,
    /// Whether everybody who owns or receives something must have an account.
    pub accounts: bool,
    /// The name of the installation's secret; `None` if it is not checked.
    pub secret: Option<String>,
    /// The time that leases are compared with; `None` if they are not.
    pub now: Option<Timestamp>,
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
            journal_readers: [
                crate::engine::open_payments::READER,
                "dispatch_interactive",
                "dispatch_bulk",
                "index",
            ]
            .map(str::to_owned)
            .to_vec(),
            accounts: false,
            secret: None,
            now: None,
            keys_since: Timestamp::default(),
        }
    }
}

/// What keeps an audit from being finished. Violations are not errors: they are in the [`Report`].
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

/// The index, and the payments as they are now: what a difference is checked against again.
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

/// Receives an audit's progress. Called from several threads.
pub trait Progress: Sync {
    /// `rows` more rows of `table` were checked.
    fn passed(&self, table: Table, rows: u64);
}

/// Ignores progress.
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

/// The same with several views of one moment, a thread for each. More than one needs a multi-threaded runtime.
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
    let begun = begin(&mut **first, options, &mut report).await;
    let Some(begun) = unless_unreadable(begun, &mut report)? else { return Ok(report) };
    let Begun { people, secret, balance, begins, last } = begun;
    let head = report.counted.head.to_be_bytes();
    let statement = match snapshots.first_mut() {
        Some(first) => statement::scope(&mut **first, people.as_ref()).await?,
        None => None,
    };
    let kept = match (snapshots.first_mut(), statement) {
        (Some(first), Some(scope)) => Kept::read(&mut **first, scope.upto, options.now).await?,
        (_, _) => Kept::default(),
    };
    let open = match snapshots.first_mut() {
        Some(first) => open::Scope::read(&mut **first).await?,
        None => return Ok(report),
    };
    let listed_below = match snapshots.first_mut() {
        Some(first) => first.owner_payments_below().await?,
        None => None,
    };
    let work = Work {
        queue: Queue::new(vec![
            Job::People,
            Job::Details,
            Job::Resources,
            Job::Owners,
            Job::Receipts,
            Job::Parts,
            Job::Keys(Span::ALL),
            // What is beyond the head and beyond the last payment should not exist.
            Job::Journal(Span { after: Some(head), ..Span::ALL }),
            Job::Journal(Span { after: None, upto: head }),
            Job::Payments(Span { after: Some(last), ..Span::ALL }),
            Job::Payments(Span { after: None, upto: last }),
        ]),
        view: index.as_ref().map(|side| &*side.view),
        people: people.as_ref(),
        secret,
        balance,
        statement,
        kept,
        open,
        listed_below,
        begins,
        options,
        progress,
        found: Mutex::new(Found { report, ledger: Ledger::default(), suspects: None, stretches: Vec::new() }),
    };
    read_all(&work, &mut snapshots).await?;
    let Work { balance, found, kept, .. } = work;
    let Some(snapshot) = snapshots.into_iter().next() else { return Ok(Report::default()) };
    let mut found = found.into_inner();
    let mut report = std::mem::take(&mut found.report);
    let end = End { found, balance: &balance, statement, kept: &kept, people: people.as_ref(), options };
    unless_unreadable(end.settle(snapshot, index, acks, &mut report).await, &mut report)?;
    Ok(report)
}

/// What everything else is compared with.
struct Begun {
    people: Option<People>,
    secret: Option<[u8; 32]>,
    balance: Balance,
    /// The first row of the journal.
    begins: Option<u64>,
    /// The last payment, or an id just after it.
    last: [u8; 16],
}

async fn begin(
    snapshot: &mut dyn Snapshot,
    options: &AuditOptions,
    report: &mut Report,
) -> Result<Begun, AuditError> {
    report.counted.head = snapshot.head().await?;
    let people = if options.accounts { Some(People::read(snapshot, options, report).await?) } else { None };
    let secret = people::secret(snapshot, options, report).await?;
    let first = snapshot.journal(0, 1).await?.into_iter().next();
    let first = first.map(|row| (row.seq, row.at));
    let balance = Balance::new(first, options.keys_since);
    let begins = first.map(|(seq, _)| seq);
    Ok(Begun { people, secret, balance, begins, last: last_payment(snapshot).await? })
}

/// A row that cannot be read is a violation like others; what would be read after it is not checked, and a note says so.
fn unless_unreadable<T>(result: Result<T, AuditError>, report: &mut Report) -> Result<Option<T>, AuditError> {
    match result {
        Err(AuditError::Store(StoreError::Damaged(cause))) => {
            report.violation(Name::UnreadableRow, cause);
            report.note(
                "not all was looked at, since a row cannot be read; other violations may follow from that"
                    .to_owned(),
            );
            Ok(None)
        }
        Err(error) => Err(error),
        Ok(done) => Ok(Some(done)),
    }
}

/// What is left to do when everything was read.
struct End<'a> {
    found: Found,
    balance: &'a Balance,
    statement: Option<Scope<'a>>,
    kept: &'a Kept,
    people: Option<&'a People>,
    options: &'a AuditOptions,
}

impl End<'_> {
    /// Checks what needs everything to have been read.
    async fn settle(
        self,
        snapshot: &mut dyn Snapshot,
        index: Option<IndexSide<'_>>,
        acks: Option<AckFile>,
        report: &mut Report,
    ) -> Result<(), AuditError> {
        let Self { found, balance, statement, kept, people, options } = self;
        let Found { mut ledger, suspects, mut stretches, .. } = found;
        stretches.sort_unstable_by_key(|(begins, _)| *begins);
        let mut joined = Stretch::default();
        for (_, stretch) in stretches {
            joined.follow_up(stretch, report);
        }
        journal::ends(snapshot, &joined, options, report).await?;
        let whole = joined.rows.is_some_and(|(first, _)| first == 1);
        ledger.queued.compare(joined.queued, report);
        joined.end(|wallet| ledger.balance(wallet), report);
        if let Some(scope) = statement {
            std::mem::take(&mut ledger.lines).check(snapshot, scope, report).await?;
            std::mem::take(&mut ledger.events).check(snapshot, kept, scope, report).await?;
            sources::check(snapshot, kept, scope, report).await?;
        }
        ledger.check(snapshot, people, options.page, report).await?;
        rows::none_missing(report);
        owners::settle(report);
        resources::settle(whole, report);
        resources::none_missing(report);
        balance.settle(snapshot, report).await?;
        if let Some(acks) = acks {
            acks.check(snapshot, report).await?;
        }
        if let (Some(suspects), Some(side)) = (suspects, index) {
            suspects.finish(side, snapshot, people::names(people), options, report).await?;
        }
        Ok(())
    }
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
