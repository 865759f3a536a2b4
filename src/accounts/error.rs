//! The errors of the use cases of accounts.

use super::email::EmailError;
use crate::store::StoreError;

/// Why a new password is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Too short or too long.
    #[error("A password needs 12 to 128 characters.")]
    Length,
    /// A character that no password may hold by RFC 8265: control, invisible, or not assigned by Unicode.
    #[error(
        "This holds a character that cannot be typed everywhere. Letters, digits, punctuation, symbols and spaces can be."
    )]
    Characters,
    /// One of those that everybody tries first.
    #[error("This password is too common. Choose one that nobody would guess.")]
    Common,
}

/// A failed use case of accounts.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// Not an address.
    #[error(transparent)]
    Email(#[from] EmailError),
    /// The new password is not acceptable.
    #[error(transparent)]
    Password(#[from] PasswordError),
    /// Wrong password, unknown address, or an address that is taken: one answer for all three, so that nobody learns
    /// who has an account here.
    #[error(
        "That did not work. Check the e-mail address and the password; if you already have an account, sign in."
    )]
    Credentials,
    /// Registration is off in the settings.
    #[error("Nobody can register here. Ask whoever runs this server for an account.")]
    RegistrationClosed,
    /// The password that was asked for again is wrong.
    #[error("This is not your password.")]
    WrongPassword,
    /// Too many attempts.
    #[error("Too many attempts. Try again in {retry_after_s} s.")]
    Throttled {
        /// Seconds until the next attempt.
        retry_after_s: u64,
    },
    /// A name that is empty, too long, or has invisible characters.
    #[error("A name needs 1 to 100 characters, none of them invisible.")]
    Name,
    /// Text that holds a card number, with the name of its field.
    #[error(
        "A card number seems to stand here. Card numbers are taken as a card only and kept nowhere: leave it out."
    )]
    CardNumber(&'static str),
    /// No such thing, or someone else's.
    #[error("There is no such {0}.")]
    NotFound(&'static str),
    /// The account asked for is neither the caller's own nor made by it.
    #[error("This key may not act for that account.")]
    NotYours,
    /// A count out of bounds.
    #[error("count must be between 1 and {max}.")]
    Count {
        /// The most accounts at once.
        max: usize,
    },
    /// The system has no randomness to give.
    #[error("no randomness available")]
    Randomness,
    /// Hashing broke.
    #[error("the password could not be hashed")]
    Hashing,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl AccountError {
    /// The same, met after a part of what was asked for was written.
    #[must_use]
    pub fn after_write(self) -> Self {
        match self {
            Self::Store(error) => Self::Store(error.after_write()),
            other => other,
        }
    }
}
