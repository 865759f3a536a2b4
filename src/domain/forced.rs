//! Outcomes by name: what an attempt may be answered, and the outcome that a payment asks for itself in its metadata, so that a test
//! can force one without a scenario.

use super::card_numbers::shown;
use super::decline::DeclineReason;
use super::event::TechnicalError;

/// The key of the metadata that forces the outcome of a payment.
pub const FORCED_KEY: &str = "paystorm_outcome";
/// The most steps of an outcome by attempt.
pub const STEPS_MAX: usize = 100;

/// The most characters of a step that a message repeats.
const SHOWN_CHARS_MAX: usize = 40;

/// What goes wrong with an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// No usable answer.
    Error(TechnicalError),
    /// A timeout; the real answer comes all the same, when nobody waits for it any longer.
    Late,
    /// The real answer, and once more the same.
    Duplicate,
}

impl Fault {
    /// Each with its word.
    pub const WORDS: [(&'static str, Self); 5] = [
        ("refused", Self::Error(TechnicalError::Unavailable)),
        ("timeout", Self::Error(TechnicalError::Timeout)),
        ("malformed", Self::Error(TechnicalError::Malformed)),
        ("late", Self::Late),
        ("duplicate", Self::Duplicate),
    ];
}

/// The outcome of an attempt, whatever was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Approved; final.
    Approved,
    /// Declined; final.
    Declined(DeclineReason),
    /// Something goes wrong.
    Faulty(Fault),
    /// The cardholder has to authenticate first. Approved, where that has been done or there is no card.
    ActionRequired,
}

impl Verdict {
    /// Whether it ends the operation.
    #[must_use]
    pub const fn is_final(self) -> bool {
        match self {
            Self::Approved | Self::Declined(_) | Self::ActionRequired | Self::Faulty(Fault::Duplicate) => {
                true
            }
            Self::Faulty(Fault::Error(_) | Fault::Late) => false,
        }
    }

    /// Reads `approved`, `action_required`, `decline:CODE` or `error:KIND`.
    ///
    /// # Errors
    /// What it is instead, and what was expected.
    fn parse(text: &str) -> Result<Self, String> {
        let unknown = |what: &str, word: &str, known: &[&str]| {
            format!("there is no {what} {:?}: expected {}", shown(word, SHOWN_CHARS_MAX), known.join(", "))
        };
        match text.split_once(':') {
            None if text == "approved" => Ok(Self::Approved),
            None if text == "action_required" => Ok(Self::ActionRequired),
            Some(("decline", code)) => {
                let reason = DeclineReason::ALL.into_iter().find(|reason| reason.decline_code() == code);
                let known = DeclineReason::ALL.map(DeclineReason::decline_code);
                reason.map(Self::Declined).ok_or_else(|| unknown("decline code", code, &known))
            }
            Some(("error", kind)) => {
                let fault = Fault::WORDS.iter().find(|(word, _)| *word == kind);
                let known = Fault::WORDS.map(|(word, _)| word);
                fault
                    .map(|(_, fault)| Self::Faulty(*fault))
                    .ok_or_else(|| unknown("kind of error", kind, &known))
            }
            Some(_) | None => {
                let text = shown(text, SHOWN_CHARS_MAX);
                Err(format!("expected approved, action_required, decline:CODE or error:KIND, not {text:?}"))
            }
        }
    }
}

/// An outcome that was asked for: the same for every attempt, or a sequence by attempt, of which the last step stays in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForcedOutcome<'t>(&'t str);

impl<'t> ForcedOutcome<'t> {
    /// Reads steps with commas between them.
    ///
    /// # Errors
    /// What is wrong with which step, in words that repeat no card number.
    pub fn parse(text: &'t str) -> Result<Self, String> {
        let forced = Self(text);
        let count = forced.steps().count();
        if count > STEPS_MAX {
            return Err(format!("there may be at most {STEPS_MAX} steps, not {count}"));
        }
        for (step, number) in forced.steps().zip(1..) {
            let verdict = Verdict::parse(step).map_err(|problem| match count {
                1 => problem,
                _ => format!("step {number}: {problem}"),
            })?;
            if verdict.is_final() && number < count {
                return Err(format!("step {number} ends the operation, so that no attempt can follow it"));
            }
        }
        Ok(forced)
    }

