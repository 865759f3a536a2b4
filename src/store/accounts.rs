//! Accounts: looked up by id and by e-mail address, created, changed and closed; and named flags on them.

use async_trait::async_trait;
use diesel::prelude::*;

use super::clocks::clock_id;
use super::columns::{account_id, damaged, unsigned};
use super::error::StoreError;
use super::multi_row::{Cell, INSERT, Statement};
use super::{StoreResult, schema};
use crate::domain::account::{AccountFacts, AccountTerms, FeePlan};
use crate::domain::country::Country;
use crate::domain::ids::{AccountId, ClockId};
use crate::domain::scenario_revision::ScenarioRevision;
use crate::domain::time::Timestamp;

/// An account to add.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// Set by the caller.
    pub id: AccountId,
    /// Lower-case e-mail address; none for throw-away accounts.
    pub email: Option<String>,
    /// The name shown to others.
    pub name: String,
    /// Argon2id hash in PHC form; none for accounts that cannot sign in.
    pub password_hash: Option<String>,
    /// The account that created it, for throw-away accounts.
    pub parent: Option<AccountId>,
    /// The scenario in force for the account that creates it, which answers its payments too.
    pub scenario: Option<ScenarioRevision>,
    /// Country, currency and fees, fixed for the account's life.
    pub terms: AccountTerms,
    /// When it was created.
    pub created_at: Timestamp,
}

/// An account as stored.
#[derive(Debug, Clone)]
pub struct Account {
    /// The primary key.
    pub id: AccountId,
    /// Lower-case e-mail address; none for throw-away and closed accounts.
    pub email: Option<String>,
    /// The name shown to others.
    pub name: String,
    /// Argon2id hash in PHC form; none if nobody can sign in.
    pub password_hash: Option<String>,
    /// The account that created it, for throw-away accounts.
    pub parent: Option<AccountId>,
    /// The clock that new resources of the account follow.
    pub clock: ClockId,
    /// The scenario that answers its payments; `None` for the world of the settings.
    pub scenario: Option<ScenarioRevision>,
    /// Fixed when it was created.
    pub terms: AccountTerms,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was closed; it belongs to nobody from then on.
    pub closed_at: Option<Timestamp>,
}

/// Looks accounts up by id and by e-mail address.
#[async_trait]
pub trait AccountLookup: Send + Sync + 'static {
    /// The account whose e-mail address is exactly this text.
    async fn account_by_email(&self, email: &str) -> StoreResult<Option<Account>>;

    /// The accounts with these ids.
    async fn account_get(&self, ids: &[AccountId]) -> StoreResult<Vec<Account>>;
}

/// Creates, changes and closes accounts, and keeps flags on them.
#[async_trait]
pub trait Accounts: Send + Sync + 'static {
    /// Adds an account. `false` if the e-mail address is taken.
    async fn account_insert(&self, account: &NewAccount) -> StoreResult<bool>;

    /// Adds many accounts without e-mail address at once (throw-away accounts of load runs).
    async fn account_insert_many(&self, accounts: &[NewAccount]) -> StoreResult<()>;

    /// The accounts created by this one, in the order of their ids; closed ones are left out.
    async fn account_children(
        &self,
        parent: AccountId,
        after: Option<AccountId>,
        limit: u32,
    ) -> StoreResult<Vec<Account>>;

    /// Replaces the password hash.
    async fn account_set_password(&self, id: AccountId, hash: &str) -> StoreResult<()>;

    /// Closes an account and those it created: they lose address and password, their sessions end, their keys are revoked. Their
    /// rows stay. The closing takes a position in the journal, and no later batch treats them as open. `false` if it is closed
    /// already.
    async fn account_close(&self, id: AccountId, now: Timestamp) -> StoreResult<bool>;

    /// Makes new resources of an account follow this clock from now on, unless their customer follows another. `false`, with
    /// nothing changed, if the account is closed or the clock does not exist.
    async fn account_set_clock(&self, id: AccountId, clock: ClockId, now: Timestamp) -> StoreResult<bool>;

    /// Sets a named flag on an account. A flag that is already set keeps its time.
    async fn account_flag_set(&self, account: AccountId, name: &str, now: Timestamp) -> StoreResult<()>;

    /// Removes a flag, if it is set.
    async fn account_flag_delete(&self, account: AccountId, name: &str) -> StoreResult<()>;

    /// The flags of an account by name, at most 100, each with the time at which it was set.
    async fn account_flag_list(&self, account: AccountId) -> StoreResult<Vec<(String, Timestamp)>>;
}

