//! Lines of wallets' statements.

use async_trait::async_trait;
use diesel::prelude::*;

use super::columns::{damaged, signed, unsigned, version_column};
use super::error::StoreError;
use super::ledger::wallet_id;
use super::multi_row::{Cell, INSERT, Statement};
use super::{StoreResult, schema};
use crate::domain::ids::{PartId, PaymentId};
use crate::domain::statement::{LineId, LineKind, LinePlace, Side, StatementLine};
use crate::domain::time::Timestamp;
use crate::domain::wallet::WalletId;

/// Which lines of a wallet's statement to list.
#[derive(Debug, Clone, Default)]
pub struct StatementFilter {
    /// Only lines before this place.
    pub before: Option<LinePlace>,
    /// Only lines after this place; the page is then the oldest of those, still newest first.
    pub after: Option<LinePlace>,
    /// Only these kinds; all if empty.
    pub kinds: Vec<LineKind>,
    /// Made at or after.
    pub created_from: Option<Timestamp>,
    /// Made before.
    pub created_to: Option<Timestamp>,
    /// At most so many.
    pub limit: u32,
}

/// Writes, lists and deletes lines of wallets' statements.
#[async_trait]
pub trait Statements: Send + Sync + 'static {
    /// Writes lines. If one is there already, only its balance changes.
    async fn statement_put(&self, lines: &[StatementLine]) -> StoreResult<()>;

    /// Lines of a wallet, newest first.
    async fn statement_list(
        &self,
        wallet: WalletId,
        filter: &StatementFilter,
    ) -> StoreResult<Vec<StatementLine>>;

    /// Wallets that have lines, in the order of their keys.
    async fn statement_wallets(&self, after: Option<WalletId>, limit: u32) -> StoreResult<Vec<WalletId>>;

    /// Deletes the lines of a wallet up to a position in the journal; returns how many.
    async fn statement_delete(&self, wallet: WalletId, upto: u64) -> StoreResult<u64>;
}

pub(super) static STATEMENT_UPSERT: Statement = Statement {
    sqlite_verb: INSERT,
    head: "statement_line (wallet,seq,place,payment,version,side,kind,gross,fee,balance,at,available_at,part) VALUES ",
    columns: 13,
    mysql_tail: " ON DUPLICATE KEY UPDATE balance=VALUES(balance)",
    sqlite_tail: " ON CONFLICT(wallet,seq,place) DO UPDATE SET balance=excluded.balance",
};

pub(super) fn line_cells(line: &StatementLine) -> [Cell; 13] {
    [
        Cell::key(&line.wallet.to_key()),
        Cell::Big(signed(line.place.seq)),
        Cell::Int(version_column(line.place.place)),
        Cell::key(line.id.payment.as_bytes()),
        Cell::Int(version_column(line.id.version)),
        Cell::Small(line.id.side.to_code()),
        Cell::Small(line.kind.to_code()),
        Cell::Big(line.gross_minor),
        Cell::Big(line.fee_minor),
        Cell::Big(line.balance_minor),
        Cell::Big(line.at.micros()),
        Cell::Big(line.available_at.micros()),
        Cell::MaybeBytes(line.part.map(|part| part.as_bytes().to_vec())),
    ]
}

#[derive(Queryable, Selectable, Debug)]
#[diesel(table_name = schema::statement_line)]
pub(super) struct LineRow {
    wallet: Vec<u8>,
    seq: i64,
    place: i32,
    payment: Vec<u8>,
    version: i32,
    side: i16,
    kind: i16,
    gross: i64,
    fee: i64,
    balance: i64,
    at: i64,
    available_at: i64,
    part: Option<Vec<u8>>,
}

impl LineRow {
    pub(super) fn decode(&self) -> Result<StatementLine, StoreError> {
        let part = |bytes: &Vec<u8>| PartId::from_slice(bytes).ok_or_else(|| damaged("statement_line.part"));
        Ok(StatementLine {
            id: LineId {
                payment: PaymentId::from_slice(&self.payment)
                    .ok_or_else(|| damaged("statement_line.payment"))?,
                version: u32::try_from(self.version).unwrap_or(0),
                side: Side::from_code(self.side).ok_or_else(|| damaged("statement_line.side"))?,
            },
            wallet: wallet_id(&self.wallet)?,
            place: LinePlace {
                seq: unsigned(self.seq),
                place: u32::try_from(self.place).map_err(|_| damaged("statement_line.place"))?,
            },
            kind: LineKind::from_code(self.kind).ok_or_else(|| damaged("statement_line.kind"))?,
            gross_minor: self.gross,
            fee_minor: self.fee,
            balance_minor: self.balance,
            at: Timestamp::from_micros(self.at),
            available_at: Timestamp::from_micros(self.available_at),
            part: self.part.as_ref().map(part).transpose()?,
        })
    }
}

