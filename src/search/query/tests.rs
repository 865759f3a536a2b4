//! Tests of the language as a whole: what it refuses and how it says so, and properties of the parser.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

/// One line per mistake: the query, the place, the message, what is expected.
const WRONG: &[&str] = &[
    "stauts:succeeded",
    "colour:red",
    "status:done",
    "status>succeeded",
    "status~succ",
    "amount:12.50",
    "amount>",
    "amount > 1000",
    "amount>=",
    "amount~100",
    "amount==5",
    "currency:xyz",
    "created>yesterday",
    "created:2026-02-30",
    "kind:loan",
    "card.last4:42",
    "card.brand:maestro",
    "card.fingerprint:zz",
    "refunded:maybe",
    "id:pi_short",
    "refund:pi_0000000000000000000001",
    "payee:bob",
    "metadata:order",
    "metadata[order]:5",
    "metadata[\"order\":5",
    "metadata[\"order\"]",
    "metadata[\"order\"]>5",
    "metadata[\"order\"]~ab",
    "currency[\"x\"]:eur",
    "description~null",
    "description:\"open",
    "description:\"a\\nb\"",
    "description:\"a\"b",
    "description:a\"b\"",
    "description:'open",
    "description:'a'b",
    "metadata['order\"]:5",
    "amount:null",
    "-status:null",
    "coffee\"x\"",
    "(coffee OR tea)",
    "description:f(x)",
    "a AND b OR c",
    "a b OR c",
    "a OR b c",
    "AND coffee",
    "coffee AND",
    "coffee AND OR tea",
    "NOT coffee",
    "- coffee",
    "--coffee",
    ":succeeded",
    "status::succeeded",
    "status=succeeded",
    "!!!",
    "zahlung:größe",
];

#[test]
fn every_mistake_is_named_with_its_place() {
    let mut report = String::new();
    for text in WRONG {
        let error = Query::parse(text).expect_err(text);
        let before = text[..error.span.start].chars().count();
        let width = text[error.span.clone()].chars().count().max(1);
        writeln!(report, "{text}\n{}{} {error}", " ".repeat(before), "^".repeat(width)).unwrap();
        if !error.expected.is_empty() {
            writeln!(report, "expected: {}", error.expected.join(" | ")).unwrap();
        }
        report.push('\n');
    }
    insta::assert_snapshot!(report);
}

#[test]
fn limits_are_enforced() {
    assert!(Query::parse(&"ä".repeat(QUERY_MAX_CHARS + 1)).unwrap_err().message.contains("5000 characters"));
    assert!(Query::parse(&"a ".repeat(CLAUSES_MAX + 1)).unwrap_err().message.contains("100 clauses"));
    assert!(Query::parse(&"a ".repeat(CLAUSES_MAX)).is_ok());
    let long = "x".repeat(VALUE_MAX_CHARS + 1);
    assert!(Query::parse(&long).unwrap_err().message.contains("500 characters"));
    let long = "x".repeat(SUBSTRING_MAX_CHARS + 1);
    assert!(Query::parse(&format!("description~{long}")).unwrap_err().message.contains("100 characters"));
}

fn filter(text: &str) -> Filter {
    Query::parse(text).unwrap().filter().clone()
}

#[test]
fn control_characters_are_refused() {
    for text in ["a\u{0}b", "description:\"a\nb\"", "description~\"abc\t\"", "metadata[\"a\"]:\"\u{9b}\""] {
        let error = Query::parse(text).unwrap_err();
        assert!(error.message.contains("control character"), "{text:?}: {}", error.message);
    }
    assert!(Query::parse("coffee\ttea\n").is_ok());
}

#[test]
fn blank_text_is_everything() {
    assert_eq!(Query::parse(" \t").unwrap(), Query::everything());
    assert_eq!(filter(""), Filter::All(vec![]));
}

