//! Fills the wallets of a run before it begins.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

use super::plan::Plan;
use super::report::Report;
use super::shared::{Arrivals, Shared, Target};
use super::tracker::Tracker;
use super::ws;

/// How long it may take without any progress.
const STALL: Duration = Duration::from_secs(60);
const IN_FLIGHT: u64 = 2_000;

/// Fills the wallet of every account once in each currency, and waits until the money is there.
///
/// # Errors
/// If some of them could not be filled, with the first reason.
pub async fn fill(target: Target, plan: Plan) -> anyhow::Result<()> {
    let total = plan.fill_count();
    let arrivals =
        Arrivals::Closed { next: AtomicU64::new(0), total, end_us: u64::MAX, in_flight: IN_FLIGHT };
    let tracker = Tracker::new(0..u64::MAX, plan.cardholders(), None, 0)?;
    let shared = Arc::new(Shared::new(target, plan, tracker, arrivals, 0..u64::MAX));
    shared.stopwatch.start();
    let tasks = TaskTracker::new();
    let (ready, is_ready) = oneshot::channel();
    tasks.spawn(ws::observe(Arc::clone(&shared), ready));
    is_ready.await.context("the wallets could not be watched")??;
    for connection in 0..shared.connections() {
        tasks.spawn(ws::send(Arc::clone(&shared), connection));
    }
    tasks.close();
    let (mut moved_at, mut finished) = (Instant::now(), 0);
    while finished < total {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let now = shared.tracker.counts().finished_all();
        if now != finished {
            (moved_at, finished) = (Instant::now(), now);
        } else if moved_at.elapsed() >= STALL {
            break;
        }
    }
    shared.stop.cancel();
    tasks.wait().await;
    let mut report = Report::default();
    shared.tracker.fill(&mut report, shared.now_us());
    let filled = report.outcomes.get("succeeded").copied().unwrap_or(0);
    if filled < total {
        let cause = shared.tracker.first_error().unwrap_or_else(|| "they did not settle in time".to_owned());
        bail!("only {filled} of {total} wallets could be filled: {cause}");
    }
    Ok(())
}
