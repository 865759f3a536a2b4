//! Draws: uniform numbers that depend only on what they are drawn for, so that any run can be replayed in any order.

/// The largest number below 1.
const BELOW_ONE: f64 = 1.0 - f64::EPSILON / 2.0;

/// The purpose of a number. Each has its own place in the hash, so that a new purpose never shifts another.
/// Never renumbered: replays of recorded runs depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// Whether the attempt fails technically.
    Fault = 0,
    /// How it fails technically.
    FaultKind = 1,
    /// The first of the two numbers behind the latency.
    Latency = 2,
    /// The second of them.
    LatencyAngle = 3,
    /// The choice among several weighted outcomes.
    Outcome = 4,
    /// The choice among several acquirers.
    Route = 5,
    /// Whether a rule that holds for a share only applies.
    RuleShare = 6,
}

/// What identifies one attempt of one operation to the acquirer asked.
#[derive(Debug, Clone, Copy)]
pub struct DrawKey<'a> {
    /// The acquirer's name.
    pub acquirer: &'a str,
    /// The load run's index, else a number derived from the idempotency key, else from the payment's id.
    pub draw_key: u64,
    /// The operation's name (`authorize`, …).
    pub operation: &'a str,
    /// The operation's number within the payment; 0 for what is drawn once for all of them.
    pub number: u16,
    /// The attempt, counted from 1; 0 for what is drawn once for all of them.
    pub attempt: u16,
}

/// The source of draws under one seed and scenario revision.
#[derive(Clone, Copy)]
pub struct Draws {
    key: [u8; 32],
}

impl std::fmt::Debug for Draws {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Draws")
    }
}

impl Draws {
    /// The draws of this seed and scenario revision.
    #[must_use]
    pub fn new(seed: u64, revision: u64) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("paystorm 2026-11 simulator draws");
        hasher.update(&seed.to_le_bytes());
        hasher.update(&revision.to_le_bytes());
        Self { key: *hasher.finalize().as_bytes() }
    }

    /// The numbers drawn for this attempt. One compression of the hash as long as names are short.
    #[must_use]
    pub fn draw(&self, key: &DrawKey<'_>) -> Draw {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(&key.draw_key.to_le_bytes());
        hasher.update(&key.number.to_le_bytes());
        hasher.update(&key.attempt.to_le_bytes());
        hasher.update(key.operation.as_bytes());
        // Neither name holds a zero byte, so that the parts cannot be confused.
        hasher.update(&[0]);
        hasher.update(key.acquirer.as_bytes());
        let mut block = [0_u8; 64];
        hasher.finalize_xof().fill(&mut block);
        Draw { block }
    }
}

/// The numbers drawn for one attempt.
#[derive(Debug, Clone, Copy)]
pub struct Draw {
    block: [u8; 64],
}

impl Draw {
    /// The 64 bits in this slot.
    #[must_use]
    pub fn bits(&self, slot: Slot) -> u64 {
        self.block
            .chunks_exact(8)
            .nth(slot as usize)
            .map_or(0, |chunk| chunk.iter().rev().fold(0, |bits, byte| (bits << 8) | u64::from(*byte)))
    }

    /// A uniform number strictly between 0 and 1, with 53 bits.
    #[must_use]
    pub fn uniform(&self, slot: Slot) -> f64 {
        let bits = self.bits(slot) >> 11;
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit the mantissa")]
        let value = bits as f64;
        // The half is rounded away where the number has all 53 bits, which would make 1 of the largest.
        ((value + 0.5) / 9_007_199_254_740_992.0).min(BELOW_ONE)
    }

    /// Whether an event of this probability happens.
    #[must_use]
    pub fn happens(&self, slot: Slot, probability: f64) -> bool {
        self.uniform(slot) < probability
    }

    /// A standard normal number from two slots (Box and Muller, 1958): exact, not an approximation of the law.
    #[must_use]
    pub fn normal(&self, radius: Slot, angle: Slot) -> f64 {
        let radius = (-2.0 * self.uniform(radius).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform(angle)).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uniform_numbers_are_strictly_between_0_and_1() {
        for byte in [0, 0xff] {
            let uniform = Draw { block: [byte; 64] }.uniform(Slot::Fault);
            assert!(0.0 < uniform && uniform < 1.0, "{uniform}");
        }
    }
}
