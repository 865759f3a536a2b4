//! Test clocks: the time that customers and payments run on instead of the wall clock. A clock may stand still, run at another
//! speed, or be advanced; it never goes back. A plain resource.
//!
//! Only the current segment is kept: since when, by the wall clock, it has shown which time at which rate. While it is being
//! advanced it stops at each time at which something is due, until that is done (see [`Clock::step`]), so that a jump
//! leaves the same histories as waiting.

use serde::{Deserialize, Serialize};

use super::ids::{AccountId, ClockId};
use super::rejection::{Rejection, RejectionKind};
use super::time::Timestamp;

/// The fastest a clock may run, as a multiple of real time: a day in about a minute and a half.
pub const SPEED_MAX: u32 = 1_000;
/// The furthest that one advance may go, in milliseconds: two years, the limit in docs.stripe.com/api/test_clocks/advance for
/// clocks without subscriptions.
pub const ADVANCE_MAX_MS: u64 = 2 * 366 * 24 * 3_600 * 1_000;
/// How long a clock is kept after its creation, in milliseconds: 30 days (docs.stripe.com/billing/testing/test-clocks).
pub const KEPT_MS: u64 = 30 * 24 * 3_600 * 1_000;
/// The most clocks that an account may have at once.
pub const CLOCKS_MAX: u32 = 100;
/// The latest time that a clock may be advanced to: the beginning of the year 2200. A running clock may go further by itself.
pub const LATEST: Timestamp = Timestamp::from_micros(7_258_118_400_000_000);

/// The rate at which a clock runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rate {
    /// It stands still until it is advanced.
    Frozen,
    /// This many times as fast as real time, at most [`SPEED_MAX`].
    Times(u32),
}

impl Rate {
    /// The rate for this speed; zero stands still. `None` above [`SPEED_MAX`].
    #[must_use]
    pub fn of_speed(speed: u32) -> Option<Self> {
        match speed {
            0 => Some(Self::Frozen),
            1..=SPEED_MAX => Some(Self::Times(speed)),
            _ => None,
        }
    }

    /// How many times as fast as real time; zero if it stands still.
    #[must_use]
    pub const fn speed(self) -> u32 {
        match self {
            Self::Frozen => 0,
            Self::Times(speed) => speed,
        }
    }
}

/// What a clock shows from a moment of wall-clock time on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// When the segment began, by the wall clock.
    pub wall_from: Timestamp,
    /// What the clock showed then.
    pub at: Timestamp,
    /// How fast it has run since.
    pub rate: Rate,
}

impl Segment {
    /// What it shows at this wall-clock time. A time before the segment began shows its beginning.
    #[must_use]
    pub fn at(&self, wall: Timestamp) -> Timestamp {
        let passed = i128::from(wall.micros_since(self.wall_from)) * i128::from(self.rate.speed());
        let shown = i128::from(self.at.micros()).saturating_add(passed);
        Timestamp::from_micros(i64::try_from(shown).unwrap_or(i64::MAX))
    }

    /// The first wall-clock time at which it shows this time or a later one; `None` if it never does by itself.
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

/// The status of a clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClockStatus {
    /// It shows its segment's time.
    Ready,
    /// It is being advanced, from one time at which something is due to the next.
    Advancing {
        /// The time it is advanced to.
        target: Timestamp,
        /// The rate at which it runs from there.
        then: Rate,
    },
}

/// A clock as it is stored. Serialised as an array: new fields go to the end with a default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    /// The owner's name for it.
    pub name: Option<String>,
    segment: Segment,
    status: ClockStatus,
}

/// An owner's change to a clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockPatch {
    /// Advances it to this time.
    Advance(Timestamp),
    /// Sets the rate at which it runs.
    SetRate(Rate),
}

/// A step or deletion of a clock that the system decides by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DriveClock {
    /// The clock to drive.
    pub clock: ClockId,
    /// The account that it belongs to.
    pub owner: AccountId,
    /// What to do.
    pub action: ClockAction,
}

/// The system's own changes to a clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockAction {
    /// Takes the next step of an advance. Nothing was under way on the clock when this was asked for.
    Step {
        /// The version of the clock then. At any other version something has changed, and the step is dropped.
        version: u32,
        /// The earliest time at which anything on it is due.
        next_due: Option<Timestamp>,
    },
    /// Deletes it, as its time is up.
    Delete,
}

/// The result of a step of an advance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The clock stands at this time; whatever is due by then must be decided before the next step.
    At(Timestamp),
    /// It has arrived.
    Arrived,
}

