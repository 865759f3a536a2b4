//! A run from end to end: load, drain, audit, report.

use std::ops::Range;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use tokio::sync::{oneshot, watch};
use tokio_util::task::TaskTracker;

use super::args::{LoadArgs, Offer, Transport};
use super::audit::audit;
use super::ground::Ground;
use super::interrupts::Interrupts;
use super::numbers::approximate;
use super::progress::Progress;
use super::report::Report;
use super::schedule::{Released, Schedule, pace};
use super::shared::{Arrivals, Shared, Target};
use super::tracker::{Counts, Tracker};
use super::{http, ws};

/// How often the progress line changes.
const TICK: Duration = Duration::from_millis(200);
/// How long open work may show no progress before its state is asked for.
const STALL: Duration = Duration::from_secs(2);

/// Runs a load run. Prints the progress only; the caller prints the report.
///
/// # Errors
/// If the run could not start: the server is not there or refuses the key, or the acknowledgement file cannot be written.
/// What goes wrong *within* a run is in its report.
pub async fn measure(args: &LoadArgs) -> anyhow::Result<Report> {
    // What is wrong with the flags is said before anything is created.
    args.offer().map_err(|error| anyhow!(error))?;
    let ground = Ground::prepare(args).await?;
    let mut interrupts = Interrupts::receive()?;
    let measured = measure_on(&ground, args, &ground.run, "", &mut interrupts).await;
    ground.restore(args).await;
    let mut report = measured?;
    report.wallets = interrupts.unless(ground.close(args)).await.flatten();
    report.failures = args.fail_if.iter().filter_map(|threshold| threshold.failed(&report)).collect();
    report.judge();
    Ok(report)
}

/// Runs a run of this name on ground that is prepared. `label` begins the line of its progress.
///
/// # Errors
/// As [`measure`].
pub async fn measure_on(
    ground: &Ground,
    args: &LoadArgs,
    run: &str,
    label: &str,
    interrupts: &mut Interrupts,
) -> anyhow::Result<Report> {
    let cpu_before_s = cpu_s();
    let load = Load::start(ground, args, run).await?;
    let shared = Arc::clone(&load.shared);
    let (mut report, hurried) = load.finish(args, label, interrupts).await?;
    if args.audit > 0 && !hurried {
        report.audit = interrupts.unless(audit(&shared, &ground.client)).await;
    }
    report.generator_cpu_s = cpu_s() - cpu_before_s;
    report.scenario = ground.scenario();
    report.judge();
    Ok(report)
}

/// A run under way.
struct Load {
    shared: Arc<Shared>,
    /// How payments arrive, in words.
    words: String,
    released: watch::Receiver<Released>,
    tasks: TaskTracker,
    window: Range<u64>,
    /// When it was stopped early, in microseconds since the start.
    stopped_us: OnceLock<u64>,
}

