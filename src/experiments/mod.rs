//! Guided experiments: what goes wrong between payment systems, made to happen on purpose and measured, each within half a minute.
//!
//! Each runs on throw-away accounts under a scenario of their own, so that it touches nobody else's payments. Its customers are tasks
//! of this process that go in by the intake, like everyone. May depend on `intake`, `scenarios`, `accounts`, the store's port and
//! `domain`; knows nothing of HTTP and of pages.
//!
//! - [`run`]: what is known of an experiment that was started. - `stage`: the accounts and payments of one.
//! - `customers`: people who want to pay, and what they do when it takes too long; `tally`: what became of them.
//! - [`retry_storm`], [`idempotency`], [`circuit_breaker`]: parameters, what is shown, and what it comes to in two sentences.

pub mod circuit_breaker;
mod customers;
pub mod idempotency;
pub mod retry_storm;
pub mod run;
mod stage;
mod tally;

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

pub use run::{Band, Figure, Findings, Line, Outcome, Plot, Point, Run, View};
use stage::Stage;

use crate::accounts::Accounts;
use crate::domain::ids::AccountId;
use crate::intake::Intake;
use crate::scenarios::Scenarios;
use crate::store::Store;

/// Experiments that may run at once.
pub const RUNNING_MAX: usize = 2;
/// Experiments that are remembered.
const REMEMBERED_MAX: usize = 32;

/// Which experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Retries at once against retries with backoff and jitter.
    RetryStorm,
    /// The same request a hundred times, with a key and without.
    Idempotency,
    /// An outage with a circuit breaker and without.
    CircuitBreaker,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::RetryStorm, Self::Idempotency, Self::CircuitBreaker];

    /// Its name in addresses.
    #[must_use]
    pub const fn slug(self) -> &'static str {
        match self {
            Self::RetryStorm => "retry-storm",
            Self::Idempotency => "idempotency",
            Self::CircuitBreaker => "circuit-breaker",
        }
    }

    /// The experiment with this name.
    #[must_use]
    pub fn parse(slug: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.slug() == slug)
    }

    /// Its title.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::RetryStorm => "Retry storm",
            Self::Idempotency => "Idempotency keys",
            Self::CircuitBreaker => "Circuit breaker",
        }
    }

    /// What is done and compared, in two or three sentences.
    #[must_use]
    pub const fn intro(self) -> &'static str {
        match self {
            Self::RetryStorm => retry_storm::INTRO,
            Self::Idempotency => idempotency::INTRO,
            Self::CircuitBreaker => circuit_breaker::INTRO,
        }
    }

    /// What it draws.
    #[must_use]
    pub fn plots(self) -> Vec<Plot> {
        match self {
            Self::RetryStorm => retry_storm::plots(),
            Self::Idempotency => idempotency::plots(),
            Self::CircuitBreaker => circuit_breaker::plots(),
        }
    }

    /// What is compared, in the order of the figures.
    #[must_use]
    pub const fn arms(self) -> [&'static str; 2] {
        match self {
            Self::RetryStorm => ["Retry at once", "Backoff and jitter"],
            Self::Idempotency => ["Same key", "No key"],
            Self::CircuitBreaker => ["With breaker", "Without breaker"],
        }
    }

    /// About how long it takes, in seconds.
    #[must_use]
    pub const fn lasts_s(self) -> u32 {
        match self {
            Self::RetryStorm => retry_storm::LASTS_S,
            Self::Idempotency => idempotency::LASTS_S,
            Self::CircuitBreaker => circuit_breaker::LASTS_S,
        }
    }
}

/// Why an experiment is not started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ExperimentError {
    /// Forbidden by the settings.
    #[error("Experiments are switched off on this server (server.experiments).")]
    Off,
    /// Enough are running.
    #[error(
        "{RUNNING_MAX} experiments are running on this server, and no more may at once. Try again in half a minute."
    )]
    Busy,
}

/// The use cases. Clones share what runs.
#[derive(Clone)]
pub struct Experiments {
    stage: Stage,
    allowed: bool,
    running: Arc<Semaphore>,
    runs: Arc<Mutex<VecDeque<Arc<Run>>>>,
    stopping: CancellationToken,
    runtime: Handle,
}

