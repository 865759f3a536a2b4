//! Imports payments from a CSV file: reads it row by row, checks each row through the intake, and submits it on the bulk
//! lane.
//!
//! Only each row's key and its result are kept, since rows may hold card numbers. Memory is bounded whatever the file: a few
//! chunks, one row and two batches at a time. docs/csv.md describes the columns.

mod abort;
mod body;
mod columns;
mod delimiter;
mod record_framing;
mod rows;
mod run;

pub use body::body;
pub use columns::{COLUMNS, SAMPLE};
pub use rows::read;
pub use run::run;

use crate::domain::card_numbers::masked;
use crate::store::RowFault;

/// The most rows of one file.
pub const ROWS_MAX: u64 = 100_000;
/// The largest file, in bytes.
pub const BYTES_MAX: u64 = 64 << 20;
/// The longest row, in bytes.
const ROW_BYTES_MAX: u64 = 64 << 10;
/// What to do about an import that was cut short by something other than the file.
pub const AGAIN: &str = "Upload the same file under the same name to go on; nothing is paid twice.";
/// The longest name of an import, in characters.
pub const NAME_CHARS_MAX: usize = 60;
/// The longest key of a row, in characters.
const KEY_CHARS_MAX: usize = 120;
/// The longest message about a row, in characters.
const MESSAGE_CHARS_MAX: usize = 500;
/// The most rows that are handed in together.
const BATCH_ROWS: usize = 256;
/// A batch ends once its rows reach this size, in bytes of the file.
const BATCH_BYTES: usize = 256 << 10;

fn shortened(text: &str, chars_max: usize) -> String {
    text.chars().take(chars_max).collect()
}

/// What is wrong with a row. It is stored, so card numbers in it are masked.
fn fault(column: &str, message: &str) -> RowFault {
    RowFault {
        column: shortened(&masked(column), KEY_CHARS_MAX),
        message: shortened(&masked(message), MESSAGE_CHARS_MAX),
    }
}
