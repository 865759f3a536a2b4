//! The sequencer's session: whichever process holds the head holds up every instance, so none may hold it for long.
//!
//! While a transaction is open, the server ends the session after a second without a statement from us, which frees the head of a
//! process that froze. We in turn wait for the server only so long: then the connection is dropped, with its transaction, and the
//! session is ended from another connection in case the server is still busy with it.

use std::sync::{Arc, Weak};
use std::time::Duration;

use diesel_async::{AsyncConnection, RunQueryDsl, SimpleAsyncConnection};
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::pool::Connections;
use super::{Conn, codes, sequenced};
use crate::domain::ids::{BatchId, InstanceId};
use crate::domain::time::Timestamp;
use crate::setting::SecretUrl;
use crate::store::facts::FactsCache;
use crate::store::held::{Held as _, by};
use crate::store::{BatchKeys, DecideBatch, StoreError, StoreResult};

/// How long to wait for the rollback of a failed transaction.
const ROLLBACK_WITHIN: Duration = Duration::from_millis(300);
/// A connection that is being opened is not given up sooner: to the server that looks like an attack.
const OPEN_WITHIN: Duration = Duration::from_secs(10);
/// How long to try to end a session. By then the server's own limit has done it.
const KILL_WITHIN: Duration = Duration::from_secs(2);
/// A session that is idle for longer than this is probed, so that nothing on the network forgets the connection.
const KEEPALIVE: Duration = Duration::from_secs(20);

const COMMIT: &str = "COMMIT; SET SESSION wait_timeout=28800";
const ROLLBACK: &str = "ROLLBACK; SET SESSION wait_timeout=28800";

/// How long each side waits for the other, all derived from how long a caller may wait for a query.
#[derive(Debug, Clone, Copy)]
struct Waits {
    /// Ours for the head, which another instance may hold.
    head: Duration,
    /// Ours for the work, from having the head to the commit.
    work: Duration,
    /// Ours for the commit. Together with the work this is how long the head can be held.
    commit: Duration,
    /// The server's for our next statement in a transaction, and for a lock, in seconds.
    server_s: u128,
}

impl Waits {
    fn new(caller: Duration) -> Self {
        Self {
            head: caller,
            work: caller * 4 / 5,
            commit: caller / 2,
            server_s: (caller.as_millis() / 1_500).max(1),
        }
    }

    /// Sent to the server when a session begins. Reading and writing are those of half a packet.
    fn session(self) -> String {
        let (lock_s, packet_s) = (self.server_s, self.server_s * 2);
        format!(
            "SET SESSION transaction_isolation='READ-COMMITTED', innodb_lock_wait_timeout={lock_s}, \
             net_read_timeout={packet_s}, net_write_timeout={packet_s}, \
             sql_mode='STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'"
        )
    }

    /// Sent to it when a transaction begins.
    fn begin(self) -> String {
        format!("SET SESSION wait_timeout={}; BEGIN", self.server_s)
    }
}

/// Runs the sequencer's batches, on one session.
#[derive(Clone)]
pub(super) struct SequencerClient {
    url: SecretUrl,
    state: Arc<Mutex<State>>,
    connections: Connections,
    runtime: Handle,
    waits: Waits,
    facts: Arc<FactsCache>,
}

/// At most one of the two: a session, or the opening of one.
#[derive(Default)]
struct State {
    idle: Option<Session>,
    opening: Option<JoinHandle<StoreResult<Session>>>,
}

struct Session {
    conn: Conn,
    /// A lock that this session alone holds, by which the server finds its id. An id by itself may be another session's by now.
    name: String,
    used_at: Instant,
    /// Whether nothing was committed on it yet.
    fresh: bool,
}

impl SequencerClient {
    /// `caller` is how long a caller may wait for one thing.
    pub(super) fn new(url: SecretUrl, connections: Connections, caller: Duration) -> Self {
        let waits = Waits::new(caller);
        let (state, facts, runtime) = (Arc::default(), Arc::default(), Handle::current());
        let client = Self { url, state, connections, runtime, waits, facts };
        tokio::spawn(keep_alive(Arc::downgrade(&client.state)));
        client
    }

    pub(super) async fn run(
        &self,
        batch: BatchId,
        wall: Timestamp,
        keys: &BatchKeys,
        decide: DecideBatch<'_>,
    ) -> StoreResult<u64> {
        let mut state = self.state.lock().await;
        let mut session = by(Instant::now() + self.waits.head, state.session(self)).await?;
        // It may be on another server than the last one, to which others have written since: nothing is known about that.
        let asked = session.fresh.then(|| BatchKeys { known: None, ..keys.clone() });
        let keys = asked.as_ref().unwrap_or(keys);
        let outcome = transaction(&mut session.conn, self, batch, wall, keys, decide).await;
        let Err(failed) = outcome else {
            state.keep(session);
            return outcome.map_err(|failed| failed.error);
        };
        let Failed { error, answered } = failed;
        // A commit may be under way: nothing more is sent on that connection.
        let unknown = matches!(error, StoreError::CommitUnknown { .. });
        if unknown || !answered {
            self.abandon(session, !answered);
            return Err(error);
        }
        // The head is released in any case. The session goes too: a prepared statement that was refused for its size is refused
        // from then on, whatever its values.
        let Session { conn, .. } = &mut session;
        let end = async {
            let sorted = codes::sort(conn, error.clone()).await;
            conn.batch_execute(ROLLBACK).await.map(|()| sorted)
        };
        match tokio::time::timeout(ROLLBACK_WITHIN, end).await {
            Ok(Ok(sorted)) => Err(sorted),
            Ok(Err(_)) | Err(_) => {
                self.abandon(session, true);
                Err(error)
            }
        }
    }

