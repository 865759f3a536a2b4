//! What keeps a store from taking payments, as its last operations met it. A store can answer every question and refuse
//! every write: when its disk is full, for example.

use std::path::Path;

use super::files::GONE;
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
    /// It answers, and refuses whatever it is asked for: it only reads, or rights or tables are missing.
    Refusing,
    /// Its file does not hold what was written.
    Damaged,
}

/// Stands in an error for which the way in which the store is set up is to blame, and no request.
pub(super) const AS_SET_UP: &str = "as the store is set up now";

/// What MySQL's servers say where they let nobody in, and SQLite of a file that it may not write or that is not ours any more.
const REFUSING: [&str; 6] = [
    AS_SET_UP,
    "Access denied",
    "Account is locked",
    "Unknown database",
    "readonly database",
    "no such table",
];

impl StoreTrouble {
    /// What the operations of an adapter tell; `None` while the last writes went well.
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

/// What SQLite says of a file that is damaged, or is none of its own; and what is said of one that is not there any more.
const DAMAGE: [&str; 4] =
    ["database disk image is malformed", "malformed database schema", "file is not a database", GONE];

/// Whether an error says that the store's file is damaged. A value that cannot be read is damaged as well, and the file is not.
pub(super) fn is_of_file(error: &StoreError) -> bool {
    let text = error.to_string();
    DAMAGE.iter().any(|damage| text.contains(damage))
}

/// What to do about a damaged file, for whoever operates the store.
pub(super) fn advice(path: &Path) -> String {
    let path = path.display();
    format!(
        "Stop paystorm, keep a copy of {path} and the files beside it, and put back a backup, or try `sqlite3 {path} .recover`; \
         then run `paystorm verify`"
    )
}

/// Names the file, and what to do, where that is what is wrong.
pub(super) fn explain<T>(path: &Path, result: StoreResult<T>) -> StoreResult<T> {
    result.map_err(|error| match is_of_file(&error) {
        true => StoreError::Damaged(format!("{}: {error}. {}", path.display(), advice(path))),
        false => error,
    })
}
