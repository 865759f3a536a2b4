//! Looks up who an account is, from memory where possible: names for rows, parents for "may act for", existence for
//! transfers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::cache::TwoGenerationCache;
use super::email::Email;
use crate::domain::ids::AccountId;
use crate::store::{Account, PipelineStore, StoreResult};

/// Accounts remembered at once; some 200 bytes each.
const PROFILES_MAX: usize = 100_000;
/// How long a profile is trusted where it matters that the account still exists. For that long, a payment to an account
/// closed on another instance may get as far as the sequencer, which asks the store and refuses it.
const FRESH_FOR: Duration = Duration::from_secs(60);

/// What others may know of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Its id.
    pub id: AccountId,
    /// The name shown to others.
    pub name: Arc<str>,
    /// The account that made it.
    pub parent: Option<AccountId>,
    /// Whether it is lean: without statements and events.
    pub lean: bool,
    /// Whether it is closed: it keeps its name, and nobody can pay it or act for it.
    pub closed: bool,
}

/// A bounded cache of profiles in front of the store. Names and parents never change and rows are never deleted, so
/// entries do not expire; whether an account was closed is asked again after a while where it matters.
pub struct Directory {
    store: Arc<dyn PipelineStore>,
    profiles: TwoGenerationCache<AccountId, (Arc<Profile>, Instant)>,
    by_email: TwoGenerationCache<String, AccountId>,
}

impl std::fmt::Debug for Directory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Directory").field("profiles", &self.profiles.len()).finish_non_exhaustive()
    }
}

impl Directory {
    /// An empty directory over this store.
    #[must_use]
    pub fn new(store: Arc<dyn PipelineStore>) -> Self {
        Self {
            store,
            profiles: TwoGenerationCache::new(PROFILES_MAX),
            by_email: TwoGenerationCache::new(PROFILES_MAX),
        }
    }

    /// The profile, if it is in memory.
    #[must_use]
    pub fn cached(&self, id: AccountId) -> Option<Arc<Profile>> {
        self.profiles.get(&id).map(|(profile, _)| profile)
    }

    /// The account's name as far as memory knows it, else its id.
    #[must_use]
    pub fn name(&self, id: AccountId) -> Arc<str> {
        self.cached(id).map_or_else(|| Arc::from(id.to_string()), |profile| Arc::clone(&profile.name))
    }

    /// Loads the profiles of these accounts into memory, with at most one query per thousand.
    ///
    /// # Errors
    /// The store's.
    pub async fn load(&self, ids: impl IntoIterator<Item = AccountId>) -> StoreResult<()> {
        self.fetch(ids.into_iter().filter(|id| self.cached(*id).is_none()).collect()).await
    }

    /// The same, and asks again about those that were read too long ago to know whether they are closed.
    ///
    /// # Errors
    /// The store's.
    pub async fn load_fresh(&self, ids: impl IntoIterator<Item = AccountId>) -> StoreResult<()> {
        let stale =
            |id: &AccountId| self.profiles.get(id).is_none_or(|(_, read_at)| read_at.elapsed() >= FRESH_FOR);
        self.fetch(ids.into_iter().filter(stale).collect()).await
    }

    async fn fetch(&self, mut missing: Vec<AccountId>) -> StoreResult<()> {
        missing.sort_unstable();
        missing.dedup();
        for chunk in missing.chunks(1_000) {
            self.store.account_get(chunk).await?.iter().for_each(|account| self.remember(account));
        }
        Ok(())
    }

    /// The profile of an account; `None` if there is no such account.
    ///
    /// # Errors
    /// The store's.
    pub async fn get(&self, id: AccountId) -> StoreResult<Option<Arc<Profile>>> {
        if let Some(profile) = self.cached(id) {
            return Ok(Some(profile));
        }
        self.load([id]).await?;
        Ok(self.cached(id))
    }

    /// The profile of an account that is not closed; `None` also if there is none.
    ///
    /// # Errors
    /// The store's.
    pub async fn open(&self, id: AccountId) -> StoreResult<Option<Arc<Profile>>> {
        self.load_fresh([id]).await?;
        Ok(self.cached(id).filter(|profile| !profile.closed))
    }

    /// The account with this address; a closed account has given up its own.
    ///
    /// # Errors
    /// The store's.
    pub async fn by_email(&self, email: &Email) -> StoreResult<Option<AccountId>> {
        if let Some(id) = self.by_email.get(email.as_str()) {
            if self.open(id).await?.is_some() {
                return Ok(Some(id));
            }
            self.by_email.remove(email.as_str());
        }
        let account = self.account_by_email(email).await?;
        let Some(account) = account else { return Ok(None) };
        self.remember(&account);
        self.by_email.insert(email.as_str().to_owned(), account.id);
        Ok(Some(account.id))
    }

    /// The account with this address as the store has it now.
    ///
    /// # Errors
    /// The store's.
    pub async fn account_by_email(&self, email: &Email) -> StoreResult<Option<Account>> {
        for spelling in email.spellings() {
            if let Some(account) = self.store.account_by_email(spelling).await? {
                return Ok(Some(account));
            }
        }
        Ok(None)
    }

    /// Forgets an account and those it made, so that the store is asked about them again.
    pub fn forget(&self, id: AccountId) {
        self.profiles.retain(|known, (profile, _)| *known != id && profile.parent != Some(id));
        self.by_email.retain(|_, known| *known != id);
    }

    /// Keeps what a store row says.
    pub fn remember(&self, account: &Account) {
        let closed = account.closed_at.is_some();
        let profile = Profile {
            id: account.id,
            name: Arc::from(account.name.as_str()),
            parent: account.parent,
            lean: account.terms.lean,
            closed,
        };
        self.profiles.insert(account.id, (Arc::new(profile), Instant::now()));
        if let Some(email) = &account.email {
            self.by_email.insert(email.clone(), account.id);
        }
    }
}

impl crate::search::AccountNames for Directory {
    fn name_of(&self, account: AccountId) -> Option<Arc<str>> {
        self.cached(account).map(|profile| Arc::clone(&profile.name))
    }
}
