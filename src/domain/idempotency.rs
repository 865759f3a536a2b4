//! Idempotency keys: the name that a caller gives a request, and the part of it that is stored.
//!
//! A key is arbitrary data, which may include a card number. So it is stored as a hash under the installation's secret. The end
//! of the key is stored in clear beside it, unless it could be part of a card number: keys that count up then keep their order
//! and touch few pages.

use std::fmt;

use super::card_numbers::LENGTHS;
use super::digits;

/// Bytes of a key's end that are stored in clear.
const TAIL: usize = 12;
/// Bytes stored of the hash of everything before the tail.
const HEAD: usize = 4;

/// The installation's secret under which keys and requests are hashed.
#[derive(Clone, Copy)]
pub struct KeySecret([u8; 32]);

impl KeySecret {
    /// Derives it from an installation secret that serves other purposes too.
    #[must_use]
    pub fn derive(installation: &[u8; 32]) -> Self {
        Self(blake3::derive_key("paystorm 2026-11-29 idempotency keys", installation))
    }

    /// Hashes fields, each with its length, so that no two lists of fields collide.
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

/// The name that a caller gives a request. Texts, rows and steps never collide, whatever they contain.
#[derive(Clone, PartialEq, Eq)]
pub enum RequestKey {
    /// A key that a program or a form sent.
    Text(String),
    /// A row of an import.
    Row {
        /// The name of the import, shared by its rows.
        import: String,
        /// The row's own key.
        key: String,
    },
    /// A step of the demo.
    Step(String),
}

impl RequestKey {
    /// Its sort, the group it belongs to, and its own name there.
    fn fields(&self) -> [&[u8]; 3] {
        match self {
            Self::Text(text) => [b"text", b"", text.as_bytes()],
            Self::Row { import, key } => [b"row", import.as_bytes(), key.as_bytes()],
            Self::Step(id) => [b"step", b"", id.as_bytes()],
        }
    }

    /// The key as it is repeated to its sender. `None` if it could hold a card number: a run of at least 13 digits, with anything
    /// but letters between them. Most UUIDs have fewer.
    #[must_use]
    pub fn repeatable(&self) -> Option<&str> {
        match self {
            Self::Text(name) => {
                Some(name.as_str()).filter(|name| digits::longest_run(name) < *LENGTHS.start())
            }
            Self::Row { .. } | Self::Step(_) => None,
        }
    }

    /// Whether its own name has too few digits to hold a card number.
    fn is_harmless(&self) -> bool {
        let (Self::Text(name) | Self::Row { key: name, .. } | Self::Step(name)) = self;
        digits::count(name) < *LENGTHS.start()
    }

    /// The seed of a payment's draws, so that a script draws the same when it is run again, even on another installation. A key
    /// that might be a card number draws differently there, as its hash needs the secret.
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

/// Omits the text, which may be a card number.
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
    /// If the key has fewer than 13 digits: four bytes of the hash of everything before its tail, twelve bytes of tail, sixteen
    /// bytes of the hash of the whole. Otherwise only the hash of the whole.
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
