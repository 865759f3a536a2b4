//! Whoever pays by a card, as far as an acquirer is told: name and e-mail address of an attempt's billing details.

use serde::Deserialize;

/// The cardholder of an attempt.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holder {
    /// As written by the caller.
    pub name: Option<String>,
    /// As written by the caller.
    pub email: Option<String>,
}

/// What is read of an attempt's stored detail; the rest is nobody's business here.
#[derive(Deserialize)]
struct Detail {
    #[serde(default)]
    billing: Option<Billing>,
}

#[derive(Deserialize)]
struct Billing {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    email: Option<String>,
}

impl Holder {
    /// Whom the stored detail of an attempt names; `None` if it names nobody.
    #[must_use]
    pub fn of_detail(body: &[u8]) -> Option<Self> {
        let Billing { name, email } = serde_json::from_slice::<Detail>(body).ok()?.billing?;
        (name.is_some() || email.is_some()).then_some(Self { name, email })
    }
}
