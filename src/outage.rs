//! Logs an outage of the store, the broker or the search index: a line when it begins, one a minute with the count, one
//! when it ends.
//!
//! Depends on nothing. Each adapter holds one [`Outage`] and reports to it how its operations end, so that callers need not
//! log their errors while a part is unavailable: however many callers there are, the log says it once.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// How often an outage that lasts is logged.
const REMIND_EVERY: Duration = Duration::from_secs(60);
/// After this long without a failure, success means that it is over. One that comes and goes is a single outage.
const QUIET_FOR: Duration = Duration::from_secs(2);

/// A way of using a part. A part whose disk is full can still be read, so that reading says nothing about writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Taking something out of it.
    Read,
    /// Putting something into it.
    Write,
}

/// Watches one part of the system.
#[derive(Debug)]
pub struct Outage {
    /// The part, as the log names it: "the store".
    part: &'static str,
    /// The ways that fail; looked at without a lock, since nearly always there are none.
    failing: AtomicU8,
    ongoing: Mutex<Option<Ongoing>>,
    /// What to advise on damage, and whether it was met. No success clears it.
    advice: String,
    damaged: AtomicBool,
}

#[derive(Debug)]
struct Ongoing {
    began: Instant,
    /// When each way failed last.
    failed: [Option<Instant>; 2],
    /// Why, the last time that any did.
    cause: String,
    reminded: Instant,
    failures: u64,
}

/// What there is to log.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    Begins,
    GoesOn { failures: u64, lasted: Duration },
    Ended { failures: u64, lasted: Duration },
}

impl Way {
    const fn place(self) -> usize {
        match self {
            Self::Read => 0,
            Self::Write => 1,
        }
    }
}

impl Outage {
    /// A part that works so far. `part` begins the sentences of the log.
    #[must_use]
    pub const fn new(part: &'static str) -> Self {
        Self {
            part,
            failing: AtomicU8::new(0),
            ongoing: Mutex::new(None),
            advice: String::new(),
            damaged: AtomicBool::new(false),
        }
    }

    /// The same, with what to do should it be damaged.
    #[must_use]
    pub fn with_advice(self, advice: String) -> Self {
        Self { advice, ..self }
    }

    /// What it holds is damaged. Logged once: nothing but a repair ends it.
    pub fn damaged(&self, cause: &dyn fmt::Display) {
        if !self.damaged.swap(true, Ordering::Relaxed) {
            let (part, advice) = (self.part, self.advice.as_str());
            tracing::error!(part, error = %cause, advice, "{part} is damaged");
        }
    }

