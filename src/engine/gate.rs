//! Keeps full accounts from submitting faster than their statements are written: past a published lag they are refused (429)
//! until it is made up. Lean accounts have nothing written for them, and go on.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::Wall;
use crate::domain::command::Command;
use crate::domain::ids::AccountId;
use crate::domain::statement::READER;
use crate::store::{Store, StoreResult};

/// How often the reader's lag is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Whether an account is known to be lean.
pub type IsLean = Arc<dyn Fn(AccountId) -> bool + Send + Sync>;

/// The gate. Open until it was looked.
pub struct Gate {
    shut: AtomicBool,
    is_lean: IsLean,
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("shut", &self.shut).finish_non_exhaustive()
    }
}

impl Gate {
    /// An open one.
    #[must_use]
    pub fn new(is_lean: IsLean) -> Self {
        Self { shut: AtomicBool::new(false), is_lean }
    }

    /// Whether a command may come in. What was accepted before goes on, and so do operations on it.
    #[must_use]
    pub fn admits(&self, command: &Command) -> bool {
        match command {
            Command::Submit(submit) if self.shut.load(Ordering::Relaxed) => {
                (self.is_lean)(submit.submission.owner)
            }
            Command::Submit(_)
            | Command::Operate(_)
            | Command::Amend(_)
            | Command::Change(_)
            | Command::Answer(_)
            | Command::TimerDue(_) => true,
        }
    }

    /// Looks at the lag now and then, and shuts while it is longer than that.
    pub async fn watch(
        self: Arc<Self>,
        store: Arc<dyn Store>,
        wall: Wall,
        lag_max: Duration,
        stop: CancellationToken,
    ) {
        while !stop.is_cancelled() {
            match lag(store.as_ref(), &wall).await {
                Ok(lag) => {
                    let shut = lag > lag_max;
                    if self.shut.swap(shut, Ordering::Relaxed) != shut {
                        let lag_ms = lag.as_millis();
                        tracing::warn!(lag_ms, shut, "statements are behind, or have caught up");
                    }
                }
                // While the store is away nothing comes in anyway.
                Err(error) => tracing::debug!(error = %error, "the lag of statements could not be told"),
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }
}

/// How old the first batch is that the reader has not taken yet.
async fn lag(store: &dyn Store, wall: &Wall) -> StoreResult<Duration> {
    let cursor = store.cursor_get(READER).await?;
    if cursor >= store.head().await? {
        return Ok(Duration::ZERO);
    }
    let since = store.journal_time(cursor).await?;
    Ok(since.map_or(Duration::ZERO, |since| Duration::from_micros(wall.now().micros_since(since))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::command::SubmitPayment;
    use crate::domain::ids::PaymentId;
    use crate::domain::submission::CaptureMethod;
    use crate::domain::tests::life::Life;

    #[test]
    fn a_shut_gate_admits_lean_accounts_and_what_was_accepted() {
        let submission = (**Life::charge(CaptureMethod::Automatic).payment.submission()).clone();
        let owner = submission.owner;
        let submit = SubmitPayment { submission, instrument: None, confirm: false, idempotency: None };
        let submit = Command::Submit(Box::new(submit));
        for lean in [false, true] {
            let gate = Gate::new(Arc::new(move |id| lean && id == owner));
            assert!(gate.admits(&submit));
            gate.shut.store(true, Ordering::Relaxed);
            assert_eq!(gate.admits(&submit), lean);
            assert!(gate.admits(&Command::TimerDue(PaymentId::generate())));
        }
    }
}
