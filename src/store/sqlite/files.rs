//! Checks whether the files of an embedded store are still those that were opened. One that was removed or replaced can be read and
//! written as if nothing had happened, and everything that is acknowledged from then on is gone once it is closed.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::store::trouble::GONE;
use crate::store::{StoreError, StoreResult};

/// A file as the system identifies it: by its device and its number there.
type Identity = (u64, u64);

/// The database and its log.
pub(super) struct Files {
    database: PathBuf,
    opened: Option<Identity>,
    log: PathBuf,
    /// Known once it is first seen: the first write creates it.
    log_opened: OnceLock<Identity>,
}

impl Files {
    /// Those of a database that has just been opened.
    pub(super) fn of(database: &Path) -> Self {
        let mut log = database.as_os_str().to_owned();
        log.push("-wal");
        Self {
            database: database.to_owned(),
            opened: identity(database),
            log: log.into(),
            log_opened: OnceLock::new(),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.database
    }

    /// How long the log is. It never gets shorter while the database is open.
    pub(super) fn log_bytes(&self) -> u64 {
        std::fs::metadata(&self.log).map_or(0, |log| log.len())
    }

    /// Checks that they are the same.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: nothing may be written, nor read from what is in their place.
    pub(super) fn check(&self) -> StoreResult<()> {
        if self.opened.is_some() && identity(&self.database) != self.opened {
            return Err(gone(&self.database));
        }
        match (self.log_opened.get(), identity(&self.log)) {
            (Some(opened), found) if found != Some(*opened) => Err(gone(&self.log)),
            (None, Some(found)) => {
                // Another thread has seen the same.
                let _ = self.log_opened.set(found);
                Ok(())
            }
            (Some(_) | None, _) => Ok(()),
        }
    }
}

fn identity(path: &Path) -> Option<Identity> {
    std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

fn gone(path: &Path) -> StoreError {
    let (path, process) = (path.display(), std::process::id());
    StoreError::Unavailable(format!(
        "{GONE} while it was in use: {path}; until this process ends, /proc/{process}/fd has what was in it"
    ))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_that_is_removed_replaced_or_moved_is_missed() {
        let folder = tempfile::tempdir().unwrap();
        let (database, log) = (folder.path().join("a.db"), folder.path().join("a.db-wal"));
        fs::write(&database, "1").unwrap();
        let files = Files::of(&database);
        assert!(files.check().is_ok(), "there is no log yet");
        fs::write(&log, "1").unwrap();
        assert!(files.check().is_ok());
        fs::write(&log, "22").unwrap();
        fs::write(&database, "22").unwrap();
        assert!(files.check().is_ok(), "written to");
        let aside = folder.path().join("aside");
        for path in [&database, &log] {
            fs::rename(path, &aside).unwrap();
            assert!(files.check().is_err(), "{path:?} was moved");
            fs::write(path, "22").unwrap();
            assert!(files.check().is_err(), "{path:?} is another");
            fs::rename(&aside, path).unwrap();
            assert!(files.check().is_ok(), "{path:?} was put back");
        }
    }
}
