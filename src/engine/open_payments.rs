//! The payments with open work that this process has at hand, so that a worker need not ask the store for each.

use std::sync::Arc;

use crate::domain::ids::PaymentId;
use crate::domain::payment::Payment;

/// The reader of the journal that records what stays open.
pub const READER: &str = "open_work";

/// A memory of payments with open work.
pub trait OpenPayments: Send + Sync + 'static {
    /// The payment, if it is at hand. It may be older than what the store has.
    fn open_payment(&self, id: PaymentId) -> Option<Arc<Payment>>;
}
