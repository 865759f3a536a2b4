//! Idempotency keys: what a caller names a request by, and what of it is stored.
//!
//! A key is data of its sender and may be anything, a card number included. So what is stored is a hash under the
//! installation's secret; beside it the end of the key as it is, where it cannot be part of a card number: keys that count
//! up are then stored in their order and touch few pages.

use std::fmt;

use super::card_numbers::LENGTHS;
use super::digits;

/// How many bytes of a key's end are stored as they are.
const TAIL: usize = 12;
/// How many bytes of the hash of what stands before them are.
const HEAD: usize = 4;

/// The installation's secret under which keys and requests are hashed.
#[derive(Clone, Copy)]
pub struct KeySecret([u8; 32]);

impl KeySecret {
    /// Derives it from a secret of the installation that serves other purposes too.
    #[must_use]
    pub fn derive(installation: &[u8; 32]) -> Self {
        Self(blake3::derive_key("paystorm 2026-11-29 idempotency keys", installation))
    }

    /// Hashes fields, each with its length, so that no two lists of them are alike.
    fn hash<'f>(&self, fields: impl IntoIterator<Item = &'f [u8]>) -> [u8; 32] {
        update(blake3::Hasher::new_keyed(&self.0), fields)
    }
}

impl fmt::Debug for KeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeySecret(…)")
    }
}

fn update<'f>(mut hasher: blake3::Hasher, fields: impl IntoIterator<Item = &'f [u8]>) -> [u8; 32] {
    for field in fields {
        hasher.update(&(field.len() as u64).to_be_bytes());
        hasher.update(field);
    }
    *hasher.finalize().as_bytes()
}

/// What a caller names a request by. Texts, rows and steps never meet, whatever stands in them.
#[derive(Clone, PartialEq, Eq)]
pub enum RequestKey {
    /// What a program or a form sent.
    Text(String),
    /// A row of an import.
    Row {
        /// The import's name.
        import: String,
        /// The row's own key.
        key: String,
    },
    /// A step of the demo.
    Step(String),
}

impl RequestKey {
    /// What sort it is, what it belongs to, and its own name there.
    fn fields(&self) -> [&[u8]; 3] {
        match self {
            Self::Text(text) => [b"text", b"", text.as_bytes()],
            Self::Row { import, key } => [b"row", import.as_bytes(), key.as_bytes()],
            Self::Step(id) => [b"step", b"", id.as_bytes()],
        }
    }

    /// The key as its sender is told it again: `None` if it could hold a card number, which has 13 digits in a row at least, be
    /// they apart by whatever is no letter. Most UUIDs have fewer.
    #[must_use]
    pub fn told(&self) -> Option<&str> {
        match self {
            Self::Text(name) => {
                Some(name.as_str()).filter(|name| digits::longest_run(name) < *LENGTHS.start())
            }
            Self::Row { .. } | Self::Step(_) => None,
        }
    }

    /// Whether its own name has too few digits for a card number.
    fn is_harmless(&self) -> bool {
        let (Self::Text(name) | Self::Row { key: name, .. } | Self::Step(name)) = self;
        digits::count(name) < *LENGTHS.start()
    }

    /// The seed of a payment's draws, so that a script that is run again draws the same, also on another installation. A
    /// key that might be a card number draws anew there, for its hash needs the secret.
    #[must_use]
    pub fn draw_key(&self, secret: &KeySecret) -> u64 {
        let hash = match self {
            _ if !self.is_harmless() => secret.hash([b"draw".as_slice()].into_iter().chain(self.fields())),
            Self::Text(text) => *blake3::hash(text.as_bytes()).as_bytes(),
            Self::Row { .. } | Self::Step(_) => update(blake3::Hasher::new(), self.fields()),
        };
        hash.iter().rev().take(8).fold(0, |value, byte| (value << 8) | u64::from(*byte))
    }
}

/// The text itself may be a card number.
impl fmt::Debug for RequestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("Text(…)"),
            Self::Row { .. } => f.write_str("Row(…)"),
            Self::Step(id) => f.debug_tuple("Step").field(id).finish(),
        }
    }
}

/// An idempotency key, reduced to what is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdempotencyKey {
    /// With fewer than 13 digits in the key: four bytes of the hash of all but its end, the end's twelve bytes, sixteen of
    /// the hash of the whole. Otherwise nothing but the hash of the whole.
    pub key: [u8; 32],
    /// Hash of the request's parameters.
    pub request: [u8; 16],
}

impl IdempotencyKey {
    /// Reduces a key and the canonical form of its request. Card numbers must already be reduced in `request`.
    #[must_use]
    pub fn new(name: &RequestKey, request: &[u8], secret: &KeySecret) -> Self {
        let fields = name.fields();
        let mut key = secret.hash([b"whole".as_slice()].into_iter().chain(fields));
        if name.is_harmless() {
            let [sort, group, own] = fields;
            let (head, tail) = own.split_at(own.len().saturating_sub(TAIL));
            let head = secret.hash([b"head".as_slice(), sort, group, head]);
            let padding = std::iter::repeat_n(0, TAIL.saturating_sub(tail.len()));
            let start = head.into_iter().take(HEAD).chain(tail.iter().copied()).chain(padding);
            // The hash of the whole stays in the other half.
            key.iter_mut().zip(start).for_each(|(slot, byte)| *slot = byte);
        }
        let mut short = [0_u8; 16];
        short.copy_from_slice(secret.hash([b"request".as_slice(), request]).split_at(16).0);
        Self { key, request: short }
    }
}
