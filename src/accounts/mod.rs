//! Accounts: registration, sign-in, sessions, API keys, throw-away accounts, and who may act for whom.
//!
//! May depend on the store's port and on `domain`. Must not know HTTP. Secrets leave this module once, when they are
//! created; only their hashes are stored. Writes run in tasks of their own, so that a client that goes away cannot leave
//! one half done.

pub mod cache;
pub mod directory;
pub mod email;
pub mod error;
mod keys;
mod lifecycle;
pub mod password;
pub mod throttle;
pub mod token;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::clock::Wall;
use crate::domain::account::AccountTerms;
use crate::domain::card_numbers::{holds_card_number, masked};
use crate::domain::ids::{AccountId, SessionId};
use crate::domain::text::{fold, misleads};
use crate::domain::time::Timestamp;
use crate::store::{Account, NewAccount, NewSession, Session, Store, StoreResult};
use cache::TwoGenerationCache;
pub use directory::{Directory, Profile};
pub use email::Email;
pub use error::AccountError;
use keys::CachedKey;
pub use keys::{CHILDREN_MAX, KeyHolder, KeyState, LentKey, NewKey};
use password::{NewPassword, Passwords};
use throttle::Throttle;

/// What the settings say about accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountRules {
    /// Whether anyone may register.
    pub registration: bool,
    /// How long a session lasts.
    pub session_ttl: Duration,
    /// Failed sign-ins per account and address in a quarter of an hour.
    pub login_attempts: u32,
    /// The terms of new accounts, unless others are given.
    pub terms: AccountTerms,
    /// Whether names and addresses that hold a card number are refused.
    pub refuse_card_numbers: bool,
}

impl Default for AccountRules {
    fn default() -> Self {
        Self {
            registration: true,
            session_ttl: Duration::from_secs(14 * 24 * 3_600),
            login_attempts: 5,
            terms: AccountTerms::default(),
            refuse_card_numbers: true,
        }
    }
}

/// API keys remembered at once.
const KEYS_CACHED_MAX: usize = 50_000;
/// Sessions remembered at once.
const SESSIONS_CACHED_MAX: usize = 50_000;
/// How long a session is trusted without asking the store; the longest a sign-out on another instance goes unnoticed.
const SESSION_CACHE_TTL: Duration = Duration::from_secs(3);
/// How often a session's last use is noted, in microseconds.
const SEEN_EVERY_US: u64 = 60_000_000;
const NAME_MAX: usize = 100;
const USER_AGENT_MAX: usize = 200;

/// A session just begun. The token goes into the cookie and nowhere else.
pub struct Begun {
    /// The secret.
    pub token: String,
    /// The session's row.
    pub session: SessionId,
    /// The account that is signed in.
    pub account: AccountId,
}

impl std::fmt::Debug for Begun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Begun")
            .field("session", &self.session)
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

/// The use cases of accounts.
pub struct Accounts {
    wall: Wall,
    store: Arc<dyn Store>,
    directory: Arc<Directory>,
    rules: AccountRules,
    passwords: Passwords,
    throttle: Throttle,
    keys: TwoGenerationCache<[u8; 32], CachedKey>,
    /// Keys that this process lent to itself, by their hashes.
    lent: Mutex<HashMap<[u8; 32], KeyHolder>>,
    sessions: TwoGenerationCache<[u8; 32], (Session, Instant)>,
    /// Changes whenever a session ended or a key was revoked here; sockets then check their own again.
    endings: watch::Sender<u64>,
}

impl std::fmt::Debug for Accounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Accounts").field("directory", &self.directory).finish_non_exhaustive()
    }
}

impl Accounts {
    /// The use cases over this store, with the default rules and a directory of their own.
    ///
    /// # Errors
    /// If the machine cannot hash passwords.
    pub fn new(store: Arc<dyn Store>, wall: Wall) -> Result<Self, AccountError> {
        let directory = Arc::new(Directory::new(store.clone()));
        Self::with_rules(store, directory, AccountRules::default(), wall)
    }

