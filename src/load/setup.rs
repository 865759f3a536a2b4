//! Creates the throw-away accounts that a run acts for, and closes them.

use std::time::Duration;

use anyhow::{Context as _, bail};
use futures_util::{StreamExt as _, stream};
use reqwest::Client;
use serde::Deserialize;
use url::Url;

use super::report::Closed;

/// Accounts created by one request.
const BATCH_MAX: u32 = 1_000;

/// Accounts closed at once.
const CLOSING_MAX: usize = 16;
/// How long closing all of them may take.
const CLOSING_TIME_MAX: Duration = Duration::from_secs(120);

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

/// Closes these accounts. Their payments stay.
pub async fn close(client: &Client, target: &Url, key: &str, accounts: &[String]) -> Closed {
    let mut closed = Closed { of: accounts.len() as u64, ..Closed::default() };
    let one = |account: &String| {
        let mut url = target.clone();
        url.set_path(&format!("/v1/test_helpers/accounts/{account}"));
        let request = client.delete(url).bearer_auth(key);
        async move {
            match request.send().await {
                Ok(response) if response.status().is_success() => Ok(()),
                Ok(response) => Err(format!("{target} answered {}", response.status())),
                Err(error) => Err(error.to_string()),
            }
        }
    };
    let mut answers = stream::iter(accounts).map(one).buffer_unordered(CLOSING_MAX);
    let all = async {
        while let Some(answer) = answers.next().await {
            match answer {
                Ok(()) => closed.closed += 1,
                Err(error) => {
                    closed.error.get_or_insert(error);
                }
            }
        }
    };
    if tokio::time::timeout(CLOSING_TIME_MAX, all).await.is_err() {
        closed.error.get_or_insert_with(|| "it took too long".to_owned());
    }
    closed
}
