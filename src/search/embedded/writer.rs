//! The one thread that writes a generation, and those that it has tantivy start; they give way to all others. Documents come in
//! through a bounded channel and are merged by version with what is indexed; a commit makes them durable and searchable together
//! with the reader's position.

use tantivy::columnar::Column;
use tantivy::indexer::{IndexWriterOptions, LogMergePolicy};
use tantivy::schema::IndexRecordOption;
use tantivy::{DocSet, Index, IndexReader, IndexWriter, Searcher, TERMINATED, TantivyError};
use tokio::sync::{mpsc, oneshot};

use crate::domain::ids::IdMap;
use crate::search::document::{DocKey, PaymentDocument};
use crate::search::{Applied, Mirrored, SearchError};

use super::schema::{Fields, ID_HIGH, VERSION, split_id};

/// How many calls may wait for the thread.
const CALLS_MAX: usize = 16;
/// How many changes may be uncommitted before the thread commits by itself, the position unmoved.
const UNCOMMITTED_MAX: usize = 100_000;
/// How far the thread gives way, as `nice` counts: it works in bursts, and requests should not wait for those.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;
/// Segments of about one size that are merged at once. More of them cost a search a little and spare much merging.
const MERGE_SEGMENTS_MIN: usize = 16;

/// What is kept with a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Payload {
    /// How far the journal was read.
    pub position: u64,
    /// Whether the index was once filled from the store; one that was not lacks what the journal no longer holds.
    pub complete: bool,
    /// Which past it mirrors.
    #[serde(default)]
    pub mirrored: Option<Mirrored>,
}

impl Payload {
    /// What the last commit of `index` kept.
    pub(super) fn read(index: &Index) -> tantivy::Result<Self> {
        let payload = index.load_metas()?.payload;
        Ok(payload.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
    }
}

/// A call to the thread.
pub(super) enum Call {
    Apply(Vec<PaymentDocument>, oneshot::Sender<Result<Applied, SearchError>>),
    /// `None` leaves that part of the payload as it is.
    Commit(Option<u64>, Option<Mirrored>, oneshot::Sender<Result<(), SearchError>>),
    /// Commits and marks the index as filled from the store.
    Complete(u64, Option<Mirrored>, oneshot::Sender<Result<(), SearchError>>),
}

/// Starts the thread. It ends when the sender is dropped; what is not committed then is gone.
pub(super) fn spawn(
    index: &Index,
    reader: IndexReader,
    fields: Fields,
    memory_bytes: usize,
) -> tantivy::Result<(mpsc::Sender<Call>, std::thread::JoinHandle<()>)> {
    let (sender, receiver) = mpsc::channel(CALLS_MAX);
    let (opened, outcome) = std::sync::mpsc::sync_channel(1);
    let index = index.clone();
    let run = move || {
        give_way();
        match Writer::open(&index, reader, fields, memory_bytes) {
            Ok(writer) => {
                drop(opened.send(Ok(())));
                writer.run(receiver);
            }
            Err(error) => drop(opened.send(Err(error))),
        }
    };
    let handle = std::thread::Builder::new().name("search-writer".to_owned()).spawn(run)?;
    match outcome.recv() {
        Ok(opened) => opened.map(|()| (sender, handle)),
        Err(_) => Err(TantivyError::ErrorInThread("the writer ended before it began".to_owned())),
    }
}

/// Lowers the priority of this thread and of the threads that it starts. Only on Linux: elsewhere priorities belong to whole
/// processes.
fn give_way() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::debug!(error = %error, "the priority of the search writer was not lowered");
    }
}

/// Removes files of a commit or a merge that was cut off by a crash or a full disk. Files of deletions are named after a count that
/// goes on from the last commit: the same change would get the name of an existing file, and be refused for as long as nothing else
/// is changed before it.
fn remove_leftovers(writer: &IndexWriter) {
    if let Err(error) = writer.garbage_collect_files().wait() {
        // The next commit reports why nothing can be written.
        tracing::debug!(error = %error, "leftover files of the search index were not removed");
    }
}

struct Writer {
    writer: IndexWriter,
    reader: IndexReader,
    searchable: Searchable,
    fields: Fields,
    payload: Payload,
    uncommitted: IdMap<DocKey, u64>,
}

impl Writer {
    fn open(
        index: &Index,
        reader: IndexReader,
        fields: Fields,
        memory_bytes: usize,
    ) -> tantivy::Result<Self> {
        let options = IndexWriterOptions::builder()
            .num_worker_threads(1)
            .num_merge_threads(1)
            .memory_budget_per_thread(memory_bytes)
            .build();
        let writer: IndexWriter = index.writer_with_options(options)?;
        remove_leftovers(&writer);
        let mut merging = LogMergePolicy::default();
        merging.set_min_num_segments(MERGE_SEGMENTS_MIN);
        writer.set_merge_policy(Box::new(merging));
        let payload = Payload::read(index)?;
        let searchable = Searchable::now(&reader)?;
        Ok(Self { writer, reader, searchable, fields, payload, uncommitted: IdMap::default() })
    }

