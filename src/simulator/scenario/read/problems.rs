//! What is wrong with a file, collected while it is read.

use std::cell::{Cell, RefCell};

use crate::simulator::scenario::error::{ScenarioError, ScenarioErrors};

/// The most mistakes that are kept; the rest are counted.
const KEPT_MAX: usize = 200;

/// The mistakes found so far. Behind a shared reference, so that every field can report its own.
#[derive(Debug, Default)]
pub(super) struct Problems {
    found: RefCell<Vec<Problem>>,
    more: Cell<usize>,
}

#[derive(Debug)]
struct Problem {
    /// The byte at which the value or key begins.
    at: usize,
    field: String,
    problem: String,
}

impl Problems {
    /// Adds a mistake.
    pub(super) fn add(&self, at: usize, field: String, problem: impl Into<String>) {
        let mut found = self.found.borrow_mut();
        if found.len() < KEPT_MAX {
            found.push(Problem { at, field, problem: problem.into() });
        } else {
            self.more.set(self.more.get().saturating_add(1));
        }
    }

    /// Whether everything was right so far.
    pub(super) fn are_none(&self) -> bool {
        self.found.borrow().is_empty()
    }

    /// All of them, in the order of the text, with lines and columns.
    pub(super) fn into_errors(self, text: &str) -> ScenarioErrors {
        let mut found = self.found.into_inner();
        found.sort_by_key(|problem| problem.at);
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let starts: Vec<usize> = std::iter::once(0).chain(breaks.map(|(at, _)| at + 1)).collect();
        let placed = |Problem { at, field, problem }: Problem| {
            let line = starts.partition_point(|start| *start <= at);
            let start = starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
            let column = text.get(start..at).map_or(0, |before| before.chars().count()) + 1;
            ScenarioError { line, column, field, problem }
        };
        ScenarioErrors::new(found.into_iter().map(placed).collect(), self.more.get())
    }
}
