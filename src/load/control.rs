//! Steers and watches a run from within the process that it is part of.

use std::sync::Arc;

use anyhow::bail;
use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::args::LoadArgs;
use super::course::Course;
use super::found::Found;
use super::ground::Ground;
use super::interrupts::Interrupts;
use super::live::Live;
use super::report::Report;

/// A handle on one run, or on one search.
#[derive(Clone)]
pub struct Control(Arc<Inner>);

struct Inner {
    stop: mpsc::Sender<()>,
    /// Taken by the run.
    stopped: Mutex<Option<mpsc::Receiver<()>>>,
    /// The run, or the step of a search, once it has begun.
    course: Mutex<Option<Arc<Course>>>,
    /// What a search has found so far.
    found: Mutex<Option<Found>>,
}

impl Default for Control {
    fn default() -> Self {
        let (stop, stopped) = mpsc::channel(2);
        Self(Arc::new(Inner {
            stop,
            stopped: Mutex::new(Some(stopped)),
            course: Mutex::new(None),
            found: Mutex::new(None),
        }))
    }
}

impl Control {
    /// Sends nothing more and waits for what is open; the second time it waits for nothing. The report comes either way.
    pub fn stop(&self) {
        // Two are all that a run looks for.
        let _ = self.0.stop.try_send(());
    }

    /// Pauses it or lets it go on: nothing is due in between. Says whether that changed anything: it does not before the run has
    /// begun, or when nothing more is sent.
    #[must_use]
    pub fn pause(&self, paused: bool) -> bool {
        self.course().is_some_and(|course| course.pause(paused))
    }

    /// How it is doing, with its series but for so many points at the beginning; `None` before it has begun.
    #[must_use]
    pub fn live(&self, skipped: usize) -> Option<Live> {
        Some(self.course()?.live(skipped))
    }

    /// What it amounts to by now, without its verdict; `None` before it has begun.
    #[must_use]
    pub fn report(&self) -> Option<Report> {
        Some(self.course()?.report())
    }

    /// What a search has found so far, without its verdict.
    #[must_use]
    pub fn found_so_far(&self) -> Option<Found> {
        self.0.found.lock().clone()
    }

    fn course(&self) -> Option<Arc<Course>> {
        self.0.course.lock().clone()
    }

    /// Shows this run from now on.
    pub(super) fn watch(&self, course: &Arc<Course>) {
        *self.0.course.lock() = Some(Arc::clone(course));
    }

    /// Shows what was found.
    pub(super) fn found(&self, found: &Found) {
        *self.0.found.lock() = Some(found.clone());
    }

    /// What stops it. The first to ask gets it.
    pub(super) fn interrupts(&self) -> Interrupts {
        let receiver = self.0.stopped.lock().take();
        Interrupts::from_channel(receiver.unwrap_or_else(|| mpsc::channel(1).1))
    }

    /// The ground of a run, prepared unless it is stopped before that is done.
    ///
    /// # Errors
    /// As [`Ground::prepare`], and if it was stopped.
    pub(super) async fn prepared(
        &self,
        args: &LoadArgs,
        interrupts: &mut Interrupts,
    ) -> anyhow::Result<Ground> {
        match interrupts.unless(Ground::prepare(args)).await {
            Some(ground) => ground,
            None => bail!("stopped before it began"),
        }
    }
}
