//! `latency = { … }`.

use std::ops::RangeInclusive;

use super::field::Field;
use super::section::Section;
use crate::simulator::latency::{LONGEST_MS, Latency, MS_MAX, Percentile, SIGMA_MAX};

/// What a time may be, in milliseconds.
pub(super) const MS: RangeInclusive<f64> = 0.0..=MS_MAX;
/// What the logarithm's standard deviation may be.
const SIGMA: RangeInclusive<f64> = 0.0..=SIGMA_MAX;

/// The key of each law.
const LAWS: [&str; 4] = ["fixed_ms", "uniform_ms", "median_ms", "percentiles_ms"];
/// What goes with a median.
const OF_MEDIAN: [&str; 2] = ["sigma", "max_ms"];
/// All keys of a latency.
pub(super) const KEYS: [&str; 6] =
    ["fixed_ms", "uniform_ms", "median_ms", "sigma", "max_ms", "percentiles_ms"];

/// The percentiles that may be given, each with its share, in ascending order.
pub(super) const PERCENTILES: [(&str, f64); 9] = [
    ("min", 0.0),
    ("p25", 0.25),
    ("p50", 0.5),
    ("p75", 0.75),
    ("p90", 0.9),
    ("p95", 0.95),
    ("p99", 0.99),
    ("p999", 0.999),
    ("max", 1.0),
];

/// A latency law.
pub(super) fn latency(field: &Field<'_>) -> Option<Latency> {
    let section = Section::of(field, &KEYS)?;
    let Some((law, value)) = section.only_one(&LAWS) else {
        section.refuse("needs fixed_ms, uniform_ms, median_ms or percentiles_ms");
        return None;
    };
    if section.get("median_ms").is_none() {
        let strays = OF_MEDIAN.iter().filter_map(|key| section.get(key));
        strays.for_each(|stray| stray.refuse("goes with median_ms only"));
    }
    match law {
        "fixed_ms" => value.number(&MS).map(Latency::fixed),
        "uniform_ms" => uniform(&value),
        "median_ms" => log_normal(&section, &value),
        _ => percentiles(&value),
    }
}

fn uniform(field: &Field<'_>) -> Option<Latency> {
    let items = field.list()?;
    let [shortest, longest] = items.as_slice() else {
        field.refuse("expected two numbers, the shortest and the longest time");
        return None;
    };
    let (shortest_ms, longest_ms) = shortest.number(&MS).zip(longest.number(&MS))?;
    if longest_ms < shortest_ms {
        longest.refuse(format!("must not be below the shortest time, {shortest_ms}"));
    }
    Some(Latency::uniform(shortest_ms, longest_ms))
}

fn log_normal(section: &Section<'_>, median: &Field<'_>) -> Option<Latency> {
    let sigma = section.required("sigma").and_then(|sigma| sigma.number(&SIGMA));
    let longest = section.get("max_ms");
    let longest_ms = longest.as_ref().map_or(Some(LONGEST_MS), |longest| longest.number(&MS));
    let ((median_ms, sigma), longest_ms) = median.number(&MS).zip(sigma).zip(longest_ms)?;
    if longest_ms < median_ms {
        match longest {
            Some(longest) => longest.refuse(format!("must not be below median_ms, {median_ms}")),
            None => median.refuse(format!("needs a max_ms, as it is above {LONGEST_MS}")),
        }
    }
    Some(Latency::log_normal(median_ms, sigma, longest_ms))
}

fn percentiles(field: &Field<'_>) -> Option<Latency> {
    let section = Section::of(field, &PERCENTILES.map(|(key, _)| key))?;
    for key in ["p50", "max"] {
        section.required(key);
    }
    let mut points: Vec<Percentile> = Vec::new();
    for (key, share) in PERCENTILES {
        let Some(value) = section.get(key) else { continue };
        let Some(ms) = value.number(&MS) else { continue };
        if let Some(below) = points.last().filter(|below| ms < below.ms) {
            value.refuse(format!("must not be below the percentile before it, {}", below.ms));
        }
        points.push(Percentile { share, ms });
    }
    Some(Latency::percentiles(points))
}
