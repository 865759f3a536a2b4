//! Payments on a test clock: money follows the test clock, retries follow the wall clock. However a clock reaches a time, the
//! histories of the payments on it are the same.

use proptest::prelude::*;

use super::life::Life;
use crate::domain::bank_account::BankAccount;
use crate::domain::clock::{Clock, ClockStatus, LATEST, Rate, SPEED_MAX, Step};
use crate::domain::command::{Action, AuthorizationResponse as Response};
use crate::domain::event::{CancelReason, Event, Recorded, TechnicalError};
use crate::domain::ids::AccountId;
use crate::domain::payment::{Payment, Phase};
use crate::domain::scenario_revision::ScenarioRevision;
use crate::domain::status::Status;
use crate::domain::submission::{CaptureMethod, Kind};
use crate::domain::time::Timestamp;

const BROKEN: Response = Response::TechnicalFailure(TechnicalError::Timeout);

/// Real time passes, the test clock stands still.
fn wall_passes(life: &mut Life, ms: u64) {
    life.wall = life.wall.plus_ms(ms);
}

fn recorded(payment: &Payment) -> impl Iterator<Item = &'static str> + '_ {
    payment.history().iter().map(|recorded| recorded.event.name())
}

#[test]
fn a_frozen_clock_still_tries_a_technical_error_again() {
    let mut charge = Life::charge(CaptureMethod::Automatic);
    let frozen = charge.now;
    for delay_ms in charge.policy.retry_delays_ms.clone() {
        assert!(charge.answer(BROKEN));
        let due_at = charge.wall.plus_ms(delay_ms);
        let waits = Some(Phase::Waiting { due_at });
        assert_eq!(charge.payment.state().operation.map(|operation| operation.phase), waits);
        wall_passes(&mut charge, delay_ms - 1);
        charge.tick();
        assert_eq!(charge.payment.queued_work().count(), 0, "it is not time yet");
        wall_passes(&mut charge, 1);
        charge.tick();
        assert_eq!(charge.payment.queued_work().count(), 1);
        assert_eq!(charge.payment.queued_operations().next().map(|one| one.queued_at), Some(charge.wall));
    }
    assert!(charge.answer(Response::Approved));
    assert_eq!(charge.payment.state().status, Status::Succeeded);
    assert!(charge.payment.history().iter().all(|recorded| recorded.at == frozen));
}

#[test]
fn wall_clock_time_neither_settles_nor_lapses_payments_on_another_clock() {
    let mut payout =
        Life::new(Kind::Payout { bank: BankAccount::Valid }, CaptureMethod::Automatic, false, true, i64::MAX);
    assert!(payout.answer(Response::Pending { settles_after_ms: 60_000 }));
    let mut held = Life::charge(CaptureMethod::Manual);
    assert!(held.answer(Response::Approved));
    for life in [&mut payout, &mut held] {
        let (before, due_at) = (life.payment.version(), life.payment.due_at().expect("it is due some time"));
        wall_passes(life, 30 * 24 * 3_600 * 1_000);
        life.tick();
        assert_eq!(life.payment.version(), before, "its own clock stands still");
        life.now = due_at;
        life.tick();
    }
    assert_eq!(payout.payment.state().status, Status::Succeeded);
    assert_eq!(held.payment.state().status, Status::Canceled);
}

#[test]
fn batches_at_one_time_are_separated_by_the_wall_clock() {
    let mut charge = Life::charge(CaptureMethod::Manual);
    let frozen = charge.now;
    wall_passes(&mut charge, 5);
    assert!(charge.answer(Response::Approved));
    wall_passes(&mut charge, 5);
    charge.act(Action::Capture { amount_minor: None }).expect("it is held");
    let payment = &charge.payment;
    assert_eq!(
        recorded(payment).collect::<Vec<_>>(),
        ["created", "processing", "authorized", "capture_queued"]
    );
    assert!(payment.history().iter().all(|recorded| recorded.at == frozen));
    assert_eq!((1..=4).map(|version| payment.end_of_batch(version)).collect::<Vec<_>>(), [1, 3, 3, 4]);
    let held = payment.first_at_end_of_batch(1, |then| then.state().status == Status::RequiresCapture);
    assert_eq!(held.map(|then| then.version()), Some(3));
    // It rested between two batches, though no time passed on its clock.
    assert_eq!(payment.state().settled_at, Some(frozen));
    assert_eq!(payment.state().settled_wall, Some(payment.history()[2].wall));
}

