//! What `verify` proves: that histories, columns, refund rows, ledger, journal, idempotency rows, index and a list of
//! acknowledged payments agree.
//!
//! May depend on `domain`, the ports and the journal's encoding; changes nothing anywhere. All store checks read one
//! snapshot by keyset pages. Memory is bounded by the number of *wallets* (their sums), never by the number of payments,
//! movements or journal rows; lists of violations and of documents to look at again are capped.
//!
//! - [`payment`]: one payment against its columns and its movements.
//! - [`ledger`]: sums per wallet, money in transit.
//! - [`journal`]: the line without holes, its entries against histories.
//! - [`index`]: documents against payments, looked at again until the lag bound.
//! - [`acks`]: acknowledged payments exist and rest.
//! - [`report`]: violations by name, and what was counted.

pub mod acks;
pub mod index;
pub mod journal;
pub mod ledger;
pub mod payment;
pub mod report;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use crate::domain::ids::{AccountId, PaymentId};
use crate::domain::payment::Payment;
use crate::domain::status::Status;
use crate::domain::submission::Kind;
use crate::store::{AuditPayment, MovementRecord, Snapshot, StoreError};
use acks::AckFile;
use index::{Current, IndexCheck, IndexView};
use ledger::Ledger;
pub use report::{Counted, Name, Report};

/// What to prove, and how.
#[derive(Debug, Clone)]
pub struct AuditOptions {
    /// Forbid open operations, and documents that are behind.
    pub at_rest: bool,
    /// Rows per page.
    pub page: u32,
    /// How long the index may take to catch up with a payment before a difference is a violation.
    pub index_lag: Duration,
    /// The name of the reader of the journal that feeds the index.
    pub index_reader: String,
}

impl Default for AuditOptions {
    fn default() -> Self {
        Self {
            at_rest: false,
            page: 1_000,
            index_lag: Duration::from_secs(15),
            index_reader: "index".to_owned(),
        }
    }
}

/// What keeps an audit from being finished. Violations are no errors: they are in the [`Report`].
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The index could not be read.
    #[error("the index could not be read: {0}")]
    Index(String),
    /// The file of acknowledgements could not be read.
    #[error("the file of acknowledgements could not be read: {0}")]
    Acks(#[from] std::io::Error),
}

/// The index, and the payments as they are now: what a difference is looked at again with.
pub struct IndexSide<'a> {
    /// The index.
    pub view: &'a mut dyn IndexView,
    /// The payments as they are now, not as they were in the snapshot.
    pub current: &'a dyn Current,
}

/// Audits one snapshot, the index beside it, and a file of acknowledgements. Open `acks` *before* the snapshot: what
/// was acknowledged later need not be in it.
///
/// # Errors
/// [`AuditError`] if something could not be read to its end.
pub async fn audit(
    snapshot: &mut dyn Snapshot,
    index: Option<IndexSide<'_>>,
    acks: Option<AckFile>,
    options: &AuditOptions,
) -> Result<Report, AuditError> {
    let mut report = Report::default();
    report.counted.head = snapshot.head().await?;
    let mut ledger = Ledger::default();
    let mut documents = index.map(|side| (IndexCheck::new(options.page), side));
    payments(snapshot, &mut ledger, &mut documents, options, &mut report).await?;
    ledger.check(snapshot, options.page, &mut report).await?;
    journal::check(snapshot, options.page, &mut report).await?;
    refunds(snapshot, options.page, &mut report).await?;
    receipts(snapshot, options.page, &mut report).await?;
    idempotency(snapshot, options.page, &mut report).await?;
    if let Some(acks) = acks {
        acks.check(snapshot, &mut report).await?;
    }
    if let Some((check, side)) = documents {
        check.finish(side, snapshot, options, &mut report).await?;
    }
    Ok(report)
}

