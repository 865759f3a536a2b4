//! A clock: the time that an account's own payments go by, instead of the wall. It may stand still, run at another speed, and be
//! set forward; it never goes back, whatever is done to it.
//!
//! Only its current segment is kept: from a moment of the wall on it shows a time and runs at a rate. While it is being
//! advanced it stands still at each time at which something is due, until that is done (see [`Clock::step`]), so that a jump
//! leaves the same histories as waiting.

use super::ids::{AccountId, ClockId};
use super::refusal::{Refusal, RefusalKind};
use super::time::Timestamp;

/// The fastest a clock may run, as a multiple of the wall: a day in about a minute and a half.
pub const SPEED_MAX: u32 = 1_000;

/// How a clock runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rate {
    /// It stands still until it is set forward.
    Frozen,
    /// So many times as fast as the wall, at most [`SPEED_MAX`].
    Times(u32),
}

impl Rate {
    /// The rate of this speed; zero stands still. `None` past the bound.
    #[must_use]
    pub fn of_speed(speed: u32) -> Option<Self> {
        match speed {
            0 => Some(Self::Frozen),
            1..=SPEED_MAX => Some(Self::Times(speed)),
            _ => None,
        }
    }

    const fn speed(self) -> u32 {
        match self {
            Self::Frozen => 0,
            Self::Times(speed) => speed,
        }
    }
}

/// From a moment of the wall on, what a clock shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Since when, by the wall.
    pub wall_from: Timestamp,
    /// What it showed then.
    pub at: Timestamp,
    /// How it has run since.
    pub rate: Rate,
}

impl Segment {
    /// What it shows at this moment of the wall. A wall from before it began shows its beginning.
    #[must_use]
    pub fn at(&self, wall: Timestamp) -> Timestamp {
        let passed = i128::from(wall.micros_since(self.wall_from)) * i128::from(self.rate.speed());
        let shown = i128::from(self.at.micros()).saturating_add(passed);
        Timestamp::from_micros(i64::try_from(shown).unwrap_or(i64::MAX))
    }

    /// The first moment of the wall at which it shows this time or a later one; `None` if it never does by itself.
    #[must_use]
    pub fn wall_of(&self, at: Timestamp) -> Option<Timestamp> {
        let ahead = at.micros_since(self.at);
        let passed = match self.rate {
            _ if ahead == 0 => 0,
            Rate::Frozen => return None,
            Rate::Times(speed) => ahead.div_ceil(u64::from(speed.max(1))),
        };
        let wall = self.wall_from.micros().saturating_add(i64::try_from(passed).unwrap_or(i64::MAX));
        Some(Timestamp::from_micros(wall))
    }
}

/// What a clock is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockStatus {
    /// It shows its segment's time.
    Ready,
    /// It is on its way, from one time at which something is due to the next.
    Advancing {
        /// Where to.
        target: Timestamp,
        /// How it goes on from there.
        then: Rate,
    },
}

/// A clock of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clock {
    /// Its id.
    pub id: ClockId,
    /// Whose it is.
    pub owner: AccountId,
    /// What its owner calls it.
    pub name: Option<String>,
    segment: Segment,
    status: ClockStatus,
}

/// What to do next about a clock that is being advanced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It stands at this time; what is due by then is to be decided.
    At(Timestamp),
    /// It has arrived.
    Arrived,
}

impl Clock {
    /// A new clock that stands still at this time, be it past or future.
    #[must_use]
    pub const fn frozen(
        id: ClockId,
        owner: AccountId,
        name: Option<String>,
        wall: Timestamp,
        at: Timestamp,
    ) -> Self {
        let segment = Segment { wall_from: wall, at, rate: Rate::Frozen };
        Self { id, owner, name, segment, status: ClockStatus::Ready }
    }

    /// A clock as it was kept.
    #[must_use]
    pub const fn restored(
        id: ClockId,
        owner: AccountId,
        name: Option<String>,
        segment: Segment,
        status: ClockStatus,
    ) -> Self {
        Self { id, owner, name, segment, status }
    }

    /// What it shows at this moment of the wall.
    #[must_use]
    pub fn at(&self, wall: Timestamp) -> Timestamp {
        self.segment.at(wall)
    }

    /// Its current segment.
    #[must_use]
    pub const fn segment(&self) -> Segment {
        self.segment
    }

    /// What it is doing.
    #[must_use]
    pub const fn status(&self) -> ClockStatus {
        self.status
    }

    /// Lets it run at another rate from now on.
    ///
    /// # Errors
    /// While it is being advanced.
    pub fn set_rate(&mut self, wall: Timestamp, rate: Rate) -> Result<(), Refusal> {
        self.ready()?;
        self.segment = Segment { wall_from: wall, at: self.at(wall), rate };
        Ok(())
    }

    /// Sets it forward. It stands still until [`Self::step`] has taken it there, and then runs as it did.
    ///
    /// # Errors
    /// While it is being advanced, and to a time that it has passed already.
    pub fn advance(&mut self, wall: Timestamp, target: Timestamp) -> Result<(), Refusal> {
        self.ready()?;
        let at = self.at(wall);
        if target <= at {
            let message = "A clock can only be advanced to a time after the one it shows.";
            return Err(Refusal::invalid("frozen_time", "test_clock_backwards", message));
        }
        let then = self.segment.rate;
        self.segment = Segment { wall_from: wall, at, rate: Rate::Frozen };
        self.status = ClockStatus::Advancing { target, then };
        Ok(())
    }

    /// Takes the next step of an advance, which is to be called while nothing is under way on this clock. `next_due` is the
    /// earliest time at which anything on it is due.
    pub fn step(&mut self, wall: Timestamp, next_due: Option<Timestamp>) -> Step {
        let ClockStatus::Advancing { target, then } = self.status else { return Step::Arrived };
        let due = next_due.filter(|due| *due <= target);
        // What is overdue is decided where the clock stands.
        let at = due.unwrap_or(target).max(self.segment.at);
        match due {
            Some(_) => {
                self.segment = Segment { wall_from: wall, at, rate: Rate::Frozen };
                Step::At(at)
            }
            None => {
                self.segment = Segment { wall_from: wall, at, rate: then };
                self.status = ClockStatus::Ready;
                Step::Arrived
            }
        }
    }

    /// Refuses whatever callers want of a clock, or of what goes by it, while it is being advanced.
    ///
    /// # Errors
    /// While it is.
    pub fn ready(&self) -> Result<(), Refusal> {
        match self.status {
            ClockStatus::Ready => Ok(()),
            ClockStatus::Advancing { .. } => Err(Refusal::new(
                RefusalKind::State,
                "lock_timeout",
                "The test clock is being advanced: try again once its status is ready.",
            )),
        }
    }
}
