//! Wrong files: packs, newer conditions, and what follows approvals.

pub(super) const OF_PACKS: &[(&str, &str)] = &[
    ("name = \"t\"\npacks = \"cents\"", "2: packs: expected a list, not a string"),
    (
        "name = \"t\"\npacks = [\"cents\",\n\"gifts\"]",
        "3: packs[2]: there is no pack \"gifts\": expected amounts, cents, holder-names or magic-cards",
    ),
    (
        "name = \"t\"\npacks = [\"holders-names\"]",
        "2: packs[1]: there is no pack \"holders-names\"; did you mean holder-names?",
    ),
    ("name = \"t\"\npacks = [\"cents\", \"cents\"]", "2: packs[2]: is named twice"),
    ("name = \"t\"\npacks = [5]", "2: packs[1]: expected a string, not a whole number"),
];

/// Behind `name = "t"` and `[[rule]]`: these begin in line 3.
pub(super) const OF_CONDITIONS: &[(&str, &str)] = &[
    ("delay_ms = 5\nmatch = { cents = 100 }", "4: rule[1].match.cents: must be between 0 and 99, not 100"),
    (
        "delay_ms = 5\nmatch = { cents = [51, -1] }",
        "4: rule[1].match.cents[2]: must be between 0 and 99, not -1",
    ),
    (
        "delay_ms = 5\nmatch = { cents = \"51\" }",
        "4: rule[1].match.cents: expected a whole number, not a string",
    ),
    (
        "delay_ms = 5\nmatch = { holder = 5 }",
        "4: rule[1].match.holder: expected a string, not a whole number",
    ),
    ("delay_ms = 5\nmatch = { holder = \" \" }", "4: rule[1].match.holder: must have 1 to 500 characters"),
    (
        "delay_ms = 5\nmatch = { email = [] }",
        "4: rule[1].match.email: names nothing; leave it out to allow everything",
    ),
    (
        "delay_ms = 5\nmatch = { method = \"cash\" }",
        "4: rule[1].match.method: there is no method \"cash\"; did you mean card?",
    ),
];

/// Behind the same.
pub(super) const OF_AFTERMATHS: &[(&str, &str)] = &[
    ("then = \"dispute\"", "3: rule[1].then: expected a table, not a string"),
    ("then = {}", "3: rule[1].then: needs dispute, inquiry, early_fraud_warning, late_failure or refund"),
    (
        "then = { after = \"1h\" }",
        "3: rule[1].then: needs dispute, inquiry, early_fraud_warning, late_failure or refund",
    ),
    (
        "then = { dispute = \"fraudulent\", refund = \"pending\" }",
        "3: rule[1].then.refund: cannot stand beside dispute",
    ),
    (
        "then = { dispute = \"fraud\" }",
        "3: rule[1].then.dispute: there is no reason \"fraud\"; did you mean fraudulent?",
    ),
    ("then = { inquiry = true }", "3: rule[1].then.inquiry: expected a string, not true or false"),
    (
        "then = { early_fraud_warning = 1 }",
        "3: rule[1].then.early_fraud_warning: expected true or false, not a whole number",
    ),
    (
        "then = { early_fraud_warning = false }",
        "3: rule[1].then.early_fraud_warning: must be true; leave it out otherwise",
    ),
    (
        "then = { refund = \"slow\" }",
        "3: rule[1].then.refund: there is no course of refunds \"slow\": expected pending, pending_then_fails or comes_back",
    ),
    (
        "then = { dispute = \"general\", after = \"soon\" }",
        "3: rule[1].then.after: a duration is a number with ms, s, m or h, such as 30s or 1h30m, and at most a week",
    ),
    (
        "then = { dispute = \"general\", when = \"1h\" }",
        "3: rule[1].then.when: there is no such key; the keys here are dispute, inquiry, early_fraud_warning, late_failure, \
         refund and after",
    ),
    (
        "match = { operation = \"refund\" }\nthen = { dispute = \"general\" }",
        "4: rule[1].then.dispute: follows money, which neither a refund nor a void brings; see match.operation",
    ),
    (
        "match = { operation = [\"authorize\", \"void\"] }\nthen = { refund = \"pending\" }",
        "4: rule[1].then.refund: follows refunds, which match.operation leaves out",
    ),
];
