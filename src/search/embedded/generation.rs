//! Generations on disk: one directory each, named after the schema's version, and a file that says which one serves.
//! Blocking; called off the runtime.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tantivy::index::SegmentComponent;
use tantivy::{Index, IndexReader, IndexSettings, ReloadPolicy, TantivyError};
use tokio::sync::mpsc;

use crate::clock::Wall;
use crate::search::{SCHEMA_VERSION, SearchError};

use super::files::Files;
use super::schema::{Fields, schema};
use super::writer::{Call, Payload, internal, spawn};

const CURRENT: &str = "CURRENT";
const ASIDE: &str = "damaged-";
/// How often files are looked at before they count as damaged.
const LOOKS: usize = 3;
/// Lies in the index's directory while someone waits for a rebuild.
const REBUILD: &str = "REBUILD";

/// An open generation: its reader and the channel to its writer.
pub(super) struct Live {
    pub directory: PathBuf,
    pub fields: Fields,
    pub reader: IndexReader,
    pub index: Index,
    pub files: Files,
    /// Emptied on closing, which ends the thread.
    calls: parking_lot::Mutex<Option<mpsc::Sender<Call>>>,
    thread: parking_lot::Mutex<Option<std::thread::JoinHandle<()>>>,
}

impl Live {
    /// Whether the writer has ended though nobody closed it.
    pub(super) fn writer_is_gone(&self) -> bool {
        self.thread.lock().as_ref().is_some_and(std::thread::JoinHandle::is_finished)
    }

    /// The channel to the writer, unless it was closed.
    pub(super) fn calls(&self) -> Result<mpsc::Sender<Call>, SearchError> {
        self.calls.lock().clone().ok_or(SearchError::Closed)
    }

    /// Ends the writer and waits for it.
    pub(super) fn close(&self) {
        drop(self.calls.lock().take());
        let thread = self.thread.lock().take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the search writer panicked");
        }
    }

    /// Closes it and removes its files. Searches that still run keep theirs open.
    pub(super) fn remove(&self) {
        self.close();
        match fs::remove_dir_all(&self.directory) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(error = %error, "an old search index was not removed");
            }
            Ok(()) | Err(_) => {}
        }
    }

    /// The name of its directory.
    fn name(&self) -> &str {
        self.directory.file_name().and_then(|name| name.to_str()).unwrap_or_default()
    }

    fn open(directory: PathBuf, memory_bytes: usize) -> tantivy::Result<Self> {
        let (schema, fields) = schema();
        let files = Files::open(&directory)?;
        let index = Index::open(files.clone())?;
        if index.schema() != schema {
            return Err(TantivyError::SchemaError("of another version".to_owned()));
        }
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        let (calls, thread) = spawn(&index, reader.clone(), fields, memory_bytes)?;
        let (calls, thread) = (Some(calls).into(), Some(thread).into());
        Ok(Self { directory, fields, reader, index, files, calls, thread })
    }
}

/// Opens the generation that serves. One that is damaged or of another shape is moved aside, and an empty one takes its
/// place. The flag says whether it has yet to be filled from the store.
pub(super) fn open_current(
    root: &Path,
    memory_bytes: usize,
    wall: &Wall,
) -> Result<(Live, bool), SearchError> {
    let io = |error: io::Error| SearchError::Unavailable(format!("{}: {error}", root.display()));
    fs::create_dir_all(root).map_err(io)?;
    let current = fs::read_to_string(root.join(CURRENT)).ok().map(|name| name.trim().to_owned());
    let ours = format!("v{SCHEMA_VERSION}-");
    let plain = |name: &String| !name.is_empty() && !name.contains(['/', '\\', '.']);
    if let Some(name) = current.filter(plain) {
        remove_others(root, &name).map_err(io)?;
        let opened = if name.starts_with(&ours) {
            Live::open(root.join(&name), memory_bytes)
        } else {
            Err(TantivyError::SchemaError("of another version".to_owned()))
        };
        match opened {
            Ok(live) => {
                let complete = Payload::read(&live.index).map_err(internal)?.complete;
                return Ok((live, !complete));
            }
            // Someone else's index is neither damaged nor ours to move.
            Err(error @ TantivyError::LockFailure(..)) => {
                return Err(SearchError::Unavailable(error.to_string()));
            }
            Err(error) => {
                tracing::warn!(error = %error, "an unusable search index was moved aside");
                move_aside(root, &name).map_err(io)?;
            }
        }
    }
    let live = create(root, memory_bytes, wall)?;
    make_current(root, &live.directory).map_err(io)?;
    Ok((live, true))
}

/// The generation that serves, without a writer; `None` if there is none yet.
pub(super) fn open_for_reading(root: &Path) -> Result<Option<(IndexReader, Fields)>, SearchError> {
    let Ok(name) = fs::read_to_string(root.join(CURRENT)) else {
        return Ok(None);
    };
    let (expected, fields) = schema();
    let files = Files::open(&root.join(name.trim())).map_err(|error| internal(error.into()))?;
    let index = Index::open(files).map_err(internal)?;
    if index.schema() != expected {
        return Err(SearchError::Internal("the index is of another version".to_owned()));
    }
    let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into().map_err(internal)?;
    Ok(Some((reader, fields)))
}

