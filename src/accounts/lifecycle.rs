//! Changes an account itself, for its holder: a new password, and closing it.

use std::sync::Arc;
use std::time::Instant;

use super::password::NewPassword;
use super::{AccountError, Accounts, finish};
use crate::domain::ids::AccountId;
use crate::store::Session;

impl Accounts {
    /// Changes a password and ends all other sessions.
    ///
    /// # Errors
    /// [`AccountError::WrongPassword`] if `old` is not the password, [`AccountError::Throttled`] after too many of
    /// those; the rules of the new one.
    pub async fn change_password(
        &self,
        session: &Session,
        address: &str,
        old: &str,
        new: &str,
    ) -> Result<(), AccountError> {
        let new = NewPassword::parse(new)?;
        self.confirm_password(session.account, address, old).await?;
        self.set_password(session.account, new).await?;
        // The password has changed from here on.
        self.session_end_others(session.account, Some(session.id)).await.map_err(AccountError::after_write)
    }

    /// Closes an account whose holder has shown the password again.
    ///
    /// # Errors
    /// As [`Self::change_password`].
    pub async fn close_with_password(
        &self,
        account: AccountId,
        address: &str,
        password: &str,
    ) -> Result<(), AccountError> {
        self.confirm_password(account, address, password).await?;
        self.close(account).await
    }

    /// Closes an account and those it made: sessions end, keys are revoked, the e-mail address is free again. The rows
    /// stay, since the ledger names them.
    ///
    /// # Errors
    /// The store's.
    pub async fn close(&self, account: AccountId) -> Result<(), AccountError> {
        let (store, now) = (Arc::clone(&self.store), self.wall.now());
        // A second time finds it closed, which is what was wanted.
        finish(async move { store.account_close(account, now).await }).await?;
        self.sessions.retain(|_, (session, _)| session.account != account);
        self.keys.retain(|_, cached| cached.holder().account != account);
        self.directory.forget(account);
        self.ended();
        Ok(())
    }

    /// Checks the password of someone who is signed in. An account without one never passes.
    async fn confirm_password(
        &self,
        account: AccountId,
        address: &str,
        password: &str,
    ) -> Result<(), AccountError> {
        let who = account.to_string();
        self.throttle
            .begin(&who, address, Instant::now())
            .map_err(|wait| AccountError::Throttled { retry_after_s: wait.as_secs().saturating_add(1) })?;
        let stored = self.account(account).await?.and_then(|account| account.password_hash);
        if !self.passwords.verify(password, stored.as_deref()).await? {
            return Err(AccountError::WrongPassword);
        }
        self.throttle.succeeded(&who, address);
        Ok(())
    }
}
