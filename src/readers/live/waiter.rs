//! Lets callers wait for a payment to come to rest, for those that want the outcome in the answer.
//!
//! Tens of thousands may wait at once, so a wait keeps no payment in memory until it is as the caller wants it.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::domain::ids::PaymentId;
use crate::domain::payment::Payment;

/// Callers that may wait at once. Further ones are answered without waiting.
const WAITERS_MAX: usize = 65_536;

/// Whether a payment is as the caller wants it.
type Ready = Box<dyn Fn(&Payment) -> bool + Send + Sync>;

#[derive(Default)]
struct Slot {
    seen: Mutex<Seen>,
    changed: Notify,
}

#[derive(Default)]
struct Seen {
    /// `None` between registering and asking: until then the latest payment is kept, whatever its state.
    ready: Option<Ready>,
    payment: Option<Arc<Payment>>,
    missed: bool,
}

impl Slot {
    fn show(&self, payment: &Arc<Payment>) {
        let mut seen = self.seen.lock();
        if seen.ready.as_ref().is_none_or(|ready| ready(payment)) {
            seen.payment = Some(Arc::clone(payment));
            self.changed.notify_one();
        }
    }

    fn miss(&self) {
        self.seen.lock().missed = true;
        self.changed.notify_one();
    }
}

#[derive(Default)]
struct Inner {
    by_payment: HashMap<PaymentId, Vec<Arc<Slot>>>,
    count: usize,
}

/// All callers that wait.
#[derive(Default)]
pub struct Waiters {
    inner: Mutex<Inner>,
}

impl Waiters {
    /// Begins to wait; `None` if too many wait already.
    pub fn register(self: &Arc<Self>, payment: PaymentId) -> Option<Waiter> {
        let slot = Arc::new(Slot::default());
        let mut inner = self.inner.lock();
        if inner.count >= WAITERS_MAX {
            return None;
        }
        inner.count += 1;
        inner.by_payment.entry(payment).or_default().push(Arc::clone(&slot));
        Some(Waiter { waiters: Arc::clone(self), payment, slot })
    }

    /// Whether anyone waits for anything.
    pub fn is_empty(&self) -> bool {
        self.inner.lock().count == 0
    }

    /// Whether anyone waits for this payment.
    pub fn waits_for(&self, payment: PaymentId) -> bool {
        self.inner.lock().by_payment.contains_key(&payment)
    }

    /// Shows a payment, as it is at the end of a batch, to those who wait for it.
    pub fn show(&self, payment: &Arc<Payment>) {
        let inner = self.inner.lock();
        inner.by_payment.get(&payment.id()).into_iter().flatten().for_each(|slot| slot.show(payment));
    }

    /// Notifies all waiters that something was not shown, in the order of the payments, so that a simulation wakes them
    /// in the same order each time.
    pub fn miss(&self) {
        let inner = self.inner.lock();
        let mut waiting: Vec<_> = inner.by_payment.iter().collect();
        waiting.sort_unstable_by_key(|(payment, _)| **payment);
        waiting.into_iter().flat_map(|(_, slots)| slots).for_each(|slot| slot.miss());
    }
}

/// A caller that waits. Dropping it ends the wait.
pub struct Waiter {
    waiters: Arc<Waiters>,
    payment: PaymentId,
    slot: Arc<Slot>,
}

impl Waiter {
    /// The payment as soon as `ready` holds for it, from registering on; `None` if something was missed, so that the
    /// store has to be asked before waiting further. Give it a deadline.
    pub async fn until(
        &self,
        ready: impl Fn(&Payment) -> bool + Send + Sync + 'static,
    ) -> Option<Arc<Payment>> {
        {
            let mut seen = self.slot.seen.lock();
            seen.payment = seen.payment.take().filter(|payment| ready(payment));
            seen.ready = Some(Box::new(ready));
        }
        loop {
            let changed = self.slot.changed.notified();
            {
                let mut seen = self.slot.seen.lock();
                if let Some(payment) = seen.payment.take() {
                    return Some(payment);
                }
                if std::mem::take(&mut seen.missed) {
                    return None;
                }
            }
            changed.await;
        }
    }

    /// Whether it holds a payment in memory.
    #[cfg(test)]
    pub(super) fn holds_payment(&self) -> bool {
        self.slot.seen.lock().payment.is_some()
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut inner = self.waiters.inner.lock();
        inner.count = inner.count.saturating_sub(1);
        if let Some(slots) = inner.by_payment.get_mut(&self.payment) {
            slots.retain(|slot| !Arc::ptr_eq(slot, &self.slot));
            if slots.is_empty() {
                inner.by_payment.remove(&self.payment);
            }
        }
    }
}
