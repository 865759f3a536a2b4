//! Plain resources: a current row with a version, changed by the sequencer and decided here. Pure.
//!
//! A kind of resource adds a variant to [`Body`] and to [`Patch`], and to the registry of kinds
//! ([`SubjectKind`]). Loading, locking, versions, idempotency, the journal and lists are the same for all.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::clock::{CLOCKS_MAX, Clock, ClockAction, ClockPatch, DriveClock};
use super::customer::{Customer, CustomerPatch};
use super::idempotency::IdempotencyKey;
use super::ids::{AccountId, ClockId};
use super::rejection::{Rejection, RejectionKind};
use super::subject::{Subject, SubjectKind};
use super::time::Timestamp;

/// The most bytes of an answer kept for an idempotency key. A resource's content is bounded far below, where it is parsed.
pub const ANSWER_BYTES_MAX: usize = 512 << 10;

/// The content of a resource, by kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::large_enum_variant, reason = "most are customers, and each is held in a box or shared")]
pub enum Body {
    /// A customer.
    #[serde(rename = "c")]
    Customer(Customer),
    /// A test clock.
    #[serde(rename = "t")]
    Clock(Clock),
}

impl Body {
    /// The kind of resource.
    #[must_use]
    pub const fn kind(&self) -> SubjectKind {
        match self {
            Self::Customer(_) => SubjectKind::Customer,
            Self::Clock(_) => SubjectKind::Clock,
        }
    }

    /// The customer, if it is one.
    #[must_use]
    pub const fn customer(&self) -> Option<&Customer> {
        match self {
            Self::Customer(customer) => Some(customer),
            Self::Clock(_) => None,
        }
    }

    /// The test clock, if it is one.
    #[must_use]
    pub const fn clock(&self) -> Option<&Clock> {
        match self {
            Self::Clock(clock) => Some(clock),
            Self::Customer(_) => None,
        }
    }

    /// The body with the patch applied.
    ///
    /// # Errors
    /// The patch cannot be applied.
    fn patched(&self, wall: Timestamp, patch: &Patch) -> Result<Self, Rejection> {
        match (self, patch) {
            (Self::Customer(customer), Patch::Customer(patch)) => customer.patched(patch).map(Self::Customer),
            (Self::Clock(clock), Patch::Clock(patch)) => clock.patched(wall, *patch).map(Self::Clock),
            (Self::Customer(_) | Self::Clock(_), _) => {
                let message = format!("This is not what a {} is changed by.", self.kind().name());
                Err(Rejection::new(RejectionKind::Invalid, "resource_of_another_kind", message))
            }
        }
    }

    fn text_bytes(&self) -> usize {
        match self {
            Self::Customer(customer) => customer.text_bytes(),
            Self::Clock(clock) => clock.text_bytes(),
        }
    }
}

/// A request's changes, by kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Patch {
    /// Changes to a customer.
    Customer(Box<CustomerPatch>),
    /// A change to a test clock.
    Clock(ClockPatch),
}

impl Patch {
    fn text_bytes(&self) -> usize {
        match self {
            Self::Customer(patch) => size_of::<CustomerPatch>() + patch.text_bytes(),
            Self::Clock(_) => 0,
        }
    }
}

/// A resource as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Its kind and id.
    pub subject: Subject,
    /// The account that it belongs to.
    pub owner: AccountId,
    /// Counts its changes from 1, its creation.
    pub version: u32,
    /// The clock it runs on.
    pub clock: ClockId,
    /// When it was created, by its clock.
    pub created: Timestamp,
    /// Its content; `None` once it is deleted.
    pub body: Option<Body>,
}

impl Resource {
    /// The clock it runs on, unless that is the wall clock.
    #[must_use]
    pub fn lives_by(&self) -> Option<ClockId> {
        Some(self.clock).filter(|clock| *clock != ClockId::WALL)
    }

    /// The resource for showing it at this wall-clock time: a clock shows the time that it has come to by then.
    #[must_use]
    pub fn seen_at(self, wall: Timestamp) -> Self {
        let body = self.body.map(|body| match body {
            Body::Clock(clock) => Body::Clock(clock.seen_at(wall)),
            Body::Customer(customer) => Body::Customer(customer),
        });
        Self { body, ..self }
    }

    /// Approximate bytes held in memory.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.body.as_ref().map_or(0, Body::text_bytes)
    }
}

/// A resource before and after a change, as its event shows it. Serialised as an array: new fields go to the end with a
/// default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct States {
    /// The clock it runs on.
    pub clock: ClockId,
    /// When it was created, by its clock.
    pub created: Timestamp,
    /// Its content before; `None` if it is new.
    pub before: Option<Body>,
    /// Its content afterwards; `None` if it was deleted.
    pub after: Option<Body>,
}

impl States {
    /// The stored form.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        // No part of it can fail to serialise.
        rmp_serde::to_vec(self).unwrap_or_default()
    }

    /// Reads [`Self::to_bytes`] back.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        rmp_serde::from_slice(bytes).ok()
    }
}

/// A change to a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Creates it.
    Create {
        /// The clock it will run on.
        clock: ClockId,
        /// Its content.
        body: Box<Body>,
    },
    /// Changes it.
    Update(Patch),
    /// Deletes it. Its row stays, empty, so that references to it still resolve.
    Delete,
}

/// Writes the answer to a change. Pure: the answer is written once, with the change, and repeated unchanged.
#[derive(Clone)]
pub struct AnswerForm(Arc<Writes>);

