//! Whether a store's tables are those that this program works with, found out without touching them.

use std::collections::BTreeSet;

/// How a store's tables compare with the migrations that this program knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaState {
    /// They are the same.
    Current,
    /// Some migrations have yet to be applied.
    Older,
    /// Migrations were applied that this program does not know.
    Newer,
}

impl SchemaState {
    /// From the versions that were applied and those that are known.
    pub(super) fn of(applied: &[String], known: &[String]) -> Self {
        let (applied, known): (BTreeSet<_>, BTreeSet<_>) = (applied.iter().collect(), known.iter().collect());
        match (applied.is_subset(&known), known.is_subset(&applied)) {
            (true, true) => Self::Current,
            (true, false) => Self::Older,
            (false, _) => Self::Newer,
        }
    }
}

/// The names of the migrations in `$migrations`, and those noted as applied on a connection of this type.
macro_rules! schema_queries {
    ($Conn:ty, $Backend:ty, $migrations:expr) => {
        #[derive(diesel::QueryableByName)]
        struct AppliedRow {
            #[diesel(sql_type = diesel::sql_types::Text)]
            version: String,
        }

        /// Reads the migrations applied; diesel's own way would create its table where there is none.
        async fn schema_state(conn: &mut $Conn) -> StoreResult<$crate::store::SchemaState> {
            use diesel::migration::MigrationSource;
            let query = diesel::sql_query("SELECT version FROM __diesel_schema_migrations");
            let rows: Vec<AppliedRow> = query.load(conn).await?;
            let applied: Vec<String> = rows.into_iter().map(|row| row.version).collect();
            let known = MigrationSource::<$Backend>::migrations(&$migrations)
                .map_err(|error| StoreError::Refused(error.to_string()))?;
            let known: Vec<String> = known.iter().map(|one| one.name().version().to_string()).collect();
            Ok($crate::store::SchemaState::of(&applied, &known))
        }
    };
}
pub(super) use schema_queries;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_sets() {
        let of = |applied: &[&str]| {
            let own = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
            SchemaState::of(&own(applied), &own(&["0001", "0002"]))
        };
        assert_eq!(of(&["0002", "0001"]), SchemaState::Current);
        assert_eq!(of(&["0001"]), SchemaState::Older);
        assert_eq!(of(&["0001", "0002", "0003"]), SchemaState::Newer);
        assert_eq!(of(&["0001", "0003"]), SchemaState::Newer);
    }
}
