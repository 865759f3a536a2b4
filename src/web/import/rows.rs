//! The thread that reads rows: CSV in, drafts out, a batch at a time.

use std::io::{self, ErrorKind};
use std::sync::Arc;

use csv::{ByteRecord, ReaderBuilder, StringRecord, Trim};
use tokio::sync::mpsc;

use super::body::Body;
use super::columns::{Columns, Refused};
use super::delimiter;
use super::shape::{Begun, Shape};
use super::stop::Stop;
use super::{BATCH_BYTES, BATCH_ROWS, ROWS_MAX};
use crate::clock::Wall;
use crate::store::RowFault;
use crate::web::intake::{Context, Draft, Rules};

const TOO_LONG: &str = "This row is longer than 64 KiB.";

/// A row that was read.
pub(super) struct Row {
    /// The line on which it begins.
    pub line: u64,
    /// Its key, as far as it could be read.
    pub key: String,
    /// The payment it asks for, or why it makes none.
    pub draft: Result<Draft, RowFault>,
}

/// What the thread tells.
pub(super) enum Read {
    /// Rows, in the order of the file.
    Rows(Vec<Row>),
    /// There are no more, or why no more were read.
    End(Result<(), Stop>),
}

/// Rows as they are read; two batches may wait.
pub struct Batches(pub(super) mpsc::Receiver<Read>);

/// Starts to read a body. Ends by itself once its rows are taken no more, or the body ends or breaks off.
#[must_use]
pub fn read(body: Body, scope: String, rules: Rules, wall: Wall) -> Batches {
    let (out, batches) = mpsc::channel(2);
    tokio::task::spawn_blocking(move || {
        let end = Reading { scope: scope.into(), rules, wall, out: out.clone() }.run(body);
        // Nobody there to hear it needs no telling.
        let _ = out.blocking_send(Read::End(end));
    });
    Batches(batches)
}

struct Reading {
    scope: Arc<str>,
    rules: Rules,
    wall: Wall,
    out: mpsc::Sender<Read>,
}

impl Reading {
    fn run(&self, body: Body) -> Result<(), Stop> {
        let (delimiter, file) = delimiter::find(body).map_err(|error| stop_reading(&error))?;
        let mut builder = ReaderBuilder::new();
        builder.delimiter(delimiter).flexible(true).trim(Trim::All).buffer_capacity(16 << 10);
        let mut reader = builder.from_reader(Shape::new(file, delimiter));
        let header = reader.headers().map_err(|error| stop(&error))?.clone();
        if let Some(Begun { too_long: true, .. } | Begun { open: true, .. }) = reader.get_mut().row_read() {
            return Err(Stop::Mend(
                "Line 1 is no line of columns: too long, or a quote stays open.".to_owned(),
            ));
        }
        let columns = Columns::read(&header, &self.rules).map_err(Stop::Mend)?;
        let mut record = ByteRecord::new();
        let mut batch = Vec::with_capacity(BATCH_ROWS);
        let (mut count, mut bytes) = (0_u64, 0);
        let end = loop {
            match reader.read_byte_record(&mut record) {
                Ok(true) if count == ROWS_MAX => {
                    let cause = "The file has more than 100,000 rows; the rest was not read: put it into another file.";
                    break Err(Stop::Mend(cause.to_owned()));
                }
                Ok(true) => {}
                Ok(false) => break Ok(()),
                Err(error) => break Err(stop(&error)),
            }
            let Some(begun) = reader.get_mut().row_read() else { continue };
            if begun.open {
                let line = begun.line;
                break Err(Stop::Mend(format!(
                    "Line {line} opens a quote that is never closed; from there on nothing was read. \
                     Mend it and upload the file under the same name: nothing is paid twice."
                )));
            }
            // What is left of rows that were emptied in a spreadsheet.
            if !begun.too_long && record.iter().all(<[u8]>::is_empty) {
                continue;
            }
            count += 1;
            bytes += record.as_slice().len();
            batch.push(self.row(&columns, &record, begun));
            if batch.len() == BATCH_ROWS || bytes >= BATCH_BYTES {
                bytes = 0;
                let full = std::mem::replace(&mut batch, Vec::with_capacity(BATCH_ROWS));
                if self.out.blocking_send(Read::Rows(full)).is_err() {
                    return Ok(());
                }
            }
        };
        // A body that broke off leaves rows that were whole; one that ends before any is an empty file.
        if !batch.is_empty() {
            // As above.
            let _ = self.out.blocking_send(Read::Rows(batch));
        }
        let empty = || Stop::Mend("The file has no rows below line 1.".to_owned());
        if count == 0 && end.is_ok() { Err(empty()) } else { end }
    }

    fn row(&self, columns: &Columns, record: &ByteRecord, begun: Begun) -> Row {
        let Begun { line, too_long, .. } = begun;
        let now = self.wall.now();
        let context = Context { rules: &self.rules, now, confirm_default: true };
        let Ok(text) = StringRecord::from_byte_record(record.clone()) else {
            let message = if too_long { TOO_LONG } else { "This row is not UTF-8 text." }.to_owned();
            return Row { line, key: String::new(), draft: Err(RowFault { column: String::new(), message }) };
        };
        match columns.draft(&text, &self.scope, &context) {
            Ok((key, _)) | Err(Refused { key, .. }) if too_long => {
                let fault = RowFault { column: String::new(), message: TOO_LONG.to_owned() };
                Row { line, key, draft: Err(fault) }
            }
            Ok((key, draft)) => Row { line, key, draft: Ok(draft) },
            Err(Refused { key, fault }) => Row { line, key, draft: Err(fault) },
        }
    }
}

fn stop_reading(error: &io::Error) -> Stop {
    match error.kind() {
        ErrorKind::FileTooLarge => Stop::Mend(error.to_string()),
        _ => Stop::Again(error.to_string()),
    }
}

/// Of an error of reading only what we said ourselves: the rest may quote the row, and a card number in it.
fn stop(error: &csv::Error) -> Stop {
    match error.kind() {
        csv::ErrorKind::Io(error) => stop_reading(error),
        csv::ErrorKind::Utf8 { .. } => Stop::Mend("Line 1 is not UTF-8 text.".to_owned()),
        _ => Stop::Mend("The file could not be read as CSV.".to_owned()),
    }
}
