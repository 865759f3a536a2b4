//! `[[acquirer]]`.

use std::ops::RangeInclusive;

use super::conditions::{ROUTE_KEYS, conditions};
use super::latency::latency;
use super::section::Section;
use super::shares::{errors, outcomes};
use super::{Field, label};
use crate::domain::payment_kind::PaymentKind;
use crate::simulator::breaker::BreakerRules;
use crate::simulator::latency::{MS_MAX, micros};
use crate::simulator::scenario::{ACQUIRERS_MAX, AcquirerSpec, Conditions};

/// The longest name, in characters.
pub(super) const NAME_CHARS_MAX: usize = 64;
/// What a weight may be.
const WEIGHT: RangeInclusive<f64> = 0.001..=1_000_000.0;
/// What a timeout may be, in milliseconds.
pub(super) const TIMEOUT_MS: RangeInclusive<f64> = 1.0..=MS_MAX;
/// What a capacity may be, in operations per second.
pub(super) const CAPACITY_PER_S: RangeInclusive<f64> = 0.1..=1_000_000.0;
/// How many may wait.
const QUEUE_MAX: RangeInclusive<i64> = 0..=100_000;
/// At which share of errors a breaker may open.
const BREAKER_ERRORS: RangeInclusive<f64> = 0.01..=1.0;
/// Of how many outcomes.
const BREAKER_OF: RangeInclusive<i64> = 1..=1_000;
/// How long it may stay open, in milliseconds.
const BREAKER_OPEN_MS: RangeInclusive<f64> = 100.0..=MS_MAX;
/// How many probes it may let through.
const BREAKER_PROBES: RangeInclusive<i64> = 1..=100;

/// The keys of an acquirer.
pub(super) const KEYS: [&str; 10] = [
    "name",
    "weight",
    "route",
    "latency",
    "timeout_ms",
    "errors",
    "outcomes",
    "capacity_per_s",
    "queue_max",
    "breaker",
];

/// The keys of a breaker.
pub(super) const BREAKER_KEYS: [&str; 4] = ["errors", "of", "open_ms", "probes"];

/// All acquirers of a scenario.
pub(super) fn acquirers(root: &Section<'_>) -> Vec<AcquirerSpec> {
    let mut specs: Vec<AcquirerSpec> = Vec::new();
    for section in root.tables("acquirer", ACQUIRERS_MAX, &KEYS) {
        let spec = acquirer(&section);
        let is_taken = specs.iter().any(|other| !spec.name.is_empty() && other.name == spec.name);
        if let Some(name) = section.get("name").filter(|_| is_taken) {
            name.refuse("an acquirer before it has the same name");
        }
        specs.push(spec);
    }
    specs
}

fn acquirer(section: &Section<'_>) -> AcquirerSpec {
    let name = section.required("name").and_then(|name| label(&name, NAME_CHARS_MAX));
    let timeout_ms = section.get("timeout_ms").and_then(|timeout| timeout.number(&TIMEOUT_MS));
    AcquirerSpec {
        name: name.unwrap_or_default(),
        weight: section.get("weight").and_then(|weight| weight.number(&WEIGHT)).unwrap_or(1.0),
        route: route(section),
        latency: section.get("latency").and_then(|law| latency(&law)),
        timeout_us: timeout_ms.map(micros),
        errors: errors(section).unwrap_or_default(),
        outcomes: outcomes(section).unwrap_or_default(),
        capacity_per_s: section.get("capacity_per_s").and_then(|capacity| capacity.number(&CAPACITY_PER_S)),
        queue_max: section.get("queue_max").and_then(|queue| count(&queue, &QUEUE_MAX)),
        breaker: section.get("breaker").and_then(|rules| breaker(&rules)),
    }
}

/// The payments that it takes: card payments, unless it names other kinds.
fn route(section: &Section<'_>) -> Conditions {
    let route = section.get("route").and_then(|route| Section::of(&route, &ROUTE_KEYS));
    let mut route = route.map(|route| conditions(&route)).unwrap_or_default();
    if route.kinds.is_empty() {
        route.kinds = vec![PaymentKind::Charge, PaymentKind::TopUp];
    }
    route
}

/// `breaker = { … }`.
fn breaker(field: &Field<'_>) -> Option<BreakerRules> {
    let section = Section::of(field, &BREAKER_KEYS)?;
    let errors = section.required("errors").and_then(|errors| errors.number(&BREAKER_ERRORS));
    let of = section.required("of").and_then(|of| count(&of, &BREAKER_OF));
    let open_ms = section.required("open_ms").and_then(|open| open.number(&BREAKER_OPEN_MS));
    let probes = section.get("probes").map_or(Some(1), |probes| count(&probes, &BREAKER_PROBES));
    let ((errors, of), (open_ms, probes)) = errors.zip(of).zip(open_ms.zip(probes))?;
    Some(BreakerRules { errors, of, open_us: micros(open_ms), probes })
}

fn count<T: TryFrom<i64>>(field: &Field<'_>, allowed: &RangeInclusive<i64>) -> Option<T> {
    field.whole(allowed).and_then(|count| T::try_from(count).ok())
}
