//! The publishing connection: work on a confirmed channel of its own, the broadcast on another.
//!
//! A batch is published as a whole and waited for as a whole before the next one starts. That barrier makes the answer trustworthy:
//! lapin may attach a returned message to the confirm of another message of the channel (amqp-rs/lapin#289), so a batch counts as
//! accepted only if no message came back on any of its confirms.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use futures_util::StreamExt;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::{FieldTable, LongString, ShortString};
use lapin::{BasicProperties, Channel, Confirmation, Connection, Event};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::codec;
use super::health::{Link, LinkState};
use super::pipeline::all_in_order;
use super::supervisor::{self, SessionEnd};
use super::topology::{self, TopologyNames};
use crate::broker::{BrokerError, WorkMessage};
use crate::domain::submission::Lane;

/// lapin looks through all unconfirmed messages at every confirm for several, so there must not be many.
const MAX_UNCONFIRMED: usize = 1_024;

/// Written to disk by the server before it confirms.
const PERSISTENT: u8 = 2;

/// What [`publish`] needs of the current connection.
#[derive(Debug)]
pub(super) struct PublishSession {
    channel: Channel,
    exchange: ShortString,
    blocked: AtomicBool,
    broken: CancellationToken,
}

/// Breaks the session unless the batch ran to its end: after half a batch, later confirms could not be trusted.
struct BreakUnlessDone<'a>(Option<&'a PublishSession>);

impl Drop for BreakUnlessDone<'_> {
    fn drop(&mut self) {
        if let Some(session) = self.0 {
            session.broken.cancel();
        }
    }
}

/// Publishes and waits for the confirms. One batch at a time.
pub(super) async fn publish(shared: &Shared, messages: &[WorkMessage]) -> Result<(), BrokerError> {
    let _turn = shared.publishing.lock().await;
    for batch in messages.chunks(MAX_UNCONFIRMED) {
        let session = current(shared)?;
        let lane = batch.first().map_or(Lane::Interactive, |message| message.lane);
        let guard = &mut BreakUnlessDone(Some(&session));
        let confirms = timeout(shared.settings.confirm_timeout(), session.publish_batch(batch)).await;
        let refused = match confirms {
            Ok(Ok(refused)) => refused,
            Ok(Err(error)) => return Err(BrokerError::Unconfirmed(error.to_string())),
            Err(_) => return Err(BrokerError::Unconfirmed("no answer in time".to_owned())),
        };
        guard.0 = None;
        if refused > 0 {
            // Most likely a queue is gone: have it repaired now rather than at the next check.
            shared.repair.notify_one();
            let error = BrokerError::NotAccepted { count: refused, total: batch.len() };
            shared.health.refused(lane, error.to_string(), shared.wall.now());
            return Err(error);
        }
        shared.health.accepted(lane, shared.wall.now());
    }
    Ok(())
}

fn current(shared: &Shared) -> Result<Arc<PublishSession>, BrokerError> {
    if shared.closing.is_cancelled() {
        return Err(BrokerError::Closed);
    }
    let session = shared.publish_session.lock().clone();
    match (session, shared.health.link(Link::Publish)) {
        (_, LinkState::Blocked(cause)) => Err(BrokerError::Blocked(cause)),
        (Some(session), _) if !session.broken.is_cancelled() => Ok(session),
        (_, LinkState::Down(cause)) => Err(BrokerError::Down(cause)),
        (_, LinkState::Up | LinkState::Starting) => Err(BrokerError::Down("connecting".to_owned())),
    }
}

impl PublishSession {
    /// Publishes a batch; returns how many messages the server did not accept.
    async fn publish_batch(&self, batch: &[WorkMessage]) -> lapin::Result<usize> {
        let bodies: Vec<_> = batch.iter().map(codec::encode_work).collect();
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let sends = batch.iter().zip(&bodies).map(|(message, body)| {
            let key = TopologyNames::routing_key(message.lane).into();
            self.channel.basic_publish(self.exchange.clone(), key, options, body, properties(message))
        });
        let mut confirms = Vec::with_capacity(batch.len());
        let mut failed = None;
        for sent in all_in_order(sends).await {
            match sent {
                Ok(confirm) => confirms.push(confirm),
                Err(error) => failed = Some(error),
            }
        }
        let (mut refused, mut returned) = (0, Vec::new());
        for confirm in confirms {
            match confirm.await? {
                Confirmation::Ack(None) => {}
                Confirmation::Ack(Some(message)) => returned.push(message),
                Confirmation::Nack(message) => {
                    refused += 1;
                    returned.extend(message);
                }
                Confirmation::NotRequested => refused += 1,
            }
        }
        if let Some(error) = failed {
            return Err(error);
        }
        if let Some(first) = returned.first() {
            // Matched by id, not by the confirm it came on.
            let id = first.properties.message_id().as_ref().map_or("", ShortString::as_str);
            let (count, reason) = (returned.len(), first.reply_text.as_str());
            tracing::debug!(broker.message_id = id, count, reason, "RabbitMQ returned messages");
        }
        Ok(refused + returned.len())
    }
}