type Writes = dyn Fn(&Resource) -> Vec<u8> + Send + Sync;

impl AnswerForm {
    /// A form that writes with this function.
    pub fn new(form: impl Fn(&Resource) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self(Arc::new(form))
    }

    /// Writes the answer for a resource.
    ///
    /// # Errors
    /// It has more than [`ANSWER_BYTES_MAX`] bytes.
    pub fn write(&self, resource: &Resource) -> Result<Arc<[u8]>, Rejection> {
        let answer = (self.0)(resource);
        if answer.len() > ANSWER_BYTES_MAX {
            let message = format!("This {} would hold too much.", resource.subject.kind().name());
            return Err(Rejection::new(RejectionKind::Invalid, "resource_too_large", message));
        }
        Ok(answer.into())
    }
}

impl fmt::Debug for AnswerForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnswerForm(…)")
    }
}

/// Change a resource.
#[derive(Debug, Clone)]
pub struct ChangeResource {
    /// The resource to change.
    pub subject: Subject,
    /// Who asks; anyone but the owner gets "no such resource".
    pub actor: AccountId,
    /// What to do.
    pub change: Change,
    /// Writes the caller's answer; `None` for callers that only need to know that it is done.
    pub answer: Option<AnswerForm>,
    /// The caller's idempotency key.
    pub idempotency: Option<IdempotencyKey>,
}

impl ChangeResource {
    /// Bytes beside its own size.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        match &self.change {
            Change::Create { body, .. } => body.text_bytes(),
            Change::Update(patch) => patch.text_bytes(),
            Change::Delete => 0,
        }
    }
}

/// The facts on which a change is decided.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// The time of the clock that the resource runs on.
    pub now: Timestamp,
    /// The wall-clock time.
    pub wall: Timestamp,
    /// Whether the clock that the resource runs on was deleted, and the resource with it.
    pub gone: bool,
    /// How many of its kind the actor has; counted only where that is bounded.
    pub count: u32,
    /// Whether the actor's account is closed.
    pub closed: bool,
    /// The resource as it is now; `None` if there is none.
    pub current: Option<&'a Resource>,
}

/// The outcome of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decided<'a> {
    /// The resource after the change.
    Changed(Arc<Resource>),
    /// The resource, which the change leaves as it was.
    Unchanged(&'a Resource),
}

impl<'a> Decided<'a> {
    /// The outcome of giving the resource this body.
    fn of(resource: &'a Resource, body: Option<Body>) -> Self {
        if resource.body == body {
            return Self::Unchanged(resource);
        }
        let version = resource.version.saturating_add(1);
        Self::Changed(Arc::new(Resource { version, body, ..resource.clone() }))
    }
}

/// Decides what the system itself does to a clock; `None` if there is no such clock, or it was deleted.
#[must_use]
pub fn drive<'a>(
    wall: Timestamp,
    current: Option<&'a Resource>,
    command: &DriveClock,
) -> Option<Decided<'a>> {
    let resource = current.filter(|resource| resource.owner == command.owner)?;
    let clock = resource.body.as_ref()?.clock()?;
    Some(match command.action {
        ClockAction::Step { version, next_due } if version == resource.version => {
            let mut clock = clock.clone();
            clock.step(wall, next_due);
            Decided::of(resource, Some(Body::Clock(clock)))
        }
        ClockAction::Step { .. } => Decided::Unchanged(resource),
        ClockAction::Delete => Decided::of(resource, None),
    })
}

/// Decides a caller's change.
///
/// # Errors
/// A [`Rejection`] if the actor has no such resource, or the change is not possible.
pub fn decide<'a>(on: Situation<'a>, command: &ChangeResource) -> Result<Decided<'a>, Rejection> {
    let subject = command.subject;
    let missing = || Rejection::not_found(subject.kind().name(), subject);
    let mine = |resource: &&Resource| resource.owner == command.actor && !on.gone;
    let own = || on.current.filter(mine).ok_or_else(missing);
    let (resource, body) = match &command.change {
        Change::Create { clock, body } => return create(on, command, *clock, body),
        Change::Update(patch) => {
            let resource = own()?;
            let body = resource.body.as_ref().ok_or_else(missing)?;
            (resource, Some(body.patched(on.wall, patch)?))
        }
        Change::Delete => (own()?, None),
    };
    if resource.body.is_none() {
        return Err(missing());
    }
    Ok(Decided::of(resource, body))
}

fn create(
    on: Situation<'_>,
    command: &ChangeResource,
    clock: ClockId,
    body: &Body,
) -> Result<Decided<'static>, Rejection> {
    if on.closed {
        let message = format!("This account is closed: it has no {}s any more.", body.kind().name());
        return Err(Rejection::new(RejectionKind::State, "account_closed", message));
    }
    if on.gone {
        let message = format!("No such {}: '{clock}'", SubjectKind::Clock.name());
        return Err(Rejection::invalid("test_clock", "resource_missing", message));
    }
    if body.kind() == SubjectKind::Clock && on.count >= CLOCKS_MAX {
        let message = format!("An account may have {CLOCKS_MAX} test clocks: delete one first.");
        return Err(Rejection::new(RejectionKind::State, "test_clocks_exceeded", message));
    }
    if on.current.is_some() {
        return Err(Rejection::new(RejectionKind::Conflict, "resource_already_exists", "This id is taken."));
    }
    Ok(Decided::Changed(Arc::new(Resource {
        subject: command.subject,
        owner: command.actor,
        version: 1,
        clock,
        created: on.now,
        body: Some(body.clone()),
    })))
}