#[test]
fn what_rests_and_goes_on_in_one_batch_never_rested() {
    let mut charge = Life::charge(CaptureMethod::Manual);
    assert!(charge.answer(Response::Approved));
    charge.act(Action::Capture { amount_minor: None }).expect("it is held");
    assert_eq!((charge.payment.state().settled_at, charge.payment.state().settled_wall), (None, None));
}

#[test]
fn wall_clock_time_is_stored_only_where_it_differs() {
    let (at, wall) = (Timestamp::from_micros(1), Timestamp::from_micros(1_769_817_600_123_456));
    let event = Event::Requeued {};
    let bytes = |recorded: &Recorded| rmp_serde::to_vec(recorded).expect("encodes");
    let on_wall = Recorded::on_wall(wall, event);
    let (beside, under) =
        (Recorded { at, ..on_wall }, Recorded { scenario: ScenarioRevision::at(7), ..on_wall });
    assert_eq!(bytes(&on_wall), rmp_serde::to_vec(&(wall, event)).expect("encodes"));
    for one in [beside, on_wall, under, Recorded { at, ..under }] {
        assert_eq!(rmp_serde::from_slice::<Recorded>(&bytes(&one)).expect("reads back"), one);
    }
}

#[test]
fn payments_on_two_clocks_do_not_interfere() {
    // Only the payment's own clock decides what is due, however late it is elsewhere.
    let kind = Kind::Transfer { payee: AccountId::from_bytes([9; 16]) };
    let mut early = Life::new(kind, CaptureMethod::Automatic, false, true, i64::MAX);
    let mut late = early.clone();
    late.now = late.now.plus_ms(365 * 24 * 3_600 * 1_000);
    for life in [&mut early, &mut late] {
        assert!(life.answer(Response::Pending { settles_after_ms: 1_000 }));
    }
    early.now = early.now.plus_ms(1_000);
    early.tick();
    late.tick();
    let statuses = [&early, &late].map(|life| life.payment.state().status);
    assert_eq!(statuses, [Status::Succeeded, Status::Processing]);
}

const DAY_MS: u64 = 24 * 3_600 * 1_000;

fn clock(wall: Timestamp, at: Timestamp) -> Clock {
    Clock::frozen(None, wall, at)
}

/// Something done to a clock.
#[derive(Debug, Clone, Copy)]
enum Turn {
    Run(u32),
    Advance(u64),
    Step(Option<u64>),
}

fn turns() -> impl Strategy<Value = Vec<(u64, Turn)>> {
    let turn = prop_oneof![
        (0..=SPEED_MAX).prop_map(Turn::Run),
        (0..400 * DAY_MS).prop_map(Turn::Advance),
        prop::option::of(0..400 * DAY_MS).prop_map(Turn::Step),
    ];
    prop::collection::vec((0..DAY_MS, turn), 1..40)
}

proptest! {
    #[test]
    fn a_clock_only_goes_forward(turns in turns()) {
        let mut wall = Timestamp::from_micros(1_769_817_600_000_000);
        let mut clock = clock(wall, Timestamp::from_micros(946_684_800_000_000));
        let mut shown = clock.at(wall);
        for (passes_ms, turn) in turns {
            wall = wall.plus_ms(passes_ms);
            prop_assert!(clock.at(wall) >= shown);
            shown = clock.at(wall);
            let advancing = clock.ready().is_err();
            match turn {
                Turn::Run(speed) => {
                    let rate = Rate::of_speed(speed).expect("within the bound");
                    prop_assert_eq!(clock.set_rate(wall, rate).is_err(), advancing);
                }
                Turn::Advance(ms) => {
                    let refused = clock.advance(wall, shown.plus_ms(ms)).is_err();
                    let lands = shown.plus_ms(ms);
                    prop_assert_eq!(refused, advancing || ms == 0 || lands > LATEST);
                }
                Turn::Step(due_in) => {
                    let target = match clock.status() {
                        ClockStatus::Advancing { target, .. } => Some(target),
                        ClockStatus::Ready => None,
                    };
                    let due = due_in.map(|ms| shown.plus_ms(ms));
                    match (clock.step(wall, due), target) {
                        (Step::At(at), Some(target)) => prop_assert!(Some(at) == due && at <= target),
                        (Step::Arrived, Some(target)) => {
                            prop_assert_eq!(clock.at(wall), target);
                            prop_assert!(clock.ready().is_ok());
                        }
                        (step, None) => prop_assert_eq!(step, Step::Arrived),
                    }
                }
            }
            prop_assert!(clock.at(wall) >= shown);
            shown = clock.at(wall);
        }
    }

    #[test]
    fn a_clock_that_runs_shows_each_time_first_when_it_says(speed in 1..=SPEED_MAX, ahead_us in 0..400 * DAY_MS * 1_000) {
        let wall = Timestamp::from_micros(1_769_817_600_000_000);
        let mut clock = clock(wall, Timestamp::from_micros(946_684_800_000_000));
        clock.set_rate(wall, Rate::of_speed(speed).expect("within the bound")).expect("it is ready");
        let wanted = Timestamp::from_micros(946_684_800_000_000 + i64::try_from(ahead_us).expect("small"));
        let then = clock.segment().wall_of(wanted).expect("it runs");
        prop_assert!(clock.at(then) >= wanted);
        let before = Timestamp::from_micros(then.micros() - 1);
        prop_assert!(then == wall || clock.at(before) < wanted);
    }
}

