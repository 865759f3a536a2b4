//! A run under way: whether it is over, what it amounts to so far, and what may be done to it.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::args::LoadArgs;
use super::ground::Ground;
use super::live::{Live, Phase};
use super::numbers::approximate;
use super::report::Report;
use super::schedule::Released;
use super::shared::{Arrivals, Shared};
use super::tracker::Counts;

/// What was laid down about a run before it began.
pub struct Plans {
    transport: &'static str,
    /// How payments arrive, in words.
    words: String,
    /// The scenario that it brought along, in words, and when it came into force.
    scenario: Option<(String, i64)>,
    started_us: i64,
    warmup: Duration,
    drain: Duration,
    /// What is measured, in microseconds of the schedule's time.
    window: Range<u64>,
    released: watch::Receiver<Released>,
    in_process: bool,
}

impl Plans {
    /// Those of a run that begins now.
    #[must_use]
    pub fn of(
        args: &LoadArgs,
        ground: &Ground,
        words: String,
        window: Range<u64>,
        released: watch::Receiver<Released>,
    ) -> Self {
        Self {
            transport: args.transport.as_str(),
            words,
            scenario: ground.scenario().zip(ground.scenario_us()),
            started_us: crate::clock::Wall::system().now().micros(),
            warmup: args.warmup,
            drain: args.drain,
            window,
            released,
            in_process: args.in_process,
        }
    }
}

/// A run under way.
pub struct Course {
    /// What its connections share.
    pub shared: Arc<Shared>,
    plans: Plans,
    /// When it was stopped early, in microseconds of the schedule's time.
    stopped_us: OnceLock<u64>,
    /// Until when is waited for what is open, once nothing more is sent.
    drain_until: OnceLock<Instant>,
    /// Whether the server is being asked again.
    checking: AtomicBool,
}

impl Course {
    /// A run that has begun.
    #[must_use]
    pub const fn new(shared: Arc<Shared>, plans: Plans) -> Self {
        Self {
            shared,
            plans,
            stopped_us: OnceLock::new(),
            drain_until: OnceLock::new(),
            checking: AtomicBool::new(false),
        }
    }

    /// When nothing more is sent, in microseconds of the schedule's time.
    #[must_use]
    pub const fn end_us(&self) -> u64 {
        self.plans.window.end
    }

    /// Sends nothing more, and waits for what is open.
    pub fn stop(&self) {
        let _ = self.stopped_us.set(self.shared.stopwatch.run_us());
        self.shared.halt.cancel();
    }

    /// Pauses it or lets it go on. Says whether that changed anything: a run that sends nothing more cannot be paused.
    #[must_use]
    pub fn pause(&self, paused: bool) -> bool {
        (!paused || !self.is_over()) && self.shared.pause(paused)
    }

    /// Notes that the server is being asked again.
    pub fn checks(&self) {
        self.checking.store(true, Ordering::Relaxed);
    }

    /// Whether nothing more is sent.
    fn is_over(&self) -> bool {
        if self.shared.halt.is_cancelled() {
            return true;
        }
        match self.shared.arrivals {
            Arrivals::Open { .. } => self.plans.released.borrow().ended,
            Arrivals::Closed { end_us, .. } => self.shared.stopwatch.run_us() >= end_us,
        }
    }

    /// How long is still waited for what is open; `None` as long as something is sent.
    pub fn drain_left(&self) -> Option<Duration> {
        let until = || *self.drain_until.get_or_init(|| Instant::now() + self.plans.drain);
        self.is_over().then(|| until().saturating_duration_since(Instant::now()))
    }

    /// Whether everything that was to be sent has come to rest.
    #[must_use]
    pub fn is_done(&self, counts: Counts) -> bool {
        let finished = counts.busy() == 0;
        match self.shared.arrivals {
            _ if self.shared.halt.is_cancelled() => finished,
            Arrivals::Open { .. } => {
                finished && counts.finished_all() + counts.skipped >= self.plans.released.borrow().until
            }
            Arrivals::Closed { .. } => finished,
        }
    }

