//! A value of the file, with its place and the path to it.

use std::ops::RangeInclusive;

use toml::de::{DeInteger, DeValue};

use super::problems::Problems;
use super::words::{did_you_mean, joined, shown};
use crate::setting::duration::parse_duration;

/// A value, whatever it is.
pub(super) struct Field<'t> {
    /// The keys that lead to it.
    pub(super) path: String,
    /// The byte at which it begins.
    pub(super) at: usize,
    pub(super) value: &'t DeValue<'t>,
    pub(super) problems: &'t Problems,
}

impl<'t> Field<'t> {
    pub(super) const fn new(path: String, at: usize, value: &'t DeValue<'t>, problems: &'t Problems) -> Self {
        Self { path, at, value, problems }
    }

    /// Reports that the value cannot be used.
    pub(super) fn refuse(&self, problem: impl Into<String>) {
        self.problems.add(self.at, self.path.clone(), problem);
    }

    /// Reports that the value is of another type than what is expected.
    pub(super) fn expected(&self, what: &str) {
        self.refuse(format!("expected {what}, not {}", type_name(self.value)));
    }

    /// The text, if the value is text.
    pub(super) fn text(&self) -> Option<&'t str> {
        let text = self.value.as_str();
        if text.is_none() {
            self.expected("a string");
        }
        text
    }

    /// The number, if it is one within these bounds.
    pub(super) fn number(&self, bounds: &RangeInclusive<f64>) -> Option<f64> {
        let number: Option<f64> = match self.value {
            DeValue::Integer(number) => Some(whole(number).map_or(f64::INFINITY, approximate)),
            DeValue::Float(number) => number.as_str().parse().ok(),
            DeValue::String(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_)
            | DeValue::Table(_) => None,
        };
        let Some(number) = number else {
            self.expected("a number");
            return None;
        };
        if !bounds.contains(&number) {
            self.refuse(outside(bounds.start(), bounds.end(), shown(&number.to_string())));
            return None;
        }
        Some(number)
    }

    /// The whole number, if it is one within these bounds.
    pub(super) fn whole(&self, bounds: &RangeInclusive<i64>) -> Option<i64> {
        let DeValue::Integer(number) = self.value else {
            self.expected("a whole number");
            return None;
        };
        let within = whole(number).filter(|whole| bounds.contains(whole));
        if within.is_none() {
            self.refuse(outside(bounds.start(), bounds.end(), shown(&number.to_string())));
        }
        within
    }

    /// The duration that the text is, in microseconds.
    pub(super) fn duration_us(&self) -> Option<u64> {
        match parse_duration(self.text()?) {
            Ok(duration) => u64::try_from(duration.as_micros()).ok(),
            Err(problem) => {
                self.refuse(problem);
                None
            }
        }
    }

    /// Whether it is `true`, if it is either.
    pub(super) fn boolean(&self) -> Option<bool> {
        let boolean = self.value.as_bool();
        if boolean.is_none() {
            self.expected("true or false");
        }
        boolean
    }

    /// What the text stands for, if it is one of these words.
    pub(super) fn word<T: Copy>(&self, what: &str, words: &[(&str, T)]) -> Option<T> {
        self.look_up(what, self.text()?, words)
    }

    /// What a text within this value stands for, if it is one of these words.
    pub(super) fn look_up<T: Copy>(&self, what: &str, text: &str, words: &[(&str, T)]) -> Option<T> {
        if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*meaning);
        }
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let text_shown = shown(text);
        self.refuse(match did_you_mean(text, &known) {
            Some(hint) => format!("there is no {what} {text_shown:?}; {hint}"),
            None => format!("there is no {what} {text_shown:?}: expected {}", joined(&known, "or")),
        });
        None
    }

    /// Whether the value is a table.
    pub(super) fn is_table(&self) -> bool {
        self.value.is_table()
    }

    /// Each item of the list, if the value is one.
    pub(super) fn list(&self) -> Option<Vec<Self>> {
        let items = self.items();
        if items.is_none() {
            self.expected("a list");
        }
        items
    }

    /// Each item of the list, or the value itself where it is none.
    pub(super) fn one_or_more(&self) -> Vec<Self> {
        self.items().unwrap_or_else(|| vec![Self::new(self.path.clone(), self.at, self.value, self.problems)])
    }

    /// Each item of the list; `None`, and not reported, if the value is none.
    pub(super) fn items(&self) -> Option<Vec<Self>> {
        let items = self.value.as_array()?.iter().zip(1..);
        let field = |(item, number): (&'t toml::Spanned<DeValue<'t>>, usize)| {
            let path = format!("{}[{number}]", self.path);
            Self::new(path, item.span().start, item.get_ref(), self.problems)
        };
        Some(items.map(field).collect())
    }
}

/// The value of a whole number; `None` if it is too large for any purpose.
fn whole(number: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

#[expect(clippy::cast_precision_loss, reason = "compared with bounds that are exact")]
const fn approximate(number: i64) -> f64 {
    number as f64
}

fn outside(from: impl std::fmt::Display, to: impl std::fmt::Display, is: impl std::fmt::Display) -> String {
    format!("must be between {from} and {to}, not {is}")
}

const fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a decimal number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
