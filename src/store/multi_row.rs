//! Multi-row statements that diesel does not offer for both backends: inserts and upserts of many rows, and `IN` lists,
//! each of a few fixed sizes so that the prepared statement is found in the connection's cache again.
//!
//! Why not diesel's own: its multi-row inserts and `IN` lists are excluded from the statement cache, batch inserts do
//! not compile for SQLite through diesel-async, and MySQL has no `excluded()` (diesel 2.3).

use arrayvec::ArrayVec;
use diesel::backend::Backend;
use diesel::expression::{AppearsOnTable, Expression, SelectableExpression, ValidGrouping};
use diesel::mysql::Mysql;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::serialize::ToSql;
use diesel::sql_types::{BigInt, Binary, Bool, Integer, Nullable, SmallInt, Text};
use diesel::sqlite::Sqlite;

/// Rows per statement, largest first: a batch of any number of rows is a few statements, and a list of keys is at most
/// doubled. 1,024 rows of 12 columns stay well below MySQL's 65,535 and SQLite's 32,766 placeholders.
const SIZES: [usize; 11] = [1024, 512, 256, 128, 64, 32, 16, 8, 4, 2, 1];

/// The most rows of a statement on MySQL, where each statement is a round trip.
pub const ROWS_MAX_MYSQL: usize = 1024;

/// The most rows of a statement on SQLite, which compiles it to a program as long as the statement: a short one that is run again
/// and again stays in the processor's cache.
pub const ROWS_MAX_SQLITE: usize = 64;

/// The most bytes of values in one statement of several rows, so that none comes near MySQL's `max_allowed_packet` (64 MiB
/// unless it was lowered) however large its rows are.
const STATEMENT_BYTES_MAX: usize = 1 << 20;

/// What a statement begins with.
pub const INSERT: &str = "INSERT INTO ";
/// The same on SQLite for new rows of a batch. So that a statement of several rows can fail alone, SQLite copies each page before
/// the statement touches it. Here a failure rolls back the whole transaction anyway, and the copies are spared.
pub const INSERT_OR_ROLLBACK: &str = "INSERT OR ROLLBACK INTO ";

/// One value of a row.
#[derive(Debug, Clone)]
pub enum Cell {
    /// `BIGINT`.
    Big(i64),
    /// `BIGINT`, nullable.
    MaybeBig(Option<i64>),
    /// `INTEGER`.
    Int(i32),
    /// `SMALLINT`.
    Small(i16),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A few bytes: an id or another key.
    Key(Key),
    /// Bytes, nullable.
    MaybeBytes(Option<Vec<u8>>),
    /// Text.
    Text(String),
    /// Text, nullable.
    MaybeText(Option<String>),
}

/// The bytes of a key, held in place, since there are a dozen of them to a payment.
pub type Key = ArrayVec<u8, KEY_BYTES_MAX>;
/// The longest is a hash.
const KEY_BYTES_MAX: usize = 32;

/// A statement over many rows: the text before the values and after them, per dialect.
#[derive(Debug)]
pub struct Statement {
    /// What it begins with on SQLite: [`INSERT`] or [`INSERT_OR_ROLLBACK`].
    pub sqlite_verb: &'static str,
    /// `t (a, b, …) VALUES `.
    pub head: &'static str,
    /// Number of columns.
    pub columns: usize,
    /// What follows the values on MySQL.
    pub mysql_tail: &'static str,
    /// What follows the values on SQLite.
    pub sqlite_tail: &'static str,
}

/// A statement with some rows bound, flattened row by row.
#[derive(Debug)]
pub struct MultiRow<'a> {
    statement: &'static Statement,
    cells: &'a [Cell],
}

impl Cell {
    /// A key. One that is longer than any key is held as bytes.
    pub fn key(key: &[u8]) -> Self {
        Key::try_from(key).map_or_else(|_| Self::Bytes(key.to_vec()), Self::Key)
    }

    /// About how many bytes it takes up in a statement.
    fn bytes(&self) -> usize {
        match self {
            Self::Big(_) | Self::MaybeBig(_) | Self::Int(_) | Self::Small(_) => 8,
            Self::Bytes(value) => value.len(),
            Self::Key(value) => value.len(),
            Self::MaybeBytes(value) => value.as_ref().map_or(0, Vec::len),
            Self::Text(value) => value.len(),
            Self::MaybeText(value) => value.as_ref().map_or(0, String::len),
        }
    }
}

impl Statement {
    /// Cuts rows into statements of the fixed sizes, smaller ones where the rows are large. `cells` holds whole rows,
    /// flattened; a statement takes at most `rows_max`.
    pub fn chunks<'a>(
        &'static self,
        mut cells: &'a [Cell],
        rows_max: usize,
    ) -> impl Iterator<Item = MultiRow<'a>> {
        std::iter::from_fn(move || {
            let size = self.rows_that_fit(cells, rows_max)?;
            let (chunk, rest) = cells.split_at_checked(size * self.columns)?;
            cells = rest;
            Some(MultiRow { statement: self, cells: chunk })
        })
    }

    /// The largest of the fixed sizes that there are rows for and whose bytes fit in one statement; a single row always does.
    fn rows_that_fit(&self, cells: &[Cell], rows_max: usize) -> Option<usize> {
        let [.., smallest] = SIZES;
        let mut bytes = 0;
        let rows = cells
            .chunks_exact(self.columns)
            .take(rows_max)
            .take_while(|row| {
                bytes += row.iter().map(Cell::bytes).sum::<usize>();
                bytes <= STATEMENT_BYTES_MAX
            })
            .count();
        let rows = rows.max(smallest).min(cells.len() / self.columns);
        SIZES.into_iter().find(|size| *size <= rows)
    }
}

