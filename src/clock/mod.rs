//! The wall clock of this process. The only place that asks the system for the time; everything else is given a
//! [`Wall`] or a time. `domain` and `simulator` know times only as arguments.
//!
//! May depend on `domain` alone.

use std::fmt;
use std::sync::Arc;

use crate::domain::time::Timestamp;

/// The wall clock of a process. Cheap to clone. In a test it may be anything: stand still, jump, or run beside the true time.
#[derive(Clone)]
pub struct Wall(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Wall {
    /// The system's clock.
    #[must_use]
    pub fn system() -> Self {
        Self::new(Timestamp::now)
    }

    /// The system's clock, off by this many microseconds, as on a machine whose clock is wrong.
    #[must_use]
    pub fn off_by(micros: i64) -> Self {
        Self::new(move || Timestamp::from_micros(Timestamp::now().micros().saturating_add(micros)))
    }

    /// A clock that shows what `read` returns.
    #[must_use]
    pub fn new(read: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// What time it is.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

impl fmt::Debug for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wall")
    }
}

impl Timestamp {
    /// The system's clock, read. For tests; the program asks the [`Wall`] that it was given.
    #[must_use]
    pub fn now() -> Self {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Self::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_that_is_off_runs_beside_the_true_time() {
        let (before, late, after) =
            (Wall::system().now(), Wall::off_by(-1_500_000).now(), Wall::system().now());
        let true_time = Timestamp::from_micros(late.micros() + 1_500_000);
        assert!(before <= true_time && true_time <= after);
    }
}
