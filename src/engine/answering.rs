//! Answers a batch: with what was decided, or, if nothing was, with what is known of it.

use super::answer::{Acknowledged, Changed, Done, EngineError, SystemError};
use super::batch::Batch;
use super::decide_batch::{ChangeAnswer, DecidedBatch, DecidedChange, DecidedPayment};
use super::envelope::{CallerEnvelope, ChangeEnvelope, PaymentEnvelope};
use super::fates::{Fate, Fates};
use super::replays::{ReplayedChange, ReplayedPayment, Unread};
use crate::store::StoreError;

/// The command was not decided.
const NOTHING_DONE: EngineError = EngineError::Unavailable { maybe_done: false };

/// Answers a committed batch. Returns what was left for the next one, and what must be read from the store first.
pub(super) fn answer(batch: Batch, fates: Fates, decided: DecidedBatch, seq: u64) -> (Batch, Unread) {
    let mut next = Batch::default();
    let mut versions = decided.system.into_iter();
    for (envelope, taken) in batch.system.into_iter().zip(fates.system) {
        if !taken {
            next.system.push(envelope);
            continue;
        }
        let version = versions.next().unwrap_or(Err(SystemError::Unavailable));
        envelope.answer(version.map(|version| Acknowledged { version, seq }));
    }
    let (mut payments, mut resources) = (decided.payments.into_iter(), decided.resources.into_iter());
    let mut unread = Unread::default();
    for (envelope, fate) in batch.callers.into_iter().zip(fates.callers) {
        match (fate, envelope) {
            (Fate::Next, envelope) => next.callers.push(envelope),
            (Fate::Late, envelope) => envelope.fail(NOTHING_DONE),
            (Fate::Taken, CallerEnvelope::Payment(envelope)) => {
                let decision = payments.next().unwrap_or(Err(NOTHING_DONE));
                unread.payments.extend(answer_payment(envelope, decision, seq));
            }
            (Fate::Taken, CallerEnvelope::Change(envelope)) => {
                let decision = resources.next().unwrap_or(Err(NOTHING_DONE));
                unread.changes.extend(answer_change(envelope, decision, seq));
            }
        }
    }
    (next, unread)
}

/// Answers a caller; gives back what has to be read from the store first.
fn answer_payment(
    envelope: PaymentEnvelope,
    decision: Result<DecidedPayment, EngineError>,
    seq: u64,
) -> Option<ReplayedPayment> {
    match decision {
        Ok(DecidedPayment { id, version, payment: None, .. }) => {
            Some(ReplayedPayment { envelope, id, version })
        }
        Ok(DecidedPayment { version, replayed, payment: Some(payment), .. }) => {
            envelope.answer(Ok(Done { payment, version, replayed, seq }));
            None
        }
        Err(error) => {
            envelope.answer(Err(error));
            None
        }
    }
}

/// As [`answer_payment`].
fn answer_change(
    envelope: ChangeEnvelope,
    decision: Result<DecidedChange, EngineError>,
    seq: u64,
) -> Option<ReplayedChange> {
    match decision {
        Ok(DecidedChange { subject, version, answer: ChangeAnswer::Stored(key, owner), .. }) => {
            Some(ReplayedChange { envelope, subject, version, kept_for: (key, owner) })
        }
        Ok(DecidedChange { subject, version, replayed, answer: ChangeAnswer::Known(answer) }) => {
            envelope.answer(Ok(Changed { subject, version, answer, replayed, seq }));
            None
        }
        Err(error) => {
            envelope.answer(Err(error));
            None
        }
    }
}

/// What is left of a batch when those who no longer wait have been answered.
pub(super) fn still_wanted(batch: Batch) -> Batch {
    let (withdrawn, callers) = batch.callers.into_iter().partition(CallerEnvelope::is_withdrawn);
    give_up(Batch { system: Vec::new(), callers: withdrawn }, None);
    Batch { system: batch.system, callers }
}

/// Answers what is known of commands that have no outcome.
pub(super) fn give_up(batch: Batch, error: Option<StoreError>) {
    let damage = match error {
        Some(StoreError::Refused(cause) | StoreError::Damaged(cause) | StoreError::OtherForm(cause)) => {
            Some(cause)
        }
        Some(StoreError::CommitUnknown { .. } | StoreError::Unavailable(_) | StoreError::Unanswered(_))
        | None => None,
    };
    for envelope in batch.system {
        let error = damage.clone().map_or(SystemError::Unavailable, SystemError::Damaged);
        envelope.answer(Err(error));
    }
    for envelope in batch.callers {
        let unavailable = EngineError::Unavailable { maybe_done: envelope.is_taken() };
        envelope.fail(damage.clone().map_or(unavailable, EngineError::Damaged));
    }
}
