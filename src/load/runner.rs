//! A run from end to end: load, drain, audit, report.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use tokio::sync::{oneshot, watch};
use tokio_util::task::TaskTracker;

use super::args::{LoadArgs, Offer, Transport};
use super::audit::audit;
use super::control::Control;
use super::course::{Course, Plans};
use super::ground::Ground;
use super::interrupts::Interrupts;
use super::progress::Progress;
use super::report::Report;
use super::schedule::{Released, Schedule, pace};
use super::shared::{Arrivals, Shared, Target};
use super::tracker::Tracker;
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
    measure_whole(&ground, args, &mut Interrupts::receive()?, &Control::default()).await
}

/// The same within a program, steered and watched by `control`.
///
/// # Errors
/// As [`measure`], and if it was stopped before it began.
pub async fn measure_with(args: &LoadArgs, control: &Control) -> anyhow::Result<Report> {
    args.offer().map_err(|error| anyhow!(error))?;
    let mut interrupts = control.interrupts();
    let ground = control.prepared(args, &mut interrupts).await?;
    measure_whole(&ground, args, &mut interrupts, control).await
}

async fn measure_whole(
    ground: &Ground,
    args: &LoadArgs,
    interrupts: &mut Interrupts,
    control: &Control,
) -> anyhow::Result<Report> {
    let measured = measure_on(ground, args, &ground.run, "", interrupts, control).await;
    let trouble = ground.restore(args).await;
    trouble.iter().for_each(|problem| interrupts.say(problem));
    let mut report = measured?;
    report.trouble = trouble;
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
    control: &Control,
) -> anyhow::Result<Report> {
    let cpu_before_s = cpu_s();
    let load = Load::start(ground, args, run).await?;
    let course = Arc::clone(&load.course);
    control.watch(&course);
    let (mut report, hurried) = load.finish(args, label, interrupts).await?;
    if args.audit > 0 && !hurried {
        course.checks();
        report.audit = interrupts.unless(audit(&course.shared, &ground.client)).await;
    }
    report.generator_cpu_s = cpu_s() - cpu_before_s;
    report.judge();
    Ok(report)
}

/// A run under way, and what carries it.
struct Load {
    course: Arc<Course>,
    tasks: TaskTracker,
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
        let shared = Arc::new(Shared::new(Target::of(args), plan, tracker, arrivals, window.clone()));
        let tasks = TaskTracker::new();
        let (ready, is_ready) = oneshot::channel();
        tasks.spawn(ws::observe(Arc::clone(&shared), ready));
        is_ready.await.context("the run could not be watched")??;
        // The clock starts once the run is watched, so that nothing settles unseen.
        shared.stopwatch.start();
        let plans = Plans::of(args, ground, words, window, released);
        tasks.spawn(Arc::clone(&shared).watch_cardholders());
        spawn_senders(args.transport, &shared, &tasks, &ground.client);
        if let Arrivals::Open { schedule, .. } = &shared.arrivals {
            let (schedule, stopwatch) = (schedule.clone(), Arc::clone(&shared.stopwatch));
            std::thread::Builder::new()
                .name("pace".to_owned())
                .spawn(move || pace(&schedule, &stopwatch, &release))?;
        }
        tasks.close();
        Ok(Self { course: Arc::new(Course::new(shared, plans)), tasks })
    }

    /// Waits for the end. Says as well whether somebody would not wait for what was open.
    async fn finish(
        self,
        args: &LoadArgs,
        label: &str,
        interrupts: &mut Interrupts,
    ) -> anyhow::Result<(Report, bool)> {
        let (course, shared) = (&self.course, &self.course.shared);
        let mut progress = Progress::new(!args.no_progress, label, course.end_us());
        let mut ticks = tokio::time::interval(TICK);
        let (mut finished, mut moved_at) = (0, Instant::now());
        let mut hurried = false;
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = interrupts.next() => {
                    // The first signal waits for open work; a second one waits for nothing.
                    if shared.halt.is_cancelled() {
                        hurried = true;
                        break;
                    }
                    interrupts.say("stopping: waiting for what is open, once more to stop at once");
                    course.stop();
                }
            }
            if let Some(error) = shared.tracker.ack_failure() {
                shared.stop.cancel();
                return Err(error).context("the file of acknowledgements cannot be written");
            }
            let (counts, now_us) = (shared.tracker.counts(), shared.now_us());
            if counts.finished_all() != finished {
                (finished, moved_at) = (counts.finished_all(), Instant::now());
            }
            let left = course.drain_left();
            progress.show(counts, shared.tracker.recent_p99_ms(now_us), shared.stopwatch.run_us(), left);
            let Some(left) = left else { continue };
            if course.is_done(counts) || left.is_zero() {
                break;
            }
            if moved_at.elapsed() >= STALL {
                moved_at = Instant::now();
                shared.ask_again();
            }
        }
        drop(progress);
        shared.stop.cancel();
        self.tasks.wait().await;
        Ok((course.report(), hurried))
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
