//! Lists of payments: by owner, by payee, by customer, and of those with a parked operation.

use async_trait::async_trait;

use super::StoreResult;
use super::columns::{account_id, damaged};
use super::error::StoreError;
use super::multi_row::{Cell, INSERT, INSERT_OR_ROLLBACK, Statement};
use super::payment_filter::PaymentFilter;
use crate::domain::ids::{AccountId, CustomerId, PaymentId};
use crate::domain::payment::Payment;

/// A payment in its owner's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OwnerPayment {
    /// The owner in whose list it is.
    pub owner: AccountId,
    /// The payment.
    pub payment: PaymentId,
    /// The code of its kind.
    pub kind: i16,
}

/// A transfer that someone has received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReceiptRecord {
    /// Who received it; never its sender.
    pub payee: AccountId,
    /// The transfer.
    pub payment: PaymentId,
}

/// A payment that names its customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CustomerPaymentRecord {
    /// The customer.
    pub customer: CustomerId,
    /// The payment.
    pub payment: PaymentId,
}

/// Pages of payments.
#[async_trait]
pub trait PaymentLists: Send + Sync + 'static {
    /// A page of an owner's payments by id, newest first unless the filter says otherwise.
    async fn payment_list(&self, owner: AccountId, filter: &PaymentFilter) -> StoreResult<Vec<Payment>>;

    /// Payments of an owner with a parked operation, newest first.
    async fn payment_parked(&self, owner: AccountId, limit: u32) -> StoreResult<Vec<Payment>>;

    /// A page of the payments that name a customer, newest first. Kinds are not narrowed.
    async fn customer_payments(
        &self,
        customer: CustomerId,
        filter: &PaymentFilter,
    ) -> StoreResult<Vec<Payment>>;
}

/// Only SQLite has this table. A row that is there already is the same.
pub(super) static OWNER_PAYMENT_INSERT: Statement = Statement {
    sqlite_verb: INSERT,
    head: "owner_payment (owner,payment,kind) VALUES ",
    columns: 3,
    mysql_tail: "",
    sqlite_tail: " ON CONFLICT DO NOTHING",
};

pub(super) static PARKED_UPSERT: Statement = Statement {
    sqlite_verb: INSERT,
    head: "parked (payment,owner) VALUES ",
    columns: 2,
    mysql_tail: " ON DUPLICATE KEY UPDATE owner=VALUES(owner)",
    sqlite_tail: " ON CONFLICT(payment) DO UPDATE SET owner=excluded.owner",
};

pub(super) static RECEIPT_INSERT: Statement = Statement {
    sqlite_verb: INSERT_OR_ROLLBACK,
    head: "receipt (payee,payment) VALUES ",
    columns: 2,
    mysql_tail: "",
    sqlite_tail: "",
};

pub(super) static CUSTOMER_PAYMENT_INSERT: Statement = Statement {
    sqlite_verb: INSERT_OR_ROLLBACK,
    head: "customer_payment (customer,payment) VALUES ",
    columns: 2,
    mysql_tail: "",
    sqlite_tail: "",
};

pub(super) fn push_receipt(cells: &mut Vec<Cell>, receipt: &ReceiptRecord) {
    cells.extend([Cell::key(receipt.payee.as_bytes()), Cell::key(receipt.payment.as_bytes())]);
}

pub(super) fn receipt(payee: &[u8], payment: &[u8]) -> Result<ReceiptRecord, StoreError> {
    Ok(ReceiptRecord {
        payee: account_id(payee)?,
        payment: PaymentId::from_slice(payment).ok_or_else(|| damaged("receipt.payment"))?,
    })
}

pub(super) fn push_customer_payment(cells: &mut Vec<Cell>, record: &CustomerPaymentRecord) {
    cells.extend([Cell::key(record.customer.as_bytes()), Cell::key(record.payment.as_bytes())]);
}

pub(super) fn customer_payment(customer: &[u8], payment: &[u8]) -> Result<CustomerPaymentRecord, StoreError> {
    Ok(CustomerPaymentRecord {
        customer: CustomerId::from_slice(customer).ok_or_else(|| damaged("customer_payment.customer"))?,
        payment: PaymentId::from_slice(payment).ok_or_else(|| damaged("customer_payment.payment"))?,
    })
}

