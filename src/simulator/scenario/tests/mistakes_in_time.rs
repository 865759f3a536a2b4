//! What can be wrong with windows, breakers and capacities, with failover, and with conditions on customer, metadata and time.

use super::mistakes::{assert_all, mistakes};
use crate::simulator::scenario::WINDOWS_MAX;

/// Behind `name = "t"`, `[[acquirer]]`, `name = "a"` and `[[window]]`: these begin in line 5.
const OF_WINDOWS: &[(&str, &str)] = &[
    (
        "from = \"1s\"\nfor = \"1s\"",
        "4: window[1]: changes nothing; it needs errors, outcomes, latency, timeout_ms, delay_ms, latency_factor or capacity_per_s",
    ),
    ("for = \"1s\"\ndelay_ms = 5", "4: window[1].from: is missing"),
    ("from = \"1s\"\ndelay_ms = 5", "4: window[1].for: is missing"),
    ("from = 20\nfor = \"1s\"\ndelay_ms = 5", "5: window[1].from: expected a string, not a whole number"),
    (
        "from = \"20\"\nfor = \"1s\"\ndelay_ms = 5",
        "5: window[1].from: a duration is a number with ms, s, m or h, such as 30s or 1h30m, and at most a week",
    ),
    (
        "from = \"0s\"\nfor = \"8d\"\ndelay_ms = 5",
        "6: window[1].for: a duration is a number with ms, s, m or h, such as 30s or 1h30m, and at most a week",
    ),
    ("from = \"0s\"\nfor = \"0s\"\ndelay_ms = 5", "6: window[1].for: must be more than nothing"),
    (
        "from = \"0s\"\nfor = \"10s\"\nevery = \"9999ms\"\ndelay_ms = 5",
        "7: window[1].every: must not be shorter than the window itself",
    ),
    (
        "from = \"0s\"\nfor = \"10s\"\nevery = \"day\"\ndelay_ms = 5",
        "7: window[1].every: a duration is a number with ms, s, m or h, such as 30s or 1h30m, and at most a week",
    ),
    (
        "from = \"0s\"\nfor = \"1s\"\ndelay_ms = 5\nacquirer = \"b\"",
        "8: window[1].acquirer: there is no acquirer \"b\"; did you mean a?",
    ),
    (
        "from = \"0s\"\nfor = \"1s\"\ndelay_ms = 5\nacquirer = []",
        "8: window[1].acquirer: names nothing; leave it out to allow everything",
    ),
    (
        "from = \"0s\"\nfor = \"1s\"\ndelay_ms = 5\nuntil = \"2s\"",
        "8: window[1].until: there is no such key; the keys here are name, from, for, every, acquirer, match, not, errors, outcomes, \
         latency, timeout_ms, delay_ms, latency_factor, ramp and capacity_per_s",
    ),
    (
        "from = \"0s\"\nfor = \"1s\"\nlatency_factor = -1",
        "7: window[1].latency_factor: must be between 0 and 1000, not -1",
    ),
    (
        "from = \"0s\"\nfor = \"1s\"\nlatency_factor = 4\nramp = \"slow\"",
        "8: window[1].ramp: expected true or false, not a string",
    ),
    (
        "from = \"0s\"\nfor = \"1s\"\ndelay_ms = 4\nramp = true",
        "8: window[1].ramp: goes with latency_factor only",
    ),
    (
        "from = \"0s\"\nfor = \"1s\"\ncapacity_per_s = 0",
        "7: window[1].capacity_per_s: must be between 0.1 and 1000000, not 0",
    ),
    (
        "from = \"0s\"\nfor = \"1s\"\ntimeout_ms = 0",
        "7: window[1].timeout_ms: must be between 1 and 600000, not 0",
    ),
    (
        "from = \"0s\"\nfor = \"1s\"\nerrors = [{ share = 2, kind = \"refused\" }]",
        "7: window[1].errors[1].share: must be between 0 and 1, not 2",
    ),
    (
        "from = \"0s\"\nfor = \"1s\"\noutcomes = [{ share = 0.5, outcome = \"approved\" }]",
        "7: window[1].outcomes: the shares add up to 0.5, not 1, though approved has one",
    ),
    (
        "from = \"0s\"\nfor = \"1s\"\nlatency = {}",
        "7: window[1].latency: needs fixed_ms, uniform_ms, median_ms or percentiles_ms",
    ),
    (
        "from = \"0s\"\nfor = \"1s\"\ndelay_ms = 5\nmatch = { brand = \"vsia\" }",
        "8: window[1].match.brand: there is no brand \"vsia\"; did you mean visa?",
    ),
    (
        "from = \"0s\"\nfor = \"1s\"\ndelay_ms = 5\nnot = {}",
        "8: window[1].not: is empty, and would leave out everything",
    ),
    (
        "from = \"0s\"\nfor = \"1s\"\ndelay_ms = 5\nname = \"\"",
        "8: window[1].name: must have 1 to 64 characters",
    ),
];