    /// Whether damage was met since the start.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        self.damaged.load(Ordering::Relaxed)
    }

    /// Why the part was last of no use, while this way of using it fails.
    #[must_use]
    pub fn failing(&self, way: Way) -> Option<String> {
        if self.failing.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let slot = self.ongoing.lock();
        let ongoing = slot.as_ref()?;
        ongoing.failed.get(way.place()).copied().flatten().map(|_| ongoing.cause.clone())
    }

    /// An operation failed because the part is unavailable.
    pub fn failed(&self, way: Way, cause: &dyn fmt::Display) {
        let part = self.part;
        let line = self.note_failure(way, Instant::now());
        if let Some(ongoing) = self.ongoing.lock().as_mut() {
            ongoing.cause = cause.to_string();
        }
        match line {
            Some(Line::GoesOn { failures, lasted }) => {
                let lasted_s = lasted.as_secs();
                tracing::warn!(part, error = %cause, failures, lasted_s, "{part} is still failing");
            }
            Some(Line::Begins | Line::Ended { .. }) => {
                tracing::warn!(part, error = %cause, "{part} is failing")
            }
            None => tracing::debug!(part, error = %cause, "{part} failed again"),
        }
    }

    /// An operation was answered.
    pub fn worked(&self, way: Way) {
        if self.failing.load(Ordering::Relaxed) == 0 {
            return;
        }
        let ended = self.note_success(way, Instant::now());
        self.log_end(ended);
    }

    /// It is known to be over, however recently something failed.
    pub fn over(&self) {
        if self.failing.load(Ordering::Relaxed) != 0 {
            let ended = self.end(&mut self.ongoing.lock(), Instant::now());
            self.log_end(ended);
        }
    }

    fn log_end(&self, line: Option<Line>) {
        if let Some(Line::Ended { failures, lasted }) = line {
            let (part, lasted_s) = (self.part, lasted.as_secs());
            tracing::info!(part, failures, lasted_s, "{part} works again");
        }
    }

    fn note_failure(&self, way: Way, now: Instant) -> Option<Line> {
        let mut slot = self.ongoing.lock();
        let line = match slot.as_mut() {
            None => {
                *slot = Some(Ongoing {
                    began: now,
                    failed: [None; 2],
                    cause: String::new(),
                    reminded: now,
                    failures: 0,
                });
                Some(Line::Begins)
            }
            Some(ongoing) if now.saturating_duration_since(ongoing.reminded) >= REMIND_EVERY => {
                ongoing.reminded = now;
                let lasted = now.saturating_duration_since(ongoing.began);
                Some(Line::GoesOn { failures: ongoing.failures + 1, lasted })
            }
            Some(_) => None,
        };
        if let Some(ongoing) = slot.as_mut() {
            ongoing.failures += 1;
            if let Some(failed) = ongoing.failed.get_mut(way.place()) {
                *failed = Some(now);
            }
            self.failing.store(1, Ordering::Relaxed);
        }
        line
    }

    fn note_success(&self, way: Way, now: Instant) -> Option<Line> {
        let mut slot = self.ongoing.lock();
        let ongoing = slot.as_mut()?;
        if let Some(failed) = ongoing.failed.get_mut(way.place())
            && failed.is_some_and(|at| now.saturating_duration_since(at) >= QUIET_FOR)
        {
            *failed = None;
        }
        if ongoing.failed.iter().any(Option::is_some) {
            return None;
        }
        self.end(&mut slot, now)
    }

    fn end(&self, slot: &mut Option<Ongoing>, now: Instant) -> Option<Line> {
        let ongoing = slot.take()?;
        self.failing.store(0, Ordering::Relaxed);
        let lasted = now.saturating_duration_since(ongoing.began);
        Some(Line::Ended { failures: ongoing.failures, lasted })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_of_failures_are_one_line_a_minute() {
        let (outage, began) = (Outage::new("the store"), Instant::now());
        let at = |ms| began + Duration::from_millis(ms);
        let mut lines = Vec::new();
        for ms in (0..150_000).step_by(30) {
            lines.extend(outage.note_failure(Way::Read, at(ms)));
            lines.extend(outage.note_failure(Way::Write, at(ms)));
        }
        for ms in (150_000..156_000).step_by(30) {
            lines.extend(outage.note_success(Way::Read, at(ms)));
            lines.extend(outage.note_success(Way::Write, at(ms)));
        }
        let expected = [
            Line::Begins,
            Line::GoesOn { failures: 4_001, lasted: Duration::from_secs(60) },
            Line::GoesOn { failures: 8_001, lasted: Duration::from_secs(120) },
            Line::Ended { failures: 10_000, lasted: Duration::from_millis(151_980) },
        ];
        assert_eq!(lines, expected);
        assert_eq!(outage.note_success(Way::Read, at(160_000)), None);
        assert_eq!(outage.note_failure(Way::Read, at(160_000)), Some(Line::Begins), "another one");
    }

    #[test]
    fn one_that_comes_and_goes_is_a_single_outage() {
        let (outage, began) = (Outage::new("the store"), Instant::now());
        let lines = (0..20_000).step_by(100).filter_map(|ms| {
            let at = began + Duration::from_millis(ms);
            // Every second fails at its beginning and works after.
            if ms % 1_000 == 0 {
                outage.note_failure(Way::Read, at)
            } else {
                outage.note_success(Way::Read, at)
            }
        });
        assert_eq!(lines.collect::<Vec<_>>(), [Line::Begins]);
    }

    #[test]
    fn what_can_be_read_may_still_not_be_written() {
        let (outage, began) = (Outage::new("the store"), Instant::now());
        assert_eq!(outage.note_failure(Way::Write, began), Some(Line::Begins));
        let later = began + Duration::from_secs(30);
        assert_eq!(outage.note_success(Way::Read, later), None);
        let ended = Line::Ended { failures: 1, lasted: Duration::from_secs(30) };
        assert_eq!(outage.note_success(Way::Write, later), Some(ended));
    }

    #[test]
    fn one_that_is_known_to_be_over_ends_at_once() {
        let outage = Outage::new("RabbitMQ");
        outage.over();
        outage.failed(Way::Read, &"connection refused");
        assert!(outage.ongoing.lock().is_some());
        outage.over();
        assert!(outage.ongoing.lock().is_none());
        assert_eq!(outage.failing.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn why_it_fails_is_said_for_the_way_that_fails() {
        let outage = Outage::new("the store");
        assert_eq!(outage.failing(Way::Write), None);
        outage.failed(Way::Write, &"the disk is full");
        assert_eq!(outage.failing(Way::Write).as_deref(), Some("the disk is full"));
        assert_eq!(outage.failing(Way::Read), None);
        outage.over();
        assert_eq!(outage.failing(Way::Write), None);
        outage.damaged(&"a page");
        outage.over();
        assert!(outage.is_damaged());
    }
}
