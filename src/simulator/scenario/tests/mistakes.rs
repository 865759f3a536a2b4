//! Wrong scenario files, each with the line, the field and the words of every mistake.

use crate::simulator::scenario::{ACQUIRERS_MAX, FILE_BYTES_MAX, RULES_MAX, Scenario, ScenarioErrors};

fn errors(text: &str) -> Option<ScenarioErrors> {
    Scenario::parse(text.as_bytes()).err()
}

/// The mistakes in a file, as `line: field: problem`.
pub(super) fn mistakes(text: &str) -> Vec<String> {
    let errors = errors(text);
    let errors = errors.iter().flat_map(|errors| errors.errors());
    errors.map(|error| format!("{}: {}: {}", error.line, error.field, error.problem)).collect()
}

/// Asserts of each file that it has this one mistake.
pub(super) fn assert_all(cases: &[(&str, &str)], before: &str) {
    let wrong: Vec<_> = cases
        .iter()
        .map(|(text, expected)| (*text, mistakes(&format!("{before}{text}")), *expected))
        .filter(|(_, got, expected)| *got != [*expected])
        .collect();
    assert!(wrong.is_empty(), "file, got and expected: {wrong:#?}");
}

const OF_SCENARIOS: &[(&str, &str)] = &[
    ("", "1: name: is missing"),
    ("seed = 5", "1: name: is missing"),
    ("name = 3", "1: name: expected a string, not a whole number"),
    ("\nname = \" \"", "2: name: must have 1 to 100 characters"),
    ("name = \"a\\u0007\"", "1: name: must not hold control characters"),
    ("name = \"a\"\nnaem = \"b\"", "2: naem: there is no such key; did you mean name?"),
    (
        "name = \"a\"\ncolour = \"red\"",
        "2: colour: there is no such key; the keys here are name, description, seed, failover, packs, acquirer, rule and window",
    ),
    ("name = \"a\"\n[rules]\nshare = 1", "2: rules: there is no such key; did you mean rule?"),
    ("name = \"a\"\ndescription = [\"b\"]", "2: description: expected a string, not a list"),
    ("name = \"a\"\nseed = -1", "2: seed: must be between 0 and 9223372036854775807, not -1"),
    ("name = \"a\"\nseed = 1.5", "2: seed: expected a whole number, not a decimal number"),
    ("name = \"a\"\nseed = \"lucky\"", "2: seed: expected a whole number, not a string"),
    (
        "name = \"a\"\nacquirer = \"b\"",
        "2: acquirer: expected a list of tables such as [[acquirer]], not a string",
    ),
    (
        "name = \"a\"\n\n[acquirer]\nname = \"b\"",
        "3: acquirer: expected a list of tables such as [[acquirer]], not a table",
    ),
    ("name = \"a\"\nrule = [1]", "2: rule[1]: expected a table, not a whole number"),
];

/// Behind `name = "t"` and `[[acquirer]]`: these begin in line 3.
const OF_ACQUIRERS: &[(&str, &str)] = &[
    ("", "2: acquirer[1].name: is missing"),
    ("name = true", "3: acquirer[1].name: expected a string, not true or false"),
    (
        "name = \"a\"\n[[acquirer]]\nname = \"a\"",
        "5: acquirer[2].name: an acquirer before it has the same name",
    ),
    ("name = \"a\"\nwieght = 2", "4: acquirer[1].wieght: there is no such key; did you mean weight?"),
    ("name = \"a\"\ntimeout = 2", "4: acquirer[1].timeout: there is no such key; did you mean timeout_ms?"),
    (
        "name = \"a\"\ncolour = 200",
        "4: acquirer[1].colour: there is no such key; the keys here are name, weight, route, latency, timeout_ms, errors, outcomes, \
         capacity_per_s, queue_max and breaker",
    ),
    ("name = \"a\"\nweight = 0", "4: acquirer[1].weight: must be between 0.001 and 1000000, not 0"),
    ("name = \"a\"\nweight = nan", "4: acquirer[1].weight: must be between 0.001 and 1000000, not NaN"),
    ("name = \"a\"\ntimeout_ms = 0", "4: acquirer[1].timeout_ms: must be between 1 and 600000, not 0"),
    ("name = \"a\"\ntimeout_ms = \"5s\"", "4: acquirer[1].timeout_ms: expected a number, not a string"),
];

