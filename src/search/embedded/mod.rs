//! The embedded index: tantivy in a directory of this process.
//!
//! One thread writes (`writer`); searches run on the blocking pool, a few at a time. A commit is durable, searchable
//! and carries the reader's position, so what was applied but not committed when the process ends is read again. An index
//! that cannot be opened is moved aside and [`SearchIndex::needs_rebuild`] says so; so does one whose files are found missing or
//! damaged while it serves. Files are read, not mapped (`files`). Used by one process only.

mod care;
mod compile;
mod contains;
mod contents;
mod files;
mod generation;
mod read;
mod schema;
mod top;
mod view;
mod writer;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use std::time::Instant;

use async_trait::async_trait;
use tantivy::Searcher;
use tokio::sync::{Semaphore, oneshot, watch};

use crate::clock::Wall;
use crate::domain::ids::PaymentId;

use super::contents::Value;
use super::document::{DocKey, PaymentDocument};
use super::health::{Board, Deed};
use super::request::{SearchPage, SearchRequest};
use super::settings::SearchSettings;
use super::{
    Applied, Filling, Generation, Mirrored, ScannedDocument, SearchError, SearchHealth, SearchIndex,
};

use generation::{Live, create_beside, make_current, open_current, rebuild_answered};
use writer::{Call, Payload, internal};

/// How many searches run at once; more wait. They would only take the processor from each other.
const SEARCHES_MAX: usize = 4;

pub use view::EmbeddedView;

/// tantivy as [`SearchIndex`].
pub struct EmbeddedIndex {
    inner: Arc<Inner>,
}

struct Inner {
    root: PathBuf,
    memory_bytes: usize,
    /// The generation that serves; replaced when a new one has finished.
    live: parking_lot::RwLock<Arc<Live>>,
    needs_rebuild: AtomicBool,
    building: AtomicBool,
    searches: Arc<Semaphore>,
    health: Board,
    filling: watch::Sender<Option<Filling>>,
    /// Kept with the next commit.
    mirrored: parking_lot::Mutex<Option<Mirrored>>,
    /// Sums of its documents, as read back.
    sums: contents::Sums,
    /// When all files were last verified.
    verified_at: parking_lot::Mutex<Option<Instant>>,
    wall: Wall,
}

impl EmbeddedIndex {
    /// Opens or creates the index in `settings.path`.
    ///
    /// # Errors
    /// [`SearchError::Unavailable`] if another process holds it or the directory cannot be written.
    pub async fn open(settings: &SearchSettings, wall: Wall) -> Result<Self, SearchError> {
        let root = settings.path.clone();
        let memory_bytes = usize::try_from(settings.memory_mb).unwrap_or(64) << 20;
        let inner = blocking(move || {
            let (live, empty) = open_current(&root, memory_bytes, &wall)?;
            let payload = Payload::read(&live.index).map_err(internal)?;
            Ok(Inner {
                root,
                memory_bytes,
                live: parking_lot::RwLock::new(Arc::new(live)),
                needs_rebuild: AtomicBool::new(empty),
                building: AtomicBool::new(false),
                searches: Arc::new(Semaphore::new(SEARCHES_MAX)),
                health: Board::new(wall.clone()),
                wall,
                filling: watch::Sender::new(empty.then(Filling::default)),
                mirrored: payload.mirrored.into(),
                sums: contents::Sums::default(),
                verified_at: None.into(),
            })
        });
        Ok(Self { inner: Arc::new(inner.await?) })
    }
}

/// Asks the process that holds the index in this directory to rebuild it while it serves; see [`rebuild_requested`].
///
/// # Errors
/// If the directory cannot be written.
pub fn request_rebuild(path: &Path) -> std::io::Result<()> {
    generation::request_rebuild(path)
}

/// Whether [`request_rebuild`] has yet to be answered.
#[must_use]
pub fn rebuild_requested(path: &Path) -> bool {
    generation::rebuild_requested(path)
}

/// Runs `work` off the runtime. A panic in it is a damaged index or a defect, and becomes an error.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SearchError> + Send + 'static,
) -> Result<T, SearchError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(SearchError::Internal(error.to_string())),
    }
}

