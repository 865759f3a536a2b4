//! Finds what is wrong with the documents of a payment, and in which of their fields.

use std::collections::BTreeSet;

use super::document::{self, Expected, expected};
use super::index_view::IndexView;
use super::report::{LISTED_MAX, Name};
use crate::domain::ids::PaymentId;
use crate::domain::payment::Payment;
use crate::search::contents::Value;
use crate::search::{AccountNames, DocKey, ScannedDocument};

/// What is wrong with the documents of one payment.
pub type Faults = Vec<Fault>;

/// What is wrong with one document.
pub struct Fault {
    /// The violation that it is reported as.
    pub name: Name,
    /// The document.
    pub key: DocKey,
    /// What is wrong, in words.
    pub text: String,
    /// The values that a document of the right version should have.
    wanted: Option<BTreeSet<Value>>,
}

impl Fault {
    const fn new(name: Name, key: DocKey, text: String) -> Self {
        Self { name, key, text, wanted: None }
    }

    /// Whether it is of a document of the right version.
    pub const fn is_of_field(&self) -> bool {
        self.wanted.is_some()
    }
}

/// Finds what is wrong with these documents, read between the two states of their payment.
pub fn faults(
    id: PaymentId,
    before: Option<&Payment>,
    after: Option<&Payment>,
    documents: &[ScannedDocument],
    names: &dyn AccountNames,
) -> Faults {
    let named = |key: DocKey| match key.receipt_of {
        Some(payee) => format!("payment {id}, receipt of {payee}"),
        None => format!("payment {id}"),
    };
    let wanted = |side: Option<&Payment>| side.map(|payment| expected(payment, names)).unwrap_or_default();
    let (from, to) = (wanted(before), wanted(after));
    let of = |side: &[Expected], key: DocKey| side.iter().find(|wanted| wanted.document.key == key).cloned();
    let mut faults = Faults::new();
    for key in from.iter().map(|wanted| wanted.document.key) {
        match documents.iter().filter(|document| document.key == key).count() {
            0 => faults.push(Fault::new(Name::MissingDocument, key, named(key))),
            1 => {}
            count => {
                let text = format!("{}: it is there {count} times", named(key));
                faults.push(Fault::new(Name::ExtraDocument, key, text));
            }
        }
    }
    for found in documents {
        let (key, at) = (found.key, named(found.key));
        let (Some(wanted), Some(payment)) = (of(&to, key), after) else {
            faults.push(Fault::new(Name::ExtraDocument, key, at));
            continue;
        };
        let (begun, last) = (of(&from, key).map_or(1, |one| one.document.version), wanted.document.version);
        if !(begun..=last).contains(&found.version) {
            let text = format!("{at}: it has version {}, the payment {last}", found.version);
            faults.push(Fault::new(Name::StaleDocument, key, text));
        } else if found.version == last && !wanted.is(found) {
            let text = format!("{at}: version {last} says something else");
            let wanted = Some(document::values(payment, key.receipt_of, names));
            faults.push(Fault { wanted, ..Fault::new(Name::StaleDocument, key, text) });
        }
    }
    faults
}

/// Adds to the first of these faults which fields are wrong.
///
/// # Errors
/// In words, if the index cannot be read.
pub async fn say_what_differs(faults: &mut [Fault], view: &dyn IndexView) -> Result<(), String> {
    let differing: Vec<&mut Fault> =
        faults.iter_mut().filter(|fault| fault.wanted.is_some()).take(LISTED_MAX).collect();
    if differing.is_empty() {
        return Ok(());
    }
    let keys: Vec<DocKey> = differing.iter().map(|fault| fault.key).collect();
    let found = view.values(&keys).await?;
    for fault in differing {
        let (Some(wanted), Some(found)) = (&fault.wanted, found.get(&fault.key)) else { continue };
        let values = |from: &BTreeSet<Value>, less: &BTreeSet<Value>, field: &str| {
            let values = from.difference(less).filter(|(of, _)| of == field);
            values.map(|(_, value)| format!("{value:?}")).collect::<Vec<_>>().join(", ")
        };
        let fields: BTreeSet<&str> =
            wanted.symmetric_difference(found).map(|(field, _)| field.as_str()).collect();
        let words: Vec<String> = fields
            .into_iter()
            .map(|field| {
                let (is, must) = (values(found, wanted, field), values(wanted, found, field));
                match (is.is_empty(), must.is_empty()) {
                    (true, _) => format!("{field} lacks {must}"),
                    (_, true) => format!("{field} has {is} and must not"),
                    _ => format!("{field} is {is}, must be {must}"),
                }
            })
            .collect();
        if !words.is_empty() {
            fault.text = format!("{} ({})", fault.text, words.join("; "));
        }
    }
    Ok(())
}
