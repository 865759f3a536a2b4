//! Reads rows on a thread of its own: CSV in, drafts out, a batch at a time.

use std::io::{self, ErrorKind};
use std::sync::Arc;

use csv::{ByteRecord, ReaderBuilder, StringRecord, Trim};
use tokio::sync::mpsc;

use super::abort::Stop;
use super::body::Body;
use super::columns::{Columns, Refused};
use super::delimiter;
use super::record_framing::{Begun, RecordFraming};
use super::{BATCH_BYTES, BATCH_ROWS, ROWS_MAX};
use crate::clock::Wall;
use crate::intake::{InputContext, PaymentDraft, Rules};
use crate::store::RowFault;

const TOO_LONG: &str = "This row is longer than 64 KiB.";

/// A row that was read.
pub(super) struct CsvRow {
    /// The line on which it begins.
    pub line: u64,
    /// Its key, as far as it could be read.
    pub key: String,
    /// The payment it asks for, or what is wrong with it.
    pub draft: Result<PaymentDraft, RowFault>,
}

/// What the thread sends.
pub(super) enum Read {
    /// Rows, in the order of the file.
    Rows(Vec<CsvRow>),
    /// There are no more rows, or the reason why no more were read.
    End(Result<(), Stop>),
}

/// Receives rows as they are read; two batches may wait.
pub struct Batches(pub(super) mpsc::Receiver<Read>);

/// Starts to read a body. The thread ends by itself when nobody takes its rows, or when the body ends or breaks off.
#[must_use]
pub fn read(body: Body, scope: String, rules: Rules, wall: Wall) -> Batches {
    let (out, batches) = mpsc::channel(2);
    tokio::task::spawn_blocking(move || {
        let end = Reading { scope: scope.into(), rules, wall, out: out.clone() }.run(body);
        // It fails only if nobody receives, and then nothing needs to be done.
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
        let mut reader = builder.from_reader(RecordFraming::new(file, delimiter));
        let header = reader.headers().map_err(|error| stop(&error))?.clone();
        if let Some(Begun { too_long: true, .. } | Begun { open: true, .. }) = reader.get_mut().row_read() {
            return Err(Stop::Fix(
                "Line 1 is no line of columns: too long, or a quote stays open.".to_owned(),
            ));
        }
        let columns = Columns::read(&header, &self.rules).map_err(Stop::Fix)?;
        let mut record = ByteRecord::new();
        let mut batch = Vec::with_capacity(BATCH_ROWS);
        let (mut count, mut bytes) = (0_u64, 0);
        let end = loop {
            match reader.read_byte_record(&mut record) {
                Ok(true) if count == ROWS_MAX => {
                    let cause = "The file has more than 100,000 rows; the rest was not read: put it into another file.";
                    break Err(Stop::Fix(cause.to_owned()));
                }
                Ok(true) => {}
                Ok(false) => break Ok(()),
                Err(error) => break Err(stop(&error)),
            }
            let Some(begun) = reader.get_mut().row_read() else { continue };
            if begun.open {
                let line = begun.line;
                break Err(Stop::Fix(format!(
                    "Line {line} opens a quote that is never closed; from there on nothing was read. \
                     Mend it and upload the file under the same name: nothing is paid twice."
                )));
            }
            // Rows that were cleared in a spreadsheet leave empty fields behind.
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
        // If the body broke off, the whole rows before that still count.
        if !batch.is_empty() {
            let _ = self.out.blocking_send(Read::Rows(batch));
        }
        let empty = || Stop::Fix("The file has no rows below line 1.".to_owned());
        if count == 0 && end.is_ok() { Err(empty()) } else { end }
    }

    fn row(&self, columns: &Columns, record: &ByteRecord, begun: Begun) -> CsvRow {
        let Begun { line, too_long, .. } = begun;
        let now = self.wall.now();
        let context = InputContext { rules: &self.rules, now, confirm_default: true };
        let Ok(text) = StringRecord::from_byte_record(record.clone()) else {
            let message = if too_long { TOO_LONG } else { "This row is not UTF-8 text." }.to_owned();
            return CsvRow {
                line,
                key: String::new(),
                draft: Err(RowFault { column: String::new(), message }),
            };
        };
        match columns.draft(&text, &self.scope, &context) {
            Ok((key, _)) | Err(Refused { key, .. }) if too_long => {
                let fault = RowFault { column: String::new(), message: TOO_LONG.to_owned() };
                CsvRow { line, key, draft: Err(fault) }
            }
            Ok((key, draft)) => CsvRow { line, key, draft: Ok(draft) },
            Err(Refused { key, fault }) => CsvRow { line, key, draft: Err(fault) },
        }
    }
}

fn stop_reading(error: &io::Error) -> Stop {
    match error.kind() {
        ErrorKind::FileTooLarge => Stop::Fix(error.to_string()),
        _ => Stop::Again(error.to_string()),
    }
}

/// Repeats only our own messages: the CSV reader's may quote the row, and with it a card number.
fn stop(error: &csv::Error) -> Stop {
    match error.kind() {
        csv::ErrorKind::Io(error) => stop_reading(error),
        csv::ErrorKind::Utf8 { .. } => Stop::Fix("Line 1 is not UTF-8 text.".to_owned()),
        _ => Stop::Fix("The file could not be read as CSV.".to_owned()),
    }
}
