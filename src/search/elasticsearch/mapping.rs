//! The Elasticsearch mapping: the same fields, under the same names, as the tantivy schema. Core field types only, which
//! every installation has.

use serde::Deserialize as _;
use serde_json::{Map, Value, json};

use crate::search::query::{NumberField, TermField};
use crate::search::settings::SearchSettings;
use crate::search::{Mirrored, SCHEMA_VERSION};

/// Fields that no query names.
pub(super) const RECEIPT: &str = "receipt";
pub(super) use crate::search::contents::TEXT;

/// The body that creates an index. `refresh` is its `refresh_interval`.
pub(super) fn index_body(settings: &SearchSettings, refresh: &str) -> Value {
    json!({
        "settings": {
            "number_of_shards": settings.shards,
            "number_of_replicas": settings.replicas,
            "refresh_interval": refresh,
        },
        "mappings": { "dynamic": false, "_meta": meta(false, None), "properties": properties() },
    })
}

/// An index's metadata: its shape, whether it was once filled from the store, and which past it mirrors.
pub(super) fn meta(complete: bool, mirrored: Option<Mirrored>) -> Value {
    json!({ "schema": SCHEMA_VERSION, "complete": complete, "mirrored": mirrored })
}

/// Reads [`meta`] back: whether the index is complete and of this shape, and what it mirrors.
pub(super) fn read_meta(meta: Option<&Value>) -> (bool, Option<Mirrored>) {
    let Some(meta) = meta else { return (false, None) };
    let ours = meta.get("schema") == Some(&json!(SCHEMA_VERSION));
    let complete = ours && meta.get("complete") == Some(&Value::Bool(true));
    (complete, meta.get("mirrored").and_then(|mirrored| Mirrored::deserialize(mirrored).ok()))
}

fn properties() -> Map<String, Value> {
    let mut properties = Map::new();
    for field in TermField::ALL {
        // Columns only where results are counted or ordered by them.
        let column = field.is_counted() || field == TermField::Payment;
        properties.insert(field.name().to_owned(), json!({ "type": "keyword", "doc_values": column }));
    }
    for field in NumberField::ALL {
        properties.insert(field.name().to_owned(), json!({ "type": "long" }));
    }
    // The words were already separated by `search::text`, in the same way as for the embedded index.
    let text = json!({ "type": "text", "analyzer": "whitespace", "norms": false });
    properties.insert(TEXT.to_owned(), text);
    properties.insert(RECEIPT.to_owned(), json!({ "type": "byte", "index": false }));
    properties
}
