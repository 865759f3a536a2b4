//! What belongs to one attempt of a payment or to a refund and is kept beside them: billing details and the address to
//! return to; a refund's reason and metadata.
//!
//! A detail is written before the command that names it, under a name made from its contents, so that what was answered
//! is there and a request sent again finds its own.

use std::collections::{BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use crate::domain::charge::Charge;
use crate::domain::contact::Address;
use crate::domain::ids::{PaymentId, RefundId};
use crate::domain::payment::{Payment, Refund};
use crate::store::{DetailRecord, Store, StoreError, StoreResult};

/// Whom a card belongs to, as the dialect shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BillingDetails {
    /// Where they live.
    pub address: Address,
    /// Their e-mail address.
    pub email: Option<String>,
    /// Their name.
    pub name: Option<String>,
    /// Their telephone number.
    pub phone: Option<String>,
    /// Always none here.
    #[serde(skip_deserializing)]
    pub tax_id: Option<String>,
}

/// What belongs to one attempt.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AttemptDetail {
    /// Where the cardholder goes after 3-D Secure.
    pub return_url: Option<String>,
    /// Whom the card belongs to.
    pub billing: Option<BillingDetails>,
}

/// A detail's name and its stored form.
pub type Named = (u64, Vec<u8>);

impl AttemptDetail {
    /// Its name and its stored form; `None` where there is nothing to keep. Zero names nothing.
    pub fn named(&self) -> Option<Named> {
        if *self == Self::default() {
            return None;
        }
        let body = serde_json::to_vec(self).unwrap_or_default();
        Some((DetailRecord::name_of_attempt(&body), body))
    }
}

/// What belongs to a refund.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RefundDetail {
    /// Why, in the dialect's word.
    pub reason: Option<String>,
    /// Key–value pairs in their order.
    pub metadata: Vec<(String, String)>,
}

impl RefundDetail {
    /// Its name and its stored form; `None` where there is nothing to keep.
    #[must_use]
    pub fn named(&self, refund: RefundId) -> Option<Named> {
        let body = self.asked();
        (!body.is_empty()).then(|| (DetailRecord::name_of_refund(refund, &body), body))
    }

    /// What it adds to the form of a request; nothing if there is nothing.
    #[must_use]
    pub fn asked(&self) -> Vec<u8> {
        if *self == Self::default() { Vec::new() } else { serde_json::to_vec(self).unwrap_or_default() }
    }
}

/// Keeps what belongs to an attempt of a payment, or to a refund: its bits are the subject.
///
/// # Errors
/// The store's.
pub async fn keep(store: &dyn Store, subject: [u8; 16], named: Option<&Named>) -> StoreResult<()> {
    match named {
        // Nothing is changed for anybody before a command names it.
        Some((id, body)) => store.detail_put(subject, *id, body).await.map_err(StoreError::of_preparation),
        None => Ok(()),
    }
}

/// The details of the attempts that some payments show.
#[derive(Debug, Default)]
pub struct Attempts(HashMap<(PaymentId, u64), AttemptDetail>);

impl Attempts {
    /// Reads them. Asks the store only about payments that have one.
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

    /// That of the attempt which this charge of the payment is of.
    #[must_use]
    pub fn of_charge(&self, payment: &Payment, charge: &Charge) -> Option<&AttemptDetail> {
        self.0.get(&(payment.id(), charge.instrument.detail()?))
    }

    /// That of this payment's current attempt.
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
    // Where no name was said yet there is one under the name of nothing, or none.
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

fn read<T: serde::de::DeserializeOwned>(record: &DetailRecord) -> StoreResult<T> {
    serde_json::from_slice(&record.body).map_err(|error| StoreError::Damaged(format!("a detail: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

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