    /// The outcome of this attempt, counted from 1.
    #[must_use]
    pub fn of_attempt(self, attempt: u16) -> Option<Verdict> {
        let step = self.steps().nth(usize::from(attempt.saturating_sub(1)));
        Verdict::parse(step.or_else(|| self.steps().last())?).ok()
    }

    fn steps(self) -> impl Iterator<Item = &'t str> {
        self.0.split(',').map(str::trim)
    }
}

/// What this metadata asks for; `None` if it asks for nothing that can be read.
#[must_use]
pub fn forced(metadata: &[(String, String)]) -> Option<ForcedOutcome<'_>> {
    let (_, text) = metadata.iter().find(|(key, _)| key == FORCED_KEY)?;
    ForcedOutcome::parse(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_is_one_for_all_attempts_or_a_sequence() {
        let of = |text, attempt| ForcedOutcome::parse(text).unwrap().of_attempt(attempt).unwrap();
        let error = |cause| Verdict::Faulty(Fault::Error(cause));
        for attempt in [0, 1, 2, u16::MAX] {
            assert_eq!(of("approved", attempt), Verdict::Approved);
            assert_eq!(of(" decline:lost_card ", attempt), Verdict::Declined(DeclineReason::LostCard));
        }
        let sequence = "error:timeout, error:refused,error:late , error:duplicate";
        assert_eq!(of(sequence, 1), error(TechnicalError::Timeout));
        assert_eq!(of(sequence, 2), error(TechnicalError::Unavailable));
        assert_eq!(of(sequence, 3), Verdict::Faulty(Fault::Late));
        for attempt in [4, 5, 1_000] {
            assert_eq!(of(sequence, attempt), Verdict::Faulty(Fault::Duplicate));
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_step() {
        for (text, problem) in [
            ("", "expected approved, action_required, decline:CODE or error:KIND, not \"\""),
            ("approve", "expected approved, action_required, decline:CODE or error:KIND, not \"approve\""),
            (
                "approved:",
                "expected approved, action_required, decline:CODE or error:KIND, not \"approved:\"",
            ),
            ("Approved", "expected approved, action_required, decline:CODE or error:KIND, not \"Approved\""),
            (
                "error:oops",
                "there is no kind of error \"oops\": expected refused, timeout, malformed, late, duplicate",
            ),
            (
                "error:timeout,,approved",
                "step 2: expected approved, action_required, decline:CODE or error:KIND, not \"\"",
            ),
            ("approved,error:timeout", "step 1 ends the operation, so that no attempt can follow it"),
            ("error:duplicate,approved", "step 1 ends the operation, so that no attempt can follow it"),
        ] {
            assert_eq!(ForcedOutcome::parse(text).unwrap_err(), problem, "{text}");
        }
        let unknown = ForcedOutcome::parse("decline:do_not_honor").unwrap_err();
        assert!(unknown.starts_with("there is no decline code \"do_not_honor\": expected generic_decline, "));
        let many = "error:late,".repeat(STEPS_MAX) + "approved";
        assert_eq!(ForcedOutcome::parse(&many).unwrap_err(), "there may be at most 100 steps, not 101");
        let number = ForcedOutcome::parse("decline:4111111111111111").unwrap_err();
        assert!(!number.contains("411111"), "{number}");
    }

    #[test]
    fn metadata_that_cannot_be_read_asks_for_nothing() {
        let pair = |key: &str, value: &str| [(key.to_owned(), value.to_owned())];
        assert!(forced(&[]).is_none());
        assert!(forced(&pair("order", "approved")).is_none());
        assert!(forced(&pair(FORCED_KEY, "nonsense")).is_none());
        assert!(forced(&pair(FORCED_KEY, "approved")).is_some());
    }
}
