//! Checks acknowledged payments: each that a client has recorded outside the server must exist, be what was sent, and have the
//! outcome that the client received.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Take};
use std::path::Path;
use std::str::FromStr;

use super::AuditError;
use super::named::payments_named;
use super::report::{Name, Report};
use crate::domain::currency::Currency;
use crate::domain::ids::PaymentId;
use crate::domain::money::Money;
use crate::domain::payment::Payment;
use crate::domain::status::Status;
use crate::store::Snapshot;

/// Lines looked up at once.
const LOOKUP_MAX: usize = 500;
/// The word for a refund, where payments are called by their kinds.
const REFUND: &str = "refund";

/// A line of the file: `pi_… charge 1250 eur`, and once more with the outcome when the client has received that as well. A line of
/// nothing but an id says only that it was acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Ack {
    id: PaymentId,
    sent: Option<Sent>,
    outcome: Option<Status>,
}

impl Ack {
    /// Whether this is the line by which a payment is counted.
    fn is_first(&self) -> bool {
        self.outcome.is_none() && self.sent.as_ref().is_none_or(|sent| sent.kind != REFUND)
    }
}

/// What was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sent {
    kind: String,
    amount: Money,
}

impl FromStr for Ack {
    type Err = String;
    fn from_str(line: &str) -> Result<Self, String> {
        let malformed = || format!("{line:?} is not written as `pi_… charge 1250 eur succeeded`");
        let mut words = line.split_ascii_whitespace();
        let id = words.next().ok_or_else(malformed)?;
        let id: PaymentId = id.parse().map_err(|error| format!("{error}"))?;
        let sent = match (words.next(), words.next(), words.next()) {
            (None, ..) => None,
            (Some(kind), Some(amount), Some(currency)) => {
                let amount_minor = amount.parse().map_err(|_| malformed())?;
                let currency: Currency = currency.to_ascii_uppercase().parse().map_err(|_| malformed())?;
                Some(Sent { kind: kind.to_owned(), amount: Money::new(amount_minor, currency) })
            }
            (Some(_), ..) => return Err(malformed()),
        };
        let outcome = words.next().map(|word| Status::parse(word).ok_or_else(malformed)).transpose()?;
        if words.next().is_some() { Err(malformed()) } else { Ok(Self { id, sent, outcome }) }
    }
}

/// A file with one acknowledgement per line, as it was when it was opened: what is appended later is not read, because the snapshot
/// that it is compared with may be older.
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

    /// Checks that each exists, is at rest, is what was sent and has the outcome that was acknowledged.
    ///
    /// # Errors
    /// If the file or the store cannot be read.
    pub async fn check(mut self, snapshot: &mut dyn Snapshot, report: &mut Report) -> Result<(), AuditError> {
        report.counted.acks = Some(0);
        let mut line = String::new();
        let mut acks: Vec<Ack> = Vec::new();
        loop {
            line.clear();
            let read = (&mut self.reader).take(256).read_line(&mut line)?;
            // A last line without its end was being written when the file was opened.
            let ended = read == 0 || !line.ends_with('\n');
            match line.trim_end().parse() {
                _ if ended => {}
                Ok(ack) => acks.push(ack),
                Err(error) => report.violation(Name::UnreadableAck, error),
            }
            if acks.len() >= LOOKUP_MAX || (ended && !acks.is_empty()) {
                check_all(&mut acks, snapshot, report).await?;
            }
            if ended {
                return Ok(());
            }
        }
    }
}

async fn check_all(
    acks: &mut Vec<Ack>,
    snapshot: &mut dyn Snapshot,
    report: &mut Report,
) -> Result<(), AuditError> {
    let named = payments_named(snapshot, acks.iter().map(|ack| ack.id)).await?;
    for ack in acks.drain(..) {
        if let Some(count) = report.counted.acks.as_mut().filter(|_| ack.is_first()) {
            *count += 1;
        }
        match named.get(&ack.id).map(|row| &row.folded) {
            None => report.violation(Name::LostAcknowledged, ack.id.to_string()),
            Some(Ok(payment)) => compare(&ack, payment, report),
            // An illegal history is reported elsewhere.
            Some(Err(_)) => {}
        }
    }
    Ok(())
}

fn compare(ack: &Ack, payment: &Payment, report: &mut Report) {
    let (id, status) = (ack.id, payment.state().status);
    if !status.is_at_rest() {
        report.violation(Name::UnfinishedAcknowledged, format!("{id} is {}", status.as_str()));
    }
    if let Some(Sent { kind, amount }) = &ack.sent {
        let submission = payment.submission();
        let sound = if kind == REFUND {
            let currency = submission.amount.currency;
            payment.state().refunds.iter().any(|refund| Money::new(refund.amount_minor, currency) == *amount)
        } else {
            (kind.as_str(), *amount) == (submission.kind.as_str(), submission.amount)
        };
        if !sound {
            let text = format!(
                "{id}: a {kind} of {amount} was acknowledged, it is a {} of {} with {} refunds",
                submission.kind.as_str(),
                submission.amount,
                payment.state().refunds.len()
            );
            report.violation(Name::AlteredAcknowledged, text);
        }
    }
    if let Some(outcome) = ack.outcome.filter(|outcome| !has_been(payment, *outcome)) {
        let text =
            format!("{id}: it was told to be {}, and never was; it is {}", outcome.as_str(), status.as_str());
        report.violation(Name::AlteredAcknowledged, text);
    }
}

/// Whether the payment has this status now or, unless the status is final, had it at some version.
fn has_been(payment: &Payment, status: Status) -> bool {
    let is_final = matches!(status, Status::Succeeded | Status::Canceled);
    payment.state().status == status
        || (!is_final
            && (1..payment.version())
                .any(|version| payment.at_version(version).is_some_and(|then| then.state().status == status)))
}
