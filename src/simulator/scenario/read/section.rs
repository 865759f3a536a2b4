//! A table of the file, with its place and the path to it.

use toml::de::DeTable;

use super::field::Field;
use super::problems::Problems;
use super::words::{did_you_mean, joined, shown};

/// A table whose unknown keys have been reported.
pub(super) struct Section<'t> {
    path: String,
    at: usize,
    table: &'t DeTable<'t>,
    problems: &'t Problems,
}

impl<'t> Section<'t> {
    /// The whole file.
    pub(super) fn root(table: &'t DeTable<'t>, keys: &[&str], problems: &'t Problems) -> Self {
        Self { path: String::new(), at: 0, table, problems }.with(keys)
    }

    /// The table that a value is; it may have these keys.
    pub(super) fn of(field: &Field<'t>, keys: &[&str]) -> Option<Self> {
        Self::any(field).map(|section| section.with(keys))
    }

    /// The table that a value is; it may have any keys.
    pub(super) fn any(field: &Field<'t>) -> Option<Self> {
        let Some(table) = field.value.as_table() else {
            field.expected("a table");
            return None;
        };
        Some(Self { path: field.path.clone(), at: field.at, table, problems: field.problems })
    }

    /// The keys that are given, in alphabetical order.
    pub(super) fn keys(&self) -> Vec<&'t str> {
        let mut keys: Vec<&str> = self.table.keys().map(|key| key.get_ref().as_ref()).collect();
        keys.sort_unstable();
        keys
    }

    /// Reports all keys but these.
    fn with(self, keys: &[&str]) -> Self {
        for key in self.table.keys() {
            let name: &str = key.get_ref();
            if !keys.contains(&name) {
                let instead = did_you_mean(name, keys)
                    .unwrap_or_else(|| format!("the keys here are {}", joined(keys, "and")));
                let problem = format!("there is no such key; {instead}");
                self.problems.add(key.span().start, self.path_of(&shown(name)), problem);
            }
        }
        self
    }

    /// The value of this key, if it is given.
    pub(super) fn get(&self, key: &str) -> Option<Field<'t>> {
        let value = self.table.get(key)?;
        Some(Field::new(self.path_of(key), value.span().start, value.get_ref(), self.problems))
    }

    /// The value of this key, which must be given.
    pub(super) fn required(&self, key: &str) -> Option<Field<'t>> {
        let field = self.get(key);
        if field.is_none() {
            self.problems.add(self.at, self.path_of(key), "is missing");
        }
        field
    }

    /// The one of these keys that is given, with its value; the others must not stand beside it.
    pub(super) fn only_one<'k>(&self, keys: &[&'k str]) -> Option<(&'k str, Field<'t>)> {
        let mut given = keys.iter().filter_map(|key| Some((*key, self.get(key)?)));
        let (key, field) = given.next()?;
        given.for_each(|(_, other)| other.refuse(format!("cannot stand beside {key}")));
        Some((key, field))
    }

    /// The value of this key, or each of a list of them; none if it is not given.
    pub(super) fn each<T>(&self, key: &str, read: impl Fn(&Field<'t>) -> Option<T>) -> Vec<T> {
        let Some(field) = self.get(key) else { return Vec::new() };
        let fields = field.one_or_more();
        if fields.is_empty() {
            field.refuse("names nothing; leave it out to allow everything");
        }
        fields.iter().filter_map(read).collect()
    }

    /// The tables of a list such as `[[rule]]`, at most `max`; each may have these keys.
    pub(super) fn tables(&self, key: &str, max: usize, keys: &[&str]) -> Vec<Self> {
        let Some(field) = self.get(key) else { return Vec::new() };
        let Some(items) = field.items() else {
            field.expected(&format!("a list of tables such as [[{key}]]"));
            return Vec::new();
        };
        if items.len() > max {
            field.refuse(format!("there may be at most {max}, not {}", items.len()));
            return Vec::new();
        }
        items.iter().filter_map(|item| Self::of(item, keys)).collect()
    }

    /// Reports that the table as a whole is wrong.
    pub(super) fn refuse(&self, problem: impl Into<String>) {
        self.problems.add(self.at, self.path.clone(), problem);
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}
