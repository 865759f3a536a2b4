//! A run from end to end: accounts, funds, load, drain, report.

use std::fs::File;
use std::ops::Range;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use indicatif::{ProgressBar, ProgressStyle};
use parking_lot::Mutex;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::args::{LoadArgs, Offer, Transport};
use super::numbers::{approximate, mixed};
use super::plan::Plan;
use super::report::Report;
use super::schedule::{Released, Schedule, pace};
use super::shared::{Arrivals, Shared};
use super::tracker::{Counts, Tracker};
use super::{http, setup, ws};

/// How often the progress bar moves.
const TICK: Duration = Duration::from_millis(200);
/// How long open work may show no progress before its state is asked for.
const STALL: Duration = Duration::from_secs(2);
/// How long filling the wallets may take without any progress.
const FILL_STALL: Duration = Duration::from_secs(60);

/// Runs a load run. Prints the progress only; the caller prints the report.
///
/// # Errors
/// If the run could not start: the server is not there or refuses the key, or the acknowledgement file cannot be written.
/// What goes wrong *within* a run is in its report.
pub async fn measure(args: &LoadArgs) -> anyhow::Result<Report> {
    let offer = args.offer().map_err(|error| anyhow!(error))?;
    let run = args.run.clone().unwrap_or_else(generated_name);
    let client = http::client()?;
    // Every payment touches the first of two wallets.
    let hot = args.wallets == 1;
    let wanted = if hot { 2 } else { args.wallets };
    if wanted == 0 && args.mix.transfer > 0 {
        bail!(
            "a mix with transfers needs accounts to send to: leave --wallets out, or use --mix charge=90,refund=10"
        );
    }
    let accounts = setup::accounts(&client, &args.target, args.key.expose(), wanted, &run).await?;
    if args.mix.transfer > 0 {
        fill(args, &run, &accounts).await?;
    }
    let plan = Plan { run, seed: args.seed, mix: Some(args.mix), accounts, hot, keys: args.keys };
    let acks = args
        .acks
        .as_ref()
        .map(|path| File::create(path).with_context(|| format!("cannot write {}", path.display())));
    let cpu_before_s = cpu_s();
    let load = Load::start(args, offer, plan, acks.transpose()?, &client).await?;
    let mut report = load.finish(args).await?;
    report.generator_cpu_s = cpu_s() - cpu_before_s;
    Ok(report)
}

