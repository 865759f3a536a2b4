//! The form that makes a payment: four verbs, test cards in groups. Pure. With JavaScript it is submitted over the socket, without it
//! as a plain form.

use crate::domain::bank_account::BankAccount;
use crate::domain::card::{Check, Funding, Risk};
use crate::domain::payment_kind::PaymentKind;
use crate::domain::test_cards::{Behaviour, Consequence, SetUp, TestCard};

/// A group of test cards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardGroup {
    /// Its heading.
    pub label: &'static str,
    /// Its cards.
    pub cards: Vec<CardChoice>,
}

/// A card that can be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardChoice {
    /// The alias that is submitted, `pm_card_…`.
    pub token: String,
    /// The number in groups of four, and what it does.
    pub label: String,
    /// The number in groups of four; empty for cards that have none.
    pub number: String,
    /// What it does, in words.
    pub does: String,
    /// Whether it is chosen.
    pub chosen: bool,
    /// Whether it is always visible; the others are folded away.
    pub common: bool,
}

/// The contents of the form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PayFormInput {
    /// The payment kind as the API names it.
    pub kind: String,
    /// The amount as typed.
    pub amount: String,
    /// The currency code, lower-case.
    pub currency: String,
    /// The chosen card's alias.
    pub payment_method: String,
    /// The payee as typed.
    pub destination: String,
    /// The bank account's number.
    pub bank_account: String,
    /// The description.
    pub description: String,
    /// Whether to capture later.
    pub manual: bool,
}

impl PayFormInput {
    /// `Charge €12.50, card 4242`.
    #[must_use]
    pub fn first() -> Self {
        Self {
            kind: PaymentKind::Charge.as_str().to_owned(),
            amount: "12.50".to_owned(),
            currency: "eur".to_owned(),
            payment_method: "pm_card_visa".to_owned(),
            ..Self::default()
        }
    }
}

/// A verb of the form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verb {
    /// The payment kind as the API names it.
    pub kind: &'static str,
    /// The words on its tab.
    pub label: &'static str,
    /// The words on the button.
    pub submit: &'static str,
    /// Whether it is chosen.
    pub chosen: bool,
}

/// The form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayForm {
    /// The contents to show.
    pub input: PayFormInput,
    /// The key that makes a double click harmless.
    pub idempotency_key: String,
    /// The four verbs.
    pub verbs: Vec<Verb>,
    /// Test cards in groups.
    pub groups: Vec<CardGroup>,
    /// Offered currencies, the usual ones first: code, label, whether it is chosen.
    pub currencies: Vec<(String, String, bool)>,
    /// Test bank accounts: number, what it does, whether it is chosen.
    pub banks: Vec<(&'static str, &'static str, bool)>,
    /// The field at fault and its message, after a rejection.
    pub error: Option<FieldError>,
    /// Whether it has a page of its own, with the verbs as tabs and the cards visible.
    pub whole_page: bool,
}

/// A rejected field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// The field's name; empty where it is the whole form.
    pub field: String,
    /// One sentence for people.
    pub message: String,
}

/// Currencies offered first; among them some with two, none and three decimals.
const USUAL: [&str; 7] = ["eur", "usd", "gbp", "jpy", "kwd", "chf", "sek"];

const VERBS: [(PaymentKind, &str, &str); 4] = [
    (PaymentKind::Charge, "Charge a card", "Charge"),
    (PaymentKind::TopUp, "Add money", "Add money"),
    (PaymentKind::Transfer, "Send to a person", "Send"),
    (PaymentKind::Payout, "Pay out", "Pay out"),
];

