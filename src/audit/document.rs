//! The documents that a payment must have, worked out a second time: from the events alone, without the state that the index's
//! writer uses. A field that is written wrong is wrong on one side only, and differs from what is read back.
//!
//! Shared with the writer are the names of the fields, and how text is folded and cut into words.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::facts::{Facts, Leg};
use crate::domain::ids::AccountId;
use crate::domain::payment::Payment;
use crate::domain::status::Status;
use crate::domain::submission::Kind;
use crate::domain::text::composed;
use crate::search::contents::{Contents, Listed, Value};
use crate::search::document::FieldSink;
use crate::search::query::{CARD_PRESENT, METADATA_SEPARATOR, NumberField, TermField, has};
use crate::search::text::{append_words, fold};
use crate::search::{AccountNames, DocKey, ScannedDocument};

/// A document as an index must have it.
#[derive(Debug, Clone)]
pub struct Expected {
    /// Without the words of the other person's name.
    pub document: ScannedDocument,
    /// The sum over all words, if the other person's name is known. A server writes the names that it has in memory at that moment.
    named_words: Option<u64>,
}

impl Expected {
    /// Whether what was read back is this, versions aside.
    #[must_use]
    pub fn is(&self, found: &ScannedDocument) -> bool {
        let words = found.words == self.document.words || Some(found.words) == self.named_words;
        found.fields == self.document.fields && words
    }
}

/// The payment's documents as an index must have them: its submitter's, and the payee's once a transfer has arrived.
#[must_use]
pub fn expected(payment: &Payment, names: &dyn AccountNames) -> Vec<Expected> {
    let facts = Facts::of(payment);
    let version = payment.history().len() as u64;
    let document = |receipt_of| {
        let mut contents = Contents::default();
        visit(payment, &facts, receipt_of, &mut contents);
        let (fields, plain) = contents.clone().sums();
        let named_words = other_name(payment, receipt_of, names).map(|name| {
            words(&name, &mut contents);
            contents.sums().1
        });
        let key = DocKey { payment: payment.id(), receipt_of };
        let document = ScannedDocument { key, version, fields, words: plain };
        Expected { document, named_words }
    };
    readers(payment, &facts).map(document).collect()
}

/// The values of one of the documents, the other person's name included, to say what is wrong with it.
#[must_use]
pub fn values(payment: &Payment, receipt_of: Option<AccountId>, names: &dyn AccountNames) -> BTreeSet<Value> {
    let mut listed = Listed::default();
    visit(payment, &Facts::of(payment), receipt_of, &mut listed);
    if let Some(name) = other_name(payment, receipt_of, names) {
        words(&name, &mut listed);
    }
    listed.0.into_iter().collect()
}

/// The name by which the reader of a transfer's document finds it.
fn other_name(
    payment: &Payment,
    receipt_of: Option<AccountId>,
    names: &dyn AccountNames,
) -> Option<Arc<str>> {
    match (payment.submission().kind, receipt_of) {
        (Kind::Transfer { .. }, Some(_)) => names.name_of(payment.owner()),
        (Kind::Transfer { payee }, None) => names.name_of(payee),
        (Kind::Charge | Kind::TopUp | Kind::Payout { .. }, _) => None,
    }
}

/// Whose documents there are: the submitter's (`None`), and the payee's.
fn readers(payment: &Payment, facts: &Facts) -> impl Iterator<Item = Option<AccountId>> {
    let payee = match payment.submission().kind {
        Kind::Transfer { payee } if payee != payment.owner() && facts.status == Status::Succeeded => {
            Some(payee)
        }
        Kind::Transfer { .. } | Kind::Charge | Kind::TopUp | Kind::Payout { .. } => None,
    };
    std::iter::once(None).chain(payee.map(Some))
}

