//! The use case that creates payments.

use super::drafts::PaymentDraft;
use super::{Call, Handed, Intake, IntakeError, details, payees, replays};
use crate::domain::command::PaymentCommand;
use crate::domain::ids::AccountId;
use crate::store::StoreResult;

impl Intake {
    /// Hands in a new payment of this owner: looks up its payee, stores the detail of its attempt, and leaves the rest to
    /// the engine.
    ///
    /// # Errors
    /// Why it cannot be done now, unless it was done before; the store's; the engine's.
    pub async fn submit(
        &self,
        mut draft: PaymentDraft,
        owner: AccountId,
        call: Call,
    ) -> Result<Handed, IntakeError> {
        let detail = draft.take_detail();
        let command = replays::submission(&self.directory, self.store.as_ref(), draft, owner).await?;
        details::keep(self.store.as_ref(), *command.submission.id.as_bytes(), detail.as_ref()).await?;
        drop(detail);
        Ok(self.hand_in(PaymentCommand::Submit(Box::new(command)), call).await?)
    }

    /// Loads the payees of many payments at once, before each of them is submitted.
    ///
    /// # Errors
    /// The store's.
    pub async fn load_payees<'a>(&self, drafts: impl Iterator<Item = &'a PaymentDraft>) -> StoreResult<()> {
        payees::load(&self.directory, drafts.filter_map(|draft| draft.destination.as_ref())).await
    }
}