/// Behind `name = "t"`, `[[acquirer]]` and `name = "a"`: these begin in line 4.
const OF_LATENCIES: &[(&str, &str)] = &[
    ("latency = 5", "4: acquirer[1].latency: expected a table, not a whole number"),
    ("latency = {}", "4: acquirer[1].latency: needs fixed_ms, uniform_ms, median_ms or percentiles_ms"),
    (
        "latency = { mean_ms = 5, fixed_ms = 5 }",
        "4: acquirer[1].latency.mean_ms: there is no such key; did you mean median_ms or max_ms?",
    ),
    (
        "latency = { fixed_ms = 5, median_ms = 5, sigma = 1 }",
        "4: acquirer[1].latency.median_ms: cannot stand beside fixed_ms",
    ),
    ("latency = { fixed_ms = -1 }", "4: acquirer[1].latency.fixed_ms: must be between 0 and 600000, not -1"),
    (
        "\n[acquirer.latency]\nfixed_ms = 600001",
        "6: acquirer[1].latency.fixed_ms: must be between 0 and 600000, not 600001",
    ),
    ("latency = { fixed_ms = 5, sigma = 1 }", "4: acquirer[1].latency.sigma: goes with median_ms only"),
    (
        "latency = { uniform_ms = [5] }",
        "4: acquirer[1].latency.uniform_ms: expected two numbers, the shortest and the longest time",
    ),
    (
        "latency = { uniform_ms = [\n50,\n20] }",
        "6: acquirer[1].latency.uniform_ms[2]: must not be below the shortest time, 50",
    ),
    (
        "latency = { uniform_ms = [5, \"9\"] }",
        "4: acquirer[1].latency.uniform_ms[2]: expected a number, not a string",
    ),
    ("latency = { median_ms = 100 }", "4: acquirer[1].latency.sigma: is missing"),
    (
        "latency = { median_ms = 100, sigma = 9 }",
        "4: acquirer[1].latency.sigma: must be between 0 and 5, not 9",
    ),
    (
        "latency = { median_ms = 100, sigma = 1, max_ms = 50 }",
        "4: acquirer[1].latency.max_ms: must not be below median_ms, 100",
    ),
    (
        "latency = { median_ms = 40000, sigma = 1 }",
        "4: acquirer[1].latency.median_ms: needs a max_ms, as it is above 30000",
    ),
    ("latency = { percentiles_ms = { p50 = 1 } }", "4: acquirer[1].latency.percentiles_ms.max: is missing"),
    (
        "latency.percentiles_ms.p50 = 10\nlatency.percentiles_ms.p90 = 9\nlatency.percentiles_ms.max = 20",
        "5: acquirer[1].latency.percentiles_ms.p90: must not be below the percentile before it, 10",
    ),
    (
        "latency = { percentiles_ms = { p50 = 1, p98 = 2, max = 3 } }",
        "4: acquirer[1].latency.percentiles_ms.p98: there is no such key; did you mean p90, p95 or p99?",
    ),
];

/// Behind the same.
const OF_SHARES: &[(&str, &str)] = &[
    ("outcomes = \"approved\"", "4: acquirer[1].outcomes: expected a list, not a string"),
    (
        "outcomes = [{ share = 1.5, outcome = \"approved\" }]",
        "4: acquirer[1].outcomes[1].share: must be between 0 and 1, not 1.5",
    ),
    (
        "outcomes = [\n{ share = 0.1, outcome = \"approved\" },\n{ decline = \"lost_card\" },\n]",
        "6: acquirer[1].outcomes[2].share: is missing",
    ),
    ("outcomes = [{ share = 0.5 }]", "4: acquirer[1].outcomes[1]: needs outcome or decline"),
    (
        "outcomes = [{ share = 1, outcome = \"approved\", decline = \"lost_card\" }]",
        "4: acquirer[1].outcomes[1].decline: cannot stand beside outcome",
    ),
    (
        "outcomes = [{ share = 1, outcome = \"aproved\" }]",
        "4: acquirer[1].outcomes[1].outcome: there is no outcome \"aproved\"; did you mean approved?",
    ),
    (
        "outcomes = [{ share = 0.1, decline = \"insufficient_fund\" }]",
        "4: acquirer[1].outcomes[1].decline: there is no decline code \"insufficient_fund\"; did you mean insufficient_funds?",
    ),
    (
        "outcomes = [{ share = 0.1, decline = \"do_not_honor\" }]",
        "4: acquirer[1].outcomes[1].decline: there is no decline code \"do_not_honor\": expected generic_decline, \
         insufficient_funds, lost_card, stolen_card, card_velocity_exceeded, expired_card, incorrect_cvc, processing_error, \
         fraudulent, authentication_failure, authentication_required or account_closed",
    ),
    (
        "outcomes = [{ share = 0.7, decline = \"lost_card\" }, { share = 0.6, decline = \"stolen_card\" }]",
        "4: acquirer[1].outcomes: the shares add up to 1.3, more than 1",
    ),
    (
        "outcomes = [{ share = 0.7, outcome = \"approved\" }, { share = 0.2, decline = \"lost_card\" }]",
        "4: acquirer[1].outcomes: the shares add up to 0.9, not 1, though approved has one",
    ),
    (
        "errors = [{ share = 0.1, kind = \"reset\" }]",
        "4: acquirer[1].errors[1].kind: there is no kind of error \"reset\": expected refused, timeout, malformed, late or duplicate",
    ),
    ("errors = [{ share = 0.1 }]", "4: acquirer[1].errors[1].kind: is missing"),
    (
        "errors = [{ share = 0.9, kind = \"refused\" }, { share = 0.2, kind = \"timeout\" }]",
        "4: acquirer[1].errors: the shares add up to 1.1, more than 1",
    ),
    (
        "errors = [{ share = 0.1, kind = \"timeout\", after_ms = 5 }]",
        "4: acquirer[1].errors[1].after_ms: there is no such key; the keys here are share and kind",
    ),
];

