//! Records of the store beside payments: people, keys, leases, and what the auditor reads.

use crate::domain::account::AccountTerms;
use crate::domain::announcement::{AnnouncementId, AnnouncementKind};
use crate::domain::ids::{
    AccountId, ApiKeyId, ClockId, ImportId, InstanceId, PaymentId, RefundId, RequestId, SessionId, floor,
};
use crate::domain::ledger::{Holdings, Movement};
use crate::domain::payment::Payment;
use crate::domain::resource::Resource;
use crate::domain::statement::{LineKind, LinePlace};
use crate::domain::subject::{Subject, SubjectKind};
use crate::domain::terms::Terms;
use crate::domain::time::Timestamp;
use crate::domain::wallet::WalletId;

/// An account to add.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// Its id.
    pub id: AccountId,
    /// Lower-case e-mail address; none for throw-away accounts.
    pub email: Option<String>,
    /// The name shown to others.
    pub name: String,
    /// Argon2id hash in PHC form; none for accounts that cannot sign in.
    pub password_hash: Option<String>,
    /// The account that made it, for throw-away accounts.
    pub parent: Option<AccountId>,
    /// What it is created with, and keeps.
    pub terms: AccountTerms,
    /// When.
    pub created_at: Timestamp,
}

/// An account as stored.
#[derive(Debug, Clone)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// Lower-case e-mail address.
    pub email: Option<String>,
    /// The name shown to others.
    pub name: String,
    /// Argon2id hash in PHC form.
    pub password_hash: Option<String>,
    /// The account that made it.
    pub parent: Option<AccountId>,
    /// The clock that what it makes goes by.
    pub clock: ClockId,
    /// What it was created with.
    pub terms: AccountTerms,
    /// When.
    pub created_at: Timestamp,
    /// When it was closed; it is nobody's from then on.
    pub closed_at: Option<Timestamp>,
}

/// A session to add. The token itself is never stored.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// Its id.
    pub id: SessionId,
    /// Whose.
    pub account: AccountId,
    /// BLAKE3 hash of the token.
    pub token_hash: [u8; 32],
    /// When it began.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// The browser, as it names itself, shortened.
    pub user_agent: String,
}

/// A session as stored.
#[derive(Debug, Clone)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Whose.
    pub account: AccountId,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// The browser.
    pub user_agent: String,
    /// When it was last used, to the minute.
    pub seen_at: Timestamp,
}

/// An API key to add. The secret itself is never stored.
#[derive(Debug, Clone)]
pub struct NewApiKey {
    /// Its id.
    pub id: ApiKeyId,
    /// Whose.
    pub account: AccountId,
    /// BLAKE3 hash of the secret.
    pub secret_hash: [u8; 32],
    /// The last four characters of the secret, to recognise it by.
    pub last4: String,
    /// The name its owner gave it.
    pub name: String,
    /// When.
    pub created_at: Timestamp,
}

/// An API key as stored.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// Its id.
    pub id: ApiKeyId,
    /// Whose.
    pub account: AccountId,
    /// The last four characters of the secret.
    pub last4: String,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// A call of the API as it is kept: masked, and bounded. Also stands for calls that were not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestRecord {
    /// Its id, as sent back in `Request-Id`.
    pub id: RequestId,
    /// The account whose key made it.
    pub account: AccountId,
    /// The key; none for a demo key.
    pub key: Option<ApiKeyId>,
    /// When it came; for calls that were not kept, when the first of them did.
    pub at: Timestamp,
    /// The HTTP method.
    pub method: String,
    /// The path, at most 255 characters.
    pub path: String,
    /// The HTTP status.
    pub status: u16,
    /// How long it took; for calls that were not kept, from the first to the last of them. Microseconds.
    pub latency_us: u64,
    /// So many calls that were not kept; zero for a call that was.
    pub missed: u64,
    /// The parameters, masked, or why they were not kept. Not read by lists.
    pub request: Option<String>,
    /// The answer's body, masked, or why it was not kept. Not read by lists.
    pub response: Option<String>,
}

/// Which of an account's calls to list.
#[derive(Debug, Clone, Default)]
pub struct RequestFilter {
    /// Only this method.
    pub method: Option<String>,
    /// Only statuses of this class: 2, 4, 5.
    pub status_class: Option<u16>,
    /// Only calls with this key.
    pub key: Option<ApiKeyId>,
    /// Only paths that contain this.
    pub path: Option<String>,
    /// Only calls older than this one.
    pub before: Option<RequestId>,
    /// At most so many.
    pub limit: u32,
}

