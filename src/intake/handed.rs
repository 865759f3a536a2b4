//! Hands commands to the engine: the only place that does so for callers.
//!
//! Dropping a handler halfway is harmless: from the moment a command is handed in, it belongs to the engine.

use std::fmt;
use std::time::Duration;

use super::{Call, Intake, Wait};
use crate::domain::command::{Asked, PaymentCommand};
use crate::domain::ids::PaymentId;
use crate::domain::origin::Origin;
use crate::domain::resource::ChangeResource;
use crate::engine::{Changed, Done, Engine, EngineError, Reply};
use crate::readers::live::Waiter;

/// The pause between two attempts while the engine is full.
const BUSY_PAUSE: Duration = Duration::from_millis(5);
/// How often an unavailable store is tried again, [`AWAY_PAUSE`] apart.
const AWAY_ATTEMPTS: u32 = 30;
const AWAY_PAUSE: Duration = Duration::from_secs(1);

/// A command that the engine has.
pub struct Handed {
    reply: Reply,
    pub(super) wait: Wait,
    /// Notified when the payment comes to rest; `None` if the caller does not wait.
    pub(super) waiter: Option<(PaymentId, Waiter)>,
    /// The command, to hand it in again if the store becomes unavailable.
    again: Option<(Engine, Asked)>,
}

impl fmt::Debug for Handed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handed").field("wait", &self.wait).finish_non_exhaustive()
    }
}

impl Handed {
    /// Waits for the commit.
    ///
    /// # Errors
    /// The engine's.
    pub async fn committed(self) -> Result<Done, EngineError> {
        let mut answer = self.reply.outcome().await;
        let Some((engine, asked)) = self.again else { return answer };
        for _ in 0..AWAY_ATTEMPTS {
            if !matches!(answer, Err(EngineError::Unavailable { .. } | EngineError::Busy)) {
                break;
            }
            tokio::time::sleep(AWAY_PAUSE).await;
            // It may have been done the first time; its idempotency key shows that.
            answer = engine.execute(asked.clone()).await;
        }
        answer
    }
}

impl Intake {
    /// Hands in a command on a payment.
    pub(super) async fn hand_in(&self, command: PaymentCommand, call: Call) -> Result<Handed, EngineError> {
        let Call { origin, wait, persistent } = call;
        let waiter = match wait {
            Wait::No => None,
            // Registered before the command is handed in, so that nothing is missed.
            Wait::UpTo(_) => {
                let payment = command.payment();
                self.hub.wait_for_rest(payment).map(|waiter| (payment, waiter))
            }
        };
        let mut asked = command.asked_by(origin);
        let kept = persistent.then(|| asked.clone());
        let reply = loop {
            match (self.engine.submit(asked), &kept) {
                (Err(EngineError::Busy), Some(kept)) => asked = kept.clone(),
                (reply, _) => break reply?,
            }
            tokio::time::sleep(BUSY_PAUSE).await;
        };
        Ok(Handed { reply, wait, waiter, again: kept.map(|asked| (self.engine.clone(), asked)) })
    }

    /// Changes a plain resource, as asked for by this API request, and waits for the commit.
    ///
    /// # Errors
    /// The engine's.
    pub async fn change(
        &self,
        change: ChangeResource,
        origin: Option<Box<Origin>>,
    ) -> Result<Changed, EngineError> {
        self.engine.change(Asked { command: change, origin }).await
    }
}
