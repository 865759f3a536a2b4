//! The scenario of a run: put in force on the server before it, and what was there before put back afterwards.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use reqwest::{Client, RequestBuilder};
use serde::Deserialize;
use url::Url;

use crate::domain::time::Timestamp;

/// A file is read so far; the server refuses what is larger than a scenario may be.
const READ_BYTES_MAX: u64 = 512 * 1_024;
const PATH: &str = "/v1/test_helpers/scenario";

/// What the server says of a scenario.
#[derive(Debug, Deserialize)]
struct Answered {
    revision: Option<u32>,
    name: Option<String>,
    file: Option<String>,
}

/// A scenario in force for the account of the key, and for the accounts of the run.
#[derive(Debug)]
pub struct InForce {
    /// Its name and revision, in words.
    pub words: String,
    /// The file that was in force before; `None` for the world of the settings.
    before: Option<String>,
    /// When it came into force, as this machine's clock says.
    pub at: Timestamp,
}

impl InForce {
    /// Puts this text in force. Its windows of time begin now.
    ///
    /// # Errors
    /// If the server refuses it, with its mistakes.
    pub async fn put(client: &Client, target: &Url, key: &str, text: &str) -> anyhow::Result<Self> {
        let before =
            ask(client.get(address(target)), key).await.context("the scenario in force is not known")?;
        let put = ask(client.post(address(target)).form(&[("file", &text)]), key).await;
        let put = put.context("the scenario is not put in force")?;
        let name = put.name.unwrap_or_default();
        let words = format!("{name} (revision {})", put.revision.unwrap_or_default());
        Ok(Self { words, before: before.file, at: crate::clock::Wall::system().now() })
    }

    /// Puts back what was in force before.
    ///
    /// # Errors
    /// If the server does not answer or refuses.
    pub async fn restore(&self, client: &Client, target: &Url, key: &str) -> anyhow::Result<()> {
        let request = match &self.before {
            Some(file) => client.post(address(target)).form(&[("file", file)]),
            None => client.delete(address(target)),
        };
        ask(request, key).await.context("the scenario of before the run is not in force again")?;
        Ok(())
    }
}

/// The text of a scenario file.
///
/// # Errors
/// If it cannot be read.
pub fn read(path: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(READ_BYTES_MAX).read_to_string(&mut text));
    read.with_context(|| format!("cannot read {}", path.display()))?;
    Ok(text)
}

fn address(target: &Url) -> Url {
    let mut url = target.clone();
    url.set_path(PATH);
    url
}

async fn ask(request: RequestBuilder, key: &str) -> anyhow::Result<Answered> {
    #[derive(Deserialize)]
    struct Refused {
        error: Error,
    }
    #[derive(Deserialize)]
    struct Error {
        message: String,
    }
    let response = request.bearer_auth(key).send().await.context("the server cannot be reached")?;
    let (status, text) = (response.status(), response.text().await?);
    if status.is_success() {
        return serde_json::from_str(&text).context("the server's answer cannot be read");
    }
    match serde_json::from_str::<Refused>(&text) {
        Ok(refused) => bail!("{}", refused.error.message),
        Err(_) => bail!("the server answered {status}"),
    }
}
