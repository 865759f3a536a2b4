//! Payments by id: their rows, and how they are read.

use std::sync::Arc;

use async_trait::async_trait;
use diesel::prelude::*;

use super::aside::Subject;
use super::columns::{decode, encode, version_column};
use super::error::StoreError;
use super::multi_row::{Cell, INSERT, INSERT_OR_ROLLBACK, Statement};
use super::{StoreResult, schema};
use crate::domain::event::Recorded;
use crate::domain::ids::PaymentId;
use crate::domain::payment::Payment;
use crate::domain::submission::Submission;

/// Payments by id.
#[async_trait]
pub trait Payments: super::AsideRecords {
    /// The payments with these ids, in no particular order; unknown ones are left out, and those that cannot be read are
    /// set aside. The same holds for every list of payments.
    async fn payment_get(&self, ids: &[PaymentId]) -> StoreResult<Vec<Payment>>;

    /// One payment; `None` if there is none.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] also if it exists and cannot be read: that is not the same as there being none.
    async fn payment_one(&self, id: PaymentId) -> StoreResult<Option<Payment>> {
        let found = self.payment_get(&[id]).await?.into_iter().next();
        match self.aside().unreadable(id) {
            Some(cause) if found.is_none() => Err(StoreError::Damaged(cause)),
            Some(_) | None => Ok(found),
        }
    }

    /// All payments in the order of their ids, after `after`, to rebuild the index. An empty page is the end: rows that cannot be
    /// read are skipped until there is one that can.
    async fn payment_scan(&self, after: Option<PaymentId>, limit: u32) -> StoreResult<Vec<Payment>>;
}

pub(super) static PAYMENT_INSERT: Statement = Statement {
    sqlite_verb: INSERT_OR_ROLLBACK,
    head: "payment (id,owner,kind,status,amount,currency,version,submission,history) VALUES ",
    columns: 9,
    mysql_tail: "",
    sqlite_tail: "",
};

pub(super) static PAYMENT_UPDATE: Statement = Statement {
    sqlite_verb: INSERT,
    head: "payment (id,owner,kind,status,amount,currency,version,submission,history) VALUES ",
    columns: 9,
    mysql_tail: " ON DUPLICATE KEY UPDATE status=VALUES(status),amount=VALUES(amount),version=VALUES(version),history=VALUES(history)",
    sqlite_tail: " ON CONFLICT(id) DO UPDATE SET status=excluded.status,amount=excluded.amount,version=excluded.version,history=excluded.history",
};

/// Appends a payment's row. `fresh`: all columns; otherwise the submission stays as stored.
pub(super) fn push_payment(cells: &mut Vec<Cell>, payment: &Payment, fresh: bool) -> Result<(), StoreError> {
    let submission = payment.submission();
    let state = payment.state();
    cells.extend([
        Cell::key(submission.id.as_bytes()),
        Cell::key(submission.owner.as_bytes()),
        Cell::Small(submission.kind.payment_kind().to_code()),
        Cell::Small(state.status.to_code()),
        Cell::Big(submission.amount.amount_minor),
        Cell::Text(submission.amount.currency.code().to_owned()),
        Cell::Int(version_column(payment.version())),
        Cell::Bytes(if fresh { encode(payment.submitted().as_ref())? } else { Vec::new() }),
        Cell::Bytes(encode(&payment.history())?),
    ]);
    Ok(())
}

/// The columns that a payment is folded from.
#[derive(Queryable, Selectable, Debug)]
#[diesel(table_name = schema::payment)]
pub(super) struct PaymentRow {
    pub id: Vec<u8>,
    pub submission: Vec<u8>,
    pub history: Vec<u8>,
}

impl PaymentRow {
    pub(super) fn decode(&self) -> Result<Payment, StoreError> {
        let submission: Submission = decode(&self.submission, "submission")?;
        let history: Vec<Recorded> = decode(&self.history, "history")?;
        let id = submission.id;
        if id.as_bytes().as_slice() != self.id {
            return Err(StoreError::Damaged(format!("payment {id} stands under the id of another")));
        }
        Payment::fold(Arc::new(submission), &history)
            .map_err(|error| StoreError::Damaged(format!("payment {id}: {error}")))
    }

    pub(super) fn subject(&self) -> Subject {
        PaymentId::from_slice(&self.id).map_or_else(|| Subject::row("payment", &self.id), Subject::Payment)
    }
}

macro_rules! payments_store {
    ($Conn:ty, $Store:ty) => {
        /// The payments of these rows, with what amendments say; those that cannot be read are set apart.
        async fn payments_of(
            conn: &mut $Conn,
            rows: &[payments::PaymentRow],
        ) -> StoreResult<found::Found<Payment>> {
            let mut found = found::Found::default();
            rows.iter().for_each(|row| found.push(row, std::convert::identity));
            read_terms(conn, &mut found.rows).await?;
            Ok(found.without_unread())
        }

        async fn payment_scan(
            conn: &mut $Conn,
            after: Option<PaymentId>,
            limit: u32,
        ) -> StoreResult<found::Found<Payment>> {
            use schema::payment::dsl;
            let mut found = found::Found::default();
            let mut after = after.map_or_else(Vec::new, |id| id.as_bytes().to_vec());
            loop {
                let page: Vec<payments::PaymentRow> = dsl::payment
                    .filter(dsl::id.gt(after))
                    .order(dsl::id.asc())
                    .limit(i64::from(limit))
                    .select(payments::PaymentRow::as_select())
                    .load(conn)
                    .await?;
                found.add(payments_of(conn, &page).await?);
                match page.last() {
                    Some(last) if found.rows.is_empty() => after = last.id.clone(),
                    Some(_) | None => return Ok(found),
                }
            }
        }

        #[async_trait::async_trait]
        impl $crate::store::Payments for $Store {
            async fn payment_get(&self, ids: &[PaymentId]) -> StoreResult<Vec<Payment>> {
                held!(self, reader, caller, conn => payment_get(conn, ids)).map(|found| found.sort_out(&self.aside))
            }

            async fn payment_scan(&self, after: Option<PaymentId>, limit: u32) -> StoreResult<Vec<Payment>> {
                held!(self, reader, background, conn => payment_scan(conn, after, limit)).map(|found| found.sort_out(&self.aside))
            }
        }
    };
}
pub(in crate::store) use payments_store;