fn push_cell<'b, DB>(cell: &'b Cell, out: &mut AstPass<'_, 'b, DB>) -> QueryResult<()>
where
    DB: Backend
        + diesel::sql_types::HasSqlType<BigInt>
        + diesel::sql_types::HasSqlType<Integer>
        + diesel::sql_types::HasSqlType<SmallInt>
        + diesel::sql_types::HasSqlType<Binary>
        + diesel::sql_types::HasSqlType<Text>,
    i64: ToSql<BigInt, DB>,
    i32: ToSql<Integer, DB>,
    i16: ToSql<SmallInt, DB>,
    Vec<u8>: ToSql<Binary, DB>,
    [u8]: ToSql<Binary, DB>,
    String: ToSql<Text, DB>,
    Option<i64>: ToSql<Nullable<BigInt>, DB>,
    Option<Vec<u8>>: ToSql<Nullable<Binary>, DB>,
    Option<String>: ToSql<Nullable<Text>, DB>,
{
    match cell {
        Cell::Big(value) => out.push_bind_param::<BigInt, _>(value),
        Cell::MaybeBig(value) => out.push_bind_param::<Nullable<BigInt>, _>(value),
        Cell::Int(value) => out.push_bind_param::<Integer, _>(value),
        Cell::Small(value) => out.push_bind_param::<SmallInt, _>(value),
        Cell::Bytes(value) => out.push_bind_param::<Binary, _>(value),
        Cell::Key(value) => out.push_bind_param::<Binary, [u8]>(value.as_slice()),
        Cell::MaybeBytes(value) => out.push_bind_param::<Nullable<Binary>, _>(value),
        Cell::Text(value) => out.push_bind_param::<Text, _>(value),
        Cell::MaybeText(value) => out.push_bind_param::<Nullable<Text>, _>(value),
    }
}

macro_rules! multi_row_for {
    ($db:ty, $verb:expr, $tail:ident) => {
        impl QueryFragment<$db> for MultiRow<'_> {
            fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, $db>) -> QueryResult<()> {
                let verb: fn(&Statement) -> &'static str = $verb;
                out.push_sql(verb(self.statement));
                out.push_sql(self.statement.head);
                for (index, row) in self.cells.chunks(self.statement.columns).enumerate() {
                    out.push_sql(if index == 0 { "(" } else { ",(" });
                    for (column, cell) in row.iter().enumerate() {
                        if column > 0 {
                            out.push_sql(",");
                        }
                        push_cell(cell, &mut out)?;
                    }
                    out.push_sql(")");
                }
                out.push_sql(self.statement.$tail);
                Ok(())
            }
        }
    };
}
multi_row_for!(Mysql, |_| INSERT, mysql_tail);
multi_row_for!(Sqlite, |statement| statement.sqlite_verb, sqlite_tail);

impl QueryId for MultiRow<'_> {
    type QueryId = ();
    // The text depends on the number of rows, so the cache looks the statement up by its text.
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Conn> diesel::RunQueryDsl<Conn> for MultiRow<'_> {}

/// `column IN (…)` over byte keys, padded by repeating the last key so that its text is one of a few.
#[derive(Debug, Clone)]
pub struct KeyIn<C> {
    column: C,
    keys: Vec<Vec<u8>>,
}

impl<C> KeyIn<C> {
    /// The largest list one statement takes.
    pub const MAX: usize = 1024;

    /// Keys must not be empty and not more than [`Self::MAX`].
    pub fn new(column: C, keys: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let mut keys: Vec<Vec<u8>> = keys.into_iter().collect();
        let padded = SIZES.into_iter().rev().find(|size| *size >= keys.len()).unwrap_or(keys.len());
        if let Some(last) = keys.last().cloned() {
            keys.resize(padded, last);
        }
        Self { column, keys }
    }
}

macro_rules! key_in_for {
    ($db:ty) => {
        impl<C: QueryFragment<$db>> QueryFragment<$db> for KeyIn<C> {
            fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, $db>) -> QueryResult<()> {
                self.column.walk_ast(out.reborrow())?;
                out.push_sql(" IN (");
                for (index, key) in self.keys.iter().enumerate() {
                    if index > 0 {
                        out.push_sql(",");
                    }
                    out.push_bind_param::<Binary, _>(key)?;
                }
                out.push_sql(")");
                Ok(())
            }
        }
    };
}
key_in_for!(Mysql);
key_in_for!(Sqlite);

impl<C> Expression for KeyIn<C> {
    type SqlType = Bool;
}
impl<C, QS> AppearsOnTable<QS> for KeyIn<C> where C: AppearsOnTable<QS> {}
impl<C, QS> SelectableExpression<QS> for KeyIn<C> where C: SelectableExpression<QS> + AppearsOnTable<QS> {}
impl<C, GB> ValidGrouping<GB> for KeyIn<C> {
    type IsAggregate = diesel::expression::is_aggregate::No;
}
impl<C> QueryId for KeyIn<C> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}
