//! The report of a run: JSON for machines, a few lines for people.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::numbers::approximate;

/// Latencies in milliseconds, from the intended start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Latencies {
    /// Half were faster.
    pub p50: f64,
    /// Nine in ten were faster.
    pub p90: f64,
    /// All but one in a hundred were faster.
    pub p99: f64,
    /// All but one in a thousand were faster.
    pub p999: f64,
    /// The slowest.
    pub max: f64,
    /// The mean.
    pub mean: f64,
    /// How many were measured.
    pub count: u64,
}

impl Latencies {
    /// Reads them off a histogram of microseconds.
    #[must_use]
    pub fn of(histogram: &Histogram<u64>) -> Self {
        let ms = |us: u64| approximate(us) / 1_000.0;
        let at = |quantile| ms(histogram.value_at_quantile(quantile));
        Self {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: ms(histogram.max()),
            mean: histogram.mean() / 1_000.0,
            count: histogram.len(),
        }
    }
}

/// The result of a run. Counts are of work whose intended start lies in the measured window, unless they say otherwise.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Report {
    /// The run's name.
    pub run: String,
    /// The server.
    pub target: String,
    /// `ws` or `http`.
    pub transport: String,
    /// How payments arrived, in words.
    pub arrivals: String,
    /// What the schedule held per second; with `max`, what was sent per second.
    pub offered_per_s: f64,
    /// Acknowledged within the window, per second.
    pub accepted_per_s: f64,
    /// Come to rest within the window, per second.
    pub completed_per_s: f64,
    /// The measured window, in seconds.
    pub duration_s: f64,
    /// The time before it, in seconds.
    pub warmup_s: f64,
    /// How long after its end the last piece of work came to rest, in seconds.
    pub drain_s: f64,
    /// Sent at least once.
    pub sent: u64,
    /// Acknowledged by the server.
    pub accepted: u64,
    /// Come to rest, whatever the outcome.
    pub completed: u64,
    /// Refused or broken.
    pub errors: u64,
    /// Sent, and never answered, even after resending.
    pub unknown: u64,
    /// Acknowledged, and not seen at rest by the end.
    pub unsettled: u64,
    /// Acknowledged, warm-up included, and not seen at rest by the end.
    pub open: u64,
    /// Whether somebody stopped it before its end.
    pub stopped: bool,
    /// In the schedule, and never sent.
    pub skipped: u64,
    /// Sent more than 10 ms after their intended start.
    pub late: u64,
    /// Refunds replaced by charges, because there was nothing left to refund.
    pub substituted: u64,
    /// Connections that were lost and made again, over the whole run.
    pub reconnects: u64,
    /// Sent again after a lost connection, over the whole run.
    pub resent: u64,
    /// From the intended start to the acknowledgement.
    pub accept_ms: Latencies,
    /// From the intended start to rest.
    pub settle_ms: Latencies,
    /// What was accepted, by kind.
    pub kinds: BTreeMap<String, u64>,
    /// What payments came to rest as.
    pub outcomes: BTreeMap<String, u64>,
    /// Errors by code.
    pub errors_by_code: BTreeMap<String, u64>,
    /// Processor time this generator used over the whole run, in seconds.
    pub generator_cpu_s: f64,
}

impl Report {
    /// Whether everything that was accepted has come to rest.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.accepted == self.completed && self.open == 0
    }

    /// As JSON, for `--json`.
    ///
    /// # Errors
    /// The serialiser's; none is known.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }

    /// As a few lines for people.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = self.write_text(&mut text);
        text
    }

    fn write_text(&self, text: &mut String) -> std::fmt::Result {
        let (seconds, transport) = (self.duration_s, &self.transport);
        writeln!(text, "run {}  {} over {transport}, {seconds:.1} s measured", self.run, self.target)?;
        writeln!(text, "arrivals  {}", self.arrivals)?;
        let (offered, accepted, completed) = (self.offered_per_s, self.accepted_per_s, self.completed_per_s);
        writeln!(
            text,
            "rates     offered {offered:.0}/s   accepted {accepted:.0}/s   completed {completed:.0}/s"
        )?;
        let Self { sent, accepted, completed, errors, unknown, unsettled, skipped, late, .. } = self;
        writeln!(
            text,
            "counts    sent {sent}   accepted {accepted}   completed {completed}   errors {errors}"
        )?;
        writeln!(
            text,
            "          unknown {unknown}   unsettled {unsettled}   skipped {skipped}   late {late}"
        )?;
        writeln!(text, "latency ms        p50       p90       p99     p99.9       max")?;
        for (name, l) in [("accept", &self.accept_ms), ("settle", &self.settle_ms)] {
            let Latencies { p50, p90, p99, p999, max, .. } = l;
            writeln!(text, "  {name:<8} {p50:>9.2} {p90:>9.2} {p99:>9.2} {p999:>9.2} {max:>9.2}")?;
        }
        for (name, counts) in
            [("kinds", &self.kinds), ("outcomes", &self.outcomes), ("errors", &self.errors_by_code)]
        {
            if !counts.is_empty() {
                let list: Vec<String> = counts.iter().map(|(key, count)| format!("{key} {count}")).collect();
                writeln!(text, "{name:<9} {}", list.join("   "))?;
            }
        }
        let Self { reconnects, resent, substituted, .. } = self;
        if reconnects + resent + substituted > 0 {
            writeln!(
                text,
                "also      reconnects {reconnects}   resent {resent}   refunds turned charges {substituted}"
            )?;
        }
        let (cpu, drain) = (self.generator_cpu_s, self.drain_s);
        writeln!(text, "generator {cpu:.1} s of processor   drained {drain:.1} s after the end")?;
        if self.stopped {
            writeln!(text, "stopped   by a signal, before its end")?;
        }
        let Self { accepted, completed, open, .. } = self;
        if self.is_complete() {
            writeln!(text, "complete  every one of {accepted} accepted came to rest")
        } else {
            writeln!(
                text,
                "INCOMPLETE  {accepted} accepted, {completed} came to rest; {open} were still open, warm-up included"
            )
        }
    }
}
