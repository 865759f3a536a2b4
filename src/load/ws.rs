//! The WebSocket transport: what is due now goes out in one frame; what was unanswered when a connection broke goes out
//! again with the same keys.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use parking_lot::Mutex;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use super::request;
use super::shared::{Shared, Source};
use super::tracker::{Applying, Seen};
use super::wire::{Frame, PaymentRow};
use super::work::{Pending, Work};
use crate::domain::ids::PaymentId;
use crate::domain::status::Status;

/// Payments in one frame: what the protocol allows.
const BATCH_MAX: usize = 1_000;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const BACKOFF_MIN: Duration = Duration::from_millis(50);
const BACKOFF_MAX: Duration = Duration::from_secs(1);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;
type Sink = SplitSink<Socket, Message>;
type Stream = SplitStream<Socket>;

/// Opens a socket to the server's `/ws`.
///
/// # Errors
/// If the server does not answer in time, or refuses this key.
pub async fn connect(shared: &Shared) -> anyhow::Result<Socket> {
    let mut url = shared.target.url.clone();
    url.set_path("/ws");
    url.set_scheme("ws").map_err(|()| anyhow!("{url} cannot be a WebSocket's address"))?;
    let mut request = url.as_str().into_client_request()?;
    request.headers_mut().insert("Authorization", format!("Bearer {}", shared.target.key.expose()).parse()?);
    let connecting = connect_async_with_config(request, None, true);
    match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
        Ok(Ok((socket, _))) => Ok(socket),
        Ok(Err(tungstenite::Error::Http(response))) => bail!("{url} answered {}", response.status()),
        Ok(Err(error)) => Err(error).with_context(|| format!("cannot connect to {url}")),
        Err(_) => bail!("{url} did not answer within {} s", CONNECT_TIMEOUT.as_secs()),
    }
}

/// Connects again until it works or the run is over.
async fn reconnect(shared: &Shared) -> Option<Socket> {
    let mut pause = BACKOFF_MIN;
    loop {
        tokio::select! {
            () = shared.stop.cancelled() => return None,
            connected = connect(shared) => if let Ok(socket) = connected { return Some(socket) },
        }
        tokio::select! {
            () = shared.stop.cancelled() => return None,
            () = tokio::time::sleep(pause) => {}
        }
        pause = (pause * 2).min(BACKOFF_MAX);
    }
}

/// What has been sent on one socket and not been answered.
#[derive(Default)]
struct Session {
    next_id: u64,
    waiting: HashMap<u64, Waiting>,
}

struct Waiting {
    work: Vec<Pending>,
    /// Whether it only asks again for what was acknowledged before.
    again: bool,
}

/// Sends until the run is over, over as many sockets as it takes.
pub async fn send(shared: Arc<Shared>, connection: u64) {
    let mut source = Source::new(&shared, connection);
    let mut resend: Vec<Pending> = Vec::new();
    while let Some(socket) = reconnect(&shared).await {
        let session = Mutex::new(Session::default());
        let (mut sink, mut stream) = socket.split();
        tokio::select! {
            () = shared.stop.cancelled() => {}
            _ = write_loop(&shared, &mut source, &mut resend, &session, &mut sink) => {}
            () = read_loop(&shared, &session, &mut stream) => {}
        }
        if shared.stop.is_cancelled() {
            break;
        }
        let lost = session.into_inner().waiting.into_values().filter(|waiting| !waiting.again);
        resend.extend(lost.flat_map(|waiting| waiting.work));
        resend.sort_unstable_by_key(|pending| pending.index);
        shared.tracker.count(|counts| counts.reconnects += 1);
    }
    let left = source.never_taken();
    shared.tracker.count(|counts| counts.skipped += left);
}

async fn write_loop(
    shared: &Shared,
    source: &mut Source,
    resend: &mut Vec<Pending>,
    session: &Mutex<Session>,
    sink: &mut Sink,
) -> Result<(), tungstenite::Error> {
    loop {
        let mut frames = Vec::new();
        // Nothing is taken out of `resend` without being noted in the session, so that a broken socket loses nothing.
        for chunk in resend.chunks(BATCH_MAX) {
            shared.tracker.count(|counts| counts.resent += chunk.len() as u64);
            frames.extend(frames_of(shared, session, chunk, false));
        }
        resend.clear();
        let again: Vec<Pending> =
            shared.take_again(BATCH_MAX).into_iter().map(|(_, pending)| pending).collect();
        frames.extend(frames_of(shared, session, &again, true));
        frames.extend(frames_of(shared, session, &shared.take_answers(BATCH_MAX), false));
        let due = source.take(BATCH_MAX);
        shared.tracker.sent(&due, shared.now_us());
        frames.extend(frames_of(shared, session, &due, false));
        if frames.is_empty() {
            source.changed().await;
            continue;
        }
        for frame in frames {
            sink.feed(Message::text(frame)).await?;
        }
        sink.flush().await?;
    }
}

