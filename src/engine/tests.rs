//! Any sequence of commands, decided in batches, keeps the books balanced and every history legal.

mod sequences;
mod world;

use proptest::prelude::*;

use crate::domain::account::{AccountTerms, FeePlan};
use crate::domain::command::AuthorizationResponse as Response;
use crate::domain::event::Event;
use crate::domain::status::Status;

use sequences::{Act, Batch, Step, batches, orders};
use world::World;

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_of_commands_keeps_the_books_balanced(batches in batches()) {
        let mut world = World::with_all_cards();
        for batch in &batches {
            world.run(batch);
        }
        world.check();
    }
}

/// Terms that take from every charge, and let what is left wait.
fn terms() -> impl Strategy<Value = AccountTerms> {
    let fixed = prop_oneof![2 => Just(0), 3 => 1..60_i64];
    (0..2_000_u16, fixed, 0..3_u16).prop_map(|(basis_points, fixed_minor, payout_delay_days)| AccountTerms {
        fee: FeePlan { basis_points, fixed_minor },
        payout_delay_days,
        ..AccountTerms::default()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    /// `World::run` checks after every batch that balances, debts and what is pending are the sums of movements and payments.
    #[test]
    fn fees_debts_and_delays_keep_the_books_balanced(
        batches in batches(),
        terms in terms(),
        owed in prop::collection::vec((0..40_usize, 1..300_i64), 0..4),
    ) {
        let mut world = World::on(terms);
        for (n, batch) in batches.iter().enumerate() {
            for (_, minor) in owed.iter().filter(|(at, _)| *at == n) {
                world.plant_owed(*minor);
            }
            world.run(batch);
        }
        world.check();
        for held in world.wallets() {
            prop_assert!(held.pending_minor >= 0);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// In whatever order charges are refunded, disputed, won, lost and their refunds come back, with their money spent in between:
    /// `World::run` checks after every batch that the books balance, that no wallet is negative, and that what is owed is repaid
    /// before anything stays in a wallet; `World::check` that the histories alone lead to the same movements.
    #[test]
    fn whatever_comes_after_the_fact_keeps_the_books_balanced(batches in orders()) {
        let mut world = World::with_all_cards();
        for batch in &batches {
            world.run(batch);
        }
        world.check();
    }
}

/// What is owed is repaid by whatever comes in first, in the order of the batch and not only at its end.
#[test]
fn owed_is_repaid_first_on_the_running_balance_of_the_batch() {
    let mut world = World::default();
    world.plant_owed(700);
    world.run(&batch([Step::charge(0, 500), Step::charge(0, 500)]));
    let approve = |payment| Step::Answer { payment, operation: 0, stale: false, outcome: Response::Approved };
    world.run(&batch([approve(0), approve(1)]));
    let repaid: Vec<i64> = world
        .payments()
        .map(|payment| match payment.history().last().map(|recorded| recorded.event) {
            Some(Event::Succeeded { credit }) => credit.repaid_minor,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(repaid, [500, 200]);
    let held = world.wallets().next().expect("a wallet");
    assert_eq!((held.balance_minor, held.owed_minor), (300, 0));
    world.check();
}

/// A payout takes no money that has not settled; a refund may.
#[test]
fn payouts_are_bounded_by_what_is_available() {
    let fee = FeePlan { basis_points: 290, fixed_minor: 30 };
    let terms = AccountTerms { fee, payout_delay_days: 2, ..AccountTerms::default() };
    let mut world = World::on(terms);
    let approve = |payment| Step::Answer { payment, operation: 0, stale: false, outcome: Response::Approved };
    let payout = |amount_minor| Step::Submit {
        owner: 0,
        kind: 3,
        amount_minor,
        card: false,
        manual: false,
        confirm: true,
        key: None,
    };
    world.run(&batch([Step::charge(0, 10_000)]));
    world.run(&batch([approve(0)]));
    let held = *world.wallets().next().expect("a wallet");
    assert_eq!((held.balance_minor, held.pending_minor, held.available_minor()), (9_680, 9_680, 0));
    world.run(&batch([payout(100)]));
    assert_eq!(world.payments().last().map(|it| it.state().status), Some(Status::Declined));
    let due = Batch { advance_ms: 2 * 24 * 3_600 * 1_000, steps: vec![Step::Timer { payment: 0 }] };
    world.run(&due);
    let held = *world.wallets().next().expect("a wallet");
    assert_eq!((held.balance_minor, held.pending_minor, held.available_minor()), (9_680, 0, 9_680));
    world.run(&batch([payout(9_680)]));
    assert_eq!(world.payments().last().map(|it| it.state().status), Some(Status::Queued));
    world.check();
}

fn batch(steps: impl IntoIterator<Item = Step>) -> Batch {
    Batch { advance_ms: 1, steps: steps.into_iter().collect() }
}

/// The sequences are worth something only if they reach every status and every kind of event.
#[test]
fn the_sequences_reach_everything() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let (mut statuses, mut events) = (std::collections::BTreeSet::new(), std::collections::BTreeSet::new());
    for _ in 0..4_000 {
        let mut world = World::with_all_cards();
        for batch in &batches().new_tree(&mut runner).expect("a sequence").current() {
            world.run(batch);
        }
        for payment in world.payments() {
            statuses.insert(payment.state().status.as_str());
            events.extend(payment.history().iter().map(|recorded| recorded.event.name()));
        }
    }
    assert_eq!(statuses.len(), 10, "{statuses:?}");
    // Retries, requeues and replays of captures, voids and refunds share their names with those of authorisations.
    assert_eq!(events.len(), 32, "{events:?}");
}

/// A reader of the journal knows what is open without the payments, whatever else is asked of them.
#[test]
fn the_journal_says_what_is_open() {
    let mut world = World::default();
    let operate = |action| Step::Operate { payment: 0, stranger: false, action, key: None };
    world.run(&batch([Step::charge(0, 500)]));
    assert!(world.is_open(1));
    world.run(&batch([operate(Act::Cancel)]));
    assert!(world.is_open(1), "a request to cancel opens nothing and closes nothing");

    let mut world = World::default();
    world.run(&batch([Step::charge(0, 500)]));
    world.run(&batch([Step::approve(0)]));
    assert!(!world.is_open(1));
    for _ in 0..3 {
        world.run(&batch([operate(Act::Refund(Some(100)))]));
        assert!(world.is_open(1));
    }
    let approve =
        |operation| Step::Answer { payment: 0, operation, stale: false, outcome: Response::Approved };
    world.run(&batch((0..2).map(approve)));
    assert!(world.is_open(1), "the last refund is still open");
    world.run(&batch([approve(2)]));
    assert!(!world.is_open(1));
    world.run(&batch([operate(Act::Refund(Some(100)))]));
    assert!(world.is_open(1));
}

#[test]
fn a_key_used_twice_in_one_batch_makes_one_payment() {
    let mut world = World::default();
    let charge = Step::charge(0, 500).with_key(1);
    world.run(&batch([charge.clone(), charge.clone(), Step::charge(0, 501).with_key(1)]));
    world.run(&batch([charge]));
    assert_eq!(world.payments().count(), 1);
    world.check();
}

#[test]
fn an_answer_in_the_batch_of_its_own_payment_changes_nothing() {
    let mut world = World::default();
    world.run(&batch([Step::charge(0, 500)]));
    world.run(&batch([Step::approve(0)]));
    // The wallet now holds 500; a batch that does not load it must not write it.
    world.run(&batch([Step::charge(0, 70), Step::approve(1)]));
    assert_eq!(world.payments().filter(|payment| payment.state().received_minor > 0).count(), 1);
    world.check();
}
