use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::*;
use crate::background::registry::Tasks;
use crate::clock::Wall;

const EVERY: Duration = Duration::from_secs(10);

/// What a planted step does at each run, by the number of the run.
type Script = Arc<dyn Fn(u32) -> Result<Next, StepError> + Send + Sync>;

/// A step that notes when it is run.
struct Planted {
    script: Script,
    began: Instant,
    runs: Arc<Mutex<Vec<u64>>>,
    signal: Arc<Notify>,
    finished: Arc<AtomicU32>,
}

#[async_trait]
impl Step for Planted {
    async fn run(&mut self) -> Result<Next, StepError> {
        let run = {
            let mut runs = self.runs.lock();
            runs.push(self.began.elapsed().as_secs());
            u32::try_from(runs.len()).unwrap()
        };
        (self.script)(run)
    }

    async fn signalled(&mut self) {
        self.signal.notified().await;
    }

    async fn finish(&mut self) {
        self.finished.fetch_add(1, Ordering::Relaxed);
    }
}

/// A running task, and what it has done.
struct Started {
    tasks: Tasks,
    stop: CancellationToken,
    /// The seconds at which the step was run.
    runs: Arc<Mutex<Vec<u64>>>,
    signal: Arc<Notify>,
    made: Arc<AtomicU32>,
    finished: Arc<AtomicU32>,
    ends: JoinHandle<()>,
}

fn start(
    schedule: Schedule,
    script: impl Fn(u32) -> Result<Next, StepError> + Send + Sync + 'static,
) -> Started {
    let (tasks, stop, began) = (Tasks::new(Wall::system()), CancellationToken::new(), Instant::now());
    let (runs, signal) = (Arc::<Mutex<Vec<u64>>>::default(), Arc::new(Notify::new()));
    let (made, finished) = (Arc::<AtomicU32>::default(), Arc::<AtomicU32>::default());
    let script: Script = Arc::new(script);
    let make = {
        let (runs, signal, made, finished) = (runs.clone(), signal.clone(), made.clone(), finished.clone());
        move || {
            made.fetch_add(1, Ordering::Relaxed);
            let (script, runs) = (script.clone(), runs.clone());
            Planted { script, began, runs, signal: signal.clone(), finished: finished.clone() }
        }
    };
    let ends = tokio::spawn(tasks.register("planted").repeat(schedule, stop.clone(), make));
    Started { tasks, stop, runs, signal, made, finished, ends }
}

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

impl Started {
    fn status(&self) -> crate::background::TaskStatus {
        self.tasks.all().into_iter().next().expect("one task").1
    }
}

#[tokio::test(start_paused = true)]
async fn a_step_is_run_after_each_interval() {
    for (schedule, expected) in
        [(Schedule::every(EVERY), [0, 10, 20]), (Schedule::after_each(EVERY), [10, 20, 30])]
    {
        let started = start(schedule, |_| Ok(Next::Scheduled));
        pass(expected[2] + 5).await;
        assert_eq!(*started.runs.lock(), expected);
        let status = started.status();
        assert!(status.alive && status.last_run.is_some() && status.last_error.is_none(), "{status:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_step_may_say_when_it_is_due_again() {
    let wait = |run| if run == 1 { Next::After(Duration::from_secs(3)) } else { Next::Scheduled };
    let started = start(Schedule::every(EVERY), move |run| Ok(wait(run)));
    pass(15).await;
    assert_eq!(*started.runs.lock(), [0, 3, 13]);
}

#[tokio::test(start_paused = true)]
async fn a_signal_wakes_it_before_the_interval_has_passed() {
    let started = start(Schedule::every(EVERY), |_| Ok(Next::Scheduled));
    pass(4).await;
    started.signal.notify_one();
    pass(12).await;
    assert_eq!(*started.runs.lock(), [0, 4, 14]);
}

#[tokio::test(start_paused = true)]
async fn a_step_without_an_interval_runs_when_signalled_and_not_too_often() {
    let started = start(Schedule::on_signal(Duration::from_secs(2)), |_| Ok(Next::Scheduled));
    pass(100).await;
    assert!(started.runs.lock().is_empty());
    started.signal.notify_one();
    pass(1).await;
    // At 101 s; it rests until 102 s.
    started.signal.notify_one();
    pass(10).await;
    assert_eq!(*started.runs.lock(), [100, 102]);
}

#[tokio::test(start_paused = true)]
async fn an_error_is_noted_and_tried_again_after_the_interval_whatever_is_signalled() {
    let script = |run| match run {
        1 => Err(StepError::new(true, &"the store is away")),
        2 => Err(StepError::new(false, &"a torn row")),
        _ => Ok(Next::Scheduled),
    };
    let started = start(Schedule::every(EVERY), script);
    pass(1).await;
    started.signal.notify_one();
    pass(1).await;
    let status = started.status();
    assert_eq!(status.consecutive_errors, 1);
    assert_eq!(status.last_error.map(|(_, cause)| cause).as_deref(), Some("the store is away"));
    pass(9).await;
    assert_eq!(started.status().consecutive_errors, 2);
    pass(10).await;
    let status = started.status();
    assert_eq!((status.alive, status.consecutive_errors, status.crashes), (true, 0, 0));
    assert_eq!(status.last_error.map(|(_, cause)| cause).as_deref(), Some("a torn row"));
    assert_eq!(*started.runs.lock(), [0, 10, 20]);
    assert_eq!(started.made.load(Ordering::Relaxed), 1, "an error costs it nothing of what it knows");
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_caught_and_another_step_goes_on() {
    let script = |run| match run {
        2 => panic!("planted"),
        _ => Ok(Next::Scheduled),
    };
    let started = start(Schedule::every(EVERY), script);
    pass(10).await;
    tokio::task::yield_now().await;
    let status = started.status();
    assert_eq!((status.alive, status.crashes, status.consecutive_errors), (false, 1, 1));
    assert_eq!(started.tasks.dead(), ["planted"]);
    pass(5).await;
    let status = started.status();
    assert_eq!((status.alive, status.crashes, status.consecutive_errors), (true, 1, 0));
    assert!(status.last_crash.is_some_and(|(_, cause)| cause == "it panicked: planted"));
    assert!(started.tasks.dead().is_empty());
    assert_eq!(*started.runs.lock(), [0, 10, 11]);
    assert_eq!(started.made.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn a_step_that_is_stopped_finishes() {
    let started = start(Schedule::every(EVERY), |_| Ok(Next::Scheduled));
    pass(5).await;
    started.stop.cancel();
    started.ends.await.expect("it ends");
    assert_eq!(started.finished.load(Ordering::Relaxed), 1);
    assert_eq!(*started.runs.lock(), [0]);
    assert!(started.tasks.dead().is_empty(), "it was stopped in order");
}

/// Never ends.
struct Stuck;

#[async_trait]
impl Step for Stuck {
    async fn run(&mut self) -> Result<Next, StepError> {
        std::future::pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn only_a_step_that_may_be_is_dropped_half_way() {
    for (schedule, ends) in [(Schedule::every(EVERY).interruptible(), true), (Schedule::every(EVERY), false)]
    {
        let stop = CancellationToken::new();
        let task = crate::background::TaskHandle::unlisted("stuck", Wall::system());
        let running = tokio::spawn(task.repeat(schedule, stop.clone(), || Stuck));
        pass(1).await;
        stop.cancel();
        assert_eq!(tokio::time::timeout(EVERY, running).await.is_ok(), ends);
    }
}
