//! The stored form: the number of the format of everything in a store. A program works with its own form and with no other: it
//! leaves a store of another form as it is, and says what to do.

use super::settings::Access;
use super::{StoreError, StoreResult};

/// The form that this program reads and writes. Every change of what is stored, or of how, raises it, here and in new migrations,
/// which write it. Migrations that exist are never changed.
pub const FORM: u32 = 13;

/// The oldest form that the migrations bring to this one.
pub const OLDEST: u32 = 12;

/// The name of its row in the table `installation`.
pub(super) const NAME: &str = "stored_form";

/// What a store is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To be migrated before anything else is done with it.
    Migrate,
    /// To be used as it is.
    AsItIs,
}

impl From<Access> for Purpose {
    /// Whoever changes rows migrates first.
    fn from(access: Access) -> Self {
        match access {
            Access::ReadOnly => Self::AsItIs,
            Access::ReadWrite => Self::Migrate,
        }
    }
}

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
    /// [`StoreError::OtherForm`] if this program cannot work with it, or not before it is migrated.
    pub(super) fn admit(self, purpose: Purpose, place: &str, instead: &str) -> StoreResult<bool> {
        let written = match (self, purpose) {
            (Self::Nothing, _) => return Ok(false),
            (Self::Form(FORM), _) | (Self::Form(OLDEST..FORM), Purpose::Migrate) => return Ok(true),
            (Self::Form(older @ OLDEST..FORM), Purpose::AsItIs) => {
                return Err(StoreError::OtherForm(format!(
                    "{place} was written in stored form {older}, by an older paystorm; this one needs stored form {FORM}. \
                     `paystorm migrate` brings it there, after which the older one cannot read it. Nothing was changed"
                )));
            }
            (Self::Unnumbered, _) => "by an older paystorm, before stored forms had numbers".to_owned(),
            (Self::Form(older @ 0..FORM), _) => format!("in stored form {older}, by an older paystorm"),
            (Self::Form(newer), _) => format!("in stored form {newer}, by a newer paystorm"),
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

    fn admit(found: Found, purpose: Purpose) -> StoreResult<bool> {
        found.admit(purpose, "/data/paystorm.sqlite3", "an empty data directory")
    }

    #[test]
    fn only_its_own_form_and_those_it_can_migrate_are_admitted() {
        for purpose in [Purpose::Migrate, Purpose::AsItIs] {
            assert!(matches!(admit(Found::Nothing, purpose), Ok(false)));
            assert!(matches!(admit(Found::of(Some(FORM.to_string().as_bytes())), purpose), Ok(true)));
            for (found, expected) in [
                (
                    Found::of(None),
                    "was written by an older paystorm, before stored forms had numbers".to_owned(),
                ),
                (Found::of(Some(&[7; 32])), "before stored forms had numbers".to_owned()),
                (
                    Found::Form(OLDEST - 1),
                    format!("was written in stored form {}, by an older paystorm", OLDEST - 1),
                ),
                (
                    Found::Form(FORM + 1),
                    format!("was written in stored form {}, by a newer paystorm", FORM + 1),
                ),
            ] {
                let error = admit(found, purpose).expect_err("another form").to_string();
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
        for form in OLDEST..FORM {
            assert!(matches!(admit(Found::Form(form), Purpose::Migrate), Ok(true)));
            let error = admit(Found::Form(form), Purpose::AsItIs).expect_err("not migrated").to_string();
            assert!(error.contains("`paystorm migrate`"), "{error}");
        }
    }

    /// Databases that exist were made by these texts: a change of what is stored is a new migration, never a change of an old one.
    #[test]
    fn migrations_that_exist_stay_as_they_are() {
        let hash = |texts: [&[u8]; 2]| {
            let mut hasher = blake3::Hasher::new();
            for text in texts {
                hasher.update(text);
            }
            hasher.finalize().to_hex().get(..16).map(str::to_owned)
        };
        macro_rules! up {
            ($name:literal) => {
                hash([
                    include_bytes!(concat!("../../migrations/sqlite/", $name, "/up.sql")),
                    include_bytes!(concat!("../../migrations/mysql/", $name, "/up.sql")),
                ])
            };
        }
        assert_eq!(up!("0001_store").as_deref(), Some("e1a5177c02940878"));
        assert_eq!(up!("0002_scenarios").as_deref(), Some("05eefc27e4c0320b"));
    }

    #[test]
    fn the_last_migration_writes_it() {
        for (migration, value) in [
            (
                include_str!("../../migrations/sqlite/0002_scenarios/up.sql"),
                format!("CAST('{FORM}' AS BLOB)"),
            ),
            (include_str!("../../migrations/mysql/0002_scenarios/up.sql"), format!("'{FORM}'")),
        ] {
            let row = format!("UPDATE installation SET value = {value} WHERE name = '{NAME}';");
            assert!(migration.contains(&row), "{row}");
        }
    }
}