/// A run under way.
struct Load {
    shared: Arc<Shared>,
    arrivals_in_words: String,
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
    async fn start(
        args: &LoadArgs,
        offer: Offer,
        plan: Plan,
        acks: Option<File>,
        client: &reqwest::Client,
    ) -> anyhow::Result<Self> {
        let end = args.warmup + args.measured().map_err(|error| anyhow!(error))?;
        let window = us(args.warmup)..us(end);
        let (release, released) = watch::channel(Released::default());
        let mut arrivals_in_words = "as many as the server takes".to_owned();
        let arrivals = match offer {
            Offer::Open { profile, words } => {
                arrivals_in_words = words;
                let schedule = Schedule::new(profile, args.poisson.then_some(args.seed));
                Arrivals::Open { schedule, released: released.clone() }
            }
            Offer::Max => Arrivals::Closed {
                next: AtomicU64::new(0),
                total: u64::MAX,
                end_us: us(end),
                in_flight: u64::from(args.in_flight) * u64::from(args.connections),
            },
        };
        let shared = Arc::new(shared(args, plan, Tracker::new(window.clone(), acks)?, arrivals));
        let tasks = TaskTracker::new();
        let (ready, is_ready) = oneshot::channel();
        tasks.spawn(ws::observe(Arc::clone(&shared), ready));
        is_ready.await.context("the run could not be watched")??;
        // The clock starts once the run is watched, so that nothing settles unseen.
        let start = *shared.start.get_or_init(Instant::now);
        spawn_senders(args.transport, &shared, &tasks, client);
        if let Arrivals::Open { schedule, .. } = &shared.arrivals {
            let schedule = schedule.clone();
            std::thread::Builder::new()
                .name("pace".to_owned())
                .spawn(move || pace(&schedule, start, &release))?;
        }
        tasks.close();
        Ok(Self { shared, arrivals_in_words, released, tasks, window, stopped_us: OnceLock::new() })
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

    async fn finish(self, args: &LoadArgs) -> anyhow::Result<Report> {
        let bar = progress_bar(args, self.window.end);
        let mut ticks = tokio::time::interval(TICK);
        let mut before = Moment { at: Instant::now(), counts: Counts::default() };
        let mut moved_at = Instant::now();
        let mut drain_until = None;
        let mut interrupts = interrupts()?;
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                Some(()) = interrupts.recv() => {
                    // The first signal waits for open work; a second one waits for nothing.
                    if self.shared.halt.is_cancelled() {
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
            let counts = self.shared.tracker.counts();
            if counts.finished_all != before.counts.finished_all {
                moved_at = Instant::now();
            }
            before = before.show(&bar, counts, self.shared.now_us());
            if !self.is_over() {
                continue;
            }
            let until = *drain_until.get_or_insert_with(|| Instant::now() + args.drain);
            if self.all_done(counts) || Instant::now() >= until {
                break;
            }
            if moved_at.elapsed() >= STALL {
                moved_at = Instant::now();
                self.shared.ask_again();
            }
        }
        bar.finish_and_clear();
        self.shared.stop.cancel();
        self.tasks.wait().await;
        Ok(self.report(args))
    }

    fn all_done(&self, counts: Counts) -> bool {
        let finished = counts.unanswered == 0 && counts.open == 0;
        match self.shared.arrivals {
            _ if self.shared.halt.is_cancelled() => finished,
            Arrivals::Open { .. } => {
                finished && counts.finished_all + counts.skipped >= self.released.borrow().until
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
        let mut report = Report {
            run: self.shared.plan.run.clone(),
            target: self.shared.target.to_string(),
            transport: args.transport.as_str().to_owned(),
            accepted_per_s: per_s(counts.accepted_within),
            completed_per_s: per_s(counts.completed_within),
            arrivals: self.arrivals_in_words.clone(),
            offered_per_s: match &self.shared.arrivals {
                Arrivals::Open { schedule, .. } => {
                    let until = |us: u64| schedule.profile().arrivals_until(approximate(us) / 1_000_000.0);
                    (until(end_us) - until(self.window.start)) / seconds
                }
                Arrivals::Closed { .. } => per_s(counts.sent),
            },
            duration_s: measured.as_secs_f64(),
            stopped: self.stopped_us.get().is_some(),
            warmup_s: args.warmup.as_secs_f64(),
            drain_s: Duration::from_micros(counts.last_settled_us.saturating_sub(end_us)).as_secs_f64(),
            ..Report::default()
        };
        self.shared.tracker.fill(&mut report);
        report
    }
}

fn shared(args: &LoadArgs, plan: Plan, tracker: Tracker, arrivals: Arrivals) -> Shared {
    Shared {
        plan,
        tracker,
        start: OnceLock::new(),
        target: args.target.clone(),
        key: args.key.clone(),
        arrivals,
        connections: u64::from(args.connections),
        again: Mutex::new(Vec::new()),
        again_signal: watch::Sender::new(0),
        halt: CancellationToken::new(),
        stop: CancellationToken::new(),
    }
}

fn spawn_senders(transport: Transport, shared: &Arc<Shared>, tasks: &TaskTracker, client: &reqwest::Client) {
    for connection in 0..shared.connections {
        let shared = Arc::clone(shared);
        match transport {
            Transport::Ws => tasks.spawn(ws::send(shared, connection)),
            Transport::Http => tasks.spawn(http::send(shared, connection, client.clone())),
        };
    }
}

/// Fills the wallet of every account once, and waits until the money is there.
async fn fill(args: &LoadArgs, run: &str, accounts: &[String]) -> anyhow::Result<()> {
    let total = accounts.len() as u64;
    let plan = Plan {
        run: format!("{run}.fill"),
        seed: args.seed,
        mix: None,
        accounts: accounts.to_vec(),
        hot: false,
        keys: args.keys,
    };
    let arrivals = Arrivals::Closed { next: AtomicU64::new(0), total, end_us: u64::MAX, in_flight: 2_000 };
    let shared = Arc::new(shared(args, plan, Tracker::new(0..u64::MAX, None)?, arrivals));
    let tasks = TaskTracker::new();
    let (ready, is_ready) = oneshot::channel();
    tasks.spawn(ws::observe(Arc::clone(&shared), ready));
    is_ready.await.context("the wallets could not be watched")??;
    let connections = shared.connections;
    for connection in 0..connections {
        tasks.spawn(ws::send(Arc::clone(&shared), connection));
    }
    tasks.close();
    let (mut moved_at, mut finished) = (Instant::now(), 0);
    while finished < total {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let now = shared.tracker.counts().finished_all;
        if now != finished {
            (moved_at, finished) = (Instant::now(), now);
        } else if moved_at.elapsed() >= FILL_STALL {
            break;
        }
    }
    shared.stop.cancel();
    tasks.wait().await;
    let mut report = Report::default();
    shared.tracker.fill(&mut report);
    let filled = report.outcomes.get("succeeded").copied().unwrap_or(0);
    if filled < total {
        let cause = shared.tracker.first_error().unwrap_or_else(|| "they did not settle in time".to_owned());
        bail!("only {filled} of {total} wallets could be filled: {cause}");
    }
    Ok(())
}

fn progress_bar(args: &LoadArgs, end_us: u64) -> ProgressBar {
    if args.no_progress {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(end_us / 1_000);
    // A fixed template; without it the bar would only be plainer.
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {elapsed} of about {duration}  {msg}") {
        bar.set_style(style);
    }
    bar
}

/// The counts at a moment, to show rates.
struct Moment {
    at: Instant,
    counts: Counts,
}

impl Moment {
    fn show(self, bar: &ProgressBar, counts: Counts, now_us: u64) -> Self {
        let seconds = self.at.elapsed().as_secs_f64().max(0.001);
        let rate = |now: u64, then: u64| approximate(now.saturating_sub(then)) / seconds;
        let accepted = rate(counts.accepted, self.counts.accepted);
        let completed = rate(counts.completed, self.counts.completed);
        let (open, errors) = (counts.unanswered + counts.open, counts.errors);
        bar.set_position(now_us / 1_000);
        bar.set_message(format!(
            "accepted {accepted:.0}/s  completed {completed:.0}/s  open {open}  errors {errors}"
        ));
        Self { at: Instant::now(), counts }
    }
}

/// Receives SIGINT and SIGTERM for the rest of the run.
fn interrupts() -> anyhow::Result<mpsc::Receiver<()>> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let (sender, receiver) = mpsc::channel(2);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                () = sender.closed() => return,
            }
            if sender.send(()).await.is_err() {
                return;
            }
        }
    });
    Ok(receiver)
}

fn generated_name() -> String {
    let micros = crate::clock::Wall::system().now().micros().unsigned_abs();
    let random = mixed(micros, u64::from(std::process::id()), 0) & 0xffff;
    // Names sort by the time of their runs.
    format!("run-{}-{random:04x}", micros / 1_000_000)
}

/// Processor time that this process has used, in seconds; zero where the system does not show it.
fn cpu_s() -> f64 {
    let Ok(text) = std::fs::read_to_string("/proc/self/stat") else { return 0.0 };
    // Fields 14 and 15, in ticks of 10 ms; the name before them, in parentheses, may hold anything.
    let after_name = text.rsplit(')').next().unwrap_or_default();
    after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum::<f64>()
        / 100.0
}
