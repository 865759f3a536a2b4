//! How often, and how, attempts at an acquirer go wrong.

use super::draw::{Draw, Slot};
use super::scenario::Shares;
use crate::domain::event::TechnicalError;
use crate::domain::forced::Fault;

/// The faults of an acquirer.
#[derive(Debug, Clone)]
pub enum Faults {
    /// Technical errors at this rate, in the usual ways.
    Rate(f64),
    /// These, each at a rate of its own.
    Shares(Shares<Fault>),
}

impl Faults {
    /// What goes wrong with the attempt, if anything does.
    #[must_use]
    pub fn draw(&self, draw: &Draw) -> Option<Fault> {
        match self {
            Self::Rate(rate) => draw
                .happens(Slot::Fault, *rate)
                .then(|| Fault::Error(usual_kind(draw.uniform(Slot::FaultKind)))),
            Self::Shares(shares) => shares.pick(draw.uniform(Slot::Fault)),
        }
    }
}

/// Half of all technical errors are timeouts; the rest is shared evenly.
const fn usual_kind(uniform: f64) -> TechnicalError {
    if uniform < 0.5 {
        TechnicalError::Timeout
    } else if uniform < 0.75 {
        TechnicalError::Unavailable
    } else {
        TechnicalError::Malformed
    }
}
