//! The line that shows how a run is doing, in a terminal.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::figures::{ms, per_s, thousands};
use super::numbers::approximate;
use super::tracker::Counts;

/// Rates are taken over at least this time.
const RATE_OVER: Duration = Duration::from_secs(1);

/// The line.
pub struct Progress {
    bar: ProgressBar,
    label: String,
    end_us: u64,
    /// The counts at a moment that rates are taken from, and those before it.
    since: (Instant, Counts),
    before: (Instant, Counts),
}

impl Progress {
    /// A line for a run that sends until `end_us`; none if it is not wanted. `label` begins it.
    #[must_use]
    pub fn new(wanted: bool, label: &str, end_us: u64) -> Self {
        let bar = if wanted { ProgressBar::new(end_us / 1_000) } else { ProgressBar::hidden() };
        // A fixed template; without it the bar would only be plainer.
        if let Ok(style) = ProgressStyle::with_template("{bar:20} {wide_msg}") {
            bar.set_style(style);
        }
        let now = (Instant::now(), Counts::default());
        Self { bar, label: label.to_owned(), end_us, since: now, before: now }
    }

    /// Shows the counts at this moment. `drain` is how long is waited for what is open, once nothing more is sent.
    pub fn show(&mut self, counts: Counts, p99_ms: Option<f64>, now_us: u64, drain: Option<Duration>) {
        if self.bar.is_hidden() {
            return;
        }
        let seconds = self.before.0.elapsed().as_secs_f64().max(0.001);
        let then = self.before.1;
        let rate = |now: u64, then: u64| per_s(approximate(now.saturating_sub(then)) / seconds);
        let offered = rate(counts.sent_all + counts.skipped, then.sent_all + then.skipped);
        let accepted = rate(counts.accepted_all, then.accepted_all);
        let completed = rate(counts.ended_all, then.ended_all);
        let p99 = p99_ms.map_or_else(String::new, |p99| format!("  p99 {}", ms(p99)));
        let (open, errors) = (thousands(counts.busy()), thousands(counts.errors_all));
        let left = match drain {
            Some(left) => format!("waiting for what is open, at most {} s", left.as_secs()),
            None => format!("{} s left", self.end_us.saturating_sub(now_us).div_ceil(1_000_000)),
        };
        self.bar.set_position(now_us.min(self.end_us) / 1_000);
        self.bar.set_message(format!(
            "{}{left}  offered {offered}  accepted {accepted}  completed {completed}{p99}  open {open}  errors {errors}",
            self.label
        ));
        if self.since.0.elapsed() >= RATE_OVER {
            self.before = std::mem::replace(&mut self.since, (Instant::now(), counts));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