    /// Until when it has measured, in microseconds of the schedule's time.
    fn measured_until_us(&self) -> u64 {
        let stopped_us = self.stopped_us.get().copied().unwrap_or_else(|| self.shared.stopwatch.run_us());
        stopped_us.min(self.plans.window.end)
    }

    /// What it amounts to by now, without its verdict.
    #[must_use]
    pub fn report(&self) -> Report {
        let counts = self.shared.tracker.counts();
        let (window, end_us) = (&self.plans.window, self.measured_until_us());
        let end_real_us = self.shared.stopwatch.real_us(end_us);
        let measured = Duration::from_micros(end_us.saturating_sub(window.start));
        let seconds = measured.as_secs_f64().max(f64::MIN_POSITIVE);
        let per_s = |count: u64| approximate(count) / seconds;
        let (offered_per_s, unlimited) = match &self.shared.arrivals {
            Arrivals::Open { schedule, .. } => {
                let until = |us: u64| schedule.profile().arrivals_until(approximate(us) / 1_000_000.0);
                ((until(end_us) - until(window.start)) / seconds, false)
            }
            Arrivals::Closed { .. } => (per_s(counts.sent), true),
        };
        let drained = Duration::from_micros(counts.last_settled_us.saturating_sub(end_real_us));
        let (scenario, scenario_us) = self.plans.scenario.clone().unzip();
        let mut report = Report {
            run: self.shared.plan.run.clone(),
            target: self.shared.target.url.to_string(),
            transport: self.plans.transport.to_owned(),
            arrivals: self.plans.words.clone(),
            scenario,
            accepted_per_s: per_s(counts.accepted_within),
            completed_per_s: per_s(counts.completed_within),
            offered_per_s,
            unlimited,
            duration_s: measured.as_secs_f64(),
            stopped: self.stopped_us.get().is_some(),
            warmup_s: self.plans.warmup.as_secs_f64(),
            drain_s: drained.as_secs_f64(),
            open_at_start: counts.open_at_start,
            started_us: self.plans.started_us,
            scenario_us,
            pauses: self.shared.stopwatch.pauses(),
            in_process: self.plans.in_process,
            ..Report::default()
        };
        self.shared.tracker.fill(&mut report, self.shared.now_us());
        report
    }

    fn phase(&self, draining: bool) -> Phase {
        if self.checking.load(Ordering::Relaxed) {
            Phase::Checking
        } else if draining {
            Phase::Draining
        } else if self.shared.stopwatch.is_paused() {
            Phase::Paused
        } else if self.shared.stopwatch.run_us() < self.plans.window.start {
            Phase::WarmingUp
        } else {
            Phase::Measuring
        }
    }

    /// How it is doing, with its series but for so many points at the beginning.
    #[must_use]
    pub fn live(&self, skipped: usize) -> Live {
        let seconds = |us: u64| approximate(us) / 1_000_000.0;
        let drain_left = self.drain_left();
        let now_us = self.shared.now_us();
        let mut live = Live {
            phase: self.phase(drain_left.is_some()),
            run: self.shared.plan.run.clone(),
            arrivals: self.plans.words.clone(),
            started_us: self.plans.started_us,
            scenario_us: self.plans.scenario.as_ref().map(|(_, at_us)| *at_us),
            run_s: seconds(self.shared.stopwatch.run_us()).min(seconds(self.plans.window.end)),
            length_s: seconds(self.plans.window.end),
            real_s: seconds(now_us),
            warmup_s: self.plans.warmup.as_secs_f64(),
            drain_left_s: drain_left.map(|left| left.as_secs_f64()),
            pauses: self.shared.stopwatch.pauses(),
            ..Live::default()
        };
        self.shared.tracker.show(&mut live, now_us, skipped);
        live
    }
}
