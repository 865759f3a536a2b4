//! Says what keeps a store from taking payments, by how its last operations ended. A store can answer every question and still
//! refuse every write, for example when its disk is full.

use std::path::Path;

use super::{StoreError, StoreResult};
use crate::outage::{Outage, Way};

/// Why nothing can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StoreTrouble {
    /// It does not answer, or not in time.
    #[default]
    Away,
    /// There is no room.
    Full,
    /// It answers, and refuses: it is read-only, or rights or tables are missing.
    Refusing,
    /// Its file no longer holds what was written.
    Damaged,
}

/// Begins an error about files that are gone.
pub(super) const GONE: &str = "the store's file was removed or replaced";
/// Marks an error that is the fault of the store's setup, and of no request.
pub(super) const AS_SET_UP: &str = "as the store is set up now";

/// What MySQL says when it lets nobody in, and SQLite of a file that it may not write or that is no longer ours.
const REFUSING: [&str; 6] = [
    AS_SET_UP,
    "Access denied",
    "Account is locked",
    "Unknown database",
    "readonly database",
    "no such table",
];

impl StoreTrouble {
    /// What an adapter's operations show; `None` while the last writes succeeded.
    pub(super) fn of(outage: &Outage) -> Option<Self> {
        if outage.is_damaged() {
            return Some(Self::Damaged);
        }
        let cause = outage.failing(Way::Write)?;
        // SQLite, MySQL (codes 1021 and 1114), and the system under them.
        let full = ["disk is full", "Disk full", "is full", "No space left", "errno: 28"];
        let has = |texts: &[&str]| texts.iter().any(|text| cause.contains(text));
        Some(if has(&full) {
            Self::Full
        } else if has(&REFUSING) {
            Self::Refusing
        } else {
            Self::Away
        })
    }
}

/// What SQLite says of a file that is damaged or is not a database, and what we say of one that is gone.
const DAMAGE: [&str; 4] =
    ["database disk image is malformed", "malformed database schema", "file is not a database", GONE];

/// Whether an error says that the store's file is damaged. A value that cannot be read is damaged as well, but its file is not.
pub(super) fn is_of_file(error: &StoreError) -> bool {
    let text = error.to_string();
    DAMAGE.iter().any(|damage| text.contains(damage))
}

/// What to do about a damaged file, for the operator.
pub(super) fn advice(path: &Path) -> String {
    let path = path.display();
    format!(
        "Stop paystorm, keep a copy of {path} and the files beside it, and put back a backup, or try `sqlite3 {path} .recover`; \
         then run `paystorm verify`"
    )
}

/// Adds the file and what to do about it to an error that says it is damaged.
pub(super) fn explain<T>(path: &Path, result: StoreResult<T>) -> StoreResult<T> {
    result.map_err(|error| match is_of_file(&error) {
        true => StoreError::Damaged(format!("{}: {error}. {}", path.display(), advice(path))),
        false => error,
    })
}
