//! Runs a step repeatedly: after each interval, and sooner when it is signalled.
//!
//! An error is recorded and logged by its kind, and the step runs again after its interval. After a panic and a pause, a new step
//! replaces the one that panicked. A stop takes effect between runs; the step may then finish.

use std::fmt::Display;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::registry::TaskHandle;
use crate::outage::{Outage, Way};

/// The log's name for a failing task; the cause begins with the task's own name.
const TROUBLE: &str = "a background task";

/// What a task does each time.
#[async_trait]
pub trait Step: Send {
    /// Does what there is to do now.
    ///
    /// # Errors
    /// Why it could not. It is run again once the interval has passed.
    async fn run(&mut self) -> Result<Next, StepError>;

    /// Returns when there is something to do before the interval has passed; usually a `Notify` that is awaited. Must be safe to cancel.
    async fn signalled(&mut self) {
        std::future::pending().await
    }

    /// Called once, when the task is stopped in order: does what is left, and gives back what it holds.
    async fn finish(&mut self) {}
}

/// When a step is run next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// As its schedule says.
    Scheduled,
    /// After so long, or when it is signalled.
    After(Duration),
}

/// Why a step could not be done.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// A dependency is unavailable; its adapter logs that.
    #[error("{0}")]
    Expected(String),
    /// Something is damaged, or a defect.
    #[error("{0}")]
    Broken(String),
}

impl StepError {
    /// An error of one of the two kinds.
    #[must_use]
    pub fn new(expected: bool, cause: &dyn Display) -> Self {
        let cause = cause.to_string();
        if expected { Self::Expected(cause) } else { Self::Broken(cause) }
    }
}

/// When a step is run.
#[derive(Debug, Clone, Copy)]
pub struct Schedule {
    interval: Option<Duration>,
    first_after: Option<Duration>,
    apart: Duration,
    interruptible: bool,
}

impl Schedule {
    /// At once, and then after each interval.
    #[must_use]
    pub const fn every(interval: Duration) -> Self {
        Self {
            interval: Some(interval),
            first_after: Some(Duration::ZERO),
            apart: Duration::ZERO,
            interruptible: false,
        }
    }

    /// After each interval, the first time as well.
    #[must_use]
    pub const fn after_each(interval: Duration) -> Self {
        Self { first_after: Some(interval), ..Self::every(interval) }
    }

    /// Only when the step is signalled, with at least `apart` between runs. After an error it runs again at the next signal.
    #[must_use]
    pub const fn on_signal(apart: Duration) -> Self {
        Self { interval: None, first_after: None, apart, interruptible: false }
    }

    /// The step only reads, so it may be dropped halfway when the task is stopped.
    #[must_use]
    pub const fn interruptible(self) -> Self {
        Self { interruptible: true, ..self }
    }
}

impl TaskHandle {
    /// Runs a step on a schedule until stopped. `make` makes the step, and a new one after each panic.
    pub async fn repeat<S: Step + 'static>(
        self,
        schedule: Schedule,
        stop: CancellationToken,
        mut make: impl FnMut() -> S + Send,
    ) {
        let (task, stopped) = (self.clone(), stop.clone());
        let (task, stopped) = (&task, &stopped);
        let run = move || steps(task, schedule, stopped, Box::new(make()));
        self.keep(stop, run).await;
    }
}

/// Runs one step until stopped or until it panics.
async fn steps(task: &TaskHandle, schedule: Schedule, stop: &CancellationToken, mut step: Box<dyn Step>) {
    let trouble = Outage::new(TROUBLE);
    let (mut wait, mut apart) = (schedule.first_after, Duration::ZERO);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            () = due(&mut *step, wait, apart) => {}
        }
        let began = Instant::now();
        let outcome = tokio::select! {
            biased;
            () = stop.cancelled(), if schedule.interruptible => break,
            outcome = step.run() => outcome,
        };
        (wait, apart) = (schedule.interval, schedule.apart);
        match outcome {
            Ok(next) => {
                task.ran(began.elapsed());
                trouble.worked(Way::Read);
                if let Next::After(pause) = next {
                    wait = Some(pause);
                }
            }
            Err(error) => {
                note(task, &trouble, &error);
                // The cause of the signal may still stand; without a pause the step would run in a tight loop.
                apart = apart.max(wait.unwrap_or_default());
            }
        }
    }
    step.finish().await;
}

/// Returns once the step is due: after `wait`, if there is one, or when it is signalled, but not before `apart`.
async fn due(step: &mut dyn Step, wait: Option<Duration>, apart: Duration) {
    let began = Instant::now();
    if !apart.is_zero() {
        tokio::time::sleep(apart).await;
    }
    let passed = async {
        match wait {
            Some(wait) if wait <= apart => {}
            Some(wait) => tokio::time::sleep_until(began + wait).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        () = step.signalled() => {}
        () = passed => {}
    }
}

fn note(task: &TaskHandle, trouble: &Outage, error: &StepError) {
    let name = task.name();
    match error {
        StepError::Expected(cause) => tracing::debug!(task = name, cause, "a step could not be done"),
        StepError::Broken(cause) => trouble.failed(Way::Read, &format_args!("{name}: {cause}")),
    }
    task.erred(&error.to_string());
}

#[cfg(test)]
mod tests;
