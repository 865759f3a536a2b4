//! The idempotency keys of a batch: those that are known, from the store or from earlier commands of the batch, and those that it
//! writes.

use std::collections::HashMap;
use std::sync::Arc;

use crate::domain::command::IdempotencyKey;
use crate::domain::ids::{AccountId, IdMap};
use crate::domain::rejection::{Rejection, RejectionKind};
use crate::domain::subject::Subject;
use crate::domain::time::Timestamp;
use crate::store::{AnswerWrite, BatchWrite, IdempotencyRecord};

type OwnedKey = ([u8; 32], AccountId);

/// The keys that are known, and those that are new.
pub(super) struct Keys {
    known: IdMap<OwnedKey, IdempotencyRecord>,
    fresh: Vec<IdempotencyRecord>,
    answers: HashMap<OwnedKey, Arc<[u8]>>,
}

impl Keys {
    pub fn new(mut known: IdMap<OwnedKey, IdempotencyRecord>, commands: usize) -> Self {
        known.reserve(commands);
        Self { known, fresh: Vec::with_capacity(commands), answers: HashMap::new() }
    }

    /// What this key was used for before, if it was.
    ///
    /// # Errors
    /// It was used for another request.
    pub fn find(
        &self,
        key: &IdempotencyKey,
        owner: AccountId,
    ) -> Result<Option<&IdempotencyRecord>, Rejection> {
        match self.known.get(&(key.key, owner)) {
            Some(record) if record.request != key.request => Err(reused()),
            found => Ok(found),
        }
    }

    /// The answer that an earlier command of this batch gave under a key.
    pub fn answer(&self, record: &IdempotencyRecord) -> Option<Arc<[u8]>> {
        self.answers.get(&(record.key, record.owner)).map(Arc::clone)
    }

    /// Remembers what a key was used for, with what was answered if that is kept.
    pub fn remember(
        &mut self,
        key: &IdempotencyKey,
        owner: AccountId,
        (subject, version): (Subject, u32),
        answer: Option<&Arc<[u8]>>,
        at: Timestamp,
    ) {
        let owned = (key.key, owner);
        let named = answer.map(|body| AnswerWrite::name(body));
        if let Some(body) = answer {
            self.answers.insert(owned, Arc::clone(body));
        }
        let (key, request) = (key.key, key.request);
        let record = IdempotencyRecord { key, owner, request, subject, version, answer: named, at };
        self.known.insert(owned, record);
        self.fresh.push(record);
    }

    /// The fingerprints of the rows that are written, by subject.
    pub fn fingerprints(&self) -> IdMap<Subject, Vec<u64>> {
        let mut keys: IdMap<Subject, Vec<u64>> = IdMap::default();
        keys.reserve(self.fresh.len());
        for record in &self.fresh {
            keys.entry(record.subject).or_default().push(record.fingerprint());
        }
        keys
    }

    /// Adds what is to be written, in the order of the keys: neighbours share pages.
    pub fn finish(mut self, write: &mut BatchWrite) {
        self.fresh.sort_unstable_by_key(|record| (record.key, record.owner));
        write.idempotency = self.fresh;
        let answer = |((key, owner), body)| AnswerWrite { key, owner, body };
        write.answers = self.answers.into_iter().map(answer).collect();
        write.answers.sort_unstable_by_key(|answer| (answer.key, answer.owner));
    }
}

/// The rejection of a key that was used for something else.
pub(super) fn reused() -> Rejection {
    let message =
        "Keys for idempotent requests can only be used with the same parameters they were first used with.";
    Rejection::new(RejectionKind::Idempotency, "idempotency_key_reused", message)
}
