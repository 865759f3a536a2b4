//! Whether the tasks that keep the installation going are alive. A panic ends one task and nothing else, so that nobody
//! would notice; here it is logged once with its cause, the task is run again, and until it does `/readyz` says so.

use std::any::Any;
use std::collections::BTreeMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::clock::Wall;
use crate::domain::time::Timestamp;

/// How long a task that ended is left alone before it is run again, doubled each time that it ends soon after.
const REST_MIN: Duration = Duration::from_secs(1);
const REST_MAX: Duration = Duration::from_secs(30);
/// A task that ran this long did not end soon.
const LONG_ENOUGH: Duration = Duration::from_secs(60);
/// The longest cause that is kept.
const CAUSE_CHARS_MAX: usize = 500;

/// How a task is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulse {
    /// Whether it runs.
    pub alive: bool,
    /// How often it panicked or ended.
    pub failures: u64,
    /// The last time, and why.
    pub last_failure: Option<(Timestamp, String)>,
}

/// The tasks of one process.
#[derive(Debug, Clone)]
pub struct Vitals {
    tasks: Arc<Mutex<BTreeMap<&'static str, Pulse>>>,
    wall: Wall,
}

/// One task's entry.
#[derive(Debug, Clone)]
pub struct Vital {
    name: &'static str,
    vitals: Vitals,
}

impl Vitals {
    /// Those of a process that has none yet.
    #[must_use]
    pub fn new(wall: Wall) -> Self {
        Self { tasks: Arc::default(), wall }
    }

    /// An entry for a task that starts now.
    #[must_use]
    pub fn task(&self, name: &'static str) -> Vital {
        self.tasks.lock().insert(name, Pulse { alive: true, failures: 0, last_failure: None });
        Vital { name, vitals: self.clone() }
    }

    /// The tasks that should run and do not.
    #[must_use]
    pub fn dead(&self) -> Vec<&'static str> {
        self.tasks.lock().iter().filter(|(_, pulse)| !pulse.alive).map(|(name, _)| *name).collect()
    }

    /// Every task that has failed since the start.
    #[must_use]
    pub fn failures(&self) -> Vec<(&'static str, Pulse)> {
        let tasks = self.tasks.lock();
        let failed = tasks.iter().filter(|(_, pulse)| pulse.failures > 0);
        failed.map(|(name, pulse)| (*name, pulse.clone())).collect()
    }
}

impl Vital {
    /// Notes a panic that the task outlived.
    pub fn stumbled(&self, cause: &str) {
        self.failed(cause, true);
    }

    /// Notes that the task is over although nobody stopped it.
    pub fn died(&self, cause: &str) {
        self.failed(cause, false);
    }

    fn failed(&self, cause: &str, alive: bool) {
        tracing::error!(task = self.name, error.cause = cause, runs = alive, "a task failed");
        let cause = cause.chars().take(CAUSE_CHARS_MAX).collect();
        if let Some(pulse) = self.vitals.tasks.lock().get_mut(self.name) {
            pulse.alive = alive;
            pulse.failures += 1;
            pulse.last_failure = Some((self.vitals.wall.now(), cause));
        }
    }

    fn revived(&self) {
        if let Some(pulse) = self.vitals.tasks.lock().get_mut(self.name) {
            pulse.alive = true;
        }
    }

    /// Runs a task until it is stopped, again and again where it panics or ends before that.
    pub async fn keep<Task: Future<Output = ()>>(
        self,
        stop: CancellationToken,
        mut task: impl FnMut() -> Task,
    ) {
        let mut rest = REST_MIN;
        loop {
            let began = tokio::time::Instant::now();
            let outcome = AssertUnwindSafe(async { task().await }).catch_unwind().await;
            if stop.is_cancelled() {
                return;
            }
            match outcome {
                Ok(()) => self.died("it ended by itself"),
                Err(panic) => self.died(&words(panic.as_ref())),
            }
            if began.elapsed() >= LONG_ENOUGH {
                rest = REST_MIN;
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep(rest) => {}
            }
            rest = (rest * 2).min(REST_MAX);
            self.revived();
        }
    }

    /// Runs a task that cannot be run again, and notes if it panics.
    pub async fn watch(self, task: impl Future<Output = ()>) {
        if let Err(panic) = AssertUnwindSafe(task).catch_unwind().await {
            self.died(&words(panic.as_ref()));
        }
    }
}

/// What a panic said.
#[must_use]
pub fn words(panic: &(dyn Any + Send)) -> String {
    let text =
        panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("it panicked: {}", text.unwrap_or("without a word"))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_task_that_panics_is_seen_and_runs_again() {
        let (vitals, stop, runs) =
            (Vitals::new(Wall::system()), CancellationToken::new(), Arc::new(AtomicU32::new(0)));
        let (counted, stopped) = (Arc::clone(&runs), stop.clone());
        let kept = tokio::spawn(vitals.task("reader").keep(stop.clone(), move || {
            let (runs, stop) = (Arc::clone(&counted), stopped.clone());
            async move {
                assert!(runs.fetch_add(1, Ordering::Relaxed) > 0, "the first time");
                stop.cancelled().await;
            }
        }));
        assert!(vitals.dead().is_empty());
        tokio::time::sleep(REST_MIN / 2).await;
        assert_eq!(vitals.dead(), ["reader"]);
        tokio::time::sleep(REST_MIN).await;
        assert!(vitals.dead().is_empty(), "it runs again");
        let failures = vitals.failures();
        let (_, pulse) = failures.first().expect("it is remembered");
        assert!(
            pulse.failures == 1
                && pulse.last_failure.as_ref().is_some_and(|(_, why)| why.contains("the first time"))
        );
        stop.cancel();
        kept.await.expect("it stops");
        assert_eq!(runs.load(Ordering::Relaxed), 2);
    }
}
