//! Serves one socket in one task that reads, hands in and writes, so that a slow socket delays only itself.
//!
//! The library implements the protocol (`transport`); a violation ends the socket with the matching close code (`closing`).

use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Data;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Bytes, Message as Frame};

use super::closing::{self, End, WRITE_DEADLINE};
use super::message::{BATCH, Message, Unread};
use super::submit;
use super::transport::{Socket, Wire};
use super::waiting::{Answer, Waiting};
use super::{Peer, answer};
use crate::domain::ids::{AccountId, PaymentId};
use crate::intake::InputError;
use crate::readers::live::{Subscriber, Topic, resync_frame};
use crate::readers::system::SystemState;
use crate::web::error::ApiError;
use crate::web::state::WebState;

const STATS_EVERY: Duration = Duration::from_millis(250);
/// How often a subscriber is notified that rows were left out, if no later row shows it.
const LEFT_OUT_EVERY: Duration = Duration::from_secs(1);
const ALLOWED_EVERY: Duration = Duration::from_secs(5);

struct Connection {
    state: Data<WebState>,
    peer: Peer,
    sink: SplitSink<Socket, Frame>,
    wire: Wire,
    reader: Subscriber,
    /// The state of the server's parts.
    system: watch::Receiver<SystemState>,
    /// The accounts whose calls were logged; `None` if the log is switched off.
    logged: Option<broadcast::Receiver<Arc<[AccountId]>>>,
    waiting: Waiting,
    received_at: Instant,
}

/// Serves a socket to its end.
pub async fn run(state: Data<WebState>, peer: Peer, socket: Socket, wire: Wire) {
    state.metrics.sockets.inc();
    let (sink, mut stream) = socket.split();
    let mut connection = Connection {
        state: state.clone(),
        peer,
        sink,
        wire,
        reader: state.hub.subscriber(),
        system: state.hub.system(),
        logged: state.requests.as_ref().map(|log| log.written()),
        waiting: Waiting::default(),
        received_at: Instant::now(),
    };
    let end = connection.serve(&mut stream).await;
    let (sink, wire) = connection.into_wire();
    if let End::Close(code, why) = end {
        tokio::select! {
            () = closing::close(sink, stream, &wire, code, why) => {}
            () = closing::stopped(&state, code) => {}
        }
    }
    state.metrics.sockets.dec();
}

impl Connection {
    /// Keeps only what the close frame needs, and frees the rest now.
    fn into_wire(self) -> (SplitSink<Socket, Frame>, Wire) {
        (self.sink, self.wire)
    }

