//! `errors` and `outcomes`: things with their shares.

use super::field::Field;
use super::section::Section;
use super::verdict::{SHARE, error_kind, verdict};
use crate::domain::forced::Fault;
use crate::simulator::scenario::verdict::{SUM_SLACK, Shares, Verdict};

/// The keys of a share of errors.
pub(super) const ERROR_KEYS: [&str; 2] = ["share", "kind"];
/// The keys of a share of outcomes.
pub(super) const OUTCOME_KEYS: [&str; 3] = ["share", "outcome", "decline"];

/// The shares of attempts that go wrong, if they are given.
pub(super) fn errors(section: &Section<'_>) -> Option<Shares<Fault>> {
    shares(section, "errors", error, |_| false)
}

/// The shares of outcomes, if they are given.
pub(super) fn outcomes(section: &Section<'_>) -> Option<Shares<Verdict>> {
    shares(section, "outcomes", outcome, |verdict| verdict == Verdict::Approved)
}

/// The list under this key, each item with its share. What the shares leave is the rest; who gives the rest a share of its own
/// has shared out everything, or has miscounted.
fn shares<T: Copy>(
    section: &Section<'_>,
    key: &str,
    item: impl Fn(&Field<'_>) -> Option<(f64, T)>,
    is_rest: impl Fn(T) -> bool,
) -> Option<Shares<T>> {
    let field = section.get(key)?;
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
    Some(Shares::new(shares))
}

fn error(item: &Field<'_>) -> Option<(f64, Fault)> {
    let section = Section::of(item, &ERROR_KEYS)?;
    let share = section.required("share").and_then(|share| share.number(&SHARE));
    share.zip(section.required("kind").and_then(|kind| error_kind(&kind)))
}

fn outcome(item: &Field<'_>) -> Option<(f64, Verdict)> {
    const KEYS: [&str; 2] = ["outcome", "decline"];
    let section = Section::of(item, &OUTCOME_KEYS)?;
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
