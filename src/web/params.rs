//! Request parameters, whatever they came in: a form with brackets, a query string, or JSON.
//!
//! All become one flat list of paths (`card[number]`, `metadata[order]`, `expand[]`) and plain values, which the intake
//! takes one by one, by name and type. What nobody took is an unknown parameter. Values are borrowed where they can be.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::error::{InputError, SHOWN_CHARS_MAX};
use crate::domain::card_numbers::shown;
use crate::domain::text::misleads;

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
    /// [`InputError`] past the bounds.
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
    /// [`InputError`] if it is not a JSON object, or past the bounds.
    pub fn from_json(bytes: &'a [u8]) -> Result<Self, InputError> {
        serde_json::from_slice(bytes).map_err(|error| InputError::json(&error))
    }

    /// Adds text, where there is some.
    pub fn add_text(&mut self, path: &'static str, text: Option<Cow<'a, str>>) {
        self.entries.extend(text.map(|text| (Cow::Borrowed(path), Value::Text(text))));
    }

    /// Adds text under a path that is not known beforehand.
    pub fn add_path(&mut self, path: String, text: &'a str) {
        self.entries.push((Cow::Owned(path), Value::Text(Cow::Borrowed(text))));
    }

    /// Adds a whole number, where there is one.
    pub fn add_integer(&mut self, path: &'static str, value: Option<i64>) {
        self.entries.extend(value.map(|value| (Cow::Borrowed(path), Value::Integer(value))));
    }

    /// Adds a boolean, where there is one.
    pub fn add_bool(&mut self, path: &'static str, value: Option<bool>) {
        self.entries.extend(value.map(|value| (Cow::Borrowed(path), Value::Bool(value))));
    }

    /// Adds parameters below a path, where there are some.
    pub fn add_below(&mut self, path: &str, below: Option<Self>) {
        for (name, value) in below.into_iter().flat_map(|params| params.entries) {
            let (head, rest) =
                name.split_once('[').map_or((name.as_ref(), None), |(head, rest)| (head, Some(rest)));
            let rest = rest.map_or(String::new(), |rest| format!("[{rest}"));
            self.entries.push((Cow::Owned(format!("{path}[{head}]{rest}")), value));
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Refuses empty text, as the dialect does: an empty value would ask to unset something. `unset` names what can be,
    /// by the parameter or what it lies below.
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

    /// Takes the value of a path. Of repeated ones the last counts.
    pub fn take(&mut self, path: &str) -> Option<Value<'a>> {
        let mut found = None;
        while let Some(at) = self.entries.iter().position(|(name, _)| name == path) {
            found = Some(self.entries.remove(at).1);
        }
        found
    }

    /// Whether the path, or anything below it, is there.
    #[must_use]
    pub fn has(&self, path: &str) -> bool {
        self.entries.iter().any(|(name, _)| below(name, path).is_some())
    }

    /// What there is, as names and text; whole numbers too, for they may be kept as text.
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

    /// All of it in one form, in the order of the names: the same for a form and for JSON. The request's own idempotency key is
    /// no part of what it asks for.
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
        // The elements of a list stay in their order.
        pairs.sort_by(|one, other| one.0.cmp(other.0));
        let mut form = Vec::new();
        for part in pairs.iter().flat_map(|(name, text)| [*name, text.as_str()]) {
            form.extend_from_slice(&(part.len() as u64).to_be_bytes());
            form.extend_from_slice(part.as_bytes());
        }
        form
    }

    /// Whether the path itself is there with an empty text, which unsets all that lies below.
    #[must_use]
    pub fn empties(&self, path: &str) -> bool {
        self.peek_text(path) == Some("")
    }

    /// Takes text. An empty one counts as absent; [`Self::refuse_empty`] tells where it may be.
    ///
    /// # Errors
    /// A JSON value that is not text, and control characters.
    pub fn text(&mut self, path: &str) -> Result<Option<Cow<'a, str>>, InputError> {
        match self.take(path) {
            None | Some(Value::Empty) => Ok(None),
            Some(Value::Text(text)) if text.is_empty() => Ok(None),
            Some(Value::Text(text)) => {
                readable(path, &text)?;
                Ok(Some(text))
            }
            Some(Value::Integer(_) | Value::Bool(_) | Value::OtherNumber) => {
                Err(InputError::new(path, "parameter_invalid_string", "Invalid string: text was expected."))
            }
        }
    }

    /// The text of a path, left where it is.
    #[must_use]
    pub fn peek_text(&self, path: &str) -> Option<&str> {
        self.entries.iter().rev().find(|(name, _)| name == path).and_then(|(_, value)| match value {
            Value::Text(text) => Some(text.as_ref()),
            Value::Integer(_) | Value::Bool(_) | Value::OtherNumber | Value::Empty => None,
        })
    }

    /// Takes text of at most so many characters.
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

    /// Refuses parameters that exist in the dialect but are not offered here: better an error than a silent loss.
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

    /// Ends the reading.
    ///
    /// # Errors
    /// Names a parameter that nobody took.
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