#[test]
fn spellings_of_the_same_query() {
    for (one, other) in [
        ("a b", "a AND b"),
        ("status:failed and amount>5", "status:failed AND amount>5"),
        ("status:failed or status:declined", "status:failed OR status:declined"),
        ("status:failed Or 'iced tea'", "status:failed OR 'iced tea'"),
        ("salt and pepper", "salt \"and\" pepper"),
        ("sooner or later", "sooner \"or\" later"),
        ("status:succeeded", "STATUS:\"Succeeded\""),
        ("status:canceled", "status:cancelled"),
        ("last4:4242", "payment_method_details.card.last4:\"4242\""),
        ("brand:VISA", "card.brand:visa"),
        ("kind:topup", "kind:top_up"),
        ("refunded:false", "-refunded:true"),
        ("currency:EUR", "currency:eur"),
        ("created>=2026-01-31", "created>=1769817600"),
        ("created>2026-01-31", "created>=2026-02-01"),
        ("ORD-42", "\"ord 42\""),
        ("description:\"Iced TEA\"", "description:\"iced tea\""),
        ("description:'iced tea'", "description:\"iced tea\""),
        ("description~'iced tea'", "description~\"iced tea\""),
        ("'iced tea'", "\"iced tea\""),
        ("status:'succeeded'", "status:succeeded"),
        ("metadata['order']:'42'", "metadata[\"order\"]:\"42\""),
        ("-metadata['a\\'b']:null", "-metadata[\"a'b\"]:null"),
        ("description:'say \"hi\"'", "description:\"say \\\"hi\\\"\""),
    ] {
        assert_eq!(simplify(filter(one)), simplify(filter(other)), "{one} / {other}");
    }
}

/// One clause without its list.
fn simplify(filter: Filter) -> Filter {
    match filter {
        Filter::All(mut filters) if filters.len() == 1 => filters.remove(0),
        other => other,
    }
}

#[test]
fn the_dialects_statuses_cover_ours() {
    let statuses = |text: &str| -> Vec<String> {
        fn walk(filter: &Filter, out: &mut Vec<String>) {
            match filter {
                Filter::All(filters) | Filter::Any(filters) => {
                    filters.iter().for_each(|inner| walk(inner, out))
                }
                Filter::Term { field: TermField::Status, value } => out.push(value.clone()),
                other => panic!("{other:?}"),
            }
        }
        let mut out = Vec::new();
        walk(&filter(text), &mut out);
        out
    };
    assert_eq!(statuses("status:requires_payment_method"), ["requires_payment_method", "declined", "failed"]);
    assert_eq!(statuses("status:processing"), ["queued", "processing"]);
    for exact in ["queued", "declined", "failed", "succeeded", "canceled", "requires_action"] {
        assert_eq!(statuses(&format!("status:{exact}")), [exact]);
    }
}

#[test]
fn ids_are_found_as_free_words() {
    let id = crate::domain::ids::PaymentId::generate();
    let digits = id.with_prefix("");
    let expected = Filter::All(vec![Filter::term(TermField::Payment, digits.clone())]);
    for prefix in ["pi_", "tu_", "tr_", "po_", ""] {
        assert_eq!(filter(&id.with_prefix(prefix)), expected);
    }
    let charge = [TermField::Payment, TermField::Charge].map(|field| Filter::term(field, digits.clone()));
    assert_eq!(filter(&id.with_prefix("ch_")), Filter::All(vec![Filter::Any(charge.to_vec())]));
    assert_eq!(filter(&format!("id:{digits}")), expected);
}

