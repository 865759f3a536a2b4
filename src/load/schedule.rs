//! Schedules when work arrives: fixed in advance, whatever the server does. Latency counts from then, so that a server
//! that stalls cannot make the generator send less and look better (coordinated omission).

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::numbers::{approximate, mixed, uniform, whole};
use super::profile::Profile;
use super::stopwatch::Stopwatch;

/// Below this distance between arrivals, the clock ticks at this distance and releases several at once.
const TICK_MIN_US: u64 = 500;
/// How long the clock sleeps at most, so that a run that is over does not linger.
const SLEEP_MAX_US: u64 = 50_000;

/// The arrivals of an open run.
#[derive(Debug, Clone)]
pub struct Schedule {
    profile: Arc<Profile>,
    poisson: Option<u64>,
}

impl Schedule {
    /// Arrivals at the rates of `profile`; at random moments drawn from `poisson`, or at even distances.
    #[must_use]
    pub fn new(profile: Profile, poisson: Option<u64>) -> Self {
        Self { profile: Arc::new(profile), poisson }
    }

    /// The rates.
    #[must_use]
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// The intended starts in order, in microseconds of the schedule's time.
    pub fn arrivals(&self) -> impl Iterator<Item = u64> + use<> {
        let Self { profile, poisson } = self.clone();
        let (mut sum, mut part) = (0.0, 0);
        (0_u64..).map_while(move |index| {
            let count = match poisson {
                None => approximate(index),
                Some(seed) => {
                    // Exponential gaps, by inversion of a uniform number.
                    sum -= uniform(mixed(seed, index, 9)).ln();
                    sum
                }
            };
            profile.time_of(count, &mut part).map(|at_s| whole(at_s * 1_000_000.0))
        })
    }

    /// The distance between arrivals around this moment is so small that several are released at once.
    fn is_dense(&self, at_us: u64) -> bool {
        self.profile.rate_at(approximate(at_us) / 1_000_000.0) > 1_000_000.0 / approximate(TICK_MIN_US)
    }
}

/// Work that has been released: how many pieces, and whether more will come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Released {
    /// Indices below this are due.
    pub until: u64,
    /// Nothing more will come.
    pub ended: bool,
}

/// Releases arrivals at their times, on a thread of its own: a runtime's timers tick in milliseconds, and a lone payment
/// must not wait for one. Nothing is due in a pause. Ends with the schedule, or when nobody listens any more.
pub fn pace(schedule: &Schedule, stopwatch: &Stopwatch, released: &watch::Sender<Released>) {
    let mut arrivals = schedule.arrivals().peekable();
    let mut until = 0;
    while let Some(next_us) = arrivals.peek().copied() {
        let now_us = stopwatch.run_us();
        if next_us > now_us {
            if !stopwatch.wait_for_resume(Duration::from_micros(SLEEP_MAX_US)) {
                let dense = until > 0 && schedule.is_dense(next_us);
                let wait_us = (next_us - now_us).max(if dense { TICK_MIN_US } else { 0 });
                std::thread::sleep(Duration::from_micros(wait_us.min(SLEEP_MAX_US)));
            }
            if released.is_closed() {
                return;
            }
            continue;
        }
        while arrivals.next_if(|at| *at <= now_us).is_some() {
            until += 1;
        }
        released.send_replace(Released { until, ended: false });
    }
    released.send_replace(Released { until, ended: true });
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn even(per_second: f64, ms: u64) -> Schedule {
        Schedule::new(Profile::constant(per_second, Duration::from_millis(ms)), None)
    }

    #[test]
    fn even_arrivals_are_even_and_end() {
        let at: Vec<u64> = even(4.0, 1_000).arrivals().collect();
        assert_eq!(at, [0, 250_000, 500_000, 750_000]);
        assert_eq!(even(15_000.0, 2_000).arrivals().count(), 30_000);
    }

    #[test]
    fn poisson_arrivals_hold_the_rate_and_repeat() {
        let schedule = Schedule::new(Profile::constant(10_000.0, Duration::from_secs(20)), Some(1));
        let at: Vec<u64> = schedule.arrivals().collect();
        assert_eq!(at, schedule.arrivals().collect::<Vec<_>>());
        // The count has a standard deviation of √200,000 ≈ 447.
        assert!(at.len().abs_diff(200_000) < 2_000, "{}", at.len());
        // So have exponential gaps: one in e is longer than the mean.
        let long = at.windows(2).filter(|pair| pair[1] - pair[0] > 100).count() as f64 / at.len() as f64;
        assert!((long - (-1.0_f64).exp()).abs() < 0.01, "{long}");
    }

    #[test]
    fn pacing_releases_on_time() {
        let (sender, receiver) = watch::channel(Released::default());
        let (start, stopwatch) = (Instant::now(), Stopwatch::default());
        stopwatch.start();
        pace(&even(2_000.0, 300), &stopwatch, &sender);
        assert_eq!(*receiver.borrow(), Released { until: 600, ended: true });
        assert!(start.elapsed() >= Duration::from_millis(299));
    }

    #[test]
    fn nothing_is_released_in_a_pause_and_nothing_is_lost_by_it() {
        let (sender, receiver) = watch::channel(Released::default());
        let stopwatch = Arc::new(Stopwatch::default());
        stopwatch.start();
        let pacing = std::thread::spawn({
            let stopwatch = Arc::clone(&stopwatch);
            move || pace(&even(1_000.0, 300), &stopwatch, &sender)
        });
        std::thread::sleep(Duration::from_millis(100));
        assert!(stopwatch.pause());
        // What was due at the moment of the pause may still be on its way.
        std::thread::sleep(Duration::from_millis(60));
        let before = *receiver.borrow();
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(*receiver.borrow(), before);
        assert!((50..200).contains(&before.until) && !before.ended, "{before:?}");
        assert!(stopwatch.resume());
        pacing.join().expect("the pace");
        assert_eq!(*receiver.borrow(), Released { until: 300, ended: true });
        let real_us: Vec<u64> = even(1_000.0, 300).arrivals().map(|at| stopwatch.real_us(at)).collect();
        let gaps = real_us.windows(2).filter(|pair| pair[1] - pair[0] > 300_000).count();
        assert_eq!(gaps, 1, "those after the pause are intended after it");
    }
}
