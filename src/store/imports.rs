//! CSV imports and their rows.

use async_trait::async_trait;
use diesel::prelude::*;

use super::columns::{account_id, damaged, signed, unsigned};
use super::error::StoreError;
use super::multi_row::{Cell, INSERT, Statement};
use super::{StoreResult, schema};
use crate::domain::ids::{AccountId, ImportId, PaymentId};
use crate::domain::time::Timestamp;

/// How far an import has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportState {
    /// Rows are still being read.
    Running,
    /// Every row of the file was read.
    Finished,
    /// It ended before the end of the file.
    Stopped,
}

impl ImportState {
    /// The number stored.
    #[must_use]
    pub const fn to_code(self) -> i16 {
        match self {
            Self::Running => 1,
            Self::Finished => 2,
            Self::Stopped => 3,
        }
    }

    /// The state stored under this number.
    #[must_use]
    pub fn from_code(code: i16) -> Option<Self> {
        [Self::Running, Self::Finished, Self::Stopped].into_iter().find(|state| state.to_code() == code)
    }
}

/// An upload of payments as CSV.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportRecord {
    /// The primary key.
    pub id: ImportId,
    /// The account that uploaded it.
    pub owner: AccountId,
    /// The scope of its rows' keys: the same key under the same name pays once.
    pub name: String,
    /// Whether it still runs, and how it ended.
    pub state: ImportState,
    /// When it began.
    pub created_at: Timestamp,
    /// When it last made progress.
    pub updated_at: Timestamp,
    /// Rows read so far.
    pub rows_read: u64,
    /// Rows that made a payment.
    pub rows_accepted: u64,
    /// Rows whose payment was made before.
    pub rows_known: u64,
    /// Rows that were refused.
    pub rows_refused: u64,
    /// Why it stopped before the end; none unless it did.
    pub cause: Option<String>,
}

/// What became of one row of an import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportRow {
    /// The line of the file on which it begins.
    pub line: u64,
    /// Its key, as far as it could be read.
    pub key: String,
    /// The payment it made, or why it made none.
    pub outcome: Result<PaymentId, RowFault>,
}

/// What was wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowFault {
    /// The column at fault; empty if it is the whole row.
    pub column: String,
    /// What is wrong, as a sentence for the uploader.
    pub message: String,
}

/// Imports of CSV files.
#[async_trait]
pub trait Imports: Send + Sync + 'static {
    /// Adds an import. `false` if its id is taken.
    async fn import_insert(&self, import: &ImportRecord) -> StoreResult<bool>;

    /// Adds rows to an import, then its state, counts and cause as `import` has them.
    async fn import_save(&self, import: &ImportRecord, rows: &[ImportRow]) -> StoreResult<()>;

    /// An owner's import.
    async fn import_get(&self, owner: AccountId, id: ImportId) -> StoreResult<Option<ImportRecord>>;

    /// An owner's imports, newest first.
    async fn import_list(&self, owner: AccountId, limit: u32) -> StoreResult<Vec<ImportRecord>>;

    /// The rows of an import after a line, in the order of the file; only refused ones if asked for.
    async fn import_rows(
        &self,
        import: ImportId,
        after_line: u64,
        refused_only: bool,
        limit: u32,
    ) -> StoreResult<Vec<ImportRow>>;
}

pub(super) static IMPORT_ROW_INSERT: Statement = Statement {
    sqlite_verb: INSERT,
    head: "import_row (import,line,row_key,payment,column_name,message) VALUES ",
    columns: 6,
    mysql_tail: "",
    sqlite_tail: "",
};

pub(super) fn push_import_row(cells: &mut Vec<Cell>, import: ImportId, row: &ImportRow) {
    let (payment, fault) = match &row.outcome {
        Ok(payment) => (Some(payment.as_bytes().to_vec()), None),
        Err(fault) => (None, Some(fault)),
    };
    cells.extend([
        Cell::key(import.as_bytes()),
        Cell::Big(signed(row.line)),
        Cell::Text(row.key.clone()),
        Cell::MaybeBytes(payment),
        Cell::MaybeText(fault.map(|fault| fault.column.clone())),
        Cell::MaybeText(fault.map(|fault| fault.message.clone())),
    ]);
}

/// A row of imports. What an import began with is inserted and never updated.
#[derive(Queryable, Selectable, Insertable, AsChangeset, Debug)]
#[diesel(table_name = schema::import)]
#[diesel(treat_none_as_default_value = false)]
#[diesel(treat_none_as_null = true)]
pub(super) struct ImportTableRow {
    id: Vec<u8>,
    #[diesel(skip_update)]
    owner: Vec<u8>,
    #[diesel(skip_update)]
    name: String,
    state: i16,
    #[diesel(skip_update)]
    created_at: i64,
    updated_at: i64,
    rows_read: i64,
    rows_accepted: i64,
    rows_known: i64,
    rows_refused: i64,
    cause: Option<String>,
}

impl From<&ImportRecord> for ImportTableRow {
    fn from(import: &ImportRecord) -> Self {
        Self {
            id: import.id.as_bytes().to_vec(),
            owner: import.owner.as_bytes().to_vec(),
            name: import.name.clone(),
            state: import.state.to_code(),
            created_at: import.created_at.micros(),
            updated_at: import.updated_at.micros(),
            rows_read: signed(import.rows_read),
            rows_accepted: signed(import.rows_accepted),
            rows_known: signed(import.rows_known),
            rows_refused: signed(import.rows_refused),
            cause: import.cause.clone(),
        }
    }
}

