//! The laws of the draws, the determinism of replies, and the outcome of every test card.

use super::draw::{DrawKey, Draws, Slot};
use super::*;
use crate::domain::bank_account::BankAccount;
use crate::domain::card::{Card, CardDetails, YearMonth};
use crate::domain::command::{AuthorizationResponse as Response, FollowUpResponse};
use crate::domain::currency::Currency;
use crate::domain::decline::DeclineReason as Why;
use crate::domain::event::TechnicalError;
use crate::domain::ids::{AccountId, RefundId};
use crate::domain::instrument::{Instrument, Presented};
use crate::domain::money::Money;
use crate::domain::payment::{FollowUp, OperationKind, OperationName};
use crate::domain::submission::Kind;
use crate::domain::test_cards::TestCard;
use crate::domain::time::Timestamp;

const DRAWS: u64 = 1_000_000;

pub(super) fn question(token: &str) -> Question<'static, Authorization> {
    let card = Card::from_token(token, &[7; 32], YearMonth { year: 2026, month: 1 }).unwrap();
    Question {
        kind: Kind::Charge,
        amount: Money::new(1_250, Currency::EUR),
        payment_minor: 1_250,
        instrument: Some(card.into()),
        operation: Authorization { authenticated: false },
        number: 1,
        attempt: 1,
        draw_key: 1,
        customer: None,
        metadata: &[],
        holder: None,
        email: None,
        queued_at: Timestamp::default(),
        in_force_since: Timestamp::default(),
    }
}

/// The question about an operation that follows an authorization.
pub(super) fn following<'p>(
    authorized: &Question<'p, Authorization>,
    operation: FollowUp,
) -> Question<'p, FollowUp> {
    let Question { kind, amount, payment_minor, instrument, attempt, draw_key, .. } = *authorized;
    let Question { customer, metadata, holder, email, queued_at, in_force_since, .. } = *authorized;
    Question {
        kind,
        amount,
        payment_minor,
        instrument,
        operation,
        number: 2,
        attempt,
        draw_key,
        customer,
        metadata,
        holder,
        email,
        queued_at,
        in_force_since,
    }
}

fn simulator(change: impl FnOnce(&mut SimulatorSettings)) -> World {
    let mut settings = SimulatorSettings::default();
    change(&mut settings);
    settings.validate().unwrap();
    World::new(&settings)
}

/// The standard normal distribution function by its Taylor series, good to 1e-12 within the range used.
pub(super) fn normal_cdf(z: f64) -> f64 {
    if z.abs() > 7.0 {
        return if z > 0.0 { 1.0 } else { 0.0 };
    }
    let (mut term, mut sum, mut n) = (z, z, 1.0);
    while term.abs() > 1e-16 {
        term *= z * z / (2.0 * n + 1.0);
        sum += term;
        n += 1.0;
    }
    0.5 + sum * (-z * z / 2.0).exp() / std::f64::consts::TAU.sqrt()
}

/// The largest distance between the sample's and the law's distribution function, times √n.
pub(super) fn kolmogorov_smirnov(mut sample: Vec<f64>, cdf: impl Fn(f64) -> f64) -> f64 {
    sample.sort_by(f64::total_cmp);
    let n = sample.len() as f64;
    let distance = |(i, value): (usize, &f64)| {
        let (law, i) = (cdf(*value), i as f64);
        (law - i / n).abs().max((law - (i + 1.0) / n).abs())
    };
    sample.iter().enumerate().map(distance).fold(0.0, f64::max) * n.sqrt()
}

/// √n·D stays below this with a probability of 0.999 if the law is the right one (Kolmogorov's distribution).
const KS_BOUND: f64 = 1.95;
/// The same for chi-squared with one degree of freedom.
const CHI_SQUARED_BOUND: f64 = 10.83;

fn chi_squared(hits: u64, n: u64, rate: f64) -> f64 {
    let (hits, n) = (hits as f64, n as f64);
    (hits - n * rate).powi(2) / (n * rate) + (hits - n * rate).powi(2) / (n * (1.0 - rate))
}

