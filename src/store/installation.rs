//! Named values of the installation: keys and flags.

use async_trait::async_trait;

use super::StoreResult;
use super::multi_row::{INSERT, Statement};

/// Reads and writes named values.
#[async_trait]
pub trait Installation: Send + Sync + 'static {
    /// The value under this name.
    async fn installation_get(&self, name: &str) -> StoreResult<Option<Vec<u8>>>;

    /// Sets a value unless one is set; returns the one that is set afterwards.
    async fn installation_set_once(&self, name: &str, value: &[u8]) -> StoreResult<Vec<u8>>;

    /// Sets a value, whatever it was.
    async fn installation_set(&self, name: &str, value: &[u8]) -> StoreResult<()>;
}

pub(super) static INSTALLATION_UPSERT: Statement = Statement {
    sqlite_verb: INSERT,
    head: "installation (name,value) VALUES ",
    columns: 2,
    mysql_tail: " ON DUPLICATE KEY UPDATE value=VALUES(value)",
    sqlite_tail: " ON CONFLICT(name) DO UPDATE SET value=excluded.value",
};

macro_rules! installation_store {
    ($Conn:ty, $Store:ty) => {
        async fn installation_get(conn: &mut $Conn, name: &str) -> StoreResult<Option<Vec<u8>>> {
            use schema::installation::dsl;
            Ok(dsl::installation.find(name).select(dsl::value).get_result(conn).await.optional()?)
        }

        async fn installation_set_once(conn: &mut $Conn, name: &str, value: &[u8]) -> StoreResult<Vec<u8>> {
            use schema::installation::dsl;
            diesel::insert_or_ignore_into(dsl::installation)
                .values((dsl::name.eq(name), dsl::value.eq(value.to_vec())))
                .execute(conn)
                .await?;
            Ok(dsl::installation.find(name).select(dsl::value).get_result(conn).await?)
        }

        async fn installation_set(conn: &mut $Conn, name: &str, value: &[u8]) -> StoreResult<()> {
            let row = [Cell::Text(name.to_owned()), Cell::Bytes(value.to_vec())];
            execute_rows(conn, &installation::INSTALLATION_UPSERT, &row).await
        }

        #[async_trait::async_trait]
        impl $crate::store::Installation for $Store {
            async fn installation_get(&self, name: &str) -> StoreResult<Option<Vec<u8>>> {
                held!(self, reader, caller, conn => installation_get(conn, name))
            }

            async fn installation_set_once(&self, name: &str, value: &[u8]) -> StoreResult<Vec<u8>> {
                held!(self, writer, caller, conn => installation_set_once(conn, name, value))
            }

            async fn installation_set(&self, name: &str, value: &[u8]) -> StoreResult<()> {
                held!(self, writer, caller, conn => installation_set(conn, name, value))
            }
        }
    };
}
pub(in crate::store) use installation_store;
