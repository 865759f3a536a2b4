//! What nothing else tells of what an account is told of: which request asked for it, and what a plain resource was before and
//! after, since it has no history. Kept beside the events, written once in the line.

use crate::domain::ids::AccountId;
use crate::domain::origin::Origin;
use crate::domain::resource::States;
use crate::domain::subject::Subject;
use crate::domain::time::Timestamp;

/// Where a source stands: whose it is, when that happened by its clock, to what, and the first version that came of it.
pub type SourcePlace = (AccountId, Timestamp, Subject, u32);

/// What is known of some events of one version. Kept as long as events of then are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventSource {
    /// Whose it is.
    pub owner: AccountId,
    /// When it happened.
    pub at: Timestamp,
    /// What it happened to.
    pub subject: Subject,
    /// The first version that came of it.
    pub version: u32,
    /// When it happened by the wall.
    pub wall: Timestamp,
    /// The request that asked for it, unless it came by itself, or from elsewhere.
    pub origin: Option<Origin>,
    /// What it was before and after, if it is a plain resource.
    pub states: Option<States>,
}

impl EventSource {
    /// Where it stands.
    #[must_use]
    pub const fn place(&self) -> SourcePlace {
        (self.owner, self.at, self.subject, self.version)
    }
}
