//! A run second by second: what was offered, accepted and completed, how fast, and how much was under way. Bounded: a long run has
//! points of two seconds, then of four, and so on.

use serde::{Deserialize, Serialize};

use super::buckets::Buckets;
use super::numbers::approximate;
use crate::domain::status::Status;

/// Points of a run.
const POINTS_MAX: usize = 3_600;

/// What happened within a point's time.
#[derive(Debug, Clone, Default)]
struct Slot {
    offered: u64,
    accepted: u64,
    completed: u64,
    errors: u64,
    succeeded: u64,
    declined: u64,
    failed: u64,
    in_flight_max: u64,
    accept: Buckets,
    settle: Buckets,
}

/// A run second by second.
#[derive(Debug)]
pub struct Series {
    slots: Vec<Slot>,
    width_s: u64,
    in_flight: u64,
    points_max: usize,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happened {
    /// Work was due, at its intended start.
    Offered,
    /// The server acknowledged something, so many microseconds after its intended start.
    Accepted(u64),
    /// The server refused something.
    Refused,
    /// Something came to rest, so many microseconds after its intended start, as this.
    Completed(u64, Status),
}

/// A point of the series.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Point {
    /// Where it begins, in seconds from the start of the run, warm-up included.
    pub start_s: f64,
    /// How long it is, in seconds.
    pub length_s: f64,
    /// Due, per second.
    pub offered_per_s: f64,
    /// Acknowledged, per second.
    pub accepted_per_s: f64,
    /// Come to rest, per second.
    pub completed_per_s: f64,
    /// Refused, per second.
    pub errors_per_s: f64,
    /// Half of what came to rest took no longer, in milliseconds; absent if nothing did.
    pub settle_p50_ms: Option<f64>,
    /// All but one in a hundred took no longer.
    pub settle_p99_ms: Option<f64>,
    /// The most that was unanswered or open.
    pub in_flight: u64,
    /// Nine in ten of what came to rest took no longer.
    pub settle_p90_ms: Option<f64>,
    /// Half of what was acknowledged took no longer until then, in milliseconds.
    pub accept_p50_ms: Option<f64>,
    /// Nine in ten of it took no longer.
    pub accept_p90_ms: Option<f64>,
    /// All but one in a hundred took no longer.
    pub accept_p99_ms: Option<f64>,
    /// Come to rest as succeeded or authorized, per second.
    pub succeeded_per_s: f64,
    /// Come to rest as declined, per second.
    pub declined_per_s: f64,
    /// Come to rest as failed, per second.
    pub failed_per_s: f64,
}

impl Default for Series {
    fn default() -> Self {
        Self { slots: Vec::new(), width_s: 1, in_flight: 0, points_max: POINTS_MAX }
    }
}

impl Series {
    /// Notes what happened at a moment, in microseconds since the start.
    pub fn note(&mut self, at_us: u64, happened: Happened) {
        let Some(slot) = self.slot(at_us) else { return };
        match happened {
            Happened::Offered => slot.offered += 1,
            Happened::Accepted(accept_us) => {
                slot.accepted += 1;
                slot.accept.record(accept_us);
            }
            Happened::Refused => slot.errors += 1,
            Happened::Completed(settle_us, status) => {
                slot.completed += 1;
                match status {
                    Status::Succeeded | Status::RequiresCapture => slot.succeeded += 1,
                    Status::Declined => slot.declined += 1,
                    Status::Failed => slot.failed += 1,
                    Status::RequiresPaymentMethod
                    | Status::RequiresConfirmation
                    | Status::Queued
                    | Status::Processing
                    | Status::RequiresAction
                    | Status::Canceled => {}
                }
                slot.settle.record(settle_us);
            }
        }
    }

    /// Notes how much is unanswered or open at a moment.
    pub fn in_flight(&mut self, at_us: u64, count: u64) {
        self.in_flight = count;
        if let Some(slot) = self.slot(at_us) {
            slot.in_flight_max = slot.in_flight_max.max(count);
        }
    }

    fn slot(&mut self, at_us: u64) -> Option<&mut Slot> {
        let mut at = place(at_us, self.width_s);
        while at >= self.points_max {
            self.widen();
            at = place(at_us, self.width_s);
        }
        let quiet = Slot { in_flight_max: self.in_flight, ..Slot::default() };
        if at >= self.slots.len() {
            self.slots.resize(at + 1, quiet);
        }
        self.slots.get_mut(at)
    }

