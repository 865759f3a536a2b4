//! The filter of a list of payments, and the bounds on ids that follow from it. Pure.

use crate::domain::ids::{PaymentId, floor};
use crate::domain::payment::Payment;
use crate::domain::payment_kind::PaymentKind;
use crate::domain::time::Timestamp;

/// Which of an owner's payments to list.
#[derive(Debug, Clone, Default)]
pub struct PaymentFilter {
    /// Only these kinds; all if empty.
    pub kinds: Vec<PaymentKind>,
    /// Only payments older than this one.
    pub before: Option<PaymentId>,
    /// Only payments newer than this one; the page is then the oldest of those, still newest first.
    pub after: Option<PaymentId>,
    /// Created at or after.
    pub created_from: Option<Timestamp>,
    /// Created before.
    pub created_to: Option<Timestamp>,
    /// Also transfers that the owner received from others.
    pub received: bool,
    /// Only payments on test clocks. Bounds on time say nothing about their ids.
    pub by_test_clocks: bool,
    /// At most so many.
    pub limit: u32,
}

/// How long after its id a payment may be created, in milliseconds: it waits for the sequencer that long at most.
const DECIDED_WITHIN_MS: i64 = 2 * 60 * 1_000;

/// The most payments read together to find those created within bounds.
pub(super) const LOOKED_AT_MAX: i64 = 1_000;

impl PaymentFilter {
    /// Between which ids the payments are. Bounds on wall-clock time bound ids, since an id is made before its payment is created,
    /// and not long before. Each payment's own time is checked as well ([`Self::takes`]).
    #[must_use]
    pub fn id_bounds(&self) -> (Option<[u8; 16]>, Option<[u8; 16]>) {
        if self.by_test_clocks {
            return (None, None);
        }
        let moved = |at: Timestamp, ms: i64| Timestamp::from_micros(at.micros().saturating_add(ms * 1_000));
        let from = self.created_from.map(|from| floor(moved(from, -DECIDED_WITHIN_MS)));
        (from, self.created_to.map(|to| floor(moved(to, 1))))
    }

    /// Whether a payment was created within the bounds, and is on a test clock if only those are asked for.
    #[must_use]
    pub fn takes(&self, payment: &Payment) -> bool {
        let created = payment.created_at();
        self.created_from.is_none_or(|from| created >= from)
            && self.created_to.is_none_or(|to| created < to)
            && !(self.by_test_clocks && payment.clock().is_wall())
    }

    /// Whether there are bounds of time.
    #[must_use]
    pub const fn is_in_times(&self) -> bool {
        self.created_from.is_some() || self.created_to.is_some()
    }

    /// How many rows to read to find `wanted`: more in each round, if some of them may be outside the bounds on time.
    #[must_use]
    pub fn rows_looked_at(&self, wanted: i64, round: usize) -> i64 {
        if !self.is_in_times() {
            return wanted;
        }
        let doubled =
            u32::try_from(round).ok().and_then(|round| 1_i64.checked_shl(round)).unwrap_or(i64::MAX);
        wanted.saturating_mul(doubled).min(LOOKED_AT_MAX).max(wanted)
    }
}
