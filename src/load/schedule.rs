//! Schedules when work arrives: fixed in advance, whatever the server does. Latency counts from then, so that a server
//! that stalls cannot make the generator send less and look better (coordinated omission).

use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::plan::mixed;

/// Below this distance between arrivals, the clock ticks at this distance and releases several at once.
const TICK_MIN_US: u64 = 500;

/// The arrivals of an open run.
#[derive(Debug, Clone)]
pub struct Schedule {
    gap_us: f64,
    poisson: Option<u64>,
    end_us: u64,
}

impl Schedule {
    /// `per_second` arrivals until `end`; at random moments drawn from `poisson`, or at even distances.
    #[must_use]
    pub fn new(per_second: f64, end: Duration, poisson: Option<u64>) -> Self {
        let end_us = u64::try_from(end.as_micros()).unwrap_or(u64::MAX);
        Self { gap_us: 1_000_000.0 / per_second, poisson, end_us }
    }

    /// The intended starts in order, in microseconds since the start of the run.
    pub fn arrivals(&self) -> impl Iterator<Item = u64> + use<> {
        let Self { gap_us, poisson, end_us } = self.clone();
        let mut at = 0.0_f64;
        (0_u64..)
            .map(move |index| {
                #[expect(
                    clippy::cast_precision_loss,
                    reason = "an index is far below 2^53, and so are 53 bits"
                )]
                let us = match poisson {
                    None => index as f64 * gap_us,
                    Some(seed) => {
                        // Exponential gaps, by inversion of a uniform number in (0, 1).
                        let uniform = ((mixed(seed, index, 9) >> 11) as f64 + 0.5) / 9_007_199_254_740_992.0;
                        at -= gap_us * uniform.ln();
                        at
                    }
                };
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "positive, within a week"
                )]
                let whole = us as u64;
                whole
            })
            .take_while(move |us| *us < end_us)
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
/// must not wait for one. Ends with the schedule, or when nobody listens any more.
pub fn pace(schedule: &Schedule, start: Instant, released: &watch::Sender<Released>) {
    let mut arrivals = schedule.arrivals().peekable();
    let mut until = 0;
    while let Some(next_us) = arrivals.peek().copied() {
        let now_us = micros_since(start);
        if next_us > now_us {
            // Short sleeps only, so that a run that is over does not linger.
            let wait_us =
                if until == 0 { next_us - now_us } else { (next_us - now_us).max(tick_us(schedule)) };
            std::thread::sleep(Duration::from_micros(wait_us.min(50_000)));
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

fn tick_us(schedule: &Schedule) -> u64 {
    if schedule.gap_us < 500.0 { TICK_MIN_US } else { 0 }
}

/// Microseconds since `start`.
#[must_use]
pub fn micros_since(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_arrivals_are_even_and_end() {
        let at: Vec<u64> = Schedule::new(4.0, Duration::from_secs(1), None).arrivals().collect();
        assert_eq!(at, [0, 250_000, 500_000, 750_000]);
        assert_eq!(Schedule::new(15_000.0, Duration::from_secs(2), None).arrivals().count(), 30_000);
    }

    #[test]
    fn poisson_arrivals_hold_the_rate_and_repeat() {
        let schedule = Schedule::new(10_000.0, Duration::from_secs(20), Some(1));
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
        let start = Instant::now();
        pace(&Schedule::new(2_000.0, Duration::from_millis(300), None), start, &sender);
        assert_eq!(*receiver.borrow(), Released { until: 600, ended: true });
        assert!(start.elapsed() >= Duration::from_millis(299));
    }
}
