//! Splits text into tokens with their places. What a character means depends on where it stands: after an operator everything up
//! to the next space is the value, so that `created>2026-01-31T10:00` needs no quotes.

use std::ops::Range;

use super::syntax::Operator;
use super::{QueryError, Reading};

/// A token and the bytes it came from.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub kind: TokenKind,
    pub span: Range<usize>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum TokenKind {
    /// `AND`
    And,
    /// `OR`
    Or,
    /// `-` before a clause.
    Minus,
    /// A run that an operator or a key follows.
    Name(String),
    /// `["…"]` after a name.
    Key(String),
    /// An operator.
    Operator(Operator),
    /// A bare word or value.
    Bare(String),
    /// A quoted one.
    Quoted(String),
}

const QUOTE_HINT: &str = "put text that contains it in quotes";

/// Splits a query into tokens.
pub(super) fn tokens(text: &str, reading: Reading) -> Result<Vec<Token>, QueryError> {
    let mut lexer = Lexer { text, at: 0, clause: 0, reading, tokens: Vec::new() };
    while lexer.skip_space() {
        lexer.clause()?;
    }
    Ok(lexer.tokens)
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    /// Where the clause at hand begins.
    clause: usize,
    reading: Reading,
    tokens: Vec<Token>,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    /// Moves to the next character that is not a space; `false` at the end.
    fn skip_space(&mut self) -> bool {
        self.at = self.text.len() - self.rest().trim_start().len();
        self.at < self.text.len()
    }

    fn push(&mut self, kind: TokenKind, start: usize) {
        self.tokens.push(Token { kind, span: start..self.at });
    }

    fn error(&self, start: usize, message: impl Into<String>) -> QueryError {
        let end = self.at.max(start);
        QueryError::new(start..end, message)
    }

    /// One clause: `-`, then a word, a phrase, or a field with its operator and value.
    fn clause(&mut self) -> Result<(), QueryError> {
        let start = self.at;
        self.clause = start;
        match self.peek() {
            Some('-') => {
                self.bump();
                self.push(TokenKind::Minus, start);
            }
            Some(c) if is_quote(c) => self.quoted_value()?,
            Some('(' | ')') => return Err(self.parenthesis()),
            Some(c) if is_operator(c) => self.operator_and_value()?,
            Some(_) => self.word_or_field()?,
            None => {}
        }
        Ok(())
    }

    fn parenthesis(&mut self) -> QueryError {
        let start = self.at;
        self.bump();
        self.error(start, "Parentheses are not supported: clauses cannot be nested.").expecting([QUOTE_HINT])
    }

    fn word_or_field(&mut self) -> Result<(), QueryError> {
        let start = self.at;
        let run = self.run(is_operator);
        match self.peek() {
            Some('(' | ')') => return Err(self.parenthesis()),
            Some('"') => {
                let quote = self.at;
                self.bump();
                return Err(self.error(quote, "A space is missing before this quote."));
            }
            Some(c) if is_operator(c) => {
                self.name_and_key(run, start)?;
                return self.operator_and_value();
            }
            _ => {}
        }
        if run.starts_with("metadata[") || run.contains("[\"") || run.contains("['") {
            self.name_and_key(run, start)?;
            let error = self.error(start, "An operator is missing after this field.");
            return Err(error.expecting(OPERATORS).half_typed(start));
        }
        let kind = match run {
            "AND" => TokenKind::And,
            "OR" => TokenKind::Or,
            joiner if self.is_joined_here() && joiner.eq_ignore_ascii_case("and") => TokenKind::And,
            joiner if self.is_joined_here() && joiner.eq_ignore_ascii_case("or") => TokenKind::Or,
            "NOT" => {
                let error = self.error(start, "NOT is not supported.").expecting(["- before the clause"]);
                // It may become NOTHING.
                return Err(if self.at == self.text.len() { error.half_typed(start) } else { error });
            }
            _ => TokenKind::Bare(run.to_owned()),
        };
        self.push(kind, start);
        Ok(())
    }

    /// Whether `and` and `or` join clauses here, in whatever case, as in the dialect: behind a condition. Elsewhere they are
    /// words like others, as in `salt and pepper`.
    fn is_joined_here(&self) -> bool {
        match self.tokens.as_slice() {
            [.., before, last] => matches!(
                (&before.kind, &last.kind),
                (TokenKind::Operator(_), TokenKind::Bare(_) | TokenKind::Quoted(_))
                    | (_, TokenKind::And | TokenKind::Or)
            ),
            [] | [_] => false,
        }
    }

    /// Reads up to a space, a quote, a parenthesis or what `stop` names. A key in brackets belongs to the run whole.
    fn run(&mut self, stop: impl Fn(char) -> bool) -> &'a str {
        let start = self.at;
        while let Some(c) = self.peek() {
            let key = self.rest().strip_prefix('[').and_then(|rest| rest.chars().next());
            if let (Some(quote), '[') = (key.filter(|quote| is_quote(*quote)), c) {
                self.at += 2;
                self.skip_key(quote);
            } else if c.is_whitespace() || matches!(c, '"' | '(' | ')') || stop(c) {
                break;
            } else {
                self.bump();
            }
        }
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// Moves behind the closing quote of a key, if there is one.
    fn skip_key(&mut self, quote: char) {
        while let Some(c) = self.bump() {
            match c {
                '\\' => {
                    self.bump();
                }
                c if c == quote => break,
                _ => {}
            }
        }
    }

    fn name_and_key(&mut self, run: &'a str, start: usize) -> Result<(), QueryError> {
        let end = self.at;
        let Some((name, _)) = run.split_once('[') else {
            self.push(TokenKind::Name(run.to_owned()), start);
            return Ok(());
        };
        let open = start + name.len();
        self.at = open;
        self.push(TokenKind::Name(name.to_owned()), start);
        self.bump();
        if !self.peek().is_some_and(is_quote) {
            self.at = end;
            let error = self.error(open, "The key must stand in quotes.").expecting(["[\"key\"]"]);
            return Err(if run.ends_with('[') { error.half_typed(start) } else { error });
        }
        let key = self.quoted()?;
        match self.bump() {
            Some(']') => {}
            after => {
                self.at = end.max(self.at);
                let error = self.error(open, "The key is not closed.").expecting(["\"]"]);
                return Err(if after.is_none() { error.half_typed(start) } else { error });
            }
        }
        self.push(TokenKind::Key(key), open);
        if self.at != end {
            let stray = self.at;
            self.at = end;
            return Err(self.error(stray, "An operator must follow the key.").expecting(OPERATORS));
        }
        Ok(())
    }

    fn operator_and_value(&mut self) -> Result<(), QueryError> {
        let start = self.at;
        let first = self.bump();
        let or_equal = self.peek() == Some('=') && matches!(first, Some('<' | '>'));
        if or_equal {
            self.bump();
        }
        let operator = match (first, or_equal) {
            (Some('~'), _) => Operator::Contains,
            (Some('>'), false) => Operator::Above,
            (Some('>'), true) => Operator::AtLeast,
            (Some('<'), false) => Operator::Below,
            (Some('<'), true) => Operator::AtMost,
            (Some('='), _) => {
                return Err(self.error(start, "= is not an operator here.").expecting(OPERATORS));
            }
            _ => Operator::Is,
        };
        self.push(TokenKind::Operator(operator), start);
        self.value()
    }

    /// The value directly behind an operator; none is left to the parser to report.
    fn value(&mut self) -> Result<(), QueryError> {
        let start = self.at;
        match self.peek() {
            Some(c) if is_quote(c) => self.quoted_value(),
            Some('(' | ')') => Err(self.parenthesis()),
            Some(c) if is_operator(c) => {
                self.bump();
                Err(self.error(start, "Two operators in a row.").expecting(["a value", "\"text\""]))
            }
            Some(c) if !c.is_whitespace() => {
                let run = self.plain_run();
                match self.peek() {
                    Some('(' | ')') => Err(self.parenthesis()),
                    Some('"') => {
                        let quote = self.at;
                        self.bump();
                        Err(self.error(quote, "A quote in the middle of a value.").expecting([QUOTE_HINT]))
                    }
                    _ => {
                        self.push(TokenKind::Bare(run.to_owned()), start);
                        Ok(())
                    }
                }
            }
            _ => Ok(()),
        }
    }

    fn plain_run(&mut self) -> &'a str {
        let rest = self.rest();
        let end =
            rest.find(|c: char| c.is_whitespace() || matches!(c, '"' | '(' | ')')).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    /// A quoted token, which a space or the end must follow.
    fn quoted_value(&mut self) -> Result<(), QueryError> {
        let start = self.at;
        let text = self.quoted()?;
        self.push(TokenKind::Quoted(text), start);
        match self.peek() {
            Some(c) if !c.is_whitespace() => {
                let stray = self.at;
                self.bump();
                Err(self.error(stray, "A space is missing after the closing quote."))
            }
            _ => Ok(()),
        }
    }

    /// From the opening to the closing quote of the same kind, escapes resolved.
    fn quoted(&mut self) -> Result<String, QueryError> {
        let start = self.at;
        let quote = self.bump().unwrap_or('"');
        let mut text = String::new();
        loop {
            let at = self.at;
            match self.bump() {
                Some(c) if c == quote => return Ok(text),
                Some('\\') => match self.bump() {
                    Some(c @ ('"' | '\'' | '\\')) => text.push(c),
                    Some(_) => {
                        let error = self.error(at, "This escape is not known.");
                        return Err(error.expecting(["\\\"", "\\'", "\\\\"]));
                    }
                    None => return self.unclosed(start, quote, text),
                },
                Some(c) => text.push(c),
                None => return self.unclosed(start, quote, text),
            }
        }
    }

    /// Someone who is still typing closes the quote later.
    fn unclosed(&self, start: usize, quote: char, text: String) -> Result<String, QueryError> {
        match self.reading {
            Reading::AsTyped if text.trim().is_empty() => {
                Err(self.error(start, "The quote is not closed.").half_typed(self.clause))
            }
            Reading::AsTyped => Ok(text),
            Reading::Strict => {
                Err(self.error(start, "The quote is not closed.").expecting([quote.to_string()]))
            }
        }
    }
}

/// What can follow a field.
pub(super) const OPERATORS: [&str; 6] = [":", "~", ">", ">=", "<", "<="];

const fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\'')
}

const fn is_operator(c: char) -> bool {
    matches!(c, ':' | '~' | '<' | '>' | '=')
}
