//! The plain resources of a batch: what was loaded, what the commands before made of it, and what is written in the end.

use std::collections::HashMap;
use std::sync::Arc;

use super::journal::ResourceEntry;
use crate::domain::ids::IdMap;
use crate::domain::rejection::Rejection;
use crate::domain::resource::{self, Body, ChangeResource, Resource, Situation, States};
use crate::domain::subject::Subject;

/// A resource during the batch.
struct Touched {
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
    touched: HashMap<Subject, Touched>,
    damaged: HashMap<Subject, String>,
}

/// What came of a change.
pub(super) struct Changed {
    /// The version right after.
    pub version: u32,
    /// What the caller is told; `None` if it asked for nothing.
    pub answer: Option<Arc<[u8]>>,
    /// The resource before and after; `None` where nothing changed.
    pub states: Option<States>,
}

impl Resources {
    pub fn new(loaded: HashMap<Subject, Resource>, damaged: HashMap<Subject, String>) -> Self {
        let touched = |resource: Resource| {
            let now = Arc::new(resource);
            Touched { before: Some(Arc::clone(&now)), now, states: Vec::new() }
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

    /// Decides a change and applies what comes of it.
    pub fn change(&mut self, on: Situation<'_>, command: &ChangeResource) -> Result<Changed, Rejection> {
        let current = self.touched.get(&command.subject).map(|touched| Arc::clone(&touched.now));
        let next = resource::decide(Situation { current: current.as_deref(), ..on }, command)?;
        let before = current.as_ref().and_then(|current| current.body.clone());
        let (now, changed) = match (next, current) {
            (Some(next), _) => (Arc::new(next), true),
            (None, Some(current)) => (current, false),
            (None, None) => return Err(Rejection::not_found(command.subject.kind().name(), command.subject)),
        };
        let answer = command.answer.as_ref().map(|form| form.write(&now)).transpose()?;
        let version = now.version;
        let mut states = None;
        if changed {
            let body = now.body.clone();
            let (clock, created) = (now.clock, now.created);
            states = Some(States { clock, created, before, after: body.clone() });
            let touched = self.touched.entry(command.subject).or_insert_with(|| Touched {
                before: None,
                now: Arc::clone(&now),
                states: Vec::new(),
            });
            touched.now = now;
            touched.states.push(body);
        }
        Ok(Changed { version, answer, states })
    }

    /// What is written, and the journal's entries, both in the order of the keys. `keys` are the fingerprints of the
    /// idempotency rows that the batch writes.
    pub fn finish(self, keys: &mut IdMap<Subject, Vec<u64>>) -> (Vec<Arc<Resource>>, Vec<ResourceEntry>) {
        let (mut writes, mut entries) = (Vec::new(), Vec::new());
        for (subject, Touched { before, now, states }) in self.touched {
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
