//! Two files, line by line: what the later one adds and removes, with a few lines around. Pure.

use std::time::Duration;

use similar::{ChangeTag, TextDiff};

/// Unchanged lines shown around a change.
const AROUND: usize = 3;
/// The most lines shown.
const LINES_MAX: usize = 1_000;
/// How long the shortest comparison is looked for; after that a longer one does.
const WITHIN: Duration = Duration::from_millis(500);

/// One line of a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedLine {
    /// The class that colours it: `added`, `removed`, or `same`.
    pub class: &'static str,
    /// The sign before it.
    pub sign: &'static str,
    /// What happened to it, for people who do not see the sign.
    pub words: &'static str,
    /// Its number, in the later file if it is there.
    pub number: usize,
    /// The line.
    pub text: String,
}

/// What differs between two files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Lines that belong together, in the order of the file.
    pub groups: Vec<Vec<ChangedLine>>,
    /// How many lines were added.
    pub added: usize,
    /// How many lines were removed.
    pub removed: usize,
    /// Whether there were more lines than are shown.
    pub cut: bool,
}

impl Changes {
    /// Compares two files. Takes up to a second for large ones: for a thread that may block.
    #[must_use]
    pub fn between(before: &str, after: &str) -> Self {
        let (before, after) = (unix_lines(before), unix_lines(after));
        let diff = TextDiff::configure().timeout(WITHIN).diff_lines(before.as_str(), after.as_str());
        let (mut changes, mut shown) = (Self::default(), 0);
        for group in diff.grouped_ops(AROUND) {
            let mut lines = Vec::new();
            for change in group.iter().flat_map(|operation| diff.iter_changes(operation)) {
                let (class, sign, words) = match change.tag() {
                    ChangeTag::Insert => ("added", "+", "added"),
                    ChangeTag::Delete => ("removed", "−", "removed"),
                    ChangeTag::Equal => ("same", "", "unchanged"),
                };
                changes.added += usize::from(change.tag() == ChangeTag::Insert);
                changes.removed += usize::from(change.tag() == ChangeTag::Delete);
                shown += 1;
                if shown > LINES_MAX {
                    changes.cut = true;
                    continue;
                }
                let number = change.new_index().or(change.old_index()).unwrap_or_default() + 1;
                let text = change.value().trim_end_matches('\n').to_owned();
                lines.push(ChangedLine { class, sign, words, number, text });
            }
            if !lines.is_empty() {
                changes.groups.push(lines);
            }
        }
        changes
    }

    /// The result in words.
    #[must_use]
    pub fn summary(&self) -> String {
        let lines = |count: usize| if count == 1 { "1 line".to_owned() } else { format!("{count} lines") };
        match (self.added, self.removed) {
            (0, 0) => "The same text.".to_owned(),
            (added, removed) => format!("{} added, {} removed.", lines(added), lines(removed)),
        }
    }
}

/// The text with the line ends of Unix: browsers send those of their own.
#[must_use]
pub fn unix_lines(text: &str) -> String {
    text.replace("\r\n", "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(changes: &Changes) -> Vec<String> {
        let line = |line: &ChangedLine| format!("{}{} {}", line.sign, line.number, line.text);
        changes.groups.iter().map(|group| group.iter().map(line).collect::<Vec<_>>().join("|")).collect()
    }

    #[test]
    fn changes_stand_between_the_lines_around_them() {
        let before: String = (1..=20).map(|n| format!("line {n}\n")).collect();
        let after = before.replace("line 5\n", "line five\r\n").replace("line 20\n", "");
        let changes = Changes::between(&before, &after);
        assert_eq!(
            shown(&changes),
            [
                "2 line 2|3 line 3|4 line 4|−5 line 5|+5 line five|6 line 6|7 line 7|8 line 8",
                "17 line 17|18 line 18|19 line 19|−20 line 20"
            ]
        );
        assert_eq!(changes.summary(), "1 line added, 2 lines removed.");
        assert_eq!(Changes::between("a\r\nb", "a\nb").summary(), "The same text.");
    }

    #[test]
    fn a_long_comparison_is_cut_and_counted_whole() {
        let after: String = (0..5_000).map(|n| format!("{n}\n")).collect();
        let changes = Changes::between("", &after);
        assert_eq!((changes.added, changes.cut), (5_000, true));
        assert_eq!(changes.groups.iter().map(Vec::len).sum::<usize>(), LINES_MAX);
    }
}
