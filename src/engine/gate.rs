//! Keeps full accounts from submitting faster than their statements are written: while the reader does not keep up, they are
//! refused (429). Lean accounts have nothing written for them, and go on.
//!
//! What counts is what the reader gets done, not how old its next batch is: after an outage or a restart, a batch of yesterday may
//! be caught up with in a moment.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;

use crate::background::{Next, Schedule, Step, StepError};
use crate::domain::command::PaymentCommand;
use crate::domain::ids::AccountId;
use crate::domain::statement::READER;
use crate::store::{PipelineStore, StoreResult};

/// How often the reader is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// When [`GateWatch`] is run.
pub const SCHEDULE: Schedule = Schedule::every(LOOK_EVERY);
/// A reader catches up with this many batches in a moment, once it gets to them.
const FEW_BATCHES: u64 = 32;

/// Whether an account is known to be lean.
pub type IsLean = Arc<dyn Fn(AccountId) -> bool + Send + Sync>;

/// The gate. Open until the first look.
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
    pub fn admits(&self, command: &PaymentCommand) -> bool {
        match command {
            PaymentCommand::Submit(submit) if self.shut.load(Ordering::Relaxed) => {
                (self.is_lean)(submit.submission.owner)
            }
            PaymentCommand::Submit(_) | PaymentCommand::Operate(_) | PaymentCommand::Amend(_) => true,
        }
    }
}

/// Looks at the reader now and then, and shuts the gate while the reader is too slow.
pub struct GateWatch {
    gate: Arc<Gate>,
    store: Arc<dyn PipelineStore>,
    backlog: Backlog,
}

impl GateWatch {
    /// Shuts this gate while the reader needs longer than `lag_max`.
    #[must_use]
    pub fn new(gate: Arc<Gate>, store: Arc<dyn PipelineStore>, lag_max: Duration) -> Self {
        Self { gate, store, backlog: Backlog::new(lag_max) }
    }
}

#[async_trait]
impl Step for GateWatch {
    /// While the store is unavailable, nothing comes in anyway, and the reader can do nothing.
    async fn run(&mut self) -> Result<Next, StepError> {
        let (cursor, head) = positions(self.store.as_ref()).await?;
        let shut = self.backlog.look(cursor, head);
        if self.gate.shut.swap(shut, Ordering::Relaxed) != shut {
            let batches = head.saturating_sub(cursor);
            tracing::warn!(batches, shut, "statements are behind, or have caught up");
        }
        Ok(Next::Scheduled)
    }
}

/// The reader's position, and the journal's head.
async fn positions(store: &dyn PipelineStore) -> StoreResult<(u64, u64)> {
    let cursor = store.cursor_get(READER).await?;
    Ok((cursor, store.head().await?))
}

/// What the reader has had to do, look by look. Time is counted in looks that the store answered, so that an outage of the store is
/// not held against the reader.
struct Backlog {
    /// How many looks it may take over what there is to do.
    looks_max: usize,
    /// The journal's head at the last looks, the oldest first.
    heads: VecDeque<u64>,
    cursor: u64,
}

impl Backlog {
    fn new(lag_max: Duration) -> Self {
        let looks = lag_max.as_millis() / LOOK_EVERY.as_millis();
        let looks_max = usize::try_from(looks).unwrap_or(usize::MAX).max(1);
        Self { looks_max, heads: VecDeque::new(), cursor: 0 }
    }

    /// Notes the reader's position and the journal's head. Returns whether the reader does not keep up: what there was to do
    /// `looks_max` looks ago is not done yet, and more than a few batches are left.
    fn look(&mut self, cursor: u64, head: u64) -> bool {
        if cursor < self.cursor {
            // It rebuilds everything from scratch.
            self.heads.clear();
        }
        self.cursor = cursor;
        let due = if self.heads.len() < self.looks_max { None } else { self.heads.pop_front() };
        self.heads.push_back(head);
        head.saturating_sub(cursor) > FEW_BATCHES && due.is_some_and(|due| cursor < due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::command::{Action, OperatePayment, SubmitPayment};
    use crate::domain::ids::PaymentId;
    use crate::domain::submission::CaptureMethod;
    use crate::domain::tests::life::Life;

    #[test]
    fn a_shut_gate_admits_lean_accounts_and_what_was_accepted() {
        let submission = (**Life::charge(CaptureMethod::Automatic).payment.submission()).clone();
        let owner = submission.owner;
        let submit = SubmitPayment { submission, instrument: None, confirm: false, idempotency: None };
        let submit = PaymentCommand::Submit(Box::new(submit));
        let replay = OperatePayment {
            payment: PaymentId::generate(),
            actor: owner,
            action: Action::Replay,
            idempotency: None,
        };
        for lean in [false, true] {
            let gate = Gate::new(Arc::new(move |id| lean && id == owner));
            assert!(gate.admits(&submit));
            gate.shut.store(true, Ordering::Relaxed);
            assert_eq!(gate.admits(&submit), lean);
            assert!(gate.admits(&PaymentCommand::Operate(replay)));
        }
    }

    /// Two seconds, which are four looks.
    const LAG_MAX: Duration = Duration::from_secs(2);

    #[test]
    fn few_batches_are_never_too_many_however_old() {
        let mut backlog = Backlog::new(LAG_MAX);
        for _ in 0..1_000 {
            assert!(!backlog.look(5, 5 + FEW_BATCHES));
        }
    }

    #[test]
    fn a_reader_has_its_time_for_whatever_piled_up() {
        let mut backlog = Backlog::new(LAG_MAX);
        // After a restart, or during a rebuild.
        for cursor in [0, 90_000, 180_000, 270_000] {
            assert!(!backlog.look(cursor, 300_000));
        }
        assert!(backlog.look(299_000, 310_000), "that was not enough");
        assert!(!backlog.look(300_000, 310_000), "what there was is done, and the rest has its time");
        for head in [320_000, 330_000, 340_000, 350_000] {
            assert!(!backlog.look(head - 15_000, head), "it is behind, and keeps up");
        }
        assert!(!backlog.look(0, 350_000), "it begins again");
    }

    #[test]
    fn a_reader_that_falls_behind_is_noticed_and_so_is_one_that_stands_still() {
        let mut backlog = Backlog::new(LAG_MAX);
        let shut: Vec<bool> = (0..40_u64).map(|look| backlog.look(look * 60, look * 100)).collect();
        // Two thirds as fast as the sequencer: after twelve looks it is four looks behind.
        let first = shut.iter().position(|shut| *shut).unwrap();
        assert!((6..=12).contains(&first), "{first}");
        assert!(shut.iter().skip(first).all(|shut| *shut));
        let mut backlog = Backlog::new(LAG_MAX);
        let shut: Vec<bool> = (0..20_u64).map(|look| backlog.look(0, look * 20)).collect();
        assert_eq!(
            shut.iter().position(|shut| *shut),
            Some(5),
            "what there was at the second look, and ever since"
        );
    }
}