impl ImportTableRow {
    pub(super) fn decode(self) -> Result<ImportRecord, StoreError> {
        Ok(ImportRecord {
            id: ImportId::from_slice(&self.id).ok_or_else(|| damaged("import.id"))?,
            owner: account_id(&self.owner)?,
            name: self.name,
            state: ImportState::from_code(self.state).ok_or_else(|| damaged("import.state"))?,
            created_at: Timestamp::from_micros(self.created_at),
            updated_at: Timestamp::from_micros(self.updated_at),
            rows_read: unsigned(self.rows_read),
            rows_accepted: unsigned(self.rows_accepted),
            rows_known: unsigned(self.rows_known),
            rows_refused: unsigned(self.rows_refused),
            cause: self.cause,
        })
    }
}

#[derive(Queryable, Selectable, Debug)]
#[diesel(table_name = schema::import_row)]
pub(super) struct ImportRowRow {
    line: i64,
    row_key: String,
    payment: Option<Vec<u8>>,
    column_name: Option<String>,
    message: Option<String>,
}

impl ImportRowRow {
    pub(super) fn decode(self) -> Result<ImportRow, StoreError> {
        let outcome = match self.payment {
            Some(id) => Ok(PaymentId::from_slice(&id).ok_or_else(|| damaged("import_row.payment"))?),
            None => Err(RowFault {
                column: self.column_name.unwrap_or_default(),
                message: self.message.unwrap_or_default(),
            }),
        };
        Ok(ImportRow { line: unsigned(self.line), key: self.row_key, outcome })
    }
}

macro_rules! imports_store {
    ($Conn:ty, $Store:ty) => {
        async fn import_insert(conn: &mut $Conn, import: &ImportRecord) -> StoreResult<bool> {
            use schema::import::dsl;
            let inserted = diesel::insert_into(dsl::import)
                .values(imports::ImportTableRow::from(import))
                .execute(conn)
                .await;
            $crate::store::error::inserted(inserted)
        }

        async fn import_save(
            conn: &mut $Conn,
            import: &ImportRecord,
            new_rows: &[ImportRow],
        ) -> StoreResult<()> {
            use schema::import::dsl;
            let mut cells = Vec::with_capacity(new_rows.len() * imports::IMPORT_ROW_INSERT.columns);
            new_rows.iter().for_each(|row| imports::push_import_row(&mut cells, import.id, row));
            execute_rows(conn, &imports::IMPORT_ROW_INSERT, &cells).await?;
            diesel::update(dsl::import.find(import.id.as_bytes().to_vec()))
                .set(imports::ImportTableRow::from(import))
                .execute(conn)
                .await?;
            Ok(())
        }

        async fn import_get(
            conn: &mut $Conn,
            owner: AccountId,
            id: ImportId,
        ) -> StoreResult<Option<ImportRecord>> {
            use schema::import::dsl;
            let found: Option<imports::ImportTableRow> = dsl::import
                .find(id.as_bytes().to_vec())
                .filter(dsl::owner.eq(owner.as_bytes().to_vec()))
                .select(imports::ImportTableRow::as_select())
                .get_result(conn)
                .await
                .optional()?;
            found.map(imports::ImportTableRow::decode).transpose()
        }

        async fn import_list(
            conn: &mut $Conn,
            owner: AccountId,
            limit: u32,
        ) -> StoreResult<Vec<ImportRecord>> {
            use schema::import::dsl;
            let found: Vec<imports::ImportTableRow> = dsl::import
                .filter(dsl::owner.eq(owner.as_bytes().to_vec()))
                .order(dsl::id.desc())
                .limit(i64::from(limit))
                .select(imports::ImportTableRow::as_select())
                .load(conn)
                .await?;
            found.into_iter().map(imports::ImportTableRow::decode).collect()
        }

        async fn import_rows(
            conn: &mut $Conn,
            import: ImportId,
            after_line: u64,
            refused_only: bool,
            limit: u32,
        ) -> StoreResult<Vec<ImportRow>> {
            use schema::import_row::dsl;
            let mut query = dsl::import_row
                .filter(dsl::import.eq(import.as_bytes().to_vec()))
                .filter(dsl::line.gt(signed(after_line)))
                .into_boxed();
            if refused_only {
                query = query.filter(dsl::payment.is_null());
            }
            let found: Vec<imports::ImportRowRow> = query
                .order(dsl::line.asc())
                .limit(i64::from(limit))
                .select(imports::ImportRowRow::as_select())
                .load(conn)
                .await?;
            found.into_iter().map(imports::ImportRowRow::decode).collect()
        }

        #[async_trait::async_trait]
        impl $crate::store::Imports for $Store {
            async fn import_insert(&self, import: &ImportRecord) -> StoreResult<bool> {
                held!(self, writer, caller, conn => import_insert(conn, import))
            }

            async fn import_save(&self, import: &ImportRecord, rows: &[ImportRow]) -> StoreResult<()> {
                held!(self, writer, caller, conn => import_save(conn, import, rows))
            }

            async fn import_get(&self, owner: AccountId, id: ImportId) -> StoreResult<Option<ImportRecord>> {
                held!(self, reader, caller, conn => import_get(conn, owner, id))
            }

            async fn import_list(&self, owner: AccountId, limit: u32) -> StoreResult<Vec<ImportRecord>> {
                held!(self, reader, caller, conn => import_list(conn, owner, limit))
            }

            async fn import_rows(
                &self,
                import: ImportId,
                after_line: u64,
                refused_only: bool,
                limit: u32,
            ) -> StoreResult<Vec<ImportRow>> {
                held!(self, reader, caller, conn => import_rows(conn, import, after_line, refused_only, limit))
            }
        }
    };
}
pub(in crate::store) use imports_store;