/// Asks a writer and waits for its answer.
async fn ask<T>(
    live: &Live,
    call: impl FnOnce(oneshot::Sender<Result<T, SearchError>>) -> Call,
) -> Result<T, SearchError> {
    let (answer, answered) = oneshot::channel();
    // The receiver, and the sender of an answer, are dropped only if the thread panicked.
    let stopped = || SearchError::Internal("the writer stopped".to_owned());
    live.calls()?.send(call(answer)).await.map_err(|_| stopped())?;
    answered.await.map_err(|_| stopped())?
}

impl Inner {
    fn live(&self) -> Arc<Live> {
        Arc::clone(&self.live.read())
    }

    /// A read of the generation that serves, off the runtime, a few at a time.
    async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Live, &Searcher) -> Result<T, SearchError> + Send + 'static,
    ) -> Result<T, SearchError> {
        self.look(Deed::Read, work).await
    }

    async fn look<T: Send + 'static>(
        self: &Arc<Self>,
        deed: Deed,
        work: impl FnOnce(&Live, &Searcher) -> Result<T, SearchError> + Send + 'static,
    ) -> Result<T, SearchError> {
        let permit = Arc::clone(&self.searches).acquire_owned().await.map_err(|_| SearchError::Closed)?;
        let live = self.live();
        let reading = Arc::clone(&live);
        // The permit moves along: a search whose caller has gone away counts until it has ended.
        let search = move || {
            let _permit = permit;
            work(&reading, &reading.reader.searcher())
        };
        let result = blocking(search).await;
        self.note(deed, &live, result).await
    }

    /// Commits what was applied.
    async fn commit(self: &Arc<Self>, position: Option<u64>) -> Result<(), SearchError> {
        let live = self.live();
        let mirrored = *self.mirrored.lock();
        let result = ask(&live, |answer| Call::Commit(position, mirrored, answer)).await;
        self.note(Deed::Write, &live, result).await
    }
}

#[async_trait]
impl SearchIndex for EmbeddedIndex {
    async fn apply(&self, documents: &[PaymentDocument]) -> Result<Applied, SearchError> {
        let live = self.inner.live();
        let result = ask(&live, |answer| Call::Apply(documents.to_vec(), answer)).await;
        match result {
            // In memory, so far: only a commit shows whether it can be written.
            Ok(applied) => Ok(applied),
            Err(_) => self.inner.note(Deed::Write, &live, result).await,
        }
    }

    async fn commit(&self, position: u64) -> Result<(), SearchError> {
        self.inner.commit(Some(position)).await
    }

    async fn committed_position(&self) -> Result<Option<u64>, SearchError> {
        let read = |live: &Live, _: &Searcher| Payload::read(&live.index).map_err(internal);
        Ok(Some(self.inner.read(read).await?.position))
    }

    async fn mirrored(&self) -> Result<Option<Mirrored>, SearchError> {
        let read = |live: &Live, _: &Searcher| Payload::read(&live.index).map_err(internal);
        Ok(self.inner.read(read).await?.mirrored)
    }

    fn note_mirrored(&self, mirrored: Mirrored) {
        *self.inner.mirrored.lock() = Some(mirrored);
    }

    async fn newest(&self, limit: usize) -> Result<Vec<(PaymentId, u64)>, SearchError> {
        self.inner.read(move |_, searcher| read::newest(searcher, limit).map_err(internal)).await
    }

    async fn refresh(&self) -> Result<(), SearchError> {
        self.inner.commit(None).await
    }

    async fn search(&self, request: &SearchRequest) -> Result<SearchPage, SearchError> {
        request.validate()?;
        let request = request.clone();
        self.inner.look(Deed::Search, move |live, searcher| read::search(live, searcher, &request)).await
    }

    async fn count(&self) -> Result<u64, SearchError> {
        // A caller that asks for no more than this wants to know the state of the index.
        self.inner.check_files(&self.inner.live(), false).await;
        self.inner.read(|_, searcher| Ok(searcher.num_docs())).await
    }

    async fn scan(&self, after: Option<DocKey>, limit: usize) -> Result<Vec<ScannedDocument>, SearchError> {
        let inner = Arc::clone(&self.inner);
        let scan = move |live: &Live, searcher: &Searcher| {
            contents::scan(&live.fields, searcher, &inner.sums, after, limit).map_err(internal)
        };
        self.inner.read(scan).await
    }

