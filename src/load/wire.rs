//! Reads the server's frames: ids, statuses and versions, borrowed from the text. Everything else is skipped.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};

/// A frame from the server, of any type.
#[derive(Debug, Deserialize)]
pub struct Frame<'a> {
    /// Its type, such as `ack` or `payment.updated`.
    #[serde(rename = "type", borrow)]
    pub kind: &'a str,
    /// The id of the frame it answers.
    pub id: Option<u64>,
    /// `ack` of one payment.
    #[serde(borrow)]
    pub payment: Option<PaymentRow<'a>>,
    /// `ack` of a batch.
    #[serde(borrow)]
    pub results: Option<Vec<BatchResult<'a>>>,
    /// `payment.updated`.
    #[serde(borrow)]
    pub rows: Option<Vec<PaymentRow<'a>>>,
    /// `error`.
    #[serde(borrow)]
    pub error: Option<WireError<'a>>,
}

/// A payment's row.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct PaymentRow<'a> {
    /// Its id with prefix.
    pub id: &'a str,
    /// Its status, as the API names it.
    pub status: &'a str,
    /// Its version, which only grows.
    pub version: u32,
    /// Why its last attempt was declined.
    #[serde(borrow, default)]
    pub decline: Option<DeclineRow<'a>>,
    /// When a worker took up its last attempt, in microseconds since the request, as all of these.
    #[serde(default)]
    pub started_us: Option<u64>,
    /// When the acquirer was done with it.
    #[serde(default)]
    pub answered_us: Option<u64>,
    /// Time that went to earlier attempts, to people, or to a capture.
    #[serde(default, rename = "other_time", deserialize_with = "sum_us")]
    pub other_us: u64,
}

/// A decline.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct DeclineRow<'a> {
    /// Why.
    pub decline_code: &'a str,
}

fn sum_us<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    #[derive(Deserialize)]
    struct OtherTime {
        us: u64,
    }
    // Empty for most payments, and an empty list takes no memory.
    let times = Vec::<OtherTime>::deserialize(deserializer)?;
    Ok(times.iter().fold(0, |sum, time| sum.saturating_add(time.us)))
}

/// One result of a batch.
#[derive(Debug, Deserialize)]
pub struct BatchResult<'a> {
    /// Set if it was accepted.
    #[serde(borrow)]
    pub payment: Option<PaymentRow<'a>>,
    /// Set if it was not.
    #[serde(borrow)]
    pub error: Option<WireError<'a>>,
}

/// Why something was refused.
#[derive(Debug, Clone, Deserialize)]
pub struct WireError<'a> {
    /// For programs.
    #[serde(borrow, default)]
    pub code: Option<Cow<'a, str>>,
    /// The class of the error.
    #[serde(borrow, default, rename = "type")]
    pub class: Option<Cow<'a, str>>,
    /// For people.
    #[serde(borrow, default)]
    pub message: Option<Cow<'a, str>>,
}

impl WireError<'_> {
    /// What to count it under.
    #[must_use]
    pub fn code(&self) -> &str {
        self.code.as_deref().or(self.class.as_deref()).unwrap_or("error")
    }

    /// The message to show.
    #[must_use]
    pub fn message(&self) -> &str {
        self.message.as_deref().unwrap_or("no reason given")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROW: &str = r#"{"id": "pi_0", "version": 3, "kind": "charge", "status": "succeeded", "amount": 1250, "currency": "eur",
        "amount_text": "€12.50 EUR", "from": "Visa \"x\"", "method": {"brand": "visa", "last4": "4242"}, "decline": null,
        "started_us": 1100, "answered_us": 512000, "other_time": [{"words": "a", "us": 3}, {"words": "b", "us": 4}]}"#;

    #[test]
    fn frames_of_every_type_are_read() {
        let text =
            format!(r#"{{"type":"payment.updated","subscription":1,"rows":[{ROW},{ROW}],"skipped":0}}"#);
        let frame: Frame<'_> = serde_json::from_str(&text).unwrap();
        let rows = frame.rows.unwrap();
        assert_eq!(
            (frame.kind, rows.len(), rows[0].status, rows[1].version),
            ("payment.updated", 2, "succeeded", 3)
        );
        let text = format!(
            r#"{{"type":"ack","id":7,"results":[{{"payment":{ROW}}},{{"error":{{"type":"t","code":null,"message":"a\nb"}}}}]}}"#
        );
        let frame: Frame<'_> = serde_json::from_str(&text).unwrap();
        let results = frame.results.unwrap();
        assert_eq!((frame.id, results[0].payment.unwrap().id), (Some(7), "pi_0"));
        let error = results[1].error.as_ref().unwrap();
        assert_eq!((error.code(), error.message()), ("t", "a\nb"));
        let row = results[0].payment.unwrap();
        assert_eq!((row.started_us, row.answered_us, row.other_us), (Some(1_100), Some(512_000), 7));
        let declined = r#"{"id":"pi_0","status":"declined","version":3,"decline":{"code":"card_declined","decline_code":"lost_card","words":"lost"}}"#;
        let row: PaymentRow<'_> = serde_json::from_str(declined).unwrap();
        assert_eq!((row.decline.unwrap().decline_code, row.started_us, row.other_us), ("lost_card", None, 0));
    }
}
