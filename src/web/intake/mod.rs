//! The one place where untrusted input becomes a command. HTTP, the WebSocket and the pages all come through here.
//!
//! Pure but for the clock handed in. A card number lives from the parameters to [`Card::reduce`](crate::domain::card::Card::reduce), and nowhere after.

mod amendment;
mod canonical;
mod card;
mod clock;
pub mod contact;
mod customer;
mod operation;
mod text;

pub use amendment::{AMENDMENT_UNSET, payment_patch};
pub use canonical::Canonical;
pub use card::{Given, card_of, year_month};
pub use clock::{clock_name, frozen_time, speed};
pub use customer::{CUSTOMER_UNSET, customer_patch};
pub use operation::{OperationDraft, Verb};
pub use text::{check_params, check_text};

use super::error::{InputError, SHOWN_CHARS_MAX};
use super::params::Params;
use crate::accounts::Email;
use crate::domain::amounts::{self, AmountProblem};
use crate::domain::bank_account::BankAccount;
use crate::domain::card_numbers::shown;
use crate::domain::command::{IdempotencyKey, SubmitPayment};
use crate::domain::context::NO_SUCH_PAYEE;
use crate::domain::currency::Currency;
use crate::domain::idempotency::{KeySecret, RequestKey};
use crate::domain::ids::{AccountId, ClockId, CustomerId, PaymentId};
use crate::domain::instrument::{Instrument, Presented};
use crate::domain::metadata::{KEYS_MAX as METADATA_KEYS_MAX, Metadata, MetadataPatch};
use crate::domain::money::Money;
use crate::domain::submission::{CaptureMethod, Kind, Lane, Submission};
use crate::domain::time::Timestamp;

/// The most characters of a description.
pub const DESCRIPTION_CHARS_MAX: usize = 1_000;
const METADATA_KEY_CHARS_MAX: usize = 40;
const METADATA_VALUE_CHARS_MAX: usize = 500;
const RUN_CHARS_MAX: usize = 64;
const KEY_CHARS_MAX: usize = 255;
/// Of a seed that was given its last twelve digits count, too few for a card number.
const DRAW_KEYS: u64 = 1_000_000_000_000;

/// Which of the four kinds is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KindName {
    /// *Charge a card*.
    Charge,
    /// *Add money*.
    TopUp,
    /// *Send to a person*.
    Transfer,
    /// *Pay out*.
    Payout,
}

impl KindName {
    /// Reads the name used on the wire.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "charge" => Some(Self::Charge),
            "topup" => Some(Self::TopUp),
            "transfer" => Some(Self::Transfer),
            "payout" => Some(Self::Payout),
            _ => None,
        }
    }

    const fn needs_card(self) -> bool {
        matches!(self, Self::Charge | Self::TopUp)
    }
}

/// Where a transfer goes, not yet looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// `acct_…`.
    Account(AccountId),
    /// An e-mail address.
    Email(Email),
}

/// What holds for everything that an installation reads.
#[derive(Clone, Copy)]
pub struct Rules {
    /// The installation's key for card fingerprints.
    pub fingerprint_key: [u8; 32],
    /// The secret under which idempotency keys and requests are hashed.
    pub key_secret: KeySecret,
    /// Whether text that holds a card number is refused.
    pub refuse_card_numbers: bool,
}

impl Rules {
    /// Those of an installation with this secret.
    #[must_use]
    pub fn new(fingerprint_key: [u8; 32], refuse_card_numbers: bool) -> Self {
        Self { fingerprint_key, key_secret: KeySecret::derive(&fingerprint_key), refuse_card_numbers }
    }
}

impl std::fmt::Debug for Rules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rules")
            .field("refuse_card_numbers", &self.refuse_card_numbers)
            .finish_non_exhaustive()
    }
}

/// What reading needs besides the parameters.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// What holds for everything read here.
    pub rules: &'a Rules,
    /// Now.
    pub now: Timestamp,
    /// Whether a charge goes at once where `confirm` is not said: true on the WebSocket, false in the dialect.
    pub confirm_default: bool,
}

/// A new payment, read and checked as far as that goes without the store.
#[derive(Debug, Clone)]
pub struct Draft {
    kind: KindName,
    amount: Money,
    bank: BankAccount,
    /// Where a transfer goes.
    pub destination: Option<Destination>,
    capture: CaptureMethod,
    confirm: bool,
    card: Given,
    lane: Lane,
    run: Option<String>,
    draw_key: Option<u64>,
    description: Option<String>,
    metadata: Vec<(String, String)>,
    customer: Option<CustomerId>,
    /// What else belongs to the request's form.
    extra: Vec<u8>,
    /// What the caller names the request by: read from the parameters, or set by an entrance with keys of its own.
    pub key: Option<RequestKey>,
    key_secret: KeySecret,
    asked_at: Timestamp,
}

