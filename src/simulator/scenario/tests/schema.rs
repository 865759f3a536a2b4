//! The JSON schema for editors has the keys and words that the reader has, takes the shipped files and refuses wrong ones.

use std::collections::BTreeSet;

use serde_json::Value;

use super::mistakes;
use crate::simulator::scenario::{Pack, Scenario, read};

const SCHEMA: &str = include_str!("../../../../docs/scenario.schema.json");
/// The first line of each shipped file, which editors understand.
const SCHEMA_LINE: &str = "#:schema ../../docs/scenario.schema.json\n";

fn schema() -> Value {
    serde_json::from_str(SCHEMA).unwrap()
}

fn validator() -> jsonschema::Validator {
    jsonschema::draft202012::new(&schema()).unwrap()
}

/// A TOML file as the JSON that editors check; `None` for what is not TOML.
fn json(text: &str) -> Option<Value> {
    serde_json::to_value(toml::from_str::<toml::Table>(text).ok()?).ok()
}

fn set<'a>(names: impl IntoIterator<Item = &'a str>) -> BTreeSet<&'a str> {
    names.into_iter().collect()
}

#[test]
fn it_is_a_schema_of_its_draft() {
    assert!(jsonschema::draft202012::meta::is_valid(&schema()));
}

#[test]
fn it_has_the_keys_that_the_reader_has() {
    let schema = schema();
    let tables = read::keys::tables();
    for (table, keys) in &tables {
        let described = if table.is_empty() { &schema } else { &schema["$defs"][table] };
        assert_eq!(described["additionalProperties"], false, "{table}");
        let properties = described["properties"].as_object().unwrap_or_else(|| panic!("{table}"));
        assert_eq!(set(properties.keys().map(String::as_str)), set(keys.iter().copied()), "{table}");
    }
    let described = schema["$defs"].as_object().unwrap();
    let with_keys = described.iter().filter(|(_, table)| table["properties"].is_object());
    let known = tables.iter().map(|(table, _)| *table).filter(|table| !table.is_empty());
    assert_eq!(set(with_keys.map(|(name, _)| name.as_str())), set(known));
}

#[test]
fn it_has_the_words_that_the_reader_has() {
    let schema = schema();
    let kinds = read::keys::words();
    for (kind, words) in &kinds {
        let described = schema["$defs"][kind]["enum"].as_array().unwrap_or_else(|| panic!("{kind}"));
        assert_eq!(
            set(described.iter().map(|word| word.as_str().unwrap())),
            set(words.iter().copied()),
            "{kind}"
        );
    }
    let described = schema["$defs"].as_object().unwrap();
    let with_words = described.iter().filter(|(_, kind)| kind["enum"].is_array());
    assert_eq!(set(with_words.map(|(name, _)| name.as_str())), set(kinds.iter().map(|(kind, _)| *kind)));
    // The steps of a sequence spell out their words.
    let steps = schema["$defs"]["rule"]["properties"]["sequence"]["items"]["pattern"].as_str().unwrap();
    for (kind, words) in
        kinds.iter().filter(|(kind, _)| ["errorKind", "outcomeName", "declineCode"].contains(kind))
    {
        assert!(words.iter().all(|word| steps.contains(word)), "{kind}");
    }
}

#[test]
fn it_takes_every_shipped_file() {
    let validator = validator();
    let examples = std::fs::read_dir("config/scenarios").unwrap().map(|file| file.unwrap().path());
    let packs = std::fs::read_dir("config/packs").unwrap().map(|file| file.unwrap().path());
    let mut count = 0;
    for path in examples.chain(packs) {
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with(SCHEMA_LINE), "{}", path.display());
        let wrong: Vec<String> =
            validator.iter_errors(&json(&text).unwrap()).map(|error| error.to_string()).collect();
        assert!(wrong.is_empty(), "{}: {wrong:?}", path.display());
        count += 1;
    }
    assert!(count >= 6 + Pack::ALL.len(), "{count}");
}

#[test]
fn it_takes_the_parts_in_the_documentation() {
    let validator = validator();
    let page = include_str!("../../../../docs/scenarios.md");
    let blocks = page.split("```toml\n").skip(1).filter_map(|rest| Some(rest.split_once("```")?.0));
    for block in blocks {
        let whole =
            if block.starts_with("name = ") { block.to_owned() } else { format!("name = \"part\"\n{block}") };
        let wrong: Vec<String> =
            validator.iter_errors(&json(&whole).unwrap()).map(|error| error.to_string()).collect();
        assert!(wrong.is_empty(), "{whole}: {wrong:?}");
    }
}

/// What a schema cannot say, such as that shares add up to 1, is left to the reader; most of the rest it refuses as well.
#[test]
fn it_refuses_most_wrong_files() {
    let validator = validator();
    let (mut refused, mut taken) = (0, Vec::new());
    for text in mistakes::wrong_files() {
        assert!(Scenario::parse(text.as_bytes()).is_err(), "{text}");
        match json(&text) {
            Some(file) if validator.is_valid(&file) => taken.push(text),
            Some(_) => refused += 1,
            None => {}
        }
    }
    assert!(refused >= 80, "{refused}; taken: {taken:#?}");
    assert!(taken.len() <= refused / 4, "{refused}; taken: {taken:#?}");
}
