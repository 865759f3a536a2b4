//! Breakers and queues of acquirers as Prometheus metrics, read when they are asked for.
//!
//! The acquirers of the server's own scenario have labels, at most as many as a scenario may have acquirers. Those of accounts' own
//! scenarios are only counted: an account may call its acquirers what it likes. Figures are of this process.

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntGauge, IntGaugeVec, Opts};

use super::known::AcquirerState;
use super::outside::Outside;
use super::worlds::Worlds;
use crate::clock::Wall;
use crate::domain::time::Timestamp;
use crate::simulator::Position;

const POSITIONS: [Position; 3] = [Position::Closed, Position::HalfOpen, Position::Open];

/// The metrics of acquirers; to be registered.
#[derive(Debug)]
pub struct AcquirerMetrics {
    worlds: Worlds,
    wall: Wall,
    breakers: IntGaugeVec,
    waiting: IntGauge,
    own_breaker: IntGaugeVec,
    own_waiting: IntGaugeVec,
}

impl AcquirerMetrics {
    /// Over these worlds.
    ///
    /// # Errors
    /// A name that Prometheus does not take.
    pub fn new(worlds: Worlds, wall: Wall) -> Result<Self, prometheus::Error> {
        let breakers = Opts::new(
            "paystorm_acquirer_breakers",
            "Circuit breakers of acquirers asked within the last minute, of all scenarios, by position.",
        );
        let own_breaker = Opts::new(
            "paystorm_acquirer_breaker_position",
            "Circuit breakers of the server's scenario: 0 closed, 1 half-open, 2 open.",
        );
        let own_waiting = Opts::new(
            "paystorm_acquirer_queue_length",
            "Operations that wait for their turn at an acquirer of the server's scenario.",
        );
        Ok(Self {
            worlds,
            wall,
            breakers: IntGaugeVec::new(breakers, &["position"])?,
            waiting: IntGauge::new(
                "paystorm_acquirer_waiting",
                "Operations that wait for their turn at an acquirer of any scenario.",
            )?,
            own_breaker: IntGaugeVec::new(own_breaker, &["acquirer"])?,
            own_waiting: IntGaugeVec::new(own_waiting, &["acquirer"])?,
        })
    }

    fn update(&self, now: Timestamp) {
        let common = self.worlds.common().states(now);
        for state in &common {
            if let Some(breaker) = state.breaker {
                let position = match breaker.position {
                    Position::Closed => 0,
                    Position::HalfOpen => 1,
                    Position::Open => 2,
                };
                self.own_breaker.with_label_values(&[state.name.as_str()]).set(position);
            }
            if let Some(queue) = state.queue {
                self.own_waiting.with_label_values(&[state.name.as_str()]).set(count(queue.waiting));
            }
        }
        let others = self.worlds.of_revisions();
        let all =
            common.into_iter().chain(others.iter().flat_map(|outside: &_| Outside::states(outside, now)));
        let (mut positions, mut waiting) = ([0_i64; POSITIONS.len()], 0);
        for state in all {
            waiting += state.queue.map_or(0, |queue| count(queue.waiting));
            let place = POSITIONS.iter().position(|position| breaker_in_use(&state) == Some(*position));
            if let Some(number) = place.and_then(|place| positions.get_mut(place)) {
                *number += 1;
            }
        }
        for (position, number) in POSITIONS.iter().zip(positions) {
            self.breakers.with_label_values(&[position.as_str()]).set(number);
        }
        self.waiting.set(waiting);
    }

    fn collectors(&self) -> [&dyn Collector; 4] {
        [&self.breakers, &self.waiting, &self.own_breaker, &self.own_waiting]
    }
}

/// Where its breaker stands, if anybody came to it lately: scenarios of the past would be counted for ever.
fn breaker_in_use(state: &AcquirerState) -> Option<Position> {
    let lately = state.last_minute;
    let is_used = lately.answered + lately.failed + lately.kept_away > 0;
    state.breaker.filter(|_| is_used).map(|breaker| breaker.position)
}

fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl Collector for AcquirerMetrics {
    fn desc(&self) -> Vec<&Desc> {
        self.collectors().into_iter().flat_map(Collector::desc).collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        self.update(self.wall.now());
        self.collectors().into_iter().flat_map(Collector::collect).collect()
    }
}
