//! `[[window]]`.

use std::ops::RangeInclusive;

use super::acquirer::{CAPACITY_PER_S, NAME_CHARS_MAX, TIMEOUT_MS};
use super::conditions::{exclusions, matched};
use super::latency::{MS, latency};
use super::section::Section;
use super::shares::{errors, outcomes};
use super::words::joined;
use super::{Field, label};
use crate::simulator::latency::micros;
use crate::simulator::scenario::{AcquirerSpec, Change, Factor, Span, WINDOWS_MAX, Window, Windows};

/// What a latency may be multiplied by.
const FACTOR: RangeInclusive<f64> = 0.0..=1_000.0;

/// The keys of a window.
pub(super) const KEYS: [&str; 15] = [
    "name",
    "from",
    "for",
    "every",
    "acquirer",
    "match",
    "not",
    "errors",
    "outcomes",
    "latency",
    "timeout_ms",
    "delay_ms",
    "latency_factor",
    "ramp",
    "capacity_per_s",
];
/// What a window can change.
const CHANGES: [&str; 7] =
    ["errors", "outcomes", "latency", "timeout_ms", "delay_ms", "latency_factor", "capacity_per_s"];

/// All windows of a scenario with these acquirers.
pub(super) fn windows(root: &Section<'_>, acquirers: &[AcquirerSpec]) -> Windows {
    let names: Vec<(&str, &str)> =
        acquirers.iter().map(|spec| (spec.name.as_str(), spec.name.as_str())).collect();
    root.tables("window", WINDOWS_MAX, &KEYS).iter().map(|section| window(section, &names)).collect()
}

fn window(section: &Section<'_>, names: &[(&str, &str)]) -> Window {
    if CHANGES.iter().all(|key| section.get(key).is_none()) {
        section.refuse(format!("changes nothing; it needs {}", joined(&CHANGES, "or")));
    }
    let name = section.get("name").and_then(|name| label(&name, NAME_CHARS_MAX));
    Window {
        name: name.unwrap_or_default(),
        span: span(section),
        acquirers: section.each("acquirer", |field| acquirer(field, names)),
        when: matched(section),
        unless: exclusions(section),
        change: change(section),
    }
}

fn span(section: &Section<'_>) -> Span {
    let from_us = section.required("from").and_then(|from| from.duration_us());
    let length = section.required("for");
    let for_us = length.as_ref().and_then(Field::duration_us);
    if let Some(length) = length.filter(|_| for_us == Some(0)) {
        length.refuse("must be more than nothing");
    }
    let every = section.get("every");
    let every_us = every.as_ref().and_then(Field::duration_us);
    if let Some(every) = every.filter(|_| every_us.zip(for_us).is_some_and(|(every, length)| every < length))
    {
        every.refuse("must not be shorter than the window itself");
    }
    Span { from_us: from_us.unwrap_or_default(), for_us: for_us.unwrap_or_default(), every_us }
}

/// The name of an acquirer of the same file.
fn acquirer(field: &Field<'_>, names: &[(&str, &str)]) -> Option<String> {
    if names.is_empty() {
        field.refuse("there is no acquirer in this file; leave it out for that of the settings");
        return None;
    }
    field.word("acquirer", names).map(str::to_owned)
}

fn change(section: &Section<'_>) -> Change {
    let number = |key: &str, allowed| section.get(key).and_then(|field| field.number(allowed));
    let ramp = section.get("ramp");
    if let Some(ramp) = ramp.as_ref().filter(|_| section.get("latency_factor").is_none()) {
        ramp.refuse("goes with latency_factor only");
    }
    let ramp = ramp.and_then(|ramp| ramp.boolean()).unwrap_or_default();
    Change {
        errors: errors(section),
        outcomes: outcomes(section),
        latency: section.get("latency").and_then(|law| latency(&law)),
        timeout_us: number("timeout_ms", &TIMEOUT_MS).map(micros),
        delay_us: number("delay_ms", &MS).map(micros),
        latency_factor: number("latency_factor", &FACTOR).map(|value| Factor { value, ramp }),
        capacity_per_s: number("capacity_per_s", &CAPACITY_PER_S),
    }
}
