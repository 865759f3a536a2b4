//! The windows of a scenario as a plan: when each is, and what is different then.

use crate::simulator::Scenario;
use crate::simulator::scenario::{Change, Window};

/// A window, by times in microseconds since the scenario came into force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedWindow {
    /// Its name; empty where the file gives none.
    pub name: String,
    /// The acquirers that it is about; all if there are none.
    pub acquirers: Vec<String>,
    /// When it begins for the first time.
    pub from_us: u64,
    /// How long it lasts.
    pub for_us: u64,
    /// How long after one beginning the next one is; `None` if there is only one.
    pub every_us: Option<u64>,
    /// What is different, by the names of the keys in the file.
    pub changes: Vec<&'static str>,
}

/// The windows of a scenario, in the order of its file.
#[must_use]
pub fn planned(scenario: &Scenario) -> Vec<PlannedWindow> {
    scenario.windows.iter().map(window).collect()
}

fn window(window: &Window) -> PlannedWindow {
    PlannedWindow {
        name: window.name.clone(),
        acquirers: window.acquirers.clone(),
        from_us: window.span.from_us,
        for_us: window.span.for_us,
        every_us: window.span.every_us,
        changes: changes(&window.change),
    }
}

fn changes(change: &Change) -> Vec<&'static str> {
    let Change { errors, outcomes, latency, timeout_us, delay_us, latency_factor, capacity_per_s } = change;
    let latency = latency.is_some() || timeout_us.is_some() || delay_us.is_some() || latency_factor.is_some();
    let named = [
        (errors.is_some(), "errors"),
        (outcomes.is_some(), "outcomes"),
        (latency, "latency"),
        (capacity_per_s.is_some(), "capacity"),
    ];
    named.into_iter().filter(|(changed, _)| *changed).map(|(_, name)| name).collect()
}
