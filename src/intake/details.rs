//! Details kept beside payments: an attempt's billing details and return address; a refund's reason and metadata; a
//! dispute's evidence.
//!
//! A detail is written before the command that names it, under a name made from its contents. So a command that was
//! answered always has its detail, and a repeated request finds its own.

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use crate::domain::charge::Charge;
use crate::domain::contact::Address;
use crate::domain::ids::{DisputeId, PaymentId, RefundId};
use crate::domain::payment::{Payment, Refund};
use crate::store::{DetailRecord, Store, StoreError, StoreResult};

/// The cardholder, as the dialect shows them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BillingDetails {
    /// Empty where none was given.
    pub address: Address,
    /// Contains an `@`; not checked further.
    pub email: Option<String>,
    /// As written by the caller.
    pub name: Option<String>,
    /// As written by the caller.
    pub phone: Option<String>,
    /// Always `None`: the dialect has the field, Paystorm does not.
    #[serde(skip_deserializing)]
    pub tax_id: Option<String>,
}

/// The details of one attempt.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AttemptDetail {
    /// Where the cardholder goes after 3-D Secure.
    pub return_url: Option<String>,
    /// The cardholder.
    pub billing: Option<BillingDetails>,
}

/// The name and the stored form of a detail.
pub type Named = (u64, Vec<u8>);

impl AttemptDetail {
    /// Its name and its stored form; `None` where there is nothing to keep. The name 0 stands for no detail.
    pub fn named(&self) -> Option<Named> {
        if *self == Self::default() {
            return None;
        }
        let body = serde_json::to_vec(self).unwrap_or_default();
        Some((DetailRecord::name_of_attempt(&body), body))
    }
}

/// The details of a refund.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RefundDetail {
    /// The dialect's word for it.
    pub reason: Option<String>,
    /// Key–value pairs in the order given.
    pub metadata: Vec<(String, String)>,
}

impl RefundDetail {
    /// Its name and its stored form; `None` where there is nothing to keep.
    #[must_use]
    pub fn named(&self, refund: RefundId) -> Option<Named> {
        let body = self.asked();
        (!body.is_empty()).then(|| (DetailRecord::name_of_refund(refund, &body), body))
    }

    /// What it adds to the form of a request; empty if there are no details.
    #[must_use]
    pub fn asked(&self) -> Vec<u8> {
        if *self == Self::default() { Vec::new() } else { serde_json::to_vec(self).unwrap_or_default() }
    }
}

/// The details of a dispute: all that the merchant has said about it so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DisputeDetail {
    /// Evidence by the dialect's names, in the order given.
    pub evidence: Vec<(String, String)>,
    /// Key–value pairs in the order given.
    pub metadata: Vec<(String, String)>,
}

impl DisputeDetail {
    /// Its name and its stored form; `None` where there is nothing to keep.
    #[must_use]
    pub fn named(&self, dispute: DisputeId) -> Option<Named> {
        if *self == Self::default() {
            return None;
        }
        let body = serde_json::to_vec(self).unwrap_or_default();
        Some((DetailRecord::name_of_dispute(dispute, &body), body))
    }

    /// One piece of evidence.
    #[must_use]
    pub fn evidence(&self, name: &str) -> Option<&str> {
        self.evidence.iter().find(|(known, _)| known == name).map(|(_, text)| text.as_str())
    }
}

/// Stores a detail. The subject is the bits of the id of the payment, refund or dispute.
///
/// # Errors
/// The store's.
pub async fn keep(store: &dyn Store, subject: [u8; 16], named: Option<&Named>) -> StoreResult<()> {
    match named {
        // Invisible until a command names it.
        Some((id, body)) => store.detail_put(subject, *id, body).await.map_err(StoreError::of_preparation),
        None => Ok(()),
    }
}

/// The details of the attempts of some payments.
#[derive(Debug, Default)]
pub struct Attempts(HashMap<(PaymentId, u64), AttemptDetail>);

impl Attempts {
    /// Reads them. Asks the store only about payments that have details.
    ///
    /// # Errors
    /// The store's.
    pub async fn of(store: &dyn Store, payments: &[&Payment]) -> StoreResult<Self> {
        let of = |payment: &&Payment| {
            let charges = payment.state().charges.iter().filter_map(|charge| charge.instrument.detail());
            let names: BTreeSet<u64> = charges.chain(name_of(payment)).collect();
            let id = *payment.id().as_bytes();
            names.into_iter().map(move |name| (id, name))
        };
        let keys: BTreeSet<([u8; 16], u64)> = payments.iter().flat_map(of).collect();
        let keys: Vec<([u8; 16], u64)> = keys.into_iter().collect();
        if keys.is_empty() {
            return Ok(Self::default());
        }
        let found = store.detail_get(&keys).await?;
        let details = found.iter().map(|record| {
            Ok(((PaymentId::from_bytes(record.subject), record.id), read::<AttemptDetail>(record)?))
        });
        details.collect::<StoreResult<_>>().map(Self)
    }