    async fn values(&self, keys: &[DocKey]) -> Result<BTreeMap<DocKey, BTreeSet<Value>>, SearchError> {
        let keys = keys.to_vec();
        self.inner
            .read(move |live, searcher| contents::values(&live.fields, searcher, &keys).map_err(internal))
            .await
    }

    async fn begin_generation(&self) -> Result<Box<dyn Generation>, SearchError> {
        if self.inner.building.swap(true, Ordering::AcqRel) {
            return Err(SearchError::Busy);
        }
        let inner = Arc::clone(&self.inner);
        let live =
            blocking(move || create_beside(&inner.root, &inner.live(), inner.memory_bytes, &inner.wall))
                .await;
        if live.is_err() {
            self.inner.building.store(false, Ordering::Release);
        }
        Ok(Box::new(EmbeddedGeneration { live: Some(Arc::new(live?)), inner: Arc::clone(&self.inner) }))
    }

    fn needs_rebuild(&self) -> bool {
        self.inner.needs_rebuild.load(Ordering::Acquire) || generation::rebuild_requested(&self.inner.root)
    }

    fn filling(&self) -> watch::Receiver<Option<Filling>> {
        self.inner.filling.subscribe()
    }

    fn note_filling(&self, filling: Filling) {
        self.inner.filling.send_replace(Some(filling));
    }

    fn health(&self) -> watch::Receiver<SearchHealth> {
        self.inner.health.subscribe()
    }

    async fn close(&self) {
        self.inner.searches.close();
        let live = self.inner.live();
        let closed = blocking(move || {
            live.close();
            Ok(())
        });
        if let Err(error) = closed.await {
            tracing::error!(error = %error, "the search index could not be closed");
        }
    }
}

/// A generation in a directory of its own.
struct EmbeddedGeneration {
    /// Taken when it is finished or abandoned.
    live: Option<Arc<Live>>,
    inner: Arc<Inner>,
}

impl EmbeddedGeneration {
    fn live(&self) -> Result<&Arc<Live>, SearchError> {
        self.live.as_ref().ok_or(SearchError::Closed)
    }

    /// Passes a result on and remembers whether the disk takes what is written.
    fn note_write<T>(&self, result: Result<T, SearchError>) -> Result<T, SearchError> {
        self.inner.health.note(Deed::Write, result.as_ref().err().map(ToString::to_string));
        result
    }
}

#[async_trait]
impl Generation for EmbeddedGeneration {
    async fn apply(&self, documents: &[PaymentDocument]) -> Result<Applied, SearchError> {
        match ask(self.live()?, |answer| Call::Apply(documents.to_vec(), answer)).await {
            // In memory, so far.
            Ok(applied) => Ok(applied),
            failed => self.note_write(failed),
        }
    }

    async fn finish(mut self: Box<Self>, position: u64) -> Result<(), SearchError> {
        let live = Arc::clone(self.live()?);
        let mirrored = *self.inner.mirrored.lock();
        self.note_write(ask(&live, |answer| Call::Complete(position, mirrored, answer)).await)?;
        let inner = Arc::clone(&self.inner);
        let served = blocking(move || {
            let io = |error: std::io::Error| SearchError::Unavailable(error.to_string());
            make_current(&inner.root, &live.directory).map_err(io)?;
            let old = std::mem::replace(&mut *inner.live.write(), live);
            old.remove();
            rebuild_answered(&inner.root).map_err(io)
        });
        self.note_write(served.await)?;
        self.live = None;
        self.inner.needs_rebuild.store(false, Ordering::Release);
        self.inner.filling.send_replace(None);
        for deed in [Deed::Files, Deed::Read, Deed::Search] {
            self.inner.health.note(deed, None);
        }
        Ok(())
    }

    async fn abandon(mut self: Box<Self>) {
        let Some(live) = self.live.take() else { return };
        let removed = blocking(move || {
            live.remove();
            Ok(())
        });
        if let Err(error) = removed.await {
            tracing::error!(error = %error, "an abandoned search index could not be removed");
        }
    }
}

impl Drop for EmbeddedGeneration {
    fn drop(&mut self) {
        self.inner.building.store(false, Ordering::Release);
        // Its directory is removed when the index is next opened; joining the thread here could block the runtime.
    }
}
