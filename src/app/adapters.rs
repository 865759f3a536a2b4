//! Opens the parts that the settings choose. Each switch is matched here and nowhere else.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use async_trait::async_trait;

use crate::audit::index_view::IndexView;
use crate::background::Tasks;
use crate::broker::Broker;
use crate::broker::embedded::EmbeddedBroker;
use crate::broker::rabbitmq::RabbitMqBroker;
use crate::broker::settings::BrokerKind;
use crate::clock::Wall;
use crate::config::Settings;
use crate::domain::ids::InstanceId;
use crate::readers::dispatch::NotedLosses;
use crate::search::contents::Value;
use crate::search::elasticsearch::ElasticsearchIndex;
use crate::search::embedded::{self, EmbeddedIndex, EmbeddedView};
use crate::search::{DocKey, ScannedDocument, SearchIndex, SearchKind, SearchSettings};
use crate::store::mysql::MySqlStore;
use crate::store::sqlite::SqliteStore;
use crate::store::{Access, Store, StoreKind};

/// The lock file in the data directory.
const LOCK: &str = "paystorm.lock";
/// How often, and with what pauses, locking is tried again: another process may be checking the lock.
const LOCK_ATTEMPTS: u32 = 3;
const LOCK_PAUSE: Duration = Duration::from_millis(20);
/// How often to check whether the server has built its index.
const REBUILD_POLL: Duration = Duration::from_millis(200);

/// Held while this process owns the data directory; the system releases it however the process ends.
#[derive(Debug)]
pub struct DirectoryLock {
    _file: File,
}

/// Whether any part keeps its state in this process or its data directory.
#[must_use]
pub fn any_embedded(settings: &Settings) -> bool {
    settings.store.kind.is_embedded()
        || settings.broker.kind.is_embedded()
        || settings.search.kind.is_embedded()
}

/// Makes this process the only one to write the index, where the index is in the data directory.
///
/// # Errors
/// A server runs on that directory; it rebuilds its index itself.
pub fn lock_for_rebuild(settings: &Settings) -> anyhow::Result<Option<DirectoryLock>> {
    match settings.search.kind.is_embedded() {
        true => lock_directory(&settings.data_dir).map(Some),
        false => Ok(None),
    }
}

