//! Payments from a CSV file: read row by row, checked by the intake like everything else, and handed in on the bulk lane.
//!
//! Nothing of the file is kept but each row's key and what became of it, since rows may hold card numbers. Memory is bounded
//! whatever the file: a few chunks, one row and two batches at a time. The columns are described in docs/csv.md.

mod body;
mod columns;
mod delimiter;
mod rows;
mod run;
mod shape;
mod stop;

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
/// What can be done about an import that something around it cut short.
pub const AGAIN: &str = "Upload the same file under the same name to go on; nothing is paid twice.";
/// The longest name of an import, in characters.
pub const NAME_CHARS_MAX: usize = 60;
/// The longest key of a row, in characters.
const KEY_CHARS_MAX: usize = 120;
/// The longest word of what is wrong, in characters.
const MESSAGE_CHARS_MAX: usize = 500;
/// Rows that are handed in together.
const BATCH_ROWS: usize = 256;
/// Where a batch ends, in bytes of the file.
const BATCH_BYTES: usize = 256 << 10;

/// Text shortened to so many characters.
fn shortened(text: &str, chars_max: usize) -> String {
    text.chars().take(chars_max).collect()
}

/// What is wrong with a row. It is kept, so nothing that it repeats may hold a card number.
fn fault(column: &str, message: &str) -> RowFault {
    RowFault {
        column: shortened(&masked(column), KEY_CHARS_MAX),
        message: shortened(&masked(message), MESSAGE_CHARS_MAX),
    }
}