fn latencies_us(sim: &World) -> Vec<f64> {
    (0..DRAWS)
        .map(|i| sim.authorize(&Question { draw_key: i, ..question("pm_card_visa") }).latency_us as f64)
        .collect()
}

#[test]
fn latencies_follow_the_lognormal_law() {
    let sample = latencies_us(&simulator(|_| {}));
    let law = |median: f64, sigma: f64| move |us: f64| normal_cdf((us / median).ln() / sigma);
    let distance = kolmogorov_smirnov(sample.clone(), law(120_000.0, 0.5));
    assert!(distance < KS_BOUND, "{distance}");
    // Laws that are one per cent off are rejected, so the test can fail.
    assert!(kolmogorov_smirnov(sample.clone(), law(121_200.0, 0.5)) > KS_BOUND);
    assert!(kolmogorov_smirnov(sample.clone(), law(120_000.0, 0.51)) > KS_BOUND);

    let mut sorted = sample;
    sorted.sort_by(f64::total_cmp);
    let quantile = |q: f64| sorted[(q * DRAWS as f64) as usize] / 1_000.0;
    // exp(ln 120 + 0.5 z) with z = 0, 1.2815516, 2.3263479.
    for (q, expected_ms) in [(0.5, 120.0), (0.9, 227.75), (0.99, 383.98)] {
        let got = quantile(q);
        assert!((got / expected_ms - 1.0).abs() < 0.005, "quantile {q}: {got} instead of {expected_ms}");
    }
}

#[test]
fn uniform_numbers_are_uniform_in_every_slot() {
    let draws = Draws::new(42, 1);
    for slot in [
        Slot::Fault,
        Slot::FaultKind,
        Slot::Latency,
        Slot::LatencyAngle,
        Slot::Outcome,
        Slot::Route,
        Slot::RuleShare,
    ] {
        let key = |draw_key| DrawKey {
            acquirer: "default",
            draw_key,
            operation: "authorize",
            number: 1,
            attempt: 1,
        };
        let sample = (0..200_000).map(|i| draws.draw(&key(i)).uniform(slot)).collect();
        let distance = kolmogorov_smirnov(sample, |u| u);
        assert!(distance < KS_BOUND, "{slot:?}: {distance}");
    }
}

#[test]
fn technical_errors_come_at_the_rate_set_and_one_point_off_is_seen() {
    for (rate, off) in [(0.05, 0.06), (0.5, 0.49)] {
        let sim = simulator(|s| s.technical_error_rate = rate);
        let broken = |i: &u64| {
            let reply = sim.authorize(&Question { draw_key: *i, ..question("pm_card_visa") });
            matches!(reply.response, Response::TechnicalFailure(_))
        };
        let hits = (0..DRAWS).filter(broken).count() as u64;
        assert!(chi_squared(hits, DRAWS, rate) < CHI_SQUARED_BOUND, "{hits} at {rate}");
        assert!(chi_squared(hits, DRAWS, off) > CHI_SQUARED_BOUND, "{hits} at {rate} passes for {off}");
    }
}

#[test]
fn error_rates_of_zero_and_one_are_exact() {
    let never = simulator(|_| {});
    let always = simulator(|s| s.technical_error_rate = 1.0);
    for i in 0..10_000 {
        let asked = Question { draw_key: i, ..question("pm_card_visa") };
        assert_eq!(never.authorize(&asked).response, Response::Approved);
        assert!(matches!(always.authorize(&asked).response, Response::TechnicalFailure(_)));
    }
}

#[test]
fn latency_respects_a_zero_median_a_zero_sigma_and_the_cap() {
    let asked = |i| Question { draw_key: i, ..question("pm_card_visa") };
    let zero = simulator(|s| s.latency_median_ms = 0.0);
    let fixed = simulator(|s| s.latency_sigma = 0.0);
    let capped = simulator(|s| s.latency_max_ms = 150.0);
    assert!((0..1_000).all(|i| zero.authorize(&asked(i)).latency_us == 0));
    assert!((0..1_000).all(|i| fixed.authorize(&asked(i)).latency_us == 120_000));
    assert!((0..1_000).all(|i| capped.authorize(&asked(i)).latency_us <= 150_000));
    assert!((0..1_000).any(|i| capped.authorize(&asked(i)).latency_us == 150_000));
}

