//! The reports that are kept: a file for each run, written whole and renamed, or nothing but memory where there is no directory.
//! Bounded in number for each account, and in bytes for all together; the oldest go first, and none that is under way.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

use super::error::RunError;
use super::record::{Head, Record, State};
use crate::domain::ids::{AccountId, LoadRunId};
use crate::domain::time::Timestamp;

/// The largest file that is read.
const FILE_BYTES_MAX: u64 = 32 * 1_024 * 1_024;
const ENDING: &str = ".json";
const UNFINISHED: &str = ".part";
const DAMAGED: &str = ".damaged";

/// How much is kept.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Reports of each account.
    pub each_max: usize,
    /// Bytes of all together.
    pub bytes_max: u64,
}

#[derive(Debug)]
struct Kept {
    head: Head,
    bytes: u64,
    /// The record, where there is no directory.
    text: Option<String>,
}

/// The reports.
#[derive(Debug)]
pub struct Reports {
    directory: Option<PathBuf>,
    bounds: Bounds,
    kept: Mutex<BTreeMap<LoadRunId, Kept>>,
}

impl Reports {
    /// Opens a directory, and makes it if it is not there. Runs that were under way when the server ended are cut off now.
    ///
    /// # Errors
    /// If the directory cannot be made or read.
    pub fn open(directory: Option<PathBuf>, bounds: Bounds, now: Timestamp) -> std::io::Result<Self> {
        let reports = Self { directory, bounds, kept: Mutex::default() };
        let Some(directory) = reports.directory.clone() else { return Ok(reports) };
        std::fs::create_dir_all(&directory)?;
        for entry in std::fs::read_dir(&directory)? {
            let path = entry?.path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if name.ends_with(UNFINISHED) {
                // What was being written when the server ended; the file of before is whole.
                let _ = std::fs::remove_file(&path);
            } else if name.ends_with(ENDING) {
                reports.take_up(&path, now);
            }
        }
        reports.make_room();
        Ok(reports)
    }

    /// Reads a file of an earlier process. One that cannot be read is put aside.
    fn take_up(&self, path: &Path, now: Timestamp) {
        match read(path) {
            Ok((mut record, bytes)) => {
                let kept = Kept { head: record.head(), bytes, text: None };
                self.kept.lock().insert(record.id, kept);
                if record.state == State::Running {
                    record.cut_off(now);
                    // If it cannot be written now, it is cut off at the next start.
                    let _ = self.put(&record, true);
                }
            }
            Err(error) => {
                tracing::warn!(file = %path.display(), error = %error, "the report of a load run cannot be read and is put aside");
                let mut aside = path.as_os_str().to_owned();
                aside.push(DAMAGED);
                let _ = std::fs::rename(path, aside);
            }
        }
    }

    /// Keeps a record in place of what was kept of the run. `finally` waits until the disk has it. Blocks.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn put(&self, record: &Record, finally: bool) -> Result<(), RunError> {
        let text = serde_json::to_string(record).map_err(|error| unusable(&error))?;
        let bytes = text.len() as u64;
        let text = match &self.directory {
            None => Some(text),
            Some(directory) => {
                write(directory, record.id, &text, finally).map_err(|error| unusable(&error))?;
                None
            }
        };
        self.kept.lock().insert(record.id, Kept { head: record.head(), bytes, text });
        self.make_room();
        Ok(())
    }

    /// The record of a run. Blocks.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn get(&self, id: LoadRunId) -> Result<Option<Record>, RunError> {
        let found = self.kept.lock().get(&id).map(|kept| kept.text.clone());
        match (found, &self.directory) {
            (None, _) => Ok(None),
            (Some(Some(text)), _) => serde_json::from_str(&text).map(Some).map_err(|error| unusable(&error)),
            (Some(None), Some(directory)) => read(&path_of(directory, id))
                .map(|(record, _)| Some(record))
                .map_err(|error| unusable(&error)),
            (Some(None), None) => Ok(None),
        }
    }

    /// The line of a run.
    #[must_use]
    pub fn head(&self, id: LoadRunId) -> Option<Head> {
        self.kept.lock().get(&id).map(|kept| kept.head.clone())
    }

    /// The runs of an account, the latest first.
    #[must_use]
    pub fn heads(&self, owner: AccountId) -> Vec<Head> {
        let kept = self.kept.lock();
        kept.values().rev().filter(|kept| kept.head.owner == owner).map(|kept| kept.head.clone()).collect()
    }

    /// Keeps a run no longer. Blocks.
    pub fn remove(&self, id: LoadRunId) {
        self.kept.lock().remove(&id);
        if let Some(directory) = &self.directory {
            let _ = std::fs::remove_file(path_of(directory, id));
        }
    }

    fn make_room(&self) {
        loop {
            // Looked for in a statement of its own: the lock must be free again when the run is removed.
            let oldest = too_many(&self.kept.lock(), self.bounds);
            let Some(id) = oldest else { return };
            self.remove(id);
        }
    }
}

/// The run to let go of next: the oldest of an account that has too many, else of the account that has the most bytes.
fn too_many(kept: &BTreeMap<LoadRunId, Kept>, bounds: Bounds) -> Option<LoadRunId> {
    let mut owners: BTreeMap<AccountId, (usize, u64)> = BTreeMap::new();
    for one in kept.values() {
        let (count, bytes) = owners.entry(one.head.owner).or_default();
        *count += 1;
        *bytes += one.bytes;
    }
    let oldest = |owner: AccountId| {
        let mut ended =
            kept.iter().filter(|(_, one)| one.head.owner == owner && one.head.state != State::Running);
        ended.next().map(|(id, _)| *id)
    };
    let many = owners.iter().filter(|(_, (count, _))| *count > bounds.each_max);
    if let Some(id) = many.filter_map(|(owner, _)| oldest(*owner)).next() {
        return Some(id);
    }
    if kept.values().map(|one| one.bytes).sum::<u64>() <= bounds.bytes_max {
        return None;
    }
    let mut largest: Vec<(u64, AccountId)> =
        owners.iter().map(|(owner, (_, bytes))| (*bytes, *owner)).collect();
    largest.sort_unstable_by(|one, other| other.cmp(one));
    largest.into_iter().find_map(|(_, owner)| oldest(owner))
}

fn path_of(directory: &Path, id: LoadRunId) -> PathBuf {
    directory.join(format!("{id}{ENDING}"))
}

fn read(path: &Path) -> std::io::Result<(Record, u64)> {
    let bytes = std::fs::metadata(path)?.len();
    if bytes > FILE_BYTES_MAX {
        return Err(std::io::Error::other("it is too large"));
    }
    let record: Record = serde_json::from_slice(&std::fs::read(path)?)?;
    match path.file_stem().is_some_and(|stem| stem.to_string_lossy() == record.id.to_string()) {
        true => Ok((record, bytes)),
        false => Err(std::io::Error::other("it is named after another run")),
    }
}

fn write(directory: &Path, id: LoadRunId, text: &str, finally: bool) -> std::io::Result<()> {
    let part = directory.join(format!("{id}{UNFINISHED}"));
    let mut file = File::create(&part)?;
    file.write_all(text.as_bytes())?;
    if finally {
        file.sync_all()?;
    }
    drop(file);
    std::fs::rename(&part, path_of(directory, id))
}

fn unusable(error: &dyn std::fmt::Display) -> RunError {
    tracing::warn!(error = %error, "the report of a load run cannot be read or written");
    RunError::Reports
}
