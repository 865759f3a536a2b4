//! The world outside as one scenario is in force: what its acquirers answer, since when, and what is remembered of them.
//!
//! The world itself is immutable and may serve several of these. Here are the circuit breakers and the queues in front of acquirers,
//! each with a place for every acquirer that has one, and nothing that grows. They are of this process: other instances have their own.
//!
//! May depend on `simulator` and `domain`. Never waits: one short lock, and none where no acquirer has a breaker or a capacity.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::domain::command::{AuthorizationAnswer, FollowUpAnswer, SystemCommand};
use crate::domain::event::TechnicalError;
use crate::domain::holder::Holder;
use crate::domain::payment::{Operation, OperationKind, Payment, WorkKey};
use crate::domain::time::Timestamp;
use crate::simulator::{
    Acquirer, Breaker, Capacity, Entry, Gate, Permit, Position, Question, Queue, Reply, Response, World,
};

/// A world in force.
#[derive(Debug)]
pub struct Outside {
    world: Arc<World>,
    since: Timestamp,
    /// By the slots of the acquirers; empty if none has a breaker or a capacity.
    known: Mutex<Vec<Known>>,
}

/// What is remembered of an acquirer.
#[derive(Debug)]
struct Known {
    name: String,
    breaker: Option<Breaker>,
    queue: Option<Queue>,
    /// What it could do when it was last asked.
    capacity: Option<Capacity>,
}

/// The state of an acquirer that has a breaker or a capacity.
#[derive(Debug, Clone, PartialEq)]
pub struct AcquirerState {
    /// Its name.
    pub name: String,
    /// Its breaker, if it has one.
    pub breaker: Option<BreakerState>,
    /// How long an operation would wait for it now, in microseconds.
    pub queue_wait_us: u64,
}

/// The state of a breaker.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BreakerState {
    /// Where it stands.
    pub position: Position,
    /// Since when.
    pub since: Timestamp,
    /// The share of technical errors among the last outcomes, 0 to 1.
    pub error_share: f64,
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
    /// What breakers will have to know when the answer comes.
    pub outcomes: Vec<Outcome>,
}

/// What became of asking an acquirer that has a breaker.
#[derive(Debug, Clone, Copy)]
pub struct Outcome {
    slot: usize,
    permit: Permit,
    failed: bool,
}

impl Outside {
    /// This world, in force since this time of the wall clock.
    #[must_use]
    pub fn new(world: Arc<World>, since: Timestamp) -> Self {
        let is_remembered = |acquirer: &Acquirer| acquirer.breaker().is_some() || acquirer.has_capacity();
        let known = match world.acquirers().any(is_remembered) {
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
                let breaker = known.breaker.as_mut()?;
                let position = breaker.record(outcome.permit, outcome.failed, now)?;
                Some((known.name.clone(), position, breaker.error_share()))
            });
            if let Some(Some((name, position, error_share))) = turned {
                log(&name, position, error_share);
            }
        }
    }

    /// The state of each acquirer that has a breaker or a capacity.
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

impl Known {
    fn new(acquirer: &Acquirer, now: Timestamp) -> Self {
        Self {
            name: acquirer.name().to_owned(),
            breaker: acquirer.breaker().map(|rules| Breaker::new(rules, now)),
            queue: acquirer.has_capacity().then(|| Queue::new(now)),
            capacity: None,
        }
    }

    const fn is_of_interest(&self) -> bool {
        self.breaker.is_some() || self.queue.is_some()
    }

    fn state(&self, now: Timestamp) -> AcquirerState {
        let breaker = self.breaker.as_ref().map(|breaker| BreakerState {
            position: breaker.position(),
            since: breaker.since(),
            error_share: breaker.error_share(),
        });
        let queue = self.queue.zip(self.capacity);
        let queue_wait_us = queue.map_or(0, |(queue, capacity)| queue.wait_us(capacity, now));
        AcquirerState { name: self.name.clone(), breaker, queue_wait_us }
    }

    fn position(&self) -> Option<Position> {
        self.breaker.as_ref().map(Breaker::position)
    }

    /// Lets an attempt in. The breaker is asked first: who is kept away stands in no queue.
    fn enter(
        &mut self,
        capacity: Option<Capacity>,
        may_wait: bool,
        now: Timestamp,
    ) -> (Entry, Option<Permit>) {
        let permit = match self.breaker.as_mut() {
            Some(breaker) => match breaker.admit(now) {
                Some(permit) => Some(permit),
                None => return (Entry::Closed, None),
            },
            None => None,
        };
        self.capacity = capacity;
        let wait_us = match self.queue.as_mut().zip(capacity) {
            Some((queue, capacity)) => queue.enter(capacity, may_wait, now),
            None => Some(0),
        };
        (wait_us.map_or(Entry::Full, |wait_us| Entry::Open { wait_us }), permit)
    }
}

/// The gate that one attempt goes through.
struct Door<'o> {
    outside: &'o Outside,
    may_wait: bool,
    now: Timestamp,
    waits: bool,
    /// The slot of the acquirer that is being asked, with its breaker's permit.
    entered: Option<(usize, Permit)>,
    outcomes: Vec<Outcome>,
}

impl Gate for Door<'_> {
    fn enter(&mut self, acquirer: &Acquirer, capacity: Option<Capacity>) -> Entry {
        self.entered = None;
        if acquirer.breaker().is_none() && capacity.is_none() {
            return Entry::Open { wait_us: 0 };
        }
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
        self.entered = permit.map(|permit| (slot, permit));
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
        assert_eq!((states.len(), states[0].name.as_str(), states[0].queue_wait_us), (1, "a", 250_000));
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
    fn nothing_is_remembered_of_acquirers_without_limits() {
        let plain = outside("[[acquirer]]\nname = \"a\"\n");
        assert!(plain.states(at(0)).is_empty() && plain.known.lock().is_empty());
        let windows = "[[window]]\nfrom = \"1s\"\nfor = \"1s\"\ncapacity_per_s = 5\n";
        let names: Vec<String> = outside(windows).states(at(0)).into_iter().map(|state| state.name).collect();
        assert_eq!(names, ["default", "bank"]);
    }
}