fn properties(message: &WorkMessage) -> BasicProperties {
    let properties = BasicProperties::default()
        .with_delivery_mode(PERSISTENT)
        .with_message_id(codec::message_id(&message.key).into());
    match &message.traceparent {
        None => properties,
        Some(traceparent) => {
            let mut headers = FieldTable::default();
            headers.insert(codec::TRACEPARENT.into(), LongString::from(traceparent.as_str()).into());
            properties.with_headers(headers)
        }
    }
}

/// One life of the publishing connection.
pub(super) async fn session(shared: Arc<Shared>) -> SessionEnd {
    let broken = |cause| SessionEnd::Broken { cause, up_since: None };
    let connection = tokio::select! {
        () = shared.closing.cancelled() => return SessionEnd::Closing,
        connected = supervisor::connect(&shared, Link::Publish) => match connected {
            Ok(connection) => connection,
            Err(cause) => return broken(cause),
        },
    };
    let limit = shared.settings.connect_timeout();
    let (session, broadcast_channel) = match open(&shared, &connection).await {
        Ok(opened) => opened,
        Err(cause) => {
            supervisor::close(&connection, limit).await;
            return broken(cause);
        }
    };
    *shared.publish_session.lock() = Some(session.clone());
    shared.health.report(Link::Publish, LinkState::Up, shared.wall.now());
    let up_since = Some(Instant::now());
    let end = match run(&shared, &connection, &session, &broadcast_channel).await {
        None => {
            // A batch being published finishes first; confirms have a deadline.
            let _turn = shared.publishing.lock().await;
            SessionEnd::Closing
        }
        Some(cause) => {
            // Reported before the connection is closed, which can take a while.
            shared.health.report(Link::Publish, LinkState::Down(cause.clone()), shared.wall.now());
            SessionEnd::Broken { cause, up_since }
        }
    };
    *shared.publish_session.lock() = None;
    session.broken.cancel();
    supervisor::close(&connection, limit).await;
    end
}

async fn open(shared: &Shared, connection: &Connection) -> Result<(Arc<PublishSession>, Channel), String> {
    let opening = async {
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        Ok((channel, connection.create_channel().await?))
    };
    let limit = shared.settings.connect_timeout();
    let (channel, broadcast_channel) = topology::within(limit, "opening channels", opening).await?;
    let session = PublishSession {
        channel,
        exchange: shared.names.work_exchange(),
        blocked: AtomicBool::new(false),
        broken: CancellationToken::new(),
    };
    Ok((Arc::new(session), broadcast_channel))
}

/// Watches the connection until it breaks (returns why) or the broker is closed.
async fn run(
    shared: &Shared,
    connection: &Connection,
    session: &PublishSession,
    broadcast_channel: &Channel,
) -> Option<String> {
    let mut events = Box::pin(connection.events_listener());
    let mut broadcast = Box::pin(send_broadcast(shared, broadcast_channel));
    let mut check = interval(shared.settings.watchdog());
    check.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let blocked = session.blocked.load(Ordering::Relaxed);
        tokio::select! {
            () = shared.closing.cancelled() => return None,
            event = events.next() => {
                let Some(event) = event else { return Some("the connection ended".to_owned()) };
                note_event(shared, session, &event);
                if !connection.status().connected() {
                    return Some(format!("the connection ended: {event:?}"));
                }
            }
            // While blocked a new connection would be blocked as well.
            () = session.broken.cancelled(), if !blocked => {
                return Some("a batch was not confirmed".to_owned());
            }
            cause = &mut broadcast => return Some(cause),
            () = shared.repair.notified(), if !blocked => {
                if let Err(cause) = supervisor::ensure_topology(shared, connection).await {
                    return Some(cause);
                }
            }
            _ = check.tick() => {
                if let Some(cause) = look(shared, connection, blocked).await {
                    return Some(cause);
                }
            }
        }
        if !session.channel.status().connected() {
            return Some("the publishing channel was closed".to_owned());
        }
    }
}

fn note_event(shared: &Shared, session: &PublishSession, event: &Event) {
    let (blocked, state) = match event {
        Event::ConnectionBlocked(reason) => (true, LinkState::Blocked(reason.clone())),
        Event::ConnectionUnblocked => (false, LinkState::Up),
        _ => return,
    };
    session.blocked.store(blocked, Ordering::Relaxed);
    shared.health.report(Link::Publish, state, shared.wall.now());
}

/// Whether the connection still answers and the queues are still there.
async fn look(shared: &Shared, connection: &Connection, blocked: bool) -> Option<String> {
    shared.health.forget_refusals(shared.wall.now());
    if !connection.status().connected() {
        return Some("the connection ended".to_owned());
    }
    if blocked {
        return None;
    }
    match topology::ready(connection, &shared.names, shared.settings.connect_timeout()).await {
        Ok(Some(_)) => None,
        Ok(None) => supervisor::ensure_topology(shared, connection).await.err(),
        Err(cause) => Some(cause),
    }
}

/// Sends what waits in the [broadcast](super::broadcast::Broadcast::outgoing); returns why it could not.
async fn send_broadcast(shared: &Shared, channel: &Channel) -> String {
    let mut queue = shared.broadcast.outgoing().await;
    let exchange = shared.names.broadcast_exchange();
    loop {
        let Some(body) = queue.recv().await else { return std::future::pending().await };
        let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
        let sent = channel.basic_publish(exchange.clone(), "".into(), options, &body, properties).await;
        if let Err(error) = sent {
            return format!("publishing to the broadcast: {error}");
        }
    }
}