/// Behind the same.
const OF_ROUTES: &[(&str, &str)] = &[
    ("route = \"visa\"", "4: acquirer[1].route: expected a table, not a string"),
    (
        "route = { brand = \"vsia\" }",
        "4: acquirer[1].route.brand: there is no brand \"vsia\"; did you mean visa?",
    ),
    (
        "route = { brand = [\"visa\",\n\"maestro\"] }",
        "5: acquirer[1].route.brand[2]: there is no brand \"maestro\": expected visa, mastercard, amex, discover, jcb, diners, \
         unionpay or unknown",
    ),
    (
        "route = { country = \"de\" }",
        "4: acquirer[1].route.country: expected two capital letters of ISO 3166-1 such as IE, not \"de\"",
    ),
    (
        "route = { currency = \"euro\" }",
        "4: acquirer[1].route.currency: expected a currency of ISO 4217 such as eur, not \"euro\"",
    ),
    (
        "route = { currency = [] }",
        "4: acquirer[1].route.currency: names nothing; leave it out to allow everything",
    ),
    (
        "route = { kind = \"transfer\" }",
        "4: acquirer[1].route.kind: transfers stay within Paystorm: nobody outside is asked about them",
    ),
    (
        "route = { kind = \"gift\" }",
        "4: acquirer[1].route.kind: there is no kind \"gift\": expected charge, topup or payout",
    ),
    (
        "route = { amount = 5 }",
        "4: acquirer[1].route.amount: there is no such key; did you mean amount_minor?",
    ),
    (
        "route = { amount_minor = 12.5 }",
        "4: acquirer[1].route.amount_minor: expected a whole number, not a decimal number",
    ),
    (
        "route = { amount_minor = -5 }",
        "4: acquirer[1].route.amount_minor: must be between 0 and 9223372036854775807, not -5",
    ),
    ("route = { amount_minor = {} }", "4: acquirer[1].route.amount_minor: needs min, max or both"),
    (
        "route = { amount_minor = { min = 5, max = 1 } }",
        "4: acquirer[1].route.amount_minor.max: must not be below min, 5",
    ),
    (
        "route = { card = \"pm_card_visa\" }",
        "4: acquirer[1].route.card: there is no such key; the keys here are kind, currency, amount_minor, brand and country",
    ),
];

