//! Takes the head of the journal. Written by hand, since diesel keeps no prepared `UPDATE`: each batch would prepare it again.

use diesel::backend::Backend;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::serialize::ToSql;
use diesel::sql_types::{BigInt, HasSqlType};

/// Takes the next position, and the batch's time: never that of the batch before, since batches are distinguished by it.
#[derive(Debug, QueryId)]
pub struct HeadTake {
    /// The wall-clock time of the process that takes it, in microseconds.
    pub wall: i64,
}

impl<DB: Backend + HasSqlType<BigInt>> QueryFragment<DB> for HeadTake
where
    i64: ToSql<BigInt, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_sql("UPDATE head SET seq = seq + 1, wall = CASE WHEN wall >= ");
        out.push_bind_param::<BigInt, _>(&self.wall)?;
        out.push_sql(" THEN wall + 1 ELSE ");
        out.push_bind_param::<BigInt, _>(&self.wall)?;
        out.push_sql(" END WHERE shard = 0");
        Ok(())
    }
}

impl<Conn> diesel::RunQueryDsl<Conn> for HeadTake {}