/// Creates the data directory and makes this process its only owner.
///
/// # Errors
/// If another process owns it, or it cannot be written.
pub fn lock_directory(dir: &Path) -> anyhow::Result<DirectoryLock> {
    std::fs::create_dir_all(dir)
        .with_context(|| format!("cannot create the data directory {}", dir.display()))?;
    let path = dir.join(LOCK);
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    let mut locked = file.try_lock();
    for _ in 0..LOCK_ATTEMPTS {
        if locked.is_ok() {
            break;
        }
        std::thread::sleep(LOCK_PAUSE);
        locked = file.try_lock();
    }
    match locked {
        Ok(()) => Ok(DirectoryLock { _file: file }),
        Err(TryLockError::WouldBlock) => bail!(
            "another paystorm is running on {}: stop it, or choose another --data-dir (embedded parts allow one instance)",
            dir.display()
        ),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}

/// Opens the store and brings its tables up to date.
///
/// # Errors
/// If it cannot be opened or migrated, or another version of the program wrote it.
pub async fn store(settings: &Settings) -> anyhow::Result<Arc<dyn Store>> {
    let store: Arc<dyn Store> = match settings.store.kind {
        StoreKind::Embedded => {
            std::fs::create_dir_all(&settings.data_dir).with_context(|| {
                format!("cannot create the data directory {}", settings.data_dir.display())
            })?;
            Arc::new(
                SqliteStore::open(&settings.data_dir, &settings.store)
                    .await
                    .context("cannot open the store")?,
            )
        }
        StoreKind::Mysql => {
            Arc::new(MySqlStore::open(&settings.store).await.context("cannot open the store")?)
        }
    };
    prepare(&store).await?;
    Ok(store)
}

/// Opens an existing store, for a command that creates none; the inner error says that there is none.
///
/// # Errors
/// If it cannot be opened, or another version of the program wrote it.
pub async fn existing_store(
    settings: &Settings,
    access: Access,
) -> anyhow::Result<Result<Arc<dyn Store>, NoStore>> {
    let (found, place): (Option<Arc<dyn Store>>, String) = match settings.store.kind {
        StoreKind::Embedded => {
            let opened = SqliteStore::open_existing(&settings.data_dir, &settings.store, access).await;
            let store = opened.context("cannot open the store")?;
            (store.map(|store| Arc::new(store) as _), format!("in {}", settings.data_dir.display()))
        }
        StoreKind::Mysql => {
            let opened = MySqlStore::open_existing(&settings.store, access).await;
            let store = opened.context("cannot open the store")?;
            (store.map(|store| Arc::new(store) as _), "at store.url".to_owned())
        }
    };
    let Some(store) = found else { return Ok(Err(NoStore { place })) };
    if access == Access::ReadWrite {
        prepare(&store).await?;
    }
    Ok(Ok(store))
}

/// There is no store where the settings say, and the command creates none.
#[derive(Debug, thiserror::Error)]
#[error("there is no store {place}: `paystorm serve` makes one, and so does `paystorm migrate`")]
pub struct NoStore {
    place: String,
}

/// Brings the store's tables up to date and logs what its durability rests on.
async fn prepare(store: &Arc<dyn Store>) -> anyhow::Result<()> {
    for migration in store.migrate().await.context("cannot migrate the store")? {
        tracing::info!(migration, "the store was migrated");
    }
    let durability = store.durability().await.context("cannot read the store's durability settings")?;
    tracing::debug!(settings = ?durability.settings, "the store's durability settings");
    if let Some(warning) = durability.warning {
        tracing::warn!("{warning}");
    }
    Ok(())
}

/// Opens the broker. The queues it loses are noted in the store, and its tasks are listed.
///
/// # Errors
/// If its settings cannot work. A broker that is away is no error: the pipeline waits for it.
pub fn broker(
    settings: &Settings,
    instance: InstanceId,
    store: &Arc<dyn Store>,
    wall: &Wall,
    tasks: &Tasks,
) -> anyhow::Result<Arc<dyn Broker>> {
    Ok(match settings.broker.kind {
        BrokerKind::Embedded => {
            Arc::new(EmbeddedBroker::new(&settings.broker).context("cannot open the broker")?)
        }
        BrokerKind::RabbitMq => {
            let keeper = Arc::new(NotedLosses(store.clone()));
            let (settings, wall) = (settings.broker.clone(), wall.clone());
            let broker = RabbitMqBroker::start_kept(settings, instance, wall, Some(keeper), tasks);
            Arc::new(broker.context("cannot open the broker")?)
        }
    })
}

/// Opens the search index, for reading and writing.
///
/// # Errors
/// If the embedded index cannot be opened. An Elasticsearch that is away is no error.
pub async fn search(settings: &Settings, wall: &Wall) -> anyhow::Result<Arc<dyn SearchIndex>> {
    Ok(match settings.search.kind {
        SearchKind::Embedded => {
            let settings = in_data_dir(settings);
            Arc::new(
                EmbeddedIndex::open(&settings, wall.clone()).await.context("cannot open the search index")?,
            )
        }
        SearchKind::Elasticsearch => {
            let index = ElasticsearchIndex::new(&settings.search, wall.clone())
                .context("cannot open the search index")?;
            if let Err(error) = index.connect().await {
                tracing::debug!(error = %error, "Elasticsearch is away; payments go on, search waits");
            }
            Arc::new(index)
        }
    })
}

/// Whether a process owns the data directory. Changes nothing in it.
#[must_use]
pub fn directory_is_owned(dir: &Path) -> bool {
    // Only for a moment, and shared: a server that starts just then tries again.
    File::open(dir.join(LOCK))
        .is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// Asks the server that runs on the data directory to rebuild its embedded index, and waits until it has.
///
/// # Errors
/// If the directory cannot be written, or the server stopped before it was done; it builds the index when it starts
/// again.
pub async fn rebuild_by_server(settings: &Settings) -> anyhow::Result<()> {
    let path = in_data_dir(settings).path;
    embedded::request_rebuild(&path).with_context(|| format!("cannot write in {}", path.display()))?;
    while embedded::rebuild_requested(&path) {
        tokio::time::sleep(REBUILD_POLL).await;
        if lock_directory(&settings.data_dir).is_ok() && embedded::rebuild_requested(&path) {
            bail!("the server has stopped; it rebuilds the index when it starts");
        }
    }
    Ok(())
}

/// The settings of the embedded index with its path inside the data directory.
fn in_data_dir(settings: &Settings) -> SearchSettings {
    let path = settings.data_dir.join(&settings.search.path);
    SearchSettings { path, ..settings.search.clone() }
}

/// Opens the search index for the auditor, which must not disturb a running server; `None` if there is none.
///
/// # Errors
/// If it cannot be opened.
pub async fn index_view(settings: &Settings) -> anyhow::Result<Option<Box<dyn IndexView>>> {
    match settings.search.kind {
        SearchKind::Embedded => {
            let view = EmbeddedView::open(&in_data_dir(settings).path).await;
            let view = view.context("cannot open the search index")?;
            Ok(view.map(|view| Box::new(ReadOnlyIndex(view)) as Box<dyn IndexView>))
        }
        SearchKind::Elasticsearch => {
            let index = ElasticsearchIndex::read_only(&settings.search, Wall::system())
                .context("cannot open the search index")?;
            let exists = index.exists().await.context("cannot reach the search index")?;
            let index: Arc<dyn SearchIndex> = Arc::new(index);
            Ok(exists.then(|| Box::new(index) as Box<dyn IndexView>))
        }
    }
}

/// The embedded index as the auditor reads it.
struct ReadOnlyIndex(EmbeddedView);

#[async_trait]
impl IndexView for ReadOnlyIndex {
    async fn scan(&self, after: Option<DocKey>, limit: usize) -> Result<Vec<ScannedDocument>, String> {
        self.0.scan(after, limit).await.map_err(|error| error.to_string())
    }

    async fn values(&self, keys: &[DocKey]) -> Result<BTreeMap<DocKey, BTreeSet<Value>>, String> {
        self.0.values(keys).await.map_err(|error| error.to_string())
    }

    async fn refresh(&self) -> Result<(), String> {
        self.0.refresh().await.map_err(|error| error.to_string())
    }
}
