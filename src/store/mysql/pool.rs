//! Connections for everything but the ordered line.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use diesel_async::pooled_connection::deadpool::{Object, Pool};
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod};
use diesel_async::{AsyncConnection, AsyncMysqlConnection, SimpleAsyncConnection};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::codes;
use crate::store::implement::Held;
use crate::store::{Access, StoreError, StoreResult, StoreSettings};

type Conn = AsyncMysqlConnection;

/// No statement here holds what another waits for longer than it takes, so that a lock is waited for only briefly.
const POOL_SESSION: &str = "SET SESSION transaction_isolation='READ-COMMITTED', \
                            innodb_lock_wait_timeout=2, sql_mode='STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'";
/// For whoever must not change anything.
const READ_ONLY_SESSION: &str = "SET SESSION transaction_isolation='READ-COMMITTED', transaction_read_only=1";
/// Connections being opened at once. One that is given up while a frozen server owes its greeting counts there as an attack
/// (`max_connect_errors`), so that they are few and are given time.
const OPENING_MAX: usize = 4;
const OPEN_WITHIN: Duration = Duration::from_secs(10);

/// A pool.
#[derive(Clone)]
pub(super) struct Connections(Pool<Conn>);

/// A connection on loan from the pool. Only [`Held::settle`] gives it back; dropped, it is closed, since an answer may be on
/// its way that nobody has read.
pub(super) struct Borrowed(Option<Object<Conn>>);

impl Connections {
    pub(super) fn new(settings: &StoreSettings, access: Access) -> StoreResult<Self> {
        let session = match access {
            Access::ReadWrite => POOL_SESSION,
            Access::ReadOnly => READ_ONLY_SESSION,
        };
        let mut config = ManagerConfig::default();
        config.recycling_method = RecyclingMethod::Verified;
        // A connection belongs to the runtime that it was opened on. Those of the web server's threads end before the
        // readers of the journal do, so that connections are opened here, whoever asks for them.
        let runtime = Handle::current();
        let opening = Arc::new(Semaphore::new(OPENING_MAX));
        config.custom_setup = Box::new(move |url| {
            let opened = runtime.spawn(open(url.to_owned(), session, Arc::clone(&opening)));
            Box::pin(async move {
                opened.await.map_err(|error| diesel::ConnectionError::BadConnection(error.to_string()))?
            })
        });
        let manager = AsyncDieselConnectionManager::<Conn>::new_with_config(&settings.url, config);
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

async fn open(url: String, session: &str, opening: Arc<Semaphore>) -> diesel::ConnectionResult<Conn> {
    let bad = |what: &str| diesel::ConnectionError::BadConnection(what.to_owned());
    let _turn = opening.acquire_owned().await.map_err(|_| bad("the pool is closed"))?;
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
        // It is not given back: a statement that was refused for its size is refused from then on, whatever it is given.
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
