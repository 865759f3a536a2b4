//! Carries one run from its start to its report, and writes down how it is doing every second or so.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::faults::{Since, stretches};
use super::live::placed;
use super::record::{Record, State};
use super::reports::Reports;
use crate::accounts::{Accounts, LentKey};
use crate::clock::Wall;
use crate::domain::ids::{AccountId, LoadRunId};
use crate::load::{self, Control, LoadArgs};
use crate::scenarios::{Revision, Scenarios, planned};

/// How often it is written down how a run is doing.
const NOTED_EVERY: Duration = Duration::from_secs(1);
/// So many times as long as writing took is waited before it is written again.
const WRITING_SHARE: u32 = 20;
/// A run that is paused for longer is stopped.
const PAUSE_MAX: Duration = Duration::from_secs(3_600);
/// Scenarios that its owner may put in force during a run; those after them are not drawn.
const PLANS_MAX: usize = 100;
/// How long a run may take to report once the server ends.
const ENDS_WITHIN: Duration = Duration::from_secs(3);

/// What a run needs of the server.
pub struct Means {
    pub reports: Arc<Reports>,
    pub accounts: Arc<Accounts>,
    pub scenarios: Scenarios,
    pub wall: Wall,
    /// Cancelled when the server ends.
    pub stopping: CancellationToken,
}

/// A run about to begin.
pub struct Order {
    pub record: Record,
    pub args: LoadArgs,
    pub control: Control,
    /// The key that it acts with, if it goes against this server.
    pub key: Option<LentKey>,
    /// The account that was created for it, if it has a world of its own.
    pub own_account: Option<AccountId>,
    /// What is known of the world outside.
    pub plans: Arc<Mutex<Vec<Since>>>,
}

/// Runs it to its end.
pub async fn drive(means: &Means, mut order: Order) {
    let (args, control) = (order.args.clone(), order.control.clone());
    let ended = {
        let run = run(&args, &control);
        tokio::pin!(run);
        let mut notes = Notes::default();
        loop {
            tokio::select! {
                ended = &mut run => break Some(ended),
                () = means.stopping.cancelled() => {
                    // Twice: what is open is not waited for.
                    order.control.stop();
                    order.control.stop();
                    break tokio::time::timeout(ENDS_WITHIN, &mut run).await.ok();
                }
                () = tokio::time::sleep(notes.wait) => notes.take(means, &mut order).await,
            }
        }
    };
    let now = means.wall.now();
    order.record.ended = Some(now);
    match ended {
        Some(Ok(Ended::Run(report))) => {
            order.record.state = State::Finished;
            order.record.report = Some(*report);
        }
        Some(Ok(Ended::Search(found))) => {
            order.record.state = State::Finished;
            (order.record.found, order.record.report) = (Some(*found), None);
        }
        Some(Err(error)) => {
            order.record.state = State::Failed;
            let (text, found, report) =
                (format!("{error:#}"), order.control.found_so_far(), order.control.report());
            order.record.error = Some(text);
            (order.record.found, order.record.report) = (found, report);
        }
        None => {
            (order.record.report, order.record.found) =
                (order.control.report(), order.control.found_so_far());
            order.record.cut_off(now);
        }
    }
    add_faults(&mut order);
    finish(means, order).await;
}

async fn finish(means: &Means, order: Order) {
    let Order { record, own_account, key, args, .. } = order;
    let (id, owner) = (record.id, record.owner);
    if !write(means, record, true).await {
        tracing::warn!(run = %id, "the report of a load run is lost");
    }
    drop(key);
    if let Some(account) = own_account.filter(|_| args.close_wallets) {
        close(means, id, owner, account).await;
    }
}

/// Closes the account that was created for a run.
pub async fn close(means: &Means, id: LoadRunId, owner: AccountId, account: AccountId) {
    if let Err(error) = means.accounts.child_retire(owner, account).await {
        tracing::warn!(run = %id, error = %error, "the account of a load run was not closed");
    }
}

enum Ended {
    Run(Box<load::Report>),
    Search(Box<load::Found>),
}

async fn run(args: &LoadArgs, control: &Control) -> anyhow::Result<Ended> {
    if args.search.find_capacity {
        return load::find_capacity_with(args, control).await.map(|found| Ended::Search(Box::new(found)));
    }
    load::measure_with(args, control).await.map(|report| Ended::Run(Box::new(report)))
}

/// Sets the windows of scenarios off in the report.
fn add_faults(order: &mut Order) {
    if let Some(report) = &mut order.record.report {
        let until_s = report.series.last().map_or(0.0, |point| point.start_s + point.length_s);
        let plans: Vec<Since> =
            order.plans.lock().iter().map(|plan| placed(plan, report.scenario_us)).collect();
        report.faults = stretches(&plans, report.started_us, until_s);
    }
}

async fn write(means: &Means, record: Record, finally: bool) -> bool {
    let reports = Arc::clone(&means.reports);
    let written = tokio::task::spawn_blocking(move || reports.put(&record, finally)).await;
    matches!(written, Ok(Ok(())))
}

/// Writes down how a run is doing.
struct Notes {
    wait: Duration,
    paused_since: Option<Instant>,
}

impl Default for Notes {
    fn default() -> Self {
        Self { wait: NOTED_EVERY, paused_since: None }
    }
}

impl Notes {
    async fn take(&mut self, means: &Means, order: &mut Order) {
        self.end_long_pause(order);
        if order.own_account.is_none() && order.key.is_some() {
            watch_world(means, order).await;
        }
        let began = Instant::now();
        order.record.found = order.control.found_so_far();
        order.record.report = order.control.report();
        add_faults(order);
        write(means, order.record.clone(), false).await;
        self.wait = NOTED_EVERY.max(began.elapsed() * WRITING_SHARE);
    }

    fn end_long_pause(&mut self, order: &Order) {
        let paused = order.control.live(usize::MAX).is_some_and(|live| live.phase == load::Phase::Paused);
        let since = paused.then(|| self.paused_since.unwrap_or_else(Instant::now));
        self.paused_since = since;
        if since.is_some_and(|since| since.elapsed() >= PAUSE_MAX) {
            order.control.stop();
        }
    }
}

/// Looks whether the owner has put another scenario in force: it holds for the run as well.
async fn watch_world(means: &Means, order: &Order) {
    let Ok(Some(record)) = means.scenarios.in_force(order.record.owner).await else { return };
    let is_known = {
        let plans = order.plans.lock();
        plans.len() >= PLANS_MAX || plans.last().is_some_and(|plan| plan.at_us == record.at.micros())
    };
    if !is_known && let Ok(revision) = means.scenarios.with_file(record).await {
        order.plans.lock().push(since(&revision));
    }
}

/// What is in force with this revision.
pub fn since(revision: &Revision) -> Since {
    Since {
        at_us: revision.record.at.micros(),
        windows: revision.file.as_ref().map(|file| planned(&file.scenario)).unwrap_or_default(),
    }
}
