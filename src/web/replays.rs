//! From drafts to commands. What cannot be done any more, since a card has expired or an account was closed, may have been done
//! before under the same idempotency key: then its command is made all the same, and the engine answers it with what was
//! done the first time, or refuses it if its parameters were others.

use super::error::ApiError;
use super::intake::{Destination, Draft, OperationDraft};
use super::payees;
use super::state::WebState;
use crate::domain::command::{OperatePayment, SubmitPayment};
use crate::domain::ids::{AccountId, PaymentId};
use crate::domain::submission::Kind;

/// The command of a draft.
///
/// # Errors
/// What is in the way of doing it now, unless it was done before; the store's.
pub async fn submission(state: &WebState, draft: Draft, owner: AccountId) -> Result<SubmitPayment, ApiError> {
    let payee = payees::resolve(state, draft.destination.as_ref()).await?;
    let Some(obstacle) = draft.obstacle(payee) else {
        return Ok(draft.into_command(owner, payee)?);
    };
    let Some(made) = known(state, draft.stored_key(), owner).await? else {
        return Err(obstacle.into());
    };
    let payee = match draft.destination {
        Some(Destination::Account(id)) => Some(id),
        Some(Destination::Email(_)) => payee_of(state, made).await?,
        None => None,
    };
    Ok(draft.as_before().into_command(owner, payee)?)
}

/// The command of an operation.
///
/// # Errors
/// As [`submission`].
pub async fn operation(
    state: &WebState,
    draft: OperationDraft,
    payment: PaymentId,
    actor: AccountId,
) -> Result<OperatePayment, ApiError> {
    if let Some(obstacle) = draft.obstacle()
        && known(state, draft.stored_key(), actor).await?.is_none()
    {
        return Err(obstacle.clone().into());
    }
    Ok(draft.into_command(payment, actor))
}

/// The payment that this key made or changed.
async fn known(
    state: &WebState,
    key: Option<[u8; 32]>,
    owner: AccountId,
) -> Result<Option<PaymentId>, ApiError> {
    let Some(key) = key else { return Ok(None) };
    Ok(state.store.idempotency_get(&key, owner).await?.and_then(|record| record.subject.payment()))
}

async fn payee_of(state: &WebState, payment: PaymentId) -> Result<Option<AccountId>, ApiError> {
    let payment = state.store.payment_one(payment).await?;
    Ok(payment.and_then(|payment| match payment.submission().kind {
        Kind::Transfer { payee } => Some(payee),
        Kind::Charge | Kind::TopUp | Kind::Payout { .. } => None,
    }))
}
