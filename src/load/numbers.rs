//! Conversions between counts and approximate numbers, and the random numbers of a run.

/// A count as an approximate number.
#[expect(clippy::cast_precision_loss, reason = "counts of a run, far below 2^53")]
pub const fn approximate(count: u64) -> f64 {
    count as f64
}

/// The whole part of a number; 0 for what is negative or no number.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates")]
pub const fn whole(number: f64) -> u64 {
    number as u64
}

/// Sixty-four well mixed bits of a seed and two numbers (the finaliser of SplitMix64, twice).
#[must_use]
pub fn mixed(seed: u64, index: u64, use_of: u64) -> u64 {
    let round = |mut z: u64| {
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    round(round(seed ^ index.wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_add(use_of))
}

/// A uniform number between 0 and 1, neither of them included.
#[must_use]
pub fn uniform(bits: u64) -> f64 {
    (approximate(bits >> 11) + 0.5) / 9_007_199_254_740_992.0
}

/// A standard normal number, by the method of Box and Muller.
#[must_use]
pub fn normal(one: u64, other: u64) -> f64 {
    (-2.0 * uniform(one).ln()).sqrt() * (std::f64::consts::TAU * uniform(other)).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_numbers_are_normal() {
        let drawn: Vec<f64> = (0..100_000).map(|n| normal(mixed(1, n, 0), mixed(1, n, 1))).collect();
        let mean = drawn.iter().sum::<f64>() / 100_000.0;
        let variance = drawn.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / 100_000.0;
        // Five standard errors: 1/√n of the mean, √(2/n) of the variance.
        assert!(mean.abs() < 0.016 && (variance - 1.0).abs() < 0.023, "{mean} {variance}");
        let below = drawn.iter().filter(|x| **x < 1.0).count();
        assert!(below.abs_diff(84_134) < 600, "{below}");
    }
}
