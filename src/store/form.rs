//! The stored form: the number of the format of everything in a store. A program works with its own form and with no other: it
//! leaves a store of another form as it is, and says what to do.

use super::{StoreError, StoreResult};

/// The form that this program reads and writes. Every change of what is stored, or of how, raises it, here and in both
/// migrations, which write it.
pub const FORM: u32 = 12;

/// The name of its row in the table `installation`.
pub(super) const NAME: &str = "stored_form";

/// What was found where a store may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// No store, or one that was never finished.
    Nothing,
    /// A store from before forms had numbers.
    Unnumbered,
    /// A store of this form.
    Form(u32),
}

impl Found {
    /// From the value stored in a store that exists.
    pub(super) fn of(value: Option<&[u8]>) -> Self {
        let number = value.and_then(|value| std::str::from_utf8(value).ok()?.parse().ok());
        number.map_or(Self::Unnumbered, Self::Form)
    }

    /// Whether there is a store. For the error, `place` names the store and `instead` says what a new one needs.
    ///
    /// # Errors
    /// [`StoreError::OtherForm`] if this program cannot work with it.
    pub(super) fn admit(self, place: &str, instead: &str) -> StoreResult<bool> {
        let written = match self {
            Self::Nothing => return Ok(false),
            Self::Form(FORM) => return Ok(true),
            Self::Unnumbered => "by an older paystorm, before stored forms had numbers".to_owned(),
            Self::Form(older @ 0..FORM) => format!("in stored form {older}, by an older paystorm"),
            Self::Form(newer) => format!("in stored form {newer}, by a newer paystorm"),
        };
        Err(StoreError::OtherForm(format!(
            "{place} was written {written}; this one needs stored form {FORM}. Start with {instead}, or run the version of \
             paystorm that wrote it. Nothing was changed"
        )))
    }
}

/// The query that reads the stored form, for a connection type.
macro_rules! form_queries {
    ($Conn:ty) => {
        #[derive(diesel::QueryableByName)]
        struct MigratedRow {
            #[diesel(sql_type = diesel::sql_types::BigInt)]
            value: i64,
        }

        /// Reads the form of a store that has diesel's table of migrations.
        async fn stored_form(conn: &mut $Conn) -> StoreResult<$crate::store::form::Found> {
            use $crate::store::form::{Found, NAME};
            let query = diesel::sql_query("SELECT COUNT(*) AS value FROM __diesel_schema_migrations");
            let migrated: MigratedRow = query.get_result(conn).await?;
            if migrated.value == 0 {
                return Ok(Found::Nothing);
            }
            Ok(Found::of(installation_get(conn, NAME).await?.as_deref()))
        }
    };
}
pub(super) use form_queries;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_form_is_admitted() {
        let admit = |found: Found| found.admit("/data/paystorm.sqlite3", "an empty data directory");
        assert!(matches!(admit(Found::Nothing), Ok(false)));
        assert!(matches!(admit(Found::of(Some(FORM.to_string().as_bytes()))), Ok(true)));
        for (found, expected) in [
            (Found::of(None), "was written by an older paystorm, before stored forms had numbers".to_owned()),
            (Found::of(Some(&[7; 32])), "before stored forms had numbers".to_owned()),
            (Found::Form(FORM - 1), format!("was written in stored form {}, by an older paystorm", FORM - 1)),
            (Found::Form(FORM + 1), format!("was written in stored form {}, by a newer paystorm", FORM + 1)),
        ] {
            let error = admit(found).expect_err("another form").to_string();
            for part in [
                "/data/paystorm.sqlite3 ",
                &expected,
                &format!("needs stored form {FORM}. "),
                "Start with an empty data directory, or run",
            ] {
                assert!(error.contains(part), "{part}: {error}");
            }
        }
    }

    /// Databases that are there were made by these texts. If one changes, raise [`FORM`], and then the hash here.
    #[test]
    fn a_changed_table_is_another_form() {
        let mut hasher = blake3::Hasher::new();
        hasher.update(include_bytes!("../../migrations/sqlite/0001_store/up.sql"));
        hasher.update(include_bytes!("../../migrations/mysql/0001_store/up.sql"));
        let hash = hasher.finalize().to_hex();
        assert_eq!((FORM, hash.get(..16)), (12, Some("e1a5177c02940878")));
    }

    #[test]
    fn the_migrations_write_it() {
        for (migration, value) in [
            (include_str!("../../migrations/sqlite/0001_store/up.sql"), format!("CAST('{FORM}' AS BLOB)")),
            (include_str!("../../migrations/mysql/0001_store/up.sql"), format!("'{FORM}'")),
        ] {
            let row = format!("INSERT INTO installation (name, value) VALUES ('{NAME}', {value});");
            assert!(migration.contains(&row), "{row}");
        }
    }
}