impl PayForm {
    /// The form filled with `input`.
    #[must_use]
    pub fn new(input: PayFormInput, idempotency_key: String, error: Option<FieldError>) -> Self {
        let verb = |(kind, label, submit): (PaymentKind, _, _)| {
            let kind = kind.as_str();
            Verb { kind, label, submit, chosen: input.kind == kind }
        };
        let currency = |code: String| {
            let chosen = input.currency == code;
            (code.clone(), code.to_uppercase(), chosen)
        };
        let others = crate::domain::currency::Currency::all().into_iter().map(|currency| currency.lower());
        let usual = USUAL.iter().map(|code| (*code).to_owned());
        let offered = usual.chain(others.filter(|code| !USUAL.contains(&code.as_str())));
        let bank = |(account, number): (BankAccount, &'static str)| {
            let does = match account {
                BankAccount::Valid => "is credited",
                BankAccount::Closed => "is closed: the payout comes back",
            };
            (number, does, input.bank_account == number)
        };
        Self {
            verbs: VERBS.map(verb).to_vec(),
            groups: groups(&input.payment_method),
            currencies: offered.map(currency).collect(),
            banks: BankAccount::ALL.map(bank).to_vec(),
            input,
            idempotency_key,
            error,
            whole_page: false,
        }
    }

    /// The same form on a page of its own.
    #[must_use]
    pub fn whole_page(mut self) -> Self {
        self.whole_page = true;
        self
    }

    /// The groups with only their common cards, or with only the others.
    #[must_use]
    pub fn cards(&self, common: bool) -> Vec<CardGroup> {
        let group = |group: &CardGroup| {
            let cards = group.cards.iter().filter(|card| card.common == common).cloned().collect();
            CardGroup { label: group.label, cards }
        };
        self.groups.iter().map(group).filter(|group| !group.cards.is_empty()).collect()
    }

    /// Whether the chosen card is one of those that are folded away.
    #[must_use]
    pub fn chose_uncommon(&self) -> bool {
        self.groups.iter().flat_map(|group| &group.cards).any(|card| card.chosen && !card.common)
    }

    /// The address it is sent to without JavaScript.
    #[must_use]
    pub const fn action(&self) -> &'static str {
        if self.whole_page { "/pay" } else { "/payments" }
    }

    /// The error message for a field, if it is the one at fault.
    #[must_use]
    pub fn error_of(&self, field: &str) -> Option<&str> {
        self.error.as_ref().filter(|error| error.field == field).map(|error| error.message.as_str())
    }

    /// The error message for the whole form, if no field is at fault.
    #[must_use]
    pub fn error_of_all(&self) -> Option<&str> {
        const FIELDS: [&str; 8] =
            ["amount", "currency", "payment_method", "number", "expiry", "cvc", "destination", "description"];
        self.error
            .as_ref()
            .filter(|error| !FIELDS.contains(&error.field.as_str()))
            .map(|error| error.message.as_str())
    }
}

const GROUPS: [&str; 7] = [
    "Success",
    "Decline",
    "Risk and checks",
    "3-D Secure",
    "Later trouble (not simulated yet: they succeed)",
    "Technical trouble",
    "Success, by country",
];

fn groups(chosen: &str) -> Vec<CardGroup> {
    let group = |label: &'static str| CardGroup {
        label,
        cards: TestCard::all()
            .filter(|card| group_and_words(card).0 == label)
            .map(|card| choice(card, chosen))
            .collect(),
    };
    GROUPS.map(group).to_vec()
}

fn choice(card: &TestCard, chosen: &str) -> CardChoice {
    let token = format!("pm_card_{}", card.token());
    let (_, does) = group_and_words(card);
    let number = spaced(card.number);
    let label = if number.is_empty() { does.clone() } else { format!("{number} · {does}") };
    CardChoice { chosen: token == chosen, common: card.is_common(), token, label, number, does }
}

