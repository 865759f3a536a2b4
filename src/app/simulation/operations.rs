//! Operations under idempotency keys: requested again, with the same parameters and with others.

use std::collections::BTreeMap;

use super::chance::Chance;
use super::clients::{Book, key};
use super::store::Data;
use crate::domain::command::{Action, OperatePayment};
use crate::domain::idempotency::IdempotencyKey;
use crate::domain::ids::{ChargeId, DisputeId, PaymentId, RefundId};

/// What the answer to a command must be, as far as the client can know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    Anything,
    /// It was done before under this key: the answer must be the same.
    TheSame,
    /// The key was used for something else.
    Rejection,
}

/// The story of one operation's key.
pub struct KeyedOperation {
    request: OperatePayment,
    key: IdempotencyKey,
    /// The edge makes a new one each time.
    refunds: Vec<RefundId>,
    pub answers: Vec<(PaymentId, u32)>,
}

/// The keys of operations by their numbers.
pub type KeyedOperations = BTreeMap<u64, KeyedOperation>;

fn key_of(number: u64, request: u64) -> IdempotencyKey {
    key(&format!("operation-{number}"), request)
}

/// Puts a new key on an operation.
pub fn keyed(book: &mut Book, mut request: OperatePayment) -> OperatePayment {
    let number = book.operations.len() as u64;
    let key = key_of(number, number);
    request.idempotency = Some(key);
    let refunds = refund_of(&request).into_iter().collect();
    let operation = KeyedOperation { request, key, refunds, answers: Vec::new() };
    book.operations.insert(number, operation);
    request
}

const fn refund_of(request: &OperatePayment) -> Option<RefundId> {
    match request.action {
        Action::Refund { refund, .. } => Some(refund),
        _ => None,
    }
}

/// Asks again under a key that was used before.
pub fn again(book: &mut Book, chance: &Chance) -> (OperatePayment, Expect) {
    // Each request brings ids of its own, also one that is sent again.
    let fresh = book.id(chance);
    let number = chance.below(book.operations.len() as u64);
    let operation = book.operations.get_mut(&number).expect("keys are numbered");
    let mut request = operation.request;
    match &mut request.action {
        Action::Refund { refund, .. } => {
            *refund = RefundId::from_bytes(fresh);
            operation.refunds.push(*refund);
        }
        Action::Confirm { charge, .. } => *charge = ChargeId::from_bytes(fresh),
        Action::Dispute(complaint) => complaint.dispute = DisputeId::from_bytes(fresh),
        Action::Capture { .. }
        | Action::Cancel { .. }
        | Action::CompleteAction { .. }
        | Action::Replay
        | Action::EndRefund { .. }
        | Action::AnswerDispute(_)
        | Action::CloseDispute { .. } => {}
    }
    match operation.answers.is_empty() {
        true => (request, Expect::Anything),
        false if chance.percent(30) => {
            request.idempotency = Some(key_of(number, number + 1_000_000));
            (request, Expect::Rejection)
        }
        false => (request, Expect::TheSame),
    }
}

/// The story of the key that this request carries.
pub fn story<'b>(
    operations: &'b mut KeyedOperations,
    request: &OperatePayment,
) -> Option<&'b mut KeyedOperation> {
    let key = request.idempotency?;
    operations.values_mut().find(|operation| operation.key.key == key.key)
}

/// Every violation of the keys, in words.
pub fn check(operations: &KeyedOperations, data: &Data) -> Vec<String> {
    let mut wrong = Vec::new();
    for (number, operation) in operations {
        let Some(first) = operation.answers.first() else { continue };
        if operation.answers.iter().any(|answer| answer != first) {
            wrong.push(format!("operation {number} was answered with {:?}", operation.answers));
        }
        if !data.idempotency.contains_key(&(operation.key.key, operation.request.actor)) {
            wrong.push(format!("the key of operation {number} was acknowledged and is forgotten"));
        }
        let payment = data.payments.get(&operation.request.payment);
        let made = payment.map_or(0, |payment| {
            let refunds = payment.state().refunds.iter();
            refunds.filter(|refund| operation.refunds.contains(&refund.id)).count()
        });
        if made > 1 {
            wrong.push(format!("operation {number} made {made} refunds under one key"));
        }
    }
    wrong
}
