//! Creates the throw-away accounts that a run acts for.

use anyhow::{Context as _, bail};
use reqwest::Client;
use serde::Deserialize;
use url::Url;

/// Accounts created by one request.
const BATCH_MAX: u32 = 1_000;

#[derive(Deserialize)]
struct Created {
    /// Set if one account was created.
    id: Option<String>,
    /// Set if several were.
    #[serde(default)]
    data: Vec<CreatedOne>,
}

#[derive(Deserialize)]
struct CreatedOne {
    id: String,
}

/// Creates this many accounts and returns their ids.
///
/// # Errors
/// If the server refuses, with its message.
pub async fn accounts(
    client: &Client,
    target: &Url,
    key: &str,
    count: u32,
    run: &str,
) -> anyhow::Result<Vec<String>> {
    let mut url = target.clone();
    url.set_path("/v1/test_helpers/accounts");
    let mut ids = Vec::new();
    let mut left = count;
    while left > 0 {
        let batch = left.min(BATCH_MAX);
        let body = serde_json::json!({ "count": batch, "name": format!("Load run {run}"), "lean": true });
        let response = client.post(url.clone()).bearer_auth(key).json(&body).send().await;
        let response = response.with_context(|| format!("cannot reach {target}"))?;
        let status = response.status();
        let text = response.text().await?;
        if !status.is_success() {
            let shown: String = text.chars().take(500).collect();
            bail!("{target} would not make accounts for the run ({status}): {shown}");
        }
        let created: Created =
            serde_json::from_str(&text).context("the answer to making accounts cannot be read")?;
        let before = ids.len();
        ids.extend(created.data.into_iter().map(|one| one.id).chain(created.id));
        if ids.len() == before {
            bail!("{target} made no accounts");
        }
        left = count.saturating_sub(u32::try_from(ids.len()).unwrap_or(u32::MAX));
    }
    ids.truncate(usize::try_from(count).unwrap_or(usize::MAX));
    Ok(ids)
}
