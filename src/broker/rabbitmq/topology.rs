//! Exchanges and queues: their names, how they are declared, and whether they are still there.
//!
//! `<prefix>.work` (direct) → quorum queues `<prefix>.interactive` and `<prefix>.bulk`, whose dead letters go through
//! `<prefix>.dead` (fanout) to the quorum queue `<prefix>.dead`. `<prefix>.feed` (fanout) → one exclusive queue per instance, declared
//! by its consumer.

use std::time::Duration;

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{FieldTable, LongString, ShortString};
use lapin::{Channel, Connection, ErrorKind, ExchangeKind};
use tokio::time::timeout;

use crate::domain::submission::Lane;

/// AMQP's reply code for a queue that does not exist.
const NOT_FOUND: u16 = 404;

/// How often a message may come back before the server takes it out of the queue: practically never.
///
/// The server counts a return for every message a consumer had prefetched when its connection ended, so a few crashes (or pauses) of
/// ours would dead-letter thousands of messages that nobody ever looked at. Attempts are counted in the store, per payment, and parked
/// there. It is set all the same: RabbitMQ 4 applies a limit of 20 to a queue that names none, and 3.10 knows no value for "off".
const DELIVERY_LIMIT: i64 = 1_000_000;

/// The names in use under one prefix.
#[derive(Debug, Clone)]
pub(super) struct TopologyNames {
    prefix: String,
}

impl TopologyNames {
    pub(super) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    fn named(&self, name: &str) -> ShortString {
        format!("{}.{name}", self.prefix).into()
    }

    /// The exchange that work is published to.
    pub(super) fn work_exchange(&self) -> ShortString {
        self.named("work")
    }

    /// A lane's routing key.
    pub(super) const fn routing_key(lane: Lane) -> &'static str {
        match lane {
            Lane::Interactive => "interactive",
            Lane::Bulk => "bulk",
        }
    }

    /// A lane's queue.
    pub(super) fn queue(&self, lane: Lane) -> ShortString {
        self.named(Self::routing_key(lane))
    }

    /// The exchange and the queue of messages that cannot be read.
    pub(super) fn dead(&self) -> ShortString {
        self.named("dead")
    }

    /// The exchange of the broadcast.
    pub(super) fn broadcast_exchange(&self) -> ShortString {
        self.named("feed")
    }

    /// An instance's broadcast queue. A new name for every connection: the old queue may outlive its connection by a moment.
    pub(super) fn broadcast_queue(&self, instance: &str, round: u64) -> ShortString {
        self.named(&format!("feed.{instance}.{round}"))
    }
}

/// What a look at the queues found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// Both work queues are there.
    All,
    /// At least one work queue is missing.
    WorkQueueMissing,
}

/// How many messages are ready in a queue; `None` if there is no such queue. Costs a channel, because asking for a queue that does not
/// exist closes the channel.
async fn ready_count(connection: &Connection, queue: ShortString) -> lapin::Result<Option<u32>> {
    let channel = connection.create_channel().await?;
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    match channel.queue_declare(queue, options, FieldTable::default()).await {
        Ok(queue) => {
            channel.close(200, "OK".into()).await?;
            Ok(Some(queue.message_count()))
        }
        Err(error) => match error.kind() {
            ErrorKind::ProtocolError(amqp) if amqp.get_id() == NOT_FOUND => Ok(None),
            _ => Err(error),
        },
    }
}

/// Ready messages in the interactive and the bulk queue; `None` if one is missing.
pub(super) async fn ready(
    connection: &Connection,
    names: &TopologyNames,
    limit: Duration,
) -> Result<Option<(u32, u32)>, String> {
    let both = async {
        let interactive = ready_count(connection, names.queue(Lane::Interactive)).await?;
        let bulk = ready_count(connection, names.queue(Lane::Bulk)).await?;
        Ok(interactive.zip(bulk))
    };
    within(limit, "asking for the queues", both).await
}

/// Whether the work queues are there.
pub(super) async fn look(
    connection: &Connection,
    names: &TopologyNames,
    limit: Duration,
) -> Result<Found, String> {
    Ok(match ready(connection, names, limit).await? {
        Some(_) => Found::All,
        None => Found::WorkQueueMissing,
    })
}

/// Declares everything, which changes nothing where it exists.
pub(super) async fn ensure(
    connection: &Connection,
    names: &TopologyNames,
    limit: Duration,
) -> Result<(), String> {
    let declared = async {
        let channel = connection.create_channel().await?;
        declare(&channel, names).await?;
        channel.close(200, "OK".into()).await
    };
    within(limit, "declaring the queues", declared).await
}

async fn declare(channel: &Channel, names: &TopologyNames) -> lapin::Result<()> {
    let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    for (exchange, kind) in [
        (names.work_exchange(), ExchangeKind::Direct),
        (names.dead(), ExchangeKind::Fanout),
        (names.broadcast_exchange(), ExchangeKind::Fanout),
    ] {
        channel.exchange_declare(exchange, kind, durable, FieldTable::default()).await?;
    }
    let mut dead = FieldTable::default();
    insert_text(&mut dead, "x-queue-type", "quorum");
    channel.queue_declare(names.dead(), QueueDeclareOptions::durable(), dead).await?;
    bind(channel, names.dead(), names.dead(), "").await?;
    for lane in [Lane::Interactive, Lane::Bulk] {
        let arguments = work_queue_arguments(names);
        channel.queue_declare(names.queue(lane), QueueDeclareOptions::durable(), arguments).await?;
        bind(channel, names.queue(lane), names.work_exchange(), TopologyNames::routing_key(lane)).await?;
    }
    Ok(())
}

fn work_queue_arguments(names: &TopologyNames) -> FieldTable {
    let mut arguments = FieldTable::default();
    insert_text(&mut arguments, "x-queue-type", "quorum");
    insert_text(&mut arguments, "x-dead-letter-exchange", names.dead().as_str());
    // Without these two a dead letter is sent and forgotten; with them it stays until the dead-letter queue has it.
    insert_text(&mut arguments, "x-dead-letter-strategy", "at-least-once");
    insert_text(&mut arguments, "x-overflow", "reject-publish");
    arguments.insert("x-delivery-limit".into(), DELIVERY_LIMIT.into());
    arguments
}

fn insert_text(table: &mut FieldTable, key: &str, value: &str) {
    table.insert(key.into(), LongString::from(value).into());
}

/// Binds a queue to an exchange.
pub(super) async fn bind(
    channel: &Channel,
    queue: ShortString,
    exchange: ShortString,
    key: &str,
) -> lapin::Result<()> {
    channel.queue_bind(queue, exchange, key.into(), QueueBindOptions::default(), FieldTable::default()).await
}

/// Gives a request a deadline, and its error the name of the request.
pub(super) async fn within<T>(
    limit: Duration,
    what: &str,
    request: impl Future<Output = lapin::Result<T>>,
) -> Result<T, String> {
    match timeout(limit, request).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(format!("{what}: {error}")),
        Err(_) => Err(format!("{what}: no answer within {} ms", limit.as_millis())),
    }
}
