//! Events as the dialect shows them.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::domain::announcement::Announcement;
use crate::domain::origin::Origin;

/// Which request asked for what happened; none for what happened by itself.
#[derive(Debug, Clone, Serialize)]
struct Asked {
    id: Option<String>,
    idempotency_key: Option<String>,
}

/// What it happened to.
#[derive(Debug, Clone, Serialize)]
struct Data {
    object: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_attributes: Option<Value>,
}

/// Something that happened.
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
    /// The object of an event about `object`, which was `before` until it happened, where that is told. `origin` is the request
    /// that asked for it.
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

/// What was otherwise before, by the dialect's own names; `None` if nothing was.
fn changed(before: &Value, after: &Value) -> Option<Value> {
    let (before, after) = (before.as_object()?, after.as_object()?);
    let differs = |(name, value): &(&String, &Value)| *name != "paystorm" && after.get(*name) != Some(*value);
    let changed: Map<String, Value> =
        before.iter().filter(differs).map(|(name, value)| (name.clone(), value.clone())).collect();
    (!changed.is_empty()).then_some(Value::Object(changed))
}
