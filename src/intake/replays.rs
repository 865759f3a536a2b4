//! Turns drafts into commands. A request that can no longer be done, because a card has expired or an account was closed,
//! may have been done before under the same idempotency key. Then its command is made all the same: the engine answers it
//! with the first result, or refuses it if its parameters differ.

use super::drafts::{OperationDraft, PaymentDraft};
use super::error::IntakeError;
use super::payees::{self, Destination};
use crate::accounts::Directory;
use crate::domain::command::{OperatePayment, SubmitPayment};
use crate::domain::ids::{AccountId, PaymentId};
use crate::domain::submission::Kind;
use crate::store::{Store, StoreResult};

/// The command of a new payment.
///
/// # Errors
/// Why it cannot be done now, unless it was done before; the store's.
pub(super) async fn submission(
    directory: &Directory,
    store: &dyn Store,
    draft: PaymentDraft,
    owner: AccountId,
) -> Result<SubmitPayment, IntakeError> {
    let payee = payees::resolve(directory, draft.destination.as_ref()).await?;
    let Some(obstacle) = draft.obstacle(payee) else {
        return Ok(draft.into_command(owner, payee)?);
    };
    let Some(original) = known(store, draft.stored_key(), owner).await? else {
        return Err(obstacle.into());
    };
    let payee = match draft.destination {
        Some(Destination::Account(id)) => Some(id),
        Some(Destination::Email(_)) => payee_of(store, original).await?,
        None => None,
    };
    Ok(draft.before_lapse().into_command(owner, payee)?)
}

/// The command of an operation.
///
/// # Errors
/// As [`submission`].
pub(super) async fn operation(
    store: &dyn Store,
    draft: OperationDraft,
    payment: PaymentId,
    actor: AccountId,
) -> Result<OperatePayment, IntakeError> {
    if let Some(obstacle) = draft.obstacle()
        && known(store, draft.stored_key(), actor).await?.is_none()
    {
        return Err(obstacle.clone().into());
    }
    Ok(draft.into_command(payment, actor))
}

/// The payment that a request with this key created or changed.
async fn known(store: &dyn Store, key: Option<[u8; 32]>, owner: AccountId) -> StoreResult<Option<PaymentId>> {
    let Some(key) = key else { return Ok(None) };
    Ok(store.idempotency_get(&key, owner).await?.and_then(|record| record.subject.payment()))
}

async fn payee_of(store: &dyn Store, payment: PaymentId) -> StoreResult<Option<AccountId>> {
    let payment = store.payment_one(payment).await?;
    Ok(payment.and_then(|payment| match payment.submission().kind {
        Kind::Transfer { payee } => Some(payee),
        Kind::Charge | Kind::TopUp | Kind::Payout { .. } => None,
    }))
}
