//! A subscriber of the hub: one per socket, with its subscriptions and their bounded queues.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::queue::{Hint, LeftOut, Queue, Step, Taken};
use super::{LiveHub, Topic};
use crate::domain::ids::PaymentId;

/// Subscriptions that one subscriber may have at once.
pub const SUBSCRIPTIONS_MAX: usize = 32;
/// Bytes that the rows of all subscriptions of one subscriber may hold.
const READER_BYTES_MAX: usize = 16 << 20;
/// Rows in one frame, some 400 bytes each.
const FRAME_ROWS_MAX: usize = 500;

/// The number of a subscription, unique within its subscriber.
pub type SubscriptionId = u64;

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) ready: Notify,
    queues: Mutex<Queues>,
}

#[derive(Debug, Default)]
struct Queues {
    next: SubscriptionId,
    by_id: HashMap<SubscriptionId, (Topic, Queue)>,
}

impl Shared {
    pub(super) fn push(
        &self,
        id: SubscriptionId,
        payment: PaymentId,
        step: Step,
        row: &Arc<str>,
        now: Instant,
    ) {
        let mut queues = self.queues.lock();
        // Cheap: a subscriber has only a few subscriptions.
        let others: usize =
            queues.by_id.iter().filter(|(other, _)| **other != id).map(|(_, (_, queue))| queue.bytes()).sum();
        if let Some((_, queue)) = queues.by_id.get_mut(&id) {
            queue.push(payment, step, row, now);
            if others + queue.bytes() > READER_BYTES_MAX {
                queue.give_up();
            }
        }
        drop(queues);
        self.ready.notify_one();
    }

    pub(super) fn miss(&self, id: SubscriptionId) {
        if let Some((_, queue)) = self.queues.lock().by_id.get_mut(&id) {
            queue.miss();
        }
        self.ready.notify_one();
    }

    pub(super) fn hint(&self, id: SubscriptionId, payment: PaymentId, public_id: &str, hint: Hint) {
        let taken = match self.queues.lock().by_id.get_mut(&id) {
            Some((_, queue)) => queue.hint(payment, public_id, hint),
            None => false,
        };
        if taken {
            self.ready.notify_one();
        }
    }
}

/// A subscriber. Dropping it ends its subscriptions.
#[derive(Debug)]
pub struct Subscriber {
    hub: Arc<LiveHub>,
    shared: Arc<Shared>,
}

impl Subscriber {
    pub(super) fn new(hub: Arc<LiveHub>) -> Self {
        let shared = Shared { ready: Notify::new(), queues: Mutex::new(Queues::default()) };
        Self { hub, shared: Arc::new(shared) }
    }

    /// Subscribes; rows committed from now on arrive. `max_per_second` zero means all of them. `None` past
    /// [`SUBSCRIPTIONS_MAX`].
    #[must_use]
    pub fn subscribe(&self, topic: Topic, max_per_second: u32) -> Option<SubscriptionId> {
        let id = {
            let mut queues = self.shared.queues.lock();
            if queues.by_id.len() >= SUBSCRIPTIONS_MAX {
                return None;
            }
            queues.next += 1;
            let id = queues.next;
            queues.by_id.insert(id, (topic.clone(), Queue::new(max_per_second, Instant::now())));
            id
        };
        self.hub.attach(&topic, &self.shared, id);
        Some(id)
    }

    /// Ends a subscription; `false` if there was none.
    #[must_use]
    pub fn unsubscribe(&self, id: SubscriptionId) -> bool {
        let removed = self.shared.queues.lock().by_id.remove(&id);
        match removed {
            Some((topic, _)) => {
                self.hub.detach(&topic, &self.shared, Some(id));
                true
            }
            None => false,
        }
    }

    /// Returns when there is something to take. Cancel-safe.
    pub async fn ready(&self) {
        self.shared.ready.notified().await;
    }

    /// Whether one of the subscriptions wants the statistics.
    #[must_use]
    pub fn wants_stats(&self) -> bool {
        self.shared.queues.lock().by_id.values().any(|(topic, _)| *topic == Topic::Stats)
    }