macro_rules! statements_store {
    ($Conn:ty, $Store:ty) => {
        async fn statement_put(conn: &mut $Conn, lines: &[StatementLine]) -> StoreResult<()> {
            let cells: Vec<Cell> = lines.iter().flat_map(statements::line_cells).collect();
            execute_rows(conn, &statements::STATEMENT_UPSERT, &cells).await
        }

        async fn statement_list(
            conn: &mut $Conn,
            wallet: WalletId,
            filter: &StatementFilter,
        ) -> StoreResult<Vec<StatementLine>> {
            use schema::statement_line::dsl;
            let backwards = filter.after.is_some();
            let mut query = dsl::statement_line.filter(dsl::wallet.eq(wallet.to_key().to_vec())).into_boxed();
            if let Some(LinePlace { seq, place }) = filter.before {
                let (seq, place) = (signed(seq), columns::version_column(place));
                query = query.filter(dsl::seq.le(seq)).filter(dsl::seq.lt(seq).or(dsl::place.lt(place)));
            }
            if let Some(LinePlace { seq, place }) = filter.after {
                let (seq, place) = (signed(seq), columns::version_column(place));
                query = query.filter(dsl::seq.ge(seq)).filter(dsl::seq.gt(seq).or(dsl::place.gt(place)));
            }
            if !filter.kinds.is_empty() {
                query = query.filter(dsl::kind.eq_any(filter.kinds.iter().map(|kind| kind.to_code())));
            }
            if let Some(from) = filter.created_from {
                query = query.filter(dsl::at.ge(from.micros()));
            }
            if let Some(to) = filter.created_to {
                query = query.filter(dsl::at.lt(to.micros()));
            }
            let query = match backwards {
                true => query.order((dsl::seq.asc(), dsl::place.asc())),
                false => query.order((dsl::seq.desc(), dsl::place.desc())),
            };
            let found: Vec<statements::LineRow> =
                query.limit(i64::from(filter.limit)).select(statements::LineRow::as_select()).load(conn).await?;
            let mut lines = found.iter().map(statements::LineRow::decode).collect::<StoreResult<Vec<_>>>()?;
            if backwards {
                lines.reverse();
            }
            Ok(lines)
        }

        async fn statement_wallets(
            conn: &mut $Conn,
            after: Option<WalletId>,
            limit: u32,
        ) -> StoreResult<Vec<WalletId>> {
            use schema::statement_line::dsl;
            let mut wallets = Vec::new();
            let mut after = after.map_or_else(Vec::new, |wallet| wallet.to_key().to_vec());
            while wallets.len() < usize::try_from(limit).unwrap_or(usize::MAX) {
                // One step of the index for each wallet, however many lines it has.
                let next: Option<Vec<u8>> = dsl::statement_line
                    .filter(dsl::wallet.gt(after))
                    .order(dsl::wallet.asc())
                    .select(dsl::wallet)
                    .first(conn)
                    .await
                    .optional()?;
                let Some(next) = next else { break };
                wallets.push(ledger::wallet_id(&next)?);
                after = next;
            }
            Ok(wallets)
        }

        async fn statement_delete(conn: &mut $Conn, wallet: WalletId, upto: u64) -> StoreResult<u64> {
            use schema::statement_line::dsl;
            let lines = dsl::statement_line
                .filter(dsl::wallet.eq(wallet.to_key().to_vec()))
                .filter(dsl::seq.le(signed(upto)));
            let deleted = diesel::delete(lines).execute(conn).await?;
            Ok(deleted.try_into().unwrap_or(u64::MAX))
        }

        #[async_trait::async_trait]
        impl $crate::store::Statements for $Store {
            async fn statement_put(&self, lines: &[StatementLine]) -> StoreResult<()> {
                held!(self, writer, background, conn => statement_put(conn, lines))
            }

            async fn statement_list(
                &self,
                wallet: WalletId,
                filter: &StatementFilter,
            ) -> StoreResult<Vec<StatementLine>> {
                held!(self, reader, caller, conn => statement_list(conn, wallet, filter))
            }

            async fn statement_wallets(
                &self,
                after: Option<WalletId>,
                limit: u32,
            ) -> StoreResult<Vec<WalletId>> {
                held!(self, reader, background, conn => statement_wallets(conn, after, limit))
            }

            async fn statement_delete(&self, wallet: WalletId, upto: u64) -> StoreResult<u64> {
                held!(self, writer, background, conn => statement_delete(conn, wallet, upto))
            }
        }
    };
}
pub(in crate::store) use statements_store;
