//! Movements of money, and what wallets hold.

use async_trait::async_trait;
use diesel::prelude::*;

use super::columns::{currency, damaged, signed, unsigned, version_column};
use super::error::StoreError;
use super::multi_row::{Cell, INSERT, INSERT_OR_ROLLBACK, Statement};
use super::{StoreResult, schema};
use crate::domain::ids::{AccountId, PaymentId};
use crate::domain::ledger::{Holdings, LedgerAccount, Movement};
use crate::domain::wallet::WalletId;

/// A wallet as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WalletRecord {
    /// Its owner and currency.
    pub wallet: WalletId,
    /// Its balance, debt and pending money, in minor units.
    pub holdings: Holdings,
}

/// A stored movement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MovementRecord {
    /// The payment that caused it.
    pub payment: PaymentId,
    /// The version of the payment whose event caused it.
    pub version: u32,
    /// Which of that event's movements it is, from 0.
    pub n: u8,
    /// From where to where, and how much.
    pub movement: Movement,
    /// The position in the journal of the batch that made it.
    pub seq: u64,
    /// Its place among the movements of that batch, from 0.
    pub place: u32,
}

/// A movement to append.
#[derive(Debug, Clone, Copy)]
pub struct MovementWrite {
    /// The payment that caused it.
    pub payment: PaymentId,
    /// The version of the payment whose event caused it.
    pub version: u32,
    /// Which of that event's movements it is, from 0.
    pub n: u8,
    /// Its place among the movements of the batch, from 0.
    pub place: u32,
    /// From where to where, and how much.
    pub movement: Movement,
}

/// Movements of payments.
#[async_trait]
pub trait Movements: Send + Sync + 'static {
    /// The movements of these payments, in the order of their ids and versions.
    async fn movement_list(&self, payments: &[PaymentId]) -> StoreResult<Vec<MovementRecord>>;
}

/// Wallets of owners.
#[async_trait]
pub trait Wallets: Send + Sync + 'static {
    /// An owner's wallets.
    async fn wallet_list(&self, owner: AccountId) -> StoreResult<Vec<WalletRecord>>;
}

pub(super) static MOVEMENT_INSERT: Statement = Statement {
    sqlite_verb: INSERT_OR_ROLLBACK,
    head: "movement (payment,version,n,debit,credit,amount,currency,seq,place) VALUES ",
    columns: 9,
    mysql_tail: "",
    sqlite_tail: "",
};

pub(super) static WALLET_UPSERT: Statement = Statement {
    sqlite_verb: INSERT,
    head: "wallet (id,balance,owed,pending) VALUES ",
    columns: 4,
    mysql_tail: " ON DUPLICATE KEY UPDATE balance=VALUES(balance),owed=VALUES(owed),pending=VALUES(pending)",
    sqlite_tail: " ON CONFLICT(id) DO UPDATE SET balance=excluded.balance,owed=excluded.owed,pending=excluded.pending",
};

/// Appends the row of a movement made by the batch at `seq`.
pub(super) fn push_movement(cells: &mut Vec<Cell>, write: &MovementWrite, seq: u64) {
    let movement = &write.movement;
    cells.extend([
        Cell::key(write.payment.as_bytes()),
        Cell::Int(version_column(write.version)),
        Cell::Small(i16::from(write.n)),
        Cell::key(&movement.debit.to_key()),
        Cell::key(&movement.credit.to_key()),
        Cell::Big(movement.amount_minor),
        Cell::Text(movement.currency.code().to_owned()),
        Cell::Big(signed(seq)),
        Cell::Int(version_column(write.place)),
    ]);
}

pub(super) fn push_wallet(cells: &mut Vec<Cell>, wallet: WalletId, held: Holdings) {
    cells.extend([
        Cell::key(&wallet.to_key()),
        Cell::Big(held.balance_minor),
        Cell::Big(held.owed_minor),
        Cell::Big(held.pending_minor),
    ]);
}

