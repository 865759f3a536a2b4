//! The two times of a run. *Real* time goes on from its start to its end; latencies and the series count in it. The *schedule's* time
//! stands still while the run is paused: arrivals and the measured window count in it. So nothing is due in a pause, and nothing that
//! comes after one is late because of it.

use std::ops::Range;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use serde::{Deserialize, Serialize};

use super::numbers::approximate;

/// Pauses of one run.
const PAUSES_MAX: usize = 200;

/// A stretch in which nothing was due, in seconds of real time since the start of the run.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Pause {
    /// When it began.
    pub start_s: f64,
    /// How long it took, or has taken so far.
    pub length_s: f64,
}

/// A pause, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stop {
    /// When it began by the schedule's time.
    at_run_us: u64,
    /// When it began in real time.
    at_us: u64,
    /// How long it took; `None` while it lasts.
    length_us: Option<u64>,
}

/// The times of a run.
#[derive(Debug, Default)]
pub struct Stopwatch {
    start: OnceLock<Instant>,
    stops: Mutex<Vec<Stop>>,
    resumed: Condvar,
}

impl Stopwatch {
    /// Starts it, unless it runs already.
    pub fn start(&self) {
        self.start.get_or_init(Instant::now);
    }

    /// Real time, in microseconds since the start; 0 before it.
    #[must_use]
    pub fn now_us(&self) -> u64 {
        let elapsed = self.start.get().map_or(Duration::ZERO, Instant::elapsed);
        u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX)
    }

    /// The schedule's time, in microseconds since the start.
    #[must_use]
    pub fn run_us(&self) -> u64 {
        // The time is taken under the lock, so that nothing is due that a pause has come before.
        let stops = self.stops.lock();
        run_at(&stops, self.now_us())
    }

    /// When this moment of the schedule is in real time. Holds for what is due by now; a pause to come may put off what is not.
    #[must_use]
    pub fn real_us(&self, run_us: u64) -> u64 {
        let stops = self.stops.lock();
        let before = |stop: &&Stop| stop.at_run_us < run_us;
        run_us + stops.iter().filter(before).filter_map(|stop| stop.length_us).sum::<u64>()
    }

    /// A window of the schedule in real time, as far as that is known. What a pause puts off has no end yet.
    #[must_use]
    pub fn real_window(&self, window: &Range<u64>) -> Range<u64> {
        let paused_at =
            self.stops.lock().last().filter(|stop| stop.length_us.is_none()).map(|stop| stop.at_run_us);
        let real = |run_us: u64| match paused_at {
            Some(at) if at < run_us => u64::MAX,
            Some(_) | None => self.real_us(run_us),
        };
        real(window.start)..real(window.end)
    }

    /// Stops the schedule's time. Says whether that changed anything.
    #[must_use]
    pub fn pause(&self) -> bool {
        let mut stops = self.stops.lock();
        let paused = stops.last().is_some_and(|stop| stop.length_us.is_none());
        if paused || stops.len() >= PAUSES_MAX || self.start.get().is_none() {
            return false;
        }
        let at_us = self.now_us();
        let at_run_us = run_at(&stops, at_us);
        stops.push(Stop { at_run_us, at_us, length_us: None });
        true
    }

    /// Lets the schedule's time go on. Says whether that changed anything.
    #[must_use]
    pub fn resume(&self) -> bool {
        let mut stops = self.stops.lock();
        let now_us = self.now_us();
        let Some(stop) = stops.last_mut().filter(|stop| stop.length_us.is_none()) else { return false };
        stop.length_us = Some(now_us.saturating_sub(stop.at_us));
        self.resumed.notify_all();
        true
    }

    /// Whether the schedule's time stands still.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.stops.lock().last().is_some_and(|stop| stop.length_us.is_none())
    }

    /// Blocks this thread until the pause ends, at most this long. Says whether there was one.
    pub fn wait_for_resume(&self, at_most: Duration) -> bool {
        let mut stops = self.stops.lock();
        let paused = stops.last().is_some_and(|stop| stop.length_us.is_none());
        if paused {
            self.resumed.wait_for(&mut stops, at_most);
        }
        paused
    }

    /// All pauses so far.
    #[must_use]
    pub fn pauses(&self) -> Vec<Pause> {
        let seconds = |us: u64| approximate(us) / 1_000_000.0;
        let (stops, now_us) = (self.stops.lock(), self.now_us());
        let pause = |stop: &Stop| {
            let length_us = stop.length_us.unwrap_or_else(|| now_us.saturating_sub(stop.at_us));
            Pause { start_s: seconds(stop.at_us), length_s: seconds(length_us) }
        };
        stops.iter().map(pause).collect()
    }
}

fn run_at(stops: &[Stop], now_us: u64) -> u64 {
    match stops.last() {
        Some(Stop { at_run_us, length_us: None, .. }) => *at_run_us,
        _ => now_us.saturating_sub(stops.iter().filter_map(|stop| stop.length_us).sum()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(stops: Vec<Stop>) -> Stopwatch {
        Stopwatch { stops: Mutex::new(stops), ..Stopwatch::default() }
    }

    #[test]
    fn what_a_pause_puts_off_is_put_off_by_its_length() {
        let stop = |at_run_us, at_us, length_us| Stop { at_run_us, at_us, length_us };
        let watch = with(vec![stop(1_000, 1_000, Some(500)), stop(3_000, 3_500, Some(200))]);
        assert_eq!(
            [999, 1_000, 1_001, 3_000, 3_001].map(|at| watch.real_us(at)),
            [999, 1_000, 1_501, 3_500, 3_701]
        );
        assert_eq!(watch.real_window(&(500..2_000)), 500..2_500);
        let paused = with(vec![stop(1_000, 1_000, Some(500)), stop(3_000, 3_500, None)]);
        assert_eq!(paused.real_window(&(500..4_000)), 500..u64::MAX);
        assert_eq!(paused.real_window(&(500..2_000)), 500..2_500);
        assert!(paused.is_paused());
        assert_eq!(run_at(&paused.stops.lock(), 9_999), 3_000);
        assert_eq!(run_at(&watch.stops.lock(), 9_999), 9_299);
    }

    #[test]
    fn the_schedule_stands_still_in_a_pause_and_real_time_does_not() {
        let watch = Stopwatch::default();
        assert!(!watch.pause() && !watch.resume(), "it has not begun");
        watch.start();
        assert!(watch.pause() && !watch.pause());
        let (run_us, now_us) = (watch.run_us(), watch.now_us());
        std::thread::sleep(Duration::from_millis(20));
        assert_eq!(watch.run_us(), run_us);
        assert!(watch.now_us() >= now_us + 20_000);
        assert!(watch.wait_for_resume(Duration::from_millis(1)));
        assert!(watch.resume() && !watch.resume() && !watch.wait_for_resume(Duration::from_secs(9)));
        assert!(watch.run_us() < watch.now_us() - 19_000);
        assert_eq!(watch.pauses().len(), 1);
    }

    #[test]
    fn pauses_are_bounded() {
        let watch = Stopwatch::default();
        watch.start();
        let done = (0..PAUSES_MAX + 5).filter(|_| watch.pause() && watch.resume()).count();
        assert_eq!(done, PAUSES_MAX);
    }
}