    /// The use cases over this store, with these rules and a directory that others share.
    ///
    /// # Errors
    /// If the machine cannot hash passwords.
    pub fn with_rules(
        store: Arc<dyn Store>,
        directory: Arc<Directory>,
        rules: AccountRules,
        wall: Wall,
    ) -> Result<Self, AccountError> {
        Ok(Self {
            wall,
            directory,
            rules,
            passwords: Passwords::new()?,
            throttle: Throttle::new(rules.login_attempts),
            keys: TwoGenerationCache::new(KEYS_CACHED_MAX),
            lent: Mutex::default(),
            sessions: TwoGenerationCache::new(SESSIONS_CACHED_MAX),
            endings: watch::Sender::new(0),
            store,
        })
    }

    /// The directory of accounts, which caches.
    #[must_use]
    pub const fn directory(&self) -> &Arc<Directory> {
        &self.directory
    }

    /// The rules from the settings.
    #[must_use]
    pub const fn rules(&self) -> &AccountRules {
        &self.rules
    }

    /// Changes whenever a session ended or a key was revoked in this process.
    #[must_use]
    pub fn endings(&self) -> watch::Receiver<u64> {
        self.endings.subscribe()
    }

    fn ended(&self) {
        self.endings.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Registers a person. If `name` is empty, the part of the address before the `@` is taken.
    ///
    /// # Errors
    /// [`AccountError::Credentials`] if the address is taken, after as long as a success takes; the rules of e-mail,
    /// password and name.
    pub async fn register(&self, email: &str, password: &str, name: &str) -> Result<AccountId, AccountError> {
        let email = Email::parse(email)?;
        self.check_text("email", email.as_str())?;
        let password = NewPassword::parse(password)?;
        let name = if name.trim().is_empty() { email.local() } else { name };
        let name = self.display_name(name)?;
        let hash = self.passwords.hash(password).await?;
        // The store refuses the second of two at once; an account from before addresses were folded is found here.
        if self.directory.account_by_email(&email).await?.is_some() {
            return Err(AccountError::Credentials);
        }
        let account = NewAccount {
            id: AccountId::generate(),
            email: Some(email.as_str().to_owned()),
            name,
            password_hash: Some(hash),
            parent: None,
            scenario: None,
            terms: self.rules.terms,
            created_at: self.wall.now(),
        };
        let id = account.id;
        let store = Arc::clone(&self.store);
        let added = finish(async move { store.account_insert(&account).await }).await?;
        if added { Ok(id) } else { Err(AccountError::Credentials) }
    }

    /// Registers and signs in at once; counted as an attempt, like signing in.
    ///
    /// # Errors
    /// As [`Self::register`], [`AccountError::Throttled`] and [`AccountError::RegistrationClosed`].
    pub async fn register_and_sign_in(
        &self,
        form: &Credentials<'_>,
        name: &str,
    ) -> Result<Begun, AccountError> {
        if !self.rules.registration {
            return Err(AccountError::RegistrationClosed);
        }
        self.attempt(form)?;
        let account = self.register(form.email, form.password, name).await?;
        self.throttle.succeeded(&form.throttle_key(), form.address);
        // There is an account from here on, whatever becomes of its session.
        self.session_begin(account, form.user_agent).await.map_err(AccountError::after_write)
    }

    /// Signs a person in. Always a new session: a token from before is never kept.
    ///
    /// # Errors
    /// [`AccountError::Credentials`] or [`AccountError::Throttled`].
    pub async fn sign_in(&self, form: &Credentials<'_>) -> Result<Begun, AccountError> {
        self.attempt(form)?;
        let account = match Email::parse(form.email) {
            Ok(email) => self.directory.account_by_email(&email).await?,
            Err(_) => None,
        };
        let stored = account.as_ref().and_then(|account| account.password_hash.as_deref());
        let right = self.passwords.verify(form.password, stored).await?;
        let account = account.filter(|_| right).ok_or(AccountError::Credentials)?;
        self.throttle.succeeded(&form.throttle_key(), form.address);
        self.session_begin(account.id, form.user_agent).await
    }

    fn attempt(&self, form: &Credentials<'_>) -> Result<(), AccountError> {
        self.throttle
            .begin(&form.throttle_key(), form.address, Instant::now())
            .map_err(|wait| AccountError::Throttled { retry_after_s: wait.as_secs().saturating_add(1) })
    }

    /// Begins a session without a password: for the one-time address that the start prints.
    ///
    /// # Errors
    /// The store's.
    pub async fn session_begin(&self, account: AccountId, user_agent: &str) -> Result<Begun, AccountError> {
        let token = token::new_session_token()?;
        let now = self.wall.now();
        let ttl_ms = u64::try_from(self.rules.session_ttl.as_millis()).unwrap_or(u64::MAX);
        let session = NewSession {
            id: SessionId::generate(),
            account,
            token_hash: token::secret_hash(&token),
            created_at: now,
            expires_at: now.plus_ms(ttl_ms),
            user_agent: masked(user_agent).chars().filter(|c| !c.is_control()).take(USER_AGENT_MAX).collect(),
        };
        let begun = Begun { token, session: session.id, account };
        let store = Arc::clone(&self.store);
        finish(async move { store.session_insert(&session).await }).await?;
        Ok(begun)
    }

    /// The session behind a token, if it lives.
    ///
    /// # Errors
    /// The store's.
    pub async fn session(&self, token: &str) -> StoreResult<Option<Session>> {
        let hash = token::secret_hash(token);
        let now = self.wall.now();
        if let Some((session, trusted_until)) = self.sessions.get(&hash)
            && trusted_until > Instant::now()
            && session.expires_at > now
        {
            return Ok(Some(session));
        }
        let found = match self.store.session_get(&hash, now).await? {
            Some(session) if self.is_open(session.account).await? => Some(session),
            Some(_) | None => None,
        };
        let Some(mut session) = found else {
            self.sessions.remove(&hash);
            return Ok(None);
        };
        if now.micros_since(session.seen_at) >= SEEN_EVERY_US {
            session.seen_at = now;
            self.note_seen(session.id, now);
        }
        self.sessions.insert(hash, (session.clone(), Instant::now() + SESSION_CACHE_TTL));
        Ok(Some(session))
    }

    /// Nobody waits for it, and nothing is lost if it fails.
    fn note_seen(&self, session: SessionId, now: Timestamp) {
        let store = Arc::clone(&self.store);
        tokio::spawn(async move {
            if let Err(error) = store.session_seen(session, now).await {
                tracing::debug!(error = %error, "a session's last use was not noted");
            }
        });
    }

    async fn is_open(&self, account: AccountId) -> StoreResult<bool> {
        Ok(self.account(account).await?.is_some_and(|account| account.closed_at.is_none()))
    }

    /// The living sessions of an account.
    ///
    /// # Errors
    /// The store's.
    pub async fn session_list(&self, account: AccountId) -> StoreResult<Vec<Session>> {
        self.store.session_list(account).await
    }

    /// Ends a session (signing out, or from the list). Its sockets close.
    ///
    /// # Errors
    /// [`AccountError::NotFound`] if this account has no such session.
    pub async fn session_end(&self, account: AccountId, id: SessionId) -> Result<(), AccountError> {
        let store = Arc::clone(&self.store);
        let found = finish(async move { store.session_delete(account, id).await }).await?;
        self.sessions.retain(|_, (session, _)| session.id != id);
        self.ended();
        if found { Ok(()) } else { Err(AccountError::NotFound("session")) }
    }

    /// Ends every session of an account but the one to keep.
    ///
    /// # Errors
    /// The store's.
    pub async fn session_end_others(
        &self,
        account: AccountId,
        keep: Option<SessionId>,
    ) -> Result<(), AccountError> {
        let mut ended = false;
        for session in self.session_list(account).await? {
            if Some(session.id) != keep {
                match self.session_end(account, session.id).await {
                    // Another call may have ended it first.
                    Ok(()) | Err(AccountError::NotFound(_)) => ended = true,
                    Err(error) if ended => return Err(error.after_write()),
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    /// Sets a password without asking for the old one: for the command line.
    ///
    /// # Errors
    /// Hashing and the store.
    pub async fn set_password(&self, account: AccountId, new: NewPassword) -> Result<(), AccountError> {
        let hash = self.passwords.hash(new).await?;
        let store = Arc::clone(&self.store);
        finish(async move { store.account_set_password(account, &hash).await }).await
    }

    /// A name as it is shown to others.
    fn display_name(&self, name: &str) -> Result<String, AccountError> {
        let name = display_name(name)?;
        self.check_text("name", &name)?;
        Ok(name)
    }

    fn check_text(&self, field: &'static str, text: &str) -> Result<(), AccountError> {
        match self.rules.refuse_card_numbers && holds_card_number(text) {
            true => Err(AccountError::CardNumber(field)),
            false => Ok(()),
        }
    }

    /// The account with this id.
    ///
    /// # Errors
    /// The store's.
    pub async fn account(&self, id: AccountId) -> StoreResult<Option<Account>> {
        let account = self.store.account_get(&[id]).await?.into_iter().next();
        account.iter().for_each(|account| self.directory.remember(account));
        Ok(account)
    }

    /// The account with this e-mail address.
    ///
    /// # Errors
    /// Not an address, or the store.
    pub async fn account_by_email(&self, email: &str) -> Result<Option<Account>, AccountError> {
        let email = Email::parse(email)?;
        Ok(self.directory.account_by_email(&email).await?)
    }
}

/// What a sign-in form holds.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    /// The address as typed.
    pub email: &'a str,
    /// The password as typed.
    pub password: &'a str,
    /// The IP address it came from.
    pub address: &'a str,
    /// The browser, as it names itself.
    pub user_agent: &'a str,
}

impl Credentials<'_> {
    fn throttle_key(&self) -> String {
        fold(self.email.trim())
    }
}

fn display_name(name: &str) -> Result<String, AccountError> {
    let name = name.trim();
    // Characters that turn the direction of writing would turn the rows in which others read the name; those that show
    // nothing would make two names look like one. Joiners (200C, 200D) stay: scripts and emoji need them.
    let unseen = |c: char| {
        matches!(
            c,
            '\u{00ad}'
                | '\u{061c}'
                | '\u{115f}'
                | '\u{1160}'
                | '\u{180e}'
                | '\u{200b}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
        )
    };
    let ok =
        (1..=NAME_MAX).contains(&name.chars().count()) && !name.chars().any(|c| misleads(c) || unseen(c));
    if ok { Ok(name.to_owned()) } else { Err(AccountError::Name) }
}

/// Runs a write to its end in a task of its own, whether or not the caller stays.
async fn finish<T: Send + 'static>(
    write: impl Future<Output = StoreResult<T>> + Send + 'static,
) -> Result<T, AccountError> {
    let done = tokio::spawn(write).await;
    let lost = |_| crate::store::StoreError::Unanswered("a write was interrupted".to_owned());
    Ok(done.map_err(lost)??)
}

#[cfg(test)]
mod tests {
    use super::display_name;

    #[test]
    fn a_name_is_what_one_sees_of_it() {
        for good in ["Ada", " Ada ", "Zoë", "שרה", "李", "👩\u{200d}🔧", &"W".repeat(100)] {
            assert_eq!(display_name(good).ok().as_deref(), Some(good.trim()), "{good:?}");
        }
        for bad in [
            "",
            " ",
            "A\u{7}a",
            "\u{200b}",
            "Bob \u{202e}gnp.exe",
            "Ada\u{feff}",
            "A\u{2066}da",
            "A\u{2028}da",
            &"W".repeat(101),
        ] {
            assert!(display_name(bad).is_err(), "{bad:?}");
        }
    }
}