    /// Makes one point of every two.
    fn widen(&mut self) {
        let merged = |pair: &[Slot]| {
            let mut all = Slot::default();
            for slot in pair {
                all.offered += slot.offered;
                all.accepted += slot.accepted;
                all.completed += slot.completed;
                all.errors += slot.errors;
                all.succeeded += slot.succeeded;
                all.declined += slot.declined;
                all.failed += slot.failed;
                all.in_flight_max = all.in_flight_max.max(slot.in_flight_max);
                all.accept.add(&slot.accept);
                all.settle.add(&slot.settle);
            }
            all
        };
        self.slots = self.slots.chunks(2).map(merged).collect();
        self.width_s = self.width_s.saturating_mul(2);
    }

    /// How long a point is, in seconds.
    #[must_use]
    pub const fn width_s(&self) -> u64 {
        self.width_s
    }

    /// The points of a run that has come this far, but for so many at its beginning.
    #[must_use]
    pub fn points(&self, end_us: u64, skipped: usize) -> Vec<Point> {
        let width_s = approximate(self.width_s);
        let point = |(n, slot): (usize, &Slot)| {
            let start_s = approximate(n as u64) * width_s;
            // The last one may not be over.
            let length_s = (approximate(end_us) / 1e6 - start_s).clamp(0.05, width_s);
            let of = |law: &Buckets, share| law.quantile_us(share).map(|us| approximate(us) / 1_000.0);
            let (accept, ms) = (|share| of(&slot.accept, share), |share| of(&slot.settle, share));
            Point {
                start_s,
                length_s,
                offered_per_s: approximate(slot.offered) / length_s,
                accepted_per_s: approximate(slot.accepted) / length_s,
                completed_per_s: approximate(slot.completed) / length_s,
                errors_per_s: approximate(slot.errors) / length_s,
                settle_p50_ms: ms(0.5),
                settle_p99_ms: ms(0.99),
                in_flight: slot.in_flight_max,
                settle_p90_ms: ms(0.9),
                accept_p50_ms: accept(0.5),
                accept_p90_ms: accept(0.9),
                accept_p99_ms: accept(0.99),
                succeeded_per_s: approximate(slot.succeeded) / length_s,
                declined_per_s: approximate(slot.declined) / length_s,
                failed_per_s: approximate(slot.failed) / length_s,
            }
        };
        self.slots.iter().enumerate().skip(skipped).map(point).collect()
    }

    /// The p99 of what came to rest within the last whole point before this moment, in milliseconds.
    #[must_use]
    pub fn recent_p99_ms(&self, now_us: u64) -> Option<f64> {
        let slot = self.slots.get(place(now_us, self.width_s).checked_sub(1)?)?;
        slot.settle.quantile_us(0.99).map(|us| approximate(us) / 1_000.0)
    }
}

fn place(at_us: u64, width_s: u64) -> usize {
    usize::try_from(at_us / 1_000_000 / width_s.max(1)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn seconds_are_told_apart_and_quiet_ones_keep_what_is_open() {
        let mut series = Series::default();
        series.note(100, Happened::Offered);
        series.note(200_000, Happened::Accepted(199_900));
        series.in_flight(200_000, 7);
        series.note(3_400_000, Happened::Completed(3_300_000, Status::Declined));
        series.in_flight(3_400_000, 6);
        let points = series.points(3_500_000, 0);
        assert_eq!(series.points(3_500_000, 3), points[3..]);
        assert_eq!((points[3].declined_per_s, points[3].succeeded_per_s), (2.0, 0.0));
        assert!((190.0..215.0).contains(&points[0].accept_p99_ms.unwrap()));
        assert_eq!(points.iter().map(|point| point.in_flight).collect::<Vec<_>>(), [7, 7, 7, 7]);
        assert_eq!(
            (points[0].offered_per_s, points[0].accepted_per_s, points[1].offered_per_s),
            (1.0, 1.0, 0.0)
        );
        assert_eq!(
            (points[3].length_s, points[3].completed_per_s, points[2].settle_p99_ms),
            (0.5, 2.0, None)
        );
        let p99 = points[3].settle_p99_ms.unwrap();
        assert!((3_300.0..3_520.0).contains(&p99), "{p99}");
        assert_eq!(series.recent_p99_ms(4_100_000), Some(p99));
        assert_eq!(series.recent_p99_ms(100), None);
    }

    proptest! {
        #[test]
        fn a_long_run_keeps_its_sums_and_its_bound(at in prop::collection::vec(0_u64..20_000, 1..200)) {
            let mut series = Series { points_max: 8, ..Series::default() };
            at.iter().for_each(|s| series.note(s * 1_000_000, Happened::Completed(*s + 1, Status::Succeeded)));
            let points = series.points(20_000_000_000, 0);
            prop_assert!(points.len() <= 8);
            let sum: f64 = points.iter().map(|point| point.completed_per_s * point.length_s).sum();
            prop_assert!((sum - at.len() as f64).abs() < 1e-6, "{}", sum);
        }
    }
}
