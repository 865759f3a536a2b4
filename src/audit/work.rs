//! The work that readers share: job after job, each reader with a view of its own.

use parking_lot::Mutex;

use super::events::Kept;
use super::index::Suspects;
use super::index_view::IndexView;
use super::keys::Balance;
use super::ledger::Ledger;
use super::order::Stretch;
use super::people::{self, People};
use super::report::Report;
use super::span::{Job, Queue};
use super::statement::Scope;
use super::{
    AuditError, AuditOptions, Progress, details, journal, keys, open, owners, payments, resources, rows,
    scenarios, unless_unreadable,
};
use crate::domain::ids::PaymentId;
use crate::store::Snapshot;

/// What all readers share.
pub struct Work<'a> {
    pub queue: Queue,
    pub view: Option<&'a dyn IndexView>,
    pub people: Option<&'a People>,
    pub secret: Option<[u8; 32]>,
    pub balance: Balance,
    pub statement: Option<Scope<'a>>,
    pub kept: Kept,
    pub open: open::Scope,
    /// The mark below which every payment is in its owner's list.
    pub listed_below: Option<PaymentId>,
    /// The first row of the journal.
    pub begins: Option<u64>,
    pub options: &'a AuditOptions,
    pub progress: &'a dyn Progress,
    pub found: Mutex<Found>,
}

/// What they have found so far.
pub struct Found {
    pub report: Report,
    pub ledger: Ledger,
    pub suspects: Option<Suspects>,
    /// Each with the position after which it begins.
    pub stretches: Vec<(u64, Stretch)>,
}

/// Does all jobs: with one view on this thread, with more on a thread each.
///
/// # Errors
/// [`AuditError`] if something could not be read to its end.
pub async fn read_all(work: &Work<'_>, snapshots: &mut [&mut dyn Snapshot]) -> Result<(), AuditError> {
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

/// Makes the other readers end if one panics.
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
        let done = self.look(job, snapshot, &mut report).await;
        let done = unless_unreadable(done, &mut report);
        self.found.lock().report.add(report);
        done.map(drop)
    }

    async fn look(
        &self,
        job: Job,
        snapshot: &mut dyn Snapshot,
        report: &mut Report,
    ) -> Result<(), AuditError> {
        let Self { queue, balance, options, progress, .. } = self;
        let (options, progress, page) = (*options, *progress, options.page);
        match job {
            Job::Payments(span) => {
                let pass = payments::Pass {
                    snapshot,
                    view: self.view,
                    people: self.people,
                    secret: self.secret.as_ref(),
                    options,
                    progress,
                    open: self.open,
                    listed_below: self.listed_below,
                    statement: self.statement,
                    kept: &self.kept,
                    report,
                };
                let (ledger, suspects) = pass.run(span, queue).await?;
                let mut found = self.found.lock();
                found.ledger.join(ledger);
                if let Some(suspects) = suspects {
                    found.suspects.get_or_insert_default().join(suspects);
                }
            }
            Job::Journal(span) => {
                let mut walk =
                    journal::Walk { snapshot, balance, open: self.open, options, progress, report };
                let stretch = walk.walk(span, queue).await?;
                let begins = span.after.map_or(0, u64::from_be_bytes);
                self.found.lock().stretches.push((begins, stretch));
            }
            Job::Keys(span) => {
                keys::walk(snapshot, span, balance, queue, options, progress, report).await?;
            }
            Job::Parts => rows::parts(snapshot, page, report).await?,
            Job::Owners => owners::walk(snapshot, self.listed_below, page, report).await?,
            Job::Receipts => rows::receipts(snapshot, page, report).await?,
            Job::Resources => {
                resources::rows(snapshot, self.begins, page, report).await?;
                resources::answers(snapshot, page, report).await?;
                resources::customer_payments(snapshot, page, report).await?;
            }
            Job::Details => details::all(snapshot, page, report).await?,
            Job::People => {
                if options.accounts {
                    people::strays(snapshot, report).await?;
                    scenarios::files(snapshot, report).await?;
                }
                people::aside(snapshot, report).await?;
                people::leases(snapshot, options, report).await?;
            }
        }
        Ok(())
    }
}
