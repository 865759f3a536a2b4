//! A named lease in the store, held by one instance at a time: it guards what only one of them may do.
//!
//! May depend on `clock`, the ids of `domain`, the store's port and the errors of `background`. Must not know what a lease is for.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::background::StepError;
use crate::clock::Wall;
use crate::domain::ids::InstanceId;
use crate::domain::time::Timestamp;
use crate::store::{LeaseOutcome, PipelineStore, StoreError, StoreResult};

/// A lease is renewed once this part of its time has passed: a renewal may fail twice before it is lost.
const RENEW_AFTER_PART: u32 = 3;

/// A lease as one instance knows it. [`Self::hold`] takes it, and renews it when that is due. One that
/// is not released ends by itself, and another instance takes over.
pub struct Lease {
    store: Arc<dyn PipelineStore>,
    wall: Wall,
    name: &'static str,
    holder: InstanceId,
    ttl: Duration,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It was not asked for yet, or given back.
    Idle,
    /// It is ours, as of this moment, until then.
    Held { renewed: Instant, until: Timestamp },
    /// Another instance has it.
    Elsewhere(InstanceId),
}

impl Lease {
    /// A lease of this name for `holder`, which lasts for `ttl` from each renewal. Nothing is asked of the store yet.
    #[must_use]
    pub fn new(
        store: Arc<dyn PipelineStore>,
        wall: Wall,
        name: &'static str,
        holder: InstanceId,
        ttl: Duration,
    ) -> Self {
        Self { store, wall, name, holder, ttl, state: State::Idle }
    }

    /// How long after a renewal the next one is due.
    #[must_use]
    pub fn renew_every(&self) -> Duration {
        self.ttl / RENEW_AFTER_PART
    }

    /// Takes the lease, or renews it where that is due. Returns whether it is ours.
    ///
    /// # Errors
    /// The store's; nobody knows then whose it is, and it is asked for again the next time.
    pub async fn hold(&mut self) -> StoreResult<bool> {
        let (now, asked) = (self.wall.now(), Instant::now());
        if self.is_fresh(now) {
            return Ok(true);
        }
        let outcome = self.store.lease_take(self.name, self.holder, now, self.ttl).await?;
        self.state = match outcome {
            LeaseOutcome::Held { until } => State::Held { renewed: asked, until },
            LeaseOutcome::Taken { holder, .. } => State::Elsewhere(holder),
        };
        Ok(matches!(self.state, State::Held { .. }))
    }

    /// Whether it was renewed recently, both in elapsed time and on the wall clock that others compare it with: a wall clock that was
    /// put forward makes it end early, and one that was put back makes it last longer than a lease may.
    fn is_fresh(&self, now: Timestamp) -> bool {
        let State::Held { renewed, until } = self.state else { return false };
        let left_us = u128::from(until.micros_since(now));
        renewed.elapsed() < self.renew_every() && left_us > 0 && left_us <= self.ttl.as_micros()
    }

    /// Whether it is ours, as far as is known without asking the store.
    #[must_use]
    pub fn is_held(&self) -> bool {
        matches!(self.state, State::Held { renewed, .. } if renewed.elapsed() < self.ttl)
    }

    /// Who else has it, if that was the last answer.
    #[must_use]
    pub const fn other_holder(&self) -> Option<InstanceId> {
        match self.state {
            State::Elsewhere(holder) => Some(holder),
            State::Idle | State::Held { .. } => None,
        }
    }

    /// Renews it for as long as it can be had. Returns once another instance has it. Safe to cancel.
    ///
    /// # Errors
    /// The store's.
    pub async fn hold_until_lost(&mut self) -> StoreResult<()> {
        while self.hold().await? {
            tokio::time::sleep(self.renew_every()).await;
        }
        Ok(())
    }

    /// Forgets the last answer, because another instance was seen to have it: the next [`Self::hold`] asks the store.
    pub const fn forget(&mut self) {
        self.state = State::Idle;
    }

    /// Gives it back, if it is ours, so that another instance need not wait until it ends.
    pub async fn release(&mut self) {
        if !self.is_held() {
            return;
        }
        self.state = State::Idle;
        if let Err(error) = self.store.lease_release(self.name, self.holder).await {
            tracing::debug!(lease = self.name, error = %error, "a lease was not released; it ends by itself");
        }
    }
}

impl From<StoreError> for StepError {
    /// The store's adapter logs that it is unavailable.
    fn from(error: StoreError) -> Self {
        Self::new(error.is_transient(), &error)
    }
}