/// What stands after `path` in `name`, if `name` is it or lies below it.
fn below<'n>(name: &'n str, path: &str) -> Option<&'n str> {
    name.strip_prefix(path).filter(|rest| rest.is_empty() || rest.starts_with('['))
}

/// Refuses characters that show nothing and do something (line feeds, escapes, NUL, marks that turn the direction of writing): they
/// would act on every page, terminal, log and spreadsheet that the text is read in later.
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

// ---- JSON ----

impl<'de: 'a, 'a> Deserialize<'de> for Params<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut entries = Vec::with_capacity(16);
        deserializer.deserialize_map(ObjectVisitor { entries: &mut entries, path: "", depth: 0 })?;
        Ok(Self { entries })
    }
}

/// Text borrowed from the input where it has no escapes.
struct Text<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

struct ObjectVisitor<'e, 'p, 'de> {
    entries: &'e mut Vec<(Cow<'de, str>, Value<'de>)>,
    path: &'p str,
    depth: usize,
}

impl<'de> Visitor<'de> for ObjectVisitor<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with parameters")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut empty = true;
        while let Some(Text(key)) = map.next_key()? {
            empty = false;
            let path = if self.path.is_empty() { key } else { Cow::Owned(format!("{}[{key}]", self.path)) };
            map.next_value_seed(Leaf { entries: self.entries, path, depth: self.depth + 1 })?;
        }
        if empty && !self.path.is_empty() {
            self.entries.push((Cow::Owned(self.path.to_owned()), Value::Empty));
        }
        Ok(())
    }
}

/// One value below a path: plain, or an object or list to flatten further.
struct Leaf<'e, 'de> {
    entries: &'e mut Vec<(Cow<'de, str>, Value<'de>)>,
    path: Cow<'de, str>,
    depth: usize,
}

