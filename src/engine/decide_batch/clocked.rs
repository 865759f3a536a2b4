//! The times of a batch: the wall clock for most of its decisions, and the clocks that some of them follow. Pure.

use std::collections::HashMap;
use std::sync::Arc;

use super::books::Books;
use super::resources::Resources;
use crate::domain::clock::Clock;
use crate::domain::ids::{AccountId, ClockId};
use crate::domain::payment::Payment;
use crate::domain::resource::{Body, Resource};
use crate::domain::submission::Submission;
use crate::domain::time::Timestamp;
use crate::domain::timed::Timed;
use crate::store::BatchWrite;

/// When something is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    /// On the clock of its subject.
    pub at: Timestamp,
    /// On the wall clock.
    pub wall: Timestamp,
}

/// The clocks that the batch has loaded.
#[derive(Debug, Default)]
pub(super) struct Clocks(HashMap<ClockId, (AccountId, Arc<Clock>)>);

impl Clocks {
    pub const fn new(loaded: HashMap<ClockId, (AccountId, Arc<Clock>)>) -> Self {
        Self(loaded)
    }

    /// The clock as the batch has left it. `None` for the wall clock, for one that never was the owner's, and for one that is gone: it
    /// was deleted, or the account closed, and what followed it follows the wall clock from then on.
    pub fn get<'a>(
        &'a self,
        (books, resources): (&Books, &'a Resources),
        owner: AccountId,
        id: ClockId,
    ) -> Option<&'a Clock> {
        if id.is_wall() || books.account(owner).closed {
            return None;
        }
        match resources.get(id.into()) {
            Some(resource) if resource.owner != owner => None,
            Some(resource) => resource.body.as_ref()?.clock(),
            None => self.0.get(&id).filter(|(whose, _)| *whose == owner).map(|(_, clock)| clock.as_ref()),
        }
    }
}

/// The clock that a new payment follows: its customer's, else its account's.
pub(super) fn of_submission(books: &Books, resources: &Resources, submission: &Submission) -> ClockId {
    let customer = submission.customer.and_then(|customer| resources.get(customer.into()));
    customer.map_or_else(|| books.account(submission.owner).clock, |customer| customer.clock)
}

/// When something is decided about a payment that follows this clock. Its time never goes back, even if the clock is gone and the
/// wall clock is behind it.
pub(super) fn moment(clock: Option<&Clock>, payment: Option<&Payment>, wall: Timestamp) -> Moment {
    let shown = clock.map_or(wall, |clock| clock.at(wall));
    let last = payment.and_then(|payment| payment.history().last()).map(|recorded| recorded.at);
    Moment { at: last.map_or(shown, |last| last.max(shown)), wall }
}

/// When a timer is decided. What was due on a clock is decided at the time at which it was due, however late that is noticed, so
/// that waiting and a jump leave the same history.
pub(super) fn moment_due(clock: Option<&Clock>, payment: &Payment, wall: Timestamp) -> Moment {
    let now = moment(clock, Some(payment), wall);
    let due = clock.and_then(|_| payment.due_by_clock()).filter(|due| *due <= now.at);
    match due {
        Some(due) => {
            let last = payment.history().last().map_or(due, |recorded| recorded.at);
            Moment { at: due.max(last), wall }
        }
        None => now,
    }
}

/// Whether a clock that was created, changed or deleted has to be watched from now on: its time moves by itself, or what followed
/// it has to follow the wall clock. `None` for what is no clock.
pub(super) fn awake(resource: &Resource) -> Option<(ClockId, bool)> {
    let id = resource.subject.clock()?;
    Some((id, resource.body.as_ref().and_then(Body::clock).is_none_or(Clock::moves)))
}

/// Notes the changes of the rows by which timers find a payment. `now` is the clock that it follows now: the wall clock, once its
/// own is gone.
pub(super) fn note(before: Timed, payment: &Payment, now: ClockId, write: &mut BatchWrite) {
    let (id, gone, after) = (payment.id(), payment.clock() != now, Timed::of(payment, now));
    let ends = |before: Option<Timestamp>, after: Option<Timestamp>| before.is_some() && after.is_none();
    let row = |(clock, at)| (id, clock, at);
    // Which rows there are of a payment whose clock is gone depends on whether it has changed since.
    if gone || ends(before.by_wall, after.by_wall) || ends(before.by_clock, after.by_clock) {
        write.due.remove.push(id);
        write.due.put.extend(after.rows(now).map(row));
    } else {
        let other = |(clock, at): &(ClockId, Timestamp)| before.by(*clock) != Some(*at);
        write.due.put.extend(after.rows(now).filter(other).map(row));
    }
    match (before.busy, after.busy) {
        (false, true) => write.busy.put.push((id, now)),
        (true, false) => write.busy.remove.push(id),
        (true, true) | (false, false) => {}
    }
}
