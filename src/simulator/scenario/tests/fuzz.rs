//! Whatever a file holds: it is a scenario or has mistakes, each at a place in it, and nothing panics.

use proptest::prelude::*;

use crate::simulator::scenario::{FILE_BYTES_MAX, Scenario};

/// Reads a file; of a mistake, its place is in the text.
fn read(file: &[u8]) -> Result<(), TestCaseError> {
    let Err(errors) = Scenario::parse(file) else { return Ok(()) };
    prop_assert!(!errors.errors().is_empty());
    let lines = file.split(|byte| *byte == b'\n').count();
    for error in errors.errors() {
        prop_assert!((1..=lines).contains(&error.line), "{error} of {lines}");
        prop_assert!(error.column >= 1, "{error}");
    }
    Ok(())
}

/// Lines as they stand in scenarios, some of them bent.
fn near_miss() -> impl Strategy<Value = String> {
    let key = prop::sample::select(vec![
        "name",
        "seed",
        "acquirer",
        "rule",
        "weight",
        "latency",
        "fixed_ms",
        "median_ms",
        "sigma",
        "uniform_ms",
        "percentiles_ms",
        "p50",
        "max",
        "outcomes",
        "errors",
        "share",
        "kind",
        "decline",
        "outcome",
        "error",
        "timeout_ms",
        "route",
        "match",
        "not",
        "sequence",
        "delay_ms",
        "brand",
        "card",
        "last4",
        "attempt",
        "amount_minor",
        "min",
        "operation",
        "currency",
        "country",
        "window",
        "from",
        "for",
        "every",
        "latency_factor",
        "ramp",
        "capacity_per_s",
        "queue_max",
        "breaker",
        "failover",
        "customer",
        "metadata",
        "hour",
        "a.b",
        "\"\"",
    ]);
    let value = prop::sample::select(vec![
        "1",
        "0.5",
        "-1",
        "1e9",
        "nan",
        "0x10",
        "true",
        "\"a\"",
        "\"visa\"",
        "\"approved\"",
        "\"decline:lost_card\"",
        "\"error:timeout\"",
        "[]",
        "[1, 2]",
        "[20, 80]",
        "{}",
        "{ max = 1 }",
        "{ share = 1, decline = \"lost_card\" }",
        "[{ share = 0.5, kind = \"refused\" }]",
        "{ fixed_ms = 1 }",
        "{ min = 5, max = 1 }",
        "\"EUR\"",
        "\"1h30m\"",
        "\"0s\"",
        "{ errors = 0.5, of = 20, open_ms = 5000 }",
        "'DE'",
        "1979-05-27",
        "99999999999999999999",
        "[[[]]]",
        "\"unclosed",
        "",
    ]);
    let line = prop_oneof![
        1 => Just("[[acquirer]]".to_owned()),
        1 => Just("[[rule]]".to_owned()),
        1 => Just("[[window]]".to_owned()),
        1 => Just("[acquirer.latency]".to_owned()),
        6 => (key, value).prop_map(|(key, value)| format!("{key} = {value}")),
    ];
    prop::collection::vec(line, 0..16).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        read(&bytes)?;
    }

    #[test]
    fn arbitrary_text_is_read(text in "\\PC{0,120}", toml in "([a-z_.]{1,8}|[=\\[\\]{},.#\"'\\\\\n ]|[0-9.e-]{1,4}){0,60}") {
        read(text.as_bytes())?;
        read(toml.as_bytes())?;
    }

    #[test]
    fn near_misses_are_read(text in near_miss()) {
        read(text.as_bytes())?;
    }
}

#[test]
fn what_nests_deep_is_refused_before_anything_recurses() {
    let path = "a.".repeat(70) + "a";
    let nested = format!("{path} = {{ ").repeat(70) + &" }".repeat(70);
    for text in [
        nested,
        "[".repeat(FILE_BYTES_MAX),
        format!("a = {}", "[".repeat(100_000)),
        format!("a = {}", "{ a = ".repeat(40_000)),
        // Brackets that do not belong together close nothing.
        format!("a = {}", "[}".repeat(100_000)),
        format!("a = {}", "{ a = ]".repeat(30_000)),
        "a.".repeat(100_000),
        format!("[{}a]", "a.".repeat(100_000)),
        format!("\"{}", "\\\"".repeat(100_000)),
        format!("'''{}", "'' ".repeat(80_000)),
    ] {
        assert!(Scenario::parse(text.as_bytes()).is_err());
    }
}

#[test]
fn what_is_hidden_in_strings_and_comments_does_not_nest() {
    let deep = "[".repeat(40) + &".".repeat(40);
    for text in [
        format!("# {deep}\nname = \"a\""),
        format!("name = \"a {deep}\" # \" {deep}"),
        format!("name = 'a'\ndescription = '{deep}'"),
        format!("name = \"a\"\ndescription = \"\\\" {deep} \\\\\""),
        format!("name = \"a\"\ndescription = \"\"\"\n\" {deep} \\\" \"\"\"\"\""),
        format!("name = \"a\"\ndescription = '''\n' {deep}\n'''''"),
    ] {
        if let Err(errors) = Scenario::parse(text.as_bytes()) {
            panic!("{text}\n{errors}");
        }
    }
}