/// An empty generation to be filled while `live` serves. Those that were begun and given up go.
pub(super) fn create_beside(
    root: &Path,
    live: &Live,
    memory_bytes: usize,
    wall: &Wall,
) -> Result<Live, SearchError> {
    let io = |error: io::Error| SearchError::Unavailable(format!("{}: {error}", root.display()));
    fs::create_dir_all(root).map_err(io)?;
    remove_others(root, live.name()).map_err(io)?;
    create(root, memory_bytes, wall)
}

/// What is wrong with the files of the generation that serves; `None` while they are intact.
pub(super) fn damage(root: &Path, live: &Live) -> Option<String> {
    // A merge may replace files between the list of them and a look at each. It does not do so every time.
    let mut found = None;
    for _ in 0..LOOKS {
        found = look(root, live);
        found.as_ref()?;
    }
    found
}

fn look(root: &Path, live: &Live) -> Option<String> {
    if live.writer_is_gone() {
        return Some("the thread that writes it has ended".to_owned());
    }
    match fs::read_to_string(root.join(CURRENT)) {
        Ok(name) if name.trim() == live.name() => {}
        Ok(_) => return Some("another generation stands in its place".to_owned()),
        Err(error) => return Some(format!("{}: {error}", root.join(CURRENT).display())),
    }
    let segments = match live.index.searchable_segment_metas() {
        Ok(segments) => segments,
        Err(error) => return Some(error.to_string()),
    };
    let parts = || [SegmentComponent::Terms, SegmentComponent::Postings, SegmentComponent::FastFields];
    let files = segments.iter().flat_map(|segment| parts().map(|part| segment.relative_path(part)));
    for file in files {
        let path = live.directory.join(&file);
        match fs::metadata(&path) {
            Ok(found) if live.files.bytes_of(&file).is_none_or(|bytes| bytes as u64 == found.len()) => {}
            Ok(_) => return Some(format!("{} was cut short", path.display())),
            Err(error) => return Some(format!("{}: {error}", path.display())),
        }
    }
    None
}

/// Whether any file of it does not hold what was written. Reads all of them.
pub(super) fn is_corrupt(live: &Live) -> bool {
    live.index.validate_checksum().is_ok_and(|damaged| !damaged.is_empty())
}

/// An empty generation that does not serve yet.
fn create(root: &Path, memory_bytes: usize, wall: &Wall) -> Result<Live, SearchError> {
    let directory = root.join(format!("v{SCHEMA_VERSION}-{}", wall.now().micros()));
    fs::create_dir_all(&directory).map_err(|error| SearchError::Unavailable(error.to_string()))?;
    let files = Files::open(&directory).map_err(|error| internal(error.into()))?;
    Index::create(files, schema().0, IndexSettings::default()).map_err(internal)?;
    Live::open(directory, memory_bytes).map_err(internal)
}

/// Names the generation that serves. Atomic: a crash leaves the old name or the new one.
pub(super) fn make_current(root: &Path, directory: &Path) -> io::Result<()> {
    let name = directory.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let next = root.join("CURRENT.next");
    let mut file = fs::File::create(&next)?;
    file.write_all(name.as_bytes())?;
    file.sync_all()?;
    fs::rename(&next, root.join(CURRENT))?;
    fs::File::open(root)?.sync_all()
}

/// Asks the process that holds the index to rebuild it.
pub(super) fn request_rebuild(root: &Path) -> io::Result<()> {
    // The directory may be the very thing that is missing.
    fs::create_dir_all(root)?;
    fs::write(root.join(REBUILD), [])
}

/// Whether someone has asked and still waits.
pub(super) fn rebuild_requested(root: &Path) -> bool {
    root.join(REBUILD).exists()
}

/// Notes that it has been rebuilt.
pub(super) fn rebuild_answered(root: &Path) -> io::Result<()> {
    match fs::remove_file(root.join(REBUILD)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Removes generations that never came to serve or no longer do. What was moved aside stays.
fn remove_others(root: &Path, current: &str) -> io::Result<()> {
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        let name = entry.file_name();
        let generation = name.to_str().is_some_and(|name| name.starts_with('v') && name != current);
        if generation && entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// Keeps a damaged generation for anyone who wants to know why; only the last one, so that the disk does not fill up.
fn move_aside(root: &Path, name: &str) -> io::Result<()> {
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(|name| name.starts_with(ASIDE)) {
            fs::remove_dir_all(entry.path())?;
        }
    }
    let from = root.join(name);
    if from.exists() { fs::rename(from, root.join(format!("{ASIDE}{name}"))) } else { Ok(()) }
}
