//! Groups of tasks that stop together.

use std::future::Future;
use std::time::Duration;

use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::driver::{Schedule, Step};
use super::registry::{TaskHandle, Tasks};

/// Tasks that are started one by one and stopped together.
pub struct Group {
    stop: CancellationToken,
    tracker: TaskTracker,
    tasks: Tasks,
}

/// What a loop is run with.
pub struct Running {
    /// Cancelled when it is to end.
    pub stop: CancellationToken,
    /// Where it reports runs and errors.
    pub task: TaskHandle,
}

impl Group {
    /// An empty group; its tasks will be listed in the registry.
    #[must_use]
    pub fn new(tasks: &Tasks) -> Self {
        Self { stop: CancellationToken::new(), tracker: TaskTracker::new(), tasks: tasks.clone() }
    }

    /// Starts a step that runs on a schedule.
    pub fn repeat<S: Step + 'static>(
        &self,
        name: &'static str,
        schedule: Schedule,
        make: impl FnMut() -> S + Send + 'static,
    ) {
        let task = self.tasks.register(name);
        self.tracker.spawn(task.repeat(schedule, self.stop.clone(), make).boxed());
    }

    /// Starts a loop, and starts it again whenever it panics or ends by itself.
    pub fn spawn<Run>(&self, name: &'static str, mut run: impl FnMut(Running) -> Run + Send + 'static)
    where
        Run: Future<Output = ()> + Send + 'static,
    {
        let (task, stop) = (self.tasks.register(name), self.stop.clone());
        let entry = task.clone();
        let run = move || run(Running { stop: stop.clone(), task: entry.clone() });
        self.tracker.spawn(task.keep(self.stop.clone(), run).boxed());
    }

    /// Stops all tasks and waits for them, at most `within`.
    pub async fn stop(&self, name: &str, within: Duration) {
        self.stop.cancel();
        self.tracker.close();
        if tokio::time::timeout(within, self.tracker.wait()).await.is_err() {
            tracing::warn!(group = name, "did not stop in time; what it had is picked up at the next start");
        }
    }
}