/// Behind `name = "t"` and `[[rule]]`: these begin in line 3.
const OF_RULES: &[(&str, &str)] = &[
    ("", "2: rule[1]: does nothing; it needs delay_ms, outcome, decline, error, sequence or then"),
    ("delay_ms = 5\nshrae = 1", "4: rule[1].shrae: there is no such key; did you mean share?"),
    ("delay_ms = \"1s\"", "3: rule[1].delay_ms: expected a number, not a string"),
    ("delay_ms = 5\nshare = 2", "4: rule[1].share: must be between 0 and 1, not 2"),
    ("outcome = \"approved\"\nerror = \"timeout\"", "4: rule[1].error: cannot stand beside outcome"),
    (
        "error = \"oops\"",
        "3: rule[1].error: there is no kind of error \"oops\": expected refused, timeout, malformed, late or duplicate",
    ),
    ("decline = 51", "3: rule[1].decline: expected a string, not a whole number"),
    ("delay_ms = 5\nmatch = \"eur\"", "4: rule[1].match: expected a table, not a string"),
    (
        "delay_ms = 5\nmatch = { iban = \"x\" }",
        "4: rule[1].match.iban: there is no such key; the keys here are kind, operation, currency, amount_minor, brand, country, \
         card, last4, attempt, customer, metadata, hour, cents, holder, email and method",
    ),
    (
        "delay_ms = 5\nmatch = { operation = \"sale\" }",
        "4: rule[1].match.operation: there is no operation \"sale\": expected authorize, capture, void or refund",
    ),
    (
        "delay_ms = 5\nmatch = { card = \"4000000000000000\" }",
        "4: rule[1].match.card: expected the number or token of a test card, such as pm_card_visa (docs/dialect.md)",
    ),
    (
        "delay_ms = 5\nmatch = { last4 = 4242 }",
        "4: rule[1].match.last4: expected a string, not a whole number",
    ),
    (
        "delay_ms = 5\nmatch = { last4 = \"42\" }",
        "4: rule[1].match.last4: expected four digits such as \"4242\"",
    ),
    (
        "delay_ms = 5\nmatch = { last4 = \"9876\" }",
        "4: rule[1].match.last4: no test card ends in these digits",
    ),
    ("delay_ms = 5\nmatch = { attempt = 0 }", "4: rule[1].match.attempt: must be between 1 and 65535, not 0"),
    ("delay_ms = 5\nnot = {}", "4: rule[1].not: is empty, and would leave out everything"),
    (
        "delay_ms = 5\nnot = [{ brand = \"visa\" },\n5]",
        "5: rule[1].not[2]: expected a table, not a whole number",
    ),
    ("sequence = \"approved\"", "3: rule[1].sequence: expected a list, not a string"),
    ("sequence = []", "3: rule[1].sequence: must have 1 to 100 steps"),
    (
        "sequence = [\"error:timeout\",\n\"retry\"]",
        "4: rule[1].sequence[2]: expected approved, action_required, decline:CODE or error:KIND",
    ),
    (
        "sequence = [\"error:time_out\"]",
        "3: rule[1].sequence[1]: there is no kind of error \"time_out\"; did you mean timeout?",
    ),
    (
        "sequence = [\"approved\", \"error:timeout\"]",
        "3: rule[1].sequence[1]: ends the operation, so that no attempt can follow; only the last step may do so",
    ),
    (
        "delay_ms = 5\n[[rule]]\n[[rule]]\ndelay_ms = 5",
        "4: rule[2]: does nothing; it needs delay_ms, outcome, decline, error, sequence or then",
    ),
];

/// Cases, each with what stands before them.
const ALL: &[(&str, &[(&str, &str)])] = &[
    ("", OF_SCENARIOS),
    ("name = \"t\"\n[[acquirer]]\n", OF_ACQUIRERS),
    ("name = \"t\"\n[[acquirer]]\nname = \"a\"\n", OF_LATENCIES),
    ("name = \"t\"\n[[acquirer]]\nname = \"a\"\n", OF_SHARES),
    ("name = \"t\"\n[[acquirer]]\nname = \"a\"\n", OF_ROUTES),
    ("name = \"t\"\n[[rule]]\n", OF_RULES),
    ("", super::mistakes_in_rules::OF_PACKS),
    ("name = \"t\"\n[[rule]]\n", super::mistakes_in_rules::OF_CONDITIONS),
    ("name = \"t\"\n[[rule]]\n", super::mistakes_in_rules::OF_AFTERMATHS),
];

/// Every wrong file.
pub(super) fn wrong_files() -> Vec<String> {
    let files = |(before, cases): &(&str, &[(&str, &str)])| -> Vec<String> {
        cases.iter().map(|(text, _)| format!("{before}{text}")).collect()
    };
    ALL.iter().flat_map(files).collect()
}

#[test]
fn every_mistake_is_named_with_its_line_and_field() {
    for (before, cases) in ALL {
        assert_all(cases, before);
    }
}

#[test]
fn all_mistakes_are_named_in_the_order_of_the_file() {
    let text = "seed = \"x\"\n\n[[rule]]\nshare = 2\ndecline = \"nope\"\n\n[[acquirer]]\nname = \"a\"\nweight = -1\n\
                latency = { median_ms = \"fast\", sigma = 9 }\n\n[[rule]]\n";
    let place = |mistake: &String| mistake.splitn(3, ": ").take(2).collect::<Vec<_>>().join(": ");
    let places: Vec<String> = mistakes(text).iter().map(place).collect();
    let expected = [
        "1: name",
        "1: seed",
        "4: rule[1].share",
        "5: rule[1].decline",
        "9: acquirer[1].weight",
        "10: acquirer[1].latency.median_ms",
        "10: acquirer[1].latency.sigma",
        "12: rule[2]",
    ];
    assert_eq!(places, expected);
}

