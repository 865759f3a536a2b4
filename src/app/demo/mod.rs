//! The demo: its people, the address that signs in once, and the payments of its first minute.
//!
//! Everything goes through the ordinary use cases: nothing is inserted into the ledger and nothing is backdated. The demo
//! knows its people by ids that the installation keeps, never by e-mail address.

mod script;
mod story;

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use tokio::sync::Notify;

use crate::accounts::token;
use crate::clock::Wall;
use crate::config::Settings;
use crate::domain::account::AccountTerms;
use crate::domain::ids::AccountId;
use crate::setting::Secret;
use crate::simulator::SimulatorSettings;
use crate::store::{NewAccount, Store};
use script::Script;
pub use story::{Stage, Story};

/// The key in the printed command: any key that is nobody's will do.
const KEY: &str = "sk_test_demo";
/// Set before the first payment: the story is this installation's to tell, once.
const BEGUN: &str = "demo.begun";
/// Set after the last: there is nothing left to tell.
const TOLD: &str = "demo.told";

/// The demo of this process, before the pipeline runs.
pub struct Prepared {
    script: Script,
    people: Vec<(String, AccountId)>,
    viewer: AccountId,
    tell: bool,
    /// The secret in the address that signs in once.
    pub token: String,
    /// Notified when someone signs in as the viewer.
    pub looked: Arc<Notify>,
}

impl Prepared {
    /// The account that the one-time address signs in to.
    #[must_use]
    pub const fn viewer(&self) -> AccountId {
        self.viewer
    }

    /// The simulator settings of its people: slow enough to be watched.
    #[must_use]
    pub fn worlds(&self, settings: &Settings) -> Vec<(AccountId, SimulatorSettings)> {
        let latency_median_ms = settings.demo.latency_median_ms;
        let world = SimulatorSettings {
            seed: self.script.seed,
            latency_median_ms,
            latency_max_ms: settings.simulator.latency_max_ms.max(latency_median_ms),
            ..settings.simulator.clone()
        };
        self.people.iter().map(|(_, account)| (*account, world.clone())).collect()
    }

    /// The story, if this start is to tell it, and the signal that someone looks.
    #[must_use]
    pub fn into_story(self) -> Option<(Story, Arc<Notify>)> {
        self.tell.then(|| (Story::new(self.script, self.people.into_iter().collect()), self.looked))
    }
}

/// What is printed for the person who started the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// The address that signs in to the demo account, once.
    pub sign_in: Secret,
    /// A line for a shell that makes a payment.
    pub curl: String,
}

impl Invitation {
    /// The invitation of a server at this address.
    #[must_use]
    pub fn new(address: SocketAddr, token: &str) -> Self {
        Self {
            sign_in: format!("http://{address}/start?t={token}").into(),
            curl: format!(
                "curl http://{address}/v1/payment_intents -u {KEY}: -d amount=1250 -d currency=eur -d payment_method=pm_card_visa -d confirm=true"
            ),
        }
    }
}

/// Creates missing people, and finds out whether there is a story to tell. If the demo is off, its sessions end.
///
/// # Errors
/// The store's.
pub async fn prepare(
    settings: &Settings,
    store: &Arc<dyn Store>,
    wall: &Wall,
) -> anyhow::Result<Option<Prepared>> {
    let script = Script::built_in().context("the demo's story cannot be read")?;
    if !settings.demo_is_on() {
        end_sessions(store, &script).await?;
        return Ok(None);
    }
    let tell = has_story_to_tell(settings, store.as_ref()).await?;
    let mut people = Vec::with_capacity(script.people.len());
    for person in &script.people {
        people.push((person.id.clone(), ensure_account(store.as_ref(), person, wall).await?));
    }
    let viewer = people.first().map(|(_, account)| *account).context("the demo has no people")?;
    Ok(Some(Prepared {
        script,
        people,
        viewer,
        tell,
        token: token::new_session_token()?,
        looked: Arc::default(),
    }))
}

fn name_of(person: &str) -> String {
    format!("demo.account.{person}")
}

/// The account of one of the people, created if it is not there yet. It has no password, so nobody can sign in with one.
async fn ensure_account(
    store: &dyn Store,
    person: &script::Person,
    wall: &Wall,
) -> anyhow::Result<AccountId> {
    let kept = store.installation_set_once(&name_of(&person.id), AccountId::generate().as_bytes()).await?;
    let id = AccountId::from_slice(&kept).context("the id of a demo account is damaged")?;
    // The process may have ended between the two.
    if store.account_get(&[id]).await?.is_empty() {
        let mut account = NewAccount {
            id,
            email: Some(person.email.clone()),
            name: person.name.clone(),
            password_hash: None,
            parent: None,
            scenario: None,
            terms: AccountTerms::default(),
            created_at: wall.now(),
        };
        if !store.account_insert(&account).await? {
            // Someone has registered under that address; then it is theirs.
            account.email = None;
            store.account_insert(&account).await?;
        }
    }
    Ok(id)
}

/// Only the first start on a store without payments begins the story; it or a later one finishes it.
async fn has_story_to_tell(settings: &Settings, store: &dyn Store) -> anyhow::Result<bool> {
    if !settings.demo.payments || store.installation_get(TOLD).await?.is_some() {
        return Ok(false);
    }
    if store.installation_get(BEGUN).await?.is_some() {
        return Ok(true);
    }
    if store.head().await? > 0 {
        return Ok(false);
    }
    store.installation_set_once(BEGUN, b"1").await?;
    Ok(true)
}

/// Nobody stays signed in to a demo that is off.
async fn end_sessions(store: &Arc<dyn Store>, script: &Script) -> anyhow::Result<()> {
    for person in &script.people {
        let kept = store.installation_get(&name_of(&person.id)).await?;
        let Some(id) = kept.as_deref().and_then(AccountId::from_slice) else { continue };
        for session in store.session_list(id).await? {
            store.session_delete(id, session.id).await?;
        }
    }
    Ok(())
}
