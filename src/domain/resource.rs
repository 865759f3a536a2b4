//! Plain resources: a current row with a version, changed in the ordered line and decided here. Pure.
//!
//! A kind of resource adds a variant to [`Body`] and to [`Patch`], and to the registry of kinds
//! ([`SubjectKind`]). Loading, locking, versions, idempotency, the journal and lists are the same for all.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::clock::{CLOCKS_MAX, Clock, ClockPatch};
use super::customer::{Customer, CustomerPatch};
use super::idempotency::IdempotencyKey;
use super::ids::{AccountId, ClockId};
use super::rejection::{Rejection, RejectionKind};
use super::subject::{Subject, SubjectKind};
use super::time::Timestamp;

/// The most bytes of an answer that is kept for a key. What a resource holds is bounded where it is read, far below.
pub const ANSWER_BYTES_MAX: usize = 512 << 10;

/// What a resource is, by kind.
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
    /// Which kind it is of.
    #[must_use]
    pub const fn kind(&self) -> SubjectKind {
        match self {
            Self::Customer(_) => SubjectKind::Customer,
            Self::Clock(_) => SubjectKind::Clock,
        }
    }

    /// What the patch makes of it.
    ///
    /// # Errors
    /// What the patch asks for cannot be.
    fn patched(&self, on: Situation<'_>, version: u32, patch: &Patch) -> Result<Self, Rejection> {
        match (self, patch) {
            (Self::Customer(customer), Patch::Customer(patch)) => customer.patched(patch).map(Self::Customer),
            (Self::Clock(clock), Patch::Clock(patch)) => {
                clock.patched(on.wall, version, *patch).map(Self::Clock)
            }
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

/// What a request changes, by kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Patch {
    /// Of a customer.
    Customer(Box<CustomerPatch>),
    /// Of a test clock.
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
    /// Which.
    pub subject: Subject,
    /// Whose.
    pub owner: AccountId,
    /// How often it was changed, its making included.
    pub version: u32,
    /// The clock it lives by.
    pub clock: ClockId,
    /// When it was made, by its clock.
    pub created: Timestamp,
    /// What it is; `None` once it is deleted.
    pub body: Option<Body>,
}

impl Resource {
    /// The clock it lives by, unless that is the wall's.
    #[must_use]
    pub fn lives_by(&self) -> Option<ClockId> {
        Some(self.clock).filter(|clock| *clock != ClockId::WALL)
    }

    /// About how many bytes it holds in memory.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.body.as_ref().map_or(0, Body::text_bytes)
    }
}

/// A resource before and after a change: what an event of it shows. Serialised as an array: new fields go to the end with a
/// default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct States {
    /// The clock it lives by.
    pub clock: ClockId,
    /// When it was made, by its clock.
    pub created: Timestamp,
    /// What it was; `None` for one that is new.
    pub before: Option<Body>,
    /// What it is from then on; `None` once it is deleted.
    pub after: Option<Body>,
}

impl States {
    /// The stored form.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        // Nothing in it can fail to be written.
        rmp_serde::to_vec(self).unwrap_or_default()
    }

    /// Reads [`Self::to_bytes`] back.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        rmp_serde::from_slice(bytes).ok()
    }
}

/// What is to happen to a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It is made.
    Create {
        /// The clock it will live by.
        clock: ClockId,
        /// What it is.
        body: Box<Body>,
    },
    /// It is changed.
    Update(Patch),
    /// It is deleted. Its row stays, empty, so that what names it finds something.
    Delete,
}

/// How the answer to a change is written. Pure: it is written once, with the change, and repeated as it is.
#[derive(Clone)]
pub struct AnswerForm(Arc<Writes>);

type Writes = dyn Fn(&Resource) -> Vec<u8> + Send + Sync;

impl AnswerForm {
    /// An answer written by this function.
    pub fn new(form: impl Fn(&Resource) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self(Arc::new(form))
    }

    /// Writes it.
    ///
    /// # Errors
    /// It has more bytes than are kept.
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
    /// Which.
    pub subject: Subject,
    /// Who asks; anyone but the owner is told that there is no such thing.
    pub actor: AccountId,
    /// What.
    pub change: Change,
    /// How the caller is answered; `None` for callers that need to know no more than that it is done.
    pub answer: Option<AnswerForm>,
    /// The caller's idempotency key.
    pub idempotency: Option<IdempotencyKey>,
}

impl ChangeResource {
    /// What it takes up beside its own size.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        match &self.change {
            Change::Create { body, .. } => body.text_bytes(),
            Change::Update(patch) => patch.text_bytes(),
            Change::Delete => 0,
        }
    }
}

/// What a change is decided on.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// The time by the clock that the resource lives by.
    pub now: Timestamp,
    /// The wall.
    pub wall: Timestamp,
    /// Whether the clock that the resource lives by is gone, and the resource with it.
    pub gone: bool,
    /// How many of its kind the actor has, where their number is bounded.
    pub count: u32,
    /// Whether the actor's account is closed.
    pub closed: bool,
    /// The resource as it is; `None` if there is none.
    pub current: Option<&'a Resource>,
}

/// Decides a change. `None` where there is nothing to change.
///
/// # Errors
/// A [`Rejection`] if there is no such thing for the actor, or what is asked for cannot be.
pub fn decide(on: Situation<'_>, command: &ChangeResource) -> Result<Option<Resource>, Rejection> {
    let subject = command.subject;
    let missing = || Rejection::not_found(subject.kind().name(), subject);
    let mine = |resource: &&Resource| resource.owner == command.actor && !on.gone;
    let own = || on.current.filter(mine).ok_or_else(missing);
    let (resource, body) = match &command.change {
        Change::Create { clock, body } => return create(on, command, *clock, body).map(Some),
        Change::Update(patch) => {
            let resource = own()?;
            let body = resource.body.as_ref().ok_or_else(missing)?;
            (resource, Some(body.patched(on, resource.version, patch)?))
        }
        Change::Delete => (own()?, None),
    };
    if resource.body.is_none() {
        return Err(missing());
    }
    let changed = resource.body != body;
    Ok(changed.then(|| Resource { version: resource.version.saturating_add(1), body, ..resource.clone() }))
}

fn create(
    on: Situation<'_>,
    command: &ChangeResource,
    clock: ClockId,
    body: &Body,
) -> Result<Resource, Rejection> {
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
    Ok(Resource {
        subject: command.subject,
        owner: command.actor,
        version: 1,
        clock,
        created: on.now,
        body: Some(body.clone()),
    })
}
