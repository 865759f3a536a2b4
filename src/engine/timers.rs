//! Timers: this turns what is due of payments into commands, in the order of its time: by the wall, and by each test clock that
//! runs, is on its way, or is gone (`clock_steps`).
//!
//! One instance at a time does it (a lease); the others wait to take over. A timer that fires twice is a no-op. What cannot
//! be fired is set aside, and holds up none of the others.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::answer::EngineError;
use super::handle::Engine;
use crate::clock::Wall;
use crate::domain::command::Command;
use crate::domain::ids::{ClockId, InstanceId, PaymentId};
use crate::domain::time::Timestamp;
use crate::outage::{Outage, Way};
use crate::store::{AsideReason, Lease, Store, StoreResult};

mod clock_steps;

use clock_steps::Watched;

/// The name of the lease.
const LEASE: &str = "timers";
const LEASE_TTL: Duration = Duration::from_secs(6);
/// Renewed when less than this is left.
const LEASE_RENEW_MS: u64 = 3_000;
/// The longest sleep: other instances may bring earlier times that this one does not hear of.
const POLL_MAX: Duration = Duration::from_millis(500);
const POLL_MIN: Duration = Duration::from_millis(5);
const PAGE: u32 = 512;
/// How often in a row a payment may be fired without changing. Once can be a race with another instance.
const IN_VAIN_MAX: u8 = 3;

/// Turns due times into commands.
pub struct Timers {
    store: Arc<dyn Store>,
    engine: Engine,
    wall: Wall,
    instance: InstanceId,
    /// Tells of what this process has committed and concerns timers; the number moves whenever clocks may have changed.
    news: watch::Receiver<u64>,
    /// The clocks that have to be looked after, as long as that is known to be so.
    watched: Option<Watched>,
    /// Until when the lease is ours.
    lease_until: Timestamp,
    trouble: Outage,
    /// The payments fired last on each clock, with their versions and how often that changed nothing.
    fired: HashMap<ClockId, HashMap<PaymentId, (u32, u8)>>,
    /// When clocks that are too old were last looked for.
    swept: Timestamp,
}

