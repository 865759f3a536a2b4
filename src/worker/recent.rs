//! How many attempts an acquirer answered, failed and never saw, in the last minute and since it came into force.
//!
//! Depends on `domain` alone. Times are handed in; memory is fixed.

use crate::domain::time::Timestamp;

const SLOT_US: i64 = 5_000_000;
const SLOTS: usize = 12;

/// What became of attempts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Answered, declined ones among them.
    pub answered: u64,
    /// Failed technically: refused, timed out, or answered with something that cannot be read.
    pub failed: u64,
    /// Kept away by an open breaker: the acquirer was not asked.
    pub kept_away: u64,
}

impl Counts {
    fn note(&mut self, what: Became) {
        match what {
            Became::Answered => self.answered = self.answered.saturating_add(1),
            Became::Failed => self.failed = self.failed.saturating_add(1),
            Became::KeptAway => self.kept_away = self.kept_away.saturating_add(1),
        }
    }

    const fn and(self, other: Self) -> Self {
        Self {
            answered: self.answered.saturating_add(other.answered),
            failed: self.failed.saturating_add(other.failed),
            kept_away: self.kept_away.saturating_add(other.kept_away),
        }
    }
}

/// What became of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Became {
    /// The acquirer answered.
    Answered,
    /// It failed technically.
    Failed,
    /// Its breaker was open.
    KeptAway,
}

/// Counts in slots of five seconds, of which the last minute is kept.
#[derive(Debug, Default)]
pub struct Recent {
    total: Counts,
    slots: [(i64, Counts); SLOTS],
}

impl Recent {
    /// Counts an attempt.
    pub fn note(&mut self, what: Became, now: Timestamp) {
        self.total.note(what);
        let number = now.micros().div_euclid(SLOT_US);
        let place = usize::try_from(number.rem_euclid(12)).unwrap_or(0);
        if let Some(slot) = self.slots.get_mut(place) {
            if slot.0 != number {
                *slot = (number, Counts::default());
            }
            slot.1.note(what);
        }
    }

    /// All since it came into force.
    #[must_use]
    pub const fn total(&self) -> Counts {
        self.total
    }

    /// Those of the last minute, to within five seconds.
    #[must_use]
    pub fn last_minute(&self, now: Timestamp) -> Counts {
        let number = now.micros().div_euclid(SLOT_US);
        let recent = self.slots.iter().filter(|(of, _)| (0..12).contains(&(number - of)));
        recent.fold(Counts::default(), |sum, (_, counts)| sum.and(*counts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn a_minute_is_forgotten_and_the_total_is_not() {
        let mut recent = Recent::default();
        for second in 0..120 {
            recent.note(Became::Answered, at(second));
        }
        recent.note(Became::Failed, at(119));
        recent.note(Became::KeptAway, at(119));
        let counts = |answered| Counts { answered, failed: 1, kept_away: 1 };
        assert_eq!((recent.total(), recent.last_minute(at(119))), (counts(120), counts(60)));
        assert_eq!(recent.last_minute(at(130)), counts(45));
        assert_eq!(recent.last_minute(at(174)), counts(5));
        assert_eq!(recent.last_minute(at(10_000)), Counts::default());
    }

    #[test]
    fn a_clock_that_was_set_back_counts_on() {
        let mut recent = Recent::default();
        recent.note(Became::Answered, at(1_000));
        recent.note(Became::Answered, at(10));
        assert_eq!((recent.total().answered, recent.last_minute(at(10)).answered), (2, 1));
        assert_eq!(Recent::default().last_minute(at(3)), Counts::default());
    }
}
