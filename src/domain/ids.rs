//! Identities. Each is 128 bits, time-ordered (UUID version 7), and shown with the prefix its resource has in the
//! dialect: `pi_…`, `re_…`, `acct_…`. The text form is 22 base-62 digits whose ASCII order is the order of the bits,
//! so that sorting ids as text sorts them by time.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{LazyLock, Mutex};

use serde::{Deserialize, Serialize};
use uuid::ContextV7;

use super::time::Timestamp;

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
pub(super) const TEXT_LEN: usize = 22;

/// A map keyed by ids, or by other keys as good as random bits. Senders cannot observe the hashes, which differ in each process.
/// std's hasher costs several times as much, and keys are looked up a dozen times for each payment.
pub type IdMap<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// Ten digits fit a `u64`, which divides in one instruction; dividing a `u128` is a call.
const CHUNK_LEN: usize = 10;
const CHUNK: u128 = 62_u128.pow(10);

/// Parts of a millisecond that an id distinguishes.
const FRACTIONS: u128 = 1 << 12;

/// Keeps the ids of this process in the order of their creation, whatever the clock does.
static ORDER: LazyLock<Mutex<ContextV7>> =
    LazyLock::new(|| Mutex::new(ContextV7::new().with_additional_precision()));

/// Encodes 128 bits as 22 base-62 digits, order-preserving.
#[must_use]
pub fn base62_encode(value: u128) -> String {
    with_base62("", value)
}

/// `prefix` followed by the digits of `value`.
fn with_base62(prefix: &str, mut value: u128) -> String {
    let mut digits = [b'0'; TEXT_LEN];
    for part in digits.rchunks_mut(CHUNK_LEN) {
        let mut low = u64::try_from(value % CHUNK).unwrap_or(0);
        value /= CHUNK;
        for slot in part.iter_mut().rev() {
            let digit = usize::try_from(low % 62).unwrap_or(0);
            *slot = DIGITS.get(digit).copied().unwrap_or(b'0');
            low /= 62;
        }
    }
    let mut text = String::with_capacity(prefix.len() + TEXT_LEN);
    text.push_str(prefix);
    // Digits are ASCII.
    text.push_str(std::str::from_utf8(&digits).unwrap_or_default());
    text
}

/// Decodes what [`base62_encode`] made; `None` for anything else, overflow included.
#[must_use]
pub fn base62_decode(text: &str) -> Option<u128> {
    if text.len() != TEXT_LEN {
        return None;
    }
    text.bytes().try_fold(0_u128, |value, byte| {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'A'..=b'Z' => byte - b'A' + 10,
            b'a'..=b'z' => byte - b'a' + 36,
            _ => return None,
        };
        value.checked_mul(62)?.checked_add(u128::from(digit))
    })
}

/// The smallest id that can be made at this time.
#[must_use]
pub fn floor(at: Timestamp) -> [u8; 16] {
    (u128::from(u64::try_from(at.millis()).unwrap_or(0)) << 80).to_be_bytes()
}

/// An id in text that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a valid id: {text:?} (expected {expected}…)")]
pub struct IdError {
    text: String,
    expected: &'static str,
}

macro_rules! id {
    ($(#[$meta:meta])* $name:ident, $($prefix:literal),+) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(uuid::Uuid);

        impl $name {
            /// The prefixes this id is shown and accepted with; the first is the canonical one.
            pub const PREFIXES: &'static [&'static str] = &[$($prefix),+];

            /// Wraps raw bits, as read from the store.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(uuid::Uuid::from_bytes(bytes))
            }

            /// Reads the bits back from a store column; `None` unless it holds exactly 16 bytes.
            #[must_use]
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                <[u8; 16]>::try_from(bytes).ok().map(Self::from_bytes)
            }

            /// A new time-ordered id. Reads the clock and the system's randomness, so only edges call it.
            #[must_use]
            pub fn generate() -> Self {
                Self(uuid::Uuid::new_v7(uuid::Timestamp::now(&*ORDER)))
            }

            /// A new time-ordered id, made at this wall-clock time. Never before the one that this process made last.
            #[must_use]
            pub fn generate_at(wall: Timestamp) -> Self {
                let seconds = u64::try_from(wall.seconds()).unwrap_or(0);
                let nanos = u32::try_from(wall.micros().rem_euclid(1_000_000)).unwrap_or(0) * 1_000;
                Self(uuid::Uuid::new_v7(uuid::Timestamp::from_unix(&*ORDER, seconds, nanos)))
            }

            /// The id with this `number` among those made at this time: for tests, which need the same one each time.
            #[must_use]
            pub fn numbered(at: Timestamp, number: u64) -> Self {
                let millis = u128::from(u64::try_from(at.millis()).unwrap_or(0));
                let within = u128::from(u64::try_from(at.micros().rem_euclid(1_000)).unwrap_or(0));
                let fraction = (within * FRACTIONS + 500) / 1_000;
                let head = (millis << 80) | (0x7 << 76) | (fraction << 64) | (0b10 << 62);
                Self(uuid::Uuid::from_u128(head | u128::from(number & (u64::MAX >> 2))))
            }

            /// When it was made, to about a microsecond: the milliseconds, and the fraction of one after the version.
            #[must_use]
            pub fn made_at(&self) -> Timestamp {
                let bits = self.0.as_u128();
                let (millis, fraction) = (bits >> 80, (bits >> 64) & (FRACTIONS - 1));
                let micros = millis * 1_000 + (fraction * 1_000 + FRACTIONS / 2) / FRACTIONS;
                Timestamp::from_micros(i64::try_from(micros).unwrap_or(0))
            }

            /// When [`Self::generate`] made it; `None` if it is not a version 7 UUID.
            #[must_use]
            pub fn generated_at(&self) -> Option<Timestamp> {
                (self.0.get_version_num() == 7).then(|| self.made_at())
            }

            /// The raw bits, big-endian: byte order is time order.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// The text form under another of the accepted prefixes.
            #[must_use]
            pub fn with_prefix(&self, prefix: &str) -> String {
                with_base62(prefix, self.0.as_u128())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let prefix = Self::PREFIXES.first().copied().unwrap_or_default();
                f.write_str(&self.with_prefix(prefix))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::PREFIXES
                    .iter()
                    .find_map(|prefix| text.strip_prefix(prefix))
                    .and_then(base62_decode)
                    .map(|bits| Self(uuid::Uuid::from_u128(bits)))
                    .ok_or_else(|| IdError {
                        text: text.chars().take(64).collect(),
                        expected: Self::PREFIXES.first().copied().unwrap_or_default(),
                    })
            }
        }
    };
}

