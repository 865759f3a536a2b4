//! The registry of this process's background tasks, with the status of each. A panic ends one task and nothing else, so nobody
//! would notice: here it is logged once with its cause, the task is run again, and `/readyz` fails until it runs.

use std::any::Any;
use std::collections::BTreeMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use crate::clock::Wall;
use crate::domain::time::Timestamp;

/// The pause before a task that ended is run again, doubled each time it ends soon after.
const PAUSE_MIN: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// A task that ran this long did not end soon.
const LONG_ENOUGH: Duration = Duration::from_secs(60);
/// The longest cause that is kept.
const CAUSE_CHARS_MAX: usize = 500;

/// The status of one task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskStatus {
    /// Whether it runs.
    pub alive: bool,
    /// When it was last started.
    pub started: Timestamp,
    /// When it last did something, and how long that took; `None` for one that has done nothing yet, or does not say.
    pub last_run: Option<(Timestamp, Duration)>,
    /// How often it panicked or ended.
    pub crashes: u64,
    /// The last time that it did, and why.
    pub last_crash: Option<(Timestamp, String)>,
    /// The last error, be it a crash or one that the task went on after.
    pub last_error: Option<(Timestamp, String)>,
    /// How many errors there were since the last run that went well.
    pub consecutive_errors: u64,
}

impl TaskStatus {
    const fn new(started: Timestamp) -> Self {
        Self {
            alive: true,
            started,
            last_run: None,
            crashes: 0,
            last_crash: None,
            last_error: None,
            consecutive_errors: 0,
        }
    }
}

/// The background tasks of one process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Tasks {
    by_name: Arc<Mutex<BTreeMap<&'static str, TaskHandle>>>,
    wall: Wall,
}

/// One task's entry: records its status. Cheap to clone.
#[derive(Debug, Clone)]
pub struct TaskHandle {
    name: &'static str,
    status: Arc<Mutex<TaskStatus>>,
    wall: Wall,
}

impl Tasks {
    /// A registry without tasks.
    #[must_use]
    pub fn new(wall: Wall) -> Self {
        Self { by_name: Arc::default(), wall }
    }

    /// An entry for a task that starts now, in place of an earlier one of its name.
    #[must_use]
    pub fn register(&self, name: &'static str) -> TaskHandle {
        let handle = TaskHandle::unlisted(name, self.wall.clone());
        self.by_name.lock().insert(name, handle.clone());
        handle
    }

    /// The names of the tasks that should run and do not.
    #[must_use]
    pub fn dead(&self) -> Vec<&'static str> {
        let tasks = self.by_name.lock();
        tasks.values().filter(|task| !task.status.lock().alive).map(|task| task.name).collect()
    }

    /// Every task, in the order of their names.
    #[must_use]
    pub fn all(&self) -> Vec<(&'static str, TaskStatus)> {
        self.by_name.lock().values().map(|task| (task.name, task.status())).collect()
    }
}

impl TaskHandle {
    /// An entry that is in no registry, for a task that runs by itself, as in a test.
    #[must_use]
    pub fn unlisted(name: &'static str, wall: Wall) -> Self {
        let status = Arc::new(Mutex::new(TaskStatus::new(wall.now())));
        Self { name, status, wall }
    }

    /// The name it is registered, logged and shown under.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// A copy of its status now.
    #[must_use]
    pub fn status(&self) -> TaskStatus {
        self.status.lock().clone()
    }

    /// Notes a run that went well and ends now.
    pub fn ran(&self, took: Duration) {
        let now = self.wall.now();
        let mut status = self.status.lock();
        status.last_run = Some((now, took));
        status.consecutive_errors = 0;
    }

    /// Notes an error that the task goes on after. Logs nothing.
    pub fn erred(&self, cause: &str) {
        let error = (self.wall.now(), shortened(cause));
        let mut status = self.status.lock();
        status.last_error = Some(error);
        status.consecutive_errors += 1;
    }

    /// Notes a panic that the task survived.
    pub fn survived(&self, cause: &str) {
        self.crashed(cause, true);
    }

    /// Notes that the task is over although nobody stopped it.
    pub fn died(&self, cause: &str) {
        self.crashed(cause, false);
    }

    fn crashed(&self, cause: &str, alive: bool) {
        tracing::error!(task = self.name, error = cause, runs = alive, "a background task failed");
        self.erred(cause);
        let mut status = self.status.lock();
        status.alive = alive;
        status.crashes += 1;
        status.last_crash = status.last_error.clone();
    }

    fn restarted(&self) {
        let now = self.wall.now();
        let mut status = self.status.lock();
        (status.alive, status.started) = (true, now);
    }

    /// Runs a loop until it is stopped; runs it again, after a pause, whenever it panics or ends before that.
    pub async fn keep<Run>(self, stop: CancellationToken, mut run: impl FnMut() -> Run + Send)
    where
        Run: Future<Output = ()> + Send,
    {
        self.kept(stop, &mut || run().boxed()).await;
    }

