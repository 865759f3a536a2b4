//! Timers: a payment's `due_at` is the only one. This turns what is due into commands, in the order of its time.
//!
//! One instance at a time does it (a lease); the others wait to take over. A timer that fires twice is a no-op.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::handle::{Engine, EngineError};
use super::writer::Clock;
use crate::domain::command::Command;
use crate::domain::ids::InstanceId;
use crate::domain::time::Timestamp;
use crate::outage::{Outage, Way};
use crate::store::{Lease, Store, StoreResult};

/// The name of the lease.
const LEASE: &str = "timers";
const LEASE_TTL: Duration = Duration::from_secs(6);
/// Renewed when less than this is left.
const LEASE_RENEW_MS: u64 = 3_000;
/// The longest sleep: other instances may bring earlier times that this one does not hear of.
const POLL_MAX: Duration = Duration::from_millis(500);
const POLL_MIN: Duration = Duration::from_millis(5);
const PAGE: u32 = 512;

/// Turns due times into commands.
pub struct Timers {
    store: Arc<dyn Store>,
    engine: Engine,
    clock: Clock,
    instance: InstanceId,
    /// The earliest `due_at` that this process has committed lately, in microseconds.
    earliest: watch::Receiver<i64>,
    /// Until when the lease is ours.
    lease_until: Timestamp,
    trouble: Outage,
}

impl Timers {
    /// Timers for this store. `earliest` is told of new due times, so that a short one is not slept over.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        engine: Engine,
        clock: Clock,
        instance: InstanceId,
        earliest: watch::Receiver<i64>,
    ) -> Self {
        Self {
            store,
            engine,
            clock,
            instance,
            earliest,
            lease_until: Timestamp::default(),
            trouble: Outage::new("the timers"),
        }
    }

    /// Runs until cancelled.
    pub async fn run(mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let sleep = match self.turn().await {
                Ok(sleep) => {
                    self.trouble.worked(Way::Read);
                    sleep
                }
                Err(error) => {
                    // The store's adapter logs that it is away.
                    if error.is_transient() {
                        tracing::debug!(error = %error, "timers could not be read");
                    } else {
                        self.trouble.failed(Way::Read, &error);
                    }
                    POLL_MAX
                }
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = tokio::time::sleep(sleep) => {}
                changed = self.earliest.changed() => if changed.is_err() { return },
            }
        }
        if let Err(error) = self.store.lease_release(LEASE, self.instance).await {
            tracing::debug!(error = %error, "the timers' lease was not released");
        }
    }

    /// One turn: renews the lease, fires what is due. Returns how long nothing needs to be done.
    async fn turn(&mut self) -> StoreResult<Duration> {
        let now = (self.clock)();
        if now.plus_ms(LEASE_RENEW_MS) > self.lease_until {
            match self.store.lease_take(LEASE, self.instance, now, LEASE_TTL).await? {
                Lease::Held { until } => self.lease_until = until,
                Lease::Taken { .. } => return Ok(POLL_MAX),
            }
        }
        let fired = self.fire_due(now).await?;
        if fired == usize::try_from(PAGE).unwrap_or(usize::MAX) {
            return Ok(Duration::ZERO);
        }
        let next = self.store.payment_next_due().await?;
        let wait_us = next.map_or(u64::MAX, |due: Timestamp| due.micros_since((self.clock)()));
        Ok(Duration::from_micros(wait_us).clamp(POLL_MIN, POLL_MAX))
    }

    /// Fires one page of what is due by `now`; returns how many.
    ///
    /// # Errors
    /// Whatever the store says.
    pub async fn fire_due(&self, now: Timestamp) -> StoreResult<usize> {
        let due = self.store.payment_due(now, PAGE).await?;
        let mut replies = Vec::with_capacity(due.len());
        for id in &due {
            match self.engine.answer(Command::TimerDue(*id)).await {
                Ok(reply) => replies.push(reply),
                Err(_) => return Ok(0),
            }
        }
        for reply in replies {
            match reply.await {
                Ok(Err(
                    error @ (EngineError::Busy | EngineError::Unavailable { .. } | EngineError::Stopping),
                )) => {
                    tracing::debug!(error = %error, "a timer waits");
                }
                Ok(Err(error @ EngineError::Refused(_))) => {
                    tracing::warn!(error = %error, "a timer had no effect")
                }
                Ok(Ok(_)) | Err(_) => {}
            }
        }
        Ok(due.len())
    }
}
