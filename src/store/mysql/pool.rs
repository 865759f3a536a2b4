//! A pool of connections for everything but the sequencer.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use diesel_async::pooled_connection::deadpool::{Object, Pool};
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod};
use diesel_async::{AsyncConnection, SimpleAsyncConnection};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Conn, codes};
use crate::store::held::Held;
use crate::store::{Access, StoreError, StoreResult, StoreSettings};

/// No statement here holds a lock for longer than it runs, so that others wait for one only briefly.
const POOL_SESSION: &str = "SET SESSION transaction_isolation='READ-COMMITTED', \
                            innodb_lock_wait_timeout=2, sql_mode='STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'";
/// For callers that must not change anything.
const READ_ONLY_SESSION: &str = "SET SESSION transaction_isolation='READ-COMMITTED', transaction_read_only=1";
/// The most connections being opened at once. One that is given up before a frozen server has greeted counts there as an attack
/// (`max_connect_errors`), so there are few and they are given time.
const OPENING_MAX: usize = 4;
const OPEN_WITHIN: Duration = Duration::from_secs(10);

#[derive(Clone)]
pub(super) struct Connections(Pool<Conn>);

/// A connection on loan from the pool. Only [`Held::settle`] gives it back; dropped, it is closed, since an answer that nobody has
/// read may be on its way.
pub(super) struct Borrowed(Option<Object<Conn>>);

impl Connections {
    pub(super) fn new(settings: &StoreSettings, access: Access) -> StoreResult<Self> {
        let session = match access {
            Access::ReadWrite => POOL_SESSION,
            Access::ReadOnly => READ_ONLY_SESSION,
        };
        let mut config = ManagerConfig::default();
        config.recycling_method = RecyclingMethod::Verified;
        // A connection belongs to the runtime that it was opened on. Those of the web server's threads end before the readers of
        // the journal do, so connections are opened on this one, whoever the caller is.
        let runtime = Handle::current();
        let opening = Arc::new(Semaphore::new(OPENING_MAX));
        config.custom_setup = Box::new(move |url| {
            let (runtime, opening, url) = (runtime.clone(), Arc::clone(&opening), url.to_owned());
            Box::pin(async move {
                // A caller that leaves while it waits for a turn leaves nothing behind. Otherwise a server back from a freeze would
                // first have to open thousands of connections that nobody waits for.
                let turn = opening.acquire_owned().await.map_err(bad)?;
                runtime.spawn(open(url, session, turn)).await.map_err(bad)?
            })
        });
        let manager = AsyncDieselConnectionManager::<Conn>::new_with_config(settings.url.expose(), config);
        let timeout = Some(Duration::from_millis(settings.acquire_timeout_ms));
        let pool = Pool::builder(manager)
            .max_size(settings.read_connections.max(2).try_into().unwrap_or(8))
            .wait_timeout(timeout)
            .create_timeout(timeout)
            .recycle_timeout(timeout)
            .runtime(deadpool::Runtime::Tokio1)
            .build()
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(Self(pool))
    }

    pub(super) async fn borrow(&self) -> StoreResult<Borrowed> {
        let object = self.0.get().await.map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(Borrowed(Some(object)))
    }
}

fn bad(what: impl std::fmt::Display) -> diesel::ConnectionError {
    diesel::ConnectionError::BadConnection(what.to_string())
}

/// Once begun, opening goes on, whether or not its caller still waits.
async fn open(url: String, session: &str, _turn: OwnedSemaphorePermit) -> diesel::ConnectionResult<Conn> {
    let open = async {
        let mut conn = Conn::establish(&url).await?;
        let setup = conn.batch_execute(session).await;
        setup.map_err(diesel::ConnectionError::CouldntSetupConfiguration)?;
        Ok(conn)
    };
    tokio::time::timeout(OPEN_WITHIN, open).await.map_err(|_| bad("MySQL did not answer in time"))?
}

impl Held for Borrowed {
    async fn settle<T: Send>(mut self, outcome: StoreResult<T>) -> StoreResult<T> {
        let error = match outcome {
            Ok(value) => {
                drop(self.0.take());
                return Ok(value);
            }
            Err(error) => error,
        };
        if error.is_transient() {
            return Err(error);
        }
        // It is not given back: a prepared statement that was refused for its size is refused from then on, whatever its values.
        let sorting = codes::sort(&mut self, error.clone());
        Err(tokio::time::timeout(Duration::from_secs(1), sorting).await.unwrap_or(error))
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        if let Some(object) = self.0.take() {
            drop(Object::take(object));
        }
    }
}

impl Deref for Borrowed {
    type Target = Conn;
    #[expect(clippy::expect_used, reason = "the connection is only taken out at the end")]
    fn deref(&self) -> &Conn {
        self.0.as_ref().expect("present until given back")
    }
}

impl DerefMut for Borrowed {
    #[expect(clippy::expect_used, reason = "the connection is only taken out at the end")]
    fn deref_mut(&mut self) -> &mut Conn {
        self.0.as_mut().expect("present until given back")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::net::TcpListener;
    use tokio::sync::watch;

    use super::*;

    /// A server that accepts and counts connections, and is silent on them until `hang_up`.
    async fn frozen_server(hang_up: watch::Receiver<bool>) -> (String, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("mysql://nobody:nothing@{}/none", listener.local_addr().unwrap());
        let taken = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&taken);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                let mut hang_up = hang_up.clone();
                tokio::spawn(async move {
                    let _ = hang_up.wait_for(|hang_up| *hang_up).await;
                    drop(socket);
                });
            }
        });
        (url, taken)
    }

    #[tokio::test]
    async fn callers_that_gave_up_leave_no_connections_to_be_opened() {
        let (thaw, frozen) = watch::channel(false);
        let (url, taken) = frozen_server(frozen).await;
        let settings = StoreSettings { url: url.into(), ..StoreSettings::default() };
        let connections = Connections::new(&settings, Access::ReadWrite).unwrap();
        for _ in 0..20 * OPENING_MAX {
            assert!(tokio::time::timeout(Duration::from_millis(5), connections.borrow()).await.is_err());
        }
        thaw.send_replace(true);
        // The last to come: whatever was queued before it has had its turn.
        assert!(connections.borrow().await.is_err());
        assert!(taken.load(Ordering::Relaxed) <= OPENING_MAX + 1, "{taken:?} connections");
    }
}