pub(super) static ACCOUNT_INSERT: Statement = Statement {
    sqlite_verb: INSERT,
    head: "account (id,email,name,password_hash,parent,created_at,country,currency,fee_basis_points,fee_fixed,payout_delay_days,lean,scenario) VALUES ",
    columns: 13,
    mysql_tail: "",
    sqlite_tail: "",
};

pub(super) fn account_cells(account: &NewAccount) -> [Cell; 13] {
    [
        Cell::key(account.id.as_bytes()),
        Cell::MaybeText(account.email.clone()),
        Cell::Text(account.name.clone()),
        Cell::MaybeText(account.password_hash.clone()),
        Cell::MaybeBytes(account.parent.map(|parent| parent.as_bytes().to_vec())),
        Cell::Big(account.created_at.micros()),
        Cell::Text(account.terms.country.to_string()),
        Cell::Text(account.terms.currency.code().to_owned()),
        Cell::Int(i32::from(account.terms.fee.basis_points)),
        Cell::Big(account.terms.fee.fixed_minor),
        Cell::Int(i32::from(account.terms.payout_delay_days)),
        Cell::Small(i16::from(account.terms.lean)),
        Cell::MaybeBig(account.scenario.map(|scenario| scenario.seq().cast_signed())),
    ]
}

/// The columns that hold what an account was created with.
#[derive(Queryable, Selectable, Debug)]
#[diesel(table_name = schema::account)]
pub(super) struct TermsRow {
    country: String,
    currency: String,
    fee_basis_points: i32,
    fee_fixed: i64,
    payout_delay_days: i32,
    lean: i16,
}

impl TermsRow {
    fn decode(&self) -> Result<AccountTerms, StoreError> {
        Ok(AccountTerms {
            country: Country::parse(&self.country).ok_or_else(|| damaged("account.country"))?,
            currency: self.currency.parse().map_err(|_| damaged("account.currency"))?,
            fee: FeePlan {
                basis_points: u16::try_from(self.fee_basis_points)
                    .map_err(|_| damaged("account.fee_basis_points"))?,
                fixed_minor: self.fee_fixed,
            },
            payout_delay_days: u16::try_from(self.payout_delay_days)
                .map_err(|_| damaged("account.payout_delay_days"))?,
            lean: self.lean != 0,
        })
    }
}

fn scenario(column: i64) -> Result<ScenarioRevision, StoreError> {
    ScenarioRevision::at(unsigned(column)).ok_or_else(|| damaged("account.scenario"))
}

/// The columns of an account that batches are decided by.
#[derive(Queryable, Selectable, Debug)]
#[diesel(table_name = schema::account)]
pub(super) struct FactsRow {
    id: Vec<u8>,
    closed_at: Option<i64>,
    clock: Option<Vec<u8>>,
    scenario: Option<i64>,
    #[diesel(embed)]
    terms: TermsRow,
}

impl FactsRow {
    pub(super) fn decode(&self) -> Result<(AccountId, AccountFacts), StoreError> {
        let facts = AccountFacts {
            closed: self.closed_at.is_some(),
            terms: self.terms.decode()?,
            clock: self.clock.as_deref().map_or(Ok(ClockId::WALL), clock_id)?,
            scenario: self.scenario.map(scenario).transpose()?,
        };
        Ok((account_id(&self.id)?, facts))
    }
}

#[derive(Queryable, Selectable, Debug)]
#[diesel(table_name = schema::account)]
pub(super) struct AccountRow {
    id: Vec<u8>,
    email: Option<String>,
    name: String,
    password_hash: Option<String>,
    parent: Option<Vec<u8>>,
    clock: Option<Vec<u8>>,
    scenario: Option<i64>,
    created_at: i64,
    closed_at: Option<i64>,
    #[diesel(embed)]
    terms: TermsRow,
}

