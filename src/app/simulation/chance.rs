//! Draws everything that is left to chance in a run from one seed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

/// A shared source of random numbers (SplitMix64), and whether things may break at the moment.
#[derive(Clone)]
pub struct Chance {
    state: Arc<Mutex<u64>>,
    faults: Arc<AtomicBool>,
}

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self { state: Arc::new(Mutex::new(seed)), faults: Arc::new(AtomicBool::new(true)) }
    }

    pub fn next(&self) -> u64 {
        let mut state = self.state.lock();
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = *state;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }

    /// A number below `bound`.
    pub fn below(&self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    pub fn index(&self, len: usize) -> usize {
        usize::try_from(self.below(len as u64)).unwrap()
    }

    pub fn percent(&self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub fn pick<'a, T>(&self, items: &'a [T]) -> Option<&'a T> {
        items.get(self.index(items.len()))
    }

    /// Whether something breaks now, `per_mille` times in a thousand.
    pub fn breaks(&self, per_mille: u64) -> bool {
        self.below(1_000) < per_mille && self.faults.load(Ordering::Relaxed)
    }

    /// From now on nothing breaks.
    pub fn calm(&self) {
        self.faults.store(false, Ordering::Relaxed);
    }

    /// A step that takes no time, or a few milliseconds, now and then many.
    pub async fn delay(&self) {
        let ms = match self.below(20) {
            0..8 => return,
            8..12 => return tokio::task::yield_now().await,
            12..19 => 1 + self.below(5),
            _ => self.below(120),
        };
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
}