impl<'de> Leaf<'_, 'de> {
    fn push<E: de::Error>(self, value: Value<'de>) -> Result<(), E> {
        if self.entries.len() >= PARAMS_MAX {
            return Err(E::custom(format_args!("too many parameters, at most {PARAMS_MAX}")));
        }
        self.entries.push((self.path, value));
        Ok(())
    }

    fn too_deep<E: de::Error>(&self) -> Result<(), E> {
        if self.depth > DEPTH_MAX {
            return Err(E::custom(format_args!("nested too deeply, at most {DEPTH_MAX} levels")));
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Leaf<'_, 'de> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Leaf<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
    fn visit_bool<E: de::Error>(self, value: bool) -> Result<(), E> {
        self.push(Value::Bool(value))
    }
    fn visit_i64<E: de::Error>(self, value: i64) -> Result<(), E> {
        self.push(Value::Integer(value))
    }
    fn visit_u64<E: de::Error>(self, value: u64) -> Result<(), E> {
        self.push(i64::try_from(value).map_or(Value::OtherNumber, Value::Integer))
    }
    fn visit_f64<E: de::Error>(self, _: f64) -> Result<(), E> {
        self.push(Value::OtherNumber)
    }
    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<(), E> {
        self.push(Value::Text(Cow::Borrowed(text)))
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<(), E> {
        self.push(Value::Text(Cow::Owned(text.to_owned())))
    }
    fn visit_unit<E: de::Error>(self) -> Result<(), E> {
        self.push(Value::Empty)
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        self.too_deep()?;
        ObjectVisitor { entries: self.entries, path: &self.path, depth: self.depth }.visit_map(map)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        self.too_deep()?;
        let path = format!("{}[]", self.path);
        loop {
            let leaf =
                Leaf { entries: &mut *self.entries, path: Cow::Owned(path.clone()), depth: self.depth + 1 };
            if seq.next_element_seed(leaf)?.is_none() {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_and_json_become_the_same() {
        let form = "amount=1250&card[number]=4242&metadata%5Border%5D=a+b&expand[]=x&expand[]=y";
        let json =
            br#"{"amount":"1250","card":{"number":"4242"},"metadata":{"order":"a b"},"expand":["x","y"]}"#;
        assert_eq!(Params::from_form(form).unwrap(), Params::from_json(json).unwrap());
        let mut params = Params::from_json(json).unwrap();
        assert_eq!(params.integer("amount").unwrap(), Some(1250));
        assert_eq!(params.text("card[number]").unwrap().as_deref(), Some("4242"));
        assert_eq!(params.map("metadata").unwrap(), [("order".to_owned(), "a b".to_owned())]);
        assert_eq!(params.list("expand").unwrap(), ["x", "y"]);
        assert!(params.finish().is_ok());
    }

    #[test]
    fn a_form_is_the_same_however_it_was_sent() {
        let form = |text: &str| Params::from_form(text).unwrap().form();
        let json = Params::from_json(br#"{"b":{"c":"x"},"a":12,"e":["1","2"],"f":true}"#).unwrap().form();
        assert_eq!(form("e[]=1&a=12&f=true&b[c]=x&e[]=2"), json);
        assert_ne!(form("e[]=2&a=12&f=true&b[c]=x&e[]=1"), json, "a list has an order");
        assert_ne!(form("a=1&b=2"), form("a=1&b=3"));
        assert_ne!(form("a=1b"), form("a=&1b="));
        assert_eq!(form("a=1&idempotency_key=k"), form("a=1"));
    }

    #[test]
    fn what_is_left_is_named() {
        let error = Params::from_form("amout=1").unwrap().finish().unwrap_err();
        assert_eq!((error.param.as_deref(), error.code), (Some("amout"), "parameter_unknown"));
        let error = Params::from_form("4242424242424242=1").unwrap().finish().unwrap_err();
        assert!(!error.message.contains("4242"));
    }

    #[test]
    fn control_characters_are_named_where_they_stand() {
        for control in ["%00", "%08", "%0a", "%1b", "%7f", "%c2%85", "%e2%80%a8", "%e2%80%ae"] {
            let form = format!("a=x{control}&b[c]=x{control}&d[x{control}]=1&e[]=x{control}");
            let mut params = Params::from_form(&form).unwrap();
            let param = |error: InputError| error.param.map(String::from).unwrap_or_default();
            assert_eq!(param(params.text("a").unwrap_err()), "a");
            assert_eq!(param(params.map("b").unwrap_err()), "b[c]");
            assert_eq!(param(params.map("d").unwrap_err()), "d[x]");
            assert_eq!(param(params.list("e").unwrap_err()), "e[]");
        }
    }

    #[test]
    fn bounds_hold() {
        let many: String = (0..=PARAMS_MAX).map(|n| format!("a{n}=1&")).collect();
        assert!(Params::from_form(&many).is_err());
        assert!(Params::from_json(br#"{"a":{"b":{"c":{"d":{"e":{"f":{"g":1}}}}}}}"#).is_err());
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(200), "]".repeat(200));
        assert!(Params::from_json(deep.as_bytes()).is_err());
        assert!(Params::from_json(b"[1]").is_err());
    }
}
