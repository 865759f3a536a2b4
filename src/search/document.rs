//! The indexed form of a payment, built purely from the aggregate.
//!
//! One document per payment for its submitter; a transfer that succeeded has a second one for its payee, a receipt
//! without the sender's description and metadata. Text is not copied before an adapter asks for it: a document shares the
//! payment's submission, and [`PaymentDocument::visit`] hands each indexed value to a [`FieldSink`].

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::domain::card::Card;
use crate::domain::decline::DeclineReason;
use crate::domain::ids::{AccountId, ChargeId, PaymentId, RefundId, base62_decode, base62_encode};
use crate::domain::instrument::Instrument;
use crate::domain::payment::Payment;
use crate::domain::status::Status;
use crate::domain::submission::{Kind, Submission};
use crate::domain::text::composed;
use crate::domain::time::Timestamp;

use super::query::{CARD_PRESENT, METADATA_SEPARATOR, NumberField, TermField, has};
use super::text::{append_words, fold};

/// Names a document: a payment, or the receipt of it that an account holds. Ordered by payment, the submitter's first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocKey {
    /// The payment that the document shows.
    pub payment: PaymentId,
    /// Whose receipt it is; `None` for the submitter's document.
    pub receipt_of: Option<AccountId>,
}

impl fmt::Display for DocKey {
    /// `<payment>` or `<payment>:<payee>`, without prefixes. The order of the text is the order of the keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.payment.with_prefix(""))?;
        match self.receipt_of {
            Some(payee) => write!(f, ":{}", payee.with_prefix("")),
            None => Ok(()),
        }
    }
}

impl DocKey {
    /// The bits of the payment, and of the payee where it is a receipt. In the order of the keys as well.
    #[must_use]
    pub fn to_bytes(self) -> Vec<u8> {
        let payee = self.receipt_of.as_ref().map_or(&[][..], |payee| payee.as_bytes());
        [self.payment.as_bytes(), payee].concat()
    }

    /// Reads [`Self::to_bytes`] back.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        let (payment, payee) = bytes.split_at_checked(16)?;
        let receipt_of = if payee.is_empty() { None } else { Some(AccountId::from_slice(payee)?) };
        Some(Self { payment: PaymentId::from_slice(payment)?, receipt_of })
    }
}

impl FromStr for DocKey {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let bits = |part: &str| base62_decode(part).map(u128::to_be_bytes).ok_or(());
        let (payment, payee) =
            text.split_once(':').map_or((text, None), |(payment, payee)| (payment, Some(payee)));
        Ok(Self {
            payment: PaymentId::from_bytes(bits(payment)?),
            receipt_of: payee.map(bits).transpose()?.map(AccountId::from_bytes),
        })
    }
}

/// Display names of accounts, so that a transfer can be found by the name of the other person.
pub trait AccountNames {
    /// The name of an account, if it has one.
    fn name_of(&self, account: AccountId) -> Option<Arc<str>>;
}

/// No names at all.
impl AccountNames for () {
    fn name_of(&self, _: AccountId) -> Option<Arc<str>> {
        None
    }
}

/// Receives the indexed values of one document. Values of one field come one after another.
pub trait FieldSink {
    /// An exact value, already folded where its field is.
    fn term(&mut self, field: TermField, value: &str);
    /// An id, where its field holds ids ([`TermField::is_id`]): as text, it is a term without a prefix.
    fn id(&mut self, field: TermField, bits: &[u8; 16]) {
        self.term(field, &base62_encode(u128::from_be_bytes(*bits)));
    }
    /// A number.
    fn number(&mut self, field: NumberField, value: i64);
    /// One free text, as words separated by single spaces.
    fn words(&mut self, words: &str);
}

/// The indexed form of a payment for one reader.
#[derive(Debug, Clone)]
pub struct PaymentDocument {
    /// Which document this is.
    pub key: DocKey,
    /// Who may find it.
    pub owner: AccountId,
    /// The payment's version, by which documents replace each other.
    pub version: u64,
    submission: Arc<Submission>,
    status: Status,
    instrument: Option<Instrument>,
    decline: Option<DeclineReason>,
    created_at: Timestamp,
    took_us: Option<u64>,
    updated_at: Timestamp,
    settled_at: Option<Timestamp>,
    refunded_minor: i64,
    received_minor: i64,
    in_transit_minor: i64,
    parked: bool,
    refunds: Vec<RefundId>,
    /// The charges of attempts after the first.
    charges: Vec<ChargeId>,
    other_name: Option<Arc<str>>,
}