impl Draft {
    /// Reads a payment of this kind. The caller calls [`Params::finish`] when it has taken its own parameters too.
    ///
    /// # Errors
    /// [`InputError`] names the parameter at fault.
    pub fn read(params: &mut Params<'_>, kind: KindName, context: &Context<'_>) -> Result<Self, InputError> {
        let amount = amount(params, kind)?;
        let card = if kind.needs_card() { card_of(params, context)? } else { Given::default() };
        text::check_params(params, context.rules)?;
        if kind.needs_card() {
            // A rule of those who take cards, not of the domain: wallets move any amount.
            amounts::check_charge(amount).map_err(wrong_amount)?;
        }
        let destination = if kind == KindName::Transfer { Some(destination(params)?) } else { None };
        let bank = if kind == KindName::Payout { bank(params)? } else { BankAccount::Valid };
        let (capture, confirm) = match kind {
            KindName::Charge => {
                (capture(params)?, params.boolean("confirm")?.unwrap_or(context.confirm_default))
            }
            KindName::TopUp | KindName::Transfer | KindName::Payout => {
                (CaptureMethod::Automatic, always_confirmed(params)?)
            }
        };
        if kind == KindName::TopUp && card.card.is_none() {
            return Err(InputError::missing("payment_method"));
        }
        Ok(Self {
            kind,
            amount,
            bank,
            destination,
            capture,
            confirm,
            card,
            lane: lane(params)?,
            run: run(params)?,
            draw_key: params.integer("draw_key")?.map(|key| i64::cast_unsigned(key) % DRAW_KEYS),
            description: params.text_up_to("description", DESCRIPTION_CHARS_MAX)?.map(String::from),
            metadata: metadata(params)?,
            customer: if kind == KindName::Charge { customer(params)? } else { None },
            extra: Vec::new(),
            key: key(params)?,
            key_secret: context.rules.key_secret,
            asked_at: context.now,
        })
    }

    /// Whether it goes at once.
    #[must_use]
    pub const fn confirms(&self) -> bool {
        self.confirm
    }

    /// Whether it brings a card.
    #[must_use]
    pub const fn brings_card(&self) -> bool {
        self.card.card.is_some()
    }

    /// Says what is known of the attempt beside the card.
    pub fn present(&mut self, presented: Presented) {
        self.card.card = self.card.card.map(|card| card.presented_again(presented));
    }

    /// Adds what else was asked for, so that the same key with something else is noticed.
    #[must_use]
    pub fn asking_also(mut self, extra: &[u8]) -> Self {
        self.extra.extend_from_slice(extra);
        self
    }

    /// What keeps it from being done now, although it may have been done before.
    #[must_use]
    pub fn obstacle(&self, payee: Option<AccountId>) -> Option<InputError> {
        let nobody = self.kind == KindName::Transfer && payee.is_none();
        self.card.lapsed.clone().or_else(|| nobody.then(unknown_destination))
    }

    /// Why its card cannot be used any more, for an entrance that knows the parameters by other names.
    pub fn lapsed_mut(&mut self) -> Option<&mut InputError> {
        self.card.lapsed.as_mut()
    }

    /// Its idempotency key as it is stored.
    #[must_use]
    pub fn stored_key(&self) -> Option<[u8; 32]> {
        self.key.as_ref().map(|key| IdempotencyKey::new(key, &[], &self.key_secret).key)
    }

    /// The same, as it was when its card could be used.
    #[must_use]
    pub fn as_before(mut self) -> Self {
        self.card.lapsed = None;
        self
    }

    /// The command, for this owner. `payee` is whom [`Self::destination`] names.
    ///
    /// # Errors
    /// Its [`Self::obstacle`].
    pub fn into_command(
        self,
        owner: AccountId,
        payee: Option<AccountId>,
    ) -> Result<SubmitPayment, InputError> {
        if let Some(obstacle) = self.obstacle(payee) {
            return Err(obstacle);
        }
        let kind = match (self.kind, payee) {
            (KindName::Charge, _) => Kind::Charge,
            (KindName::TopUp, _) => Kind::TopUp,
            (KindName::Payout, _) => Kind::Payout { bank: self.bank },
            (KindName::Transfer, Some(payee)) => Kind::Transfer { payee },
            (KindName::Transfer, None) => return Err(unknown_destination()),
        };
        // Its time is that of the request, from which on people wait.
        let id = PaymentId::generate_at(self.asked_at);
        let (key, secret) = (self.key, self.key_secret);
        let submission = Submission {
            id,
            owner,
            kind,
            amount: self.amount,
            capture: self.capture,
            lane: self.lane,
            draw_key: self.draw_key.unwrap_or_else(|| match &key {
                Some(key) => key.draw_key(&secret),
                None => draw_key(id),
            }),
            description: self.description,
            metadata: self.metadata,
            run: self.run,
            customer: self.customer,
            clock: ClockId::WALL,
        };
        let (instrument, confirm) = (self.card.card.map(Instrument::Card), self.confirm);
        let idempotency = key.map(|key| {
            let destination = self.destination.as_ref();
            let mut request =
                canonical::submission(&submission, self.draw_key, destination, &self.card, confirm);
            request.extend_from_slice(&self.extra);
            IdempotencyKey::new(&key, &request, &secret)
        });
        Ok(SubmitPayment { submission, instrument, confirm, idempotency })
    }
}

