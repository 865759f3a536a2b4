//! Checks lists of payments by owner, if the store writes them later than the payments themselves: below its mark every payment is
//! listed once, as it is; above it some are. May depend on the store's port. Must not repair anything.

use super::named::payments_named;
use super::report::{Name, Report};
use crate::domain::ids::PaymentId;
use crate::store::{AuditPayment, OwnerPayment, Snapshot, StoreError};

/// Counts a payment that must be listed.
pub fn expect(row: &AuditPayment, below: Option<PaymentId>, report: &mut Report) {
    if below.is_some_and(|below| row.id < below) {
        report.to_list.count(OwnerPayment { owner: row.owner, payment: row.id, kind: row.kind });
    }
}

/// Counts what is listed below the mark, and looks up the payment of each row above it.
///
/// # Errors
/// If the store cannot be read.
pub async fn walk(
    snapshot: &mut dyn Snapshot,
    below: Option<PaymentId>,
    limit: u32,
    report: &mut Report,
) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let page = snapshot.owner_payments(after, limit).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some((last.owner, last.payment));
        let (counted, others): (Vec<OwnerPayment>, Vec<OwnerPayment>) =
            page.iter().partition(|row| below.is_some_and(|below| row.payment < below));
        counted.into_iter().for_each(|row| report.listed_payments.count(row));
        let named = payments_named(snapshot, others.iter().map(|row| row.payment)).await?;
        for row in &others {
            let payment = named.get(&row.payment);
            if payment.is_none_or(|payment| (payment.owner, payment.kind) != (row.owner, row.kind)) {
                let text = format!("payment {}: it is not listed as it is, under {}", row.payment, row.owner);
                report.violation(Name::WrongOwnerPayment, text);
            }
        }
    }
}

/// Compares the sums over all readers' reports.
pub fn settle(report: &mut Report) {
    let (listed, expected) = (report.listed_payments, report.to_list);
    if listed != expected {
        let text = match listed.rows == expected.rows {
            true => "a payment is listed otherwise than it is".to_owned(),
            false => format!("{} payments are listed, of {}", listed.rows, expected.rows),
        };
        report.violation(Name::WrongOwnerPayment, text);
    }
}
