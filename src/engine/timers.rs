//! Timers: turns what is due on payments into commands, in the order of its time: on the wall clock, and on each test clock that
//! runs, is being advanced, or is gone (`clock_steps`).
//!
//! One instance at a time does it (a lease); the others wait to take over. A timer that fires twice is a no-op. What cannot
//! be fired is set aside, and holds up none of the others.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use super::answer::SystemError;
use super::handle::Engine;
use crate::background::{Next, Schedule, Step, StepError};
use crate::clock::Wall;
use crate::domain::command::SystemCommand;
use crate::domain::ids::{ClockId, InstanceId, PaymentId};
use crate::domain::time::Timestamp;
use crate::lease::Lease;
use crate::store::{AsideReason, PipelineStore, StoreResult};

mod clock_steps;

use clock_steps::Watched;

/// The name of the lease.
const LEASE: &str = "timers";
const LEASE_TTL: Duration = Duration::from_secs(6);
/// The longest sleep: other instances may bring earlier times of which this one is not notified.
const POLL_MAX: Duration = Duration::from_millis(500);
const POLL_MIN: Duration = Duration::from_millis(5);
/// When [`Timers`] are run, unless they say when something is due.
pub const SCHEDULE: Schedule = Schedule::every(POLL_MAX);
const PAGE: u32 = 512;
/// How often in a row a payment may be fired without changing. Once can be a race with another instance.
const IN_VAIN_MAX: u8 = 3;

/// Turns due times into commands.
pub struct Timers {
    store: Arc<dyn PipelineStore>,
    engine: Engine,
    wall: Wall,
    /// Notifies of this process's commits that concern timers; the number moves whenever clocks may have changed.
    news: watch::Receiver<u64>,
    /// The clocks to be watched, as long as the list is known to be current.
    watched: Option<Watched>,
    lease: Lease,
    /// The payments fired last on each clock, with their versions and how often that changed nothing.
    fired: HashMap<ClockId, HashMap<PaymentId, (u32, u8)>>,
    /// When clocks that are too old were last looked for.
    swept: Timestamp,
}

impl Timers {
    /// Timers for this store. `news` wakes them when something has become due, so that they do not sleep past a short time, and when
    /// something that a clock may wait for has happened; its number counts how often clocks may have changed.
    #[must_use]
    pub fn new(
        store: Arc<dyn PipelineStore>,
        engine: Engine,
        wall: Wall,
        instance: InstanceId,
        news: watch::Receiver<u64>,
    ) -> Self {
        let lease = Lease::new(Arc::clone(&store), wall.clone(), LEASE, instance, LEASE_TTL);
        Self {
            store,
            engine,
            wall,
            news,
            watched: None,
            lease,
            fired: HashMap::new(),
            swept: Timestamp::default(),
        }
    }

    /// Fires what is due. Returns how long nothing needs to be done.
    async fn turn(&mut self, now: Timestamp) -> StoreResult<Duration> {
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

    /// What is due on a clock at or before `upto`, earliest first, at most a page; what is set aside is left out.
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
    /// The store's.
    async fn fire_due(&mut self, clock: ClockId, now: Timestamp) -> StoreResult<Fired> {
        let due = self.due_page(clock, now).await?;
        self.fire(clock, &due).await
    }

    /// Fires these payments, each of which has something due on the clock.
    ///
    /// # Errors
    /// The store's.
    async fn fire(&mut self, clock: ClockId, due: &[(PaymentId, Timestamp)]) -> StoreResult<Fired> {
        let mut replies = Vec::with_capacity(due.len());
        for (id, _) in due {
            match self.engine.answer(SystemCommand::TimerDue(*id)).await {
                Ok(reply) => replies.push((*id, reply)),
                Err(_) => return Ok(Fired::InVain),
            }
        }
        let mut away = false;
        let mut fired = HashMap::with_capacity(replies.len());
        for (id, reply) in replies {
            match reply.outcome().await {
                Ok(done) => self.note_fired(clock, &mut fired, id, done.version),
                Err(SystemError::Damaged(cause)) => {
                    self.store.aside().note_payment(id, AsideReason::Undecidable, &cause);
                }
                Err(error @ SystemError::Missing(_)) => {
                    tracing::warn!(payment.id = %id, error = %error, "a timer had no effect");
                    self.note_fired(clock, &mut fired, id, 0);
                }
                Err(SystemError::Unavailable) => away = true,
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

#[async_trait]
impl Step for Timers {
    async fn run(&mut self) -> Result<Next, StepError> {
        if self.lease.hold().await? {
            let now = self.wall.now();
            return Ok(Next::After(self.turn(now).await?));
        }
        self.watched = None;
        Ok(Next::Scheduled)
    }

    async fn signalled(&mut self) {
        if self.news.changed().await.is_err() {
            // Nobody commits any more.
            std::future::pending().await
        }
    }

    async fn finish(&mut self) {
        self.lease.release().await;
    }
}

/// What came of a page of due payments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fired {
    /// Nothing else is due.
    All,
    /// There may be more.
    Page,
    /// The sequencer could not be asked.
    InVain,
}
