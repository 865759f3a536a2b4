//! Decides callers' changes of plain resources, and announces every change.

use super::clocked;
use super::decision::{ChangeAnswer, DecidedChange};
use super::idempotency::{self, Keys};
use super::state::BatchState;
use crate::domain::announcement::{self, Announcement, AnnouncementId};
use crate::domain::clock::Clock;
use crate::domain::command::Asked;
use crate::domain::ids::{AccountId, ClockId};
use crate::domain::origin::Origin;
use crate::domain::rejection::Rejection;
use crate::domain::resource::{self, Change, ChangeResource, Situation, States};
use crate::domain::subject::Subject;
use crate::domain::time::Timestamp;
use crate::engine::answer::EngineError;
use crate::store::{EventSource, IdempotencyRecord};

/// Which resource changed to what, and when by its clock.
pub(super) struct Announced {
    pub owner: AccountId,
    pub subject: Subject,
    pub version: u32,
    pub at: Timestamp,
    pub states: States,
}

impl BatchState<'_> {
    /// Decides a caller's change of a plain resource.
    pub fn decide_change(&mut self, asked: &Asked<ChangeResource>) -> Result<DecidedChange, EngineError> {
        let change = &asked.command;
        let (owner, subject) = (change.actor, change.subject);
        if let Some(key) = &change.idempotency
            && let Some(record) = self.keys.find(key, owner)?
        {
            return Ok(replayed(&self.keys, record)?);
        }
        let on = self.situation(change)?;
        let at = on.now;
        let changed = self.resources.change(
            subject,
            |current| resource::decide(Situation { current, ..on }, change),
            |resource| change.answer.as_ref().map(|form| form.write(resource)).transpose(),
        )?;
        if let Some(states) = changed.states {
            let version = changed.version;
            self.announce(Announced { owner, subject, version, at, states }, asked.origin.as_deref());
        }
        if subject.clock().is_some()
            && let Change::Create { .. } = change.change
        {
            *self.clock_counts.entry(owner).or_default() += 1;
        }
        if let Some(key) = &change.idempotency {
            let target = (subject, changed.version);
            self.keys.remember(key, owner, target, changed.answer.as_ref(), self.wall);
        }
        let (version, answer) = (changed.version, ChangeAnswer::Known(changed.answer));
        Ok(DecidedChange { subject, version, replayed: false, answer })
    }

    /// What a change is decided on, except the resource itself.
    fn situation(&self, change: &ChangeResource) -> Result<Situation<'static>, EngineError> {
        self.readable(change.subject)?;
        let id = match (&change.change, self.resources.get(change.subject)) {
            (Change::Create { clock, .. }, _) => *clock,
            (Change::Update(_) | Change::Delete, found) => found.map_or(ClockId::WALL, |found| found.clock),
        };
        self.readable(id.into())?;
        let clock = self.ready_clock(change.actor, id)?;
        Ok(Situation {
            now: clocked::moment(clock, None, self.wall).at,
            wall: self.wall,
            gone: !id.is_wall() && clock.is_none(),
            count: self.clock_counts.get(&change.actor).copied().unwrap_or(0),
            closed: self.books.account(change.actor).closed,
            current: None,
        })
    }

    /// The clock that a caller's new or changed object follows; `None` for the wall clock, and for one that is gone.
    ///
    /// # Errors
    /// While it is being advanced.
    pub fn ready_clock(&self, owner: AccountId, id: ClockId) -> Result<Option<&Clock>, Rejection> {
        self.clock(owner, id).map(|clock| clock.ready().map(|()| clock)).transpose()
    }

    /// Notes the notification of the resource's owner, and the states kept beside it, which no history holds. Lean and closed
    /// accounts are notified of nothing.
    pub fn announce(&mut self, change: Announced, origin: Option<&Origin>) {
        let Announced { owner, subject, version, at, states } = change;
        let facts = self.books.account(owner);
        let kind = announcement::of_change(states.before.as_ref(), states.after.as_ref());
        let Some(kind) = kind.filter(|_| !facts.closed && !facts.terms.lean) else { return };
        let (id, wall) = (AnnouncementId { subject, version, n: 0 }, self.wall);
        self.events.push((owner, Announcement { at, id, kind, wall }));
        let (origin, states) = (origin.cloned(), Some(states));
        self.sources.push(EventSource { owner, at, subject, version, wall, origin, states });
    }
}

/// What a recognised key refers to.
fn replayed(keys: &Keys, record: &IdempotencyRecord) -> Result<DecidedChange, Rejection> {
    let (subject, version) = (record.subject, record.version);
    if subject.payment().is_some() {
        return Err(idempotency::reused());
    }
    let answer = match (record.answer, keys.answer(record)) {
        (None, _) => ChangeAnswer::Known(None),
        (Some(_), Some(answer)) => ChangeAnswer::Known(Some(answer)),
        (Some(_), None) => ChangeAnswer::Stored(record.key, record.owner),
    };
    Ok(DecidedChange { subject, version, replayed: true, answer })
}