/// The outcome of asking for a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lease {
    /// It is ours until then.
    Held {
        /// The end.
        until: Timestamp,
    },
    /// Another has it until then.
    Taken {
        /// Who.
        holder: InstanceId,
        /// The end.
        until: Timestamp,
    },
}

/// Which of an owner's payments to list.
#[derive(Debug, Clone, Default)]
pub struct PaymentFilter {
    /// Only these kinds (`Kind::to_code`); all if empty.
    pub kinds: Vec<i16>,
    /// Only payments older than this one.
    pub before: Option<PaymentId>,
    /// Only payments newer than this one; the page is then the oldest of those, still newest first.
    pub after: Option<PaymentId>,
    /// Created at or after.
    pub created_from: Option<Timestamp>,
    /// Created before.
    pub created_to: Option<Timestamp>,
    /// Also transfers that the owner received from others.
    pub received: bool,
    /// Only payments that go by test clocks. Bounds of time say nothing of their ids.
    pub by_test_clocks: bool,
    /// At most so many.
    pub limit: u32,
}

/// How long after its id a payment may be created, in milliseconds: waiting for the line takes that long at most.
const DECIDED_WITHIN_MS: i64 = 2 * 60 * 1_000;
/// The most payments looked at together for those that were created within bounds.
pub(super) const LOOKED_AT_MAX: i64 = 1_000;

impl PaymentFilter {
    /// Between which ids the payments are: bounds of time on the wall are bounds of ids, which are made before the payment is
    /// created, and not long before. Each payment's own time is looked at as well ([`Self::takes`]).
    #[must_use]
    pub fn id_bounds(&self) -> (Option<[u8; 16]>, Option<[u8; 16]>) {
        if self.by_test_clocks {
            return (None, None);
        }
        let moved = |at: Timestamp, ms: i64| Timestamp::from_micros(at.micros().saturating_add(ms * 1_000));
        let from = self.created_from.map(|from| floor(moved(from, -DECIDED_WITHIN_MS)));
        (from, self.created_to.map(|to| floor(moved(to, 1))))
    }

    /// Whether a payment was created within the bounds, and goes by a test clock where only those are asked for.
    #[must_use]
    pub fn takes(&self, payment: &Payment) -> bool {
        let created = payment.created_at();
        self.created_from.is_none_or(|from| created >= from)
            && self.created_to.is_none_or(|to| created < to)
            && !(self.by_test_clocks && payment.clock().is_wall())
    }

    /// Whether there are bounds of time.
    #[must_use]
    pub const fn is_in_times(&self) -> bool {
        self.created_from.is_some() || self.created_to.is_some()
    }

    /// How many rows to look at for so many that are wanted: more each time, where some of them may be of another time.
    #[must_use]
    pub fn rows_looked_at(&self, wanted: i64, round: usize) -> i64 {
        if !self.is_in_times() {
            return wanted;
        }
        let doubled =
            u32::try_from(round).ok().and_then(|round| 1_i64.checked_shl(round)).unwrap_or(i64::MAX);
        wanted.saturating_mul(doubled).min(LOOKED_AT_MAX).max(wanted)
    }
}

/// A payment in its owner's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OwnerPayment {
    /// Whose.
    pub owner: AccountId,
    /// The payment.
    pub payment: PaymentId,
    /// The code of its kind.
    pub kind: i16,
}

/// A wallet as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WalletRecord {
    /// Which.
    pub wallet: WalletId,
    /// What it holds.
    pub holdings: Holdings,
}

/// Which lines of a wallet's statement.
#[derive(Debug, Clone, Default)]
pub struct StatementFilter {
    /// Only lines before this place.
    pub before: Option<LinePlace>,
    /// Only lines after this place; the page is then the oldest of those, still newest first.
    pub after: Option<LinePlace>,
    /// Only these kinds; all if empty.
    pub kinds: Vec<LineKind>,
    /// Made at or after.
    pub created_from: Option<Timestamp>,
    /// Made before.
    pub created_to: Option<Timestamp>,
    /// At most so many.
    pub limit: u32,
}

/// Where an announcement stands in the order of its account's: when, and what it is called.
pub type AnnouncementPlace = (Timestamp, AnnouncementId);

