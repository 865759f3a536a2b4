//! Conditions on payments and on questions, for routes and for rules.

use std::ops::RangeInclusive;

use super::pattern::Pattern;
use crate::domain::card::{Brand, Card};
use crate::domain::country::Country;
use crate::domain::currency::Currency;
use crate::domain::ids::CustomerId;
use crate::domain::instrument::Instrument;
use crate::domain::listed::listed;
use crate::domain::money::Money;
use crate::domain::payment::OperationName;
use crate::domain::payment_kind::PaymentKind;
use crate::simulator::question::Question;

listed! {
    /// What is paid with, or paid out to.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Method {
        /// A card.
        Card,
        /// A bank account that receives a payout.
        BankAccount,
    }
}

impl Method {
    /// The name in scenarios.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Card => "card",
            Self::BankAccount => "bank_account",
        }
    }

    /// That of an instrument; `None` where nobody outside is asked.
    const fn of(instrument: &Instrument) -> Option<Self> {
        match instrument {
            Instrument::Card(_) => Some(Self::Card),
            Instrument::Bank(_) => Some(Self::BankAccount),
            Instrument::Wallet => None,
        }
    }
}

/// Conditions that must hold together. Each names what is allowed; an empty one allows everything.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Conditions {
    /// Kinds of payment.
    pub kinds: Vec<PaymentKind>,
    /// Operations.
    pub operations: Vec<OperationName>,
    /// Currencies.
    pub currencies: Vec<Currency>,
    /// Amounts in minor units.
    pub amount_minor: Option<RangeInclusive<i64>>,
    /// Networks of the card.
    pub brands: Vec<Brand>,
    /// Countries of the card's issuer.
    pub countries: Vec<Country>,
    /// Cards, by their codes in the list of test cards.
    pub cards: Vec<u16>,
    /// Cards with certain last four digits, by their codes in that list.
    pub last4: Vec<u16>,
    /// Attempts, counted from 1.
    pub attempts: Option<RangeInclusive<i64>>,
    /// Customers.
    pub customers: Vec<CustomerId>,
    /// Keys of the metadata that must be there, each with the values that are allowed.
    pub metadata: Vec<(String, Vec<String>)>,
    /// Hours of the day (UTC) in which the attempt entered the queue.
    pub hours: Option<RangeInclusive<i64>>,
    /// The last two digits before which the amount has whole units: its first two decimals, if it has any.
    pub cents: Vec<u8>,
    /// Names of the cardholder.
    pub holders: Vec<Pattern>,
    /// E-mail addresses of the cardholder.
    pub emails: Vec<Pattern>,
    /// What is paid with.
    pub methods: Vec<Method>,
}

/// What conditions are about.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'q> {
    kind: PaymentKind,
    operation: OperationName,
    amount: Money,
    card: Option<&'q Card>,
    attempt: u16,
    customer: Option<CustomerId>,
    metadata: &'q [(String, String)],
    hour: i64,
    holder: Option<&'q str>,
    email: Option<&'q str>,
    method: Option<Method>,
    can_challenge: bool,
}

impl<'q> Facts<'q> {
    /// About one attempt of an operation, with its own amount. `can_challenge` is whether its cardholder could be asked to
    /// authenticate now.
    #[must_use]
    pub fn of_operation<O>(
        question: &'q Question<'_, O>,
        operation: OperationName,
        can_challenge: bool,
    ) -> Self {
        Self {
            kind: question.kind.payment_kind(),
            operation,
            amount: question.amount,
            card: question.instrument.as_ref().and_then(Instrument::card),
            attempt: question.attempt,
            customer: question.customer,
            metadata: question.metadata,
            hour: question.queued_at.seconds().div_euclid(3_600).rem_euclid(24),
            holder: question.holder,
            email: question.email,
            method: question.instrument.as_ref().and_then(Method::of),
            can_challenge,
        }
    }

    /// About the question's payment, whichever of its operations is asked for.
    #[must_use]
    pub fn of_payment<O>(question: &'q Question<'_, O>) -> Self {
        Self {
            amount: Money::new(question.payment_minor, question.amount.currency),
            attempt: 1,
            ..Self::of_operation(question, OperationName::Authorize, false)
        }
    }

    /// Whether the cardholder could be asked to authenticate now.
    #[must_use]
    pub const fn can_challenge(&self) -> bool {
        self.can_challenge
    }
}

impl Conditions {
    /// Whether all of them hold. A condition on the card does not hold where there is none.
    #[must_use]
    pub fn hold(&self, facts: &Facts<'_>) -> bool {
        allows(&self.kinds, facts.kind)
            && allows(&self.operations, facts.operation)
            && allows(&self.currencies, facts.amount.currency)
            && spans(self.amount_minor.as_ref(), facts.amount.amount_minor)
            && spans(self.attempts.as_ref(), i64::from(facts.attempt))
            && spans(self.hours.as_ref(), facts.hour)
            && (self.customers.is_empty()
                || facts.customer.is_some_and(|customer| self.customers.contains(&customer)))
            && self.metadata.iter().all(|(key, allowed)| {
                facts.metadata.iter().any(|(name, value)| name == key && allowed.contains(value))
            })
            && (self.cents.is_empty() || self.cents.contains(&cents(facts.amount)))
            && one_matches(&self.holders, facts.holder)
            && one_matches(&self.emails, facts.email)
            && (self.methods.is_empty() || facts.method.is_some_and(|method| self.methods.contains(&method)))
            && facts.card.map_or_else(|| !self.are_about_card(), |card| self.hold_for(card))
    }

    /// Whether they need to know who the cardholder is.
    #[must_use]
    pub const fn ask_for_holder(&self) -> bool {
        !self.holders.is_empty() || !self.emails.is_empty()
    }

    /// Whether they name single cards.
    #[must_use]
    pub const fn name_cards(&self) -> bool {
        !self.cards.is_empty() || !self.last4.is_empty()
    }

    const fn are_about_card(&self) -> bool {
        self.name_cards() || !self.brands.is_empty() || !self.countries.is_empty()
    }

    fn hold_for(&self, card: &Card) -> bool {
        allows(&self.brands, card.brand)
            && allows(&self.countries, card.country)
            && allows(&self.cards, card.listed)
            && allows(&self.last4, card.listed)
    }
}

/// Whether a list of what is allowed has this in it; an empty one allows everything.
fn allows<T: PartialEq>(allowed: &[T], value: T) -> bool {
    allowed.is_empty() || allowed.contains(&value)
}

/// The first two decimals of an amount; where the currency has none, its last two digits.
fn cents(amount: Money) -> u8 {
    let minor = amount.amount_minor.unsigned_abs();
    let to_two_decimals = if amount.currency.decimals() == 3 { minor / 10 } else { minor };
    u8::try_from(to_two_decimals % 100).unwrap_or_default()
}

/// Whether a text is as one of these patterns says; where there are none, anything is. What is not known matches nothing.
fn one_matches(patterns: &[Pattern], text: Option<&str>) -> bool {
    patterns.is_empty() || text.is_some_and(|text| patterns.iter().any(|pattern| pattern.matches(text)))
}

fn spans(allowed: Option<&RangeInclusive<i64>>, value: i64) -> bool {
    allowed.is_none_or(|allowed| allowed.contains(&value))
}
