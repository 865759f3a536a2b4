//! API keys, throw-away accounts, and who may act for whom.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{AccountError, Accounts, finish, token};
use crate::domain::account::AccountTerms;
use crate::domain::ids::{AccountId, ApiKeyId};
use crate::store::{Account, ApiKey, NewAccount, NewApiKey, StoreResult};

/// How long a key is trusted without asking the store; the longest a revocation on another instance goes unnoticed.
const KEY_CACHE_TTL: Duration = Duration::from_secs(3);
/// Throw-away accounts created by one call.
pub const CHILDREN_MAX: usize = 10_000;

/// A living key, and whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyHolder {
    /// The key's row; `None` for a key that is lent, which has none.
    pub key: Option<ApiKeyId>,
    /// The account it belongs to.
    pub account: AccountId,
}

/// What is known of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// It is a living key.
    Held(KeyHolder),
    /// It was one once: it opens nothing any more, even where unknown keys do.
    Revoked,
    /// It was never one of ours.
    Unknown,
}

/// A new key. The secret is shown once.
pub struct NewKey {
    /// The secret.
    pub secret: String,
    /// The key's row.
    pub id: ApiKeyId,
}

impl std::fmt::Debug for NewKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A key that this process lends to itself, for as long as it holds this. It is stored nowhere.
pub struct LentKey {
    /// The secret.
    pub secret: String,
    hash: [u8; 32],
    accounts: Arc<Accounts>,
}

impl std::fmt::Debug for LentKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LentKey").finish_non_exhaustive()
    }
}

impl Drop for LentKey {
    fn drop(&mut self) {
        self.accounts.lent.lock().remove(&self.hash);
        self.accounts.keys.remove(&self.hash);
        self.accounts.ended();
    }
}

/// A key as remembered for a few seconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct CachedKey {
    holder: KeyHolder,
    until: Instant,
}

impl CachedKey {
    pub(super) const fn holder(&self) -> KeyHolder {
        self.holder
    }
}

impl Accounts {
    /// Creates an API key.
    ///
    /// # Errors
    /// [`AccountError::Name`], [`AccountError::CardNumber`], or the store.
    pub async fn key_create(&self, account: AccountId, name: &str) -> Result<NewKey, AccountError> {
        let secret = token::new_api_key()?;
        let key = NewApiKey {
            id: ApiKeyId::generate(),
            account,
            secret_hash: token::secret_hash(&secret),
            last4: token::last4(&secret),
            name: self.display_name(name)?,
            created_at: self.wall.now(),
        };
        let made = NewKey { secret, id: key.id };
        let store = Arc::clone(&self.store);
        finish(async move { store.api_key_insert(&key).await }).await?;
        Ok(made)
    }

    /// Lends this process a key to act for an account with, over its own doors.
    ///
    /// # Errors
    /// If the system has no randomness to give.
    pub fn key_lend(self: &Arc<Self>, account: AccountId) -> Result<LentKey, AccountError> {
        let secret = token::new_api_key()?;
        let hash = token::secret_hash(&secret);
        self.lent.lock().insert(hash, KeyHolder { key: None, account });
        Ok(LentKey { secret, hash, accounts: Arc::clone(self) })
    }

    /// The keys of an account, revoked ones included.
    ///
    /// # Errors
    /// The store's.
    pub async fn key_list(&self, account: AccountId) -> StoreResult<Vec<ApiKey>> {
        self.store.api_key_list(account).await
    }

    /// Revokes a key. Its sockets close.
    ///
    /// # Errors
    /// [`AccountError::NotFound`] if this account has no such key to revoke.
    pub async fn key_revoke(&self, account: AccountId, id: ApiKeyId) -> Result<(), AccountError> {
        let (store, now) = (Arc::clone(&self.store), self.wall.now());
        let found = finish(async move { store.api_key_revoke(account, id, now).await }).await?;
        self.keys.retain(|_, cached| cached.holder.key != Some(id));
        self.ended();
        if found { Ok(()) } else { Err(AccountError::NotFound("key")) }
    }

    /// Whose key this is.
    ///
    /// # Errors
    /// The store's.
    pub async fn key_state(&self, secret: &str) -> StoreResult<KeyState> {
        let hash = token::secret_hash(secret);
        let now = Instant::now();
        if let Some(cached) = self.keys.get(&hash)
            && cached.until > now
        {
            return Ok(KeyState::Held(cached.holder));
        }
        let lent = self.lent.lock().get(&hash).copied();
        let (holder, revoked) = match lent {
            Some(holder) => (holder, false),
            None => match self.store.api_key_get(&hash).await? {
                Some(key) => {
                    (KeyHolder { key: Some(key.id), account: key.account }, key.revoked_at.is_some())
                }
                None => {
                    self.keys.remove(&hash);
                    return Ok(KeyState::Unknown);
                }
            },
        };
        if revoked || !self.is_open(holder.account).await? {
            self.keys.remove(&hash);
            return Ok(KeyState::Revoked);
        }
        self.keys.insert(hash, CachedKey { holder, until: now + KEY_CACHE_TTL });
        Ok(KeyState::Held(holder))
    }

    /// Checks that `caller` may act for `target`: itself, or an account it created.
    ///
    /// # Errors
    /// [`AccountError::NotYours`], also where there is no such account.
    pub async fn act_for(&self, caller: AccountId, target: AccountId) -> Result<(), AccountError> {
        if caller == target {
            return Ok(());
        }
        let profile = self.directory.open(target).await?;
        match profile.is_some_and(|profile| profile.parent == Some(caller)) {
            true => Ok(()),
            false => Err(AccountError::NotYours),
        }
    }

    /// Creates throw-away accounts: without e-mail address or password, owned by `parent`.
    ///
    /// # Errors
    /// [`AccountError::Count`] unless `count` is 1 to [`CHILDREN_MAX`]; [`AccountError::Name`]; [`AccountError::CardNumber`]; the store.
    pub async fn children_create(
        &self,
        parent: AccountId,
        count: usize,
        name: &str,
        terms: AccountTerms,
    ) -> Result<Vec<NewAccount>, AccountError> {
        if !(1..=CHILDREN_MAX).contains(&count) {
            return Err(AccountError::Count { max: CHILDREN_MAX });
        }
        let base = self.display_name(name)?;
        let created_at = self.wall.now();
        let scenario = self.account(parent).await?.and_then(|account| account.scenario);
        let child = |n: usize| NewAccount {
            id: AccountId::generate(),
            email: None,
            name: if count == 1 { base.clone() } else { format!("{base} {n}") },
            password_hash: None,
            parent: Some(parent),
            scenario,
            terms,
            created_at,
        };
        let mut children: Vec<NewAccount> = (1..=count).map(child).collect();
        children.sort_unstable_by_key(|account| account.id);
        let store = Arc::clone(&self.store);
        finish(async move { store.account_insert_many(&children).await.map(|()| children) }).await
    }

    /// The throw-away accounts of this one.
    ///
    /// # Errors
    /// The store's.
    pub async fn children(
        &self,
        parent: AccountId,
        after: Option<AccountId>,
        limit: u32,
    ) -> StoreResult<Vec<Account>> {
        self.store.account_children(parent, after, limit).await
    }

    /// Closes a throw-away account. Its payments stay, since the ledger only grows.
    ///
    /// # Errors
    /// [`AccountError::NotYours`] unless `parent` made it.
    pub async fn child_retire(&self, parent: AccountId, child: AccountId) -> Result<(), AccountError> {
        if parent == child {
            return Err(AccountError::NotYours);
        }
        self.act_for(parent, child).await?;
        self.close(child).await
    }
}
