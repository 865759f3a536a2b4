//! Signals that ask a run to end.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// SIGINT and SIGTERM, from its creation on. While it exists they do not end the process.
pub struct Interrupts {
    receiver: mpsc::Receiver<()>,
    /// Whether one has been received.
    pub any: bool,
}

impl Interrupts {
    /// Receives signals from now on.
    ///
    /// # Errors
    /// If the system does not allow it.
    pub fn receive() -> std::io::Result<Self> {
        let (mut interrupt, mut terminate) =
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let (sender, receiver) = mpsc::channel(2);
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                    () = sender.closed() => return,
                }
                if sender.send(()).await.is_err() {
                    return;
                }
            }
        });
        Ok(Self { receiver, any: false })
    }

    /// Waits for the next one.
    pub async fn next(&mut self) {
        match self.receiver.recv().await {
            Some(()) => self.any = true,
            // Its sender lives as long as this.
            None => std::future::pending().await,
        }
    }

    /// Does this unless a signal comes first.
    pub async fn unless<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            done = work => Some(done),
            () = self.next() => None,
        }
    }
}
