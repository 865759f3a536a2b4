//! Events as the dialect shows them.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::domain::announcement::Announcement;
use crate::domain::origin::Origin;

/// The request that caused the event; empty for events that no request caused.
#[derive(Debug, Clone, Serialize)]
struct Asked {
    id: Option<String>,
    idempotency_key: Option<String>,
}

/// The object of the event, and what changed about it.
#[derive(Debug, Clone, Serialize)]
struct Data {
    object: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_attributes: Option<Value>,
}

/// An event. Field names and meanings are those of docs.stripe.com/api/events/object.
#[derive(Debug, Clone, Serialize)]
pub struct EventObject {
    id: String,
    object: &'static str,
    api_version: Option<&'static str>,
    created: i64,
    data: Data,
    livemode: bool,
    pending_webhooks: u32,
    request: Asked,
    #[serde(rename = "type")]
    event_type: &'static str,
}

impl EventObject {
    /// An event about `object`. `before` is the object's previous state, for events that show changes; `origin` is the
    /// request that caused it.
    #[must_use]
    pub fn of(one: &Announcement, object: Value, before: Option<&Value>, origin: Option<&Origin>) -> Self {
        let previous_attributes = before.and_then(|before| changed(before, &object));
        Self {
            id: one.id.to_string(),
            object: "event",
            api_version: None,
            created: one.at.seconds(),
            data: Data { object, previous_attributes },
            livemode: false,
            pending_webhooks: 0,
            request: Asked {
                id: origin.map(|origin| origin.request.to_string()),
                idempotency_key: origin.and_then(|origin| origin.key.as_deref().map(str::to_owned)),
            },
            event_type: one.kind.dialect(),
        }
    }
}

/// The previous values of the members that changed; `None` if none did. Paystorm's own members are left out.
fn changed(before: &Value, after: &Value) -> Option<Value> {
    let (before, after) = (before.as_object()?, after.as_object()?);
    let differs = |(name, value): &(&String, &Value)| *name != "paystorm" && after.get(*name) != Some(*value);
    let changed: Map<String, Value> =
        before.iter().filter(differs).map(|(name, value)| (name.clone(), value.clone())).collect();
    (!changed.is_empty()).then_some(Value::Object(changed))
}
