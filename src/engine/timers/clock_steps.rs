//! Drives test clocks. On a clock that runs, what is due is fired as its time comes. A clock that is being advanced goes from one due
//! time to the next, and waits at each until none of its work is under way. What followed a clock that is gone follows the wall
//! clock.
//!
//! Part of the timers: done by the instance that holds their lease. The progress of an advance is kept with the clock, so another
//! process goes on from there. A step names the version of the clock that it was chosen for, so a holder that has lost the lease
//! changes nothing.

use std::time::Duration;

use super::{Fired, POLL_MAX, POLL_MIN, Timers};
use crate::domain::clock::{Clock, ClockAction, ClockStatus, DriveClock, KEPT_MS};
use crate::domain::ids::ClockId;
use crate::domain::resource::{Body, Resource};
use crate::domain::time::Timestamp;
use crate::engine::answer::SystemError;
use crate::store::{AwakeClock, StoreResult};

/// Clocks looked at together.
const PAGE: u32 = 256;
/// How often clocks that are too old are looked for, in milliseconds.
const SWEEP_MS: u64 = 10 * 60 * 1_000;
/// How many steps a clock may take before the others have their turn.
const STEPS_MAX: u32 = 64;
/// The longest wait for a clock's work that is under way. Work that ends in this process notifies at once.
const BUSY_MAX: Duration = Duration::from_millis(250);

/// The clocks to be watched, as they were read.
pub(super) struct Watched {
    /// How often clocks may have changed by then.
    changes: u64,
    clocks: Vec<AwakeClock>,
}

/// What came of a clock's turn.
enum Turned {
    /// It needs no turn for this long.
    Wait(Duration),
    /// It may have changed unnoticed: it is to be read again.
    Doubtful,
    /// It need not be watched any more.
    AtRest,
}

impl Timers {
    /// Gives every watched clock its turn. Returns how long none needs another.
    pub(super) async fn turn_clocks(&mut self, now: Timestamp) -> StoreResult<Duration> {
        self.sweep(now).await?;
        // Before they are read: a change after this is read at the next turn.
        let changes = *self.news.borrow();
        if let Some(known) = self.watched.take().filter(|known| known.changes == changes) {
            let (wait, still) = self.turn_page(known).await?;
            self.watched = still;
            return Ok(wait);
        }
        let (mut wait, mut after) = (POLL_MAX, ClockId::WALL);
        // All of them, while they are few.
        let mut known = Some(Watched { changes, clocks: Vec::new() });
        loop {
            let clocks = self.store.clock_awake(after, PAGE).await?;
            // One that cannot be read makes a page shorter, so that only an empty one is the last.
            let Some(last) = clocks.iter().filter_map(|clock| clock.resource.subject.clock()).max() else {
                break;
            };
            let (next, still) = self.turn_page(Watched { changes, clocks }).await?;
            wait = wait.min(next);
            known = if after.is_wall() { still } else { None };
            after = last;
        }
        self.watched = known;
        Ok(wait)
    }

    /// Gives these clocks their turn. Returns how long none needs another, and those still to be watched; `None` if they are to be
    /// read again first.
    async fn turn_page(&mut self, mut page: Watched) -> StoreResult<(Duration, Option<Watched>)> {
        let (mut wait, mut sure) = (POLL_MAX, true);
        let mut left = Vec::with_capacity(page.clocks.len());
        for clock in page.clocks {
            let Some(id) = clock.resource.subject.clock() else { continue };
            match self.turn_clock(id, &clock).await? {
                Turned::Wait(next) => wait = wait.min(next),
                Turned::Doubtful => (wait, sure) = (wait.min(POLL_MIN), false),
                Turned::AtRest => continue,
            }
            left.push(clock);
        }
        page.clocks = left;
        Ok((wait, sure.then_some(page)))
    }

    async fn turn_clock(&mut self, id: ClockId, found: &AwakeClock) -> StoreResult<Turned> {
        match found.resource.body.as_ref().and_then(Body::clock).filter(|_| !found.closed) {
            Some(clock) => match clock.status() {
                ClockStatus::Advancing { target, .. } => {
                    self.advance(id, &found.resource, clock.clone(), target).await
                }
                ClockStatus::Ready => self.run_clock(id, clock).await,
            },
            None => self.wind_up(id).await,
        }
    }