/// The answer where a transfer's destination is nobody.
#[must_use]
pub fn unknown_destination() -> InputError {
    InputError::new("destination", "resource_missing", NO_SUCH_PAYEE)
}

/// Checks a raw idempotency key from a header.
///
/// # Errors
/// Empty, too long, or not printable.
pub fn idempotency_key(raw: &str) -> Result<RequestKey, InputError> {
    let ok = (1..=KEY_CHARS_MAX).contains(&raw.chars().count()) && !raw.chars().any(char::is_control);
    let message = "An idempotency key needs 1 to 255 printable characters.";
    if ok {
        Ok(RequestKey::Text(raw.to_owned()))
    } else {
        Err(InputError::new("idempotency_key", "parameter_invalid_string", message))
    }
}

fn key(params: &mut Params<'_>) -> Result<Option<RequestKey>, InputError> {
    params.text("idempotency_key")?.map(|raw| idempotency_key(&raw)).transpose()
}

/// The draws' seed where neither it nor a key was given.
fn draw_key(id: PaymentId) -> u64 {
    id.as_bytes().iter().rev().take(8).fold(0, |value, byte| (value << 8) | u64::from(*byte))
}

fn amount(params: &mut Params<'_>, kind: KindName) -> Result<Money, InputError> {
    let amount_minor = params.integer("amount")?.ok_or_else(|| InputError::missing("amount"))?;
    let currency = params.text("currency")?.ok_or_else(|| InputError::missing("currency"))?;
    let currency: Currency = currency.parse().map_err(|_| {
        InputError::new(
            "currency",
            "parameter_invalid_currency",
            "Invalid currency: use a three-letter ISO 4217 code such as eur.",
        )
    })?;
    let amount = Money::new(amount_minor, currency);
    // Bounds are rules of the domain too; told here, they cost the writer nothing.
    let checked = match kind {
        KindName::Charge | KindName::TopUp | KindName::Transfer => amounts::check(amount),
        KindName::Payout => amounts::check_payout(amount),
    };
    checked.map(|()| amount).map_err(wrong_amount)
}

fn wrong_amount(problem: AmountProblem) -> InputError {
    InputError::new("amount", problem.code(), problem.to_string())
}

fn destination(params: &mut Params<'_>) -> Result<Destination, InputError> {
    let text = params.text("destination")?.ok_or_else(|| InputError::missing("destination"))?;
    if text.starts_with("acct_") {
        return text.parse().map(Destination::Account).map_err(|_| unknown_destination());
    }
    Email::parse(&text).map(Destination::Email).map_err(|_| {
        let message = "Invalid destination: an e-mail address or an account id such as acct_… was expected.";
        InputError::new("destination", "parameter_invalid_string", message)
    })
}

/// Reads `customer`. Whether there is such a customer is decided later.
///
/// # Errors
/// What is no customer's id.
pub fn customer(params: &mut Params<'_>) -> Result<Option<CustomerId>, InputError> {
    let Some(text) = params.text("customer")? else { return Ok(None) };
    text.parse().map(Some).map_err(|_| {
        let message = format!("No such customer: '{}'", shown(&text, SHOWN_CHARS_MAX));
        InputError::new("customer", "resource_missing", message)
    })
}

fn bank(params: &mut Params<'_>) -> Result<BankAccount, InputError> {
    let Some(number) = params.text("bank_account")? else {
        return Ok(BankAccount::Valid);
    };
    BankAccount::by_number(&number).ok_or_else(|| {
        let message = "Not a test bank account. Use 000123456789, or 000111111113 for one that is closed.";
        InputError::new("bank_account", "bank_account_unknown", message)
    })
}

fn capture(params: &mut Params<'_>) -> Result<CaptureMethod, InputError> {
    match params.text("capture_method")?.as_deref() {
        None | Some("automatic" | "automatic_async") => Ok(CaptureMethod::Automatic),
        Some("manual") => Ok(CaptureMethod::Manual),
        Some(_) => {
            let message = "Invalid capture_method: must be one of automatic, automatic_async or manual.";
            Err(InputError::new("capture_method", "parameter_invalid_enum", message))
        }
    }
}