    /// The subscriptions to topics like this.
    #[must_use]
    pub fn subscriptions(&self, wanted: impl Fn(&Topic) -> bool) -> Vec<SubscriptionId> {
        let queues = self.shared.queues.lock();
        queues.by_id.iter().filter(|(_, (topic, _))| wanted(topic)).map(|(id, _)| *id).collect()
    }

    /// Takes what has arrived as frames of docs/websocket.md, at most one frame of rows per subscription. If more is
    /// left, [`Self::ready`] returns at once.
    #[must_use]
    pub fn take(&self) -> Vec<String> {
        let mut frames = Vec::new();
        let mut more = false;
        let mut queues = self.shared.queues.lock();
        for (id, (_, queue)) in &mut queues.by_id {
            let taken = queue.take(FRAME_ROWS_MAX);
            more |= taken.more;
            write_frames(*id, &taken, &mut frames);
        }
        drop(queues);
        if more {
            self.shared.ready.notify_one();
        }
        frames
    }

    /// Whether rows were left out recently and nothing sent since reports it.
    #[must_use]
    pub fn has_left_out(&self) -> bool {
        self.shared.queues.lock().by_id.values().any(|(_, queue)| queue.has_left_out())
    }

    /// Frames without rows that report left-out rows where no further row does: after a burst, a page that shows sums
    /// must learn of its end.
    #[must_use]
    pub fn take_left_out(&self) -> Vec<String> {
        let mut frames = Vec::new();
        for (id, (_, queue)) in &mut self.shared.queues.lock().by_id {
            let skipped = queue.take_left_out();
            if skipped.rows > 0 {
                write_rows(*id, skipped, &[], &mut frames);
            }
        }
        frames
    }

    /// The statistics as frames, for the subscriptions that want them.
    #[must_use]
    pub fn take_stats(&self) -> Vec<String> {
        let text = self.hub.stats_json();
        let queues = self.shared.queues.lock();
        let wanting = queues.by_id.iter().filter(|(_, (topic, _))| *topic == Topic::Stats);
        wanting.map(|(id, _)| format!(r#"{{"type":"stats","subscription":{id},{text}}}"#)).collect()
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        let topics: Vec<Topic> =
            self.shared.queues.lock().by_id.drain().map(|(_, (topic, _))| topic).collect();
        topics.iter().for_each(|topic| self.hub.detach(topic, &self.shared, None));
    }
}

fn write_rows(id: SubscriptionId, skipped: LeftOut, rows: &[Arc<str>], frames: &mut Vec<String>) {
    let bytes: usize = rows.iter().map(|row| row.len() + 1).sum();
    let mut frame = String::with_capacity(bytes + 128);
    let LeftOut { rows: skipped, payments } = skipped;
    let _ = write!(
        frame,
        r#"{{"type":"payment.updated","subscription":{id},"skipped":{skipped},"skipped_payments":{payments},"rows":["#
    );
    for (at, row) in rows.iter().enumerate() {
        if at > 0 {
            frame.push(',');
        }
        frame.push_str(row);
    }
    frame.push_str("]}");
    frames.push(frame);
}

/// The frame that says that a subscription missed something.
#[must_use]
pub fn resync_frame(id: SubscriptionId) -> String {
    format!(r#"{{"type":"resync","subscription":{id}}}"#)
}

fn write_frames(id: SubscriptionId, taken: &Taken, frames: &mut Vec<String>) {
    if !taken.rows.is_empty() {
        write_rows(id, taken.skipped, &taken.rows, frames);
    }
    for (payment, hint) in &taken.hints {
        frames.push(match hint {
            Hint::Processing { attempt } => format!(
                r#"{{"type":"progress","subscription":{id},"payment_id":"{payment}","stage":"processing","attempt":{attempt}}}"#
            ),
            Hint::Indexed { indexed_us } => format!(
                r#"{{"type":"indexed","subscription":{id},"payment_id":"{payment}","indexed_us":{indexed_us}}}"#
            ),
        });
    }
    if taken.resync {
        frames.push(resync_frame(id));
    }
}
