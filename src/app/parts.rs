//! Opens the parts that the settings choose. Each switch is matched here and nowhere else.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use async_trait::async_trait;

use crate::audit::index::IndexView;
use crate::broker::Broker;
use crate::broker::embedded::EmbeddedBroker;
use crate::broker::rabbitmq::RabbitMqBroker;
use crate::broker::settings::BrokerKind;
use crate::config::Settings;
use crate::domain::ids::InstanceId;
use crate::search::elasticsearch::ElasticsearchIndex;
use crate::search::embedded::{self, EmbeddedIndex, EmbeddedView};
use crate::search::{DocKey, ScannedDocument, SearchIndex, SearchKind, SearchSettings};
use crate::store::mysql::MySqlStore;
use crate::store::sqlite::SqliteStore;
use crate::store::{Store, StoreKind};

/// How often it is looked whether the server has built its index.
const REBUILD_POLL: Duration = Duration::from_millis(200);

/// Held while this process owns the data directory; the system lets go of it however the process ends.
#[derive(Debug)]
pub struct DirectoryLock {
    _file: File,
}

/// Whether any part keeps its state in this process or its data directory.
#[must_use]
pub fn any_embedded(settings: &Settings) -> bool {
    settings.store.kind == StoreKind::Embedded
        || settings.broker.kind == BrokerKind::Embedded
        || settings.search.kind == SearchKind::Embedded
}

/// Creates the data directory and makes this process its only owner.
///
/// # Errors
/// If another process owns it, or it cannot be written.
pub fn lock_directory(dir: &Path) -> anyhow::Result<DirectoryLock> {
    std::fs::create_dir_all(dir)
        .with_context(|| format!("cannot create the data directory {}", dir.display()))?;
    let path = dir.join("paystorm.lock");
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    match file.try_lock() {
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
/// If it cannot be opened or migrated.
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
    for migration in store.migrate().await.context("cannot migrate the store")? {
        tracing::info!(migration, "the store was migrated");
    }
    let durability = store.durability().await.context("cannot read the store's durability settings")?;
    tracing::debug!(settings = ?durability.settings, "the store's durability settings");
    if let Some(warning) = durability.warning {
        tracing::warn!("{warning}");
    }
    Ok(store)
}

/// Opens the broker.
///
/// # Errors
/// If its settings cannot work. A broker that is away is no error: the pipeline waits for it.
pub fn broker(settings: &Settings, instance: InstanceId) -> anyhow::Result<Arc<dyn Broker>> {
    Ok(match settings.broker.kind {
        BrokerKind::Embedded => {
            Arc::new(EmbeddedBroker::new(&settings.broker).context("cannot open the broker")?)
        }
        BrokerKind::RabbitMq => {
            let broker = RabbitMqBroker::start(settings.broker.clone(), instance);
            Arc::new(broker.context("cannot open the broker")?)
        }
    })
}

/// Opens the search index, for reading and writing.
///
/// # Errors
/// If the embedded index cannot be opened. An Elasticsearch that is away is no error.
pub async fn search(settings: &Settings) -> anyhow::Result<Arc<dyn SearchIndex>> {
    Ok(match settings.search.kind {
        SearchKind::Embedded => {
            let settings = in_data_dir(settings);
            Arc::new(EmbeddedIndex::open(&settings).await.context("cannot open the search index")?)
        }
        SearchKind::Elasticsearch => {
            let index = ElasticsearchIndex::new(&settings.search).context("cannot open the search index")?;
            if let Err(error) = index.connect().await {
                tracing::debug!(error = %error, "Elasticsearch is away; payments go on, search waits");
            }
            Arc::new(index)
        }
    })
}

/// Asks the server that runs on the data directory to build its embedded index anew, and waits until it has.
///
/// # Errors
/// If the directory cannot be written, or the server stopped meanwhile; it builds the index when it starts again.
pub async fn rebuild_by_server(settings: &Settings) -> anyhow::Result<()> {
    let path = in_data_dir(settings).path;
    embedded::request_rebuild(&path).with_context(|| format!("cannot write in {}", path.display()))?;
    while embedded::rebuild_requested(&path) {
        tokio::time::sleep(REBUILD_POLL).await;
        if lock_directory(&settings.data_dir).is_ok() && embedded::rebuild_requested(&path) {
            bail!("the server has stopped; it builds the index anew when it starts");
        }
    }
    Ok(())
}

/// The settings of the embedded index with its path inside the data directory.
fn in_data_dir(settings: &Settings) -> SearchSettings {
    let path = settings.data_dir.join(&settings.search.path);
    SearchSettings { path, ..settings.search.clone() }
}

/// Opens the search index for the auditor, which must not disturb a running server.
///
/// # Errors
/// If it cannot be opened.
pub async fn index_view(settings: &Settings) -> anyhow::Result<Box<dyn IndexView>> {
    match settings.search.kind {
        SearchKind::Embedded => {
            let view = EmbeddedView::open(&in_data_dir(settings).path).await;
            Ok(Box::new(ReadOnlyIndex(view.context("cannot open the search index")?)))
        }
        SearchKind::Elasticsearch => Ok(Box::new(search(settings).await?)),
    }
}

/// The embedded index as the auditor reads it; empty where there is none yet.
struct ReadOnlyIndex(Option<EmbeddedView>);

#[async_trait]
impl IndexView for ReadOnlyIndex {
    async fn scan(&mut self, after: Option<DocKey>, limit: usize) -> Result<Vec<ScannedDocument>, String> {
        match &self.0 {
            Some(view) => view.scan(after, limit).await.map_err(|error| error.to_string()),
            None => Ok(Vec::new()),
        }
    }

    async fn refresh(&mut self) -> Result<(), String> {
        match &self.0 {
            Some(view) => view.refresh().await.map_err(|error| error.to_string()),
            None => Ok(()),
        }
    }
}
