//! The consuming connection: several channels per lane, and this instance's broadcast queue. It never publishes, so a server that is
//! short of memory blocks the other connection and not this one.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use bytes::Bytes;
use futures_util::StreamExt;
use lapin::options::{BasicConsumeOptions, BasicQosOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, Consumer};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::broadcast::GapFinder;
use super::channel::{ChannelAcks, LaneChannel};
use super::codec;
use super::health::{Link, LinkState};
use super::supervisor::{self, SessionEnd};
use super::topology;
use crate::broker::BroadcastEvent;
use crate::domain::submission::Lane;

/// A consumer that gets nothing at this many checks in a row, though it has room and messages wait, is taken for dead.
const SILENT_CHECKS: u32 = 3;

/// One life of the consuming connection.
pub(super) async fn session(shared: Arc<Shared>) -> SessionEnd {
    let broken = |cause| SessionEnd::Broken { cause, up_since: None };
    let connection = tokio::select! {
        () = shared.closing.cancelled() => return SessionEnd::Closing,
        connected = supervisor::connect(&shared, Link::Consume) => match connected {
            Ok(connection) => connection,
            Err(cause) => return broken(cause),
        },
    };
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    let mut up_since = None;
    let cause = match start(&shared, &connection, &mut tasks, &stop).await {
        Err(cause) => Some(cause),
        Ok(mut lanes) => {
            *shared.consume_connection.lock() = Some(connection.clone());
            shared.health.report(Link::Consume, LinkState::Up, shared.wall.now());
            up_since = Some(Instant::now());
            run(&shared, &connection, &mut tasks, &mut lanes).await
        }
    };
    *shared.consume_connection.lock() = None;
    if let Some(cause) = &cause {
        // Reported before the channels are wound up, which can take a while.
        shared.health.report(Link::Consume, LinkState::Down(cause.clone()), shared.wall.now());
    }
    wind_up(&shared, &connection, tasks, &stop).await;
    match cause {
        None => SessionEnd::Closing,
        Some(cause) => SessionEnd::Broken { cause, up_since },
    }
}

/// Stops the channels, which give back what no worker holds, and forgets what came from them.
async fn wind_up(
    shared: &Shared,
    connection: &Connection,
    mut tasks: JoinSet<Result<(), String>>,
    stop: &CancellationToken,
) {
    let limit = shared.settings.connect_timeout();
    stop.cancel();
    let ended = async { while tasks.join_next().await.is_some() {} };
    if timeout(limit, ended).await.is_err() {
        tasks.shutdown().await;
    }
    shared.consuming.send_replace(0);
    drop(shared.inbox.remove(|_| true));
    supervisor::close(connection, limit).await;
}

/// The windows of a lane's channels, and what the watchdog remembers of the lane.
#[derive(Default)]
struct LaneWatch {
    windows: Vec<Arc<ChannelAcks>>,
    delivered: u64,
    silent: u32,
}

impl LaneWatch {
    fn outstanding(&self) -> usize {
        self.windows.iter().map(|window| window.outstanding()).sum()
    }

    fn delivered(&self) -> u64 {
        self.windows.iter().map(|window| window.delivered()).sum()
    }
}

/// Opens the channels and starts their tasks.
async fn start(
    shared: &Arc<Shared>,
    connection: &Connection,
    tasks: &mut JoinSet<Result<(), String>>,
    stop: &CancellationToken,
) -> Result<[LaneWatch; 2], String> {
    let limit = shared.settings.connect_timeout();
    let mut lanes = [Lane::Interactive, Lane::Bulk].map(|_| LaneWatch::default());
    for (lane, watch) in [Lane::Interactive, Lane::Bulk].into_iter().zip(&mut lanes) {
        for number in 0..shared.settings.channels {
            let opening = open_channel(connection, shared.settings.prefetch_per_channel());
            let channel = topology::within(limit, "opening a channel", opening).await?;
            let channel = LaneChannel::new(shared.clone(), lane, channel, number);
            watch.windows.push(channel.acks());
            tasks.spawn(channel.run(stop.clone()));
        }
    }
    let (broadcast_channel, broadcast) =
        topology::within(limit, "opening the broadcast", open_broadcast(shared, connection)).await?;
    tasks.spawn(read_broadcast(shared.clone(), broadcast_channel, broadcast, stop.clone()));
    Ok(lanes)
}