fn us(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

impl Load {
    async fn start(ground: &Ground, args: &LoadArgs, run: &str) -> anyhow::Result<Self> {
        let end = args.warmup + args.measured().map_err(|error| anyhow!(error))?;
        let window = us(args.warmup)..us(end);
        let (release, released) = watch::channel(Released::default());
        let (arrivals, words) = match args.offer().map_err(|error| anyhow!(error))? {
            Offer::Open { profile, words } => {
                let schedule = Schedule::new(profile, args.poisson.then_some(args.seed));
                (Arrivals::Open { schedule, released: released.clone() }, words)
            }
            Offer::Max => {
                let in_flight = u64::from(args.in_flight) * u64::from(args.connections);
                let (next, total) = (AtomicU64::new(0), u64::MAX);
                let words = format!("as many as the server takes, {in_flight} in flight");
                (Arrivals::Closed { next, total, end_us: us(end), in_flight }, words)
            }
        };
        let plan = ground.plan(args, run, false);
        let sample = usize::try_from(args.audit).unwrap_or(usize::MAX);
        let tracker = Tracker::new(window.clone(), plan.cardholders(), ground.acks()?, sample)?;
        let shared = Arc::new(Shared::new(Target::of(args), plan, tracker, arrivals));
        let tasks = TaskTracker::new();
        let (ready, is_ready) = oneshot::channel();
        tasks.spawn(ws::observe(Arc::clone(&shared), ready));
        is_ready.await.context("the run could not be watched")??;
        // The clock starts once the run is watched, so that nothing settles unseen.
        let start = *shared.start.get_or_init(Instant::now);
        tasks.spawn(Arc::clone(&shared).watch_cardholders());
        spawn_senders(args.transport, &shared, &tasks, &ground.client);
        if let Arrivals::Open { schedule, .. } = &shared.arrivals {
            let schedule = schedule.clone();
            std::thread::Builder::new()
                .name("pace".to_owned())
                .spawn(move || pace(&schedule, start, &release))?;
        }
        tasks.close();
        Ok(Self { shared, words, released, tasks, window, stopped_us: OnceLock::new() })
    }

    fn is_over(&self) -> bool {
        if self.shared.halt.is_cancelled() {
            return true;
        }
        match self.shared.arrivals {
            Arrivals::Open { .. } => self.released.borrow().ended,
            Arrivals::Closed { end_us, .. } => self.shared.now_us() >= end_us,
        }
    }

    /// Waits for the end. Says as well whether somebody would not wait for what was open.
    async fn finish(
        self,
        args: &LoadArgs,
        label: &str,
        interrupts: &mut Interrupts,
    ) -> anyhow::Result<(Report, bool)> {
        let mut progress = Progress::new(!args.no_progress, label, self.window.end);
        let mut ticks = tokio::time::interval(TICK);
        let (mut finished, mut moved_at, mut drain_until) = (0, Instant::now(), None);
        let mut hurried = false;
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = interrupts.next() => {
                    // The first signal waits for open work; a second one waits for nothing.
                    if self.shared.halt.is_cancelled() {
                        hurried = true;
                        break;
                    }
                    eprintln!("stopping: waiting for what is open, once more to stop at once");
                    let _ = self.stopped_us.set(self.shared.now_us());
                    self.shared.halt.cancel();
                }
            }
            if let Some(error) = self.shared.tracker.ack_failure() {
                self.shared.stop.cancel();
                return Err(error).context("the file of acknowledgements cannot be written");
            }
            let (counts, now_us) = (self.shared.tracker.counts(), self.shared.now_us());
            if counts.finished_all() != finished {
                (finished, moved_at) = (counts.finished_all(), Instant::now());
            }
            let over = self.is_over();
            let until = over.then(|| *drain_until.get_or_insert_with(|| Instant::now() + args.drain));
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            progress.show(counts, self.shared.tracker.recent_p99_ms(now_us), now_us, left);
            if !over {
                continue;
            }
            if self.all_done(counts) || left.is_some_and(|left| left.is_zero()) {
                break;
            }
            if moved_at.elapsed() >= STALL {
                moved_at = Instant::now();
                self.shared.ask_again();
            }
        }
        drop(progress);
        self.shared.stop.cancel();
        self.tasks.wait().await;
        Ok((self.report(args), hurried))
    }

    fn all_done(&self, counts: Counts) -> bool {
        let finished = counts.busy() == 0;
        match self.shared.arrivals {
            _ if self.shared.halt.is_cancelled() => finished,
            Arrivals::Open { .. } => {
                finished && counts.finished_all() + counts.skipped >= self.released.borrow().until
            }
            Arrivals::Closed { .. } => finished,
        }
    }

    fn report(&self, args: &LoadArgs) -> Report {
        let counts = self.shared.tracker.counts();
        let end_us = self.stopped_us.get().map_or(self.window.end, |at| (*at).min(self.window.end));
        let measured = Duration::from_micros(end_us.saturating_sub(self.window.start));
        let seconds = measured.as_secs_f64().max(f64::MIN_POSITIVE);
        let per_s = |count: u64| approximate(count) / seconds;
        let (offered_per_s, unlimited) = match &self.shared.arrivals {
            Arrivals::Open { schedule, .. } => {
                let until = |us: u64| schedule.profile().arrivals_until(approximate(us) / 1_000_000.0);
                ((until(end_us) - until(self.window.start)) / seconds, false)
            }
            Arrivals::Closed { .. } => (per_s(counts.sent), true),
        };
        let mut report = Report {
            run: self.shared.plan.run.clone(),
            target: self.shared.target.url.to_string(),
            transport: args.transport.as_str().to_owned(),
            arrivals: self.words.clone(),
            accepted_per_s: per_s(counts.accepted_within),
            completed_per_s: per_s(counts.completed_within),
            offered_per_s,
            unlimited,
            duration_s: measured.as_secs_f64(),
            stopped: self.stopped_us.get().is_some(),
            warmup_s: args.warmup.as_secs_f64(),
            drain_s: Duration::from_micros(counts.last_settled_us.saturating_sub(end_us)).as_secs_f64(),
            open_at_start: counts.open_at_start,
            ..Report::default()
        };
        self.shared.tracker.fill(&mut report, self.shared.now_us());
        report
    }
}

fn spawn_senders(transport: Transport, shared: &Arc<Shared>, tasks: &TaskTracker, client: &reqwest::Client) {
    for connection in 0..shared.connections() {
        let shared = Arc::clone(shared);
        match transport {
            Transport::Ws => tasks.spawn(ws::send(shared, connection)),
            Transport::Http => tasks.spawn(http::send(shared, connection, client.clone())),
        };
    }
}

/// Processor time that this process has used, in seconds; zero where the system does not show it.
fn cpu_s() -> f64 {
    let Ok(text) = std::fs::read_to_string("/proc/self/stat") else { return 0.0 };
    // Fields 14 and 15, in ticks of 10 ms; the name before them, in parentheses, may hold anything.
    let after_name = text.rsplit(')').next().unwrap_or_default();
    after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum::<f64>()
        / 100.0
}
