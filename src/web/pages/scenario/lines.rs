//! Revisions in words: which one is in force, the lines of the list, the names of files. Pure.

use super::super::format;
use crate::domain::time::Timestamp;
use crate::store::RevisionRecord;

/// The longest name of a downloaded file, without its ending.
const FILE_NAME_CHARS_MAX: usize = 60;

/// A revision, as lists and sentences show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevisionLine {
    /// Counts the account's own from 1.
    pub number: u32,
    /// The scenario's name; `None` for the return to the settings.
    pub name: Option<String>,
    /// How long ago it was put in force.
    pub ago: String,
    /// When that was, in full.
    pub full: String,
    /// The same for machines.
    pub iso: String,
    /// The same in milliseconds since the epoch.
    pub ms: i64,
}

impl RevisionLine {
    /// This revision at this time.
    #[must_use]
    pub fn of(record: &RevisionRecord, now: Timestamp) -> Self {
        let at = record.at;
        Self {
            number: record.number,
            name: record.name.clone(),
            ago: format::ago(now, at),
            full: format::to_the_second(at),
            iso: format::iso(at),
            ms: at.millis(),
        }
    }
}

/// The name of a file with this scenario: `black-friday`.
#[must_use]
pub fn file_name(scenario: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { ' ' };
    let spaced: String = scenario.chars().map(plain).collect();
    let name = spaced.split_whitespace().collect::<Vec<_>>().join("-");
    let name: String = name.chars().take(FILE_NAME_CHARS_MAX).collect();
    if name.is_empty() { "scenario".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_after_the_scenario() {
        let names =
            [("Black Friday, 2026!", "black-friday-2026"), ("\"../ü\r\n", "scenario"), ("a/b", "a-b")];
        for (scenario, expected) in names {
            assert_eq!(file_name(scenario), expected);
        }
        assert_eq!(file_name(&"x".repeat(100)).len(), FILE_NAME_CHARS_MAX);
    }
}