impl AccountRow {
    pub(super) fn decode(self) -> Result<Account, StoreError> {
        Ok(Account {
            id: account_id(&self.id)?,
            email: self.email,
            name: self.name,
            password_hash: self.password_hash,
            parent: self.parent.as_deref().map(account_id).transpose()?,
            clock: self.clock.as_deref().map_or(Ok(ClockId::WALL), clock_id)?,
            scenario: self.scenario.map(scenario).transpose()?,
            terms: self.terms.decode()?,
            created_at: Timestamp::from_micros(self.created_at),
            closed_at: self.closed_at.map(Timestamp::from_micros),
        })
    }
}

macro_rules! accounts_store {
    ($Conn:ty, $Store:ty) => {
        async fn account_insert_many(conn: &mut $Conn, accounts: &[NewAccount]) -> StoreResult<()> {
            let cells: Vec<Cell> = accounts.iter().flat_map(accounts::account_cells).collect();
            execute_rows(conn, &accounts::ACCOUNT_INSERT, &cells).await
        }

        async fn account_insert(conn: &mut $Conn, account: &NewAccount) -> StoreResult<bool> {
            let cells = accounts::account_cells(account);
            let Some(row) = accounts::ACCOUNT_INSERT.chunks(&cells, 1).next() else {
                return Ok(false);
            };
            $crate::store::error::inserted(row.execute(conn).await)
        }

        async fn account_by_email(conn: &mut $Conn, email: &str) -> StoreResult<Option<Account>> {
            use schema::account::dsl;
            let found: Option<accounts::AccountRow> = dsl::account
                .filter(dsl::email.eq(email))
                .select(accounts::AccountRow::as_select())
                .get_result(conn)
                .await
                .optional()?;
            found.map(accounts::AccountRow::decode).transpose()
        }

        async fn account_get(conn: &mut $Conn, ids: &[AccountId]) -> StoreResult<Vec<Account>> {
            use schema::account::dsl;
            let mut accounts = Vec::with_capacity(ids.len());
            for chunk in ids.chunks(KeyIn::<()>::MAX) {
                let found: Vec<accounts::AccountRow> = dsl::account
                    .filter(KeyIn::new(dsl::id, chunk.iter().map(|id| id.as_bytes().to_vec())))
                    .select(accounts::AccountRow::as_select())
                    .load(conn)
                    .await?;
                for row in found {
                    accounts.push(row.decode()?);
                }
            }
            Ok(accounts)
        }

        async fn account_children(
            conn: &mut $Conn,
            parent: AccountId,
            after: Option<AccountId>,
            limit: u32,
        ) -> StoreResult<Vec<Account>> {
            use schema::account::dsl;
            let after = after.map_or_else(Vec::new, |id| id.as_bytes().to_vec());
            let found: Vec<accounts::AccountRow> = dsl::account
                .filter(dsl::parent.eq(parent.as_bytes().to_vec()))
                .filter(dsl::id.gt(after))
                .filter(dsl::closed_at.is_null())
                .order(dsl::id.asc())
                .limit(i64::from(limit))
                .select(accounts::AccountRow::as_select())
                .load(conn)
                .await?;
            found.into_iter().map(accounts::AccountRow::decode).collect()
        }

        async fn account_set_password(conn: &mut $Conn, id: AccountId, hash: &str) -> StoreResult<()> {
            use schema::account::dsl;
            diesel::update(dsl::account.find(id.as_bytes().to_vec()))
                .set(dsl::password_hash.eq(hash))
                .execute(conn)
                .await?;
            Ok(())
        }

        async fn account_flag_set(
            conn: &mut $Conn,
            account: AccountId,
            name: &str,
            now: Timestamp,
        ) -> StoreResult<()> {
            use schema::account_mark::dsl;
            diesel::insert_or_ignore_into(dsl::account_mark)
                .values((
                    dsl::account.eq(account.as_bytes().to_vec()),
                    dsl::name.eq(name),
                    dsl::at.eq(now.micros()),
                ))
                .execute(conn)
                .await?;
            Ok(())
        }

        async fn account_flag_delete(conn: &mut $Conn, account: AccountId, name: &str) -> StoreResult<()> {
            use schema::account_mark::dsl;
            diesel::delete(dsl::account_mark.find((account.as_bytes().to_vec(), name))).execute(conn).await?;
            Ok(())
        }

        async fn account_flag_list(conn: &mut $Conn, account: AccountId) -> StoreResult<Vec<(String, Timestamp)>> {
            use schema::account_mark::dsl;
            let found: Vec<(String, i64)> = dsl::account_mark
                .filter(dsl::account.eq(account.as_bytes().to_vec()))
                .order(dsl::name.asc())
                .limit(100)
                .select((dsl::name, dsl::at))
                .load(conn)
                .await?;
            Ok(found.into_iter().map(|(name, at)| (name, Timestamp::from_micros(at))).collect())
        }

        #[async_trait::async_trait]
        impl $crate::store::AccountLookup for $Store {
            async fn account_by_email(&self, email: &str) -> StoreResult<Option<Account>> {
                held!(self, reader, caller, conn => account_by_email(conn, email))
            }

            async fn account_get(&self, ids: &[AccountId]) -> StoreResult<Vec<Account>> {
                held!(self, reader, caller, conn => account_get(conn, ids))
            }
        }

        #[async_trait::async_trait]
        impl $crate::store::Accounts for $Store {
            async fn account_insert(&self, account: &NewAccount) -> StoreResult<bool> {
                held!(self, writer, caller, conn => account_insert(conn, account))
            }

            async fn account_insert_many(&self, accounts: &[NewAccount]) -> StoreResult<()> {
                if accounts.len() <= $crate::store::held::ROWS_IN_TIME {
                    return held!(self, writer, caller, conn => account_insert_many(conn, accounts));
                }
                held!(self, writer, background, conn => account_insert_many(conn, accounts))
            }

            async fn account_children(
                &self,
                parent: AccountId,
                after: Option<AccountId>,
                limit: u32,
            ) -> StoreResult<Vec<Account>> {
                held!(self, reader, caller, conn => account_children(conn, parent, after, limit))
            }

            async fn account_set_password(&self, id: AccountId, hash: &str) -> StoreResult<()> {
                held!(self, writer, caller, conn => account_set_password(conn, id, hash))
            }

            async fn account_close(&self, id: AccountId, now: Timestamp) -> StoreResult<bool> {
                let closing = self.close_account(id, now);
                let closed = $crate::store::held::watched(&self.outage, $crate::outage::Way::Write, closing).await;
                match closed {
                    Ok(seq) => Ok(seq > 0),
                    Err(StoreError::CommitUnknown { cause, .. }) => Err(StoreError::Unanswered(cause)),
                    Err(error) => Err(error),
                }
            }

            async fn account_set_clock(
                &self,
                id: AccountId,
                clock: ClockId,
                now: Timestamp,
            ) -> StoreResult<bool> {
                let keys = BatchKeys { accounts: vec![id], clocks: vec![clock], ..BatchKeys::default() };
                let mut set = |head: Head, loaded: Loaded| $crate::store::batch::setting_clock((id, clock), head, &loaded);
                let setting = self.run_batch(BatchId::generate(), now, &keys, &mut set);
                let set = $crate::store::held::watched(&self.outage, $crate::outage::Way::Write, setting).await;
                match set {
                    Ok(seq) => Ok(seq > 0),
                    Err(StoreError::CommitUnknown { cause, .. }) => Err(StoreError::Unanswered(cause)),
                    Err(error) => Err(error),
                }
            }

            async fn account_flag_set(&self, account: AccountId, name: &str, now: Timestamp) -> StoreResult<()> {
                held!(self, writer, caller, conn => account_flag_set(conn, account, name, now))
            }

            async fn account_flag_delete(&self, account: AccountId, name: &str) -> StoreResult<()> {
                held!(self, writer, caller, conn => account_flag_delete(conn, account, name))
            }

            async fn account_flag_list(&self, account: AccountId) -> StoreResult<Vec<(String, Timestamp)>> {
                held!(self, reader, caller, conn => account_flag_list(conn, account))
            }
        }
    };
}
pub(in crate::store) use accounts_store;