impl PaymentDocument {
    /// The documents of a payment: its submitter's, and the payee's receipt once a transfer has succeeded.
    #[must_use]
    pub fn of(payment: &Payment, names: &dyn AccountNames) -> Vec<Self> {
        let submission = payment.submission();
        let state = payment.state();
        let payee = match submission.kind {
            Kind::Transfer { payee } => Some(payee),
            Kind::Charge | Kind::TopUp | Kind::Payout { .. } => None,
        };
        let document = Self {
            key: DocKey { payment: submission.id, receipt_of: None },
            owner: submission.owner,
            version: u64::from(payment.version()),
            submission: Arc::clone(submission),
            status: state.status,
            instrument: state.instrument,
            decline: state.decline,
            created_at: payment.created_at(),
            took_us: payment.took_us(),
            updated_at: state.updated_at,
            settled_at: state.settled_at,
            refunded_minor: payment.refunded_minor(),
            received_minor: state.received_minor,
            in_transit_minor: payment.in_transit_minor(),
            parked: payment.is_parked(),
            refunds: state.refunds.iter().map(|refund| refund.id).collect(),
            charges: later_charges(payment),
            other_name: payee.and_then(|payee| names.name_of(payee)),
        };
        let receipt = payee
            .filter(|payee| *payee != submission.owner && state.status == Status::Succeeded)
            .map(|payee| document.receipt(payee, names.name_of(submission.owner)));
        std::iter::once(document).chain(receipt).collect()
    }

    /// What the payee of a transfer may find.
    fn receipt(&self, payee: AccountId, sender: Option<Arc<str>>) -> Self {
        Self {
            key: DocKey { receipt_of: Some(payee), ..self.key },
            owner: payee,
            refunded_minor: 0,
            in_transit_minor: 0,
            parked: false,
            refunds: Vec::new(),
            charges: Vec::new(),
            decline: None,
            other_name: sender,
            ..self.clone()
        }
    }

    /// Whether this is a receipt.
    #[must_use]
    pub const fn is_receipt(&self) -> bool {
        self.key.receipt_of.is_some()
    }

    /// Hands every indexed value to `sink`.
    pub fn visit(&self, sink: &mut impl FieldSink) {
        let submission = &self.submission;
        sink.id(TermField::Owner, self.owner.as_bytes());
        sink.id(TermField::Payment, submission.id.as_bytes());
        sink.term(TermField::Status, self.status.as_str());
        sink.term(TermField::Kind, submission.kind.as_str());
        sink.term(TermField::Currency, &submission.amount.currency.lower());
        sink.number(NumberField::Amount, submission.amount.amount_minor);
        if self.received_minor > 0 {
            sink.number(NumberField::Received, self.received_minor);
        }
        sink.number(NumberField::Refunded, self.refunded_minor);
        if self.in_transit_minor > 0 {
            sink.number(NumberField::InTransit, self.in_transit_minor);
        }
        sink.number(NumberField::Created, self.created_at.micros());
        sink.number(NumberField::Updated, self.updated_at.micros());
        if let Some(settled) = self.settled_at {
            sink.number(NumberField::Settled, settled.micros());
            if let Some(took_us) = self.took_us.filter(|_| !self.is_receipt()) {
                sink.number(NumberField::Took, i64::try_from(took_us).unwrap_or(i64::MAX));
            }
        }
        if let Kind::Transfer { payee } = submission.kind {
            sink.id(TermField::Payee, payee.as_bytes());
        }
        for refund in &self.refunds {
            sink.id(TermField::Refund, refund.as_bytes());
        }
        for charge in &self.charges {
            sink.id(TermField::Charge, charge.as_bytes());
        }
        self.visit_card(sink);
        self.visit_texts(sink);
        self.visit_flags(sink);
        self.visit_presence(sink);
        if let Some(name) = &self.other_name {
            words(name, sink);
        }
    }

    fn card(&self) -> Option<&Card> {
        self.instrument.as_ref().and_then(Instrument::card)
    }

