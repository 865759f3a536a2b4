//! Reads a generation's files with `read`, never through a mapping.
//!
//! Reading a mapped file that was cut short ends the process with SIGBUS, without a message. A `read` that finds too little is an
//! error like any other, and the index is rebuilt. What tantivy asks for repeatedly (dictionaries, columns) is kept in memory up
//! to a bound, so that it costs a look-up as with a mapping; the rest comes from the system's cache.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use lru::LruCache;
use parking_lot::Mutex;
use tantivy::HasLen;
use tantivy::directory::error::{DeleteError, LockError, OpenDirectoryError, OpenReadError, OpenWriteError};
use tantivy::directory::{
    Directory, DirectoryLock, FileHandle, Lock, META_LOCK, MmapDirectory, OwnedBytes, WatchCallback,
    WatchHandle, WritePtr,
};

/// How much of one generation's files is kept in memory.
const KEPT_BYTES_MAX: usize = 128 << 20;
/// A piece that would push out too much else is not kept.
const PIECE_BYTES_MAX: usize = KEPT_BYTES_MAX / 4;
/// A smaller piece is read again faster than it is looked up.
const PIECE_BYTES_MIN: usize = 4 << 10;
/// A file up to this size is read at once, and takes no descriptor afterwards: most files of an index are small.
const SMALL_BYTES_MAX: u64 = 32 << 10;
/// More pieces than this are never kept, whatever their size.
const PIECES_MAX: NonZeroUsize = NonZeroUsize::new(32_768).unwrap();

/// A directory that writes as [`MmapDirectory`] does, and reads without mapping.
#[derive(Clone)]
pub(super) struct Files {
    root: Arc<Path>,
    disk: MmapDirectory,
    /// Files in use, so that opening one again shares it and its kept pieces.
    open: Arc<Mutex<HashMap<PathBuf, Weak<ReadFile>>>>,
    kept: Arc<Kept>,
}

impl Files {
    pub(super) fn open(root: &Path) -> Result<Self, OpenDirectoryError> {
        let kept = Kept { pieces: Mutex::new((LruCache::new(PIECES_MAX), 0)), numbers: AtomicU64::new(0) };
        Ok(Self {
            root: root.into(),
            disk: MmapDirectory::open(root)?,
            open: Arc::default(),
            kept: Arc::new(kept),
        })
    }
}

impl Files {
    /// How long a file was when it was opened, while it is in use.
    pub(super) fn bytes_of(&self, path: &Path) -> Option<usize> {
        self.open.lock().get(path).and_then(Weak::upgrade).map(|file| file.bytes)
    }
}

impl fmt::Debug for Files {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Files").field("root", &self.root).finish_non_exhaustive()
    }
}

/// A piece of a file: the file's number, where it begins and where it ends.
type PieceKey = (u64, usize, usize);

/// Pieces of files, and their bytes; the least used make room.
struct Kept {
    pieces: Mutex<(LruCache<PieceKey, OwnedBytes>, usize)>,
    numbers: AtomicU64,
}

impl Kept {
    fn get(&self, key: &PieceKey) -> Option<OwnedBytes> {
        self.pieces.lock().0.get(key).cloned()
    }

    fn keep(&self, key: PieceKey, piece: OwnedBytes) {
        let mut pieces = self.pieces.lock();
        let (kept, bytes) = &mut *pieces;
        *bytes += piece.len();
        // Pushes out either the piece under the same key or the least used.
        if let Some((_, gone)) = kept.push(key, piece) {
            *bytes -= gone.len();
        }
        while *bytes > KEPT_BYTES_MAX
            && let Some((_, gone)) = kept.pop_lru()
        {
            *bytes -= gone.len();
        }
    }
}

/// A file that is open for reading. It can be read after it was removed, as tantivy expects.
struct ReadFile {
    number: u64,
    bytes: usize,
    content: Content,
    kept: Arc<Kept>,
}

enum Content {
    /// All of it.
    Whole(OwnedBytes),
    OnDisk(File),
}

impl ReadFile {
    fn open(path: &Path, kept: Arc<Kept>) -> io::Result<Self> {
        let file = File::open(path)?;
        let size = file.metadata()?.len();
        let bytes = usize::try_from(size).map_err(io::Error::other)?;
        let content = match size {
            0..=SMALL_BYTES_MAX => Content::Whole(read(&file, 0..bytes)?),
            _ => Content::OnDisk(file),
        };
        Ok(Self { number: kept.numbers.fetch_add(1, Ordering::Relaxed), bytes, content, kept })
    }
}

fn read(file: &File, range: Range<usize>) -> io::Result<OwnedBytes> {
    let mut piece = vec![0; range.len()];
    file.read_exact_at(&mut piece, range.start as u64)?;
    Ok(OwnedBytes::new(piece))
}

