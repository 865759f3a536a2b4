//! The world outside as one scenario is in force: what its acquirers answer, since when, and what is remembered of them.
//!
//! The world itself is immutable and may serve several of these. Here is what is remembered of acquirers (`known`), a place for each,
//! and nothing that grows. It is of this process: other instances have their own.
//!
//! May depend on `simulator` and `domain`. Never waits: one short lock, and none for the world of the settings, of which nothing is
//! remembered.

use std::sync::Arc;

use parking_lot::Mutex;

use super::known::{AcquirerState, Known};
use super::recent::Became;
use crate::domain::command::{AuthorizationAnswer, FollowUpAnswer, SystemCommand};
use crate::domain::event::TechnicalError;
use crate::domain::holder::Holder;
use crate::domain::payment::{Operation, OperationKind, Payment, WorkKey};
use crate::domain::time::Timestamp;
use crate::simulator::{Acquirer, Capacity, Entry, Gate, Permit, Position, Question, Reply, Response, World};

/// A world in force.
#[derive(Debug)]
pub struct Outside {
    world: Arc<World>,
    since: Timestamp,
    /// By the slots of the acquirers; empty for the world of the settings.
    known: Mutex<Vec<Known>>,
}

/// An attempt that was handed to the acquirers, with its answer.
#[derive(Debug)]
pub struct Attempt {
    /// The answer, for the engine.
    pub answer: SystemCommand,
    /// When it comes, in microseconds from now.
    pub latency_us: u64,
    /// How the acquirer fails technically, if it does.
    pub failure: Option<TechnicalError>,
    /// What comes after the answer although nobody waits for it, and after how many microseconds.
    pub stray: Option<(u64, SystemCommand)>,
    /// Whether it waits for its turn at an acquirer.
    pub waits: bool,
    /// What acquirers will have to know when the answer comes.
    pub outcomes: Vec<Outcome>,
}

/// What became of asking an acquirer of which something is remembered.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    slot: usize,
    /// Its breaker's, if it has one.
    permit: Option<Permit>,
    failed: bool,
}

impl Outside {
    /// This world, in force since this time of the wall clock.
    #[must_use]
    pub fn new(world: Arc<World>, since: Timestamp) -> Self {
        let known = match world.is_described() {
            true => world.acquirers().map(|acquirer| Known::new(acquirer, since)).collect(),
            false => Vec::new(),
        };
        Self { world, since, known: Mutex::new(known) }
    }

    /// Since when it is in force.
    #[must_use]
    pub const fn since(&self) -> Timestamp {
        self.since
    }

    /// Whether any answer depends on who the cardholder is.
    #[must_use]
    pub fn asks_for_holder(&self) -> bool {
        self.world.asks_for_holder()
    }

    /// Asks about the attempt of an operation that is in the queue. The holder matters only where it is asked for; `may_wait` is
    /// whether there is room for one more to wait for its turn.
    #[must_use]
    pub fn ask(
        &self,
        payment: &Payment,
        (operation, work): (&Operation, WorkKey),
        holder: Option<&Holder>,
        may_wait: bool,
        now: Timestamp,
    ) -> Attempt {
        let mut door =
            Door { outside: self, may_wait, now, waits: false, entered: None, outcomes: Vec::new() };
        match operation.kind {
            OperationKind::Authorization => {
                let question = Question::authorization(payment, operation, self.since).of_holder(holder);
                let reply = self.world.ask(&question, &mut door);
                door.attempt(reply, |response| AuthorizationAnswer { work, started_at: now, response }.into())
            }
            OperationKind::FollowUp(follow_up) => {
                let question = Question::follow_up(payment, operation, follow_up, self.since);
                let question = question.of_holder(holder);
                let reply = self.world.ask(&question, &mut door);
                door.attempt(reply, |response| FollowUpAnswer { work, response }.into())
            }
        }
    }

    /// Notes the outcomes of an attempt whose answer has come.
    pub fn answered(&self, outcomes: &[Outcome], now: Timestamp) {
        for outcome in outcomes {
            let turned = self.with(outcome.slot, |known| {
                known.note(if outcome.failed { Became::Failed } else { Became::Answered }, now);
                let breaker = known.breaker.as_mut()?;
                let position = breaker.record(outcome.permit?, outcome.failed, now)?;
                Some((known.name.clone(), position, breaker.error_share()))
            });
            if let Some(Some((name, position, error_share))) = turned {
                log(&name, position, error_share);
            }
        }
    }

