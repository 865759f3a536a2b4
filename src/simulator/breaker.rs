//! A circuit breaker: keeps calls away from an acquirer that fails too often, and lets a few through after a while to find out
//! whether it works again.
//!
//! A pure state machine: times are handed in, and nothing is waited for. One calls [`Breaker::admit`] before asking, and
//! [`Breaker::record`] when the answer comes.

use std::collections::VecDeque;

use crate::domain::time::Timestamp;

/// When a breaker opens and closes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BreakerRules {
    /// It opens at this share of technical errors, above 0 and up to 1 …
    pub errors: f64,
    /// … of the last so many outcomes.
    pub of: u16,
    /// How long it stays open, in microseconds.
    pub open_us: u64,
    /// How many attempts are let through then, and must succeed.
    pub probes: u16,
}

/// Where a breaker stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// Every attempt is let through.
    Closed,
    /// None is.
    Open,
    /// A few are, as probes.
    HalfOpen,
}

impl Position {
    /// In words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
        }
    }
}

/// The breaker of an acquirer.
#[derive(Debug, Clone)]
pub struct Breaker {
    rules: BreakerRules,
    position: Position,
    since: Timestamp,
    /// Whether each of the last attempts failed, the oldest first. Counted while closed.
    outcomes: VecDeque<bool>,
    /// How many of them did.
    failures: usize,
    /// Counts changes of position: what was asked before the last one says nothing about what came after it.
    generation: u64,
    /// Attempts let through and successes since it is half-open.
    probes: Probes,
}

#[derive(Debug, Clone, Copy, Default)]
struct Probes {
    /// Let through since `since`.
    asked: u16,
    succeeded: u16,
    /// When the first of those was let through.
    since: Timestamp,
}

/// Leave to ask; goes back to the breaker with the outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permit {
    generation: u64,
}

impl Breaker {
    /// A closed breaker.
    #[must_use]
    pub fn new(rules: BreakerRules, now: Timestamp) -> Self {
        Self {
            rules,
            position: Position::Closed,
            since: now,
            outcomes: VecDeque::new(),
            failures: 0,
            generation: 0,
            probes: Probes::default(),
        }
    }

    /// Where it stands.
    #[must_use]
    pub const fn position(&self) -> Position {
        self.position
    }

    /// Since when it stands there.
    #[must_use]
    pub const fn since(&self) -> Timestamp {
        self.since
    }

    /// Until when it lets nobody through; `None` unless it is open.
    #[must_use]
    pub fn open_until(&self) -> Option<Timestamp> {
        match self.position {
            Position::Open => Some(self.since.plus_ms(self.rules.open_us / 1_000)),
            Position::Closed | Position::HalfOpen => None,
        }
    }

    /// The share of technical errors among the last outcomes; 0 where there are none.
    #[must_use]
    pub fn error_share(&self) -> f64 {
        share(self.failures, self.outcomes.len())
    }

    /// Leave to ask now; `None` keeps the attempt away. After the time for which it stays open, it is half-open by this.
    pub fn admit(&mut self, now: Timestamp) -> Option<Permit> {
        let BreakerRules { open_us, probes, .. } = self.rules;
        match self.position {
            Position::Closed => {}
            Position::Open if now.micros_since(self.since) < open_us => return None,
            Position::Open => {
                self.turn(Position::HalfOpen, now);
                self.probes = Probes { asked: 1, succeeded: 0, since: now };
            }
            Position::HalfOpen if self.probes.asked < probes => self.probes.asked += 1,
            // Probes that are not answered for so long are lost, or will be late: others find out.
            Position::HalfOpen if now.micros_since(self.probes.since) >= open_us => {
                self.probes = Probes { asked: 1, since: now, ..self.probes };
            }
            Position::HalfOpen => return None,
        }
        Some(Permit { generation: self.generation })
    }

