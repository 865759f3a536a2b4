//! Waiting for a payment to come to rest: for callers who want the outcome in the answer.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::domain::ids::PaymentId;
use crate::domain::payment::Payment;

/// Callers that wait at once. Past it they are answered without waiting.
const WAITERS_MAX: usize = 65_536;

#[derive(Debug, Default)]
struct Slot {
    latest: Mutex<Option<Arc<Payment>>>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    by_payment: HashMap<PaymentId, Vec<Arc<Slot>>>,
    count: usize,
}

/// Everyone who waits.
#[derive(Debug, Default)]
pub struct Waiters {
    inner: Mutex<Inner>,
}

impl Waiters {
    /// Begins to wait; `None` past the bound.
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

    /// Shows a payment as it is now to those who wait for it.
    pub fn show(&self, payment: &Arc<Payment>) {
        let inner = self.inner.lock();
        for slot in inner.by_payment.get(&payment.id()).into_iter().flatten() {
            *slot.latest.lock() = Some(Arc::clone(payment));
            slot.changed.notify_one();
        }
    }
}

/// One who waits. Dropping it ends the wait.
#[derive(Debug)]
pub struct Waiter {
    waiters: Arc<Waiters>,
    payment: PaymentId,
    slot: Arc<Slot>,
}

impl Waiter {
    /// The payment as soon as `ready` holds for it, as seen from the time of registering on. Give it a deadline.
    pub async fn until(&self, ready: impl Fn(&Payment) -> bool) -> Arc<Payment> {
        loop {
            let changed = self.slot.changed.notified();
            let latest = self.slot.latest.lock().clone();
            if let Some(payment) = latest.filter(|payment| ready(payment)) {
                return payment;
            }
            changed.await;
        }
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
