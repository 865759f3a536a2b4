//! Reads new payments of all four kinds.

use super::attempt::Attempt;
use super::card::{Given, card_of};
use super::fields::{self, DESCRIPTION_CHARS_MAX};
use super::metadata::payment_metadata;
use super::{canonical, idempotency, text};
use crate::domain::amounts;
use crate::domain::bank_account::BankAccount;
use crate::domain::command::{IdempotencyKey, SubmitPayment};
use crate::domain::idempotency::{KeySecret, RequestKey};
use crate::domain::ids::{AccountId, ClockId, CustomerId, PaymentId};
use crate::domain::instrument::Instrument;
use crate::domain::money::Money;
use crate::domain::payment_kind::PaymentKind;
use crate::domain::submission::{CaptureMethod, Kind, Lane, Submission};
use crate::domain::time::Timestamp;
use crate::intake::details::Named;
use crate::intake::error::InputError;
use crate::intake::params::Params;
use crate::intake::payees::{self, Destination};
use crate::intake::rules::InputContext;

/// Only the last twelve digits of a given seed count, too few for a card number.
const DRAW_KEYS: u64 = 1_000_000_000_000;

/// A new payment, read and checked as far as is possible without the store.
#[derive(Debug, Clone)]
pub struct PaymentDraft {
    kind: PaymentKind,
    amount: Money,
    bank: BankAccount,
    /// Set for transfers only.
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
    /// Kept beside the payment.
    detail: Option<Named>,
    /// Further bytes of the request's form.
    extra: Vec<u8>,
    /// The idempotency key: read from the parameters, or set by an entrance that has its own.
    pub key: Option<RequestKey>,
    key_secret: KeySecret,
    asked_at: Timestamp,
}