impl FileHandle for ReadFile {
    fn read_bytes(&self, range: Range<usize>) -> io::Result<OwnedBytes> {
        if range.start > range.end || range.end > self.bytes {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "a file of the index is too short"));
        }
        let file = match &self.content {
            Content::Whole(bytes) => return Ok(bytes.slice(range)),
            Content::OnDisk(file) => file,
        };
        if !(PIECE_BYTES_MIN..=PIECE_BYTES_MAX).contains(&range.len()) {
            return read(file, range);
        }
        let key = (self.number, range.start, range.end);
        if let Some(piece) = self.kept.get(&key) {
            return Ok(piece);
        }
        let piece = read(file, range)?;
        self.kept.keep(key, piece.clone());
        Ok(piece)
    }
}

impl HasLen for ReadFile {
    fn len(&self) -> usize {
        self.bytes
    }
}

impl fmt::Debug for ReadFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadFile").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl Directory for Files {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        let mut open = self.open.lock();
        if let Some(file) = open.get(path).and_then(Weak::upgrade) {
            return Ok(file);
        }
        let opened = ReadFile::open(&self.root.join(path), Arc::clone(&self.kept));
        let file = Arc::new(opened.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => OpenReadError::FileDoesNotExist(path.to_owned()),
            _ => OpenReadError::IoError { io_error: Arc::new(error), filepath: path.to_owned() },
        })?);
        open.retain(|_, file| file.strong_count() > 0);
        open.insert(path.to_owned(), Arc::downgrade(&file));
        Ok(file)
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        self.disk.delete(path)
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        self.disk.exists(path)
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        self.disk.open_write(path)
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        self.disk.atomic_read(path)
    }

    fn atomic_write(&self, path: &Path, data: &[u8]) -> io::Result<()> {
        self.disk.atomic_write(path, data)
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.disk.sync_directory()
    }

    fn acquire_lock(&self, lock: &Lock) -> Result<DirectoryLock, LockError> {
        match self.disk.acquire_lock(lock) {
            // It keeps writers from removing what is being opened. Where nothing may be written there are none.
            Err(LockError::IoError(error))
                if lock.filepath == META_LOCK.filepath
                    && matches!(
                        error.kind(),
                        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
                    ) =>
            {
                Ok(DirectoryLock::from(Box::new(())))
            }
            locked => locked,
        }
    }

    fn watch(&self, callback: WatchCallback) -> tantivy::Result<WatchHandle> {
        self.disk.watch(callback)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(files: &Files, name: &str, bytes: usize) {
        let content: Vec<u8> = (0..bytes).map(|at| u8::try_from(at % 251).unwrap()).collect();
        std::fs::write(files.root.join(name), content).unwrap();
    }

    #[test]
    fn what_is_read_is_what_was_written_and_a_removed_file_stays_readable() {
        let directory = tempfile::tempdir().unwrap();
        let files = Files::open(directory.path()).unwrap();
        for (name, bytes) in [("empty", 0), ("small", 5_000), ("large", 300_000)] {
            write(&files, name, bytes);
            let handle = files.get_file_handle(Path::new(name)).unwrap();
            std::fs::remove_file(files.root.join(name)).unwrap();
            assert_eq!(handle.len(), bytes);
            for range in [0..0, 0..bytes, bytes / 3..bytes / 2, bytes / 2..bytes] {
                // The second time from memory.
                for _ in 0..2 {
                    let read = handle.read_bytes(range.clone()).unwrap();
                    let expected = range.clone().map(|at| u8::try_from(at % 251).unwrap());
                    assert!(read.iter().copied().eq(expected), "{name} {range:?}");
                }
            }
        }
        let gone = files.get_file_handle(Path::new("never"));
        assert!(matches!(gone, Err(OpenReadError::FileDoesNotExist(_))));
    }

    #[test]
    fn a_file_cut_short_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let files = Files::open(directory.path()).unwrap();
        write(&files, "large", 300_000);
        let handle = files.get_file_handle(Path::new("large")).unwrap();
        File::options().write(true).open(files.root.join("large")).unwrap().set_len(100).unwrap();
        assert!(handle.read_bytes(200_000..290_000).is_err());
        assert!(handle.read_bytes(200_000..200_010).is_err());
        assert!(handle.read_bytes(290_000..300_001).is_err());
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let kept = Kept { pieces: Mutex::new((LruCache::new(PIECES_MAX), 0)), numbers: AtomicU64::new(0) };
        let piece = OwnedBytes::new(vec![0; PIECE_BYTES_MAX]);
        for number in 0..10 {
            kept.keep((number, 0, PIECE_BYTES_MAX), piece.clone());
            kept.keep((number, 0, PIECE_BYTES_MAX), piece.clone());
        }
        let pieces = kept.pieces.lock();
        assert_eq!((pieces.0.len(), pieces.1), (4, KEPT_BYTES_MAX));
    }
}