#[test]
fn replies_are_repeatable_and_pinned() {
    let sim = simulator(|s| s.technical_error_rate = 0.3);
    let again = simulator(|s| s.technical_error_rate = 0.3);
    for i in 0..1_000 {
        let asked = Question { draw_key: i, ..question("pm_card_visa") };
        assert_eq!(sim.authorize(&asked), again.authorize(&asked));
    }
    // A recorded run can be replayed only while these stay the same.
    let pinned: Vec<u64> = (1..=3)
        .map(|i| {
            simulator(|_| {}).authorize(&Question { draw_key: i, ..question("pm_card_visa") }).latency_us
        })
        .collect();
    assert_eq!(pinned, PINNED_LATENCIES_US);
}

const PINNED_LATENCIES_US: [u64; 3] = [52_588, 185_425, 40_248];

#[test]
fn every_part_of_the_key_gives_an_independent_draw() {
    let draw = |seed, revision, acquirer: &str, draw_key, operation: &str, number, attempt| {
        Draws::new(seed, revision)
            .draw(&DrawKey { acquirer, draw_key, operation, number, attempt })
            .uniform(Slot::Fault)
    };
    let base = |i| draw(42, 1, "default", i, "authorize", 1, 1);
    type DrawOf = Box<dyn Fn(u64) -> f64>;
    let variants: [(&str, DrawOf); 7] = [
        ("seed", Box::new(move |i| draw(43, 1, "default", i, "authorize", 1, 1))),
        ("revision", Box::new(move |i| draw(42, 2, "default", i, "authorize", 1, 1))),
        ("acquirer", Box::new(move |i| draw(42, 1, "second", i, "authorize", 1, 1))),
        ("draw key", Box::new(move |i| draw(42, 1, "default", i + 1, "authorize", 1, 1))),
        ("operation", Box::new(move |i| draw(42, 1, "default", i, "capture", 1, 1))),
        ("number", Box::new(move |i| draw(42, 1, "default", i, "authorize", 2, 1))),
        ("attempt", Box::new(move |i| draw(42, 1, "default", i, "authorize", 1, 2))),
    ];
    for (part, variant) in variants {
        // Pearson's correlation of n independent uniform pairs is within 4/√n except one time in 16,000.
        let n = 20_000_u64;
        let covariance: f64 = (0..n).map(|i| (base(i) - 0.5) * (variant(i) - 0.5)).sum::<f64>() / n as f64;
        let correlation = covariance * 12.0;
        assert!(correlation.abs() < 4.0 / (n as f64).sqrt(), "{part}: {correlation}");
    }
}

#[test]
fn every_test_card_behaves_as_documented() {
    let declined = Response::Declined;
    // All other cards are approved.
    let others = [
        ("4000000000000002", declined(Why::GenericDecline)),
        ("4000000000009995", declined(Why::InsufficientFunds)),
        ("4000000000009987", declined(Why::LostCard)),
        ("4000000000009979", declined(Why::StolenCard)),
        ("4000000000006975", declined(Why::CardVelocityExceeded)),
        ("4000000000000069", declined(Why::ExpiredCard)),
        ("4000000000000127", declined(Why::IncorrectCvc)),
        ("4000000000000119", declined(Why::ProcessingError)),
        ("4000000000000341", declined(Why::GenericDecline)),
        ("4100000000000019", declined(Why::Fraudulent)),
        ("4000000000004954", declined(Why::Fraudulent)),
        ("4000002500003155", Response::ActionRequired),
        ("4000002760003184", Response::ActionRequired),
        ("4000003800000446", Response::ActionRequired),
        ("4000008260003178", Response::ActionRequired),
        ("4000000000003220", Response::ActionRequired),
        ("4000008400000027", Response::ActionRequired),
        ("4000008400001629", Response::ActionRequired),
        ("4000582600000094", Response::ActionRequired),
        ("4000582600000045", Response::ActionRequired),
        ("4000582600000102", Response::ActionRequired),
        ("4000582600000110", Response::ActionRequired),
        ("4000008400001280", declined(Why::ProcessingError)),
    ];
    let sim = simulator(|_| {});
    let numbers: Vec<_> = TestCard::all().filter(|card| !card.number.is_empty()).collect();
    assert_eq!(numbers.len(), 147, "a card was added or lost");
    for card in numbers {
        let other = others.iter().find(|(number, _)| *number == card.number);
        let expected = other.map_or(Response::Approved, |(_, outcome)| *outcome);
        assert_eq!(
            sim.authorize(&question(&format!("pm_card_{}", card.token()))).response,
            expected,
            "{}",
            card.number
        );
    }
}

