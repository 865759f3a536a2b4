//! Parts of payments that have ids of their own: where each is told, so that it is found by its id and listed in order.

use crate::domain::ids::{AccountId, PartId, PaymentId};
use crate::domain::time::Timestamp;

/// What a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PartKind {
    /// The charge of a later attempt; that of the first has its payment's id and no row.
    Charge,
    /// A refund.
    Refund,
    /// A dispute.
    Dispute,
    /// A transfer taken back.
    Reversal,
}

impl PartKind {
    /// The number stored in the database. Never renumbered.
    #[must_use]
    pub const fn to_code(self) -> i16 {
        match self {
            Self::Charge => 1,
            Self::Refund => 2,
            Self::Dispute => 3,
            Self::Reversal => 4,
        }
    }

    /// Reads it back.
    #[must_use]
    pub fn from_code(code: i16) -> Option<Self> {
        [Self::Charge, Self::Refund, Self::Dispute, Self::Reversal]
            .into_iter()
            .find(|kind| kind.to_code() == code)
    }

    /// The prefix under which the dialect shows its ids.
    #[must_use]
    pub const fn id_prefix(self) -> &'static str {
        match self {
            Self::Charge => "ch_",
            Self::Refund => "re_",
            Self::Dispute => "dp_",
            Self::Reversal => "trr_",
        }
    }
}

/// A part as the store knows it: where to find the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartRecord {
    /// Its id.
    pub id: PartId,
    /// Whose payment it is of.
    pub owner: AccountId,
    /// When it was admitted.
    pub created: Timestamp,
    /// The payment whose history tells it.
    pub payment: PaymentId,
    /// What it is.
    pub kind: PartKind,
}

/// Which parts of one kind of an owner.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PartFilter {
    /// Only parts older than this one.
    pub before: Option<PartId>,
    /// Only parts newer than this one; the page is then the oldest of those, still newest first.
    pub after: Option<PartId>,
    /// Created at or after.
    pub created_from: Option<Timestamp>,
    /// Created before.
    pub created_to: Option<Timestamp>,
    /// At most so many.
    pub limit: u32,
}

impl PartFilter {
    /// By how much the time in an id, which is made before a part is admitted, may be off from when that was: bounds of ids
    /// are wider than those of time by so much.
    pub const ID_TOLERANCE_MS: u64 = 120_000;

    /// Whether a part is one of them.
    #[must_use]
    pub fn takes(&self, id: PartId, created: Timestamp) -> bool {
        self.before.is_none_or(|before| id < before)
            && self.after.is_none_or(|after| id > after)
            && self.is_in_time(created)
    }

    /// Whether there are bounds of time.
    #[must_use]
    pub const fn is_in_times(&self) -> bool {
        self.created_from.is_some() || self.created_to.is_some()
    }

    /// Whether something created then is within the bounds of time.
    #[must_use]
    pub fn is_in_time(&self, created: Timestamp) -> bool {
        self.created_from.is_none_or(|from| created >= from) && self.created_to.is_none_or(|to| created < to)
    }
}
