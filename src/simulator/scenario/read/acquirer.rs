//! `[[acquirer]]`.

use std::ops::RangeInclusive;

use super::conditions::{ROUTE_KEYS, conditions};
use super::latency::latency;
use super::section::Section;
use super::verdict::{SHARE, error_kind, verdict};
use super::{Field, label};
use crate::domain::event::TechnicalError;
use crate::domain::payment_kind::PaymentKind;
use crate::simulator::latency::{MS_MAX, micros};
use crate::simulator::scenario::verdict::{SUM_SLACK, Shares, Verdict};
use crate::simulator::scenario::{ACQUIRERS_MAX, AcquirerSpec, Conditions};

/// The longest name, in characters.
const NAME_CHARS_MAX: usize = 64;
/// What a weight may be.
const WEIGHT: RangeInclusive<f64> = 0.001..=1_000_000.0;
/// What a timeout may be, in milliseconds.
const TIMEOUT_MS: RangeInclusive<f64> = 1.0..=MS_MAX;

/// The keys of an acquirer.
const KEYS: [&str; 7] = ["name", "weight", "route", "latency", "timeout_ms", "errors", "outcomes"];

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
        errors: shares(section, "errors", error, |_| false),
        outcomes: shares(section, "outcomes", outcome, |verdict| verdict == Verdict::Approved),
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

/// The list under this key, each item with its share. What the shares leave is the rest; who gives the rest a share of its own
/// has shared out everything, or has miscounted.
fn shares<T: Copy>(
    section: &Section<'_>,
    key: &str,
    item: impl Fn(&Field<'_>) -> Option<(f64, T)>,
    is_rest: impl Fn(T) -> bool,
) -> Shares<T> {
    let Some(field) = section.get(key) else { return Shares::default() };
    let items = field.list().unwrap_or_default();
    let shares: Vec<(f64, T)> = items.iter().filter_map(item).collect();
    let sum: f64 = shares.iter().map(|(share, _)| share).sum();
    let all_read = shares.len() == items.len();
    if all_read && sum > 1.0 + SUM_SLACK {
        field.refuse(format!("the shares add up to {}, more than 1", rounded(sum)));
    }
    if all_read && sum < 1.0 - SUM_SLACK && shares.iter().any(|(_, thing)| is_rest(*thing)) {
        field.refuse(format!("the shares add up to {}, not 1, though approved has one", rounded(sum)));
    }
    Shares::new(shares)
}

fn error(item: &Field<'_>) -> Option<(f64, TechnicalError)> {
    let section = Section::of(item, &["share", "kind"])?;
    let share = section.required("share").and_then(|share| share.number(&SHARE));
    share.zip(section.required("kind").and_then(|kind| error_kind(&kind)))
}

fn outcome(item: &Field<'_>) -> Option<(f64, Verdict)> {
    const KEYS: [&str; 2] = ["outcome", "decline"];
    let section = Section::of(item, &["share", "outcome", "decline"])?;
    if KEYS.iter().all(|key| section.get(key).is_none()) {
        section.refuse("needs outcome or decline");
    }
    let share = section.required("share").and_then(|share| share.number(&SHARE));
    share.zip(verdict(&section, &KEYS))
}

/// A sum of shares without the dust of binary fractions.
fn rounded(sum: f64) -> f64 {
    (sum * 1e6).round() / 1e6
}