/// A page of the payments that the rows of a side table name, as the filter asks, in no particular order. `$rows` is a boxed query
/// for all of those rows. If not all payments are in the table yet, `$unlisted` gives the others.
macro_rules! payments_beside {
    ($conn:ident, $filter:ident, $rows:expr, $payment:expr) => {
        $crate::store::payment_lists::payments_beside!($conn, $filter, $rows, $payment, |_, _, _| {
            Vec::new()
        })
    };
    ($conn:ident, $filter:ident, $rows:expr, $payment:expr, $unlisted:expr) => {{
        let mut found = found::Found::default();
        let mut past: Option<Vec<u8>> = None;
        for round in 0..FILLED_UP_MAX {
            let wanted = $filter.rows_looked_at(still_wanted($filter.limit, found.rows.len()), round);
            // Read before the table, so that what is written in between is in one of the two.
            let place = past.as_deref().and_then(PaymentId::from_slice);
            let further: Vec<PaymentId> =
                $unlisted(&$filter, place, usize::try_from(wanted).unwrap_or(usize::MAX));
            let mut query = $rows;
            if let Some(before) = $filter.before {
                query = query.filter($payment.lt(before.as_bytes().to_vec()));
            }
            if let Some(after) = $filter.after {
                query = query.filter($payment.gt(after.as_bytes().to_vec()));
            }
            let (from, to) = $filter.id_bounds();
            if let Some(from) = from {
                query = query.filter($payment.ge(from.to_vec()));
            }
            if let Some(to) = to {
                query = query.filter($payment.lt(to.to_vec()));
            }
            query = match (past, $filter.after) {
                (Some(past), Some(_)) => query.filter($payment.gt(past)),
                (Some(past), None) => query.filter($payment.lt(past)),
                (None, _) => query,
            };
            query = match $filter.after {
                Some(_) => query.order($payment.asc()),
                None => query.order($payment.desc()),
            };
            let mut page: Vec<Vec<u8>> = query.limit(wanted).select($payment).load($conn).await?;
            merge(&mut page, further, $filter.after.is_some(), wanted);
            let ids: Vec<PaymentId> = page.iter().filter_map(|id| PaymentId::from_slice(id)).collect();
            let read = payment_get($conn, &ids).await?;
            found.rows.extend(read.rows.into_iter().filter(|one: &Payment| $filter.takes(one)));
            found.damaged.extend(read.damaged);
            past = page.last().cloned();
            if is_last(&page, wanted) || still_wanted($filter.limit, found.rows.len()) == 0 {
                break;
            }
        }
        found
    }};
}
pub(in crate::store) use payments_beside;