    fn visit_card(&self, sink: &mut impl FieldSink) {
        if let Some(card) = self.card() {
            sink.term(TermField::CardBrand, card.brand.as_str());
            sink.term(TermField::CardLast4, &card.last4());
            sink.term(TermField::CardFirst6, &card.first6());
            sink.term(TermField::CardFingerprint, &format!("{:016x}", card.fingerprint));
            sink.words(card.brand.as_str());
            sink.words(&card.last4());
        }
        if let Some(decline) = self.decline {
            sink.term(TermField::DeclineCode, decline.decline_code());
            words(decline.decline_code(), sink);
        }
    }

    fn visit_texts(&self, sink: &mut impl FieldSink) {
        if self.is_receipt() {
            return;
        }
        if let Some(description) = &self.submission.description {
            sink.term(TermField::Description, &fold(description));
            words(description, sink);
        }
        for (key, value) in &self.submission.metadata {
            let key = composed(key);
            sink.term(TermField::Metadata, &format!("{key}{METADATA_SEPARATOR}{}", fold(value)));
        }
        for (_, value) in &self.submission.metadata {
            words(value, sink);
        }
        if let Kind::Payout { bank } = self.submission.kind {
            // As rows write it.
            words("Bank", sink);
            words(bank.last4(), sink);
        }
        if let Some(run) = &self.submission.run {
            sink.term(TermField::Run, &fold(run));
            words(run, sink);
        }
    }

    fn visit_flags(&self, sink: &mut impl FieldSink) {
        let flags = [
            ("refunded", self.refunded_minor > 0),
            ("partially_refunded", self.refunded_minor > 0 && self.refunded_minor < self.received_minor),
            ("parked", self.parked),
            ("received", self.is_receipt()),
        ];
        for (name, _) in flags.iter().filter(|(_, set)| *set) {
            sink.term(TermField::Flag, name);
        }
    }

    /// Which optional fields have a value, for `field:null`.
    fn visit_presence(&self, sink: &mut impl FieldSink) {
        let own = !self.is_receipt();
        let submission = &self.submission;
        let present = [
            ("settled", self.settled_at.is_some()),
            ("amount_received", self.received_minor > 0),
            ("in_transit", self.in_transit_minor > 0),
            ("metadata", own && !submission.metadata.is_empty()),
            ("description", own && submission.description.is_some()),
            ("run", own && submission.run.is_some()),
            (CARD_PRESENT, self.card().is_some()),
            ("decline_code", self.decline.is_some()),
            ("refund", !self.refunds.is_empty()),
            ("payee", matches!(submission.kind, Kind::Transfer { .. })),
        ];
        for (name, _) in present.iter().filter(|(_, set)| *set) {
            sink.term(TermField::Has, name);
        }
        if own {
            for (key, _) in &submission.metadata {
                sink.term(TermField::Has, &has(&composed(key)));
            }
        }
    }
}

/// The charges that are not found by the payment's own id.
fn later_charges(payment: &Payment) -> Vec<ChargeId> {
    let first = ChargeId::of_payment(payment.id());
    payment.charges().map(|charge| charge.id).filter(|id| *id != first).collect()
}

fn words(text: &str, sink: &mut impl FieldSink) {
    let mut joined = String::with_capacity(text.len());
    append_words(text, &mut joined);
    if !joined.is_empty() {
        sink.words(&joined);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> impl Strategy<Value = DocKey> {
        // Few payments, so that some have several receipts.
        (0_u8..4, prop::option::of(prop::array::uniform16(0_u8..))).prop_map(|(payment, payee)| DocKey {
            payment: PaymentId::from_bytes([payment; 16]),
            receipt_of: payee.map(AccountId::from_bytes),
        })
    }

    proptest! {
        #[test]
        fn keys_come_back_from_text_and_bytes_which_are_in_their_order(one in key(), other in key()) {
            prop_assert_eq!(one.to_string().parse(), Ok(one));
            prop_assert_eq!(DocKey::from_slice(&one.to_bytes()), Some(one));
            prop_assert_eq!(one.to_bytes().cmp(&other.to_bytes()), one.cmp(&other));
            prop_assert_eq!(one.to_string().cmp(&other.to_string()), one.cmp(&other));
        }
    }

    #[test]
    fn what_is_no_key_is_none() {
        for bytes in [&[0; 0][..], &[0; 15], &[0; 17], &[0; 33]] {
            assert_eq!(DocKey::from_slice(bytes), None, "{bytes:?}");
        }
    }
}
