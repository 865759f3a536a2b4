//! One socket: one task that reads, hands in, and writes, so that a slow socket holds up nothing but itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::web::Data;
use actix_ws::{AggregatedMessage, AggregatedMessageStream, CloseCode, CloseReason, Session};
use futures_util::StreamExt as _;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, watch};
use tokio::time::{MissedTickBehavior, interval};

use super::message::Message;
use super::submit::{self, Pending};
use super::{Peer, answer};
use crate::domain::ids::{AccountId, PaymentId};
use crate::feed::live::{Reader, Topic, resync_frame};
use crate::feed::system::SystemState;
use crate::web::error::{ApiError, InputError};
use crate::web::state::WebState;

const WRITE_DEADLINE: Duration = Duration::from_secs(5);
const STATS_EVERY: Duration = Duration::from_millis(250);
/// How often it is told that rows were left out where no other row tells it.
const LEFT_OUT_EVERY: Duration = Duration::from_secs(1);
const ALLOWED_EVERY: Duration = Duration::from_secs(5);
/// Frames whose commits a socket may wait for at once; past it nothing more is read from it.
const PENDING_MAX: usize = 64;

/// Why a socket ends.
#[derive(Debug)]
enum End {
    /// The other side left or the transport broke: there is nobody to tell.
    Gone,
    /// Tell them why.
    Close(CloseCode, &'static str),
}

struct Connection {
    state: Data<WebState>,
    peer: Peer,
    session: Session,
    reader: Reader,
    /// How the parts are.
    system: watch::Receiver<SystemState>,
    /// Whose calls were logged, if calls are logged.
    logged: Option<broadcast::Receiver<Arc<[AccountId]>>>,
    pending: FuturesUnordered<LocalBoxFuture<'static, String>>,
    heard_at: Instant,
}

/// Serves a socket to its end.
pub async fn run(state: Data<WebState>, peer: Peer, session: Session, stream: AggregatedMessageStream) {
    state.metrics.sockets.inc();
    let reader = state.hub.reader();
    let pending = FuturesUnordered::new();
    let system = state.hub.system();
    let logged = state.requests.as_ref().map(|log| log.written());
    let mut connection = Connection {
        state: state.clone(),
        peer,
        session,
        reader,
        system,
        logged,
        pending,
        heard_at: Instant::now(),
    };
    let end = connection.serve(stream).await;
    if let End::Close(code, why) = end {
        let reason = CloseReason { code, description: Some(why.to_owned()) };
        // The other side may not read any more; then there is no point in waiting.
        let _ = tokio::time::timeout(WRITE_DEADLINE, connection.session.close(Some(reason))).await;
    }
    state.metrics.sockets.dec();
}

impl Connection {
    async fn serve(&mut self, mut stream: AggregatedMessageStream) -> End {
        let mut pings = every(Duration::from_millis(self.state.settings.ping_ms));
        let mut stats = every(STATS_EVERY);
        let mut left_out = every(LEFT_OUT_EVERY);
        let mut checks = every(ALLOWED_EVERY);
        let mut endings = self.state.accounts.endings();
        let shutdown = self.state.shutdown.clone();
        loop {
            let room = self.pending.len() < PENDING_MAX;
            let step = tokio::select! {
                () = shutdown.cancelled() => return End::Close(CloseCode::Away, "the server is going away"),
                message = stream.recv(), if room => match message {
                    Some(Ok(message)) => self.receive(message).await,
                    Some(Err(actix_ws::ProtocolError::Overflow)) => {
                        return End::Close(CloseCode::Size, "the frame is too large");
                    }
                    Some(Err(_)) | None => return End::Gone,
                },
                Some(frame) = self.pending.next(), if !self.pending.is_empty() => self.write(frame).await,
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

    async fn receive(&mut self, message: AggregatedMessage) -> Result<(), End> {
        self.heard_at = Instant::now();
        match message {
            AggregatedMessage::Text(text) => self.understand(&text).await,
            AggregatedMessage::Ping(bytes) => {
                let session = &mut self.session;
                in_time(session.pong(&bytes)).await
            }
            AggregatedMessage::Pong(_) => Ok(()),
            AggregatedMessage::Binary(_) => Err(End::Close(CloseCode::Unsupported, "frames are text")),
            AggregatedMessage::Close(_) => Err(End::Close(CloseCode::Normal, "bye")),
        }
    }

    async fn understand(&mut self, text: &str) -> Result<(), End> {
        let message = match Message::read(text) {
            Ok(message) => message,
            Err(_) if text.len() > self.state.settings.frame_max_bytes => return Err(too_large()),
            Err(error) => return self.write(answer::error(None, &error.into())).await,
        };
        if text.len() > self.state.settings.frame_max_bytes && message.kind != "payment.submit_batch" {
            return Err(too_large());
        }
        let id = message.id.clone();
        let handed: Result<Pending, ApiError> = match message.kind.as_ref() {
            "payment.submit" | "payment.submit_batch" => {
                submit::payments(&self.state, &self.peer, message).await
            }
            "operation.submit" => submit::operation(&self.state, &self.peer, message).await,
            "subscribe" | "unsubscribe" => {
                let frame = match self.subscription(&message).await {
                    Ok(subscription) => answer::ack_subscription(id.as_ref(), subscription),
                    Err(error) => answer::error(id.as_ref(), &error),
                };
                return self.write(frame).await;
            }
            "ping" => return self.write(answer::pong(id.as_ref())).await,
            _ => Err(InputError::new("type", "parameter_invalid_enum", "Unknown type of message.").into()),
        };
        match handed {
            Ok(pending) => {
                let state = self.state.clone();
                self.pending.push(Box::pin(async move { pending.answer(&state).await }));
                Ok(())
            }
            Err(error) => self.write(answer::error(id.as_ref(), &error)).await,
        }
    }

    async fn write_system(&mut self) -> Result<(), End> {
        let state = *self.system.borrow_and_update();
        for id in self.reader.subscriptions(|topic| *topic == Topic::System) {
            self.write(answer::system(id, &state)).await?;
        }
        Ok(())
    }

    /// `None` if the word was missed: it may have been of anyone's.
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
            // Whoever subscribes hears how it is now, right after the acknowledgement.
            self.system.mark_changed();
        }
        let full = || ApiError::busy("A socket can have at most 32 subscriptions.");
        self.reader.subscribe(topic, message.max_per_second.unwrap_or(0)).ok_or_else(full)
    }

    /// The topic a client asks for. Its own things only: someone else's payment is told as one that does not exist.
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
                let found = self.state.store.payment_get(&[id]).await?.into_iter().next();
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
        if self.heard_at.elapsed() >= Duration::from_millis(self.state.settings.silence_ms) {
            return Err(End::Close(CloseCode::Policy, "silent for too long"));
        }
        in_time(self.session.ping(b"")).await
    }

    async fn check(&self) -> Result<(), End> {
        if self.peer.still_allowed(&self.state).await {
            return Ok(());
        }
        Err(End::Close(CloseCode::Policy, "the session has ended"))
    }

    async fn write(&mut self, frame: String) -> Result<(), End> {
        in_time(self.session.text(frame)).await
    }

    async fn write_all(&mut self, frames: Vec<String>) -> Result<(), End> {
        for frame in frames {
            self.write(frame).await?;
        }
        Ok(())
    }
}

/// Whose calls were logged: `None` if the word was missed. Waits for ever where there is no log.
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

const fn too_large() -> End {
    End::Close(CloseCode::Size, "the frame is too large")
}

/// A write that makes no progress ends the socket: its reader is too slow.
async fn in_time(write: impl Future<Output = Result<(), actix_ws::Closed>>) -> Result<(), End> {
    match tokio::time::timeout(WRITE_DEADLINE, write).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(End::Gone),
        Err(_) => Err(End::Close(CloseCode::Again, "too slow")),
    }
}
