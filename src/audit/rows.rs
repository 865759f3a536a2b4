//! Rows that are there to be listed by: refunds by their id, transfers by those who received them.

use super::named::payments_named;
use super::report::{Name, Report};
use crate::domain::ids::AccountId;
use crate::domain::payment::Payment;
use crate::domain::status::Status;
use crate::domain::submission::Kind;
use crate::store::{Snapshot, StoreError};

/// Every refund row points at the payment that tells of it, and every refund that is told of has its row: ids are unique,
/// so equal counts prove the second.
pub async fn refunds(snapshot: &mut dyn Snapshot, limit: u32, report: &mut Report) -> Result<(), StoreError> {
    let (mut after, mut sound) = (None, 0_u64);
    loop {
        let page = snapshot.refunds(after, limit).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        let named = payments_named(snapshot, page.iter().map(|row| row.payment)).await?;
        for row in &page {
            report.counted.refunds += 1;
            let payment = named.get(&row.payment).and_then(|payment| payment.folded.as_ref().ok());
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
    report.sound_refunds += sound;
    Ok(())
}

/// Who received a payment from someone else.
pub fn received_by(payment: &Payment) -> Option<AccountId> {
    let payee = match payment.submission().kind {
        Kind::Transfer { payee } => payee,
        Kind::Charge | Kind::TopUp | Kind::Payout { .. } => return None,
    };
    (payment.state().status == Status::Succeeded && payee != payment.owner()).then_some(payee)
}

/// Every receipt is of a transfer that its payee received, and every such transfer has one: as with refunds.
pub async fn receipts(
    snapshot: &mut dyn Snapshot,
    limit: u32,
    report: &mut Report,
) -> Result<(), StoreError> {
    let (mut after, mut sound) = (None, 0_u64);
    loop {
        let page = snapshot.receipts(after, limit).await?;
        let Some(last) = page.last() else { break };
        after = Some(*last);
        let named = payments_named(snapshot, page.iter().map(|row| row.payment)).await?;
        for row in &page {
            let payment = named.get(&row.payment).and_then(|payment| payment.folded.as_ref().ok());
            if payment.and_then(received_by) == Some(row.payee) {
                sound += 1;
            } else {
                let text = format!("payment {}: {} did not receive it", row.payment, row.payee);
                report.violation(Name::DanglingReceipt, text);
            }
        }
    }
    report.sound_receipts += sound;
    Ok(())
}

/// Called with what all looks say together.
pub fn none_missing(report: &mut Report) {
    if let Some(missing @ 1..) = report.history_refunds.checked_sub(report.sound_refunds) {
        report.violation(
            Name::MissingRefund,
            format!("{missing} refunds of payments have no row of their own"),
        );
    }
    if let Some(missing @ 1..) = report.history_receipts.checked_sub(report.sound_receipts) {
        let text = format!("{missing} transfers that arrived are not listed for their payees");
        report.violation(Name::MissingReceipt, text);
    }
}
