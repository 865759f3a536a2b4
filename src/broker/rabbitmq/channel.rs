//! One consuming channel of one lane: takes deliveries, puts them where workers find them, and sends acknowledgements back.
//!
//! One task per channel does all of it, so that frames leave in the order in which the window decided on them. Tags belong to the
//! channel: once it ends, later outcomes of its deliveries are ignored, and the server delivers them again to somebody.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use lapin::message::Delivery as RawDelivery;
use lapin::options::{BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicNackOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{Channel, Consumer};
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::ack_window::{AckFrame, AckWindow};
use super::codec;
use super::pipeline::all_in_order;
use super::topology;
use crate::broker::{AckSink, Delivery, Settlement, WorkMessage};
use crate::domain::submission::Lane;

/// Deliveries taken from the channel before acknowledgements get their turn.
const TAKE_AT_ONCE: usize = 256;

/// The window of one channel, shared with the deliveries that came on it.
#[derive(Debug)]
pub(super) struct ChannelAcks {
    /// The window, and how much was settled since the last flush; `None` once the channel is gone.
    window: Mutex<Option<(AckWindow, usize)>>,
    began: Instant,
    batch: usize,
    /// The first since the last flush was settled, or a whole batch.
    due: Notify,
}

impl ChannelAcks {
    fn new(batch: usize) -> Self {
        let window = Mutex::new(Some((AckWindow::new(), 0)));
        Self { window, began: Instant::now(), batch, due: Notify::new() }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn deliver(&self, tag: u64) -> bool {
        self.window.lock().as_mut().is_some_and(|(window, _)| window.deliver(tag))
    }

    fn flush(&self, straggler_ms: u64) -> Vec<AckFrame> {
        let now_ms = self.now_ms();
        let mut window = self.window.lock();
        let Some((window, fresh)) = window.as_mut() else { return Vec::new() };
        *fresh = 0;
        window.flush(now_ms, straggler_ms)
    }

    fn read<T: Default>(&self, look: impl FnOnce(&AckWindow, usize) -> T) -> T {
        self.window.lock().as_ref().map(|(window, fresh)| look(window, *fresh)).unwrap_or_default()
    }

    fn reject(&self, tag: u64) {
        self.note(tag, Settlement::Reject);
    }

    fn note(&self, tag: u64, outcome: Settlement) {
        let now_ms = self.now_ms();
        let mut window = self.window.lock();
        let Some((window, fresh)) = window.as_mut() else { return };
        window.settle(tag, outcome, now_ms);
        *fresh += 1;
        if *fresh == 1 || *fresh == self.batch {
            self.due.notify_one();
        }
    }

    /// Deliveries that are not settled, in the inbox or with workers.
    pub(super) fn outstanding(&self) -> usize {
        self.read(|window, _| window.outstanding())
    }

    /// Deliveries that came on this channel so far.
    pub(super) fn delivered(&self) -> u64 {
        self.read(|window, _| window.delivered())
    }

    fn close(&self) {
        *self.window.lock() = None;
    }
}

impl AckSink for ChannelAcks {
    fn settle(&self, tag: u64, _message: &WorkMessage, outcome: Settlement) {
        self.note(tag, outcome);
    }
}

/// A channel that is open and has its prefetch set.
pub(super) struct LaneChannel {
    shared: Arc<Shared>,
    lane: Lane,
    channel: Channel,
    /// Identifies the channel on the server; `round` is added for each of its consumers.
    name: String,
    round: u64,
    acks: Arc<ChannelAcks>,
    consumer: Option<Consumer>,
    flush_at: Option<Instant>,
    limit: Duration,
}

impl LaneChannel {
    pub(super) fn new(shared: Arc<Shared>, lane: Lane, channel: Channel, number: u16) -> Self {
        let name = format!("{}-{}-{number}", shared.instance, topology::TopologyNames::routing_key(lane));
        let acks = Arc::new(ChannelAcks::new(shared.settings.ack_batch));
        let limit = shared.settings.connect_timeout();
        Self { shared, lane, channel, name, round: 0, acks, consumer: None, flush_at: None, limit }
    }

    pub(super) fn acks(&self) -> Arc<ChannelAcks> {
        self.acks.clone()
    }

    /// Consumes until the channel breaks (then why) or `stop` is cancelled; then gives back what no worker holds.
    pub(super) async fn run(mut self, stop: CancellationToken) -> Result<(), String> {
        let mut wanted = self.shared.wanted.subscribe();
        let result = self.serve(&stop, &mut wanted).await;
        // On a dead channel all of this fails at once, and the server takes back everything by itself.
        let _ = self.stop_consuming().await;
        let _ = self.send(self.acks.flush(0)).await;
        if self.channel.status().connected() {
            let _ = timeout(self.limit, self.channel.close(200, "OK".into())).await;
        }
        self.acks.close();
        result
    }

    async fn serve(
        &mut self,
        stop: &CancellationToken,
        wanted: &mut watch::Receiver<bool>,
    ) -> Result<(), String> {
        loop {
            if *wanted.borrow_and_update() {
                self.start_consuming().await?;
            } else {
                self.stop_consuming().await?;
            }
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                changed = wanted.changed() => if changed.is_err() { return Ok(()) },
                item = next(&mut self.consumer) => self.take(item)?,
                () = self.acks.due.notified() => {
                    if self.acks.read(|_, fresh| fresh) >= self.acks.batch {
                        self.flush().await?;
                    } else {
                        let at = Instant::now() + Duration::from_millis(self.shared.settings.ack_delay_ms);
                        self.flush_at = Some(self.flush_at.map_or(at, |earlier| earlier.min(at)));
                    }
                }
                () = sleep_until(self.flush_at) => self.flush().await?,
            }
        }
    }

    fn tag(&self) -> ShortString {
        format!("{}-{}", self.name, self.round).into()
    }

    async fn start_consuming(&mut self) -> Result<(), String> {
        if self.consumer.is_some() {
            return Ok(());
        }
        // A quorum queue may handle a new consumer before the last acknowledgements of the previous one. If both have the same tag,
        // it takes them for one, gets into an inconsistent state, and closes the connection with INTERNAL_ERROR.
        self.round += 1;
        let queue = self.shared.names.queue(self.lane);
        let tag = self.tag();
        let options = BasicConsumeOptions::default();
        let consuming = self.channel.basic_consume(queue, tag, options, FieldTable::default());
        self.consumer = Some(topology::within(self.limit, "consuming", consuming).await?);
        self.shared.consuming.send_modify(|count| *count += 1);
        Ok(())
    }

    /// Cancels the consumer and gives back what no worker holds.
    async fn stop_consuming(&mut self) -> Result<(), String> {
        let Some(mut consumer) = self.consumer.take() else { return Ok(()) };
        let cancelling = self.channel.basic_cancel(self.tag(), BasicCancelOptions::default());
        let mut result = topology::within(self.limit, "cancelling", cancelling).await;
        if result.is_ok() {
            // What came before the server's answer is at hand now.
            while let Some(Some(Ok(raw))) = consumer.next().now_or_never() {
                self.note(raw);
            }
            drop(self.shared.inbox.remove(|delivery| delivery.is_from(&self.acks)));
            result = self.flush().await;
        }
        self.shared.consuming.send_modify(|count| *count -= 1);
        result
    }

    /// Takes a delivery and those that are at hand behind it.
    fn take(&mut self, first: Option<lapin::Result<RawDelivery>>) -> Result<(), String> {
        let mut item = first;
        let mut taken = Vec::new();
        loop {
            match item {
                Some(Ok(raw)) => taken.extend(self.note(raw)),
                Some(Err(error)) => return Err(format!("consuming: {error}")),
                // The queue was deleted, or moved to a node that does not know us.
                None => return Err("the server cancelled a consumer".to_owned()),
            }
            if taken.len() >= TAKE_AT_ONCE {
                break;
            }
            match next(&mut self.consumer).now_or_never() {
                Some(another) => item = another,
                None => break,
            }
        }
        self.shared.inbox.push_now(self.lane, taken);
        Ok(())
    }

    /// Enters a delivery in the window and reads it. What cannot be read goes to the dead-letter queue.
    fn note(&self, raw: RawDelivery) -> Option<Delivery> {
        if !self.acks.deliver(raw.delivery_tag) {
            tracing::error!(broker.tag = raw.delivery_tag, "RabbitMQ delivered out of turn");
            return None;
        }
        let headers = raw.properties.headers().as_ref();
        let traceparent = headers
            .and_then(|headers| headers.inner().get(codec::TRACEPARENT))
            .and_then(|value| value.as_long_string().map(ToString::to_string));
        let Some(message) = codec::decode_work(&raw.data, self.lane, traceparent) else {
            let id = raw.properties.message_id().as_ref().map_or("", ShortString::as_str);
            tracing::error!(
                broker.message_id = id,
                broker.body_bytes = raw.data.len(),
                "message cannot be read: moved to the dead-letter queue"
            );
            self.acks.reject(raw.delivery_tag);
            return None;
        };
        let sink: Arc<dyn AckSink> = self.acks.clone();
        let held = self.shared.held.clone();
        Some(Delivery::new(message, raw.redelivered, raw.delivery_tag, sink, held))
    }

    async fn flush(&mut self) -> Result<(), String> {
        let frames = self.acks.flush(self.shared.settings.ack_straggler_ms);
        self.send(frames).await?;
        let wait = self.shared.settings.ack_straggler_ms.max(1);
        let left = self.acks.read(|window, _| window.unsent()) > 0;
        self.flush_at = left.then(|| Instant::now() + Duration::from_millis(wait));
        Ok(())
    }

    async fn send(&self, frames: Vec<AckFrame>) -> Result<(), String> {
        if frames.is_empty() {
            return Ok(());
        }
        let sends = frames.into_iter().map(|frame| async move {
            match frame {
                AckFrame::Ack { tag, multiple } => {
                    self.channel.basic_ack(tag, BasicAckOptions { multiple }).await
                }
                AckFrame::Nack { tag, requeue } => {
                    let options = BasicNackOptions { multiple: false, requeue };
                    self.channel.basic_nack(tag, options).await
                }
            }
        });
        let sending = async { all_in_order(sends).await.into_iter().collect::<lapin::Result<()>>() };
        topology::within(self.limit, "acknowledging", sending).await
    }
}

/// The next delivery; waits indefinitely without a consumer.
async fn next(consumer: &mut Option<Consumer>) -> Option<lapin::Result<RawDelivery>> {
    match consumer {
        Some(consumer) => consumer.next().await,
        None => std::future::pending().await,
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