    /// Notes the outcome of an attempt that was let through. Returns where it stands now, if that has changed.
    pub fn record(&mut self, permit: Permit, failed: bool, now: Timestamp) -> Option<Position> {
        if permit.generation != self.generation {
            return None;
        }
        let next = match self.position {
            Position::Closed => self.count(failed).then_some(Position::Open)?,
            Position::HalfOpen if failed => Position::Open,
            Position::HalfOpen => {
                self.probes.succeeded = self.probes.succeeded.saturating_add(1);
                (self.probes.succeeded >= self.rules.probes).then_some(Position::Closed)?
            }
            // Nothing is let through while it is open, and what was let through before is of another generation.
            Position::Open => return None,
        };
        self.turn(next, now);
        Some(next)
    }

    /// Adds an outcome; whether there are enough of them, and too many failures among them.
    fn count(&mut self, failed: bool) -> bool {
        let of = usize::from(self.rules.of);
        self.outcomes.push_back(failed);
        self.failures += usize::from(failed);
        if self.outcomes.len() > of {
            let oldest = self.outcomes.pop_front();
            self.failures -= usize::from(oldest == Some(true));
        }
        self.outcomes.len() == of && self.error_share() >= self.rules.errors
    }

    fn turn(&mut self, position: Position, now: Timestamp) {
        if position == Position::Closed {
            self.outcomes.clear();
            self.failures = 0;
        }
        self.position = position;
        self.since = now;
        self.generation += 1;
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts are small")]
fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RULES: BreakerRules = BreakerRules { errors: 0.5, of: 4, open_us: 1_000, probes: 2 };

    fn at(us: i64) -> Timestamp {
        Timestamp::from_micros(us)
    }

    /// Lets attempts through and notes their outcomes at once.
    fn feed(breaker: &mut Breaker, outcomes: &[bool], now: i64) -> Vec<Option<Position>> {
        let one = |failed: &bool| {
            let permit = breaker.admit(at(now)).expect("let through");
            breaker.record(permit, *failed, at(now))
        };
        outcomes.iter().map(one).collect()
    }

    #[test]
    fn it_opens_at_the_share_of_the_last_outcomes_and_not_before_there_are_enough() {
        let mut breaker = Breaker::new(RULES, at(0));
        assert_eq!(feed(&mut breaker, &[true, true, false], 1), [None, None, None]);
        assert!((breaker.error_share() - 2.0 / 3.0).abs() < 1e-9);
        assert_eq!(feed(&mut breaker, &[false], 2), [Some(Position::Open)], "two of four");
        assert_eq!(breaker.since(), at(2));
        // The oldest outcomes are forgotten.
        let mut breaker = Breaker::new(RULES, at(0));
        feed(&mut breaker, &[true, false, false, false, true, false, false], 1);
        assert_eq!(breaker.position(), Position::Closed);
    }

    #[test]
    fn it_lets_probes_through_after_a_while_and_closes_when_they_succeed() {
        let mut breaker = Breaker::new(RULES, at(0));
        feed(&mut breaker, &[true; 4], 0);
        assert!(breaker.admit(at(999)).is_none());
        let (one, two) = (breaker.admit(at(1_000)).unwrap(), breaker.admit(at(1_000)).unwrap());
        assert_eq!(breaker.position(), Position::HalfOpen);
        assert!(breaker.admit(at(1_001)).is_none(), "no more than the probes");
        assert_eq!(breaker.record(one, false, at(1_100)), None);
        assert_eq!(breaker.record(two, false, at(1_200)), Some(Position::Closed));
        assert!(breaker.error_share() == 0.0, "what was before is forgotten");
        assert_eq!(feed(&mut breaker, &[true; 3], 1_300), [None; 3]);
    }

    #[test]
    fn a_probe_that_fails_opens_it_again() {
        let mut breaker = Breaker::new(RULES, at(0));
        feed(&mut breaker, &[true; 4], 0);
        let (one, two) = (breaker.admit(at(1_000)).unwrap(), breaker.admit(at(1_000)).unwrap());
        assert_eq!(breaker.record(one, true, at(1_100)), Some(Position::Open));
        assert_eq!(breaker.record(two, false, at(1_150)), None, "of a time that is over");
        assert!(breaker.admit(at(2_099)).is_none());
        assert!(breaker.admit(at(2_100)).is_some());
    }

    #[test]
    fn answers_to_what_was_asked_before_it_opened_count_for_nothing() {
        let mut breaker = Breaker::new(RULES, at(0));
        let early: Vec<Permit> = (0..10).map(|_| breaker.admit(at(0)).unwrap()).collect();
        feed(&mut breaker, &[true; 4], 0);
        assert!(breaker.admit(at(1_000)).is_some());
        for permit in early {
            assert_eq!(breaker.record(permit, false, at(1_010)), None);
        }
        assert_eq!(breaker.position(), Position::HalfOpen);
    }

    #[test]
    fn probes_that_are_never_answered_do_not_hold_it_for_ever() {
        let mut breaker = Breaker::new(RULES, at(0));
        feed(&mut breaker, &[true; 4], 0);
        assert!(breaker.admit(at(1_000)).is_some() && breaker.admit(at(1_500)).is_some());
        assert!(breaker.admit(at(1_999)).is_none());
        assert_eq!(feed(&mut breaker, &[false, false], 2_000), [None, Some(Position::Closed)]);
    }

    #[derive(Debug, Clone, Copy)]
    enum Step {
        Ask,
        Answer { which: usize, failed: bool },
        Wait(i64),
    }

    fn any_step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => Just(Step::Ask),
            4 => (0..8_usize, any::<bool>()).prop_map(|(which, failed)| Step::Answer { which, failed }),
            2 => (0..700_i64).prop_map(Step::Wait),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn it_is_never_open_for_ever_and_keeps_its_promises(
            steps in prop::collection::vec(any_step(), 0..200),
            of in 1..6_u16,
            probes in 1..4_u16,
            percent in 1..=100_u8,
        ) {
            let rules = BreakerRules { errors: f64::from(percent) / 100.0, of, open_us: 1_000, probes };
            let mut breaker = Breaker::new(rules, at(0));
            let (mut now, mut open): (i64, Vec<Permit>) = (0, Vec::new());
            // Kept beside it, in other words: the outcomes since it last closed.
            let mut seen: Vec<bool> = Vec::new();
            for step in steps {
                let before = (breaker.position(), breaker.generation);
                match step {
                    Step::Wait(us) => now += us,
                    Step::Ask => {
                        let permit = breaker.admit(at(now));
                        let waited = now - breaker.since().micros();
                        match before.0 {
                            Position::Closed => prop_assert!(permit.is_some()),
                            Position::Open => {
                                prop_assert_eq!(permit.is_some(), breaker.position() == Position::HalfOpen);
                                prop_assert!(permit.is_some() || waited < 1_000);
                            }
                            Position::HalfOpen => {}
                        }
                        open.extend(permit);
                    }
                    Step::Answer { which, failed } if which < open.len() => {
                        let permit = open.swap_remove(which);
                        let current = permit.generation == before.1;
                        let turned = breaker.record(permit, failed, at(now));
                        prop_assert!(turned.is_none() || current);
                        prop_assert_eq!(turned, (breaker.position() != before.0).then(|| breaker.position()));
                        if before.0 == Position::Closed && current {
                            seen.push(failed);
                            let last = &seen[seen.len().saturating_sub(usize::from(of))..];
                            let failures = last.iter().filter(|failed| **failed).count();
                            let opens = last.len() == usize::from(of)
                                && failures as f64 / last.len() as f64 >= rules.errors;
                            prop_assert_eq!(turned == Some(Position::Open), opens);
                        }
                        if turned == Some(Position::Closed) {
                            prop_assert!(!failed && before.0 == Position::HalfOpen);
                            seen.clear();
                        }
                    }
                    Step::Answer { .. } => {}
                }
            }
            // However it stands: with an acquirer that answers, it is closed again after a while.
            // Failures of before may fill up the last outcomes and open it once more.
            for _ in 0..10 {
                now += 1_000;
                while let Some(permit) = breaker.admit(at(now)) {
                    breaker.record(permit, false, at(now));
                    if breaker.position() == Position::Closed {
                        break;
                    }
                }
            }
            prop_assert_eq!(breaker.position(), Position::Closed);
        }
    }
}
