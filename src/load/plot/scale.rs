//! Axes: where a number stands, and which numbers are named.

/// An axis from one number to another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    from: f64,
    to: f64,
    log: bool,
}

/// One, two or five times a power of ten, not below this number.
fn round_up(number: f64) -> f64 {
    let power = 10_f64.powf(number.log10().floor());
    let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|factor| factor * power >= number * (1.0 - 1e-9));
    factor.unwrap_or(10.0) * power
}

impl Scale {
    /// From zero to a little above the largest number.
    #[must_use]
    pub fn linear(largest: f64) -> Self {
        let step = round_up(largest.max(1e-6) / 4.0);
        Self { from: 0.0, to: (largest.max(1e-6) / step).ceil() * step, log: false }
    }

    /// From zero to just this number.
    #[must_use]
    pub fn exactly(largest: f64) -> Self {
        Self { from: 0.0, to: largest.max(1e-6), log: false }
    }

    /// Powers of ten around these numbers, which are above zero.
    #[must_use]
    pub fn powers(smallest: f64, largest: f64) -> Self {
        let from = 10_f64.powf(smallest.max(1e-6).log10().floor());
        let to = 10_f64.powf(largest.max(smallest).max(1e-6).log10().ceil());
        Self { from, to: if to > from { to } else { from * 10.0 }, log: true }
    }

    /// Where a number stands, from 0 to 1; what is beyond stands at the edge.
    #[must_use]
    pub fn share(&self, number: f64) -> f64 {
        let share = if self.log {
            (number.max(self.from) / self.from).log10() / (self.to / self.from).log10()
        } else {
            (number - self.from) / (self.to - self.from)
        };
        share.clamp(0.0, 1.0)
    }

    /// The numbers that are named.
    #[must_use]
    pub fn ticks(&self) -> Vec<f64> {
        if self.log {
            let ticks = std::iter::successors(Some(self.from), |tick| Some(tick * 10.0));
            return ticks.take_while(|tick| *tick <= self.to * 1.001).take(16).collect();
        }
        let step = round_up((self.to - self.from) / 5.0);
        let ticks = (0..=10_u32).map(|n| self.from + f64::from(n) * step);
        ticks.take_while(|tick| *tick <= self.to * 1.001).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ticks_are_round() {
        assert_eq!(Scale::linear(2_000.0).ticks(), [0.0, 500.0, 1_000.0, 1_500.0, 2_000.0]);
        assert_eq!(Scale::powers(3.0, 450.0).ticks(), [1.0, 10.0, 100.0, 1_000.0]);
        assert_eq!(Scale::exactly(30.0).ticks(), [0.0, 10.0, 20.0, 30.0]);
        assert_eq!((Scale::powers(1.0, 100.0).share(10.0), Scale::linear(4.0).share(9.0)), (0.5, 1.0));
    }

    proptest! {
        #[test]
        fn every_axis_names_a_few_numbers_and_holds_its_largest(largest in 0.0..1e9_f64, smallest in 0.001..1e3_f64) {
            for scale in [Scale::linear(largest), Scale::exactly(largest), Scale::powers(smallest, largest.max(smallest))] {
                let count = scale.ticks().len();
                prop_assert!((2..=16).contains(&count), "{:?}: {}", scale, count);
                prop_assert!(scale.share(largest).is_finite() && scale.share(smallest) >= 0.0);
            }
        }
    }
}