/// The frames that carry this work: one for all payments, one for each operation.
fn frames_of(shared: &Shared, session: &Mutex<Session>, work: &[Pending], again: bool) -> Vec<String> {
    let mut frames = Vec::new();
    let mut payments = Vec::with_capacity(work.len());
    let mut session = session.lock();
    for pending in work {
        let mut operation = String::new();
        if request::write_operation(&mut operation, &shared.plan, pending) {
            let id = session.note(vec![*pending], again);
            frames.push(format!(r#"{{"type":"operation.submit","id":{id}{operation}"#));
        } else {
            payments.push(*pending);
        }
    }
    if !payments.is_empty() {
        let mut text = String::with_capacity(64 + payments.len() * 288);
        let id = session.next_id;
        // Writing to a string cannot fail.
        let _ = write!(text, r#"{{"type":"payment.submit_batch","id":{id},"payments":["#);
        for (n, pending) in payments.iter().enumerate() {
            if n > 0 {
                text.push(',');
            }
            request::write_payment(&mut text, &shared.plan, pending);
        }
        text.push_str("]}");
        session.note(payments, again);
        frames.push(text);
    }
    frames
}

impl Session {
    fn note(&mut self, work: Vec<Pending>, again: bool) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.waiting.insert(id, Waiting { work, again });
        id
    }
}

async fn read_loop(shared: &Shared, session: &Mutex<Session>, stream: &mut Stream) {
    while let Some(Ok(message)) = stream.next().await {
        let Message::Text(text) = message else { continue };
        let Ok(frame) = serde_json::from_str::<Frame<'_>>(&text) else { continue };
        let waiting = frame.id.and_then(|id| session.lock().waiting.remove(&id));
        if let Some(waiting) = waiting {
            shared.tracker.apply(shared.now_us(), |applying| answered(applying, &waiting, &frame));
        }
    }
}

fn answered(applying: &mut Applying<'_>, waiting: &Waiting, frame: &Frame<'_>) {
    let results = frame.results.as_deref().unwrap_or_default();
    for (n, pending) in waiting.work.iter().enumerate() {
        let result = results.get(n);
        let row = result.and_then(|result| result.payment).or(frame.payment);
        let error = result.and_then(|result| result.error.as_ref()).or(frame.error.as_ref());
        match (row.as_ref().and_then(read_row), error, pending.work) {
            (Some((payment, seen)), None, _) if waiting.again => applying.row(payment, seen),
            (Some((payment, seen)), None, Work::Answer { .. }) => applying.row(payment, seen),
            (Some((payment, seen)), None, _) => {
                let line = row.map_or("", |row| row.id);
                applying.acknowledged(pending, payment, line, Some(seen));
            }
            _ if waiting.again => {}
            (_, Some(error), Work::Answer { payment, .. }) => {
                applying.answer_refused(pending, payment, error.code(), error.message());
            }
            (_, Some(error), _) => applying.refused(pending, error.code(), error.message()),
            (None, None, Work::Answer { .. }) => {}
            (None, None, _) => {
                applying.refused(pending, "unreadable_answer", "the answer names no payment");
            }
        }
    }
}

fn read_row(row: &PaymentRow<'_>) -> Option<(PaymentId, Seen)> {
    let acquirer_us = row.answered_us.zip(row.started_us).map(|(until, from)| until.saturating_sub(from));
    let seen = Seen {
        status: Status::parse(row.status)?,
        version: row.version,
        decline: row.decline.map(|decline| decline.decline_code.into()),
        acquirer_us,
        other_us: row.other_us,
    };
    Some((row.id.parse().ok()?, seen))
}

/// Watches the run's payments until it is over. Signals `ready` once it first sees them, or with the error if it cannot; later
/// connections are made again.
pub async fn observe(shared: Arc<Shared>, ready: oneshot::Sender<anyhow::Result<()>>) {
    let mut socket = match connect(&shared).await {
        Ok(socket) => socket,
        Err(error) => {
            // Nobody waits any more: the run was given up.
            let _ = ready.send(Err(error));
            return;
        }
    };
    let mut ready = Some(ready);
    loop {
        tokio::select! {
            () = shared.stop.cancelled() => return,
            _ = watch_socket(&shared, &mut socket, &mut ready) => {}
        }
        if let Some(ready) = ready.take() {
            let _ = ready.send(Err(anyhow!("the server closed the socket that was to watch the run")));
            return;
        }
        shared.tracker.count(|counts| counts.reconnects += 1);
        match reconnect(&shared).await {
            Some(again) => socket = again,
            None => return,
        }
    }
}

async fn watch_socket(
    shared: &Shared,
    socket: &mut Socket,
    ready: &mut Option<oneshot::Sender<anyhow::Result<()>>>,
) -> Result<(), tungstenite::Error> {
    let subscribe = format!(r#"{{"type":"subscribe","id":0,"topic":"run","run":"{}"}}"#, shared.plan.run);
    socket.send(Message::text(subscribe)).await?;
    while let Some(message) = socket.next().await {
        let Message::Text(text) = message? else { continue };
        let Ok(frame) = serde_json::from_str::<Frame<'_>>(&text) else { continue };
        match frame.kind {
            "payment.updated" => {
                let rows = frame.rows.unwrap_or_default();
                shared.tracker.apply(shared.now_us(), |applying| {
                    for (payment, seen) in rows.iter().filter_map(read_row) {
                        applying.row(payment, seen);
                    }
                });
            }
            "ack" => match ready.take() {
                Some(ready) => {
                    let _ = ready.send(Ok(()));
                }
                // What settled while nobody watched was not seen.
                None => shared.ask_again(),
            },
            "resync" => shared.ask_again(),
            "error" => {
                let message = frame.error.map_or_else(String::new, |error| error.message().to_owned());
                if let Some(ready) = ready.take() {
                    let _ = ready.send(Err(anyhow!("the run cannot be watched: {message}")));
                }
                return Ok(());
            }
            _ => {}
        }
    }
    Ok(())
}
