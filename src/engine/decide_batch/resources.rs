//! The plain resources of a batch: as loaded, as the commands so far have left them, and as written in the end.

use std::collections::HashMap;
use std::sync::Arc;

use crate::domain::ids::IdMap;
use crate::domain::resource::{Body, Decided, Resource, States};
use crate::domain::subject::Subject;
use crate::engine::journal::ResourceEntry;

/// A resource during the batch.
struct TouchedResource {
    /// As it was loaded; `None` if there was none.
    before: Option<Arc<Resource>>,
    /// As it is now.
    now: Arc<Resource>,
    /// What it was after each change of this batch.
    states: Vec<Option<Body>>,
}

/// The resources that a batch is about.
#[derive(Default)]
pub(super) struct Resources {
    touched: HashMap<Subject, TouchedResource>,
    damaged: HashMap<Subject, String>,
}

/// What came of a change.
pub(super) struct AppliedChange<A> {
    /// The version right after.
    pub version: u32,
    /// The answer to it.
    pub answer: A,
    /// The resource before and after; `None` where nothing changed.
    pub states: Option<States>,
}

impl Resources {
    pub fn new(loaded: HashMap<Subject, Resource>, damaged: HashMap<Subject, String>) -> Self {
        let touched = |resource: Resource| {
            let now = Arc::new(resource);
            TouchedResource { before: Some(Arc::clone(&now)), now, states: Vec::new() }
        };
        let touched = loaded.into_iter().map(|(subject, resource)| (subject, touched(resource))).collect();
        Self { touched, damaged }
    }

    /// Why this resource cannot be read.
    pub fn damage(&self, subject: Subject) -> Option<&String> {
        self.damaged.get(&subject)
    }

    /// The resource as it is now.
    pub fn get(&self, subject: Subject) -> Option<&Resource> {
        self.touched.get(&subject).map(|touched| touched.now.as_ref())
    }

    /// Decides a change, has the answer to it written, and applies what comes of it.
    pub fn change<A, E>(
        &mut self,
        subject: Subject,
        decide: impl FnOnce(Option<&Resource>) -> Result<Decided<'_>, E>,
        write_answer: impl FnOnce(&Resource) -> Result<A, E>,
    ) -> Result<AppliedChange<A>, E> {
        let before = self.touched.get(&subject).map(|touched| Arc::clone(&touched.now));
        let now = match decide(before.as_deref())? {
            Decided::Changed(now) => now,
            Decided::Unchanged(now) => {
                return Ok(AppliedChange { version: now.version, answer: write_answer(now)?, states: None });
            }
        };
        let (version, answer) = (now.version, write_answer(&now)?);
        let (before, after) = (before.and_then(|before| before.body.clone()), now.body.clone());
        let states = States { clock: now.clock, created: now.created, before, after: after.clone() };
        let touched = self.touched.entry(subject).or_insert_with(|| TouchedResource {
            before: None,
            now: Arc::clone(&now),
            states: Vec::new(),
        });
        touched.now = now;
        touched.states.push(after);
        Ok(AppliedChange { version, answer, states: Some(states) })
    }

    /// What is written, and the journal's entries, both in the order of the keys. `keys` are the fingerprints of the
    /// idempotency rows that the batch writes.
    pub fn finish(self, keys: &mut IdMap<Subject, Vec<u64>>) -> (Vec<Arc<Resource>>, Vec<ResourceEntry>) {
        let (mut writes, mut entries) = (Vec::new(), Vec::new());
        for (subject, TouchedResource { before, now, states }) in self.touched {
            let keys = keys.remove(&subject).unwrap_or_default();
            if states.is_empty() && keys.is_empty() {
                continue;
            }
            let changes = u32::try_from(states.len()).unwrap_or(u32::MAX);
            let before = before.filter(|_| !states.is_empty()).and_then(|before| before.body.clone());
            if !states.is_empty() {
                writes.push(Arc::clone(&now));
            }
            entries.push(ResourceEntry {
                subject,
                owner: now.owner,
                clock: now.clock,
                created: now.created,
                first_version: now.version.saturating_add(1).saturating_sub(changes),
                before,
                states,
                keys,
            });
        }
        writes.sort_unstable_by_key(|resource| resource.subject);
        entries.sort_unstable_by_key(|entry| entry.subject);
        (writes, entries)
    }
}
