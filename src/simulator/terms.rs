//! The terms on which an acquirer answers one attempt: its own, as far as no window of the scenario changes them.
//!
//! Draws are the same on all terms: what a window does not change comes out as it would without it.

use super::capacity::Capacity;
use super::draw::{Draw, Slot};
use super::faults::Faults;
use super::latency::{Latency, MS_MAX, micros};
use super::scenario::{Change, Shares, Verdict};
use crate::domain::forced::Fault;

/// Where an acquirer does not say how many may wait for it.
pub(super) const QUEUE_MAX: u32 = 1_000;

/// The terms of one attempt.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    latency: &'a Latency,
    /// What the drawn latency is multiplied by.
    latency_factor: f64,
    /// Added to the latency.
    delay_us: u64,
    /// How long its answer is waited for; `None` is for ever.
    timeout_us: Option<u64>,
    faults: &'a Faults,
    /// A window's errors, instead of the acquirer's own.
    errors: Option<&'a Shares<Fault>>,
    outcomes: &'a Shares<Verdict>,
    capacity_per_s: Option<f64>,
    queue_max: u32,
}

impl<'a> Terms<'a> {
    /// An acquirer's own terms.
    pub(super) const fn new(
        latency: &'a Latency,
        timeout_us: Option<u64>,
        faults: &'a Faults,
        outcomes: &'a Shares<Verdict>,
        capacity_per_s: Option<f64>,
        queue_max: u32,
    ) -> Self {
        Self {
            latency,
            latency_factor: 1.0,
            delay_us: 0,
            timeout_us,
            faults,
            errors: None,
            outcomes,
            capacity_per_s,
            queue_max,
        }
    }

    /// Changes what a window changes; `passed` is the part of the window that is over, 0 to 1.
    pub(super) fn change(&mut self, change: &'a Change, passed: f64) {
        self.errors = change.errors.as_ref().or(self.errors);
        self.outcomes = change.outcomes.as_ref().unwrap_or(self.outcomes);
        self.latency = change.latency.as_ref().unwrap_or(self.latency);
        self.latency_factor =
            change.latency_factor.map_or(self.latency_factor, |factor| factor.after(passed));
        self.delay_us = change.delay_us.unwrap_or(self.delay_us);
        self.timeout_us = change.timeout_us.or(self.timeout_us);
        self.capacity_per_s = change.capacity_per_s.or(self.capacity_per_s);
    }

    /// How much the acquirer can do; `None` is anything.
    #[must_use]
    pub fn capacity(&self) -> Option<Capacity> {
        self.capacity_per_s.map(|per_s| Capacity { per_s, queue_max: self.queue_max })
    }

    /// How long its answer is waited for, in microseconds; `None` is for ever.
    pub(super) const fn timeout_us(&self) -> Option<u64> {
        self.timeout_us
    }

    /// The latency drawn for the attempt, with this added, in microseconds.
    pub(super) fn latency_us(&self, draw: &Draw, delay_us: u64) -> u64 {
        let drawn_us = self.latency.draw_times_us(draw, self.latency_factor);
        drawn_us.saturating_add(self.delay_us).saturating_add(delay_us).min(micros(MS_MAX))
    }

    /// What goes wrong with the attempt, if anything does.
    pub(super) fn fault(&self, draw: &Draw) -> Option<Fault> {
        match self.errors {
            Some(errors) => errors.pick(draw.uniform(Slot::Fault)),
            None => self.faults.draw(draw),
        }
    }

    /// The outcome of an authorization that nothing else decides.
    pub(super) fn outcome(&self, draw: &Draw) -> Verdict {
        self.outcomes.pick(draw.uniform(Slot::Outcome)).unwrap_or(Verdict::Approved)
    }
}