    async fn serve(&mut self, stream: &mut SplitStream<Socket>) -> End {
        let mut pings = every(Duration::from_millis(self.state.settings.ping_ms));
        let mut stats = every(STATS_EVERY);
        let mut left_out = every(LEFT_OUT_EVERY);
        let mut checks = every(ALLOWED_EVERY);
        let mut endings = self.state.accounts.endings();
        let shutdown = self.state.shutdown.clone();
        loop {
            let step = tokio::select! {
                () = shutdown.cancelled() => return End::Close(CloseCode::Away, "the server is going away"),
                frame = stream.next(), if self.waiting.has_room() => match frame {
                    Some(Ok(frame)) => self.receive(frame).await,
                    Some(Err(fault)) => return closing::end_of(&fault),
                    None => return End::Gone,
                },
                Some(answer) = self.waiting.next(), if !self.waiting.is_empty() => self.write_answer(answer).await,
                () = self.reader.ready() => self.write_all(self.reader.take()).await,
                _ = stats.tick(), if self.reader.wants_stats() => self.write_all(self.reader.take_stats()).await,
                _ = left_out.tick(), if self.reader.has_left_out() => {
                    self.write_all(self.reader.take_left_out()).await
                }
                Ok(()) = self.system.changed() => self.write_system().await,
                accounts = next_logged(&mut self.logged) => self.write_logged(accounts).await,
                _ = pings.tick() => self.ping().await,
                _ = checks.tick() => self.check().await,
                Ok(()) = endings.changed() => self.check().await,
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    async fn receive(&mut self, frame: Frame) -> Result<(), End> {
        self.received_at = Instant::now();
        match frame {
            Frame::Text(text) => self.receive_text(&text).await,
            // The library answers it when the socket is polled next.
            Frame::Ping(_) | Frame::Pong(_) | Frame::Frame(_) => Ok(()),
            Frame::Binary(_) => Err(closing::no_text()),
            Frame::Close(_) => {
                // The library has already queued the answer.
                let _ = timeout(WRITE_DEADLINE, self.sink.flush()).await;
                Err(End::Gone)
            }
        }
    }

    async fn receive_text(&mut self, text: &str) -> Result<(), End> {
        let long = text.len() > self.state.settings.frame_max_bytes;
        let message = match Message::read(text) {
            Ok(message) if long && message.kind != BATCH => return Err(closing::too_large()),
            Ok(message) => message,
            Err(Unread { batch: false, .. }) if long => return Err(closing::too_large()),
            Err(Unread { id, error, .. }) => {
                return self.write(answer::error(id.as_ref(), &error.into())).await;
            }
        };
        let id = message.id.clone();
        let answer = match message.kind.as_ref() {
            "payment.submit" | BATCH | "operation.submit" => {
                self.hand_in(message, text.len()).await.map(|()| None)
            }
            "subscribe" | "unsubscribe" => {
                let subscription = self.subscription(&message).await;
                subscription.map(|subscription| Some(answer::ack_subscription(id.as_ref(), subscription)))
            }
            "ping" => Ok(Some(answer::pong(id.as_ref()))),
            _ => Err(InputError::new("type", "parameter_invalid_enum", "Unknown type of message.").into()),
        };
        match answer {
            Ok(None) => Ok(()),
            Ok(Some(frame)) => self.write(frame).await,
            Err(error) => self.write(answer::error(id.as_ref(), &error)).await,
        }
    }

    /// Hands in the commands of a message of this size. It is answered once they are committed.
    async fn hand_in(&mut self, message: Message<'_>, bytes: usize) -> Result<(), ApiError> {
        let room = self.state.sockets.room(bytes, message.payments.as_ref().map_or(1, Vec::len))?;
        let pending = match message.kind.as_ref() {
            "operation.submit" => submit::operation(&self.state, &self.peer, message).await,
            _ => submit::payments(&self.state, &self.peer, message).await,
        }?;
        let state = self.state.clone();
        self.waiting.add(async move { pending.answer(&state).await }, room);
        Ok(())
    }

    async fn write_system(&mut self) -> Result<(), End> {
        let state = *self.system.borrow_and_update();
        for id in self.reader.subscriptions(|topic| *topic == Topic::System) {
            self.write(answer::system(id, &state)).await?;
        }
        Ok(())
    }

    /// `None` means that notices were missed, so any account's calls may have been logged.
    async fn write_logged(&mut self, accounts: Option<Arc<[AccountId]>>) -> Result<(), End> {
        let theirs = |topic: &Topic| match topic {
            Topic::Requests(account) => accounts.as_ref().is_none_or(|accounts| accounts.contains(account)),
            _ => false,
        };
        for id in self.reader.subscriptions(theirs) {
            let frame = if accounts.is_some() { answer::requests(id) } else { resync_frame(id) };
            self.write(frame).await?;
        }
        Ok(())
    }

    async fn subscription(&mut self, message: &Message<'_>) -> Result<u64, ApiError> {
        if message.kind == "unsubscribe" {
            let id = message.subscription.ok_or_else(|| InputError::missing("subscription"))?;
            let missing =
                || InputError::new("subscription", "resource_missing", "There is no such subscription.");
            return if self.reader.unsubscribe(id) { Ok(id) } else { Err(missing().into()) };
        }
        let topic = self.topic(message).await?;
        if topic == Topic::System {
            // A new subscriber receives the current state right after the acknowledgement.
            self.system.mark_changed();
        }
        let full = || ApiError::busy("A socket can have at most 32 subscriptions.");
        self.reader.subscribe(topic, message.max_per_second.unwrap_or(0)).ok_or_else(full)
    }

    /// The topic that a client asks for. Another account's payment is answered as if it did not exist.
    async fn topic(&self, message: &Message<'_>) -> Result<Topic, ApiError> {
        let account = submit::account_of(&self.state, &self.peer, message.account.as_deref()).await?;
        match message.topic.as_deref() {
            Some("payments") => Ok(Topic::Payments(account)),
            Some("stats") => Ok(Topic::Stats),
            Some("system") => Ok(Topic::System),
            Some("requests") => Ok(Topic::Requests(account)),
            Some("run") => {
                let run = message.run.clone().ok_or_else(|| InputError::missing("run"))?;
                Ok(Topic::Run(account, run))
            }
            Some("payment") => {
                let text = message.payment_id.as_deref().ok_or_else(|| InputError::missing("payment_id"))?;
                let missing = || ApiError::not_found("payment", text).with_param("payment_id");
                let id: PaymentId = text.parse().map_err(|_| missing())?;
                let found = self.state.store.payment_one(id).await?;
                let payee = |payment: &crate::domain::payment::Payment| {
                    payment.submission().payee_wallet().is_some_and(|wallet| wallet.owner == account)
                };
                let visible = found.is_some_and(|payment| payment.owner() == account || payee(&payment));
                if visible { Ok(Topic::Payment(account, id)) } else { Err(missing()) }
            }
            Some(_) => {
                let text = "Invalid topic: must be one of payments, payment, run, stats, system or requests.";
                Err(InputError::new("topic", "parameter_invalid_enum", text).into())
            }
            None => Err(InputError::missing("topic").into()),
        }
    }

    async fn ping(&mut self) -> Result<(), End> {
        if self.received_at.elapsed() >= Duration::from_millis(self.state.settings.silence_ms) {
            return Err(End::Close(CloseCode::Policy, "silent for too long"));
        }
        self.send(Frame::Ping(Bytes::new())).await
    }

    async fn check(&self) -> Result<(), End> {
        if self.peer.still_allowed(&self.state).await {
            return Ok(());
        }
        Err(End::Close(CloseCode::Policy, "the session has ended"))
    }

    async fn write(&mut self, frame: String) -> Result<(), End> {
        self.send(Frame::text(frame)).await
    }

    async fn write_answer(&mut self, answer: Answer) -> Result<(), End> {
        let Answer { frame, room } = answer;
        let written = self.write(frame).await;
        self.waiting.written(room);
        written
    }

    /// Writes a frame. A write without progress ends the socket, since the client is too slow.
    async fn send(&mut self, frame: Frame) -> Result<(), End> {
        let Self { sink, wire, waiting, .. } = self;
        wire.begin();
        let mut write = sink.send(frame);
        loop {
            let written = timeout(WRITE_DEADLINE.saturating_sub(wire.still_for()), &mut write);
            tokio::select! {
                written = written => match written {
                    Ok(Ok(())) => return Ok(()),
                    Ok(Err(_)) => return Err(End::Gone),
                    Err(_) if wire.still_for() < WRITE_DEADLINE => {}
                    Err(_) => return Err(End::Close(CloseCode::Again, "too slow")),
                },
                () = waiting.make(), if waiting.is_deciding() => {}
            }
        }
    }

    async fn write_all(&mut self, frames: Vec<String>) -> Result<(), End> {
        for frame in frames {
            self.write(frame).await?;
        }
        Ok(())
    }
}

/// The accounts whose calls were logged; `None` if notices were missed. Never returns if the log is switched off.
async fn next_logged(logged: &mut Option<broadcast::Receiver<Arc<[AccountId]>>>) -> Option<Arc<[AccountId]>> {
    match logged {
        Some(receiver) => match receiver.recv().await {
            Ok(accounts) => Some(accounts),
            Err(RecvError::Lagged(_)) => None,
            Err(RecvError::Closed) => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}

fn every(period: Duration) -> tokio::time::Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
