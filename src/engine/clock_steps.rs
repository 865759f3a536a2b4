//! Test clocks, driven: what is due on one that runs is fired as its time comes; one that is being advanced goes from one time at
//! which something is due to the next, and waits at each until nothing of it is under way any more; what went by one that is gone
//! goes by the wall.
//!
//! Part of the timers, and done by whichever instance holds their lease. Where an advance stands is kept with the clock: another
//! process goes on from there. A step names the version of the clock that it was found right for, so that a holder that has lost
//! the lease meanwhile changes nothing.

use std::time::Duration;

use super::handle::EngineError;
use super::timers::{Fired, POLL_MAX, POLL_MIN, Timers};
use crate::domain::clock::{Clock, ClockPatch, ClockStatus, KEPT_MS};
use crate::domain::ids::ClockId;
use crate::domain::resource::{Body, Change, ChangeResource, Patch, Resource};
use crate::domain::time::Timestamp;
use crate::store::{AwakeClock, StoreResult};

/// Clocks looked at together.
const PAGE: u32 = 256;
/// How often clocks that are too old are looked for, in milliseconds.
const SWEEP_MS: u64 = 10 * 60 * 1_000;
/// How many steps a clock may take before the others have their turn.
const STEPS_MAX: u32 = 64;

impl Timers {
    /// Looks after every clock that needs it. Returns how long none will.
    pub(super) async fn turn_clocks(&mut self, now: Timestamp) -> StoreResult<Duration> {
        self.sweep(now).await?;
        let (mut wait, mut after) = (POLL_MAX, ClockId::WALL);
        loop {
            let page = self.store.clock_awake(after, PAGE).await?;
            for clock in &page {
                if let Some(id) = clock.resource.subject.clock() {
                    wait = wait.min(self.turn_clock(id, clock).await?);
                    after = after.max(id);
                }
            }
            if page.len() < usize::try_from(PAGE).unwrap_or(usize::MAX) {
                return Ok(wait);
            }
        }
    }

    async fn turn_clock(&mut self, id: ClockId, found: &AwakeClock) -> StoreResult<Duration> {
        match &found.resource.body {
            Some(Body::Clock(clock)) if !found.closed => match clock.status() {
                ClockStatus::Advancing { target, .. } => {
                    self.advance(id, &found.resource, clock.clone(), target).await
                }
                ClockStatus::Ready => self.run_clock(id, clock).await,
            },
            Some(Body::Clock(_) | Body::Customer(_)) | None => self.wind_up(id).await,
        }
    }

    /// Fires what is due on a clock that runs.
    async fn run_clock(&mut self, id: ClockId, clock: &Clock) -> StoreResult<Duration> {
        let shown = clock.at(self.wall.now());
        match self.fire_due(id, shown).await? {
            Fired::All => {}
            Fired::Page => return Ok(Duration::ZERO),
            Fired::InVain => return Ok(POLL_MAX),
        }
        let next = self.store.payment_next_due(id, shown).await?;
        let then = next.and_then(|due| clock.segment().wall_of(due));
        let wait_us = then.map_or(u64::MAX, |wall| wall.micros_since(self.wall.now()));
        Ok(Duration::from_micros(wait_us).clamp(POLL_MIN, POLL_MAX))
    }

    /// Fires by the wall what is due on a clock that is gone, and looks after it no longer once nothing is.
    async fn wind_up(&mut self, id: ClockId) -> StoreResult<Duration> {
        match self.fire_due(id, self.wall.now()).await? {
            Fired::Page => Ok(Duration::ZERO),
            Fired::All => {
                self.store.clock_rest(id).await?;
                Ok(POLL_MAX)
            }
            Fired::InVain => Ok(POLL_MAX),
        }
    }

    /// Takes a clock on its way to `target` as far as it goes before something of it is under way.
    async fn advance(
        &mut self,
        id: ClockId,
        resource: &Resource,
        mut clock: Clock,
        target: Timestamp,
    ) -> StoreResult<Duration> {
        let mut version = resource.version;
        for _ in 0..STEPS_MAX {
            if self.is_busy(id).await? {
                return Ok(POLL_MIN);
            }
            let due = self.due_page(id, target).await?;
            let shown = clock.segment().at;
            let overdue = due.partition_point(|(_, at)| *at <= shown);
            if let Some(now) = due.get(..overdue).filter(|now| !now.is_empty()) {
                match self.fire(id, now).await? {
                    Fired::All | Fired::Page => continue,
                    Fired::InVain => return Ok(POLL_MAX),
                }
            }
            let step = ClockPatch::Step { version, next_due: due.first().map(|(_, at)| *at) };
            let change = Change::Update(Patch::Clock(step));
            match self.take_step(resource, change).await {
                Some(next) if next > version => version = next,
                // Somebody else has changed it, or the line is away: the next turn reads it again.
                Some(_) | None => return Ok(POLL_MIN),
            }
            // As the line has just done.
            clock.step(self.wall.now(), due.first().map(|(_, at)| *at));
            if clock.status() == ClockStatus::Ready {
                return Ok(Duration::ZERO);
            }
        }
        Ok(Duration::ZERO)
    }

    /// Whether anything of a clock is under way. What is set aside is nobody's to wait for.
    async fn is_busy(&self, id: ClockId) -> StoreResult<bool> {
        let aside = self.store.aside();
        let limit = u32::try_from(aside.len()).unwrap_or(u32::MAX).saturating_add(1);
        let busy = self.store.clock_busy(id, limit).await?;
        Ok(busy.iter().any(|payment| !aside.holds(*payment)))
    }

    /// Has the line change a clock. Its version then; `None` if it did not.
    async fn take_step(&self, clock: &Resource, change: Change) -> Option<u32> {
        let (subject, actor) = (clock.subject, clock.owner);
        let command = ChangeResource { subject, actor, change, answer: None, idempotency: None };
        match self.engine.change_later(command).await {
            Ok(changed) => Some(changed.version),
            Err(EngineError::Refused(refusal)) => {
                tracing::debug!(clock.id = %subject, error = %refusal, "a clock took no step");
                None
            }
            Err(EngineError::Damaged(cause)) => {
                tracing::warn!(clock.id = %subject, cause, "a clock cannot be read");
                None
            }
            Err(EngineError::Busy | EngineError::Unavailable { .. } | EngineError::Stopping) => None,
        }
    }

    /// Deletes clocks that are kept no longer, now and then.
    async fn sweep(&mut self, now: Timestamp) -> StoreResult<()> {
        if now.micros_since(self.swept) < SWEEP_MS * 1_000 {
            return Ok(());
        }
        for clock in self.store.clock_made_before(now.minus_ms(KEPT_MS), PAGE).await? {
            if self.take_step(&clock, Change::Delete).await.is_some() {
                tracing::info!(clock.id = %clock.subject, "a test clock was deleted, 30 days after it was made");
            }
        }
        self.swept = now;
        Ok(())
    }
}
