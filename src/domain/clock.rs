//! A test clock: the time that customers and payments of an account go by, instead of the wall. It may stand still, run at another
//! speed, and be set forward; it never goes back, whatever is done to it. A plain resource.
//!
//! Only its current segment is kept: from a moment of the wall on it shows a time and runs at a rate. While it is being
//! advanced it stands still at each time at which something is due, until that is done (see [`Clock::step`]), so that a jump
//! leaves the same histories as waiting.

use serde::{Deserialize, Serialize};

use super::rejection::{Rejection, RejectionKind};
use super::time::Timestamp;

/// The fastest a clock may run, as a multiple of the wall: a day in about a minute and a half.
pub const SPEED_MAX: u32 = 1_000;
/// The furthest that one advance may go, in milliseconds: two years, as docs.stripe.com/api/test_clocks/advance has it for clocks
/// without subscriptions.
pub const ADVANCE_MAX_MS: u64 = 2 * 366 * 24 * 3_600 * 1_000;
/// How long a clock is kept after it was made, in milliseconds, by docs.stripe.com/billing/testing/test-clocks: 30 days.
pub const KEPT_MS: u64 = 30 * 24 * 3_600 * 1_000;
/// Clocks an account may have at once.
pub const CLOCKS_MAX: u32 = 100;
/// The latest time that a clock may be made to show: the beginning of the year 2200. A clock that runs may come further by itself.
pub const LATEST: Timestamp = Timestamp::from_micros(7_258_118_400_000_000);

/// How a clock runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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

    /// How many times as fast as the wall it is.
    #[must_use]
    pub const fn speed(self) -> u32 {
        match self {
            Self::Frozen => 0,
            Self::Times(speed) => speed,
        }
    }
}

/// From a moment of the wall on, what a clock shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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

/// A clock as it is kept. Serialised as an array: new fields go to the end with a default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    /// What its owner calls it.
    pub name: Option<String>,
    segment: Segment,
    status: ClockStatus,
}

/// What is done to a clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockPatch {
    /// Its owner sets it forward to this time.
    Advance(Timestamp),
    /// Its owner has it run at another rate.
    SetRate(Rate),
    /// Whoever drives it has found nothing under way on it, and has it take its next step.
    Step {
        /// The version of the clock when that was found: at any other, something has happened since, and nothing is done.
        version: u32,
        /// The earliest time at which anything on it is due.
        next_due: Option<Timestamp>,
    },
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
    pub const fn frozen(name: Option<String>, wall: Timestamp, at: Timestamp) -> Self {
        let segment = Segment { wall_from: wall, at, rate: Rate::Frozen };
        Self { name, segment, status: ClockStatus::Ready }
    }

    /// The clock as the patch leaves it at this moment of the wall. `version` is the one it has.
    ///
    /// # Errors
    /// While it is being advanced, and to a time that it has passed already or that is too far away.
    pub fn patched(&self, wall: Timestamp, version: u32, patch: ClockPatch) -> Result<Self, Rejection> {
        let mut clock = self.clone();
        match patch {
            ClockPatch::Advance(target) => clock.advance(wall, target)?,
            ClockPatch::SetRate(rate) => clock.set_rate(wall, rate)?,
            ClockPatch::Step { version: seen, next_due } if seen == version => {
                clock.step(wall, next_due);
            }
            ClockPatch::Step { .. } => {}
        }
        Ok(clock)
    }

    /// Whether its time goes on without anything being asked of it: it runs, or is on its way.
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

    /// What it shows at this moment of the wall.
    #[must_use]
    pub fn at(&self, wall: Timestamp) -> Timestamp {
        self.segment.at(wall)
    }

    /// The same clock with a segment that begins at this moment of the wall: for whoever is shown what it shows now.
    #[must_use]
    pub fn seen_at(self, wall: Timestamp) -> Self {
        let segment = Segment { wall_from: wall, at: self.at(wall), ..self.segment };
        Self { segment, ..self }
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
    pub fn set_rate(&mut self, wall: Timestamp, rate: Rate) -> Result<(), Rejection> {
        self.ready()?;
        self.segment = Segment { wall_from: wall, at: self.at(wall), rate };
        Ok(())
    }

    /// Sets it forward. It stands still until [`Self::step`] has taken it there, and then runs as it did.
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