/// One pass over payments, their movements and their documents, all in the order of payment ids.
async fn payments(
    snapshot: &mut dyn Snapshot,
    ledger: &mut Ledger,
    documents: &mut Option<(IndexCheck, IndexSide<'_>)>,
    options: &AuditOptions,
    report: &mut Report,
) -> Result<(), AuditError> {
    let mut movements = Movements::new(options.page);
    let mut after = None;
    loop {
        let page = snapshot.payments(after, options.page).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        for row in &page {
            movements.skip_before(row.id, snapshot, ledger, report).await?;
            let own = movements.take(row.id, snapshot).await?;
            one_payment(row, &own, ledger, options, report);
            if let (Some((check, side)), Ok(payment)) = (documents.as_mut(), &row.folded) {
                check.step(payment, side.view).await.map_err(AuditError::Index)?;
            }
        }
    }
    movements.skip_rest(snapshot, ledger, report).await?;
    if let Some((check, side)) = documents.as_mut() {
        check.rest(side.view).await.map_err(AuditError::Index)?;
    }
    Ok(())
}

fn one_payment(
    row: &AuditPayment,
    movements: &[MovementRecord],
    ledger: &mut Ledger,
    options: &AuditOptions,
    report: &mut Report,
) {
    report.counted.payments += 1;
    report.counted.movements += movements.len() as u64;
    movements.iter().for_each(|movement| ledger.add(movement));
    match &row.folded {
        Err(cause) => report.violation(Name::IllegalHistory, format!("payment {}: {cause}", row.id)),
        Ok(payment) => {
            report.history_events += u64::from(payment.version());
            report.history_refunds += payment.state().refunds.len() as u64;
            report.history_receipts += u64::from(received_by(payment).is_some());
            payment::check_history(payment, report);
            payment::check_columns(row, payment, report);
            payment::check_movements(payment, movements, report);
            if options.at_rest {
                payment::check_at_rest(payment, report);
            }
            ledger.expect_in_transit(payment);
        }
    }
}

/// The movements of a snapshot, read page by page in the order of payments.
struct Movements {
    page: u32,
    after: Option<(PaymentId, u32)>,
    buffer: VecDeque<MovementRecord>,
    ended: bool,
}

impl Movements {
    const fn new(page: u32) -> Self {
        Self { page, after: None, buffer: VecDeque::new(), ended: false }
    }

    async fn peek(&mut self, snapshot: &mut dyn Snapshot) -> Result<Option<MovementRecord>, StoreError> {
        if self.buffer.is_empty() && !self.ended {
            let page = snapshot.movements(self.after, self.page).await?;
            self.ended = page.is_empty();
            self.after = page.last().map(|last| (last.payment, last.version)).or(self.after);
            self.buffer.extend(page);
        }
        Ok(self.buffer.front().copied())
    }

    /// The movements of this payment. Their number is bounded by that of a payment's events, unless someone planted them.
    async fn take(
        &mut self,
        payment: PaymentId,
        snapshot: &mut dyn Snapshot,
    ) -> Result<Vec<MovementRecord>, StoreError> {
        let mut own = Vec::new();
        while let Some(movement) = self.peek(snapshot).await?
            && movement.payment == payment
        {
            own.push(movement);
            self.buffer.pop_front();
        }
        Ok(own)
    }

    async fn skip_before(
        &mut self,
        payment: PaymentId,
        snapshot: &mut dyn Snapshot,
        ledger: &mut Ledger,
        report: &mut Report,
    ) -> Result<(), StoreError> {
        while let Some(movement) = self.peek(snapshot).await?
            && movement.payment < payment
        {
            self.orphan(&movement, ledger, report);
        }
        Ok(())
    }

    async fn skip_rest(
        &mut self,
        snapshot: &mut dyn Snapshot,
        ledger: &mut Ledger,
        report: &mut Report,
    ) -> Result<(), StoreError> {
        while let Some(movement) = self.peek(snapshot).await? {
            self.orphan(&movement, ledger, report);
        }
        Ok(())
    }

    fn orphan(&mut self, movement: &MovementRecord, ledger: &mut Ledger, report: &mut Report) {
        report.counted.movements += 1;
        ledger.add(movement);
        let words = payment::movement_words(movement);
        let text =
            format!("payment {} does not exist, version {}: {words}", movement.payment, movement.version);
        report.violation(Name::OrphanMovement, text);
        self.buffer.pop_front();
    }
}

/// Every refund row points at the payment that tells of it, and every refund that is told of has its row: ids are unique,
/// so equal counts prove the second.
async fn refunds(snapshot: &mut dyn Snapshot, limit: u32, report: &mut Report) -> Result<(), AuditError> {
    let (mut after, mut sound) = (None, 0_u64);
    loop {
        let page = snapshot.refunds(after, limit).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        let mut ids: Vec<PaymentId> = page.iter().map(|row| row.payment).collect();
        ids.sort_unstable();
        ids.dedup();
        let mut found = snapshot.payments_by_id(&ids).await?;
        found.sort_unstable_by_key(|payment| payment.id);
        for row in &page {
            report.counted.refunds += 1;
            let at = found.binary_search_by_key(&row.payment, |payment| payment.id).ok();
            let payment = at.and_then(|at| found.get(at)).and_then(|payment| payment.folded.as_ref().ok());
            match payment.filter(|payment| payment.owner() == row.owner && payment.refund(row.id).is_some()) {
                Some(_) => sound += 1,
                None => {
                    let text = format!(
                        "refund {}: payment {} of {} does not tell of it",
                        row.id, row.payment, row.owner
                    );
                    report.violation(Name::DanglingRefund, text);
                }
            }
        }
    }
    if sound < report.history_refunds {
        let missing = report.history_refunds - sound;
        report.violation(
            Name::MissingRefund,
            format!("{missing} refunds of payments have no row of their own"),
        );
    }
    Ok(())
}

/// Who received a payment from someone else.
fn received_by(payment: &Payment) -> Option<AccountId> {
    let payee = match payment.submission().kind {
        Kind::Transfer { payee } => payee,
        Kind::Charge | Kind::TopUp | Kind::Payout { .. } => return None,
    };
    (payment.state().status == Status::Succeeded && payee != payment.owner()).then_some(payee)
}

/// Every receipt is of a transfer that its payee received, and every such transfer has one: as with refunds.
async fn receipts(snapshot: &mut dyn Snapshot, limit: u32, report: &mut Report) -> Result<(), AuditError> {
    let (mut after, mut sound) = (None, 0_u64);
    loop {
        let page = snapshot.receipts(after, limit).await?;
        let Some(last) = page.last() else { break };
        after = Some(*last);
        let mut ids: Vec<PaymentId> = page.iter().map(|row| row.payment).collect();
        ids.sort_unstable();
        ids.dedup();
        let mut found = snapshot.payments_by_id(&ids).await?;
        found.sort_unstable_by_key(|payment| payment.id);
        for row in &page {
            let at = found.binary_search_by_key(&row.payment, |payment| payment.id).ok();
            let payment = at.and_then(|at| found.get(at)).and_then(|payment| payment.folded.as_ref().ok());
            if payment.and_then(received_by) == Some(row.payee) {
                sound += 1;
            } else {
                let text = format!("payment {}: {} did not receive it", row.payment, row.payee);
                report.violation(Name::DanglingReceipt, text);
            }
        }
    }
    if sound < report.history_receipts {
        let missing = report.history_receipts - sound;
        let text = format!("{missing} transfers that arrived are not listed for their payees");
        report.violation(Name::MissingReceipt, text);
    }
    Ok(())
}

/// Every idempotency row points at a payment that exists and has had the version it remembers.
async fn idempotency(snapshot: &mut dyn Snapshot, limit: u32, report: &mut Report) -> Result<(), AuditError> {
    let mut after = None;
    loop {
        let page = snapshot.idempotency(after, limit).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some((last.key, last.owner));
        let mut ids: Vec<PaymentId> = page.iter().map(|row| row.payment).collect();
        ids.sort_unstable();
        ids.dedup();
        let found = snapshot.payments_by_id(&ids).await?;
        for row in &page {
            report.counted.idempotency += 1;
            let payment = found.iter().find(|payment| payment.id == row.payment);
            let key = String::from_utf8_lossy(&row.key)
                .chars()
                .take_while(char::is_ascii_graphic)
                .collect::<String>();
            let named = format!("key {key:?} of {}: payment {}", row.owner, row.payment);
            match payment.map(|payment| payment.version) {
                None => report.violation(Name::DanglingKey, format!("{named} does not exist")),
                Some(version) if row.version == 0 || row.version > version => report.violation(
                    Name::DanglingKey,
                    format!("{named} never had version {}; it has {version}", row.version),
                ),
                Some(_) => {}
            }
        }
    }
}
