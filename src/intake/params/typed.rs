//! Takes parameters by type: text, whole numbers, booleans, maps and lists.

use std::borrow::Cow;

use super::{Params, Value, below};
use crate::domain::card_numbers::shown;
use crate::domain::text::misleads;
use crate::intake::error::{InputError, SHOWN_CHARS_MAX};

impl<'a> Params<'a> {
    /// Takes text. Empty text counts as absent; [`Self::refuse_empty`] decides where it is allowed.
    ///
    /// # Errors
    /// A JSON value that is not text, and control characters.
    pub fn text(&mut self, path: &str) -> Result<Option<Cow<'a, str>>, InputError> {
        let text = self.file(path)?;
        text.iter().try_for_each(|text| readable(path, text))?;
        Ok(text)
    }

    /// Takes the text of a file, whatever characters are in it. Whoever reads it decides which it may have.
    ///
    /// # Errors
    /// A JSON value that is not text.
    pub fn file(&mut self, path: &str) -> Result<Option<Cow<'a, str>>, InputError> {
        match self.take(path) {
            None | Some(Value::Empty) => Ok(None),
            Some(Value::Text(text)) if text.is_empty() => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(Value::Integer(_) | Value::Bool(_) | Value::OtherNumber) => {
                Err(InputError::new(path, "parameter_invalid_string", "Invalid string: text was expected."))
            }
        }
    }

    /// The text of a path, without taking it.
    #[must_use]
    pub fn peek_text(&self, path: &str) -> Option<&str> {
        self.entries.iter().rev().find(|(name, _)| name == path).and_then(|(_, value)| match value {
            Value::Text(text) => Some(text.as_ref()),
            Value::Integer(_) | Value::Bool(_) | Value::OtherNumber | Value::Empty => None,
        })
    }

    /// Takes text of at most `chars_max` characters.
    ///
    /// # Errors
    /// As [`Self::text`], or too long.
    pub fn text_up_to(&mut self, path: &str, chars_max: usize) -> Result<Option<Cow<'a, str>>, InputError> {
        let text = self.text(path)?;
        match &text {
            Some(long) if long.len() > chars_max && long.chars().count() > chars_max => {
                let message = format!("Invalid string: must be at most {chars_max} characters.");
                Err(InputError::new(path, "parameter_invalid_string", message))
            }
            Some(_) | None => Ok(text),
        }
    }

    /// Takes a whole number, as JSON or as text.
    ///
    /// # Errors
    /// Anything that is not one.
    pub fn integer(&mut self, path: &str) -> Result<Option<i64>, InputError> {
        let invalid = |what: &str| {
            InputError::new(path, "parameter_invalid_integer", format!("Invalid integer: {what}"))
        };
        match self.take(path) {
            None | Some(Value::Empty) => Ok(None),
            Some(Value::Integer(value)) => Ok(Some(value)),
            Some(Value::Text(text)) if text.is_empty() => Err(InputError::new(
                path,
                "parameter_invalid_empty",
                "You passed an empty string for a number.",
            )),
            Some(Value::Text(text)) => {
                let digits = text.strip_prefix('-').unwrap_or(&text);
                let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
                let value = text.parse::<i64>().ok().filter(|_| plain);
                value.map(Some).ok_or_else(|| invalid(&shown(&text, SHOWN_CHARS_MAX)))
            }
            Some(Value::Bool(_)) => Err(invalid("a boolean")),
            Some(Value::OtherNumber) => Err(invalid("not a whole number of 64 bits")),
        }
    }

    /// Takes `true` or `false`, as JSON or as text.
    ///
    /// # Errors
    /// Anything else.
    pub fn boolean(&mut self, path: &str) -> Result<Option<bool>, InputError> {
        let invalid = |what: &str| {
            InputError::new(path, "parameter_invalid_boolean", format!("Invalid boolean: {what}"))
        };
        match self.take(path) {
            None | Some(Value::Empty) => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(value)),
            Some(Value::Text(text)) => match text.as_ref() {
                "true" => Ok(Some(true)),
                "false" => Ok(Some(false)),
                other => Err(invalid(&shown(other, SHOWN_CHARS_MAX))),
            },
            Some(Value::Integer(_) | Value::OtherNumber) => Err(invalid("a number")),
        }
    }

    /// Takes every `path[key]`, in order; a repeated key keeps its last value. Values may have several lines.
    ///
    /// # Errors
    /// Deeper nesting, JSON values that are not text or numbers, and control characters.
    pub fn map(&mut self, path: &str) -> Result<Vec<(String, String)>, InputError> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for (name, value) in self.take_below(path) {
            let invalid = |why: &'static str| InputError::new(&name, "parameter_invalid_string", why);
            let key = below(&name, path).and_then(|rest| rest.strip_prefix('[')?.strip_suffix(']'));
            let key = match key {
                Some(key) if !key.is_empty() && !key.contains(['[', ']']) => {
                    readable(&name, key)?;
                    key.to_owned()
                }
                // `metadata=` empties it.
                None if matches!(&value, Value::Empty) || value == Value::Text(Cow::Borrowed("")) => continue,
                Some(_) | None => return Err(invalid("Invalid hash: keys and plain values were expected.")),
            };
            let value = match value {
                Value::Text(text) => {
                    readable(&name, &text)?;
                    text.into_owned()
                }
                Value::Integer(number) => number.to_string(),
                Value::Bool(value) => value.to_string(),
                Value::Empty => String::new(),
                Value::OtherNumber => return Err(invalid("Invalid string: text was expected.")),
            };
            pairs.retain(|(other, _)| *other != key);
            pairs.push((key, value));
        }
        Ok(pairs)
    }

    /// Takes every `path[]` and `path[0]`, in order.
    ///
    /// # Errors
    /// Elements that are not text.
    pub fn list(&mut self, path: &str) -> Result<Vec<Cow<'a, str>>, InputError> {
        let mut list = Vec::new();
        for (name, value) in self.take_below(path) {
            match value {
                Value::Text(text) => {
                    readable(&name, &text)?;
                    list.push(text);
                }
                Value::Empty => {}
                Value::Integer(_) | Value::Bool(_) | Value::OtherNumber => {
                    return Err(InputError::new(
                        name.as_ref(),
                        "parameter_invalid_string",
                        "Invalid string: text was expected.",
                    ));
                }
            }
        }
        Ok(list)
    }

    fn take_below(&mut self, path: &str) -> Vec<(Cow<'a, str>, Value<'a>)> {
        self.entries.extract_if(.., |(name, _)| below(name, path).is_some()).collect()
    }
}

/// Refuses invisible characters that have an effect (line feeds, escapes, NUL, marks that change the writing direction):
/// they would act on every page, terminal, log and spreadsheet that later shows the text.
fn readable(path: &str, text: &str) -> Result<(), InputError> {
    match text.chars().any(misleads) {
        true => Err(InputError::new(
            path,
            "parameter_invalid_string",
            "Invalid string: control characters are not accepted.",
        )),
        false => Ok(()),
    }
}
