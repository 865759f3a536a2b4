//! The query language: text → syntax tree → typed filter.
//!
//! Pure: no I/O, no index, no clock. A query is parsed once; adapters see only the [`Filter`]. The language is described
//! for users in `docs/search.md`; it is the dialect's search language (docs.stripe.com/search) plus free text and dates.

mod amounts;
mod check;
mod fields;
mod filter;
mod half_typed;
mod lexer;
mod parser;
mod range;
mod shown;
mod syntax;
mod times;

#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::Range;

use crate::domain::payment_kind::PaymentKind;

pub use fields::{CARD_PRESENT, METADATA_SEPARATOR, has};
pub use filter::{Filter, NumberField, TermField};
pub use syntax::{Clause, FieldName, Junction, Operator, Syntax, Term, Value};

/// The longest query, in characters; the dialect's limit.
pub const QUERY_MAX_CHARS: usize = 5_000;
/// The most clauses one query may have.
pub const CLAUSES_MAX: usize = 100;
/// The shortest text `~` looks for, in characters; the dialect's limit.
pub const SUBSTRING_MIN_CHARS: usize = 3;
/// The longest text `~` looks for, in characters. Elasticsearch refuses patterns that cost it too much, and the cost
/// grows with the square of a text that repeats itself: 140 of the same letter are too many.
pub const SUBSTRING_MAX_CHARS: usize = 100;
/// The longest value or word, in characters.
pub const VALUE_MAX_CHARS: usize = 500;

/// How a query is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// As the language says, for programs: what cannot be understood is an error.
    Strict,
    /// As people type it: amounts and words as they stand on the pages mean what they say, and what is half typed at the
    /// end counts once it is finished.
    AsTyped,
}

/// A query that was read and checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    syntax: Syntax,
    filter: Filter,
    unfinished: String,
}

impl Query {
    /// Reads and checks a query. Blank text asks for everything.
    ///
    /// # Errors
    /// [`QueryError`] names the place, what is wrong and what could stand there.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        Self::read(text, Reading::Strict)
    }

    /// Reads what a person typed into a page: besides the language also amounts and words as the pages show them
    /// (`€12.50`, `authorized`, `added money`); an end that is not finished yet (`status:`, `status:succ`) is left out, and
    /// returned by [`Self::unfinished`].
    ///
    /// # Errors
    /// As [`Self::parse`], for what makes no sense even so.
    pub fn parse_as_typed(text: &str) -> Result<Self, QueryError> {
        Self::read(text, Reading::AsTyped)
    }

    fn read(text: &str, reading: Reading) -> Result<Self, QueryError> {
        let mut counted = text;
        loop {
            let read = parser::parse(counted, reading)
                .and_then(|syntax| Ok((check::check(&syntax, counted, reading)?, syntax)));
            match read {
                // What is typed last and not finished counts once it is. Each round is shorter than the one before.
                Err(QueryError { half_typed: Some(from), .. })
                    if reading == Reading::AsTyped && from < counted.len() =>
                {
                    counted = counted.get(..from).unwrap_or_default();
                }
                Err(error) => return Err(error),
                Ok((filter, syntax)) => {
                    let unfinished = text.get(counted.len()..).unwrap_or_default().trim().to_owned();
                    return Ok(Self { syntax, filter, unfinished });
                }
            }
        }
    }

    /// The end of the text that does not count yet, because it is half typed; empty if there is none.
    #[must_use]
    pub fn unfinished(&self) -> &str {
        &self.unfinished
    }

    /// The same query among payments of one kind only.
    #[must_use]
    pub fn of_kind(self, kind: PaymentKind) -> Self {
        let kind = Filter::term(TermField::Kind, kind.as_str());
        Self { filter: Filter::All(vec![kind, self.filter]), ..self }
    }

    /// The query that every document answers.
    #[must_use]
    pub const fn everything() -> Self {
        Self {
            syntax: Syntax { junction: Junction::And, clauses: Vec::new() },
            filter: Filter::All(Vec::new()),
            unfinished: String::new(),
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
    /// Where the clause begins that is wrong only because it is not finished yet.
    half_typed: Option<usize>,
}

impl QueryError {
    fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), expected: Vec::new(), half_typed: None }
    }

    const fn half_typed(mut self, from: usize) -> Self {
        self.half_typed = Some(from);
        self
    }

    fn expecting<T: Into<String>>(mut self, expected: impl IntoIterator<Item = T>) -> Self {
        self.expected = expected.into_iter().map(Into::into).collect();
        self
    }
}