/// A way for a clock to reach a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// It runs at the speed of real time, and everybody waits.
    Waiting,
    /// It stands still and is advanced at once.
    Jump,
    /// It is advanced this many times in between.
    Steps(u64),
}

/// A payment, and the answers it gets.
#[derive(Debug, Clone)]
struct Plan {
    kind: Kind,
    capture: CaptureMethod,
    /// The acquirer's responses, in a cycle.
    outcomes: Vec<Response>,
}

/// Payments on one clock, and what its owner does with them at which time.
#[derive(Debug, Clone)]
struct Schedule {
    plans: Vec<Plan>,
    /// In milliseconds after the one before: which payment, and whether it is canceled instead of captured.
    acts: Vec<(u64, usize, bool)>,
    rest_ms: u64,
}

fn plan() -> impl Strategy<Value = Plan> {
    let kinds = prop::sample::select(vec![
        (Kind::Charge, CaptureMethod::Manual),
        (Kind::Charge, CaptureMethod::Automatic),
        (Kind::Payout { bank: BankAccount::Valid }, CaptureMethod::Automatic),
        (Kind::Payout { bank: BankAccount::Closed }, CaptureMethod::Automatic),
    ]);
    let outcome = prop_oneof![
        3 => Just(Response::Approved),
        2 => Just(BROKEN),
        2 => (0..10 * DAY_MS).prop_map(|settles_after_ms| Response::Pending { settles_after_ms }),
    ];
    (kinds, prop::collection::vec(outcome, 1..6)).prop_map(|((kind, capture), outcomes)| Plan {
        kind,
        capture,
        outcomes,
    })
}

fn schedule() -> impl Strategy<Value = Schedule> {
    let act = (1..4 * DAY_MS, 0..8_usize, any::<bool>());
    (prop::collection::vec(plan(), 1..6), prop::collection::vec(act, 0..6), 1..20 * DAY_MS)
        .prop_map(|(plans, acts, rest_ms)| Schedule { plans, acts, rest_ms })
}

struct Run {
    way: Way,
    clock: Clock,
    wall: Timestamp,
    lives: Vec<(Life, std::iter::Cycle<std::vec::IntoIter<Response>>)>,
}

impl Run {
    fn new(way: Way, schedule: &Schedule) -> Self {
        let begun = Life::charge(CaptureMethod::Automatic).now;
        let mut clock = clock(begun, begun);
        if way == Way::Waiting {
            clock.set_rate(begun, Rate::Times(1)).expect("it is ready");
        }
        let life = |plan: &Plan| {
            let mut life = Life::new(plan.kind, plan.capture, true, true, i64::MAX);
            // Waiting for a retry must take no time of a running clock.
            life.policy.retry_delays_ms = vec![0; 3];
            (life, plan.outcomes.clone().into_iter().cycle())
        };
        let mut run = Self { way, clock, wall: begun, lives: schedule.plans.iter().map(life).collect() };
        run.work();
        run
    }

