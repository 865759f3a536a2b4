//! Subjects of commands, journal entries, idempotency rows and due rows: a payment or a plain resource. One key names any
//! of them: a byte for the kind, then the id.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::ids::{ClockId, CustomerId, PaymentId, base62_encode};
use super::listed::listed;

/// The length of [`Subject::to_key`].
pub const KEY_LEN: usize = 17;

listed! {
    /// The kind of a subject. This is the registry of kinds for everything stored, found and listed by kind.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
    pub enum SubjectKind {
        /// A payment of any of the four kinds: an aggregate with a history.
        #[serde(rename = "p")]
        Payment,
        /// A customer of an account.
        #[serde(rename = "c")]
        Customer,
        /// A test clock of an account.
        #[serde(rename = "t")]
        Clock,
    }
}

impl SubjectKind {
    /// The first byte of its keys. Never renumbered.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Payment => 1,
            Self::Customer => 2,
            Self::Clock => 3,
        }
    }

    /// The kind with this byte.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// Whether it is a plain resource, which has no history.
    #[must_use]
    pub const fn is_resource(self) -> bool {
        match self {
            Self::Payment => false,
            Self::Customer | Self::Clock => true,
        }
    }

    /// The name in error messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Payment => "payment",
            Self::Customer => "customer",
            Self::Clock => "test_clock",
        }
    }

    /// The `object` of the dialect.
    #[must_use]
    pub const fn object(self) -> &'static str {
        match self {
            Self::Payment => "payment_intent",
            Self::Customer => "customer",
            Self::Clock => "test_helpers.test_clock",
        }
    }

    /// The letter for the kind in ids derived from a subject's id; none for payments.
    #[must_use]
    pub const fn letter(self) -> Option<char> {
        match self {
            Self::Payment => None,
            Self::Customer => Some('c'),
            Self::Clock => Some('t'),
        }
    }

    /// The prefix of ids of this kind.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Payment => "pi_",
            Self::Customer => "cus_",
            Self::Clock => "clock_",
        }
    }
}

/// One subject. Ordered like its key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Subject {
    kind: SubjectKind,
    id: Uuid,
}

impl Subject {
    /// The subject of this kind with these bits.
    #[must_use]
    pub const fn new(kind: SubjectKind, id: [u8; 16]) -> Self {
        Self { kind, id: Uuid::from_bytes(id) }
    }

    /// The kind of thing it is.
    #[must_use]
    pub const fn kind(&self) -> SubjectKind {
        self.kind
    }

    /// The bits of its id.
    #[must_use]
    pub const fn id(&self) -> &[u8; 16] {
        self.id.as_bytes()
    }

    /// Its id with another prefix.
    #[must_use]
    pub fn with_prefix(&self, prefix: &str) -> String {
        format!("{prefix}{}", base62_encode(self.id.as_u128()))
    }

    /// The payment, if it is one.
    #[must_use]
    pub fn payment(&self) -> Option<PaymentId> {
        (self.kind == SubjectKind::Payment).then(|| PaymentId::from_bytes(*self.id()))
    }

    /// The test clock, if it is one.
    #[must_use]
    pub fn clock(&self) -> Option<ClockId> {
        (self.kind == SubjectKind::Clock).then(|| ClockId::from_bytes(*self.id()))
    }

    /// The key under which it is stored.
    #[must_use]
    pub fn to_key(&self) -> [u8; KEY_LEN] {
        let mut key = [self.kind.code(); KEY_LEN];
        key.iter_mut().skip(1).zip(self.id()).for_each(|(slot, byte)| *slot = *byte);
        key
    }

    /// Reads [`Self::to_key`] back.
    #[must_use]
    pub fn from_key(key: &[u8]) -> Option<Self> {
        let (code, id) = key.split_first()?;
        Some(Self::new(SubjectKind::from_code(*code)?, <[u8; 16]>::try_from(id).ok()?))
    }
}

impl From<PaymentId> for Subject {
    fn from(id: PaymentId) -> Self {
        Self::new(SubjectKind::Payment, *id.as_bytes())
    }
}

impl From<CustomerId> for Subject {
    fn from(id: CustomerId) -> Self {
        Self::new(SubjectKind::Customer, *id.as_bytes())
    }
}

impl From<ClockId> for Subject {
    fn from(id: ClockId) -> Self {
        Self::new(SubjectKind::Clock, *id.as_bytes())
    }
}

/// The id as the dialect shows it.
impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.with_prefix(self.kind.prefix()))
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