    /// The state of each acquirer that has a breaker or a capacity, or was asked.
    #[must_use]
    pub fn states(&self, now: Timestamp) -> Vec<AcquirerState> {
        let known = self.known.lock();
        known.iter().filter(|known| known.is_of_interest()).map(|known| known.state(now)).collect()
    }

    /// Something about what is remembered of an acquirer.
    fn with<T>(&self, slot: usize, change: impl FnOnce(&mut Known) -> T) -> Option<T> {
        self.known.lock().get_mut(slot).map(change)
    }
}

/// The gate that one attempt goes through.
struct Door<'o> {
    outside: &'o Outside,
    may_wait: bool,
    now: Timestamp,
    waits: bool,
    /// The slot of the acquirer that is being asked, with its breaker's permit.
    entered: Option<(usize, Option<Permit>)>,
    outcomes: Vec<Outcome>,
}

impl Gate for Door<'_> {
    fn enter(&mut self, acquirer: &Acquirer, capacity: Option<Capacity>) -> Entry {
        self.entered = None;
        let slot = acquirer.slot();
        let entered = self.outside.with(slot, |known| {
            let was_open = known.position() == Some(Position::Open);
            let (entry, permit) = known.enter(capacity, self.may_wait, self.now);
            (entry, permit, was_open && known.position() == Some(Position::HalfOpen))
        });
        let Some((entry, permit, half_opened)) = entered else { return Entry::Open { wait_us: 0 } };
        if half_opened {
            log(acquirer.name(), Position::HalfOpen, 0.0);
        }
        self.entered = (entry != Entry::Closed).then_some((slot, permit));
        self.waits |= matches!(entry, Entry::Open { wait_us } if wait_us > 0);
        entry
    }

    fn answered(&mut self, failed: bool) {
        self.outcomes.extend(self.entered.take().map(|(slot, permit)| Outcome { slot, permit, failed }));
    }
}

impl Door<'_> {
    fn attempt<R: Response>(self, reply: Reply<R>, command: impl Fn(R) -> SystemCommand) -> Attempt {
        Attempt {
            answer: command(reply.response),
            latency_us: reply.latency_us,
            failure: reply.response.failure(),
            stray: reply.stray.map(|stray| (stray.after_us, command(stray.response))),
            waits: self.waits,
            outcomes: self.outcomes,
        }
    }
}

