//! The canonical form of a request, over which its idempotency hash is taken.
//!
//! Built after the card was reduced, so it holds no card number; and from what was asked for, not from how it was
//! written, so the same request has the same form as an HTTP form, as JSON and over the WebSocket.

use super::card::Given;
use crate::domain::instrument::PresentedCard;
use crate::domain::submission::{CaptureMethod, Kind, Lane, Submission};
use crate::intake::payees::Destination;

/// Fields one after another, each with its length, so that no two requests share a form.
#[derive(Debug, Default)]
pub struct Canonical {
    bytes: Vec<u8>,
}

impl Canonical {
    /// Adds a field.
    #[must_use]
    pub fn field(mut self, value: impl AsRef<[u8]>) -> Self {
        let value = value.as_ref();
        self.bytes.extend_from_slice(&(value.len() as u64).to_be_bytes());
        self.bytes.extend_from_slice(value);
        self
    }

    /// Adds a field that may be absent.
    #[must_use]
    pub fn optional(self, value: Option<impl AsRef<[u8]>>) -> Self {
        match value {
            Some(value) => self.field([1]).field(value),
            None => self.field([0]),
        }
    }

    /// Adds a card. The expiry of a card given by alias is left out: it depends on the day and was not asked for.
    #[must_use]
    pub fn card(self, given: &Given) -> Self {
        let form = given.card.map(|PresentedCard { card, presented }| {
            let written = u32::from(card.exp_year) * 100 + u32::from(card.exp_month);
            let expiry = if given.alias { 0 } else { written };
            let head = [card.listed.to_be_bytes(), [u8::from(card.checks.cvc.is_some()), 0]].concat();
            let plain = [head.as_slice(), &expiry.to_be_bytes(), &card.fingerprint.to_be_bytes()].concat();
            // An absent field leaves the form as it was before the field existed, so older hashes still match.
            if presented.is_empty() { plain } else { [plain, presented.to_bytes().to_vec()].concat() }
        });
        self.optional(form)
    }

    /// The form.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// The form of a submission; its id and time are not part of what was asked.
pub(super) fn submission(
    submission: &Submission,
    draw_key: Option<u64>,
    destination: Option<&Destination>,
    card: &Given,
    confirm: bool,
) -> Vec<u8> {
    // An e-mail address may change owners; the address is what was asked for.
    let payee = destination.map(|destination| match destination {
        Destination::Account(id) => id.as_bytes().to_vec(),
        Destination::Email(email) => email.as_str().as_bytes().to_vec(),
    });
    let bank = match submission.kind {
        Kind::Payout { bank } => Some(bank.last4()),
        Kind::Charge | Kind::TopUp | Kind::Transfer { .. } => None,
    };
    let mut metadata: Vec<&(String, String)> = submission.metadata.iter().collect();
    metadata.sort();
    let form = Canonical::default()
        .field("submit")
        .field(submission.kind.as_str())
        .optional(payee)
        .optional(bank)
        .field(submission.amount.amount_minor.to_be_bytes())
        .field(submission.amount.currency.as_bytes())
        .field([
            u8::from(submission.capture == CaptureMethod::Manual),
            u8::from(submission.lane == Lane::Bulk),
        ])
        .field([u8::from(confirm)])
        .card(card)
        .optional(draw_key.map(u64::to_be_bytes))
        .optional(submission.description.as_deref())
        .optional(submission.run.as_deref());
    // An absent field leaves the form as it was before the field existed, so older hashes still match.
    let form = match submission.customer {
        Some(customer) => form.field("customer").field(customer.as_bytes()),
        None => form,
    };
    metadata.into_iter().fold(form, |form, (key, value)| form.field(key).field(value)).into_bytes()
}