#[test]
fn absent_cardholders_are_not_challenged() {
    let sim = simulator(|_| {});
    let presented = |token, presented| {
        let mut asked = question(token);
        asked.instrument = asked.instrument.map(|card| card.presented_again(presented));
        sim.authorize(&asked).response
    };
    let required = Response::Declined(Why::AuthenticationRequired);
    for (token, flag, wanted) in [
        ("pm_card_authenticationRequired", Presented::OFF_SESSION, required),
        ("pm_card_authenticationRequiredOnSetup", Presented::OFF_SESSION, required),
        ("pm_card_authenticationRequiredSetupForOffSession", Presented::OFF_SESSION, Response::Approved),
        ("pm_card_authenticationRequired", Presented::NO_ACTION, required),
        ("pm_card_authenticationRequiredSetupForOffSession", Presented::NO_ACTION, required),
        ("pm_card_threeDSecure2Required", Presented::NO_ACTION, required),
        ("pm_card_visa", Presented::OFF_SESSION.with(Presented::NO_ACTION), Response::Approved),
        ("pm_card_threeDSecureOptional", Presented::default(), Response::Approved),
        ("pm_card_threeDSecureOptional", Presented::REQUEST_3DS, Response::ActionRequired),
        (
            "pm_card_threeDSecureOptionalProcessingError",
            Presented::REQUEST_3DS,
            Response::Declined(Why::ProcessingError),
        ),
        // Not enrolled, and not supported.
        ("pm_card_visa", Presented::REQUEST_3DS, Response::Approved),
        ("pm_card_amex_threeDSecureNotSupported", Presented::REQUEST_3DS, Response::Approved),
    ] {
        assert_eq!(presented(token, flag), wanted, "{token} {flag:?}");
    }
}

#[test]
fn cards_with_a_second_answer_give_it() {
    let sim = simulator(|_| {});
    let authenticated = |token| {
        sim.authorize(&Question {
            operation: Authorization { authenticated: true },
            number: 2,
            ..question(token)
        })
        .response
    };
    assert_eq!(authenticated("pm_card_authenticationRequired"), Response::Approved);
    assert_eq!(authenticated("pm_card_authenticationRequiredOnSetup"), Response::Approved);
    assert_eq!(
        authenticated("pm_card_authenticationRequiredChargeDeclinedInsufficientFunds"),
        Response::Declined(Why::InsufficientFunds)
    );
    assert_eq!(
        authenticated("pm_card_threeDSecureRequiredChargeDeclined"),
        Response::Declined(Why::GenericDecline)
    );

    let mut without_cvc = question("pm_card_chargeDeclinedIncorrectCvc");
    let details = CardDetails { number: "4000000000000127", exp_month: 1, exp_year: 2030, cvc: None };
    let card = Card::reduce(&details, &[7; 32], YearMonth { year: 2026, month: 1 }).unwrap();
    without_cvc.instrument = Some(Instrument::from(card));
    assert_eq!(sim.authorize(&without_cvc).response, Response::Approved);

    let attempt = |token, attempt| sim.authorize(&Question { attempt, ..question(token) }).response;
    let timeout = Response::TechnicalFailure(TechnicalError::Timeout);
    assert_eq!(attempt("pm_card_paystorm_technicalErrorTwice", 1), timeout);
    assert_eq!(attempt("pm_card_paystorm_technicalErrorTwice", 2), timeout);
    assert_eq!(attempt("pm_card_paystorm_technicalErrorTwice", 3), Response::Approved);
    assert_eq!(attempt("pm_card_paystorm_technicalError", 1_000), timeout);
    assert_eq!(
        sim.authorize(&question("pm_card_chargeDeclinedFraudulent")).latency_us,
        0,
        "the issuer is not asked"
    );
}

