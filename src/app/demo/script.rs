//! `config/demo.toml`, typed.

use serde::Deserialize;

/// The built-in story.
const BUILT_IN: &str = include_str!("../../../config/demo.toml");

/// Who takes part, and what they do.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// What its draws start from.
    pub seed: u64,
    /// The people; the first is the one who looks.
    pub people: Vec<Person>,
    /// What they do, in order.
    pub steps: Vec<Step>,
}

/// One of the people.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// The name that steps use.
    pub id: String,
    /// The name that others see.
    pub name: String,
    /// The address for transfers.
    pub email: String,
}

/// A payment, or an operation on one.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Step {
    /// Its name, and part of its idempotency key.
    pub id: String,
    /// When, in milliseconds from the start of the story.
    pub at_ms: u64,
    /// The person who acts.
    pub by: String,
    /// The kind of payment; empty for an operation.
    pub kind: String,
    /// The operation; empty for a payment.
    pub operation: String,
    /// The step whose payment the operation is about.
    pub of: String,
    /// The step whose payment must rest first.
    pub after: String,
    /// In minor units.
    pub amount: i64,
    /// Lower-case code.
    pub currency: String,
    /// The test card, without `pm_card_`.
    pub card: String,
    /// `manual`, or empty.
    pub capture: String,
    /// The person who receives a transfer.
    pub to: String,
    /// Free text.
    pub description: String,
}

impl Script {
    /// The story that is built in.
    ///
    /// # Errors
    /// Where it is not legal TOML; a test keeps it so.
    pub fn built_in() -> Result<Self, toml::de::Error> {
        toml::from_str(BUILT_IN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_story_hangs_together() {
        let script = Script::built_in().expect("legal");
        assert_eq!((script.seed, script.people.len()), (42, 5));
        let payments = script.steps.iter().filter(|step| step.operation.is_empty()).count();
        assert!((25..=35).contains(&payments), "{payments} payments");
        assert!(script.steps.last().is_some_and(|step| step.at_ms <= 15_000));
        for (at, step) in script.steps.iter().enumerate() {
            let earlier = &script.steps[..at];
            let known =
                |id: &str| id.is_empty() || earlier.iter().any(|one| one.id == id && !one.kind.is_empty());
            assert!(known(&step.of) && known(&step.after), "{step:?}");
            assert!(earlier.iter().all(|one| one.id != step.id && one.at_ms < step.at_ms), "{step:?}");
            let person = |id: &str| script.people.iter().any(|person| person.id == id);
            assert!(person(&step.by) && (step.kind != "transfer" || person(&step.to)), "{step:?}");
            assert_eq!(step.operation.is_empty(), step.of.is_empty(), "{step:?}");
        }
        let coffees = script
            .steps
            .iter()
            .filter(|step| step.id.strip_prefix("coffee-").is_some_and(|rest| rest.parse::<u8>().is_ok()));
        assert_eq!(coffees.count(), 12);
    }
}