id!(
    /// A payment of any of the four kinds. Shown as `pi_` (charge), `tu_` (added money), `tr_` (transfer) or
    /// `po_` (payout); all four name the same 128 bits.
    PaymentId, "pi_", "tu_", "tr_", "po_"
);
id!(
    /// A user's account: the owner of everything else.
    AccountId, "acct_"
);
id!(
    /// A charge: what one attempt of a payment asks an issuer for.
    ChargeId, "ch_"
);
id!(
    /// A refund of a payment.
    RefundId, "re_"
);
id!(
    /// A dispute of a payment's charge.
    DisputeId, "du_", "dp_"
);
id!(
    /// An issuer's early warning that a charge may be fraudulent.
    FraudWarningId, "issfr_"
);
id!(
    /// A charge, refund, dispute or warning of a payment; shown under the prefix of its kind.
    PartId, "ch_", "re_", "du_", "dp_", "issfr_"
);
id!(
    /// An API key (the row, not the secret).
    ApiKeyId, "key_"
);
id!(
    /// A signed-in browser session (the row, not the token).
    SessionId, "sess_"
);
id!(
    /// A batch of commands committed together.
    BatchId, "bat_"
);
id!(
    /// A running process; names the holder of a lease.
    InstanceId, "inst_"
);
id!(
    /// A store and everything in it; made once, with the store.
    InstallationId, "installation_"
);
id!(
    /// An upload of payments as CSV.
    ImportId, "imp_"
);
id!(
    /// A load run that was started from a page or over the API.
    LoadRunId, "lr_"
);
id!(
    /// A test clock. All bits zero means the wall clock.
    ClockId, "clock_"
);
id!(
    /// A card or bank account as it was used.
    MethodId, "pm_"
);
id!(
    /// A customer of an account.
    CustomerId, "cus_"
);

impl ClockId {
    /// The wall clock: real time.
    pub const WALL: Self = Self::from_bytes([0; 16]);

    /// Whether it is the wall clock.
    #[must_use]
    pub fn is_wall(&self) -> bool {
        *self == Self::WALL
    }
}

impl Default for ClockId {
    fn default() -> Self {
        Self::WALL
    }
}

id!(
    /// A request to this server, as sent back in `Request-Id`.
    RequestId, "req_"
);

impl ChargeId {
    /// The charge of the attempt that the creating command opened: it has the payment's bits and needs no row.
    #[must_use]
    pub const fn of_payment(payment: PaymentId) -> Self {
        Self(payment.0)
    }

    /// The payment method that the attempt brought with it.
    #[must_use]
    pub const fn method(self) -> MethodId {
        MethodId(self.0)
    }
}

impl From<ChargeId> for PartId {
    fn from(id: ChargeId) -> Self {
        Self(id.0)
    }
}

impl DisputeId {
    /// The id of a warning that is raised in place of a dispute.
    #[must_use]
    pub const fn warning(self) -> FraudWarningId {
        FraudWarningId(self.0)
    }
}

impl From<RefundId> for PartId {
    fn from(id: RefundId) -> Self {
        Self(id.0)
    }
}

impl From<DisputeId> for PartId {
    fn from(id: DisputeId) -> Self {
        Self(id.0)
    }
}

impl From<FraudWarningId> for PartId {
    fn from(id: FraudWarningId) -> Self {
        Self(id.0)
    }
}
