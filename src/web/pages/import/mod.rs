//! `/payments/import`: the upload of payments as CSV, and the results of its rows. Views, pure.

pub mod handlers;
mod upload;

use askama::Template;

use super::format;
use super::layout::Layout;
use crate::domain::time::Timestamp;
use crate::store::{ImportRecord, ImportRow, ImportState};
use crate::web::import::{AGAIN, COLUMNS};

/// An import without progress for so long was cut off when its process ended.
const CUT_OFF_AFTER_S: u64 = 20;

/// An import as a line of the list and as the head of its page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportLine {
    /// The import's id, as its address has it.
    pub id: String,
    /// The name as typed, else the file's name.
    pub name: String,
    /// Whether rows are still being read.
    pub running: bool,
    /// Its state, in a few words.
    pub state: String,
    /// The icon of its state.
    pub icon: &'static str,
    /// When it began, as an age.
    pub created_ago: String,
    /// The same in full.
    pub created_full: String,
    /// Rows read so far.
    pub rows_read: String,
    /// Rows that created a payment.
    pub accepted: String,
    /// Rows that an earlier upload had already submitted.
    pub known: String,
    /// Rows refused because of an error in them.
    pub refused: String,
}

impl ImportLine {
    /// The line of an import at `now`.
    #[must_use]
    pub fn of(import: &ImportRecord, now: Timestamp) -> Self {
        let cut_off = now.micros_since(import.updated_at) / 1_000_000 > CUT_OFF_AFTER_S;
        let (state, icon) = match (import.state, &import.cause) {
            (ImportState::Running, _) if cut_off => (format!("Cut off by a restart. {AGAIN}"), "warning"),
            (ImportState::Running, _) => ("Reading rows".to_owned(), "processing"),
            (ImportState::Finished, _) if import.rows_refused > 0 => {
                let refused = format::grouped(import.rows_refused);
                (format!("Every row was read, {refused} refused"), "warning")
            }
            (ImportState::Finished, _) => ("Every row was read".to_owned(), "succeeded"),
            (ImportState::Stopped, cause) => {
                (cause.clone().unwrap_or_else(|| "It stopped.".to_owned()), "warning")
            }
        };
        Self {
            id: import.id.to_string(),
            name: import.name.clone(),
            running: import.state == ImportState::Running && !cut_off,
            state,
            icon,
            created_ago: format::ago(now, import.created_at),
            created_full: format::absolute(import.created_at),
            rows_read: format::grouped(import.rows_read),
            accepted: format::grouped(import.rows_accepted),
            known: format::grouped(import.rows_known),
            refused: format::grouped(import.rows_refused),
        }
    }
}

/// `/payments/import`: the upload form.
#[derive(Template)]
#[template(path = "import.html")]
pub struct ImportPage {
    /// The frame.
    pub layout: Layout,
    /// The id of the coming import, so that scripts can ask for its progress during the upload.
    pub import: String,
    /// Why the last upload was rejected.
    pub error: Option<String>,
    /// The imports so far, newest first.
    pub imports: Vec<ImportLine>,
}

impl ImportPage {
    /// Every column of a file, and what it holds.
    #[must_use]
    pub fn columns(&self) -> &'static [(&'static str, &'static str)] {
        &COLUMNS
    }
}

/// `/payments/imports/{id}`.
#[derive(Template)]
#[template(path = "import_one.html")]
pub struct ImportOnePage {
    /// The frame.
    pub layout: Layout,
    /// The import.
    pub import: ImportLine,
    /// The refused rows on this page.
    pub refused: Vec<ImportRow>,
    /// The address of the next refused rows, if there are any.
    pub more: Option<String>,
}
