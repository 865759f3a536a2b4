//! Bounds sign-in attempts per quarter of an hour for each pair of account and address, with backoff before that.

use std::time::{Duration, Instant};

use super::cache::TwoGenerationCache;

const WINDOW: Duration = Duration::from_secs(15 * 60);
/// Pairs remembered at once. Past it the least recently tried fall out first.
const PAIRS_MAX: usize = 20_000;

#[derive(Debug, Clone, Copy)]
struct Attempts {
    count: u32,
    since: Instant,
    next_at: Instant,
}

/// Counts attempts, so that guessing is slow. In memory: each instance counts for itself.
#[derive(Debug)]
pub struct Throttle {
    pairs: TwoGenerationCache<[u8; 16], Attempts>,
    attempts_max: u32,
}

impl Throttle {
    /// Allows `attempts_max` attempts in a quarter of an hour.
    #[must_use]
    pub fn new(attempts_max: u32) -> Self {
        Self { pairs: TwoGenerationCache::new(PAIRS_MAX), attempts_max }
    }

    /// Counts an attempt before it is made, so that simultaneous ones count too.
    ///
    /// # Errors
    /// How long to wait, if there were too many.
    pub fn begin(&self, account: &str, address: &str, now: Instant) -> Result<(), Duration> {
        let fresh = || Attempts { count: 0, since: now, next_at: now };
        self.pairs.update(pair(account, address), fresh, |attempts| {
            if now.saturating_duration_since(attempts.since) >= WINDOW {
                *attempts = Attempts { count: 0, since: now, next_at: now };
            }
            if attempts.next_at > now {
                return Err(attempts.next_at - now);
            }
            attempts.count += 1;
            attempts.next_at = match attempts.count {
                count if count >= self.attempts_max => attempts.since + WINDOW,
                0..=2 => now,
                // Doubles from a second to about a minute.
                count => now + Duration::from_secs(1 << (count - 3).min(6)),
            };
            Ok(())
        })
    }

    /// Forgets the attempts after a success.
    pub fn succeeded(&self, account: &str, address: &str) {
        self.pairs.remove(&pair(account, address));
    }
}

/// Hashed, so that long inputs take no more room than short ones.
fn pair(account: &str, address: &str) -> [u8; 16] {
    // With its length before it, so that no two pairs hash the same bytes.
    let length = (account.len() as u64).to_be_bytes();
    let mut hasher = blake3::Hasher::new();
    let hash = hasher.update(&length).update(account.as_bytes()).update(address.as_bytes()).finalize();
    let mut short = [0_u8; 16];
    short.copy_from_slice(hash.as_bytes().split_at(16).0);
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_in_a_quarter_of_an_hour_with_backoff() {
        let throttle = Throttle::new(5);
        let start = Instant::now();
        let at = |s: u64| start + Duration::from_secs(s);
        assert_eq!(throttle.begin("ada", "1.2.3.4", at(0)), Ok(()));
        assert_eq!(throttle.begin("ada", "1.2.3.4", at(0)), Ok(()));
        assert_eq!(throttle.begin("ada", "1.2.3.4", at(0)), Ok(()));
        assert_eq!(throttle.begin("ada", "1.2.3.4", at(0)), Err(Duration::from_secs(1)));
        assert_eq!(throttle.begin("ada", "1.2.3.4", at(1)), Ok(()));
        assert_eq!(throttle.begin("ada", "1.2.3.4", at(2)), Err(Duration::from_secs(1)));
        assert_eq!(throttle.begin("ada", "1.2.3.4", at(3)), Ok(()));
        assert_eq!(throttle.begin("ada", "1.2.3.4", at(10)), Err(Duration::from_secs(890)));
        assert_eq!(throttle.begin("ada", "5.6.7.8", at(10)), Ok(()), "another address has its own count");
        assert_eq!(throttle.begin("ada", "1.2.3.4", at(900)), Ok(()), "the window has passed");
    }

    #[test]
    fn success_forgets() {
        let throttle = Throttle::new(5);
        let now = Instant::now();
        for _ in 0..20 {
            assert_eq!(throttle.begin("ada", "1.2.3.4", now), Ok(()));
            throttle.succeeded("ada", "1.2.3.4");
        }
    }
}