#[test]
fn null_and_its_opposite() {
    let absent = Filter::Not(Box::new(Filter::term(TermField::Has, "description")));
    assert_eq!(filter("description:null"), Filter::All(vec![absent.clone()]));
    assert_eq!(filter("-description:null"), Filter::All(vec![Filter::Not(Box::new(absent))]));
    assert_eq!(
        filter("description:\"null\""),
        Filter::All(vec![Filter::term(TermField::Description, "null")])
    );
    assert!(Query::parse("amount:null").is_err(), "nothing would be found, ever");
    let key = Filter::Not(Box::new(Filter::term(TermField::Has, "metadata\u{1f}a]b\"c")));
    assert_eq!(filter(r#"metadata["a]b\"c"]:null"#), Filter::All(vec![key]));
}

/// The tree without its places, which printing changes.
fn shape(syntax: &Syntax) -> String {
    let value = |value: &Value| format!("{:?}{}", value.text, value.quoted);
    let clauses = syntax.clauses.iter().map(|clause| match &clause.term {
        Term::Field { field, operator, value: v } => {
            format!("{} {:?} {:?} {operator:?} {}", clause.negated, field.name, field.key, value(v))
        }
        Term::Text(v) => format!("{} {}", clause.negated, value(v)),
    });
    // One clause has no junction to speak of.
    let junction = (syntax.clauses.len() > 1).then_some(syntax.junction);
    format!("{junction:?} {}", clauses.collect::<Vec<_>>().join("; "))
}

fn any_clause() -> impl Strategy<Value = String> {
    let text =
        "[^\\x00]{0,12}".prop_map(|text| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")));
    let field = prop_oneof![
        Just("status".to_owned()),
        Just("amount".to_owned()),
        Just("card.last4".to_owned()),
        text.clone().prop_map(|key| format!("metadata[{key}]")),
        "[a-z_.]{1,8}",
    ];
    let operator = prop_oneof![Just(":"), Just("~"), Just(">"), Just("<="), Just(">="), Just("<")];
    let bare = "[^\\s\"'()<>=~:][^\\s\"()<>=~:]{0,9}";
    let value = prop_oneof![text.clone(), bare.prop_map(|value| value.to_string())];
    let condition =
        (field, operator, value).prop_map(|(field, operator, value)| format!("{field}{operator}{value}"));
    let word = "[a-zA-Z0-9äß日_]{1,8}";
    let term = prop_oneof![
        condition,
        text,
        word.prop_filter("a word", |word| !["and", "or", "not"].contains(&word.to_lowercase().as_str()))
    ];
    (any::<bool>(), term).prop_map(|(negated, term)| if negated { format!("-{term}") } else { term })
}

fn any_query() -> impl Strategy<Value = String> {
    (prop::collection::vec(any_clause(), 0..6), prop_oneof![Just(" "), Just(" AND "), Just(" OR ")])
        .prop_map(|(clauses, between)| clauses.join(between))
}

proptest! {
    #[test]
    fn what_is_typed_never_panics_and_understands_more(text in "([a-z\"'\\\\:<>=~()\\[\\]€,.0-9 -]|metadata\\[['\"]| AND | OR |null| added money){0,20}") {
        let strict = Query::parse(&text);
        match Query::parse_as_typed(&text) {
            Ok(_) => {}
            Err(error) => {
                prop_assert!(text.get(error.span.clone()).is_some(), "{text:?} {error:?}");
                prop_assert!(strict.is_err(), "{text:?} is a query for programs only");
            }
        }
    }

    #[test]
    fn parsing_never_panics(text in "\\PC{0,60}") {
        if let Err(error) = Query::parse(&text) {
            prop_assert!(text.get(error.span.clone()).is_some(), "{text:?} {error:?}");
        }
    }

    #[test]
    fn parsing_near_misses_never_panics(text in "([a-z\"'\\\\:<>=~()\\[\\]é\\- ]|metadata\\[[\"']| AND | OR |null){0,24}") {
        if let Err(error) = Query::parse(&text) {
            prop_assert!(text.get(error.span.clone()).is_some(), "{text:?} {error:?}");
        }
        if let Ok(syntax) = parser::parse(&text, Reading::Strict) {
            let printed = syntax.to_string();
            prop_assert_eq!(shape(&parser::parse(&printed, Reading::Strict).unwrap()), shape(&syntax), "{} -> {}", text, printed);
        }
    }

    #[test]
    fn printing_reads_back(text in any_query()) {
        let syntax = parser::parse(&text, Reading::Strict).unwrap();
        let printed = syntax.to_string();
        prop_assert_eq!(shape(&parser::parse(&printed, Reading::Strict).unwrap()), shape(&syntax));
        prop_assert_eq!(parser::parse(&printed, Reading::Strict).unwrap().to_string(), printed);
    }
}