    /// Whether the batch at `seq` is the one named. A transaction that may still be committing is waited for: it holds the
    /// head.
    pub(super) async fn settle(&self, seq: u64, batch: BatchId) -> StoreResult<bool> {
        let until = Instant::now() + self.waits.head;
        let mut conn = by(until, self.connections.borrow()).await?;
        let look = async {
            conn.batch_execute("UPDATE head SET seq = seq WHERE shard = 0").await?;
            super::batch_committed(&mut conn, seq, batch).await
        };
        let found = by(until, look).await;
        conn.settle(found).await
    }

    /// Drops a session whose transaction may not have ended. Closing the connection does not end what the server is busy with; with
    /// `kill`, another connection does.
    fn abandon(&self, session: Session, kill: bool) {
        let Session { conn, name, .. } = session;
        drop(conn);
        if kill {
            let connections = self.connections.clone();
            self.runtime.spawn(async move {
                match tokio::time::timeout(KILL_WITHIN, end_session(&connections, &name)).await {
                    Ok(Ok(true)) => tracing::debug!("a stalled session of the sequencer was ended"),
                    Ok(Ok(false)) => {}
                    Ok(Err(error)) => {
                        tracing::debug!(error = %error, "a stalled session was left to the server")
                    }
                    Err(_) => tracing::debug!("a stalled session was left to the server"),
                }
            });
        }
    }
}

impl State {
    fn keep(&mut self, session: Session) {
        self.idle = Some(Session { used_at: Instant::now(), fresh: false, ..session });
    }

    /// The session, opened if there is none. Only the waiting is ever cancelled, never the opening.
    async fn session(&mut self, client: &SequencerClient) -> StoreResult<Session> {
        if let Some(session) = self.idle.take() {
            return Ok(session);
        }
        let opening =
            self.opening.get_or_insert_with(|| client.runtime.spawn(open(client.url.clone(), client.waits)));
        let opened = opening.await;
        self.opening = None;
        opened.map_err(|error| StoreError::Unavailable(error.to_string()))?
    }
}

async fn open(url: SecretUrl, waits: Waits) -> StoreResult<Session> {
    let open = async {
        let established = Conn::establish(url.expose()).await;
        let mut conn = established.map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let name = format!("paystorm_sequencer_{}", InstanceId::generate());
        conn.batch_execute(&format!("{}; DO GET_LOCK('{name}', 0)", waits.session())).await?;
        Ok(Session { conn, name, used_at: Instant::now(), fresh: true })
    };
    by(Instant::now() + OPEN_WITHIN, open).await
}

/// Why a transaction failed, and whether the server said so itself.
struct Failed {
    error: StoreError,
    answered: bool,
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        let answered = !matches!(error, StoreError::Unavailable(_));
        Self { error, answered }
    }
}

async fn transaction(
    conn: &mut Conn,
    own: &SequencerClient,
    batch: BatchId,
    wall: Timestamp,
    keys: &BatchKeys,
    decide: DecideBatch<'_>,
) -> Result<u64, Failed> {
    let waits = own.waits;
    let begin = async {
        conn.batch_execute(&waits.begin()).await?;
        sequenced::head_take(conn, wall).await
    };
    let head = by(Instant::now() + waits.head, begin).await?;
    let seq = head.seq;
    let until = Instant::now() + waits.work;
    let mut write = decide(head, by(until, sequenced::load(conn, head, keys, &own.facts)).await?);
    let Some(journal) = write.journal.take() else {
        by(until, async { Ok(conn.batch_execute(ROLLBACK).await?) }).await?;
        return Ok(0);
    };
    by(until, sequenced::write(conn, seq, batch, &write, journal)).await?;
    let unknown =
        |cause: String, answered| Failed { error: StoreError::CommitUnknown { seq, cause }, answered };
    match tokio::time::timeout(waits.commit, conn.batch_execute(COMMIT)).await {
        Ok(Ok(())) => Ok(seq),
        Ok(Err(error)) => Err(unknown(error.to_string(), true)),
        Err(_) => Err(unknown("no answer in time".to_owned(), false)),
    }
}

#[derive(diesel::QueryableByName)]
struct Holder {
    #[diesel(sql_type = diesel::sql_types::Nullable<diesel::sql_types::BigInt>)]
    id: Option<i64>,
}

/// Ends the session that holds the lock of this name; `false` if none does any more.
async fn end_session(connections: &Connections, name: &str) -> StoreResult<bool> {
    let mut conn = connections.borrow().await?;
    let query = diesel::sql_query("SELECT CAST(IS_USED_LOCK(?) AS SIGNED) AS id")
        .bind::<diesel::sql_types::Text, _>(name);
    let holder: Result<Holder, _> = query.get_result(&mut *conn).await;
    let ended = match holder {
        Ok(Holder { id: Some(id) }) => {
            conn.batch_execute(&format!("KILL CONNECTION {id}")).await.map(|()| true)
        }
        Ok(Holder { id: None }) => Ok(false),
        Err(error) => Err(error),
    };
    conn.settle(ended.map_err(StoreError::from)).await
}

/// Probes the session while it is idle.
async fn keep_alive(state: Weak<Mutex<State>>) {
    loop {
        tokio::time::sleep(KEEPALIVE).await;
        let Some(state) = state.upgrade() else {
            return;
        };
        let Ok(mut state) = state.try_lock() else {
            continue;
        };
        let Some(mut session) = state.idle.take_if(|session| session.used_at.elapsed() >= KEEPALIVE) else {
            continue;
        };
        let probe = session.conn.batch_execute("DO 1");
        if matches!(tokio::time::timeout(Duration::from_secs(1), probe).await, Ok(Ok(()))) {
            state.keep(session);
        }
    }
}