    /// The detail of the attempt behind this charge.
    #[must_use]
    pub fn of_charge(&self, payment: &Payment, charge: &Charge) -> Option<&AttemptDetail> {
        self.0.get(&(payment.id(), charge.instrument.detail()?))
    }

    /// The detail of this payment's current attempt.
    #[must_use]
    pub fn get(&self, payment: &Payment) -> Option<&AttemptDetail> {
        self.0.get(&(payment.id(), name_of(payment)?))
    }
}

fn name_of(payment: &Payment) -> Option<u64> {
    payment.state().instrument?.detail()
}

/// The details of refunds, by their ids.
///
/// # Errors
/// The store's.
pub async fn of_refunds(
    store: &dyn Store,
    refunds: &[&Refund],
) -> StoreResult<HashMap<RefundId, RefundDetail>> {
    // A refund older than the field keeps its detail, if any, under the name 0.
    let names: HashMap<[u8; 16], u64> = refunds
        .iter()
        .filter(|refund| refund.detail != Some(0))
        .map(|refund| (*refund.id.as_bytes(), refund.detail.unwrap_or(0)))
        .collect();
    if names.is_empty() {
        return Ok(HashMap::new());
    }
    let keys: Vec<([u8; 16], u64)> = names.into_iter().collect();
    let found = store.detail_get(&keys).await?;
    found.iter().map(|record| Ok((RefundId::from_bytes(record.subject), read(record)?))).collect()
}

/// Details of disputes, by dispute and name.
pub type Disputes = HashMap<(DisputeId, u64), DisputeDetail>;

/// The details of disputes in the states given.
///
/// # Errors
/// The store's.
pub async fn of_disputes(
    store: &dyn Store,
    disputes: impl Iterator<Item = (DisputeId, u64)>,
) -> StoreResult<Disputes> {
    let keys: BTreeSet<([u8; 16], u64)> =
        disputes.filter(|(_, name)| *name != 0).map(|(id, name)| (*id.as_bytes(), name)).collect();
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let found = store.detail_get(&keys.into_iter().collect::<Vec<_>>()).await?;
    found
        .iter()
        .map(|record| Ok(((DisputeId::from_bytes(record.subject), record.id), read(record)?)))
        .collect()
}

fn read<T: serde::de::DeserializeOwned>(record: &DetailRecord) -> StoreResult<T> {
    serde_json::from_slice(&record.body).map_err(|error| StoreError::Damaged(format!("a detail: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::holder::Holder;

    #[test]
    fn an_acquirer_is_told_name_and_address_of_the_holder() {
        let stored = |billing| AttemptDetail { return_url: None, billing }.named().map(|(_, body)| body);
        let (name, email) = (Some("Ada".to_owned()), Some("ada@example.org".to_owned()));
        let billing =
            BillingDetails { name: name.clone(), email: email.clone(), ..BillingDetails::default() };
        let body = stored(Some(billing)).unwrap();
        assert_eq!(Holder::of_detail(&body), Some(Holder { name, email }));
        let phone = BillingDetails { phone: Some("+1".to_owned()), ..BillingDetails::default() };
        assert_eq!(Holder::of_detail(&stored(Some(phone)).unwrap()), None);
        let detail =
            AttemptDetail { return_url: Some("https://a.example".to_owned()), ..AttemptDetail::default() };
        assert_eq!(Holder::of_detail(&detail.named().unwrap().1), None);
        assert_eq!(Holder::of_detail(b"no JSON"), None);
    }

    #[test]
    fn equal_details_have_one_name_and_read_back() {
        let detail = AttemptDetail {
            return_url: Some("https://shop.example/done".to_owned()),
            billing: Some(BillingDetails { name: Some("Ada".to_owned()), ..BillingDetails::default() }),
        };
        let (id, body) = detail.named().unwrap();
        assert_eq!(detail.clone().named().unwrap().0, id);
        assert_eq!(serde_json::from_slice::<AttemptDetail>(&body).unwrap(), detail);
        assert_ne!(AttemptDetail { return_url: None, ..detail }.named().unwrap().0, id);
        assert_eq!(AttemptDetail::default().named(), None);
    }
}
