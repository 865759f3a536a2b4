//! `[[rule]]`.

use super::aftermath::aftermath;
use super::conditions::{exclusions, matched};
use super::field::Field;
use super::latency::MS;
use super::section::Section;
use super::verdict::{SHARE, step, verdict};
use crate::domain::forced::STEPS_MAX;
use crate::simulator::latency::micros;
use crate::simulator::scenario::{Answer, RULES_MAX, Rule, Rules, Verdict};

/// The keys of a rule.
pub(super) const KEYS: [&str; 9] =
    ["match", "not", "share", "delay_ms", "outcome", "decline", "error", "sequence", "then"];
/// What forces an answer.
const ANSWERS: [&str; 4] = ["outcome", "decline", "error", "sequence"];

/// All rules of a scenario.
pub(super) fn rules(root: &Section<'_>) -> Rules {
    root.tables("rule", RULES_MAX, &KEYS).iter().map(rule).collect()
}

fn rule(section: &Section<'_>) -> Rule {
    let delay_ms = section.get("delay_ms").map(|delay| delay.number(&MS).unwrap_or_default());
    let answer = section.only_one(&ANSWERS);
    let then = section.get("then");
    if delay_ms.is_none() && answer.is_none() && then.is_none() {
        section.refuse("does nothing; it needs delay_ms, outcome, decline, error, sequence or then");
    }
    let when = matched(section);
    let then = then.and_then(|then| aftermath(&then, &when));
    Rule {
        when,
        unless: exclusions(section),
        share: section.get("share").and_then(|share| share.number(&SHARE)).unwrap_or(1.0),
        delay_us: delay_ms.map(micros).unwrap_or_default(),
        answer: answer.and_then(|(key, field)| match key {
            "sequence" => sequence(&field),
            key => verdict(section, &[key]).map(Answer::Always),
        }),
        then,
    }
}

/// The steps of a sequence. An answer that is final ends the operation, so that no attempt can follow it.
fn sequence(field: &Field<'_>) -> Option<Answer> {
    let items = field.list()?;
    if items.is_empty() || items.len() > STEPS_MAX {
        field.refuse(format!("must have 1 to {STEPS_MAX} steps"));
        return None;
    }
    let steps: Vec<Option<Verdict>> = items.iter().map(step).collect();
    let (_, before_last) = steps.split_last()?;
    for (item, step) in items.iter().zip(before_last) {
        if step.is_some_and(Verdict::is_final) {
            item.refuse("ends the operation, so that no attempt can follow; only the last step may do so");
        }
    }
    steps.into_iter().collect::<Option<Vec<Verdict>>>().map(Answer::ByAttempt)
}
