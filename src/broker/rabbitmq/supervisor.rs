//! Keeps a connection alive: connects, runs a session on it until something breaks, waits a little longer each time (or until a
//! server that was gone answers again, see `probe`), and starts from scratch: connection, channels, topology, consumers. lapin's
//! own recovery is not used.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lapin::uri::AMQPUri;
use lapin::{Connection, ConnectionProperties};
use tokio::time::timeout;

use super::Shared;
use super::health::{Link, LinkState};
use super::probe;
use super::topology::{self, Found};
use crate::broker::LossKeeper;

/// A session that worked for this long ended for a new reason: the next pause is the shortest again.
const STABLE_AFTER: Duration = Duration::from_secs(10);

/// How soon noting a loss is tried again.
const NOTE_AGAIN_AFTER: Duration = Duration::from_millis(500);

/// Why a session ended.
#[derive(Debug)]
pub(super) enum SessionEnd {
    /// The broker is being closed.
    Closing,
    /// Something broke, and when the session had been set up, if it got that far.
    Broken { cause: String, up_since: Option<Instant> },
}

/// Runs sessions one after another until the broker is closed.
pub(super) async fn supervise<F>(shared: Arc<Shared>, link: Link, session: impl Fn(Arc<Shared>) -> F)
where
    F: Future<Output = SessionEnd>,
{
    let (min, max) = (shared.settings.backoff_min_ms, shared.settings.backoff_max_ms);
    let mut pause_ms = min;
    loop {
        let SessionEnd::Broken { cause, up_since } = session(shared.clone()).await else { return };
        if up_since.is_some_and(|since| since.elapsed() >= STABLE_AFTER) {
            pause_ms = min;
        }
        shared.health.report(link, LinkState::Down(cause), shared.wall.now());
        let came_back = tokio::select! {
            () = shared.closing.cancelled() => return,
            came_back = probe::wait(shared.uri.as_lapin(), jittered(pause_ms)) => came_back,
        };
        // The server is back after a long outage: the pauses grown during its absence no longer apply.
        pause_ms = if came_back { min } else { pause_ms.saturating_mul(2).min(max) };
    }
}

/// Between three quarters of the pause and all of it, so that instances do not come back in step.
fn jittered(pause_ms: u64) -> Duration {
    let random = u64::from(getrandom::u32().unwrap_or_default() % 1_000);
    Duration::from_millis((pause_ms * 3 / 4 + pause_ms.saturating_mul(random) / 4_000).max(1))
}

/// Connects and ensures the topology.
pub(super) async fn connect(shared: &Shared, link: Link) -> Result<Arc<Connection>, String> {
    let limit = shared.settings.connect_timeout();
    let name = format!("paystorm {} {}", link.as_str(), shared.instance);
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    let connecting = Connection::connect_uri(shared.uri.to_lapin(), properties);
    let connection = topology::within(limit, "connecting", connecting).await?;
    match ensure_topology(shared, &connection).await {
        Ok(()) => Ok(Arc::new(connection)),
        Err(cause) => {
            close(&connection, limit).await;
            Err(cause)
        }
    }
}

/// Declares what is missing, and notifies the application if work may have been lost with it.
pub(super) async fn ensure_topology(shared: &Shared, connection: &Connection) -> Result<(), String> {
    // One at a time, so that two connections do not both report the same loss.
    let _turn = shared.declaring.lock().await;
    let (names, limit) = (&shared.names, shared.settings.connect_timeout());
    if topology::look(connection, names, limit).await? == Found::All {
        return topology::ensure(connection, names, limit).await;
    }
    // Before the queue is created: killed in between, this process leaves either no queue, or one whose loss is noted.
    if let Some(keeper) = &shared.keeper {
        note_missing(shared, keeper.as_ref()).await?;
    }
    topology::ensure(connection, names, limit).await?;
    if shared.keeper.is_none() {
        shared.lost.send_modify(|count| *count += 1);
    }
    tracing::warn!(broker.prefix = shared.settings.prefix, "work queues were missing and have been created");
    Ok(())
}

/// Notes the loss, however long that takes: without it no queue is created. The supervisor's pauses depend on the server, not on
/// what the keeper waits for.
async fn note_missing(shared: &Shared, keeper: &dyn LossKeeper) -> Result<(), String> {
    let noted = async {
        while let Err(cause) = keeper.queue_missing().await {
            tracing::debug!(cause, "the loss of a work queue could not be noted");
            tokio::time::sleep(NOTE_AGAIN_AFTER).await;
        }
    };
    let closed = || "the broker is being closed".to_owned();
    shared.closing.run_until_cancelled(noted).await.ok_or_else(closed)
}

/// Closes politely, but not for longer than the limit; the rest is the server's.
pub(super) async fn close(connection: &Connection, limit: Duration) {
    if connection.status().connected() {
        // Whatever it answers, this connection is done with.
        let _ = timeout(limit, connection.close(200, "OK".into())).await;
    }
}

/// The server's address as lapin takes it, whose own `Debug` would print the password.
pub(super) struct ServerUri(AMQPUri);

impl ServerUri {
    /// The address with our heartbeat and timeout, unless it names its own.
    pub(super) fn parse(url: &str, heartbeat_s: u16, connect_timeout_ms: u64) -> Result<Self, String> {
        let mut uri: AMQPUri = url.parse()?;
        uri.query.heartbeat.get_or_insert(heartbeat_s);
        uri.query.connection_timeout.get_or_insert(connect_timeout_ms);
        Ok(Self(uri))
    }

    const fn as_lapin(&self) -> &AMQPUri {
        &self.0
    }

    fn to_lapin(&self) -> AMQPUri {
        self.0.clone()
    }
}

impl fmt::Debug for ServerUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let authority = &self.0.authority;
        write!(f, "ServerUri({}:{})", authority.host, authority.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_stays_within_a_quarter() {
        for _ in 0..1_000 {
            let pause = jittered(1_000);
            assert!(pause >= Duration::from_millis(750) && pause <= Duration::from_secs(1), "{pause:?}");
        }
    }

    #[test]
    fn the_address_keeps_what_it_names_itself() {
        let uri = ServerUri::parse("amqp://h/%2f?heartbeat=3", 10, 500).unwrap().to_lapin();
        assert_eq!((uri.query.heartbeat, uri.query.connection_timeout), (Some(3), Some(500)));
        assert!(ServerUri::parse("http://h/", 10, 500).is_err());
    }

    #[test]
    fn the_address_is_printed_without_its_credentials() {
        let uri = ServerUri::parse("amqp://user-hush:password-hush@host:5671/%2f", 10, 500).unwrap();
        assert_eq!(format!("{uri:?}"), "ServerUri(host:5671)");
        let refused = ServerUri::parse("amqp://user-hush:password-hush@host:port/%2f", 10, 500).unwrap_err();
        assert!(!refused.contains("hush"), "{refused}");
    }
}
