//! Checks the rows that things are listed by: refunds, disputes, warnings and later charges by their ids, transfers by those who received them.

use std::collections::HashSet;

use super::named::payments_named;
use super::report::{Name, Report};
use crate::domain::ids::{AccountId, ChargeId};
use crate::domain::payment::Payment;
use crate::domain::status::Status;
use crate::domain::submission::Kind;
use crate::store::{PartKind, PartRecord, Snapshot, StoreError};

/// The parts that a payment must be found by, worked out from what its history comes to.
pub fn parts_of(payment: &Payment) -> Vec<PartRecord> {
    let (owner, id) = (payment.owner(), payment.id());
    let part = |part, kind, created| PartRecord { id: part, owner, created, payment: id, kind };
    let refunds = payment.state().refunds.iter();
    let refunds = refunds.map(|refund| part(refund.id.into(), PartKind::Refund, refund.created_at));
    let first = ChargeId::of_payment(id);
    let charges = payment.state().charges.iter();
    let later = charges.filter(|charge| charge.id != first && payment.submission().kind == Kind::Charge);
    let later = later.map(|charge| part(charge.id.into(), PartKind::Charge, charge.created_at));
    let disputes = payment.state().disputes.iter();
    let disputes = disputes.map(|dispute| part(dispute.id.into(), PartKind::Dispute, dispute.created_at));
    let warnings = payment.state().warnings.iter();
    let warnings = warnings.map(|it| part(it.id.into(), PartKind::FraudWarning, it.created_at));
    refunds.chain(later).chain(disputes).chain(warnings).collect()
}

/// Checks that every row is of a part that its payment has, and that every such part has its row: ids are unique, so equal counts
/// prove the second.
pub async fn parts(snapshot: &mut dyn Snapshot, limit: u32, report: &mut Report) -> Result<(), StoreError> {
    let (mut after, mut sound) = (None, 0_u64);
    loop {
        let page = snapshot.parts(after, limit).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        let named = payments_named(snapshot, page.iter().map(|row| row.payment)).await?;
        let folded = named.values().filter_map(|payment| payment.folded.as_ref().ok());
        let known: HashSet<PartRecord> = folded.flat_map(parts_of).collect();
        for row in &page {
            report.counted.parts += 1;
            if known.contains(row) {
                sound += 1;
            } else {
                let id = row.id.with_prefix(row.kind.id_prefix());
                let text = format!("{id}: payment {} of {} does not tell of it so", row.payment, row.owner);
                report.violation(Name::DanglingPart, text);
            }
        }
    }
    report.sound_parts += sound;
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

/// Checks that every receipt is of a transfer that its payee received, and that every such transfer has one, by counts again.
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

/// Compares the sums over all readers' reports.
pub fn none_missing(report: &mut Report) {
    if let Some(missing @ 1..) = report.history_parts.checked_sub(report.sound_parts) {
        let text = format!("{missing} refunds, disputes and charges of payments have no row of their own");
        report.violation(Name::MissingPart, text);
    }
    if let Some(missing @ 1..) = report.history_receipts.checked_sub(report.sound_receipts) {
        let text = format!("{missing} transfers that arrived are not listed for their payees");
        report.violation(Name::MissingReceipt, text);
    }
}