#[derive(Queryable, Selectable, Debug)]
#[diesel(table_name = schema::movement)]
pub(super) struct MovementRow {
    payment: Vec<u8>,
    version: i32,
    n: i16,
    debit: Vec<u8>,
    credit: Vec<u8>,
    amount: i64,
    currency: String,
    seq: i64,
    place: i32,
}

impl MovementRow {
    pub(super) fn decode(&self) -> Result<MovementRecord, StoreError> {
        let account = |key: &[u8]| LedgerAccount::from_key(key).ok_or_else(|| damaged("movement account"));
        Ok(MovementRecord {
            payment: PaymentId::from_slice(&self.payment).ok_or_else(|| damaged("movement.payment"))?,
            version: u32::try_from(self.version).unwrap_or(0),
            n: u8::try_from(self.n).map_err(|_| damaged("movement.n"))?,
            movement: Movement {
                debit: account(&self.debit)?,
                credit: account(&self.credit)?,
                amount_minor: self.amount,
                currency: currency(&self.currency)?,
            },
            seq: unsigned(self.seq),
            place: u32::try_from(self.place).map_err(|_| damaged("movement.place"))?,
        })
    }
}

#[derive(Queryable, Selectable, Debug)]
#[diesel(table_name = schema::wallet)]
pub(super) struct WalletRow {
    id: Vec<u8>,
    balance: i64,
    owed: i64,
    pending: i64,
}

impl WalletRow {
    pub(super) fn decode(&self) -> Result<WalletRecord, StoreError> {
        Ok(WalletRecord {
            wallet: WalletId::from_key(&self.id).ok_or_else(|| damaged("wallet.id"))?,
            holdings: Holdings {
                balance_minor: self.balance,
                owed_minor: self.owed,
                pending_minor: self.pending,
            },
        })
    }
}

pub(super) fn wallet_id(bytes: &[u8]) -> Result<WalletId, StoreError> {
    WalletId::from_key(bytes).ok_or_else(|| damaged("wallet key"))
}

macro_rules! ledger_store {
    ($Conn:ty, $Store:ty) => {
        async fn wallet_list(conn: &mut $Conn, owner: AccountId) -> StoreResult<Vec<WalletRecord>> {
            use schema::wallet::dsl;
            // A wallet's key starts with its owner.
            let (first, end) = (owner.as_bytes().to_vec(), [owner.as_bytes().as_slice(), b"\xff"].concat());
            let found: Vec<ledger::WalletRow> = dsl::wallet
                .filter(dsl::id.ge(first).and(dsl::id.lt(end)))
                .order(dsl::id.asc())
                .select(ledger::WalletRow::as_select())
                .load(conn)
                .await?;
            found.iter().map(ledger::WalletRow::decode).collect()
        }

        async fn movement_list(conn: &mut $Conn, payments: &[PaymentId]) -> StoreResult<Vec<MovementRecord>> {
            use schema::movement::dsl;
            let mut movements = Vec::with_capacity(payments.len());
            for chunk in payments.chunks(KeyIn::<()>::MAX) {
                let found: Vec<ledger::MovementRow> = dsl::movement
                    .filter(KeyIn::new(dsl::payment, chunk.iter().map(|id| id.as_bytes().to_vec())))
                    .order((dsl::payment.asc(), dsl::version.asc(), dsl::n.asc()))
                    .select(ledger::MovementRow::as_select())
                    .load(conn)
                    .await?;
                for row in &found {
                    movements.push(row.decode()?);
                }
            }
            Ok(movements)
        }

        #[async_trait::async_trait]
        impl $crate::store::Movements for $Store {
            async fn movement_list(&self, payments: &[PaymentId]) -> StoreResult<Vec<MovementRecord>> {
                held!(self, reader, caller, conn => movement_list(conn, payments))
            }
        }

        #[async_trait::async_trait]
        impl $crate::store::Wallets for $Store {
            async fn wallet_list(&self, owner: AccountId) -> StoreResult<Vec<WalletRecord>> {
                held!(self, reader, caller, conn => wallet_list(conn, owner))
            }
        }
    };
}
pub(in crate::store) use ledger_store;