impl Experiments {
    /// Experiments on this server, if they are `allowed`; they end when it stops. They go on on the runtime that this is called on,
    /// so that no thread that answers requests has their customers to carry as well.
    #[must_use]
    pub fn new(
        intake: Intake,
        scenarios: Scenarios,
        accounts: Arc<Accounts>,
        store: Arc<dyn Store>,
        allowed: bool,
        stopping: CancellationToken,
    ) -> Self {
        let stage = Stage { intake, scenarios, accounts, store, stopping: stopping.clone() };
        let (running, runs) = (Arc::new(Semaphore::new(RUNNING_MAX)), Arc::default());
        Self { stage, allowed, running, runs, stopping, runtime: Handle::current() }
    }

    /// Whether the settings allow them.
    #[must_use]
    pub const fn are_allowed(&self) -> bool {
        self.allowed
    }

    /// Starts an experiment for this account. It goes on by itself.
    ///
    /// # Errors
    /// [`ExperimentError`].
    pub fn start(&self, kind: Kind, owner: AccountId) -> Result<Arc<Run>, ExperimentError> {
        if !self.allowed {
            return Err(ExperimentError::Off);
        }
        let permit = Arc::clone(&self.running).try_acquire_owned().map_err(|_| ExperimentError::Busy)?;
        let run = {
            let mut runs = self.runs.lock();
            let id = runs.back().map_or(0, |run| run.id).saturating_add(1);
            let run = Arc::new(Run::new(id, kind, owner));
            runs.push_back(Arc::clone(&run));
            while runs.len() > REMEMBERED_MAX {
                runs.pop_front();
            }
            run
        };
        let (stage, stopping, of_task) = (self.stage.clone(), self.stopping.clone(), Arc::clone(&run));
        self.runtime.spawn(async move {
            let _permit = permit;
            let outcome = tokio::select! {
                () = stopping.cancelled() => Outcome::Failed("The server was stopped meanwhile.".to_owned()),
                ended = perform(&stage, &of_task) => ended.map_or_else(failed, Outcome::Done),
            };
            of_task.end(outcome);
        });
        Ok(run)
    }

    /// The experiment of this account with this id.
    #[must_use]
    pub fn find(&self, owner: AccountId, kind: Kind, id: u64) -> Option<Arc<Run>> {
        self.last(owner, kind, |run| run.id == id)
    }

    /// The latest experiment of this kind that this account started.
    #[must_use]
    pub fn latest(&self, owner: AccountId, kind: Kind) -> Option<Arc<Run>> {
        self.last(owner, kind, |_| true)
    }

    fn last(&self, owner: AccountId, kind: Kind, fits: impl Fn(&Run) -> bool) -> Option<Arc<Run>> {
        let runs = self.runs.lock();
        runs.iter().rfind(|run| run.owner == owner && run.kind == kind && fits(run)).map(Arc::clone)
    }
}

async fn perform(stage: &Stage, run: &Arc<Run>) -> anyhow::Result<Findings> {
    match run.kind {
        Kind::RetryStorm => retry_storm::perform(stage, run).await,
        Kind::Idempotency => idempotency::perform(stage, run).await,
        Kind::CircuitBreaker => circuit_breaker::perform(stage, run).await,
    }
}

/// A cause is for the log: it may name what is nobody's business.
fn failed(error: anyhow::Error) -> Outcome {
    tracing::warn!(error = format!("{error:#}"), "an experiment could not go on");
    Outcome::Failed(
        "A part of the server did not answer, so the experiment ended early. Try again.".to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_experiment_is_found_by_its_name_and_ends_within_forty_seconds() {
        for kind in Kind::ALL {
            assert_eq!(Kind::parse(kind.slug()), Some(kind));
            assert!(kind.lasts_s() <= 40 && !kind.plots().is_empty(), "{kind:?}");
        }
        assert_eq!(Kind::parse("retry-storm/"), None);
    }
}