impl Clock {
    /// A new clock that stands still at this time, past or future.
    #[must_use]
    pub const fn frozen(name: Option<String>, wall: Timestamp, at: Timestamp) -> Self {
        let segment = Segment { wall_from: wall, at, rate: Rate::Frozen };
        Self { name, segment, status: ClockStatus::Ready }
    }

    /// The clock after the patch, applied at this wall-clock time.
    ///
    /// # Errors
    /// While it is being advanced, and to a time that it has passed already or that is too far away.
    pub fn patched(&self, wall: Timestamp, patch: ClockPatch) -> Result<Self, Rejection> {
        let mut clock = self.clone();
        match patch {
            ClockPatch::Advance(target) => clock.advance(wall, target)?,
            ClockPatch::SetRate(rate) => clock.set_rate(wall, rate)?,
        }
        Ok(clock)
    }

    /// Whether its time changes by itself: it runs, or is being advanced.
    #[must_use]
    pub fn moves(&self) -> bool {
        match self.status {
            ClockStatus::Ready => self.segment.rate != Rate::Frozen,
            ClockStatus::Advancing { .. } => true,
        }
    }

    /// The rate at which it runs, or will once it has been advanced.
    #[must_use]
    pub const fn rate(&self) -> Rate {
        match self.status {
            ClockStatus::Ready => self.segment.rate,
            ClockStatus::Advancing { then, .. } => then,
        }
    }

    /// The bytes of its text.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        self.name.as_ref().map_or(0, String::len)
    }

    /// What it shows at this wall-clock time.
    #[must_use]
    pub fn at(&self, wall: Timestamp) -> Timestamp {
        self.segment.at(wall)
    }

    /// The same clock with a segment that begins at this wall-clock time, for showing what it shows now.
    #[must_use]
    pub fn seen_at(self, wall: Timestamp) -> Self {
        let segment = Segment { wall_from: wall, at: self.at(wall), ..self.segment };
        Self { segment, ..self }
    }

    /// The current segment.
    #[must_use]
    pub const fn segment(&self) -> Segment {
        self.segment
    }

    /// Whether it is being advanced.
    #[must_use]
    pub const fn status(&self) -> ClockStatus {
        self.status
    }

    /// Runs it at another rate from now on.
    ///
    /// # Errors
    /// While it is being advanced.
    pub fn set_rate(&mut self, wall: Timestamp, rate: Rate) -> Result<(), Rejection> {
        self.ready()?;
        self.segment = Segment { wall_from: wall, at: self.at(wall), rate };
        Ok(())
    }

    /// Starts an advance. The clock stands still until [`Self::step`] has taken it there, then runs at its previous rate.
    ///
    /// # Errors
    /// While it is being advanced, and to a time that it has passed already or that is too far away.
    pub fn advance(&mut self, wall: Timestamp, target: Timestamp) -> Result<(), Rejection> {
        self.ready()?;
        let at = self.at(wall);
        if target <= at {
            let message = "A clock can only be advanced to a time after the one it shows.";
            return Err(Rejection::invalid("frozen_time", "test_clock_backwards", message));
        }
        if target > at.plus_ms(ADVANCE_MAX_MS) || target > LATEST {
            let message = "A clock can be advanced by two years at most, and not beyond the year 2199.";
            return Err(Rejection::invalid("frozen_time", "test_clock_too_far", message));
        }
        let then = self.segment.rate;
        self.segment = Segment { wall_from: wall, at, rate: Rate::Frozen };
        self.status = ClockStatus::Advancing { target, then };
        Ok(())
    }

    /// Takes the next step of an advance. Call it only while nothing is under way on this clock. `next_due` is the earliest time at
    /// which anything on it is due.
    pub fn step(&mut self, wall: Timestamp, next_due: Option<Timestamp>) -> Step {
        let ClockStatus::Advancing { target, then } = self.status else { return Step::Arrived };
        let due = next_due.filter(|due| *due <= target);
        // Anything overdue is decided at the clock's present time.
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

    /// Refuses callers' commands on a clock, and on anything that runs on it, while it is being advanced.
    ///
    /// # Errors
    /// While it is being advanced.
    pub fn ready(&self) -> Result<(), Rejection> {
        match self.status {
            ClockStatus::Ready => Ok(()),
            ClockStatus::Advancing { .. } => Err(Rejection::new(
                RejectionKind::Locked,
                "lock_timeout",
                "The test clock is being advanced: try again once its status is ready.",
            )),
        }
    }
}
