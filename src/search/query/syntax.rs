//! The syntax tree: what was written, and where. Printing it gives a query that reads back as the same tree.

use std::fmt;
use std::ops::Range;

/// How the clauses are joined. The two are never mixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Junction {
    /// All must hold; also what a space means.
    And,
    /// One must hold.
    Or,
}

/// A whole query.
#[derive(Debug, Clone, PartialEq)]
pub struct Syntax {
    /// How its clauses are joined.
    pub junction: Junction,
    /// The clauses in the order written.
    pub clauses: Vec<Clause>,
}

/// One condition.
#[derive(Debug, Clone, PartialEq)]
pub struct Clause {
    /// Whether `-` stands before it.
    pub negated: bool,
    /// The condition itself.
    pub term: Term,
    /// Its bytes in the text, the `-` included.
    pub span: Range<usize>,
}

/// A condition without its negation.
#[derive(Debug, Clone, PartialEq)]
pub enum Term {
    /// `field:value` and its kin.
    Field {
        /// What is looked at.
        field: FieldName,
        /// How it is compared.
        operator: Operator,
        /// With what.
        value: Value,
    },
    /// A free word or a quoted phrase.
    Text(Value),
}

/// A field as written, not yet looked up.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldName {
    /// The name, dots included.
    pub name: String,
    /// What stands between `["` and `"]`.
    pub key: Option<String>,
    /// Its bytes in the text.
    pub span: Range<usize>,
}

/// How a field is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `:`, exact and case-insensitive.
    Is,
    /// `~`, contains.
    Contains,
    /// `>`.
    Above,
    /// `>=`.
    AtLeast,
    /// `<`.
    Below,
    /// `<=`.
    AtMost,
}

impl Operator {
    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Is => ":",
            Self::Contains => "~",
            Self::Above => ">",
            Self::AtLeast => ">=",
            Self::Below => "<",
            Self::AtMost => "<=",
        }
    }
}

/// A value, a word or a phrase.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    /// The text, escapes resolved.
    pub text: String,
    /// Whether it stood in quotes. Only a bare `null` means the absence of a value.
    pub quoted: bool,
    /// Its bytes in the text, quotes included.
    pub span: Range<usize>,
}

impl Value {
    /// Whether it is the bare word `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        !self.quoted && self.text.eq_ignore_ascii_case("null")
    }
}

fn quote(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.quoted { quote(&self.text, f) } else { f.write_str(&self.text) }
    }
}

impl fmt::Display for FieldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        let Some(key) = &self.key else { return Ok(()) };
        f.write_str("[")?;
        quote(key, f)?;
        f.write_str("]")
    }
}

impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.negated {
            f.write_str("-")?;
        }
        match &self.term {
            Term::Field { field, operator, value } => write!(f, "{field}{}{value}", operator.as_str()),
            Term::Text(value) => value.fmt(f),
        }
    }
}

impl fmt::Display for Syntax {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let between = match self.junction {
            Junction::And => " ",
            Junction::Or => " OR ",
        };
        for (at, clause) in self.clauses.iter().enumerate() {
            if at > 0 {
                f.write_str(between)?;
            }
            clause.fmt(f)?;
        }
        Ok(())
    }
}