fn spaced(number: &str) -> String {
    let mut text = String::with_capacity(number.len() + 4);
    for (at, digit) in number.chars().enumerate() {
        if at > 0 && at % 4 == 0 {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

fn group_and_words(card: &TestCard) -> (&'static str, String) {
    let [success, decline, risk, secure, later, technical, countries] = GROUPS;
    let funding = if card.funding == Funding::Credit { "" } else { card.funding.as_str() };
    let network = format!("{} {funding}", card.brand.label());
    let network = network.trim_end();
    if card.is_by_country() {
        return (countries, format!("{}, {network}", card.country));
    }
    match card.behaviour {
        Behaviour::Succeed if card.is_about_risk() => (risk, risk_words(card)),
        Behaviour::Succeed => (success, format!("{network}, succeeds")),
        Behaviour::Decline(reason) => (decline, reason.words().to_owned()),
        Behaviour::DeclineIfCvc => (decline, "wrong security code".to_owned()),
        Behaviour::AttachThenDecline(reason) => (decline, format!("attaches, then: {}", reason.words())),
        Behaviour::Blocked => (decline, "blocked as fraudulent".to_owned()),
        Behaviour::ThreeDSecure { then: Some(reason), .. } => {
            (secure, format!("asks, then: {}", reason.words()))
        }
        Behaviour::ThreeDSecure { then: None, set_up } => {
            let words = match set_up {
                SetUp::NoMatter => "always asks",
                SetUp::Spares => "asks, unless set up before",
                SetUp::Done => "asks, but not off session",
            };
            (secure, words.to_owned())
        }
        Behaviour::ThreeDSecureLookupError => (secure, "lookup breaks".to_owned()),
        Behaviour::ThreeDSecureOnRequest { breaks } => {
            (secure, if breaks { "only on request, then breaks" } else { "only on request" }.to_owned())
        }
        Behaviour::Frictionless => (secure, "authenticates without asking".to_owned()),
        Behaviour::SucceedThen(then) => (later, later_words(then).to_owned()),
        Behaviour::TechnicalErrors(u16::MAX) => {
            (technical, "Acquirer always breaks: failed, then parked".to_owned())
        }
        Behaviour::TechnicalErrors(times) => {
            (technical, format!("Acquirer breaks {times} times, then succeeds"))
        }
    }
}

fn risk_words(card: &TestCard) -> String {
    let fails = |check: Check, what: &'static str| match check {
        Check::Pass => None,
        Check::Fail => Some(format!("{what} is wrong")),
        Check::Unavailable => Some(format!("{what} is not checked")),
    };
    let risk = (card.risk != Risk::Normal).then(|| format!("{} risk", card.risk.as_str()));
    let checks = card.checks;
    let checks = [
        fails(checks.cvc, "security code"),
        fails(checks.line1, "address"),
        fails(checks.postal, "postal code"),
    ];
    let words: Vec<String> = risk.into_iter().chain(checks.into_iter().flatten()).collect();
    if words.is_empty() { "asks nothing here, succeeds".to_owned() } else { words.join(", ") }
}

const fn later_words(then: Consequence) -> &'static str {
    match then {
        Consequence::DisputeFraudulent => "disputed as fraudulent",
        Consequence::DisputeNotReceived => "disputed: not received",
        Consequence::MultipleDisputes => "disputed several times",
        Consequence::CompellingEvidenceDispute => "disputed, Compelling Evidence 3.0",
        Consequence::ComplianceDispute => "disputed: compliance",
        Consequence::SmartDispute => "disputed, answered automatically",
        Consequence::DisputePrevented => "dispute prevented",
        Consequence::Inquiry => "inquiry follows",
        Consequence::FraudWarning => "early fraud warning",
        Consequence::RefundPending => "refunds arrive late",
        Consequence::RefundFails => "refunds fail later",
        Consequence::InstantFunds => "funds at once",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_card_is_offered_once_and_the_first_is_chosen() {
        let form = PayForm::new(PayFormInput::first(), "key".to_owned(), None);
        let cards: Vec<_> = form.groups.iter().flat_map(|group| &group.cards).collect();
        assert_eq!(cards.len(), TestCard::all().count());
        assert_eq!(cards.iter().filter(|card| card.chosen).count(), 1);
        assert_eq!(cards[0].label, "4242 4242 4242 4242 · Visa, succeeds");
    }
}
