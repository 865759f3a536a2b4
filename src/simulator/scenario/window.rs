//! Windows: times of a scenario in which its acquirers are different, once or again and again.
//!
//! Times count from when the scenario came into force. Which windows an attempt falls into depends on when it entered the queue, and on
//! nothing that happens to it there.

use std::sync::Arc;

use super::conditions::{Conditions, Facts};
use super::verdict::{Shares, Verdict};
use crate::domain::forced::Fault;
use crate::simulator::latency::Latency;

/// A time in which something is different.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// Its name, for people; empty where the file gives none.
    pub name: String,
    /// When it is.
    pub span: Span,
    /// The names of the acquirers that it is about; all if there are none.
    pub acquirers: Vec<String>,
    /// The questions that it is about.
    pub when: Conditions,
    /// Those among them that it is not about: any that one of these holds for.
    pub unless: Vec<Conditions>,
    /// What is different.
    pub change: Change,
}

/// A time, once or recurring. In microseconds since the scenario came into force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// When it begins for the first time.
    pub from_us: u64,
    /// How long it lasts; more than 0.
    pub for_us: u64,
    /// How long after one beginning the next one is; no less than it lasts. `None` if there is only one.
    pub every_us: Option<u64>,
}

/// What a window changes about an acquirer; `None` is left as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Change {
    /// The shares of attempts that go wrong.
    pub errors: Option<Shares<Fault>>,
    /// The shares of the outcomes of all other authorizations.
    pub outcomes: Option<Shares<Verdict>>,
    /// How long answers take.
    pub latency: Option<Latency>,
    /// How long answers are waited for, in microseconds.
    pub timeout_us: Option<u64>,
    /// What is added to the latency, in microseconds.
    pub delay_us: Option<u64>,
    /// What the latency is multiplied by.
    pub latency_factor: Option<Factor>,
    /// Operations per second.
    pub capacity_per_s: Option<f64>,
}

/// A factor, in force at once or growing over the window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Factor {
    /// The factor, at the end of the window if it grows.
    pub value: f64,
    /// Whether it grows evenly from 1, where the window begins.
    pub ramp: bool,
}

impl Span {
    /// The part of the window that has passed at this time, 0 to 1; `None` outside of it. Its beginning is within, its end is not.
    #[must_use]
    pub fn passed(&self, at_us: u64) -> Option<f64> {
        let since_us = at_us.checked_sub(self.from_us)?;
        let since_us = self.every_us.map_or(Some(since_us), |every_us| since_us.checked_rem(every_us))?;
        #[expect(clippy::cast_precision_loss, reason = "a week in microseconds is exact")]
        let part = |us: u64| us as f64;
        (since_us < self.for_us).then(|| part(since_us) / part(self.for_us))
    }
}

impl Factor {
    /// The factor when this part of the window has passed.
    #[must_use]
    pub fn after(self, passed: f64) -> f64 {
        if self.ramp { 1.0 + (self.value - 1.0) * passed } else { self.value }
    }
}

impl Window {
    fn asks_for_holder(&self) -> bool {
        self.when.ask_for_holder() || self.unless.iter().any(Conditions::ask_for_holder)
    }

    fn is_about(&self, facts: &Facts<'_>) -> bool {
        self.when.hold(facts) && !self.unless.iter().any(|excluded| excluded.hold(facts))
    }
}

/// The windows of a scenario, in its order. Cheap to clone.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Windows(Arc<[Arc<Window>]>);

impl Windows {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Window> {
        self.0.iter().map(AsRef::as_ref)
    }

    /// Those about the acquirer of this name.
    #[must_use]
    pub fn about(&self, acquirer: &str) -> Self {
        let is_about = |window: &&Arc<Window>| {
            window.acquirers.is_empty() || window.acquirers.iter().any(|name| name == acquirer)
        };
        Self(self.0.iter().filter(is_about).cloned().collect())
    }

    /// Whether any of them says what an acquirer can do.
    #[must_use]
    pub fn limit_capacity(&self) -> bool {
        self.iter().any(|window| window.change.capacity_per_s.is_some())
    }

    /// Whether one of them needs to know who the cardholder is.
    #[must_use]
    pub fn ask_for_holder(&self) -> bool {
        self.iter().any(Window::asks_for_holder)
    }

    /// What changes for a question at this time, in microseconds since the scenario came into force, each with the part of its
    /// window that has passed. Of changes of the same thing the last one counts.
    pub fn in_force(&self, facts: &Facts<'_>, at_us: u64) -> impl Iterator<Item = (&Change, f64)> {
        self.iter().filter_map(move |window| {
            let passed = window.span.passed(at_us)?;
            window.is_about(facts).then_some((&window.change, passed))
        })
    }
}

impl FromIterator<Window> for Windows {
    fn from_iter<I: IntoIterator<Item = Window>>(windows: I) -> Self {
        Self(windows.into_iter().map(Arc::new).collect())
    }
}
