//! The indices behind the alias: creates the first, inspects the one that serves, builds another and switches to it.

use serde_json::{Value, json};

use crate::domain::time::Timestamp;
use crate::search::settings::SearchSettings;
use crate::search::{Mirrored, SCHEMA_VERSION, SearchError};

use super::client::{Client, Method};
use super::mapping::{index_body, meta, read_meta};

/// When an index without the alias is taken for one that nobody builds any more, in microseconds.
const ABANDONED_AFTER_MICROS: i64 = 86_400_000_000;

/// The alias that is searched and written to.
pub(super) fn alias(settings: &SearchSettings) -> String {
    format!("{}-payments", settings.prefix)
}

/// Makes sure that there is an index behind the alias. Returns whether it has yet to be filled from the store.
pub(super) async fn ensure(client: &Client, settings: &SearchSettings) -> Result<bool, SearchError> {
    let alias = alias(settings);
    if let Some(incomplete) = incomplete(client, &alias).await? {
        return Ok(incomplete);
    }
    // Every instance picks the same first name, so that only one of them creates it.
    let mut body = index_body(settings, &refresh_interval(settings));
    if let Some(body) = body.as_object_mut() {
        body.insert("aliases".to_owned(), json!({ alias.as_str(): {} }));
    }
    let answer = client.send_json(Method::Put, &format!("/{alias}-v{SCHEMA_VERSION}-0"), &body).await?;
    if !answer.is_error("resource_already_exists_exception") {
        answer.success()?;
        return Ok(true);
    }
    match incomplete(client, &alias).await? {
        Some(incomplete) => Ok(incomplete),
        None => Err(SearchError::Unavailable(format!(
            "the index {alias}-v{SCHEMA_VERSION}-0 exists without its alias"
        ))),
    }
}

/// Whether what serves is of another shape or was never filled; `None` if nothing serves.
async fn incomplete(client: &Client, alias: &str) -> Result<Option<bool>, SearchError> {
    Ok(serving(client, alias).await?.map(|serving| !serving.complete))
}

/// What the serving index's metadata says.
pub(super) struct Serving {
    /// Whether it has this program's shape and was once filled.
    pub complete: bool,
    /// Which past it mirrors, as last recorded.
    pub mirrored: Option<Mirrored>,
}

/// What is behind the alias; `None` if nothing is.
pub(super) async fn serving(client: &Client, alias: &str) -> Result<Option<Serving>, SearchError> {
    let query = [("filter_path", "*.mappings._meta")];
    let answer = client.send(Method::Get, &format!("/{alias}/_mapping"), &query, None).await?;
    if answer.status == 404 {
        return Ok(None);
    }
    let answer = answer.json()?;
    let mut found = answer.as_object().into_iter().flatten();
    let read = |(_, index): (&String, &Value)| read_meta(index.pointer("/mappings/_meta"));
    Ok(Some(match (found.next().map(read), found.next()) {
        (Some((complete, mirrored)), None) => Serving { complete, mirrored },
        // An index without metadata, or more than one index behind the alias.
        (_, _) => Serving { complete: false, mirrored: None },
    }))
}

/// Records in the serving index, which is complete, which past it mirrors.
pub(super) async fn record_mirrored(
    client: &Client,
    settings: &SearchSettings,
    mirrored: Mirrored,
) -> Result<(), SearchError> {
    let mapping = json!({ "_meta": meta(true, Some(mirrored)) });
    let path = format!("/{}/_mapping", alias(settings));
    client.send_json(Method::Put, &path, &mapping).await?.success().map(drop)
}

fn refresh_interval(settings: &SearchSettings) -> String {
    format!("{}ms", settings.refresh_ms)
}

/// Creates an empty index that does not serve, and removes abandoned ones: old ones, and those in `left`.
pub(super) async fn create(
    client: &Client,
    settings: &SearchSettings,
    left: &[String],
    now: Timestamp,
) -> Result<String, SearchError> {
    let alias = alias(settings);
    remove_abandoned(client, &alias, left, now).await?;
    let index = format!("{alias}-v{SCHEMA_VERSION}-{}", now.micros());
    // Nobody searches it while it is built.
    client.send_json(Method::Put, &format!("/{index}"), &index_body(settings, "-1")).await?.success()?;
    Ok(index)
}

async fn remove_abandoned(
    client: &Client,
    alias: &str,
    left: &[String],
    now: Timestamp,
) -> Result<(), SearchError> {
    let answer = client.send(Method::Get, &format!("/{alias}-v*/_alias"), &[], None).await?;
    if answer.status == 404 {
        return Ok(());
    }
    let oldest = now.micros().saturating_sub(ABANDONED_AFTER_MICROS);
    for (index, state) in answer.json()?.as_object().into_iter().flatten() {
        let created_at = index.rsplit('-').next().and_then(|micros| micros.parse::<i64>().ok());
        let unused = state.get("aliases").and_then(Value::as_object).is_some_and(serde_json::Map::is_empty);
        if unused && (left.contains(index) || created_at.is_some_and(|created_at| created_at < oldest)) {
            remove(client, index).await?;
        }
    }
    Ok(())
}

/// Removes an index; one that is gone already is no error.
pub(super) async fn remove(client: &Client, index: &str) -> Result<(), SearchError> {
    let answer =
        client.send(Method::Delete, &format!("/{index}"), &[("ignore_unavailable", "true")], None).await?;
    if answer.status == 404 { Ok(()) } else { answer.success().map(drop) }
}

/// Lets `index` serve and removes what served before, in one step.
pub(super) async fn flip(
    client: &Client,
    settings: &SearchSettings,
    index: &str,
    mirrored: Option<Mirrored>,
) -> Result<(), SearchError> {
    let alias = alias(settings);
    let refresh = json!({ "index": { "refresh_interval": refresh_interval(settings) } });
    client.send_json(Method::Put, &format!("/{index}/_settings"), &refresh).await?.success()?;
    client.send(Method::Post, &format!("/{index}/_refresh"), &[], None).await?.success()?;
    let mapping = json!({ "_meta": meta(true, mirrored) });
    client.send_json(Method::Put, &format!("/{index}/_mapping"), &mapping).await?.success()?;
    let mut actions = vec![json!({ "add": { "index": index, "alias": alias } })];
    // Also an index that has the alias's own name: created by hand, or by someone else's bulk request.
    let serving = client.send(Method::Get, &format!("/{alias}/_alias"), &[], None).await?;
    if serving.status != 404 {
        let serving = serving.json()?;
        let names =
            serving.as_object().into_iter().flatten().map(|(name, _)| name).filter(|name| *name != index);
        actions.extend(names.map(|name| json!({ "remove_index": { "index": name } })));
    }
    client.send_json(Method::Post, "/_aliases", &json!({ "actions": actions })).await?.success()?;
    Ok(())
}