/// Behind `name = "t"`, `[[acquirer]]` and `name = "a"`: these begin in line 4.
const OF_LIMITS: &[(&str, &str)] = &[
    ("capacity_per_s = 0.05", "4: acquirer[1].capacity_per_s: must be between 0.1 and 1000000, not 0.05"),
    ("capacity_per_s = \"200/s\"", "4: acquirer[1].capacity_per_s: expected a number, not a string"),
    ("capacity_per_s = nan", "4: acquirer[1].capacity_per_s: must be between 0.1 and 1000000, not NaN"),
    ("capacity = 200", "4: acquirer[1].capacity: there is no such key; did you mean capacity_per_s?"),
    ("queue_max = -1", "4: acquirer[1].queue_max: must be between 0 and 100000, not -1"),
    ("queue_max = 1.5", "4: acquirer[1].queue_max: expected a whole number, not a decimal number"),
    ("breaker = true", "4: acquirer[1].breaker: expected a table, not true or false"),
    ("breaker = { errors = 0.5, of = 20 }", "4: acquirer[1].breaker.open_ms: is missing"),
    ("breaker = { errors = 0.5, open_ms = 5000 }", "4: acquirer[1].breaker.of: is missing"),
    ("breaker = { of = 20, open_ms = 5000 }", "4: acquirer[1].breaker.errors: is missing"),
    (
        "breaker = { errors = 50, of = 20, open_ms = 5000 }",
        "4: acquirer[1].breaker.errors: must be between 0.01 and 1, not 50",
    ),
    (
        "breaker = { errors = 0.5, of = 0, open_ms = 5000 }",
        "4: acquirer[1].breaker.of: must be between 1 and 1000, not 0",
    ),
    (
        "breaker = { errors = 0.5, of = 20, open_ms = 5 }",
        "4: acquirer[1].breaker.open_ms: must be between 100 and 600000, not 5",
    ),
    (
        "breaker = { errors = 0.5, of = 20, open_ms = 5000, probes = 0 }",
        "4: acquirer[1].breaker.probes: must be between 1 and 100, not 0",
    ),
    (
        "breaker = { errors = 0.5, of = 20, open_s = 5, open_ms = 5000 }",
        "4: acquirer[1].breaker.open_s: there is no such key; did you mean open_ms?",
    ),
];

/// Behind `name = "t"`, `[[rule]]` and `delay_ms = 5`: these begin in line 4.
const OF_CONDITIONS: &[(&str, &str)] = &[
    (
        "match = { customer = \"7\" }",
        "4: rule[1].match.customer: expected the id of a customer such as cus_…, not \"7\"",
    ),
    ("match = { customer = 7 }", "4: rule[1].match.customer: expected a string, not a whole number"),
    ("match = { metadata = \"a\" }", "4: rule[1].match.metadata: expected a table, not a string"),
    (
        "match = { metadata = {} }",
        "4: rule[1].match.metadata: names nothing; leave it out to allow everything",
    ),
    (
        "match = { metadata = { size = 5 } }",
        "4: rule[1].match.metadata.size: expected a string, not a whole number",
    ),
    (
        "match = { metadata = { size = [] } }",
        "4: rule[1].match.metadata.size: names nothing; leave it out to allow everything",
    ),
    ("match = { hour = 24 }", "4: rule[1].match.hour: must be between 0 and 23, not 24"),
    ("match = { hour = { min = 22, max = 5 } }", "4: rule[1].match.hour.max: must not be below min, 22"),
    ("match = { hour = \"9-17\" }", "4: rule[1].match.hour: expected a whole number, not a string"),
];

/// Wrong files of each kind.
pub(super) fn wrong_files() -> Vec<String> {
    let behind = |before: &str, cases: &[(&str, &str)]| -> Vec<String> {
        cases.iter().map(|(text, _)| format!("{before}{text}")).collect()
    };
    let windows = behind("name = \"t\"\n[[acquirer]]\nname = \"a\"\n[[window]]\n", OF_WINDOWS);
    let limits = behind("name = \"t\"\n[[acquirer]]\nname = \"a\"\n", OF_LIMITS);
    [windows, limits, behind("name = \"t\"\n[[rule]]\ndelay_ms = 5\n", OF_CONDITIONS)].concat()
}

#[test]
fn mistakes_in_what_goes_by_time_are_named_with_their_line_and_field() {
    assert_all(OF_WINDOWS, "name = \"t\"\n[[acquirer]]\nname = \"a\"\n[[window]]\n");
    assert_all(OF_LIMITS, "name = \"t\"\n[[acquirer]]\nname = \"a\"\n");
    assert_all(OF_CONDITIONS, "name = \"t\"\n[[rule]]\ndelay_ms = 5\n");
    let of_files = [
        ("failover = 1", "2: failover: expected true or false, not a whole number"),
        ("failver = true", "2: failver: there is no such key; did you mean failover?"),
        ("[window]\nfrom = \"0s\"", "2: window: expected a list of tables such as [[window]], not a table"),
        (
            "[[window]]\nfrom = \"0s\"\nfor = \"1s\"\ndelay_ms = 5\nacquirer = \"a\"",
            "6: window[1].acquirer: there is no acquirer in this file; leave it out for that of the settings",
        ),
        (
            "[[acquirer]]\nname = \"a\"\nroute = { customer = \"cus_0000000000000000000001\" }",
            "4: acquirer[1].route.customer: there is no such key; the keys here are kind, currency, amount_minor, brand and country",
        ),
    ];
    assert_all(&of_files, "name = \"t\"\n");
}

#[test]
fn the_place_of_a_mistake_in_a_window_has_a_column() {
    let file = b"name = \"t\"\n[[window]]\nfrom = \"0s\"\nfor = \"x\"\ndelay_ms = 5";
    let errors = crate::simulator::Scenario::parse(file).unwrap_err();
    let expected = "a.toml:4:7: window[1].for: a duration is a number with ms, s, m or h, such as 30s or 1h30m, and at most a week";
    assert_eq!(errors.in_file("a.toml"), expected);
}

#[test]
fn there_may_be_so_many_windows_and_no_more() {
    let windows = |count: usize| {
        format!("name = \"t\"\n{}", "[[window]]\nfrom = \"0s\"\nfor = \"1s\"\ndelay_ms = 1\n".repeat(count))
    };
    assert_eq!(mistakes(&windows(WINDOWS_MAX)), [""; 0]);
    assert_eq!(mistakes(&windows(WINDOWS_MAX + 1)), ["2: window: there may be at most 100, not 101"]);
}
