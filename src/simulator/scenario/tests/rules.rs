//! Rules compose as documented: the first that matches applies, `not` leaves out, a share of 0 is never and of 1 always.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::{charge, world};
use crate::domain::bank_account::BankAccount;
use crate::domain::command::{AuthorizationResponse as Response, FollowUpResponse};
use crate::domain::decline::DeclineReason as Why;
use crate::domain::event::TechnicalError;
use crate::domain::ids::{CustomerId, RefundId};
use crate::domain::money::Money;
use crate::domain::payment::FollowUp;
use crate::domain::submission::Kind;
use crate::domain::time::Timestamp;
use crate::simulator::tests::following;
use crate::simulator::{Authorization, Question, Reply};

/// One acquirer that answers at once.
const AT_ONCE: &str = "[[acquirer]]\nname = \"a\"\nlatency = { fixed_ms = 0 }\n";

const CURRENCIES: [&str; 3] = ["eur", "usd", "jpy"];

/// A rule, and what it says in other words than the program's.
#[derive(Debug, Clone)]
struct Written {
    currency: Option<&'static str>,
    not_currency: Option<&'static str>,
    amount_max: Option<i64>,
    attempt_min: Option<u16>,
    /// A share of 1 or 0, if one is given.
    always: Option<bool>,
}

impl Written {
    /// As a rule that delays by its number.
    fn toml(&self, number: usize) -> String {
        let mut text = format!("[[rule]]\ndelay_ms = {number}\n");
        let conditions = [
            self.currency.map(|currency| format!("currency = \"{currency}\"")),
            self.amount_max.map(|max| format!("amount_minor = {{ max = {max} }}")),
            self.attempt_min.map(|min| format!("attempt = {{ min = {min} }}")),
        ];
        let conditions: Vec<String> = conditions.into_iter().flatten().collect();
        writeln!(text, "match = {{ {} }}", conditions.join(", ")).unwrap();
        if let Some(currency) = self.not_currency {
            writeln!(text, "not = {{ currency = \"{currency}\" }}").unwrap();
        }
        if let Some(always) = self.always {
            writeln!(text, "share = {}", u8::from(always)).unwrap();
        }
        text
    }

    fn applies(&self, currency: &str, amount: i64, attempt: u16) -> bool {
        self.currency.is_none_or(|wanted| wanted == currency)
            && self.not_currency.is_none_or(|unwanted| unwanted != currency)
            && self.amount_max.is_none_or(|max| amount <= max)
            && self.attempt_min.is_none_or(|min| attempt >= min)
            && self.always != Some(false)
    }
}

fn currency() -> impl Strategy<Value = &'static str> {
    prop::sample::select(CURRENCIES.to_vec())
}