/// Which of an account's announcements.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Only those before this place.
    pub before: Option<AnnouncementPlace>,
    /// Only those after this place; the page is then the oldest of those, still newest first.
    pub after: Option<AnnouncementPlace>,
    /// Only the one with this id.
    pub of: Option<AnnouncementId>,
    /// Only these kinds; all if there is no list.
    pub kinds: Option<Vec<AnnouncementKind>>,
    /// Happened at or after.
    pub created_from: Option<Timestamp>,
    /// Happened before.
    pub created_to: Option<Timestamp>,
    /// At most so many.
    pub limit: u32,
}

/// A stored movement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MovementRecord {
    /// The payment that caused it.
    pub payment: PaymentId,
    /// The version of the payment whose event caused it.
    pub version: u32,
    /// Which of that event's movements it is, from 0.
    pub n: u8,
    /// From where to where, and how much.
    pub movement: Movement,
    /// The place in the line of the batch that made it.
    pub seq: u64,
    /// Its place among the movements of that batch, from 0.
    pub place: u32,
}

/// How far an import is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImportState {
    /// Rows are still being read.
    Running,
    /// Every row of the file was read.
    Finished,
    /// It ended before the end of the file.
    Stopped,
}

impl ImportState {
    /// The number stored.
    #[must_use]
    pub const fn to_code(self) -> i16 {
        match self {
            Self::Running => 1,
            Self::Finished => 2,
            Self::Stopped => 3,
        }
    }

    /// The state stored under this number.
    #[must_use]
    pub fn from_code(code: i16) -> Option<Self> {
        [Self::Running, Self::Finished, Self::Stopped].into_iter().find(|state| state.to_code() == code)
    }
}

/// An upload of payments as CSV.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportRecord {
    /// Its id.
    pub id: ImportId,
    /// Whose.
    pub owner: AccountId,
    /// The scope of its rows' keys: the same key under the same name pays once.
    pub name: String,
    /// How far it is.
    pub state: ImportState,
    /// When it began.
    pub created_at: Timestamp,
    /// When it last went on.
    pub updated_at: Timestamp,
    /// Rows read so far.
    pub rows_read: u64,
    /// Rows that made a payment.
    pub rows_accepted: u64,
    /// Rows whose payment was made before.
    pub rows_known: u64,
    /// Rows that were refused.
    pub rows_refused: u64,
    /// Why it stopped before the end.
    pub cause: Option<String>,
}

/// What became of one row of an import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportRow {
    /// The line of the file on which it begins.
    pub line: u64,
    /// Its key, as far as it could be read.
    pub key: String,
    /// The payment it made, or why it made none.
    pub outcome: Result<PaymentId, RowFault>,
}

/// What was wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowFault {
    /// The column at fault; empty where it is the whole row.
    pub column: String,
    /// A sentence.
    pub message: String,
}

/// A payment with the columns and rows stored beside its history, for the auditor. The fold is an error in words where the
/// history is not legal.
#[derive(Debug, Clone)]
pub struct AuditPayment {
    /// The key of the row.
    pub id: PaymentId,
    /// What the history folds to.
    pub folded: Result<Payment, String>,
    /// Column `owner`.
    pub owner: AccountId,
    /// Column `status`.
    pub status: i16,
    /// Column `kind`.
    pub kind: i16,
    /// Column `amount`.
    pub amount_minor: i64,
    /// Column `currency`.
    pub currency: String,
    /// Column `version`.
    pub version: u32,
    /// Its rows of `due`, in the order of the clocks.
    pub due: Vec<(ClockId, Timestamp)>,
    /// The clock of its row of `clock_busy`.
    pub busy: Option<ClockId>,
    /// Whether the clock that it was made to go by is gone.
    pub clock_gone: bool,
    /// Whether it has a row of `open_work`.
    pub has_open_work: bool,
    /// The owner in its row of `parked`.
    pub parked: Option<AccountId>,
}

/// A plain resource with the columns stored beside it, for the auditor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditResource {
    /// What the row says.
    pub resource: Resource,
    /// Column `seq`.
    pub seq: u64,
    /// Whether it has a row of `clock_awake`.
    pub awake: bool,
}

/// A clock that has to be looked after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwakeClock {
    /// The clock, deleted or not.
    pub resource: Resource,
    /// Whether its account is closed, which the clock is as good as deleted by.
    pub closed: bool,
}