impl Timers {
    /// Timers for this store. `news` wakes them where something has become due, so that a short time is not slept over, and where
    /// something has happened that a clock may have waited for; its number counts how often clocks may have changed.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        engine: Engine,
        wall: Wall,
        instance: InstanceId,
        news: watch::Receiver<u64>,
    ) -> Self {
        Self {
            store,
            engine,
            wall,
            instance,
            news,
            watched: None,
            lease_until: Timestamp::default(),
            trouble: Outage::new("the timers"),
            fired: HashMap::new(),
            swept: Timestamp::default(),
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
                changed = self.news.changed() => if changed.is_err() { return },
            }
        }
        if let Err(error) = self.store.lease_release(LEASE, self.instance).await {
            tracing::debug!(error = %error, "the timers' lease was not released");
        }
    }

    /// One turn: renews the lease, fires what is due. Returns how long nothing needs to be done.
    async fn turn(&mut self) -> StoreResult<Duration> {
        let now = self.wall.now();
        let left_us = u128::from(self.lease_until.micros_since(now));
        // More than a lease has to begin with: the clock was put back.
        if left_us < u128::from(LEASE_RENEW_MS) * 1_000 || left_us > LEASE_TTL.as_micros() {
            match self.store.lease_take(LEASE, self.instance, now, LEASE_TTL).await? {
                Lease::Held { until } => self.lease_until = until,
                Lease::Taken { .. } => {
                    self.watched = None;
                    return Ok(POLL_MAX);
                }
            }
        }
        let of_wall = self.fire_due(ClockId::WALL, now).await?;
        let of_clocks = self.turn_clocks(now).await?;
        match of_wall {
            Fired::All => {}
            Fired::Page => return Ok(Duration::ZERO),
            Fired::InVain => return Ok(POLL_MAX),
        }
        // What is still due is set aside, or was not there yet: the next turn sees it.
        let next = self.store.payment_next_due(ClockId::WALL, now).await?;
        let wait_us = next.map_or(u64::MAX, |due: Timestamp| due.micros_since(self.wall.now()));
        Ok(Duration::from_micros(wait_us).clamp(POLL_MIN, POLL_MAX).min(of_clocks))
    }

    /// What is due on a clock at or before a time, earliest first, at most a page; what is set aside is left out.
    async fn due_page(&self, clock: ClockId, upto: Timestamp) -> StoreResult<Vec<(PaymentId, Timestamp)>> {
        let aside = self.store.aside();
        // Room for those set aside, which are the first ones due.
        let limit = PAGE.saturating_add(u32::try_from(aside.len()).unwrap_or(0));
        let mut due = self.store.payment_due(clock, upto, limit).await?;
        due.retain(|(id, _)| !aside.holds(*id));
        due.truncate(usize::try_from(PAGE).unwrap_or(usize::MAX));
        Ok(due)
    }

    /// Fires one page of what is due on a clock by `now`.
    ///
    /// # Errors
    /// Whatever the store says.
    async fn fire_due(&mut self, clock: ClockId, now: Timestamp) -> StoreResult<Fired> {
        let due = self.due_page(clock, now).await?;
        self.fire(clock, &due).await
    }

    /// Fires these payments, of which something is due on a clock.
    ///
    /// # Errors
    /// Whatever the store says.
    async fn fire(&mut self, clock: ClockId, due: &[(PaymentId, Timestamp)]) -> StoreResult<Fired> {
        let mut replies = Vec::with_capacity(due.len());
        for (id, _) in due {
            match self.engine.answer(Command::TimerDue(*id)).await {
                Ok(reply) => replies.push((*id, reply)),
                Err(_) => return Ok(Fired::InVain),
            }
        }
        let mut away = false;
        let mut fired = HashMap::with_capacity(replies.len());
        for (id, reply) in replies {
            match reply.outcome().await {
                Ok(done) => self.note_fired(clock, &mut fired, id, done.version),
                Err(EngineError::Damaged(cause)) => {
                    self.store.aside().note_payment(id, AsideReason::Undecidable, &cause);
                }
                Err(error @ EngineError::Refused(_)) => {
                    tracing::warn!(payment.id = %id, error = %error, "a timer had no effect");
                    self.note_fired(clock, &mut fired, id, 0);
                }
                Err(EngineError::Busy | EngineError::Unavailable { .. } | EngineError::Stopping) => {
                    away = true
                }
            }
        }
        if fired.is_empty() {
            self.fired.remove(&clock);
        } else {
            self.fired.insert(clock, fired);
        }
        let full = due.len() == usize::try_from(PAGE).unwrap_or(usize::MAX);
        Ok(if away {
            Fired::InVain
        } else if full {
            Fired::Page
        } else {
            Fired::All
        })
    }

    /// Remembers that a payment was fired and at which version it is. One that is due again and again without anything
    /// changing is set aside: its row says that it is due, and its history does not.
    fn note_fired(
        &self,
        clock: ClockId,
        fired: &mut HashMap<PaymentId, (u32, u8)>,
        id: PaymentId,
        version: u32,
    ) {
        let last = self.fired.get(&clock).and_then(|last| last.get(&id));
        let before = last.filter(|(earlier, _)| *earlier == version);
        let times = before.map_or(0, |(_, times)| times + 1);
        if times >= IN_VAIN_MAX {
            let cause = "it is due, and nothing about it is";
            self.store.aside().note_payment(id, AsideReason::Undecidable, cause);
        } else {
            fired.insert(id, (version, times));
        }
    }
}

/// What came of a page of due payments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fired {
    /// Nothing else is due.
    All,
    /// There may be more.
    Page,
    /// The line could not be asked.
    InVain,
}
