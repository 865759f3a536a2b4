//! What is wrong with a scenario file: every mistake, with its place and the field at fault.

use std::fmt;

/// One mistake. Shown as `line:column: field: problem`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScenarioError {
    /// The line, counted from 1.
    pub line: usize,
    /// The character within the line, counted from 1.
    pub column: usize,
    /// The path of keys to the field (`acquirer[1].latency.sigma`, counted from 1); empty where none is at fault.
    pub field: String,
    /// What is wrong and what is expected. Repeats no card number.
    pub problem: String,
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, column, field, problem } = self;
        match field.as_str() {
            "" => write!(f, "{line}:{column}: {problem}"),
            field => write!(f, "{line}:{column}: {field}: {problem}"),
        }
    }
}

/// All mistakes in a file, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScenarioErrors {
    errors: Vec<ScenarioError>,
    /// How many more there were than are kept.
    more: usize,
}

impl ScenarioErrors {
    pub(super) const fn new(errors: Vec<ScenarioError>, more: usize) -> Self {
        Self { errors, more }
    }

    /// Each of them.
    #[must_use]
    pub fn errors(&self) -> &[ScenarioError] {
        &self.errors
    }

    /// A line for each, which names the file as well.
    #[must_use]
    pub fn in_file(&self, file: &str) -> String {
        let errors = self.errors.iter().map(|error| format!("{file}:{error}"));
        let more = (self.more > 0).then(|| format!("{file}: and {} more", self.more));
        errors.chain(more).collect::<Vec<_>>().join("\n")
    }
}

impl std::error::Error for ScenarioErrors {}

impl fmt::Display for ScenarioErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.in_file("scenario"))
    }
}