/// Which of an owner's resources to list. Deleted ones are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResourceFilter {
    /// Only this kind.
    pub kind: SubjectKind,
    /// Only what lives by this clock: those of others are hidden from plain lists.
    pub clock: ClockId,
    /// Only what is older than this one.
    pub before: Option<Subject>,
    /// Only what is newer than this one; the page is then the oldest of those, still newest first.
    pub after: Option<Subject>,
    /// Made at or after, by its clock.
    pub created_from: Option<Timestamp>,
    /// Made before.
    pub created_to: Option<Timestamp>,
    /// At most so many.
    pub limit: u32,
}

/// How far the time in an id and the time at which it was decided may be apart, in milliseconds.
const IDS_APART_MS: i64 = 120_000;

impl ResourceFilter {
    /// The keys between which everything lies that was made in these times. Ids tell the wall's time, so that only the wall's
    /// own can be bounded.
    pub(super) fn id_bounds(&self) -> Option<(Vec<u8>, Vec<u8>)> {
        if self.clock != ClockId::WALL || (self.created_from.is_none() && self.created_to.is_none()) {
            return None;
        }
        let key = |ms: i64| {
            let bits = u128::from(u64::try_from(ms).unwrap_or(0)) << 80;
            Subject::new(self.kind, bits.to_be_bytes()).to_key().to_vec()
        };
        let from = self.created_from.map_or(0, |from| from.millis().saturating_sub(IDS_APART_MS));
        let to = self.created_to.map_or_else(
            || vec![self.kind.code().saturating_add(1)],
            |to| key(to.millis().saturating_add(IDS_APART_MS)),
        );
        Some((key(from), to))
    }
}

/// Of a payment, what a row that points at it is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PaymentHead {
    /// Its id.
    pub id: PaymentId,
    /// Column `owner`.
    pub owner: AccountId,
    /// Column `version`.
    pub version: u32,
}

/// What came of deleting a page of old idempotency keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pruned {
    /// The last key looked at, with its owner; `None` after the last one there is.
    pub next: Option<Vec<u8>>,
    /// How many rows were deleted.
    pub deleted: u64,
}

/// An account, for the auditor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountHead {
    /// Its id.
    pub id: AccountId,
    /// The account that made it.
    pub parent: Option<AccountId>,
    /// The name shown to others.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Whether it has no statements.
    pub lean: bool,
}

/// Row counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TableCounts {
    /// Payments.
    pub payments: u64,
    /// Parts of payments.
    pub parts: u64,
    /// Movements.
    pub movements: u64,
    /// Wallets and receivables.
    pub wallets: u64,
    /// Idempotency rows.
    pub idempotency: u64,
    /// Journal rows.
    pub journal: u64,
}

/// Durability settings, read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Durability {
    /// Name and value of each.
    pub settings: Vec<(String, String)>,
    /// Whether a commit that was answered survives a power cut with these.
    pub durable: bool,
    /// Why not, if not.
    pub warning: Option<String>,
}

/// What is kept beside a payment or a refund.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetailRecord {
    /// The bits of its id.
    pub subject: [u8; 16],
    /// Which of its details.
    pub id: u64,
    /// What it is, in whatever form it was put.
    pub body: Vec<u8>,
}

impl DetailRecord {
    /// What an amendment says, where it is that and can be read.
    #[must_use]
    pub fn terms(&self) -> Option<Terms> {
        Terms::from_bytes(&self.body)
    }

    /// The version of the payment that it belongs to, where it goes by that and not by its contents.
    #[must_use]
    pub fn version(&self) -> Option<u32> {
        u32::try_from(self.id).ok()
    }

    /// The name of what is kept of an attempt: made from its contents, so that a request sent again finds its own. Zero
    /// names nothing.
    #[must_use]
    pub fn name_of_attempt(body: &[u8]) -> u64 {
        name(&blake3::hash(body))
    }

    /// The name of what is kept of a refund: made from its contents and the refund, so that it is nothing under another.
    #[must_use]
    pub fn name_of_refund(refund: RefundId, body: &[u8]) -> u64 {
        let mut hasher = blake3::Hasher::new();
        name(&hasher.update(refund.as_bytes()).update(body).finalize())
    }
}

/// Set in every name that is made from contents, so that none is a version.
const BY_CONTENTS: u64 = 1 << 63;

fn name(hash: &blake3::Hash) -> u64 {
    hash.as_bytes().iter().take(8).fold(0, |id: u64, byte| (id << 8) | u64::from(*byte)) | BY_CONTENTS
}
