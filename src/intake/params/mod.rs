//! Request parameters from a form with brackets, a query string, or JSON.
//!
//! All become one flat list of paths (`card[number]`, `metadata[order]`, `expand[]`) and plain values, which drafts take one by
//! one, by name and type. A parameter that nothing takes is unknown. Values are borrowed where possible. Depends only on the
//! text rules of `domain`.

mod json;
mod typed;

use std::borrow::Cow;

use super::error::{InputError, SHOWN_CHARS_MAX};
use crate::domain::card_numbers::shown;

/// Parameters of one request, list elements included.
const PARAMS_MAX: usize = 500;
/// Levels of nesting.
const DEPTH_MAX: usize = 5;

/// A plain value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// Text; everything in a form is text.
    Text(Cow<'a, str>),
    /// A JSON integer.
    Integer(i64),
    /// A JSON boolean.
    Bool(bool),
    /// A JSON number that is not an integer, or is too large for one.
    OtherNumber,
    /// JSON `null`, or an empty object or list.
    Empty,
}

/// The parameters of a request.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Params<'a> {
    entries: Vec<(Cow<'a, str>, Value<'a>)>,
}

impl<'a> Params<'a> {
    /// Reads a form body or a query string.
    ///
    /// # Errors
    /// Too many parameters, or nested too deeply.
    pub fn from_form(text: &'a str) -> Result<Self, InputError> {
        let mut entries = Vec::with_capacity(16);
        for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
            if entries.len() >= PARAMS_MAX {
                return Err(InputError::body(format!("Too many parameters: at most {PARAMS_MAX}.")));
            }
            if name.bytes().filter(|byte| *byte == b'[').count() > DEPTH_MAX {
                return Err(InputError::body(format!(
                    "Parameters are nested too deeply: at most {DEPTH_MAX} levels."
                )));
            }
            entries.push((name, Value::Text(value)));
        }
        Ok(Self { entries })
    }

    /// Reads a JSON body.
    ///
    /// # Errors
    /// Not a JSON object, too many parameters, or nested too deeply.
    pub fn from_json(bytes: &'a [u8]) -> Result<Self, InputError> {
        serde_json::from_slice(bytes).map_err(|error| InputError::json(&error))
    }

    /// Adds text, unless it is `None`.
    pub fn add_text(&mut self, path: &'static str, text: Option<Cow<'a, str>>) {
        self.entries.extend(text.map(|text| (Cow::Borrowed(path), Value::Text(text))));
    }

    /// Adds text under a path built at run time.
    pub fn add_path(&mut self, path: String, text: &'a str) {
        self.entries.push((Cow::Owned(path), Value::Text(Cow::Borrowed(text))));
    }

    /// Adds a whole number, unless it is `None`.
    pub fn add_integer(&mut self, path: &'static str, value: Option<i64>) {
        self.entries.extend(value.map(|value| (Cow::Borrowed(path), Value::Integer(value))));
    }

    /// Adds a boolean, unless it is `None`.
    pub fn add_bool(&mut self, path: &'static str, value: Option<bool>) {
        self.entries.extend(value.map(|value| (Cow::Borrowed(path), Value::Bool(value))));
    }

    /// Adds parameters below a path, unless they are `None`.
    pub fn add_below(&mut self, path: &str, below: Option<Self>) {
        for (name, value) in below.into_iter().flat_map(|params| params.entries) {
            let (head, rest) =
                name.split_once('[').map_or((name.as_ref(), None), |(head, rest)| (head, Some(rest)));
            let rest = rest.map_or(String::new(), |rest| format!("[{rest}"));
            self.entries.push((Cow::Owned(format!("{path}[{head}]{rest}")), value));
        }
    }

    /// Whether no parameter is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Refuses empty text, as the dialect does: an empty value asks to unset something. `unset` lists the parameters that
    /// can be unset, including everything below them.
    ///
    /// # Errors
    /// Names the first parameter that is empty.
    pub fn refuse_empty(&self, unset: &[&str]) -> Result<(), InputError> {
        let empty = |value: &Value<'_>| matches!(value, Value::Text(text) if text.is_empty());
        let may = |name: &str| unset.iter().any(|path| below(name, path).is_some());
        match self.entries.iter().find(|(name, value)| empty(value) && !may(name)) {
            None => Ok(()),
            Some((name, _)) => {
                let message = format!(
                    "You passed an empty string for '{}', which cannot be unset. Leave it out or give it a value.",
                    shown(name, SHOWN_CHARS_MAX)
                );
                Err(InputError::new(name, "parameter_invalid_empty", message))
            }
        }
    }

    /// Takes the value of a path. If it is repeated, the last value counts.
    pub fn take(&mut self, path: &str) -> Option<Value<'a>> {
        let mut found = None;
        while let Some(at) = self.entries.iter().position(|(name, _)| name == path) {
            found = Some(self.entries.remove(at).1);
        }
        found
    }

    /// Whether the path or anything below it is present.
    #[must_use]
    pub fn has(&self, path: &str) -> bool {
        self.entries.iter().any(|(name, _)| below(name, path).is_some())
    }

    /// What is left, as names and text; whole numbers too, since they may be kept as text.
    pub fn texts(&self) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
        self.entries.iter().map(|(name, value)| {
            let text = match value {
                Value::Text(text) => Cow::Borrowed(text.as_ref()),
                Value::Integer(number) => Cow::Owned(number.to_string()),
                Value::Bool(_) | Value::OtherNumber | Value::Empty => Cow::Borrowed(""),
            };
            (name.as_ref(), text)
        })
    }

    /// All parameters as one byte string, sorted by name: the same for a form and for JSON. The idempotency key is left out,
    /// since it is not part of what is asked for.
    #[must_use]
    pub fn form(&self) -> Vec<u8> {
        let text = |value: &Value<'a>| match value {
            Value::Text(text) => text.to_string(),
            Value::Integer(number) => number.to_string(),
            Value::Bool(value) => value.to_string(),
            Value::OtherNumber | Value::Empty => String::new(),
        };
        let mut pairs: Vec<(&str, String)> =
            self.entries.iter().map(|(name, value)| (name.as_ref(), text(value))).collect();
        pairs.retain(|(name, _)| *name != "idempotency_key");
        // The sort is stable: the elements of a list stay in order.
        pairs.sort_by(|one, other| one.0.cmp(other.0));
        let mut form = Vec::new();
        for part in pairs.iter().flat_map(|(name, text)| [*name, text.as_str()]) {
            form.extend_from_slice(&(part.len() as u64).to_be_bytes());
            form.extend_from_slice(part.as_bytes());
        }
        form
    }

    /// Whether the path itself has an empty text, which unsets everything below it.
    #[must_use]
    pub fn empties(&self, path: &str) -> bool {
        self.peek_text(path) == Some("")
    }

    /// Refuses parameters that exist in the dialect but are not offered here: an error is better than ignoring them.
    ///
    /// # Errors
    /// Names the first of `names` that was sent.
    pub fn refuse(&self, names: &[&str]) -> Result<(), InputError> {
        match names.iter().find(|name| self.has(name)) {
            None => Ok(()),
            Some(name) => {
                let message = format!("Paystorm does not offer the parameter {name} yet. Leave it out.");
                Err(InputError::new(name, "parameter_not_offered", message))
            }
        }
    }

    /// Checks that every parameter was taken.
    ///
    /// # Errors
    /// Names a parameter that is left.
    pub fn finish(&self) -> Result<(), InputError> {
        match self.entries.first() {
            None => Ok(()),
            Some((name, _)) => {
                let message = format!("Received unknown parameter: {}", shown(name, SHOWN_CHARS_MAX));
                Err(InputError::new(name, "parameter_unknown", message))
            }
        }
    }
}

/// The rest of `name` after `path`, if `name` is `path` or lies below it.
fn below<'n>(name: &'n str, path: &str) -> Option<&'n str> {
    name.strip_prefix(path).filter(|rest| rest.is_empty() || rest.starts_with('['))
}

#[cfg(test)]
mod tests;
