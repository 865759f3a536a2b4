//! The lists of payments by owner: the table `owner_payment`, and the mark below which it is complete. What is not in it yet is
//! kept in [`super::unlisted`].

use diesel::{
    BoolExpressionMethods, ExpressionMethods, OptionalExtension, QueryDsl, RunQueryDsl, SqliteConnection,
};

use super::blocking_dsl::blocking;
use super::unlisted::{Entry, Step};
use crate::domain::ids::{AccountId, PaymentId};
use crate::domain::payment_kind::PaymentKind;
use crate::store::columns::damaged;
use crate::store::multi_row::Cell;
use crate::store::{OwnerPayment, StoreError, StoreResult, payment_lists, schema};

/// The name of the mark among the values of the installation.
const MARK: &str = "owner_payments_below";
/// Many times what can be above the mark. More means that somebody removed it.
const UNLISTED_MAX: i64 = 1 << 20;

/// The mark, and what is not below it: everything if there is none that can be read. A row whose ids cannot be read is in nobody's
/// list; `verify` reports it.
///
/// # Errors
/// [`StoreError::Damaged`] if so much is not listed that the mark cannot be the one that was written.
pub fn unlisted(conn: &mut SqliteConnection) -> StoreResult<(Option<PaymentId>, Vec<Entry>)> {
    use schema::payment::dsl;
    let mark = mark(conn)?;
    let first = mark.map_or_else(Vec::new, |mark| mark.as_bytes().to_vec());
    let found: Vec<(Vec<u8>, Vec<u8>, i16)> = dsl::payment
        .filter(dsl::id.ge(first))
        .limit(UNLISTED_MAX)
        .select((dsl::owner, dsl::id, dsl::kind))
        .load(conn)?;
    if i64::try_from(found.len()).unwrap_or(i64::MAX) >= UNLISTED_MAX {
        let text = format!(
            "{UNLISTED_MAX} payments and more are in no list: the value {MARK} is not the one that was written"
        );
        return Err(StoreError::Damaged(text));
    }
    let entry = |(owner, id, kind): &(Vec<u8>, Vec<u8>, i16)| {
        Some(((AccountId::from_slice(owner)?, PaymentId::from_slice(id)?), PaymentKind::from_code(*kind)?))
    };
    Ok((mark, found.iter().filter_map(entry).collect()))
}

/// The mark, if there is one that can be read.
pub fn mark(conn: &mut SqliteConnection) -> StoreResult<Option<PaymentId>> {
    use schema::installation::dsl;
    let value: Option<Vec<u8>> =
        dsl::installation.find(MARK).select(dsl::value).get_result(conn).optional()?;
    Ok(value.and_then(|value| PaymentId::from_slice(&value)))
}

/// Writes a step, within the transaction of the payments.
pub fn write(conn: &mut SqliteConnection, step: &Step) -> StoreResult<()> {
    let cells: Vec<Cell> = step.rows.iter().flat_map(cells).collect();
    blocking(super::sequenced::execute_rows(conn, &payment_lists::OWNER_PAYMENT_INSERT, &cells))?;
    if let Some(mark) = step.mark {
        use schema::installation::dsl;
        let value = mark.as_bytes().to_vec();
        diesel::replace_into(dsl::installation)
            .values((dsl::name.eq(MARK), dsl::value.eq(value)))
            .execute(conn)?;
    }
    Ok(())
}

fn cells(((owner, payment), kind): &Entry) -> [Cell; 3] {
    [
        Cell::Bytes(owner.as_bytes().to_vec()),
        Cell::Bytes(payment.as_bytes().to_vec()),
        Cell::Small(kind.to_code()),
    ]
}

/// Rows by (owner, payment), for the auditor.
pub fn listed(
    conn: &mut SqliteConnection,
    after: Option<(AccountId, PaymentId)>,
    limit: u32,
) -> StoreResult<Vec<OwnerPayment>> {
    use schema::owner_payment::dsl;
    let (owner, payment) = after.map_or_else(
        || (Vec::new(), Vec::new()),
        |(owner, payment)| (owner.as_bytes().to_vec(), payment.as_bytes().to_vec()),
    );
    let found: Vec<(Vec<u8>, Vec<u8>, i16)> = dsl::owner_payment
        .filter(dsl::owner.ge(owner.clone()))
        .filter(dsl::owner.gt(owner).or(dsl::payment.gt(payment)))
        .order((dsl::owner.asc(), dsl::payment.asc()))
        .limit(i64::from(limit))
        .load(conn)?;
    let row = |(owner, payment, kind): &(Vec<u8>, Vec<u8>, i16)| {
        Ok(OwnerPayment {
            owner: AccountId::from_slice(owner).ok_or_else(|| damaged("owner_payment.owner"))?,
            payment: PaymentId::from_slice(payment).ok_or_else(|| damaged("owner_payment.payment"))?,
            kind: *kind,
        })
    };
    found.iter().map(row).collect()
}