fn any_rule() -> impl Strategy<Value = Written> {
    let conditions = (
        prop::option::of(currency()),
        prop::option::of(currency()),
        prop::option::of(1..100_i64),
        prop::option::of(1..5_u16),
        prop::option::of(any::<bool>()),
    );
    conditions.prop_map(|(currency, not_currency, amount_max, attempt_min, always)| Written {
        currency,
        not_currency,
        amount_max,
        attempt_min,
        always,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_first_rule_that_matches_applies(
        rules in prop::collection::vec(any_rule(), 0..12),
        currency in currency(),
        amount in 1..120_i64,
        attempt in 1..6_u16,
        draw_key in any::<u64>(),
    ) {
        let written: String = rules.iter().enumerate().map(|(at, rule)| rule.toml(at + 1)).collect();
        let amount_of = Money::new(amount, currency.parse().unwrap());
        let asked = Question { amount: amount_of, attempt, draw_key, ..charge("visa") };
        let delay_ms = world(&format!("{AT_ONCE}{written}")).authorize(&asked).latency_us / 1_000;
        let first = rules.iter().position(|rule| rule.applies(currency, amount, attempt));
        prop_assert_eq!(delay_ms, first.map_or(0, |at| at as u64 + 1), "{}", written);
    }

    #[test]
    fn shares_of_nothing_and_of_everything_are_exact(draw_key in any::<u64>(), attempt in 1..100_u16) {
        let asked = Question { attempt, draw_key, ..charge("visa") };
        for answer in ["decline = \"lost_card\"", "sequence = [\"decline:lost_card\"]"] {
            let response = |share: u8| {
                world(&format!("{AT_ONCE}[[rule]]\nshare = {share}\n{answer}")).authorize(&asked).response
            };
            prop_assert_eq!(response(0), Response::Approved);
            prop_assert_eq!(response(1), Response::Declined(Why::LostCard));
        }
    }
}

/// What the world of these rules answers.
fn answer(rules: &str, asked: &Question<'_, Authorization>) -> Response {
    world(&format!("{AT_ONCE}{rules}")).authorize(asked).response
}

#[test]
fn each_condition_matches_what_it_names() {
    let payout =
        Question { kind: Kind::Payout { bank: BankAccount::Closed }, instrument: None, ..charge("visa") };
    let customer = CustomerId::from_bytes([7; 16]);
    let of_customer = format!("customer = \"{customer}\"");
    let of = |customer| Question { customer, ..charge("visa") };
    let pairs = |pairs: [(&str, &str); 2]| pairs.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let large = pairs([("size", "xl"), ("colour", "red")]);
    let blue = pairs([("size", "xl"), ("colour", "blue")]);
    let small = pairs([("size", "s"), ("colour", "red")]);
    let with = |metadata| Question { metadata, ..charge("visa") };
    let at_hour = |hour: i64| Question {
        queued_at: Timestamp::from_micros(hour * 3_600_000_000 + 1_800_000_000),
        ..charge("visa")
    };
    for (condition, met, unmet) in [
        (
            "currency = [\"usd\", \"eur\"]",
            charge("visa"),
            Question { amount: Money::new(1_250, "jpy".parse().unwrap()), ..charge("visa") },
        ),
        (
            "amount_minor = 1250",
            charge("visa"),
            Question { amount: Money::new(1_251, "eur".parse().unwrap()), ..charge("visa") },
        ),
        ("brand = \"visa\"", charge("visa"), charge("mastercard")),
        ("brand = \"visa\"", charge("visa"), payout),
        ("country = \"DE\"", charge("de"), charge("visa")),
        ("last4 = \"4242\"", charge("visa"), charge("mastercard")),
        ("card = \"4242 4242 4242 4242\"", charge("visa"), charge("visa_debit")),
        ("card = [\"tok_jcb\", \"pm_card_amex\"]", charge("amex"), charge("visa")),
        ("kind = \"topup\"", Question { kind: Kind::TopUp, ..charge("visa") }, charge("visa")),
        ("kind = [\"charge\", \"payout\"]", payout, Question { kind: Kind::TopUp, ..charge("visa") }),
        ("attempt = { min = 2, max = 3 }", Question { attempt: 3, ..charge("visa") }, charge("visa")),
        (&of_customer, of(Some(customer)), of(Some(CustomerId::from_bytes([8; 16])))),
        (&of_customer, of(Some(customer)), charge("visa")),
        ("metadata = { size = [\"xl\", \"xxl\"] }", with(&large), with(&small)),
        ("metadata = { size = \"xl\", colour = \"red\" }", with(&large), with(&blue)),
        ("metadata = { size = \"s\" }", with(&small), charge("visa")),
        ("hour = { min = 22 }", at_hour(22), at_hour(21)),
        ("hour = 0", at_hour(24), at_hour(23)),
    ] {
        let rules = format!("[[rule]]\nmatch = {{ {condition} }}\ndecline = \"lost_card\"");
        assert_eq!(answer(&rules, &met), Response::Declined(Why::LostCard), "{condition}");
        assert_ne!(answer(&rules, &unmet), Response::Declined(Why::LostCard), "{condition}");
    }
}

#[test]
fn what_any_table_of_not_meets_is_left_out() {
    let rules = "[[rule]]\ndecline = \"lost_card\"\n\
                 not = [{ brand = \"amex\" }, { country = \"DE\", amount_minor = 1250 }]";
    assert_eq!(answer(rules, &charge("visa")), Response::Declined(Why::LostCard));
    assert_eq!(answer(rules, &charge("amex")), Response::Approved);
    assert_eq!(answer(rules, &charge("de")), Response::Approved);
    let of_one_cent = Question { amount: Money::new(1, charge("de").amount.currency), ..charge("de") };
    assert_eq!(answer(rules, &of_one_cent), Response::Declined(Why::LostCard), "both must be met");
}

#[test]
fn a_rule_is_about_the_operations_that_it_names() {
    let world = world(&format!(
        "{AT_ONCE}[[rule]]\nmatch = {{ operation = \"refund\" }}\ndecline = \"account_closed\"\n\
         [[rule]]\nmatch = {{ operation = [\"capture\", \"void\"] }}\nerror = \"refused\""
    ));
    let of = |follow_up| world.follow_up(&following(&charge("visa"), follow_up)).response;
    let refused = FollowUpResponse::TechnicalFailure(TechnicalError::Unavailable);
    let refund = FollowUp::Refund { refund: RefundId::generate(), amount_minor: 5 };
    assert_eq!(world.authorize(&charge("visa")).response, Response::Approved);
    assert_eq!(of(refund), FollowUpResponse::Declined(Why::AccountClosed));
    assert_eq!(of(FollowUp::Capture { amount_minor: 5 }), refused);
    assert_eq!(of(FollowUp::Void), refused);
}

#[test]
fn magic_cards_heed_only_rules_that_name_them() {
    let insufficient = charge("chargeDeclinedInsufficientFunds");
    let everything = "[[rule]]\noutcome = \"approved\"\ndelay_ms = 5\n";
    let declined = Response::Declined(Why::InsufficientFunds);
    let world_of = |rules: &str| world(&format!("{AT_ONCE}{rules}"));
    assert_eq!(world_of(everything).authorize(&insufficient), Reply::once(0, declined), "not even delayed");
    for naming in ["last4 = \"9995\"", "card = \"4000000000009995\""] {
        let rules = format!("{everything}[[rule]]\nmatch = {{ {naming} }}\noutcome = \"approved\"");
        assert_eq!(answer(&rules, &insufficient), Response::Approved, "{naming}");
    }
    let delayed = world_of("[[rule]]\nmatch = { last4 = \"9995\" }\ndelay_ms = 7");
    assert_eq!(delayed.authorize(&insufficient), Reply::once(7_000, declined));
    // A card that only succeeds has nothing to say.
    assert_eq!(
        answer("[[rule]]\ndecline = \"lost_card\"", &charge("visa")),
        Response::Declined(Why::LostCard)
    );
    // One that is never asked about, and one that would be challenged.
    for token in ["chargeDeclinedFraudulent", "authenticationRequired"] {
        let rules = format!("[[rule]]\nmatch = {{ card = \"pm_card_{token}\" }}\noutcome = \"approved\"");
        assert_eq!(answer(&rules, &charge(token)), Response::Approved, "{token}");
        assert_ne!(answer(everything, &charge(token)), Response::Approved, "{token}");
    }
}

#[test]
fn a_sequence_goes_by_attempts_and_its_last_step_stays() {
    let rules = "[[rule]]\nsequence = [\"error:timeout\", \"error:refused\", \"decline:expired_card\"]";
    let of = |attempt| answer(rules, &Question { attempt, ..charge("visa") });
    assert_eq!(of(1), Response::TechnicalFailure(TechnicalError::Timeout));
    assert_eq!(of(2), Response::TechnicalFailure(TechnicalError::Unavailable));
    for attempt in [3, 4, 1_000] {
        assert_eq!(of(attempt), Response::Declined(Why::ExpiredCard));
    }
}

#[test]
fn a_delay_counts_towards_the_timeout() {
    let of = |delay_ms: u32| {
        let acquirer = "[[acquirer]]\nname = \"a\"\nlatency = { fixed_ms = 10 }\ntimeout_ms = 100";
        let rule = format!("[[rule]]\ndelay_ms = {delay_ms}\ndecline = \"lost_card\"");
        world(&format!("{acquirer}\n{rule}")).authorize(&charge("visa"))
    };
    assert_eq!(of(90), Reply::once(100_000, Response::Declined(Why::LostCard)));
    let timeout = Response::TechnicalFailure(TechnicalError::Timeout);
    assert_eq!(of(91), Reply::once(100_000, timeout));
}

#[test]
fn rules_hold_for_the_acquirers_of_the_settings_as_well() {
    let world = world("[[rule]]\nmatch = { amount_minor = 1250 }\ndecline = \"insufficient_funds\"");
    assert_eq!(world.authorize(&charge("visa")).response, Response::Declined(Why::InsufficientFunds));
    assert_eq!(
        world
            .authorize(&Question {
                amount: Money::new(1_251, charge("visa").amount.currency),
                ..charge("visa")
            })
            .response,
        Response::Approved
    );
}
