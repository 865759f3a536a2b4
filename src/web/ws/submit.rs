//! Reads commands from messages, checks them, and hands them to the engine in the order in which they arrived.

use futures_util::future::join_all;

use super::Peer;
use super::answer;
use super::message::{ClientId, Message};
use crate::domain::ids::AccountId;
use crate::domain::payment_kind::PaymentKind;
use crate::engine::Done;
use crate::intake::{Call, Handed, InputContext, InputError, OperationDraft, Params, PaymentDraft, Verb};
use crate::web::error::ApiError;
use crate::web::state::WebState;

/// Commands handed in together and answered by one frame.
pub struct Pending {
    id: Option<ClientId>,
    handed: Vec<Result<Handed, ApiError>>,
    batch: bool,
}

impl Pending {
    /// Waits for the commits and builds the answer. Holds only the row of each payment.
    pub async fn answer(self, state: &WebState) -> String {
        let id = self.id.as_ref();
        if self.batch {
            let results = self
                .handed
                .into_iter()
                .map(|handed| async move { answer::one_result(state, &committed(handed).await) });
            return answer::ack_batch(id, &join_all(results).await);
        }
        match self.handed.into_iter().next() {
            Some(handed) => answer::ack(state, id, &committed(handed).await),
            None => answer::error(id, &ApiError::internal()),
        }
    }
}

async fn committed(handed: Result<Handed, ApiError>) -> Result<Done, ApiError> {
    Ok(handed?.committed().await?)
}

/// A payment that was read, and the account that submits it.
struct Read {
    draft: PaymentDraft,
    account: AccountId,
}

/// Hands in the payments of a message. An error in one is answered in its place and does not affect the others.
pub async fn payments(state: &WebState, peer: &Peer, message: Message<'_>) -> Result<Pending, ApiError> {
    let batch = message.payments.is_some();
    let (params, account) = match (message.payment, message.payments) {
        (Some(payment), None) => (vec![payment], message.account),
        (None, Some(payments)) => (payments, message.account),
        (None, None) | (Some(_), Some(_)) => return Err(InputError::missing("payment").into()),
    };
    let default_account = account_of(state, peer, account.as_deref()).await?;
    let context = state.intake.context();
    let mut read = Vec::with_capacity(params.len());
    for params in params {
        read.push(read_payment(state, peer, params, default_account, &context).await);
    }
    let drafts = read.iter().filter_map(|one| one.as_ref().ok());
    state.intake.load_payees(drafts.clone().map(|one| &one.draft)).await?;
    // The rows of the answer need the accounts' names.
    state.accounts.directory().load(drafts.map(|one| one.account)).await?;
    let mut handed = Vec::with_capacity(read.len());
    for one in read {
        handed.push(match one {
            Ok(one) => {
                let handed = state.intake.submit(one.draft, one.account, Call::default()).await;
                handed.map_err(ApiError::from)
            }
            Err(error) => Err(error),
        });
    }
    Ok(Pending { id: message.id, handed, batch })
}

async fn read_payment(
    state: &WebState,
    peer: &Peer,
    mut params: Params<'_>,
    default_account: AccountId,
    context: &InputContext<'_>,
) -> Result<Read, ApiError> {
    let kind = params.text("kind")?.ok_or_else(|| InputError::missing("kind"))?;
    let unknown = || InputError::not_one_of("kind", &PaymentKind::ALL.map(PaymentKind::as_str));
    let kind = PaymentKind::parse(&kind).ok_or_else(unknown)?;
    let draft = PaymentDraft::read(&mut params, kind, context)?;
    let account = match params.text("account")? {
        None => default_account,
        Some(account) => account_of(state, peer, Some(&account)).await?,
    };
    params.finish()?;
    Ok(Read { draft, account })
}

/// Hands in an operation.
pub async fn operation(state: &WebState, peer: &Peer, message: Message<'_>) -> Result<Pending, ApiError> {
    let account = account_of(state, peer, message.account.as_deref()).await?;
    let payment = message.payment_id.ok_or_else(|| InputError::missing("payment_id"))?;
    let payment =
        payment.parse().map_err(|_| ApiError::not_found("payment", &payment).with_param("payment_id"))?;
    let name = message.operation.ok_or_else(|| InputError::missing("operation"))?;
    let unknown = || InputError::not_one_of("operation", &Verb::ALL.map(Verb::as_str));
    let verb = Verb::parse(&name).ok_or_else(unknown)?;
    let mut params = Params::default();
    params.add_integer("amount", message.amount);
    params.add_text("reason", message.reason.map(Into::into));
    params.add_text("payment_method", message.payment_method);
    params.add_below("card", message.card);
    params.add_bool("passed", message.passed);
    params.add_text("dispute", message.dispute.map(Into::into));
    params.add_text("refund", message.refund.map(Into::into));
    params.add_text("failure_reason", message.failure_reason.map(Into::into));
    params.add_text("type", message.dispute_type.map(Into::into));
    params.add_text("idempotency_key", message.idempotency_key);
    let draft = OperationDraft::read(&mut params, verb, "amount", &state.intake.context())?;
    params.finish()?;
    state.accounts.directory().load([account]).await?;
    let handed = state.intake.operate(draft, payment, account, Call::default()).await;
    Ok(Pending { id: message.id, handed: vec![handed.map_err(ApiError::from)], batch: false })
}

/// The account that a message acts for: the peer's own, or one it created.
pub async fn account_of(state: &WebState, peer: &Peer, account: Option<&str>) -> Result<AccountId, ApiError> {
    let Some(account) = account else {
        return Ok(peer.account);
    };
    let denied = || ApiError::from(crate::accounts::AccountError::NotYours).with_param("account");
    let account = account.parse().map_err(|_| denied())?;
    state
        .accounts
        .act_for(peer.account, account)
        .await
        .map_err(|error| ApiError::from(error).with_param("account"))?;
    Ok(account)
}