fn always_confirmed(params: &mut Params<'_>) -> Result<bool, InputError> {
    match params.boolean("confirm")? {
        None | Some(true) => Ok(true),
        Some(false) => {
            let message = "Only a charge can be created without being confirmed.";
            Err(InputError::new("confirm", "parameter_invalid_boolean", message))
        }
    }
}

fn lane(params: &mut Params<'_>) -> Result<Lane, InputError> {
    match params.text("lane")?.as_deref() {
        None | Some("interactive") => Ok(Lane::Interactive),
        Some("bulk") => Ok(Lane::Bulk),
        Some(_) => Err(InputError::new(
            "lane",
            "parameter_invalid_enum",
            "Invalid lane: must be interactive or bulk.",
        )),
    }
}

/// Reads the name of a load run.
///
/// # Errors
/// Too long, or characters that do not belong in a name.
pub fn run(params: &mut Params<'_>) -> Result<Option<String>, InputError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    match params.text_up_to("run", RUN_CHARS_MAX)? {
        None => Ok(None),
        Some(name) if name.chars().all(plain) => Ok(Some(name.into_owned())),
        Some(_) => {
            let message = "Invalid run: letters, digits and - _ . : were expected.";
            Err(InputError::new("run", "parameter_invalid_string", message))
        }
    }
}

/// Reads `metadata` of something new.
///
/// # Errors
/// Past the bounds.
pub fn metadata(params: &mut Params<'_>) -> Result<Metadata, InputError> {
    let mut pairs = metadata_patch(params)?.pairs;
    // An empty value means "no such key" in the dialect.
    pairs.retain(|(_, value)| !value.is_empty());
    Ok(pairs)
}

/// Reads what changes about `metadata`: an empty value removes its key, `metadata=` all of them.
///
/// # Errors
/// Past the bounds.
pub fn metadata_patch(params: &mut Params<'_>) -> Result<MetadataPatch, InputError> {
    let clear = params.empties("metadata");
    let pairs = params.map("metadata")?;
    let invalid = |message: String| Err(InputError::new("metadata", "metadata_invalid", message));
    if pairs.len() > METADATA_KEYS_MAX {
        return invalid(format!("Metadata can have at most {METADATA_KEYS_MAX} keys."));
    }
    if pairs.iter().any(|(key, _)| key.chars().count() > METADATA_KEY_CHARS_MAX) {
        return invalid(format!("Metadata keys can have at most {METADATA_KEY_CHARS_MAX} characters."));
    }
    if pairs.iter().any(|(_, value)| value.chars().count() > METADATA_VALUE_CHARS_MAX) {
        return invalid(format!("Metadata values can have at most {METADATA_VALUE_CHARS_MAX} characters."));
    }
    Ok(MetadataPatch { clear, pairs })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(form: &str, year: i16) -> Draft {
        let at = jiff::civil::date(year, 1, 15).to_zoned(jiff::tz::TimeZone::UTC).expect("a time");
        let now = Timestamp::from_micros(at.timestamp().as_microsecond());
        let rules = Rules::new([7; 32], true);
        let context = Context { rules: &rules, now, confirm_default: true };
        let mut params = Params::from_json(form.as_bytes()).expect("parameters");
        Draft::read(&mut params, KindName::Charge, &context).expect("a draft")
    }

    fn key_of(draft: Draft) -> IdempotencyKey {
        draft
            .into_command(AccountId::from_bytes([1; 16]), None)
            .expect("a command")
            .idempotency
            .expect("a key")
    }

    #[test]
    fn a_request_stays_the_same_while_its_card_grows_older() {
        let by_alias =
            r#"{"amount":100,"currency":"eur","payment_method":"pm_card_visa","idempotency_key":"k"}"#;
        assert_eq!(
            key_of(read(by_alias, 2026)),
            key_of(read(by_alias, 2027)),
            "an alias has no expiry of its own"
        );
        let card = |exp_year| {
            format!(
                r#"{{"amount":100,"currency":"eur","idempotency_key":"k",
                "card":{{"number":"4242424242424242","exp_month":12,"exp_year":{exp_year}}}}}"#
            )
        };
        let expired = read(&card(2026), 2027);
        assert!(expired.obstacle(None).is_some(), "it cannot be charged any more");
        assert!(expired.clone().into_command(AccountId::from_bytes([1; 16]), None).is_err());
        let before = key_of(read(&card(2026), 2026));
        assert_eq!(key_of(expired.as_before()), before, "but it is known");
        assert_ne!(
            key_of(read(&card(2028), 2027)).request,
            before.request,
            "another expiry is another request"
        );
    }
}
