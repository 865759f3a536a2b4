//! What asks a run to end: signals, or whoever controls it within the process.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// SIGINT and SIGTERM, from its creation on, or what a control sends. While it receives signals they do not end the process.
pub struct Interrupts {
    receiver: mpsc::Receiver<()>,
    /// Whether they are signals from a terminal, where what they do is said.
    signals: bool,
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
        Ok(Self { receiver, signals: true, any: false })
    }

    /// Receives what comes through a channel.
    #[must_use]
    pub const fn from_channel(receiver: mpsc::Receiver<()>) -> Self {
        Self { receiver, signals: false, any: false }
    }

    /// Says something to whoever sent the signal.
    pub fn say(&self, text: &str) {
        if self.signals {
            eprintln!("{text}");
        }
    }

    /// Waits for the next one.
    pub async fn next(&mut self) {
        match self.receiver.recv().await {
            Some(()) => self.any = true,
            // Nobody is there any more who could.
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
