//! The outcomes of commands: while the batch is decided, and once it is complete.

use std::sync::Arc;

use crate::domain::ids::{AccountId, IdMap, PaymentId};
use crate::domain::payment::Payment;
use crate::domain::rejection::Rejection;
use crate::domain::subject::Subject;
use crate::engine::answer::{EngineError, SystemError};

/// What an admitted command about a payment came to.
#[derive(Debug, Clone)]
pub struct DecidedPayment {
    /// The payment it touched, or its recognised key refers to.
    pub id: PaymentId,
    /// The version right after the command.
    pub version: u32,
    /// Whether an idempotency key was recognised.
    pub replayed: bool,
    /// The payment after the batch; `None` where a recognised key refers to one that the batch did not load.
    pub payment: Option<Arc<Payment>>,
}

/// What an admitted change of a plain resource came to.
#[derive(Debug, Clone)]
pub struct DecidedChange {
    /// The resource it touched, or its recognised key refers to.
    pub subject: Subject,
    /// The version right after the change.
    pub version: u32,
    /// Whether an idempotency key was recognised.
    pub replayed: bool,
    /// What its caller is answered with.
    pub answer: ChangeAnswer,
}

/// What the caller of a change is answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeAnswer {
    /// This; `None` if none was asked for.
    Known(Option<Arc<[u8]>>),
    /// What is kept for a key, by the key and its owner: the batch did not load it.
    Stored([u8; 32], AccountId),
}

/// A command about a payment until the batch is complete.
#[derive(Debug, Clone, Copy)]
pub(super) struct PaymentDecision {
    pub id: PaymentId,
    pub version: u32,
    pub replayed: bool,
}

impl PaymentDecision {
    /// With the payment after the batch.
    pub fn complete(self, payments: &IdMap<PaymentId, Arc<Payment>>) -> DecidedPayment {
        let Self { id, version, replayed } = self;
        DecidedPayment { id, version, replayed, payment: payments.get(&id).map(Arc::clone) }
    }
}

/// Why nothing can be decided about something.
#[derive(Debug, Clone)]
pub(super) enum Obstacle {
    /// There is no such payment.
    NoPayment(PaymentId),
    /// What is stored of it cannot be read.
    Damaged(String),
    /// A rule broke on it, and the batch is not written.
    Defect,
}

impl From<Obstacle> for EngineError {
    fn from(obstacle: Obstacle) -> Self {
        match obstacle {
            Obstacle::NoPayment(id) => Rejection::not_found("payment", id).with_param("intent").into(),
            Obstacle::Damaged(cause) => Self::Damaged(cause),
            Obstacle::Defect => Self::Unavailable { maybe_done: false },
        }
    }
}

impl From<Obstacle> for SystemError {
    fn from(obstacle: Obstacle) -> Self {
        match obstacle {
            Obstacle::NoPayment(id) => Self::Missing(id.into()),
            Obstacle::Damaged(cause) => Self::Damaged(cause),
            Obstacle::Defect => Self::Unavailable,
        }
    }
}