fn log(acquirer: &str, position: Position, error_share: f64) {
    match position {
        Position::Open => {
            tracing::info!(acquirer.name = acquirer, error_share, "the breaker of an acquirer opens");
        }
        Position::HalfOpen => {
            tracing::info!(acquirer.name = acquirer, "the breaker of an acquirer lets probes through");
        }
        Position::Closed => {
            tracing::info!(acquirer.name = acquirer, "the breaker of an acquirer closes");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::{Scenario, SimulatorSettings};
    use crate::worker::recent::Counts;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_micros(ms * 1_000)
    }

    fn outside(scenario: &str) -> Outside {
        let scenario = Scenario::parse(format!("name = \"t\"\n{scenario}").as_bytes()).unwrap();
        let world = World::with_scenario(&SimulatorSettings::default(), &scenario);
        Outside::new(Arc::new(world), at(0))
    }

    /// One attempt at the first acquirer, at its capacity.
    fn enter(outside: &Outside, failed: bool, now: Timestamp) -> (Entry, Vec<Outcome>) {
        let mut door =
            Door { outside, may_wait: true, now, waits: false, entered: None, outcomes: Vec::new() };
        let acquirer = outside.world.acquirers().next().unwrap();
        let capacity = acquirer.has_capacity().then_some(Capacity { per_s: 10.0, queue_max: 2 });
        let entry = door.enter(acquirer, capacity);
        if entry != Entry::Closed {
            door.answered(failed || entry == Entry::Full);
        }
        assert_eq!(door.waits, matches!(entry, Entry::Open { wait_us } if wait_us > 0));
        (entry, door.outcomes)
    }

    const BREAKING: &str =
        "[[acquirer]]\nname = \"a\"\nbreaker = { errors = 0.5, of = 2, open_ms = 1000, probes = 1 }\n";

    #[test]
    fn a_breaker_hears_of_outcomes_when_answers_come() {
        let outside = outside(BREAKING);
        let position = || outside.states(at(0)).first().and_then(|state| state.breaker).unwrap().position;
        let asked: Vec<_> = (0..5).map(|_| enter(&outside, true, at(0))).collect();
        assert!(asked.iter().all(|(entry, _)| *entry == Entry::Open { wait_us: 0 }), "nothing is known yet");
        for (_, outcomes) in &asked {
            outside.answered(outcomes, at(100));
        }
        assert_eq!(position(), Position::Open);
        assert_eq!(enter(&outside, false, at(1_099)).0, Entry::Closed);
        let (entry, outcomes) = enter(&outside, false, at(1_100));
        assert_eq!((entry, position()), (Entry::Open { wait_us: 0 }, Position::HalfOpen));
        assert_eq!(enter(&outside, false, at(1_101)).0, Entry::Closed);
        outside.answered(&outcomes, at(1_200));
        assert_eq!(position(), Position::Closed);
    }

    #[test]
    fn a_queue_is_shown_with_its_wait_and_refuses_beyond_its_bound() {
        let outside = outside("[[acquirer]]\nname = \"a\"\ncapacity_per_s = 10\nqueue_max = 2\n");
        let entries = [0, 0, 0, 0].map(|ms| enter(&outside, false, at(ms)).0);
        let open = |wait_us| Entry::Open { wait_us };
        assert_eq!(entries, [open(0), open(100_000), open(200_000), Entry::Full]);
        let states = outside.states(at(50));
        let queue = states[0].queue.expect("a queue");
        assert_eq!((states.len(), states[0].name.as_str()), (1, "a"));
        assert_eq!(
            (queue.wait_us, queue.waiting, queue.capacity.map(|capacity| capacity.queue_max)),
            (250_000, 2, Some(2))
        );
        assert!(states[0].breaker.is_none());
    }

    #[test]
    fn a_full_queue_is_a_failure_to_the_breaker() {
        let outside = outside(&format!("{BREAKING}capacity_per_s = 10\nqueue_max = 2\n"));
        for _ in 0..6 {
            let (_, outcomes) = enter(&outside, false, at(0));
            outside.answered(&outcomes, at(0));
        }
        assert_eq!(enter(&outside, false, at(1)).0, Entry::Closed);
    }

    #[test]
    fn what_became_of_attempts_is_counted_at_every_acquirer_of_a_scenario() {
        let outside = outside(BREAKING);
        for failed in [true, true] {
            let (_, outcomes) = enter(&outside, failed, at(0));
            outside.answered(&outcomes, at(10));
        }
        assert_eq!(enter(&outside, false, at(20)).0, Entry::Closed);
        let states = outside.states(at(30));
        let counts = Counts { answered: 0, failed: 2, kept_away: 1 };
        assert_eq!((states[0].last_minute, states[0].total), (counts, counts));
        let breaker = states[0].breaker.expect("a breaker");
        assert_eq!((breaker.position, breaker.open_until), (Position::Open, Some(at(1_010))));
        assert_eq!(outside.states(at(100_000))[0].last_minute, Counts::default());
    }

    #[test]
    fn nothing_is_said_of_acquirers_without_limits_that_nobody_asked() {
        let plain = outside("[[acquirer]]\nname = \"a\"\n");
        assert!(plain.states(at(0)).is_empty());
        let (_, outcomes) = enter(&plain, false, at(0));
        plain.answered(&outcomes, at(0));
        assert_eq!(plain.states(at(0))[0].total, Counts { answered: 1, ..Counts::default() });
        let windows = "[[window]]\nfrom = \"1s\"\nfor = \"1s\"\ncapacity_per_s = 5\n";
        let names: Vec<String> = outside(windows).states(at(0)).into_iter().map(|state| state.name).collect();
        assert_eq!(names, ["default", "bank"]);
        let settings = Outside::new(Arc::new(World::new(&SimulatorSettings::default())), at(0));
        assert!(settings.known.lock().is_empty(), "of the settings' acquirer nothing is remembered");
    }
}
