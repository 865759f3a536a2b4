//! Shares of what an acquirer answers.

pub use crate::domain::forced::Verdict;

/// How far a sum of shares may be off: those of decimal fractions are rarely exact.
pub(super) const SUM_SLACK: f64 = 1e-9;

/// Things, each with its share of all cases. The shares add up to 1 at most; what they leave is for the reader to decide.
#[derive(Debug, Clone, PartialEq)]
pub struct Shares<T>(Vec<(f64, T)>);

impl<T> Default for Shares<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Copy> Shares<T> {
    /// These things with their shares.
    #[must_use]
    pub const fn new(shares: Vec<(f64, T)>) -> Self {
        Self(shares)
    }

    /// The thing on which a uniform number falls; `None` for what the shares leave.
    #[must_use]
    pub fn pick(&self, uniform: f64) -> Option<T> {
        let mut sum = 0.0;
        self.0.iter().find_map(|(share, thing)| {
            sum += share;
            (uniform < sum || sum > 1.0 - SUM_SLACK).then_some(*thing)
        })
    }
}
