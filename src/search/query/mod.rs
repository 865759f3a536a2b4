//! The query language: text → syntax tree → typed filter.
//!
//! Pure: no I/O, no index, no clock. A query is parsed once; adapters see only the [`Filter`]. The language is described
//! for users in `docs/search.md`; it is the dialect's search language (docs.stripe.com/search) plus free text and dates.

mod check;
mod fields;
mod filter;
mod lexer;
mod parser;
mod syntax;
mod times;

#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::Range;

pub use fields::{CARD_PRESENT, METADATA_SEPARATOR, has};
pub use filter::{Filter, NumberField, TermField};
pub use syntax::{Clause, FieldName, Junction, Operator, Syntax, Term, Value};

/// The longest query, in characters; the dialect's limit.
pub const QUERY_MAX_CHARS: usize = 5_000;
/// The most clauses one query may have.
pub const CLAUSES_MAX: usize = 100;
/// The shortest text `~` looks for, in characters; the dialect's limit.
pub const SUBSTRING_MIN_CHARS: usize = 3;
/// The longest text `~` looks for, in characters. Elasticsearch refuses patterns that take it too much effort, and that
/// grows with the square of a text that repeats itself: 140 of the same letter are too many.
pub const SUBSTRING_MAX_CHARS: usize = 100;
/// The longest value or word, in characters.
pub const VALUE_MAX_CHARS: usize = 500;

/// A query that was read and checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    syntax: Syntax,
    filter: Filter,
}

impl Query {
    /// Reads and checks a query. Blank text asks for everything.
    ///
    /// # Errors
    /// [`QueryError`] names the place, what is wrong and what could stand there.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        let syntax = parser::parse(text)?;
        let filter = check::check(&syntax)?;
        Ok(Self { syntax, filter })
    }

    /// The query that every document answers.
    #[must_use]
    pub const fn everything() -> Self {
        Self {
            syntax: Syntax { junction: Junction::And, clauses: Vec::new() },
            filter: Filter::All(Vec::new()),
        }
    }

    /// The tree as written.
    #[must_use]
    pub const fn syntax(&self) -> &Syntax {
        &self.syntax
    }

    /// What it asks for.
    #[must_use]
    pub const fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Whether it asks for everything.
    #[must_use]
    pub const fn is_everything(&self) -> bool {
        self.syntax.clauses.is_empty()
    }
}

impl fmt::Display for Query {
    /// The query in its plain form, which reads back as the same query.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.syntax.fmt(f)
    }
}

impl std::str::FromStr for Query {
    type Err = QueryError;
    fn from_str(text: &str) -> Result<Self, QueryError> {
        Self::parse(text)
    }
}

/// A query that could not be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct QueryError {
    /// The offending token, as a range of bytes of the query's text; always on character boundaries.
    pub span: Range<usize>,
    /// What is wrong, as a sentence.
    pub message: String,
    /// What could stand there instead; may be empty.
    pub expected: Vec<String>,
}

impl QueryError {
    fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), expected: Vec::new() }
    }

    fn expecting<T: Into<String>>(mut self, expected: impl IntoIterator<Item = T>) -> Self {
        self.expected = expected.into_iter().map(Into::into).collect();
        self
    }
}