    /// Fires what is due on a clock that runs.
    async fn run_clock(&mut self, id: ClockId, clock: &Clock) -> StoreResult<Turned> {
        let shown = clock.at(self.wall.now());
        match self.fire_due(id, shown).await? {
            Fired::All => {}
            Fired::Page => return Ok(Turned::Wait(Duration::ZERO)),
            Fired::InVain => return Ok(Turned::Wait(POLL_MAX)),
        }
        let next = self.store.payment_next_due(id, shown).await?;
        let then = next.and_then(|due| clock.segment().wall_of(due));
        let wait_us = then.map_or(u64::MAX, |wall| wall.micros_since(self.wall.now()));
        Ok(Turned::Wait(Duration::from_micros(wait_us).clamp(POLL_MIN, POLL_MAX)))
    }

    /// Fires on the wall clock what is due on a clock that is gone, and stops watching it once nothing is.
    async fn wind_up(&mut self, id: ClockId) -> StoreResult<Turned> {
        match self.fire_due(id, self.wall.now()).await? {
            Fired::Page => Ok(Turned::Wait(Duration::ZERO)),
            Fired::All if self.store.clock_rest(id).await? => Ok(Turned::AtRest),
            Fired::All | Fired::InVain => Ok(Turned::Wait(POLL_MAX)),
        }
    }

    /// Advances a clock towards `target` until some of its work is under way.
    async fn advance(
        &mut self,
        id: ClockId,
        resource: &Resource,
        mut clock: Clock,
        target: Timestamp,
    ) -> StoreResult<Turned> {
        let mut version = resource.version;
        for _ in 0..STEPS_MAX {
            if self.is_busy(id).await? {
                // As long again as it has waited by now.
                let waited = self.wall.now().micros_since(clock.segment().wall_from);
                return Ok(Turned::Wait(Duration::from_micros(waited).clamp(POLL_MIN, BUSY_MAX)));
            }
            let due = self.due_page(id, target).await?;
            let shown = clock.segment().at;
            let overdue = due.partition_point(|(_, at)| *at <= shown);
            if let Some(now) = due.get(..overdue).filter(|now| !now.is_empty()) {
                match self.fire(id, now).await? {
                    Fired::All | Fired::Page => continue,
                    Fired::InVain => return Ok(Turned::Wait(POLL_MAX)),
                }
            }
            let step = ClockAction::Step { version, next_due: due.first().map(|(_, at)| *at) };
            match self.drive(id, resource, step).await {
                Some(next) if next > version => version = next,
                // Somebody else has changed it, or the sequencer is unavailable.
                Some(_) | None => return Ok(Turned::Doubtful),
            }
            // As the sequencer has just done.
            clock.step(self.wall.now(), due.first().map(|(_, at)| *at));
            if clock.status() == ClockStatus::Ready {
                break;
            }
        }
        Ok(Turned::Wait(Duration::ZERO))
    }

    /// Whether any of a clock's work is under way. What is set aside is not waited for.
    async fn is_busy(&self, id: ClockId) -> StoreResult<bool> {
        let aside = self.store.aside();
        let limit = u32::try_from(aside.len()).unwrap_or(u32::MAX).saturating_add(1);
        let busy = self.store.clock_busy(id, limit).await?;
        Ok(busy.iter().any(|payment| !aside.holds(*payment)))
    }

    /// Has the sequencer apply an action to a clock. Returns its version then; `None` if it was not applied.
    async fn drive(&self, id: ClockId, clock: &Resource, action: ClockAction) -> Option<u32> {
        match self.engine.drive_clock(DriveClock { clock: id, owner: clock.owner, action }).await {
            Ok(done) => Some(done.version),
            Err(SystemError::Missing(_)) => {
                tracing::debug!(clock.id = %clock.subject, "a clock to be stepped is gone");
                None
            }
            Err(SystemError::Damaged(cause)) => {
                tracing::warn!(clock.id = %clock.subject, cause, "a clock cannot be read");
                None
            }
            Err(SystemError::Unavailable) => None,
        }
    }

    /// Deletes clocks that are kept no longer, now and then.
    async fn sweep(&mut self, now: Timestamp) -> StoreResult<()> {
        if now.micros_since(self.swept) < SWEEP_MS * 1_000 {
            return Ok(());
        }
        for clock in self.store.clock_made_before(now.minus_ms(KEPT_MS), PAGE).await? {
            let Some(id) = clock.subject.clock() else { continue };
            if self.drive(id, &clock, ClockAction::Delete).await.is_some() {
                tracing::info!(clock.id = %clock.subject, "a test clock was deleted, 30 days after it was made");
            }
        }
        self.swept = now;
        Ok(())
    }
}
