//! The use cases on existing payments: operations and amendments.

use super::drafts::OperationDraft;
use super::{Call, Handed, Intake, IntakeError, details, replays};
use crate::domain::amendment::AmendPayment;
use crate::domain::command::PaymentCommand;
use crate::domain::ids::{AccountId, PaymentId};
use crate::engine::EngineError;

impl Intake {
    /// Hands in an operation on this payment, as asked by `actor`, and stores its detail.
    ///
    /// # Errors
    /// Why it cannot be done now, unless it was done before; the store's; the engine's.
    pub async fn operate(
        &self,
        mut draft: OperationDraft,
        payment: PaymentId,
        actor: AccountId,
        call: Call,
    ) -> Result<Handed, IntakeError> {
        let detail = draft.take_detail();
        let subject = draft.described_part().map_or(*payment.as_bytes(), |part| *part.as_bytes());
        let command = replays::operation(self.store.as_ref(), draft, payment, actor).await?;
        details::keep(self.store.as_ref(), subject, detail.as_ref()).await?;
        drop(detail);
        Ok(self.hand_in(PaymentCommand::Operate(command), call).await?)
    }

    /// Hands in an amendment.
    ///
    /// # Errors
    /// The engine's.
    pub async fn amend(&self, amendment: AmendPayment, call: Call) -> Result<Handed, EngineError> {
        self.hand_in(PaymentCommand::Amend(Box::new(amendment)), call).await
    }
}
