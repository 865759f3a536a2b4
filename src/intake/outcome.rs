//! Waits for the outcome of a command.

use std::sync::Arc;
use std::time::Duration;

use super::earlier_terms;
use super::error::IntakeError;
use super::settled::{as_committed, dispute_at, first_settled, is_settled, refund_at};
use super::{Handed, Intake, Wait};
use crate::domain::ids::{PartId, PaymentId, RefundId};
use crate::domain::payment::Payment;
use crate::readers::live::Waiter;

/// The longest that a repeated request waits for the outcome of the first one.
const REPLAY_WAIT_MAX: Duration = Duration::from_secs(5);

/// The outcome of a command, as far as it is known.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The payment as the answer shows it.
    pub payment: Arc<Payment>,
    /// The payment's version right after the command.
    pub version: u32,
    /// Whether its idempotency key had been used before.
    pub replayed: bool,
    /// Whether the outcome is known; otherwise the payment is still under way.
    pub settled: bool,
}

impl Outcome {
    /// The refund that the command created; `None` for other commands.
    #[must_use]
    pub fn refund(&self) -> Option<RefundId> {
        refund_at(&self.payment, self.version)
    }

    /// The dispute that the command opened or changed, or the early fraud warning that it raised; `None` for other commands.
    #[must_use]
    pub fn dispute(&self) -> Option<PartId> {
        dispute_at(&self.payment, self.version)
    }
}

impl Intake {
    /// Waits for the outcome as long as the call says. A replayed command is answered with the outcome of the original.
    ///
    /// # Errors
    /// The engine's; [`IntakeError::InProgress`] for a replayed key whose original has no outcome yet; [`IntakeError::Unread`]
    /// or [`IntakeError::Lost`] where the outcome could not be read.
    pub async fn outcome(&self, mut handed: Handed) -> Result<Outcome, IntakeError> {
        let (wait, waiter) = (handed.wait, handed.waiter.take());
        let done = handed.committed().await?;
        let committed = Committed { id: done.payment.id(), version: done.version, replayed: done.replayed };
        if let Some(payment) = first_settled(&done.payment, done.version) {
            return self.answer(committed, payment, true).await;
        }
        let Wait::UpTo(time) = wait else {
            return self.answer(committed, as_committed(&done.payment, done.version), false).await;
        };
        // The wait may be long and others wait as well, so nothing large is held during it.
        drop(done);
        // A replayed submission has a different id from the one that was registered.
        let waiter = match waiter {
            Some((id, waiter)) if id == committed.id => Some(waiter),
            Some(_) | None => self.hub.wait_for_rest(committed.id),
        };
        let latest = self.wait_or_look(committed, waiter, time).await?;
        match first_settled(&latest, committed.version) {
            Some(payment) => self.answer(committed, payment, true).await,
            None if committed.replayed => Err(IntakeError::InProgress),
            None => self.answer(committed, as_committed(&latest, committed.version), false).await,
        }
    }

    /// Answers with the payment and its terms at that version, which a later amendment may have replaced.
    async fn answer(
        &self,
        committed: Committed,
        mut payment: Arc<Payment>,
        settled: bool,
    ) -> Result<Outcome, IntakeError> {
        if payment.unread_terms().is_some() {
            let mut then = Payment::clone(&payment);
            let read = earlier_terms::read(self.store.as_ref(), [&mut then]).await;
            read.map_err(IntakeError::Unread)?;
            payment = Arc::new(then);
        }
        let Committed { version, replayed, .. } = committed;
        Ok(Outcome { payment, version, replayed, settled })
    }

    /// Waits for the outcome, and reads the payment from the store once if that took too long.
    async fn wait_or_look(
        &self,
        committed: Committed,
        waiter: Option<Waiter>,
        time: Duration,
    ) -> Result<Arc<Payment>, IntakeError> {
        let mut time = time;
        if committed.replayed {
            // Registered after the fact: it may have come to rest between the engine's answer and now.
            let now = self.read(committed.id).await?;
            if first_settled(&now, committed.version).is_some() {
                return Ok(now);
            }
            time = time.min(REPLAY_WAIT_MAX);
        }
        if let Some(waiter) = waiter
            && let Ok(settled) = tokio::time::timeout(time, self.wait_until_settled(committed, &waiter)).await
        {
            return settled;
        }
        self.read(committed.id).await
    }

    async fn wait_until_settled(
        &self,
        committed: Committed,
        waiter: &Waiter,
    ) -> Result<Arc<Payment>, IntakeError> {
        let version = committed.version;
        loop {
            if let Some(payment) = waiter.until(move |payment| is_settled(payment, version)).await {
                return Ok(payment);
            }
            let now = self.read(committed.id).await?;
            if first_settled(&now, version).is_some() {
                return Ok(now);
            }
        }
    }

    async fn read(&self, id: PaymentId) -> Result<Arc<Payment>, IntakeError> {
        let found = self.store.payment_one(id).await.map_err(IntakeError::Unread)?;
        // It was committed: it can only be missing if the store lost it.
        found.map(Arc::new).ok_or(IntakeError::Lost(id))
    }
}

/// A command that was committed.
#[derive(Debug, Clone, Copy)]
struct Committed {
    id: PaymentId,
    version: u32,
    replayed: bool,
}
