//! Acknowledged payments: what a client was told, kept outside the server, must be there and come to rest.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Take};
use std::path::Path;

use super::AuditError;
use super::report::{Name, Report};
use crate::domain::ids::PaymentId;
use crate::store::Snapshot;

/// Payments looked up at once.
const LOOKUP_MAX: usize = 500;

/// A file with one payment id a line, as it was when it was opened: what is appended later is not read, because the
/// snapshot that it is compared with may be older.
#[derive(Debug)]
pub struct AckFile {
    reader: BufReader<Take<File>>,
}

impl AckFile {
    /// Opens the file. Do it before the snapshot is opened.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn open(path: &Path) -> std::io::Result<Self> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        Ok(Self { reader: BufReader::new(file.take(length)) })
    }

    /// Each id exists and rests.
    ///
    /// # Errors
    /// If the file or the store cannot be read.
    pub async fn check(mut self, snapshot: &mut dyn Snapshot, report: &mut Report) -> Result<(), AuditError> {
        report.counted.acks = Some(0);
        let mut line = String::new();
        let mut ids = Vec::new();
        loop {
            line.clear();
            let read = (&mut self.reader).take(256).read_line(&mut line)?;
            // A last line without its end was being written when the file was opened.
            let ended = read == 0 || !line.ends_with('\n');
            match line.trim_end().parse::<PaymentId>() {
                _ if ended => {}
                Ok(id) => ids.push(id),
                Err(error) => report.violation(Name::UnreadableAck, error.to_string()),
            }
            if ids.len() >= LOOKUP_MAX || (ended && !ids.is_empty()) {
                check_ids(&mut ids, snapshot, report).await?;
            }
            if ended {
                return Ok(());
            }
        }
    }
}

async fn check_ids(
    ids: &mut Vec<PaymentId>,
    snapshot: &mut dyn Snapshot,
    report: &mut Report,
) -> Result<(), AuditError> {
    ids.sort_unstable();
    ids.dedup();
    let found = snapshot.payments_by_id(ids).await?;
    for id in ids.drain(..) {
        if let Some(acks) = report.counted.acks.as_mut() {
            *acks += 1;
        }
        match found.iter().find(|row| row.id == id).map(|row| &row.folded) {
            None => report.violation(Name::LostAcknowledged, id.to_string()),
            Some(Ok(payment)) if !payment.state().status.is_at_rest() => {
                let text = format!("{} is {}", id, payment.state().status.as_str());
                report.violation(Name::UnfinishedAcknowledged, text);
            }
            // An illegal history is named elsewhere.
            Some(Ok(_) | Err(_)) => {}
        }
    }
    Ok(())
}
