//! Parses tokens into the syntax tree. Knows how clauses are joined; knows no field.

use super::lexer::{OPERATORS, Token, TokenKind, tokens};
use super::syntax::{Clause, FieldName, Junction, Operator, Syntax, Term, Value};
use super::{CLAUSES_MAX, QUERY_MAX_CHARS, QueryError, Reading};

/// Reads a query.
pub(super) fn parse(text: &str, reading: Reading) -> Result<Syntax, QueryError> {
    if let Some((at, _)) = text.char_indices().nth(QUERY_MAX_CHARS) {
        let message = format!("The query is longer than {QUERY_MAX_CHARS} characters.");
        return Err(QueryError::new(at..text.len(), message));
    }
    let tokens = tokens(text, reading)?;
    Parser { tokens: tokens.into_iter().peekable(), end: text.len() }.query()
}

struct Parser {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
    end: usize,
}

const CLAUSE: [&str; 3] = ["a word", "\"a phrase\"", "field:value"];

impl Parser {
    fn query(&mut self) -> Result<Syntax, QueryError> {
        let mut clauses = Vec::new();
        let mut junction: Option<Junction> = None;
        while let Some(token) = self.tokens.peek() {
            let span = token.span.clone();
            let written = match token.kind {
                TokenKind::And => Some(Junction::And),
                TokenKind::Or => Some(Junction::Or),
                _ => None,
            };
            if written.is_some() {
                self.tokens.next();
            }
            if clauses.is_empty() {
                if written.is_some() {
                    let error = QueryError::new(span.clone(), "A query cannot start with AND or OR.");
                    let error = error.expecting(CLAUSE);
                    // The word may become another one.
                    let last = self.tokens.peek().is_none();
                    return Err(if last { error.half_typed(span.start) } else { error });
                }
            } else {
                let next = written.unwrap_or(Junction::And);
                if *junction.get_or_insert(next) != next {
                    return Err(self.mixed(span, written));
                }
            }
            if clauses.len() == CLAUSES_MAX {
                return Err(QueryError::new(span, format!("More than {CLAUSES_MAX} clauses.")));
            }
            clauses.push(self.clause(span)?);
        }
        Ok(Syntax { junction: junction.unwrap_or(Junction::And), clauses })
    }

    /// The rejection of clauses that are joined one way after others that are joined the other way.
    fn mixed(&mut self, span: std::ops::Range<usize>, written: Option<Junction>) -> QueryError {
        let message = "AND and OR cannot be mixed; a space means AND.";
        let last = self.tokens.next_if(|token| token.span == span);
        let at_end = self.tokens.peek().is_none();
        let from = span.start;
        let error = QueryError::new(span, message).expecting([match written {
            Some(Junction::Or) => "AND",
            Some(Junction::And) | None => "OR",
        }]);
        // An OR may become ORANGE, and an O may become OR.
        let grows = match (written, last) {
            (Some(_), _) => true,
            (None, Some(Token { kind: TokenKind::Bare(text), .. })) => text.eq_ignore_ascii_case("o"),
            (None, _) => false,
        };
        if grows && at_end { error.half_typed(from) } else { error }
    }

    /// `before` is the place to blame if nothing follows.
    fn clause(&mut self, before: std::ops::Range<usize>) -> Result<Clause, QueryError> {
        let Some(token) = self.tokens.next() else {
            let from = before.start;
            return Err(QueryError::new(before, "Nothing follows.").expecting(CLAUSE).half_typed(from));
        };
        let start = token.span.start;
        if token.kind != TokenKind::Minus {
            let (term, end) = self.term(token)?;
            return Ok(Clause { negated: false, term, span: start..end });
        }
        let adjacent = |next: &Token| next.span.start == token.span.end && next.kind != TokenKind::Minus;
        match self.tokens.next_if(adjacent) {
            Some(next) => {
                let (term, end) = self.term(next)?;
                Ok(Clause { negated: true, term, span: start..end })
            }
            None => {
                let error =
                    QueryError::new(token.span.clone(), "- must stand directly before what it negates.");
                let last = self.tokens.peek().is_none();
                let error = error.expecting(CLAUSE);
                Err(if last { error.half_typed(token.span.start) } else { error })
            }
        }
    }

    /// A clause without its sign, and where it ends.
    fn term(&mut self, token: Token) -> Result<(Term, usize), QueryError> {
        let end = token.span.end;
        match token.kind {
            TokenKind::Bare(text) => Ok((Term::Text(Value { text, quoted: false, span: token.span }), end)),
            TokenKind::Quoted(text) => Ok((Term::Text(Value { text, quoted: true, span: token.span }), end)),
            TokenKind::Name(name) => self.field(FieldName { name, key: None, span: token.span }),
            TokenKind::Operator(_) => {
                let message = "A field is missing before this operator; no spaces stand around it.";
                Err(QueryError::new(token.span, message).expecting(["field:value", "\"a phrase\""]))
            }
            TokenKind::And | TokenKind::Or => {
                Err(QueryError::new(token.span, "A clause is missing here.").expecting(CLAUSE))
            }
            TokenKind::Minus | TokenKind::Key(_) => {
                Err(QueryError::new(token.span, "This cannot stand here.").expecting(CLAUSE))
            }
        }
    }

    fn field(&mut self, mut field: FieldName) -> Result<(Term, usize), QueryError> {
        let mut token = self.tokens.next();
        if let Some(Token { kind: TokenKind::Key(key), span }) = token {
            field.span.end = span.end;
            field.key = Some(key);
            token = self.tokens.next();
        }
        let Some(Token { kind: TokenKind::Operator(operator), span }) = token else {
            let message = "An operator is missing after this field.";
            return Err(QueryError::new(field.span, message).expecting(OPERATORS));
        };
        let value = self.value(operator, span).map_err(|error| match self.tokens.peek() {
            None => error.half_typed(field.span.start),
            Some(_) => error,
        })?;
        let end = value.span.end;
        Ok((Term::Field { field, operator, value }, end))
    }

    fn value(&mut self, operator: Operator, span: std::ops::Range<usize>) -> Result<Value, QueryError> {
        let adjacent = |token: &Token| token.span.start == span.end;
        match self.tokens.next_if(adjacent) {
            Some(Token { kind: TokenKind::Bare(text), span }) => Ok(Value { text, quoted: false, span }),
            Some(Token { kind: TokenKind::Quoted(text), span }) => Ok(Value { text, quoted: true, span }),
            Some(_) | None => {
                let message = format!("A value must follow {} directly.", operator.as_str());
                let span = span.start..span.end.min(self.end);
                Err(QueryError::new(span, message).expecting(["a value", "\"text\"", "null"]))
            }
        }
    }
}