    /// Does all work that is open or due for a retry, at the time that the clock shows.
    fn work(&mut self) {
        if self.way != Way::Waiting {
            // It takes some real time, and none of the clock's.
            self.wall = self.wall.plus_ms(3);
        }
        let (now, wall) = (self.clock.at(self.wall), self.wall);
        for (life, outcomes) in &mut self.lives {
            (life.now, life.wall) = (now, wall);
            loop {
                if life.payment.due_by_wall().is_some_and(|due| due <= wall) {
                    life.tick();
                }
                let Some(outcome) = life.payment.queued_work().next().and_then(|_| outcomes.next()) else {
                    break;
                };
                life.answer(outcome);
            }
        }
    }

    fn next_due(&self) -> Option<Timestamp> {
        self.lives.iter().filter_map(|(life, _)| life.payment.due_by_clock()).min()
    }

    /// Fires everything due at the time that the clock shows.
    fn fire(&mut self) {
        let (now, wall) = (self.clock.at(self.wall), self.wall);
        for (life, _) in &mut self.lives {
            if life.payment.due_by_clock().is_some_and(|due| due <= now) {
                (life.now, life.wall) = (now, wall);
                life.tick();
            }
        }
        self.work();
    }

    fn come_to(&mut self, target: Timestamp) {
        match self.way {
            Way::Waiting => {
                while let Some(due) = self.next_due().filter(|due| *due <= target) {
                    self.wall = self.clock.segment().wall_of(due).expect("it runs").max(self.wall);
                    self.fire();
                }
                self.wall = self.clock.segment().wall_of(target).expect("it runs");
            }
            Way::Jump => self.jump(target),
            Way::Steps(count) => {
                let from = self.clock.at(self.wall);
                let part_us = target.micros_since(from) / (count + 1);
                for n in 1..=count {
                    let us = i64::try_from(part_us * n).expect("small");
                    self.jump(Timestamp::from_micros(from.micros() + us));
                }
                self.jump(target);
            }
        }
    }

    fn jump(&mut self, target: Timestamp) {
        if self.clock.advance(self.wall, target).is_err() {
            assert!(target <= self.clock.at(self.wall), "it is ready");
            return;
        }
        loop {
            self.wall = self.wall.plus_ms(7);
            let due = self.next_due();
            match self.clock.step(self.wall, due) {
                Step::At(_) => self.fire(),
                Step::Arrived => break,
            }
        }
    }

    /// The histories without their wall-clock times.
    fn histories(&self) -> Vec<Vec<(Timestamp, Event)>> {
        let of_clock = |recorded: &Recorded| {
            let none = Timestamp::default();
            let event = match recorded.event {
                Event::Started { .. } => Event::Started { at: none },
                Event::RetryScheduled { cause, .. } => Event::RetryScheduled { due_at: none, cause },
                Event::OperationRetryScheduled { operation, cause, .. } => {
                    Event::OperationRetryScheduled { operation, due_at: none, cause }
                }
                other => other,
            };
            (recorded.at, event)
        };
        self.lives.iter().map(|(life, _)| life.payment.history().iter().map(of_clock).collect()).collect()
    }
}

fn run(way: Way, schedule: &Schedule) -> Vec<Vec<(Timestamp, Event)>> {
    let mut run = Run::new(way, schedule);
    let mut at = run.clock.at(run.wall);
    for (after_ms, which, cancel) in &schedule.acts {
        at = at.plus_ms(*after_ms);
        run.come_to(at);
        let (now, wall, count) = (run.clock.at(run.wall), run.wall, run.lives.len());
        if let Some((life, _)) = run.lives.get_mut(which % count) {
            (life.now, life.wall) = (now, wall);
            let action = match cancel {
                true => Action::Cancel { reason: CancelReason::Abandoned },
                false => Action::Capture { amount_minor: None },
            };
            // Refused as often as not, and then everywhere.
            let _ = life.act(action);
        }
        run.work();
    }
    run.come_to(at.plus_ms(schedule.rest_ms));
    run.histories()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_jump_is_many_steps_is_waiting(schedule in schedule(), steps in 1..9_u64) {
        let waited = run(Way::Waiting, &schedule);
        prop_assert_eq!(&run(Way::Jump, &schedule), &waited);
        prop_assert_eq!(&run(Way::Steps(steps), &schedule), &waited);
    }
}

/// The number of cases; `CLOCK_CASES` overrides it.
fn cases() -> u32 {
    std::env::var("CLOCK_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(10_000)
}
