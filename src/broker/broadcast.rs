//! The broadcast's reader side, as both adapters hand it out. No I/O.

use bytes::Bytes;
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use crate::domain::ids::InstanceId;

/// What a reader of the broadcast gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BroadcastEvent {
    /// One instance's message.
    Message {
        /// Who sent it; may be this instance itself.
        origin: InstanceId,
        /// What it sent.
        body: Bytes,
    },
    /// Messages were missed: read the store again.
    Gap,
}

/// A reader of the broadcast. Holds a bounded number of events; falling behind costs the oldest ones and yields a gap.
#[derive(Debug)]
pub struct BroadcastReceiver {
    events: broadcast::Receiver<BroadcastEvent>,
    closed: CancellationToken,
}

impl BroadcastReceiver {
    pub(super) const fn new(events: broadcast::Receiver<BroadcastEvent>, closed: CancellationToken) -> Self {
        Self { events, closed }
    }

    /// The next event; `None` once the broker is closed. Safe to cancel.
    pub async fn recv(&mut self) -> Option<BroadcastEvent> {
        tokio::select! {
            biased;
            () = self.closed.cancelled() => None,
            event = self.events.recv() => match event {
                Ok(event) => Some(event),
                Err(broadcast::error::RecvError::Lagged(_)) => Some(BroadcastEvent::Gap),
                Err(broadcast::error::RecvError::Closed) => None,
            },
        }
    }
}
