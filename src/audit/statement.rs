//! Checks statements: every line is what the payment's history and the place of its movement say, in a full account's wallet; each
//! balance continues the one before; and none is missing up to the reader's position.

use std::collections::HashMap;

use super::named::payments_named;
use super::people::People;
use super::report::{Name, Report};
use crate::domain::ids::PaymentId;
use crate::domain::payment::Payment;
use crate::domain::statement::{self, LinePlace, StatementLine};
use crate::domain::wallet::WalletId;
use crate::store::{AuditPayment, MovementRecord, Snapshot, StoreError};

/// Lines read at once; their payments are looked up together.
const LINES: u32 = 1_000;

/// Up to which position statements and events are checked, and whose there are.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The position of the reader that writes them.
    pub upto: u64,
    /// Every account.
    pub people: &'a People,
}

/// The reader's position, if there is one and accounts are checked.
///
/// # Errors
/// If the store cannot be read.
pub async fn scope<'a>(
    snapshot: &mut dyn Snapshot,
    people: Option<&'a People>,
) -> Result<Option<Scope<'a>>, StoreError> {
    let cursors = snapshot.cursors().await?;
    let upto = cursors.into_iter().find(|(name, _)| name == statement::READER).map(|(_, at)| at);
    Ok(upto.zip(people).map(|(upto, people)| Scope { upto, people }))
}

/// How many lines each wallet must have.
#[derive(Debug, Default)]
pub struct Wanted(HashMap<WalletId, u64>);

impl Wanted {
    /// Adds the lines of a payment whose movements are these.
    pub fn add(&mut self, payment: &Payment, movements: &[MovementRecord], scope: Scope<'_>) {
        for draft in statement::drafts(payment, 1..payment.version().saturating_add(1)) {
            let made = |record: &&MovementRecord| {
                (record.version, record.n) == (draft.id().version, draft.n) && record.seq <= scope.upto
            };
            if scope.people.is_full(draft.wallet().owner) && movements.iter().any(|record| made(&record)) {
                *self.0.entry(draft.wallet()).or_default() += 1;
            }
        }
    }

    /// Adds what others have counted.
    pub fn join(&mut self, other: Self) {
        for (wallet, count) in other.0 {
            *self.0.entry(wallet).or_default() += count;
        }
    }

    /// Checks every line.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn check(
        mut self,
        snapshot: &mut dyn Snapshot,
        scope: Scope<'_>,
        report: &mut Report,
    ) -> Result<(), StoreError> {
        let mut after = None;
        let mut so_far = SoFar::default();
        loop {
            let page = snapshot.statement(after, LINES).await?;
            let Some(last) = page.last() else { break };
            after = Some((last.wallet, last.place));
            let payments = payments_named(snapshot, page.iter().map(|line| line.id.payment)).await?;
            let ids: Vec<PaymentId> = payments.keys().copied().collect();
            let places = snapshot.movements_of(&ids).await?;
            let places: HashMap<_, _> = places
                .iter()
                .map(|record| {
                    let place = LinePlace { seq: record.seq, place: record.place };
                    ((record.payment, record.version, record.n), place)
                })
                .collect();
            for line in &page {
                report.counted.lines += 1;
                if so_far.wallet != Some(line.wallet) {
                    self.ended(&so_far, report);
                    so_far = SoFar { wallet: Some(line.wallet), ..SoFar::default() };
                }
                so_far.lines += 1;
                so_far.balance_minor = so_far.balance_minor.saturating_add(line.net_minor());
                if let Some(cause) = wrong(line, &payments, &places, so_far.balance_minor, scope) {
                    let text = format!("{} of {}: {cause}", line.id, line.wallet.owner);
                    report.violation(Name::WrongLine, text);
                }
                // What follows is compared with what is written.
                so_far.balance_minor = line.balance_minor;
            }
        }
        self.ended(&so_far, report);
        let mut left: Vec<_> = self.0.into_iter().collect();
        left.sort_unstable();
        for (wallet, count) in left {
            let text =
                format!("{} {}: its statement has none of {count} lines", wallet.owner, wallet.currency);
            report.violation(Name::MissingLine, text);
        }
        Ok(())
    }

    /// A wallet's lines have ended: they are as many as there should be.
    fn ended(&mut self, so_far: &SoFar, report: &mut Report) {
        let Some(wallet) = so_far.wallet else { return };
        let wanted = self.0.remove(&wallet).unwrap_or(0);
        if wanted != so_far.lines {
            let text = format!(
                "{} {}: its statement has {} lines, its payments come to {wanted}",
                wallet.owner, wallet.currency, so_far.lines
            );
            report.violation(Name::MissingLine, text);
        }
    }
}

/// A wallet's lines so far.
#[derive(Debug, Default)]
struct SoFar {
    wallet: Option<WalletId>,
    lines: u64,
    balance_minor: i64,
}

/// What is wrong with a line.
fn wrong(
    line: &StatementLine,
    payments: &HashMap<PaymentId, AuditPayment>,
    places: &HashMap<(PaymentId, u32, u8), LinePlace>,
    balance_minor: i64,
    scope: Scope<'_>,
) -> Option<String> {
    if !scope.people.is_full(line.wallet.owner) {
        return Some("the account is lean, and has no statement".to_owned());
    }
    if line.place.seq > scope.upto {
        return Some(format!("it stands at {}, its writer at {}", line.place.seq, scope.upto));
    }
    let Some(stored) = payments.get(&line.id.payment) else {
        return Some("its payment does not exist".to_owned());
    };
    // A history that is not legal is reported elsewhere.
    let payment = stored.folded.as_ref().ok()?;
    let version = line.id.version;
    let draft = statement::drafts(payment, version..version.saturating_add(1))
        .into_iter()
        .find(|draft| draft.id() == line.id);
    let Some(draft) = draft else { return Some("its history has no such line".to_owned()) };
    let Some(place) = places.get(&(line.id.payment, version, draft.n)) else {
        return Some("its movement is not there".to_owned());
    };
    let wanted = StatementLine { balance_minor, ..draft.at(*place) };
    (wanted != *line).then(|| format!("it is {line:?}, and should be {wanted:?}"))
}