    fn run(mut self, mut calls: mpsc::Receiver<Call>) {
        while let Some(call) = calls.blocking_recv() {
            // A caller that no longer waits needs no answer.
            match call {
                Call::Apply(documents, answer) => {
                    let applied = self.apply(&documents).inspect_err(|_| self.roll_back());
                    drop(answer.send(applied.map_err(internal)));
                }
                Call::Commit(position, mirrored, answer) => {
                    let payload = Payload {
                        position: position.unwrap_or(self.payload.position),
                        mirrored: mirrored.or(self.payload.mirrored),
                        ..self.payload
                    };
                    drop(answer.send(self.commit(payload).map_err(internal)));
                }
                Call::Complete(position, mirrored, answer) => {
                    let payload = Payload { position, complete: true, mirrored };
                    drop(answer.send(self.commit(payload).map_err(internal)));
                }
            }
        }
        if let Err(error) = self.writer.wait_merging_threads() {
            tracing::warn!(error = %error, "the search writer stopped with an error");
        }
    }

    fn apply(&mut self, documents: &[PaymentDocument]) -> tantivy::Result<Applied> {
        let mut applied = Applied::default();
        for document in documents {
            let known = match self.uncommitted.get(&document.key) {
                Some(version) => Some(*version),
                None => self.searchable.version(&self.fields, document.key)?,
            };
            if known.is_some_and(|known| known >= document.version) {
                applied.stale += 1;
                continue;
            }
            if known.is_some() {
                self.writer.delete_term(self.fields.key_term(document.key));
            }
            self.writer.add_document(self.fields.document(document))?;
            self.uncommitted.insert(document.key, document.version);
            applied.changed += 1;
        }
        if self.uncommitted.len() >= UNCOMMITTED_MAX {
            self.commit(self.payload)?;
        }
        Ok(applied)
    }

    fn commit(&mut self, payload: Payload) -> tantivy::Result<()> {
        if self.uncommitted.is_empty() && payload == self.payload {
            return Ok(());
        }
        self.write(payload).inspect_err(|_| self.roll_back())?;
        self.payload = payload;
        self.reader.reload()?;
        self.searchable = Searchable::now(&self.reader)?;
        self.uncommitted.clear();
        Ok(())
    }

    /// After a failure tantivy's own threads may be gone: forgets what was applied since the last commit and starts them
    /// again. The caller reads on from the committed position.
    fn roll_back(&mut self) {
        self.uncommitted.clear();
        if let Err(error) = self.writer.rollback() {
            tracing::error!(error = %error, "the search index could not be rolled back");
        }
        remove_leftovers(&self.writer);
    }

    fn write(&mut self, payload: Payload) -> tantivy::Result<()> {
        let text =
            serde_json::to_string(&payload).map_err(|error| std::io::Error::other(error.to_string()))?;
        let mut prepared = self.writer.prepare_commit()?;
        prepared.set_payload(&text);
        prepared.commit()?;
        Ok(())
    }
}

/// What was committed last, with the span of ids of each of its segments. Ids are ordered by time, so the spans rule out
/// almost every segment for a payment that is new or recent.
struct Searchable {
    searcher: Searcher,
    segments: Vec<Span>,
}

/// The ids of a segment, and its versions, opened once: that reads the whole column.
struct Span {
    first: u64,
    last: u64,
    versions: Column<u64>,
}

impl Searchable {
    fn now(reader: &IndexReader) -> tantivy::Result<Self> {
        let searcher = reader.searcher();
        let span = |segment: &tantivy::SegmentReader| {
            let ids = segment.fast_fields().u64(ID_HIGH)?;
            let versions = segment.fast_fields().u64(VERSION)?;
            Ok(Span { first: ids.min_value(), last: ids.max_value(), versions })
        };
        let segments = searcher.segment_readers().iter().map(span).collect::<tantivy::Result<_>>()?;
        Ok(Self { searcher, segments })
    }

    /// The version under which a key is searchable.
    fn version(&self, fields: &Fields, key: DocKey) -> tantivy::Result<Option<u64>> {
        let (high, _) = split_id(u128::from_be_bytes(*key.payment.as_bytes()));
        let segments = self.searcher.segment_readers().iter().zip(&self.segments);
        for (segment, span) in segments.filter(|(_, span)| (span.first..=span.last).contains(&high)) {
            let index = segment.inverted_index(fields.key)?;
            let Some(mut postings) = index.read_postings(&fields.key_term(key), IndexRecordOption::Basic)?
            else {
                continue;
            };
            while postings.doc() != TERMINATED {
                if !segment.is_deleted(postings.doc()) {
                    return Ok(span.versions.first(postings.doc()));
                }
                postings.advance();
            }
        }
        Ok(None)
    }
}

/// A defect or a damaged disk; the details are for the log.
pub(super) fn internal(error: tantivy::TantivyError) -> SearchError {
    SearchError::Internal(error.to_string())
}