/// What is in the submitter's document, or in the receipt of a payee, who sees neither texts nor what became of it later.
fn visit(payment: &Payment, facts: &Facts, receipt_of: Option<AccountId>, sink: &mut impl FieldSink) {
    let submission = payment.submission();
    let own = receipt_of.is_none();
    sink.term(TermField::Owner, &receipt_of.unwrap_or(submission.owner).with_prefix(""));
    sink.term(TermField::Payment, &submission.id.with_prefix(""));
    sink.term(TermField::Status, facts.status.as_str());
    sink.term(TermField::Kind, submission.kind.as_str());
    sink.term(TermField::Currency, &submission.amount.currency.code().to_ascii_lowercase());
    sink.number(NumberField::Amount, submission.amount.amount_minor);
    if facts.received_minor > 0 {
        sink.number(NumberField::Received, facts.received_minor);
    }
    let refunded_minor = if own { facts.refunds_minor(&[Leg::UnderWay, Leg::Arrived]) } else { 0 };
    sink.number(NumberField::Refunded, refunded_minor);
    let reserved_minor = if facts.reserved { submission.amount.amount_minor } else { 0 };
    let in_transit_minor = if own { reserved_minor + facts.refunds_minor(&[Leg::UnderWay]) } else { 0 };
    if in_transit_minor > 0 {
        sink.number(NumberField::InTransit, in_transit_minor);
    }
    sink.number(NumberField::Created, payment.created_at().micros());
    sink.number(NumberField::Updated, facts.updated.micros());
    if let Some(settled) = facts.settled {
        sink.number(NumberField::Settled, settled.micros());
        if own {
            sink.number(NumberField::Took, facts.took_us(payment));
        }
    }
    if let Kind::Transfer { payee } = submission.kind {
        sink.term(TermField::Payee, &payee.with_prefix(""));
    }
    let refunds = if own { facts.refunds.as_slice() } else { &[] };
    for (refund, ..) in refunds {
        sink.term(TermField::Refund, &refund.with_prefix(""));
    }
    let charges = if own { facts.charges.as_slice() } else { &[] };
    for (charge, _) in charges.iter().filter(|(_, asked)| *asked) {
        sink.term(TermField::Charge, &charge.with_prefix(""));
    }
    if let Some(card) = &facts.card {
        sink.term(TermField::CardBrand, card.brand.as_str());
        sink.term(TermField::CardLast4, &card.last4());
        sink.term(TermField::CardFirst6, &card.first6());
        sink.term(TermField::CardFingerprint, &format!("{:016x}", card.fingerprint));
        sink.words(card.brand.as_str());
        sink.words(&card.last4());
    }
    let decline = facts.decline.filter(|_| own);
    if let Some(decline) = decline {
        sink.term(TermField::DeclineCode, decline.decline_code());
        words(decline.decline_code(), sink);
    }
    if own {
        texts(payment, sink);
    }
    let parked = own && facts.operations.any_parked();
    let flags = [
        ("refunded", refunded_minor > 0),
        ("partially_refunded", refunded_minor > 0 && refunded_minor < facts.received_minor),
        ("parked", parked),
        ("received", !own),
    ];
    let present = [
        ("settled", facts.settled.is_some()),
        ("amount_received", facts.received_minor > 0),
        ("in_transit", in_transit_minor > 0),
        ("metadata", own && !submission.metadata.is_empty()),
        ("description", own && submission.description.is_some()),
        ("run", own && submission.run.is_some()),
        (CARD_PRESENT, facts.card.is_some()),
        ("decline_code", decline.is_some()),
        ("refund", !refunds.is_empty()),
        ("payee", matches!(submission.kind, Kind::Transfer { .. })),
    ];
    flags.iter().filter(|(_, set)| *set).for_each(|(name, _)| sink.term(TermField::Flag, name));
    present.iter().filter(|(_, set)| *set).for_each(|(name, _)| sink.term(TermField::Has, name));
    if own {
        submission.metadata.iter().for_each(|(key, _)| sink.term(TermField::Has, &has(&composed(key))));
    }
}

fn texts(payment: &Payment, sink: &mut impl FieldSink) {
    let submission = payment.submission();
    if let Some(description) = &submission.description {
        sink.term(TermField::Description, &fold(description));
        words(description, sink);
    }
    for (key, value) in &submission.metadata {
        let key = composed(key);
        sink.term(TermField::Metadata, &format!("{key}{METADATA_SEPARATOR}{}", fold(value)));
        words(value, sink);
    }
    if let Kind::Payout { bank } = submission.kind {
        words("Bank", sink);
        words(bank.last4(), sink);
    }
    if let Some(run) = &submission.run {
        sink.term(TermField::Run, &fold(run));
        words(run, sink);
    }
}

fn words(text: &str, sink: &mut impl FieldSink) {
    let mut cut = String::new();
    append_words(text, &mut cut);
    if !cut.is_empty() {
        sink.words(&cut);
    }
}