async fn open_channel(connection: &Connection, prefetch: u16) -> lapin::Result<Channel> {
    let channel = connection.create_channel().await?;
    channel.basic_qos(prefetch, BasicQosOptions::default()).await?;
    Ok(channel)
}

/// Watches the connection until it breaks (returns why) or the broker is closed.
async fn run(
    shared: &Shared,
    connection: &Connection,
    tasks: &mut JoinSet<Result<(), String>>,
    lanes: &mut [LaneWatch; 2],
) -> Option<String> {
    let mut events = Box::pin(connection.events_listener());
    let mut check = interval(shared.settings.watchdog());
    check.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shared.closing.cancelled() => return None,
            ended = tasks.join_next() => return Some(match ended {
                Some(Ok(Err(cause))) => cause,
                Some(Err(panic)) => format!("a channel's task ended: {panic}"),
                Some(Ok(Ok(()))) | None => "a channel's task ended".to_owned(),
            }),
            event = events.next() => if !connection.status().connected() {
                return Some(format!("the connection ended: {event:?}"));
            },
            _ = check.tick() => {
                if let Err(cause) = look(shared, connection, lanes).await {
                    return Some(cause);
                }
            }
        }
    }
}

/// Whether the connection answers, the queues are there, and their messages reach us.
async fn look(shared: &Shared, connection: &Connection, lanes: &mut [LaneWatch; 2]) -> Result<(), String> {
    let limit = shared.settings.connect_timeout();
    let Some((interactive, bulk)) = topology::ready(connection, &shared.names, limit).await? else {
        return Err("a work queue is missing".to_owned());
    };
    let room = usize::try_from(shared.settings.prefetch / 2).unwrap_or(usize::MAX);
    for (lane, ready) in lanes.iter_mut().zip([interactive, bulk]) {
        let delivered = lane.delivered();
        let starved = ready > 0 && *shared.wanted.borrow() && lane.outstanding() < room;
        let moved = std::mem::replace(&mut lane.delivered, delivered) != delivered;
        lane.silent = if starved && !moved { lane.silent + 1 } else { 0 };
        if lane.silent >= SILENT_CHECKS {
            return Err("messages wait, but consumers get none".to_owned());
        }
    }
    Ok(())
}

/// Declares this instance's broadcast queue: gone with the connection, and bounded by dropping the oldest.
async fn open_broadcast(shared: &Shared, connection: &Connection) -> lapin::Result<(Channel, Consumer)> {
    let channel = connection.create_channel().await?;
    let round = shared.broadcast_rounds.fetch_add(1, Ordering::Relaxed);
    let queue = shared.names.broadcast_queue(&shared.instance.to_string(), round);
    let mut arguments = FieldTable::default();
    arguments.insert("x-max-length".into(), i64::from(shared.settings.feed_capacity).into());
    let options = QueueDeclareOptions::exclusive().auto_delete();
    channel.queue_declare(queue.clone(), options, arguments).await?;
    topology::bind(&channel, queue.clone(), shared.names.broadcast_exchange(), "").await?;
    let options = BasicConsumeOptions { no_ack: true, exclusive: true, ..BasicConsumeOptions::default() };
    let consumer = channel.basic_consume(queue, "feed".into(), options, FieldTable::default()).await?;
    Ok((channel, consumer))
}

/// Forwards the broadcast. Begins with a gap, since nobody knows what was sent while there was no connection.
async fn read_broadcast(
    shared: Arc<Shared>,
    channel: Channel,
    mut consumer: Consumer,
    stop: CancellationToken,
) -> Result<(), String> {
    let mut gaps = GapFinder::default();
    shared.broadcast.deliver(BroadcastEvent::Gap);
    loop {
        let item = tokio::select! {
            () = stop.cancelled() => break,
            item = consumer.next() => item,
        };
        let raw = match item {
            Some(Ok(raw)) => raw,
            Some(Err(error)) => return Err(format!("the broadcast: {error}")),
            None => return Err("the broadcast queue is gone".to_owned()),
        };
        let Some((origin, number, body)) = codec::decode_broadcast(Bytes::from(raw.data)) else {
            tracing::error!("broadcast message cannot be read");
            shared.broadcast.deliver(BroadcastEvent::Gap);
            continue;
        };
        if gaps.is_gap(origin, number) {
            shared.broadcast.deliver(BroadcastEvent::Gap);
        }
        shared.broadcast.deliver(BroadcastEvent::Message { origin, body });
    }
    let _ = timeout(shared.settings.connect_timeout(), channel.close(200, "OK".into())).await;
    Ok(())
}
