//! Reads a scenario from TOML. Every field is read by itself, so that all mistakes of a file are found at once.
//!
//! Depends on the `toml` crate for values with their places. Whatever is read in vain is reported to [`Problems`], and something
//! harmless stands in for it: nobody sees a scenario with problems. Bounds come first: how many bytes, and how deep they nest.
//!
//! - `problems`: what is wrong so far; `section`, `field`: a table, and a value, each with its place; `words`: hints for typing
//!   errors.
//! - `acquirer`, `latency`, `rule`, `aftermath`, `window`, `conditions`, `shares`, `verdict`: the parts of a scenario; `packs`: the
//!   rules of packs.
//! - `keys`: all keys and words, for the test of the schema.
//! - `nesting`: how deep a text nests, before anything recurses into it.

mod acquirer;
mod aftermath;
mod conditions;
mod field;
#[cfg(test)]
pub(super) mod keys;
mod latency;
mod nesting;
mod packs;
mod problems;
mod rule;
mod section;
mod shares;
mod verdict;
mod window;
mod words;

use toml::de::DeTable;

use super::{FILE_BYTES_MAX, Scenario, ScenarioErrors};
use field::Field;
use problems::Problems;
use section::Section;

/// The longest name of a scenario, in characters.
const NAME_CHARS_MAX: usize = 100;
/// The longest description, in characters.
const DESCRIPTION_CHARS_MAX: usize = 2_000;

/// The keys of a scenario.
const KEYS: [&str; 8] = ["name", "description", "seed", "failover", "packs", "acquirer", "rule", "window"];

/// Reads the bytes of a file.
pub(super) fn scenario(file: &[u8]) -> Result<Scenario, ScenarioErrors> {
    let text = bounded(file)?;
    let problems = Problems::default();
    let (document, malformed) = DeTable::parse_recoverable(text);
    if malformed.is_empty() {
        let scenario = root(&Section::root(document.get_ref(), &KEYS, &problems));
        if problems.are_none() {
            return Ok(scenario);
        }
    }
    // Of a text that is not TOML, only that is said: what its fields are is a guess.
    for error in malformed {
        problems.add(error.span().map_or(0, |span| span.start), String::new(), error.message());
    }
    Err(problems.into_errors(text))
}

/// The text of a file that is short and flat enough to be parsed.
fn bounded(file: &[u8]) -> Result<&str, ScenarioErrors> {
    let refuse = |text: &str, at: usize, problem: &str| {
        let problems = Problems::default();
        problems.add(at, String::new(), problem);
        Err(problems.into_errors(text))
    };
    if file.len() > FILE_BYTES_MAX {
        return refuse("", 0, &format!("the file is larger than {} KiB", FILE_BYTES_MAX / 1_024));
    }
    let text = match std::str::from_utf8(file) {
        Ok(text) => text,
        Err(error) => {
            let before = file.get(..error.valid_up_to()).unwrap_or_default();
            let before = std::str::from_utf8(before).unwrap_or_default();
            return refuse(before, before.len(), "this is not UTF-8");
        }
    };
    match nesting::too_deep(text) {
        Some((at, problem)) => refuse(text, at, &problem),
        None => Ok(text),
    }
}

fn root(root: &Section<'_>) -> Scenario {
    let seed = root.get("seed").and_then(|seed| seed.whole(&(0..=i64::MAX)));
    let acquirers = acquirer::acquirers(root);
    let windows = window::windows(root, &acquirers);
    let packs = packs::packs(root);
    Scenario {
        name: root.required("name").and_then(|name| label(&name, NAME_CHARS_MAX)).unwrap_or_default(),
        description: root.get("description").and_then(|field| prose(&field)).unwrap_or_default(),
        seed: seed.and_then(|seed| u64::try_from(seed).ok()),
        failover: root.get("failover").and_then(|failover| failover.boolean()).unwrap_or_default(),
        acquirers,
        rules: rule::rules(root).with_packs(packs.iter().map(|pack| packs::rules(*pack))),
        packs,
        windows,
    }
}

/// A description, without the blanks around it.
fn prose(field: &Field<'_>) -> Option<String> {
    let text = field.text()?.trim();
    if text.chars().count() > DESCRIPTION_CHARS_MAX {
        field.refuse(format!("must have at most {DESCRIPTION_CHARS_MAX} characters"));
    }
    Some(text.to_owned())
}

/// A name: one line of text.
fn label(field: &Field<'_>, chars_max: usize) -> Option<String> {
    let text = field.text()?;
    if text.trim().is_empty() || text.chars().count() > chars_max {
        field.refuse(format!("must have 1 to {chars_max} characters"));
        return None;
    }
    if text.chars().any(char::is_control) {
        field.refuse("must not hold control characters");
        return None;
    }
    Some(text.to_owned())
}
