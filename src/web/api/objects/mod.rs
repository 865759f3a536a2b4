//! The objects of the dialect, made from the aggregate. Pure: the same payment at the same version renders the same, which
//! replayed answers rely on.

mod balance_transaction;
mod charge;
mod dispute;
mod event;
mod fraud_warning;
mod method;
mod payment_intent;
mod refund;
mod resource;
mod wallet;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::accounts::Directory;
use crate::domain::event::Recorded;
use crate::domain::ids::AccountId;
use crate::domain::payment::Payment;
use crate::domain::payment_kind::PaymentKind;
use crate::domain::statement::LineId;
use crate::domain::submission::Kind;
use crate::intake::details::Attempts;
pub use balance_transaction::BalanceTransaction;
pub use charge::{ChargeExpand, ChargeObject};
pub use dispute::{DisputeExpand, DisputeObject};
pub use event::EventObject;
pub use fraud_warning::FraudWarningObject;
pub use method::PaymentMethod;
pub use payment_intent::{Expand, PaymentIntent, client_secret};
pub use refund::{RefundExpand, RefundObject};
pub use resource::ResourceObject;
pub use wallet::{Payout, TopUp, Transfer};

/// The message for a payment that failed technically.
pub const RETRIES_SPENT: &str =
    "The other side could not be reached or did not answer in time, and the retries are spent.";

/// What rendering needs to know about the installation.
#[derive(Debug, Clone, Copy)]
pub struct Presenter<'a> {
    /// The key from which the client secrets of payment intents are made.
    pub secret_key: &'a [u8; 32],
    /// The address under which browsers reach the server, without a trailing slash.
    pub base_url: &'a str,
    /// The accounts.
    pub directory: &'a Directory,
}

impl Presenter<'_> {
    /// The id of a line of the account's statement. Lean accounts have no statement.
    fn line(self, owner: AccountId, line: Option<LineId>) -> Option<String> {
        let lean = || self.directory.cached(owner).is_some_and(|profile| profile.lean);
        line.filter(|_| !lean()).map(|line| line.to_string())
    }
}

/// A reference that callers can have expanded.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum Expandable<T> {
    /// Not expanded.
    Id(String),
    /// Expanded.
    Object(Box<T>),
}

impl<T> Expandable<T> {
    fn new(expand: bool, id: String, object: impl FnOnce() -> T) -> Self {
        if expand { Self::Object(Box::new(object())) } else { Self::Id(id) }
    }
}

/// Members of the dialect that are always null here. They are present because programs read them without checking first.
#[derive(Debug, Clone, Copy)]
struct Null(&'static [&'static str]);

impl Serialize for Null {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|name| (name, ())))
    }
}

/// Key–value pairs as a JSON object, in the order given.
#[derive(Debug, Clone, Default)]
pub struct Metadata(pub Vec<(String, String)>);

impl Serialize for Metadata {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

/// What Paystorm shows beyond the dialect.
#[derive(Debug, Clone)]
pub struct Extension {
    status: &'static str,
    version: u32,
    kind: &'static str,
    parked: bool,
    run: Option<String>,
    timeline: Vec<Recorded>,
}

#[derive(Serialize)]
struct TimelineEntry {
    version: usize,
    event: &'static str,
    at_us: i64,
}

impl Extension {
    fn of(payment: &Payment) -> Self {
        Self {
            status: payment.state().status.as_str(),
            version: payment.version(),
            kind: payment.submission().kind.as_str(),
            parked: payment.is_parked(),
            run: payment.submission().run.clone(),
            timeline: payment.history().to_vec(),
        }
    }
}

impl Serialize for Extension {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let entry = |(version, recorded): (usize, &Recorded)| TimelineEntry {
            version,
            event: recorded.event.name(),
            at_us: recorded.at.micros(),
        };
        let timeline: Vec<TimelineEntry> = (1..).zip(&self.timeline).map(entry).collect();
        let mut map = serializer.serialize_map(Some(6))?;
        map.serialize_entry("status", self.status)?;
        map.serialize_entry("version", &self.version)?;
        map.serialize_entry("kind", self.kind)?;
        map.serialize_entry("parked", &self.parked)?;
        map.serialize_entry("run", &self.run)?;
        map.serialize_entry("timeline", &timeline)?;
        map.end()
    }
}

/// A payment as the dialect shows it: each kind of payment is its own resource.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum Rendered {
    /// A charge.
    PaymentIntent(Box<PaymentIntent>),
    /// Money added to a wallet.
    TopUp(Box<TopUp>),
    /// Money sent to a person.
    Transfer(Box<Transfer>),
    /// Money paid out to a bank account.
    Payout(Box<Payout>),
}

impl Rendered {
    /// `attempts` must hold the payment's details, where it has some.
    #[must_use]
    pub fn of(payment: &Payment, expand: Expand, presenter: Presenter<'_>, attempts: &Attempts) -> Self {
        match payment.submission().kind {
            Kind::Charge => {
                Self::PaymentIntent(Box::new(PaymentIntent::of(payment, expand, presenter, attempts)))
            }
            Kind::TopUp => Self::TopUp(Box::new(TopUp::of(payment))),
            Kind::Transfer { payee } => Self::Transfer(Box::new(Transfer::of(payment, payee))),
            Kind::Payout { bank } => Self::Payout(Box::new(Payout::of(payment, bank))),
        }
    }
}

impl Rendered {
    /// The payment method that the last attempt failed with.
    #[must_use]
    pub fn failed_method(&self) -> Option<&PaymentMethod> {
        match self {
            Self::PaymentIntent(intent) => intent.failed_method(),
            Self::TopUp(_) | Self::Transfer(_) | Self::Payout(_) => None,
        }
    }
}

/// The status that the dialect shows for a payment; `None` for transfers, which have none.
#[must_use]
pub fn status_of(payment: &Payment) -> Option<&'static str> {
    let status = payment.state().status;
    match payment.submission().kind {
        Kind::Charge => Some(status.dialect()),
        Kind::TopUp => Some(wallet::topup_status(status)),
        Kind::Transfer { .. } => None,
        Kind::Payout { .. } => Some(wallet::payout_status(status)),
    }
}

/// The name of the dialect's resource for a kind of payment.
#[must_use]
pub const fn resource_name(kind: PaymentKind) -> &'static str {
    match kind {
        PaymentKind::Charge => "payment_intent",
        PaymentKind::TopUp => "topup",
        PaymentKind::Transfer => "transfer",
        PaymentKind::Payout => "payout",
    }
}
