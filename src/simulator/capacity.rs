//! The capacity of an acquirer: a queue builds up in front of one that gets more than it can do.
//!
//! Pure: times are handed in, and nothing is kept of those who wait but how many there are. They are served at an even pace, in
//! the order in which they came, so that each knows at once how long it waits.

use super::latency::whole_us;
use crate::domain::time::Timestamp;

/// How much an acquirer can do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Capacity {
    /// Operations per second; more than 0.
    pub per_s: f64,
    /// The most that may wait; beyond, they are refused.
    pub queue_max: u32,
}

/// The queue in front of an acquirer.
#[derive(Debug, Clone, Copy)]
pub struct Queue {
    /// Those that were in it at `seen_at`, with the rest of the one that is served.
    length: f64,
    seen_at: Timestamp,
}

/// A shorter rest of an operation is nothing to wait for: sums of fractions are rarely exact.
const NOTHING: f64 = 1e-6;
/// The longest that anyone waits, in microseconds.
const WAIT_US_MAX: u64 = 600_000_000;

impl Queue {
    /// Nobody waits.
    #[must_use]
    pub const fn new(now: Timestamp) -> Self {
        Self { length: 0.0, seen_at: now }
    }

    /// How long one that comes now waits for its turn, in microseconds; `None` if it is refused. `may_wait` is whether there is
    /// room for one more to wait elsewhere.
    pub fn enter(&mut self, capacity: Capacity, may_wait: bool, now: Timestamp) -> Option<u64> {
        self.length = self.length_at(capacity.per_s, now);
        self.seen_at = now;
        let wait_us = whole_us(self.length / capacity.per_s * 1e6);
        let is_full = !may_wait || self.length > f64::from(capacity.queue_max) + NOTHING;
        if self.length > NOTHING && (is_full || wait_us > WAIT_US_MAX) {
            return None;
        }
        self.length += 1.0;
        Some(wait_us)
    }

    /// How long one that came now would wait, in microseconds.
    #[must_use]
    pub fn wait_us(&self, capacity: Capacity, now: Timestamp) -> u64 {
        whole_us(self.length_at(capacity.per_s, now) / capacity.per_s * 1e6)
    }

    /// How many wait for their turn now, the one that is served not among them.
    #[must_use]
    pub fn waiting(&self, capacity: Capacity, now: Timestamp) -> u64 {
        whole_us((self.length_at(capacity.per_s, now) - NOTHING).ceil() - 1.0)
    }

    /// A clock that was set back serves nobody for a moment, and goes on from there.
    fn length_at(&self, per_s: f64, now: Timestamp) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "exact for three centuries")]
        let passed_s = now.micros_since(self.seen_at) as f64 / 1e6;
        (self.length - passed_s * per_s).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(us: i64) -> Timestamp {
        Timestamp::from_micros(us)
    }

    const SLOW: Capacity = Capacity { per_s: 200.0, queue_max: 1_000 };

    #[test]
    fn at_twice_the_rate_the_wait_grows_by_half_of_a_turn_each_time() {
        let mut queue = Queue::new(at(0));
        for n in 0..900_u32 {
            // 400 per second come, 200 are served: a turn takes 5 ms, and another comes every 2.5 ms.
            let wait_us = queue.enter(SLOW, true, at(i64::from(n) * 2_500)).expect("admitted");
            assert_eq!(wait_us, u64::from(n) * 2_500, "{n}");
        }
    }

    #[test]
    fn at_less_than_the_rate_nobody_waits_and_a_burst_is_worked_off() {
        let mut queue = Queue::new(at(0));
        for n in 0..100 {
            assert_eq!(queue.enter(SLOW, true, at(n * 5_001)), Some(0));
        }
        let mut queue = Queue::new(at(0));
        for n in 0..100_u64 {
            assert_eq!(queue.enter(SLOW, true, at(0)), Some(n * 5_000));
        }
        assert_eq!(queue.wait_us(SLOW, at(250_000)), 250_000);
        assert_eq!(queue.enter(SLOW, true, at(1_000_000)), Some(0), "all are served");
    }

    #[test]
    fn no_more_wait_than_may() {
        let capacity = Capacity { per_s: 10.0, queue_max: 3 };
        let mut queue = Queue::new(at(0));
        let waits: Vec<_> = (0..6).map(|_| queue.enter(capacity, true, at(0))).collect();
        assert_eq!(waits, [Some(0), Some(100_000), Some(200_000), Some(300_000), None, None]);
        assert_eq!(queue.enter(capacity, true, at(100_000)), Some(300_000), "one has left");
        assert_eq!(queue.enter(capacity, false, at(200_000)), None, "no room elsewhere");
        assert_eq!(queue.enter(capacity, false, at(900_000)), Some(0), "who need not wait needs none");
    }

    #[test]
    fn a_change_of_capacity_changes_what_newcomers_wait() {
        let mut queue = Queue::new(at(0));
        for _ in 0..11 {
            queue.enter(SLOW, true, at(0));
        }
        assert_eq!(queue.wait_us(Capacity { per_s: 1.0, ..SLOW }, at(0)), 11_000_000);
        assert_eq!(queue.wait_us(Capacity { per_s: 1_000.0, ..SLOW }, at(1_000)), 10_000);
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_block_the_queue() {
        let mut queue = Queue::new(at(0));
        assert_eq!(queue.enter(SLOW, true, at(3_600_000_000)), Some(0));
        assert_eq!(queue.enter(SLOW, true, at(0)), Some(5_000));
        assert_eq!(queue.enter(SLOW, true, at(10_000)), Some(0));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn turns_are_a_turn_apart_and_in_order(gaps in prop::collection::vec(0..20_000_i64, 1..200)) {
            let mut queue = Queue::new(at(0));
            let (mut now, mut last) = (0, None);
            for gap in gaps {
                now += gap;
                let turn = now + i64::try_from(queue.enter(SLOW, true, at(now)).expect("admitted")).unwrap();
                if let Some(last) = last {
                    prop_assert!(turn >= last + 5_000 - 2, "{} after {}", turn, last);
                    prop_assert!(turn == now || turn <= last + 5_000 + 2, "nobody waits for nobody");
                }
                last = Some(turn);
            }
        }
    }
}
