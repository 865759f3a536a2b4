//! Verdicts and shares, as they are written.

use super::field::Field;
use super::section::Section;
use crate::domain::decline::DeclineReason;
use crate::domain::forced::Fault;
use crate::simulator::scenario::verdict::Verdict;

/// What a share may be.
pub(super) const SHARE: std::ops::RangeInclusive<f64> = 0.0..=1.0;

/// The outcomes that are not declines.
pub(in crate::simulator::scenario) const OUTCOMES: [(&str, Verdict); 2] =
    [("approved", Verdict::Approved), ("action_required", Verdict::ActionRequired)];
/// The verdict of a table, under the one of these keys that it has: `outcome`, `decline` or `error`.
pub(super) fn verdict(section: &Section<'_>, keys: &[&str]) -> Option<Verdict> {
    let (key, field) = section.only_one(keys)?;
    match key {
        "decline" => decline(&field, field.text()?),
        "error" => error(&field, field.text()?),
        _ => field.word("outcome", &OUTCOMES),
    }
}

/// A step of a sequence: `approved`, `action_required`, `decline:CODE` or `error:KIND`.
pub(super) fn step(field: &Field<'_>) -> Option<Verdict> {
    let text = field.text()?;
    match text.split_once(':') {
        Some(("decline", code)) => decline(field, code),
        Some(("error", kind)) => error(field, kind),
        Some(_) | None => {
            let step = OUTCOMES.iter().find(|(word, _)| *word == text).map(|(_, verdict)| *verdict);
            if step.is_none() {
                field.refuse("expected approved, action_required, decline:CODE or error:KIND");
            }
            step
        }
    }
}

/// The kind of an error.
pub(super) fn error_kind(field: &Field<'_>) -> Option<Fault> {
    field.word("kind of error", &Fault::WORDS)
}

fn decline(field: &Field<'_>, code: &str) -> Option<Verdict> {
    let codes = DeclineReason::ALL.map(|reason| (reason.decline_code(), reason));
    field.look_up("decline code", code, &codes).map(Verdict::Declined)
}

fn error(field: &Field<'_>, kind: &str) -> Option<Verdict> {
    field.look_up("kind of error", kind, &Fault::WORDS).map(Verdict::Faulty)
}
