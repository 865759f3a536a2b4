//! `verify`: opens the store and the index for reading only, audits them with several readers, and shows their progress.

use std::io::IsTerminal as _;
use std::num::NonZero;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use async_trait::async_trait;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use parking_lot::Mutex;

use super::adapters;
use crate::audit::acks::AckFile;
use crate::audit::index::Current;
use crate::audit::{self, AuditError, AuditOptions, IndexSide, Name, Progress, Table};
use crate::cli::VerifyArgs;
use crate::clock::Wall;
use crate::config::Settings;
use crate::domain::ids::PaymentId;
use crate::domain::payment::Payment;
use crate::domain::time::Timestamp;
use crate::intake::FINGERPRINT_KEY_NAME;
use crate::readers::{CURSORS, index};
use crate::store::{Access, Snapshot, Store, TableCounts};

/// How long a document may be behind its payment before that is a violation.
const INDEX_LAG: Duration = Duration::from_secs(15);
/// How long a server may take to take over the lease of one that has died.
const LEASE_GRACE_MS: u64 = 3_000;
/// How long idempotency rows are kept at least, in microseconds: a day.
const KEYS_KEPT_US: i64 = 24 * 3_600 * 1_000_000;
/// More readers than this only wait for the store.
const READERS_MAX: usize = 8;
/// An audit shorter than this shows no progress.
const SHOWN_AFTER: Duration = Duration::from_secs(1);
/// How often a line is written where there is no terminal to draw on.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Runs an audit. The exit code is 1 if anything does not hold.
///
/// # Errors
/// If there is nothing to audit, or it cannot be read.
pub async fn run(settings: &Settings, args: VerifyArgs) -> anyhow::Result<ExitCode> {
    let wall = Wall::system();
    // Before the snapshot: what is acknowledged later need not be in it.
    let acks = match &args.acks {
        Some(path) => Some(AckFile::open(path).with_context(|| format!("cannot read {}", path.display()))?),
        None => None,
    };
    let store = adapters::existing_store(settings, Access::ReadOnly).await??;
    let mut view = adapters::index_view(settings).await?;
    let mut snapshots = store.snapshots(readers()).await?;
    let progress = match snapshots.first_mut() {
        Some(first) => Shown::new(first.counts().await?),
        None => Shown::new(TableCounts::default()),
    };
    let options = AuditOptions {
        at_rest: args.at_rest,
        index_lag: INDEX_LAG,
        journal_readers: CURSORS.map(str::to_owned).to_vec(),
        accounts: true,
        secret: Some(FINGERPRINT_KEY_NAME.to_owned()),
        now: Some(wall.now()),
        keys_since: Timestamp::from_micros(wall.now().micros().saturating_sub(KEYS_KEPT_US)),
        ..AuditOptions::default()
    };
    let now = Now { store, wall, owned: adapters::any_embedded(settings).then(|| settings.data_dir.clone()) };
    let side = view.as_mut().map(|view| IndexSide { view: view.as_mut(), current: &now });
    let views = snapshots.iter_mut().map(|view| &mut **view as &mut dyn Snapshot).collect();
    let mut report = audit::audit_at_once(views, side, acks, &options, &progress).await?;
    if view.is_none() && report.counted.payments > 0 {
        let text = "there is none: a server builds it when it starts, and `paystorm reindex` does".to_owned();
        report.violation(Name::MissingIndex, text);
    }
    progress.bar.finish_and_clear();
    println!("{report}");
    Ok(if report.passed() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// How many readers run at once: one per core, within bounds.
fn readers() -> usize {
    std::thread::available_parallelism().map_or(2, NonZero::get).clamp(2, READERS_MAX)
}

/// The store as it is now, and whether a server keeps the index up with it.
struct Now {
    store: Arc<dyn Store>,
    wall: Wall,
    /// The directory that a server with an embedded part owns.
    owned: Option<PathBuf>,
}

#[async_trait]
impl Current for Now {
    async fn payments(&self, ids: &[PaymentId]) -> Result<Vec<Payment>, AuditError> {
        self.store.payments(ids).await
    }

    async fn index_is_followed(&self) -> Result<bool, AuditError> {
        if let Some(dir) = &self.owned {
            return Ok(adapters::directory_is_owned(dir));
        }
        // A lease that has only just ended may be taken up by another server.
        let until = self.store.lease_end(index::NAME).await?.plus_ms(LEASE_GRACE_MS);
        Ok(until > self.wall.now())
    }
}

/// Shows how far the audit is, if it takes longer than a moment: a bar on a terminal, else a line now and then.
struct Shown {
    begun: Instant,
    bar: ProgressBar,
    totals: TableCounts,
    payments: AtomicU64,
    journal: AtomicU64,
    keys: AtomicU64,
    printed_at: Mutex<Instant>,
}

impl Shown {
    fn new(totals: TableCounts) -> Self {
        let rows = totals.payments + totals.journal + totals.idempotency;
        let bar = ProgressBar::with_draw_target(Some(rows), ProgressDrawTarget::hidden());
        // A fixed template; without it the bar would only be plainer.
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {elapsed}  {msg}") {
            bar.set_style(style);
        }
        let none = || AtomicU64::new(0);
        let printed_at = Mutex::new(Instant::now());
        Self {
            begun: Instant::now(),
            bar,
            totals,
            payments: none(),
            journal: none(),
            keys: none(),
            printed_at,
        }
    }
}

impl Progress for Shown {
    fn passed(&self, table: Table, rows: u64) {
        let counter = match table {
            Table::Payments => &self.payments,
            Table::Journal => &self.journal,
            Table::Keys => &self.keys,
        };
        counter.fetch_add(rows, Ordering::Relaxed);
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (payments, journal, keys) = (read(&self.payments), read(&self.journal), read(&self.keys));
        let TableCounts { payments: of_payments, journal: of_journal, idempotency: of_keys, .. } =
            self.totals;
        let text = || {
            format!(
                "{payments} of {of_payments} payments, {journal} of {of_journal} journal rows, {keys} of {of_keys} idempotency keys"
            )
        };
        if self.begun.elapsed() < SHOWN_AFTER {
            return;
        }
        if std::io::stderr().is_terminal() {
            if self.bar.is_hidden() {
                self.bar.set_draw_target(ProgressDrawTarget::stderr());
            }
            self.bar.set_position(payments + journal + keys);
            self.bar.set_message(text());
            return;
        }
        let mut printed_at = self.printed_at.lock();
        if printed_at.elapsed() >= LINE_EVERY {
            *printed_at = Instant::now();
            eprintln!("verify: {}", text());
        }
    }
}
