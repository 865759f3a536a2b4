//! Notices from outside when a batch is stuck in the store: a disk that freezes never releases the thread that writes to it, so no
//! failure is ever reported.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Since when a transaction has been going on.
#[derive(Debug, Default)]
pub(super) struct Stall(Mutex<Option<Instant>>);

/// The transaction ends when this is dropped.
pub(super) struct Busy<'a>(&'a Stall);

impl Stall {
    /// A transaction begins. There is one at a time.
    pub fn begin(&self) -> Busy<'_> {
        *self.0.lock() = Some(Instant::now());
        Busy(self)
    }

    /// Whether one has been going on for longer than this.
    pub fn lasts(&self, longer_than: Duration) -> bool {
        self.0.lock().is_some_and(|since| since.elapsed() > longer_than)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        *self.0.0.lock() = None;
    }
}