impl PaymentDraft {
    /// Reads a payment of this kind. The caller calls [`Params::finish`] once it has taken its own parameters.
    ///
    /// # Errors
    /// [`InputError`] names the parameter at fault.
    pub fn read(
        params: &mut Params<'_>,
        kind: PaymentKind,
        context: &InputContext<'_>,
    ) -> Result<Self, InputError> {
        let amount = fields::amount(params, kind)?;
        let card = if kind.takes_card() { card_of(params, context)? } else { Given::default() };
        text::check_params(params, context.rules)?;
        if kind.takes_card() {
            // A rule for card payments, not of the domain: wallets move any amount.
            amounts::check_charge(amount).map_err(fields::wrong_amount)?;
        }
        let destination =
            if kind == PaymentKind::Transfer { Some(payees::destination(params)?) } else { None };
        let bank = if kind == PaymentKind::Payout { fields::bank(params)? } else { BankAccount::Valid };
        let (capture, confirm) = match kind {
            PaymentKind::Charge => {
                (fields::capture(params)?, params.boolean("confirm")?.unwrap_or(context.confirm_default))
            }
            PaymentKind::TopUp | PaymentKind::Transfer | PaymentKind::Payout => {
                (CaptureMethod::Automatic, fields::always_confirmed(params)?)
            }
        };
        if kind == PaymentKind::TopUp && card.card.is_none() {
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
            lane: fields::lane(params)?,
            run: fields::run(params)?,
            draw_key: params.integer("draw_key")?.map(|key| i64::cast_unsigned(key) % DRAW_KEYS),
            description: params.text_up_to("description", DESCRIPTION_CHARS_MAX)?.map(String::from),
            metadata: payment_metadata(params)?,
            customer: if kind == PaymentKind::Charge { fields::customer(params)? } else { None },
            detail: None,
            extra: Vec::new(),
            key: idempotency::key(params)?,
            key_secret: context.rules.key_secret,
            asked_at: context.now,
        })
    }

    /// Whether it is confirmed at once.
    #[must_use]
    pub const fn confirms(&self) -> bool {
        self.confirm
    }

    /// Whether it comes with a card.
    #[must_use]
    pub const fn brings_card(&self) -> bool {
        self.card.card.is_some()
    }

    /// Adds what is known of the attempt beside the card.
    pub fn present(&mut self, attempt: &Attempt) {
        let (presented, detail) = attempt.named();
        self.card.card = self.card.card.map(|card| card.presented_again(presented));
        self.detail = detail;
    }

    /// The detail, to be written before the command is handed in.
    pub(in crate::intake) const fn take_detail(&mut self) -> Option<Named> {
        self.detail.take()
    }

    /// Adds further parameters to the form, so that the same key with other parameters is noticed.
    #[must_use]
    pub fn asking_also(mut self, extra: &[u8]) -> Self {
        self.extra.extend_from_slice(extra);
        self
    }

    /// Why it cannot be done now, although it may have been done before.
    #[must_use]
    pub(in crate::intake) fn obstacle(&self, payee: Option<AccountId>) -> Option<InputError> {
        let nobody = self.kind == PaymentKind::Transfer && payee.is_none();
        self.card.lapsed.clone().or_else(|| nobody.then(payees::unknown_destination))
    }

    /// Why its card can no longer be used, for an entrance that gives the parameters other names.
    pub fn lapsed_mut(&mut self) -> Option<&mut InputError> {
        self.card.lapsed.as_mut()
    }

    /// Its idempotency key as it is stored.
    #[must_use]
    pub(in crate::intake) fn stored_key(&self) -> Option<[u8; 32]> {
        self.key.as_ref().map(|key| IdempotencyKey::new(key, &[], &self.key_secret).key)
    }

    /// The same draft, as it was while its card could be used.
    #[must_use]
    pub(in crate::intake) fn before_lapse(mut self) -> Self {
        self.card.lapsed = None;
        self
    }

    /// The command, for this owner. `payee` is the account that [`Self::destination`] names.
    ///
    /// # Errors
    /// Its [`Self::obstacle`].
    pub(in crate::intake) fn into_command(
        self,
        owner: AccountId,
        payee: Option<AccountId>,
    ) -> Result<SubmitPayment, InputError> {
        if let Some(obstacle) = self.obstacle(payee) {
            return Err(obstacle);
        }
        let kind = match (self.kind, payee) {
            (PaymentKind::Charge, _) => Kind::Charge,
            (PaymentKind::TopUp, _) => Kind::TopUp,
            (PaymentKind::Payout, _) => Kind::Payout { bank: self.bank },
            (PaymentKind::Transfer, Some(payee)) => Kind::Transfer { payee },
            (PaymentKind::Transfer, None) => return Err(payees::unknown_destination()),
        };
        // The id carries the time of the request: that is when people started waiting.
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

/// The seed of the draws where neither a seed nor a key was given.
fn draw_key(id: PaymentId) -> u64 {
    id.as_bytes().iter().rev().take(8).fold(0, |value, byte| (value << 8) | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::rules::Rules;

    fn read(form: &str, year: i16) -> PaymentDraft {
        let at = jiff::civil::date(year, 1, 15).to_zoned(jiff::tz::TimeZone::UTC).expect("a time");
        let now = Timestamp::from_micros(at.timestamp().as_microsecond());
        let rules = Rules::new([7; 32], true);
        let context = InputContext { rules: &rules, now, confirm_default: true };
        let mut params = Params::from_json(form.as_bytes()).expect("parameters");
        PaymentDraft::read(&mut params, PaymentKind::Charge, &context).expect("a draft")
    }

    fn key_of(draft: PaymentDraft) -> IdempotencyKey {
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
        assert!(expired.obstacle(None).is_some(), "it can no longer be charged");
        assert!(expired.clone().into_command(AccountId::from_bytes([1; 16]), None).is_err());
        let before = key_of(read(&card(2026), 2026));
        assert_eq!(key_of(expired.before_lapse()), before, "but it is recognised");
        assert_ne!(
            key_of(read(&card(2028), 2027)).request,
            before.request,
            "another expiry is another request"
        );
    }
}