#[test]
fn magic_cards_stay_magic_at_any_rate_of_errors() {
    let sim = simulator(|s| s.technical_error_rate = 1.0);
    assert_eq!(
        sim.authorize(&question("pm_card_chargeDeclined")).response,
        Response::Declined(Why::GenericDecline)
    );
    assert_eq!(sim.authorize(&question("pm_card_authenticationRequired")).response, Response::ActionRequired);
}

#[test]
fn what_follows_an_authorisation_is_approved_whatever_the_card() {
    let sim = simulator(|_| {});
    let refund = FollowUp::Refund { refund: RefundId::generate(), amount_minor: 5 };
    for card in TestCard::all() {
        for operation in [FollowUp::Capture { amount_minor: 5 }, FollowUp::Void, refund] {
            let asked = following(&question(&format!("pm_card_{}", card.token())), operation);
            let response = sim.follow_up(&asked).response;
            assert_eq!(
                response,
                FollowUpResponse::Approved,
                "{} {}",
                card.token(),
                operation.name().as_str()
            );
        }
    }
}

#[test]
fn transfers_are_answered_inside_and_payouts_by_the_bank() {
    let sim = simulator(|s| s.payout_settle_ms = 1_500);
    let transfer = Question {
        kind: Kind::Transfer { payee: AccountId::generate() },
        instrument: None,
        ..question("pm_card_visa")
    };
    assert_eq!(sim.authorize(&transfer), Reply::once(0, Response::Approved));
    assert_eq!(sim.route(&transfer).name(), "internal");
    let payout = Question {
        kind: Kind::Payout { bank: BankAccount::Closed },
        instrument: None,
        ..question("pm_card_visa")
    };
    assert_eq!(sim.authorize(&payout).response, Response::Pending { settles_after_ms: 1_500 });
    assert_eq!(sim.route(&payout).name(), "bank");
}

#[test]
fn operations_have_one_name_in_draws_and_in_scenarios() {
    let refund = FollowUp::Refund { refund: RefundId::generate(), amount_minor: 5 };
    let follow_ups = [FollowUp::Capture { amount_minor: 5 }, FollowUp::Void, refund];
    let kinds = [OperationKind::Authorization].into_iter().chain(follow_ups.map(OperationKind::FollowUp));
    let names: Vec<_> = kinds.map(|kind| kind.name().as_str()).collect();
    assert_eq!(names, ["authorize", "capture", "void", "refund"]);
    assert_eq!(names, OperationName::ALL.map(OperationName::as_str));
}

#[test]
fn settings_out_of_range_are_refused_by_name() {
    let refused = |change: fn(&mut SimulatorSettings)| {
        let mut settings = SimulatorSettings::default();
        change(&mut settings);
        settings.validate().unwrap_err().key
    };
    assert_eq!(refused(|s| s.latency_median_ms = -1.0), "latency_median_ms");
    assert_eq!(refused(|s| s.latency_median_ms = f64::NAN), "latency_median_ms");
    assert_eq!(refused(|s| s.latency_sigma = 9.0), "latency_sigma");
    assert_eq!(refused(|s| s.technical_error_rate = 1.01), "technical_error_rate");
    assert_eq!(refused(|s| s.latency_max_ms = 1.0), "latency_max_ms");
}