    /// The same for all loops, so it is compiled once.
    async fn kept<'run>(
        self,
        stop: CancellationToken,
        run: &mut (dyn FnMut() -> BoxFuture<'run, ()> + Send + '_),
    ) {
        let mut pause = PAUSE_MIN;
        loop {
            let began = tokio::time::Instant::now();
            let outcome = AssertUnwindSafe(async { run().await }).catch_unwind().await;
            match outcome {
                // A panic during shutdown is recorded, and the task is over all the same.
                Err(panic) => self.died(&panic_message(panic.as_ref())),
                Ok(()) if stop.is_cancelled() => return,
                Ok(()) => self.died("it ended by itself"),
            }
            if began.elapsed() >= LONG_ENOUGH {
                pause = PAUSE_MIN;
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
            pause = (pause * 2).min(PAUSE_MAX);
            self.restarted();
        }
    }

    /// Runs a task that cannot be run again, and notes if it panics. It is over when it returns, which is no failure.
    pub async fn watch(self, run: impl Future<Output = ()>) {
        if let Err(panic) = AssertUnwindSafe(run).catch_unwind().await {
            self.died(&panic_message(panic.as_ref()));
        }
    }
}

fn shortened(cause: &str) -> String {
    cause.chars().take(CAUSE_CHARS_MAX).collect()
}

/// The message of a panic.
#[must_use]
pub fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text =
        panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("it panicked: {}", text.unwrap_or("without a message"))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    fn status(tasks: &Tasks) -> TaskStatus {
        let all = tasks.all();
        assert_eq!(all.len(), 1);
        all.into_iter().next().expect("one").1
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_panics_is_dead_until_it_runs_again() {
        let (tasks, stop, runs) =
            (Tasks::new(Wall::system()), CancellationToken::new(), Arc::new(AtomicU32::new(0)));
        let (counted, stopped) = (Arc::clone(&runs), stop.clone());
        let kept = tokio::spawn(tasks.register("reader").keep(stop.clone(), move || {
            let (runs, stop) = (Arc::clone(&counted), stopped.clone());
            async move {
                assert!(runs.fetch_add(1, Ordering::Relaxed) > 0, "the first time");
                stop.cancelled().await;
            }
        }));
        assert!(tasks.dead().is_empty());
        tokio::time::sleep(PAUSE_MIN / 2).await;
        assert_eq!(tasks.dead(), ["reader"]);
        tokio::time::sleep(PAUSE_MIN).await;
        assert!(tasks.dead().is_empty(), "it runs again");
        let status = status(&tasks);
        assert_eq!(status.crashes, 1);
        let (_, cause) = status.last_crash.expect("it is remembered");
        assert!(cause.contains("the first time"), "{cause}");
        stop.cancel();
        kept.await.expect("it stops");
        assert_eq!(runs.load(Ordering::Relaxed), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_ends_unasked_is_dead_and_one_that_is_stopped_is_not() {
        let (tasks, stop) = (Tasks::new(Wall::system()), CancellationToken::new());
        let kept = tokio::spawn(tasks.register("consumer").keep(stop.clone(), || async {}));
        tokio::time::sleep(PAUSE_MIN / 2).await;
        assert_eq!(tasks.dead(), ["consumer"]);
        assert_eq!(status(&tasks).last_error.map(|(_, cause)| cause), Some("it ended by itself".to_owned()));
        stop.cancel();
        kept.await.expect("it stops while it pauses");

        let (tasks, stop) = (Tasks::new(Wall::system()), CancellationToken::new());
        let stopped = stop.clone();
        let kept = tokio::spawn(
            tasks.register("consumer").keep(stop.clone(), move || stopped.clone().cancelled_owned()),
        );
        tokio::task::yield_now().await;
        stop.cancel();
        kept.await.expect("it stops");
        assert!(tasks.dead().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_and_are_bounded() {
        let (tasks, stop, runs) =
            (Tasks::new(Wall::system()), CancellationToken::new(), Arc::new(AtomicU32::new(0)));
        let counted = Arc::clone(&runs);
        tokio::spawn(tasks.register("reader").keep(stop.clone(), move || {
            counted.fetch_add(1, Ordering::Relaxed);
            async {}
        }));
        // 1 + 2 + 4 + 8 + 16 s, and then one every 30 s.
        tokio::time::sleep(Duration::from_secs(31 + 10 * 30 + 1)).await;
        assert_eq!(runs.load(Ordering::Relaxed), 1 + 5 + 10);
        stop.cancel();
    }

    #[tokio::test]
    async fn a_task_that_is_run_once_is_dead_if_it_panics() {
        let tasks = Tasks::new(Wall::system());
        tasks.register("sequencer").watch(async {}).await;
        assert!(tasks.dead().is_empty(), "it came to its end");
        tasks.register("sequencer").watch(async { panic!("{} of it", "the end") }).await;
        assert_eq!(tasks.dead(), ["sequencer"]);
        assert_eq!(
            status(&tasks).last_crash.map(|(_, cause)| cause),
            Some("it panicked: the end of it".to_owned())
        );
    }

    #[test]
    fn errors_in_a_row_are_counted_until_a_run_goes_well() {
        let task = TaskHandle::unlisted("timers", Wall::new(|| Timestamp::from_micros(7)));
        task.erred("the store is away");
        task.erred(&"x".repeat(10_000));
        let status = task.status();
        assert_eq!((status.alive, status.crashes, status.consecutive_errors), (true, 0, 2));
        assert!(status.last_error.is_some_and(|(_, cause)| cause.len() == CAUSE_CHARS_MAX));
        task.ran(Duration::from_millis(3));
        let status = task.status();
        assert_eq!(status.consecutive_errors, 0);
        assert_eq!(status.last_run, Some((Timestamp::from_micros(7), Duration::from_millis(3))));
        assert!(status.last_error.is_some(), "the last error is still known");
    }
}