#[test]
fn lines_name_the_file_and_the_column() {
    let errors = errors("name = \"t\"\nrule = [{ delay_ms = \"é\", share = 2 }]").unwrap();
    let expected = "a.toml:2:22: rule[1].delay_ms: expected a number, not a string\n\
                    a.toml:2:35: rule[1].share: must be between 0 and 1, not 2";
    assert_eq!(errors.in_file("a.toml"), expected);
    assert_eq!(errors.to_string(), expected.replace("a.toml", "scenario"));
}

#[test]
fn what_is_not_toml_is_named_by_its_line() {
    for (text, line) in [
        ("name = ", 1),
        ("name = \"a\"\nname = \"b\"", 2),
        ("name = \"a\"\n\n[[rule\nshare = 1", 3),
        ("name = \"a\"\nseed = 12ab", 2),
        ("name = \"a\"\n[[rule]]\ndelay_ms 5", 3),
    ] {
        let mistakes = mistakes(text);
        assert!(
            mistakes.iter().any(|mistake| mistake.starts_with(&format!("{line}: : "))),
            "{text}: {mistakes:?}"
        );
    }
}

#[test]
fn what_is_too_large_is_refused() {
    let long = format!("name = \"a\"\n#{}", "x".repeat(FILE_BYTES_MAX));
    assert_eq!(mistakes(&long), ["1: : the file is larger than 256 KiB"]);

    let acquirers = |count: usize| -> String {
        let acquirers = (0..count).map(|n| format!("[[acquirer]]\nname = \"a{n}\"\n"));
        std::iter::once("name = \"t\"\n".to_owned()).chain(acquirers).collect()
    };
    assert_eq!(mistakes(&acquirers(ACQUIRERS_MAX)), [""; 0]);
    assert_eq!(mistakes(&acquirers(ACQUIRERS_MAX + 1)), ["2: acquirer: there may be at most 64, not 65"]);

    let rules = |count: usize| format!("name = \"t\"\n{}", "[[rule]]\ndelay_ms = 1\n".repeat(count));
    assert_eq!(mistakes(&rules(RULES_MAX)), [""; 0]);
    assert_eq!(mistakes(&rules(RULES_MAX + 1)), ["2: rule: there may be at most 1000, not 1001"]);

    let name = |chars: usize| format!("name = \"{}\"", "é".repeat(chars));
    assert_eq!(mistakes(&name(100)), [""; 0]);
    assert_eq!(mistakes(&name(101)), ["1: name: must have 1 to 100 characters"]);
}

#[test]
fn what_is_not_utf_8_is_named_by_its_place() {
    let errors = Scenario::parse(b"name = \"a\"\n# \xff").unwrap_err();
    assert_eq!(errors.in_file("a.toml"), "a.toml:2:3: this is not UTF-8");
}

#[test]
fn no_more_mistakes_are_kept_than_anyone_reads() {
    let text = format!("name = \"t\"\n{}", "[[rule]]\n".repeat(500));
    let errors = errors(&text).unwrap();
    assert_eq!(errors.errors().len(), 200);
    assert!(errors.in_file("a.toml").ends_with("a.toml: and 300 more"));
}

#[test]
fn no_card_number_is_repeated() {
    for text in [
        "[[rule]]\ndelay_ms = 1\nmatch = { card = \"4111111111111111\" }",
        "[[rule]]\ndelay_ms = 1\nmatch = { last4 = \"4111111111111111\" }",
        "[[rule]]\ndelay_ms = 1\nmatch = { brand = \"4111 1111 1111 1111\" }",
        "[[rule]]\ndelay_ms = 1\nmatch = { currency = \"4111111111111111\", attempt = 4111111111111111 }",
        "[[rule]]\ndelay_ms = 1\nmatch = { amount_minor = 99994111111111111111 }",
        "[[rule]]\ndelay_ms = 1\n4111111111111111 = 1",
        "[[acquirer]]\nname = \"a\"\noutcomes = [{ share = 1, decline = \"4111-1111-1111-1111\" }]",
        "[[acquirer]]\nname = \"a\"\nweight = 4111111111111111",
    ] {
        let shown = errors(&format!("name = \"t\"\n{text}")).unwrap().to_string();
        let digits: String = shown.chars().filter(char::is_ascii_digit).collect();
        assert!(!digits.contains("411111"), "{shown}");
    }
}
