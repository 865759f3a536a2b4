//! Rules: which questions are answered differently, and how.

use std::sync::Arc;

use super::conditions::{Conditions, Facts};
use super::verdict::Verdict;
use crate::domain::aftermath::Aftermath;
use crate::simulator::draw::{Draw, Slot};

/// A rule about questions.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// The questions that it is about.
    pub when: Conditions,
    /// Those among them that it is not about: any that one of these holds for.
    pub unless: Vec<Conditions>,
    /// The share of the rest to which it applies, 0 to 1.
    pub share: f64,
    /// What it adds to the latency, in microseconds.
    pub delay_us: u64,
    /// The answer that it forces; `None` leaves the answer as it is.
    pub answer: Option<Answer>,
    /// What follows the approval, if it is one.
    pub then: Option<Aftermath>,
}

/// A forced answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The same to every attempt.
    Always(Verdict),
    /// The first to the first attempt of an operation, and so on; the last to all further ones.
    ByAttempt(Vec<Verdict>),
}

impl Rule {
    /// What this attempt is answered; `None` if the rule leaves that as it is.
    #[must_use]
    pub fn verdict(&self, attempt: u16) -> Option<Verdict> {
        match self.answer.as_ref()? {
            Answer::Always(verdict) => Some(*verdict),
            Answer::ByAttempt(steps) => {
                let step = steps.get(usize::from(attempt.saturating_sub(1)));
                step.or(steps.last()).copied()
            }
        }
    }

    /// Whether it ends with a challenge of the cardholder.
    fn challenges(&self) -> bool {
        let last = match &self.answer {
            Some(Answer::Always(verdict)) => Some(verdict),
            Some(Answer::ByAttempt(steps)) => steps.last(),
            None => None,
        };
        last == Some(&Verdict::ActionRequired)
    }

    /// Whether it needs to know who the cardholder is.
    fn asks_for_holder(&self) -> bool {
        self.when.ask_for_holder() || self.unless.iter().any(Conditions::ask_for_holder)
    }

    /// Whether it is about such a question. A cardholder who has authenticated, or cannot, is not asked to.
    fn matches(&self, facts: &Facts<'_>) -> bool {
        if self.challenges() && !facts.can_challenge() {
            return false;
        }
        self.when.hold(facts) && !self.unless.iter().any(|excluded| excluded.hold(facts))
    }
}

/// The rules of a scenario, in its order, and behind them those of its packs. Cheap to clone; packs are shared by all scenarios.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rules {
    own: Arc<[Rule]>,
    packs: Arc<[Arc<[Rule]>]>,
}

impl Rules {
    /// How many the scenario itself has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.own.len()
    }

    /// Whether the scenario itself has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.own.is_empty()
    }

    /// The same, with the rules of these packs behind them.
    #[must_use]
    pub fn with_packs(self, packs: impl IntoIterator<Item = Arc<[Rule]>>) -> Self {
        Self { own: self.own, packs: packs.into_iter().collect() }
    }

    /// The rules without those of packs.
    #[must_use]
    pub fn own(&self) -> Arc<[Rule]> {
        Arc::clone(&self.own)
    }

    /// Whether one of them needs to know who the cardholder is.
    #[must_use]
    pub fn ask_for_holder(&self) -> bool {
        self.iter().any(Rule::asks_for_holder)
    }

    fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.own.iter().chain(self.packs.iter().flat_map(|pack| pack.iter()))
    }

    /// The rule that applies: the first that matches and whose share the question falls into. Where the card decides by itself,
    /// only rules that name it count.
    ///
    /// A rule that answers by attempt applies to all attempts of an operation or to none: its share is drawn from
    /// `of_all_attempts`. All other rules draw theirs for each attempt.
    pub fn first(
        &self,
        facts: &Facts<'_>,
        card_decides: bool,
        of_attempt: &Draw,
        of_all_attempts: impl Fn() -> Draw,
    ) -> Option<&Rule> {
        let mut attempt = Lot::drawn(of_attempt);
        let mut operation: Option<Lot> = None;
        self.iter().find(|rule| {
            if !rule.matches(facts) || (card_decides && !rule.when.name_cards()) {
                return false;
            }
            match rule.answer {
                Some(Answer::ByAttempt(_)) => {
                    operation.get_or_insert_with(|| Lot::drawn(&of_all_attempts())).falls_into(rule.share)
                }
                Some(Answer::Always(_)) | None => attempt.falls_into(rule.share),
            }
        })
    }
}

impl FromIterator<Rule> for Rules {
    fn from_iter<I: IntoIterator<Item = Rule>>(rules: I) -> Self {
        Self { own: rules.into_iter().collect(), packs: Arc::default() }
    }
}

/// A uniform number that decides about one share after the other. What is left of it after it has missed a share is uniform
/// again, and says nothing about the share before.
struct Lot(f64);

impl Lot {
    fn drawn(draw: &Draw) -> Self {
        Self(draw.uniform(Slot::RuleShare))
    }

    fn falls_into(&mut self, share: f64) -> bool {
        if share >= 1.0 || self.0 < share {
            return true;
        }
        self.0 = (self.0 - share) / (1.0 - share);
        false
    }
}
