//! Announces the journal's head to other instances through the broker.
//!
//! A missed broadcast loses nothing: readers ask the store for the head as well.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::ring::Ring;
use crate::background::{Next, Schedule, Step, StepError};
use crate::broker::{BroadcastEvent, Broker};

/// When [`HeadPublisher`] is run.
pub const SCHEDULE: Schedule = Schedule::on_signal(Duration::ZERO);

/// Publishes the journal's head: one message per commit, or fewer when commits outrun it.
pub struct HeadPublisher {
    ring: Arc<Ring>,
    broker: Arc<dyn Broker>,
    published: u64,
}

impl HeadPublisher {
    /// A publisher of every head after the one known now.
    #[must_use]
    pub fn new(ring: Arc<Ring>, broker: Arc<dyn Broker>) -> Self {
        let published = ring.head();
        Self { ring, broker, published }
    }
}

#[async_trait]
impl Step for HeadPublisher {
    async fn run(&mut self) -> Result<Next, StepError> {
        self.published = self.ring.head();
        self.broker.broadcast_publish(Bytes::copy_from_slice(&self.published.to_be_bytes())).await;
        Ok(Next::Scheduled)
    }

    async fn signalled(&mut self) {
        self.ring.head_past(self.published).await;
    }
}

/// Notes the heads that other instances announce, until stopped.
pub async fn follow_heads(ring: Arc<Ring>, broker: Arc<dyn Broker>, stop: CancellationToken) {
    let mut events = broker.broadcast_subscribe();
    loop {
        let event = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            event = events.recv() => event,
        };
        match event {
            Some(BroadcastEvent::Message { body, .. }) => {
                if let Ok(seq) = <[u8; 8]>::try_from(body.as_ref()) {
                    ring.note_head(u64::from_be_bytes(seq));
                }
            }
            Some(BroadcastEvent::Gap) => {}
            None => return,
        }
    }
}