macro_rules! payment_lists_store {
    ($Conn:ty, $Store:ty) => {
        async fn payment_list(
            conn: &mut $Conn,
            owner: AccountId,
            filter: &PaymentFilter,
            unlisted: &(dyn Fn(&PaymentFilter, Option<PaymentId>, usize) -> Vec<PaymentId> + Sync),
        ) -> StoreResult<found::Found<Payment>> {
            let mut found = payment_own(conn, owner, filter, unlisted).await?;
            if filter.is_in_times() && has_test_clocks(conn, owner).await? {
                // Payments on test clocks are found by searching all of them, up to a limit.
                let by_test_clocks = PaymentFilter { by_test_clocks: true, ..filter.clone() };
                found.add(payment_own(conn, owner, &by_test_clocks, unlisted).await?);
            }
            let transfers = $crate::domain::payment_kind::PaymentKind::Transfer;
            if filter.received && (filter.kinds.is_empty() || filter.kinds.contains(&transfers)) {
                found.add(payment_received(conn, owner, filter).await?);
            }
            in_page(&mut found.rows, filter.limit, filter.after.is_some(), Payment::id);
            Ok(found)
        }

        /// Cuts these down to a page, newest first: of the oldest of them, or of the newest.
        fn in_page<T, K: Ord>(found: &mut Vec<T>, limit: u32, oldest: bool, key: impl Fn(&T) -> K) {
            found.sort_unstable_by_key(|one| key(one));
            found.dedup_by_key(|one| key(one));
            let limit = limit.try_into().unwrap_or(usize::MAX);
            if oldest {
                found.truncate(limit);
            } else {
                found.drain(..found.len().saturating_sub(limit));
            }
            found.reverse();
        }

        /// Whether the owner has, or had, a test clock.
        async fn has_test_clocks(conn: &mut $Conn, owner: AccountId) -> StoreResult<bool> {
            use schema::resource::dsl;
            let clock = $crate::domain::subject::SubjectKind::Clock.code();
            for deleted in [0, 1] {
                let first: Option<Vec<u8>> = dsl::resource
                    .filter(dsl::owner.eq(owner.as_bytes().to_vec()))
                    .filter(dsl::clock.eq(clocks::clock_key(ClockId::WALL)))
                    .filter(dsl::deleted.eq(deleted))
                    .filter(dsl::subject.ge(vec![clock]))
                    .filter(dsl::subject.lt(vec![clock.saturating_add(1)]))
                    .select(dsl::subject)
                    .first(conn)
                    .await
                    .optional()?;
                if first.is_some() {
                    return Ok(true);
                }
            }
            Ok(false)
        }

        /// How many times a page is filled up, to replace rows that cannot be read or were created at another time.
        const FILLED_UP_MAX: usize = 16;

        /// The owner's own payments, the first of them in the filter's direction, in no particular order. Rows that cannot be read
        /// do not make the page shorter, or the caller would take it for the last one.
        async fn payment_own(
            conn: &mut $Conn,
            owner: AccountId,
            filter: &PaymentFilter,
            unlisted: &(dyn Fn(&PaymentFilter, Option<PaymentId>, usize) -> Vec<PaymentId> + Sync),
        ) -> StoreResult<found::Found<Payment>> {
            let own = || {
                let own = by_owner::table.filter(by_owner::owner.eq(owner.as_bytes().to_vec())).into_boxed();
                match filter.kinds.is_empty() {
                    true => own,
                    false => own.filter(by_owner::kind.eq_any(filter.kinds.iter().map(|kind| kind.to_code()))),
                }
            };
            Ok($crate::store::payment_lists::payments_beside!(
                conn,
                filter,
                own(),
                by_owner::payment,
                unlisted
            ))
        }

        /// Merges payments that are in no list yet into a page of the list.
        fn merge(page: &mut Vec<Vec<u8>>, further: Vec<PaymentId>, forwards: bool, limit: i64) {
            if further.is_empty() {
                return;
            }
            page.extend(further.iter().map(|id| id.as_bytes().to_vec()));
            page.sort_unstable();
            page.dedup();
            if !forwards {
                page.reverse();
            }
            page.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        }

        fn still_wanted(limit: u32, found: usize) -> i64 {
            i64::from(limit).saturating_sub(i64::try_from(found).unwrap_or(i64::MAX)).max(0)
        }

        fn is_last<T>(page: &[T], limit: i64) -> bool {
            i64::try_from(page.len()).unwrap_or(i64::MAX) < limit
        }

        /// Transfers of others that have arrived, within the same bounds; the first of them in the filter's direction.
        async fn payment_received(
            conn: &mut $Conn,
            payee: AccountId,
            filter: &PaymentFilter,
        ) -> StoreResult<found::Found<Payment>> {
            use schema::receipt::dsl;
            let own = || dsl::receipt.filter(dsl::payee.eq(payee.as_bytes().to_vec())).into_boxed();
            Ok($crate::store::payment_lists::payments_beside!(conn, filter, own(), dsl::payment))
        }

        async fn payment_parked(
            conn: &mut $Conn,
            owner: AccountId,
            limit: u32,
        ) -> StoreResult<found::Found<Payment>> {
            use schema::{parked, payment};
            let found: Vec<payments::PaymentRow> = parked::table
                .inner_join(payment::table.on(payment::id.eq(parked::payment)))
                .filter(parked::owner.eq(owner.as_bytes().to_vec()))
                .order(parked::payment.desc())
                .limit(i64::from(limit))
                .select(payments::PaymentRow::as_select())
                .load(conn)
                .await?;
            payments_of(conn, &found).await
        }

        /// Payments that have named this customer, the first of them in the filter's direction.
        async fn customer_payments(
            conn: &mut $Conn,
            customer: CustomerId,
            filter: &PaymentFilter,
        ) -> StoreResult<found::Found<Payment>> {
            use schema::customer_payment::dsl;
            let own =
                || dsl::customer_payment.filter(dsl::customer.eq(customer.as_bytes().to_vec())).into_boxed();
            let mut found =
                $crate::store::payment_lists::payments_beside!(conn, filter, own(), dsl::payment);
            if filter.is_in_times() {
                let by_test_clocks = PaymentFilter { by_test_clocks: true, ..filter.clone() };
                found.add($crate::store::payment_lists::payments_beside!(
                    conn,
                    by_test_clocks,
                    own(),
                    dsl::payment
                ));
            }
            in_page(&mut found.rows, filter.limit, filter.after.is_some(), Payment::id);
            Ok(found)
        }

        #[async_trait::async_trait]
        impl $crate::store::PaymentLists for $Store {
            async fn payment_list(
                &self,
                owner: AccountId,
                filter: &PaymentFilter,
            ) -> StoreResult<Vec<Payment>> {
                let unlisted = self.unlisted(owner).await?;
                held!(self, reader, caller, conn => payment_list(conn, owner, filter, &unlisted)).map(|found| found.sort_out(&self.aside))
            }

            async fn payment_parked(&self, owner: AccountId, limit: u32) -> StoreResult<Vec<Payment>> {
                held!(self, reader, caller, conn => payment_parked(conn, owner, limit)).map(|found| found.sort_out(&self.aside))
            }

            async fn customer_payments(
                &self,
                customer: $crate::domain::ids::CustomerId,
                filter: &PaymentFilter,
            ) -> StoreResult<Vec<Payment>> {
                held!(self, reader, caller, conn => customer_payments(conn, customer, filter)).map(|found| found.sort_out(&self.aside))
            }
        }
    };
}
pub(in crate::store) use payment_lists_store;
