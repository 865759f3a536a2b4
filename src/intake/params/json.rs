//! Reads parameters from JSON: objects and lists become paths while they are read, without a tree in between.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::{DEPTH_MAX, PARAMS_MAX, Params, Value};

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
