//! What is remembered of an acquirer: its breaker, its queue, and how it has answered lately; and all of that as a state to show.
//!
//! May depend on `simulator` and `domain`. Times are handed in. It is of this process: other instances remember for themselves.

use super::recent::{Became, Counts, Recent};
use crate::domain::time::Timestamp;
use crate::simulator::{Acquirer, Breaker, Capacity, Entry, Permit, Position, Queue};

/// The state of an acquirer.
#[derive(Debug, Clone, PartialEq)]
pub struct AcquirerState {
    /// Its name.
    pub name: String,
    /// Its breaker, if it has one.
    pub breaker: Option<BreakerState>,
    /// Its queue, if what it can do is limited.
    pub queue: Option<QueueState>,
    /// What became of the attempts of the last minute.
    pub last_minute: Counts,
    /// What became of all attempts since this process knows it.
    pub total: Counts,
}

/// The state of a breaker.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BreakerState {
    /// Where it stands.
    pub position: Position,
    /// Since when.
    pub since: Timestamp,
    /// Until when nobody is let through; `None` unless it is open. Then the next attempt is a probe.
    pub open_until: Option<Timestamp>,
    /// The share of technical errors among the last outcomes, 0 to 1.
    pub error_share: f64,
}

/// The state of the queue in front of an acquirer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QueueState {
    /// How many wait for their turn.
    pub waiting: u64,
    /// How long one that came now would wait, in microseconds.
    pub wait_us: u64,
    /// What it could do when it was last asked; `None` before that, and while nothing limits it.
    pub capacity: Option<Capacity>,
}

/// What is remembered of an acquirer.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) name: String,
    pub(super) breaker: Option<Breaker>,
    queue: Option<Queue>,
    /// What it could do when it was last asked.
    capacity: Option<Capacity>,
    /// `None` before anybody came. Most acquirers of most accounts are never asked.
    recent: Option<Box<Recent>>,
}

impl Known {
    pub(super) fn new(acquirer: &Acquirer, now: Timestamp) -> Self {
        Self {
            name: acquirer.name().to_owned(),
            breaker: acquirer.breaker().map(|rules| Breaker::new(rules, now)),
            queue: acquirer.has_capacity().then(|| Queue::new(now)),
            capacity: None,
            recent: None,
        }
    }

    /// Whether there is anything to say about it.
    pub(super) const fn is_of_interest(&self) -> bool {
        self.breaker.is_some() || self.queue.is_some() || self.recent.is_some()
    }

    pub(super) fn state(&self, now: Timestamp) -> AcquirerState {
        let breaker = self.breaker.as_ref().map(|breaker| BreakerState {
            position: breaker.position(),
            since: breaker.since(),
            open_until: breaker.open_until(),
            error_share: breaker.error_share(),
        });
        let queue = self.queue.map(|queue| QueueState {
            waiting: self.capacity.map_or(0, |capacity| queue.waiting(capacity, now)),
            wait_us: self.capacity.map_or(0, |capacity| queue.wait_us(capacity, now)),
            capacity: self.capacity,
        });
        let recent = self.recent.as_deref();
        AcquirerState {
            name: self.name.clone(),
            breaker,
            queue,
            last_minute: recent.map(|recent| recent.last_minute(now)).unwrap_or_default(),
            total: recent.map(Recent::total).unwrap_or_default(),
        }
    }

    pub(super) fn position(&self) -> Option<Position> {
        self.breaker.as_ref().map(Breaker::position)
    }

    /// Counts what became of an attempt.
    pub(super) fn note(&mut self, what: Became, now: Timestamp) {
        self.recent.get_or_insert_default().note(what, now);
    }

    /// Lets an attempt in. The breaker is asked first: who is kept away stands in no queue.
    pub(super) fn enter(
        &mut self,
        capacity: Option<Capacity>,
        may_wait: bool,
        now: Timestamp,
    ) -> (Entry, Option<Permit>) {
        let permit = match self.breaker.as_mut() {
            Some(breaker) => match breaker.admit(now) {
                Some(permit) => Some(permit),
                None => {
                    self.note(Became::KeptAway, now);
                    return (Entry::Closed, None);
                }
            },
            None => None,
        };
        self.capacity = capacity;
        let wait_us = match self.queue.as_mut().zip(capacity) {
            Some((queue, capacity)) => queue.enter(capacity, may_wait, now),
            None => Some(0),
        };
        (wait_us.map_or(Entry::Full, |wait_us| Entry::Open { wait_us }), permit)
    }
}
