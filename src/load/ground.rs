//! What runs stand on: the accounts of a run, with money in them, and the file of acknowledgements. Several runs may follow one
//! another on the same ground.

use std::fs::File;

use anyhow::{Context as _, bail};
use reqwest::Client;

use super::args::LoadArgs;
use super::fill::fill;
use super::numbers::mixed;
use super::plan::Plan;
use super::report::Closed;
use super::scenario::{self, InForce};
use super::shared::Target;
use super::{http, setup};

/// What runs stand on.
pub struct Ground {
    /// The name of the run, or of the first part of it.
    pub run: String,
    /// The client of all requests.
    pub client: Client,
    /// The accounts to act for; empty for the key's own.
    accounts: Vec<String>,
    /// Whether every payment touches the first account.
    hot: bool,
    acks: Option<File>,
    /// The scenario of the run, if it brings one.
    scenario: Option<InForce>,
}

impl Ground {
    /// Creates the accounts, fills their wallets if the mix takes money out of them, and puts the run's scenario in force.
    ///
    /// # Errors
    /// If the server is not there or refuses, or the file of acknowledgements cannot be written.
    pub async fn prepare(args: &LoadArgs) -> anyhow::Result<Self> {
        let mix = args.traffic.mix;
        // Every payment touches the first of two wallets.
        let hot = args.wallets == 1;
        let wanted = if hot { 2 } else { args.wallets };
        if wanted == 0 && mix.transfer > 0 {
            bail!(
                "a mix with transfers needs accounts to send to: leave --wallets out, or use --mix charge=90,refund=10"
            );
        }
        if wanted == 0 && mix.takes_from_wallets() {
            bail!("a mix with payouts needs wallets that are filled: leave --wallets out");
        }
        let scenario = match (&args.scenario_text, &args.scenario) {
            (Some(text), _) => Some(text.clone()),
            (None, Some(path)) => Some(scenario::read(path)?),
            (None, None) => None,
        };
        let run = args.run.clone().unwrap_or_else(generated_name);
        let client = http::client()?;
        let accounts = setup::accounts(&client, &args.target, args.key.expose(), wanted, &run).await?;
        // Once a server has answered: where there is none, no file is made.
        let acks = args
            .acks
            .as_ref()
            .map(|path| File::create(path).with_context(|| format!("cannot write {}", path.display())));
        let acks = acks.transpose()?;
        let mut ground = Self { run, client, accounts, hot, acks, scenario: None };
        if mix.takes_from_wallets() {
            let plan = Plan { hot: false, ..ground.plan(args, &format!("{}.fill", ground.run), true) };
            fill(Target::of(args), plan).await?;
        }
        if let Some(text) = scenario {
            // Last, since the time of its windows begins here.
            let put = InForce::put(&ground.client, &args.target, args.key.expose(), &text).await?;
            ground.scenario = Some(put);
        }
        Ok(ground)
    }

    /// The plan of a run of this name.
    #[must_use]
    pub fn plan(&self, args: &LoadArgs, run: &str, fills: bool) -> Plan {
        Plan {
            run: run.to_owned(),
            seed: args.seed,
            traffic: args.traffic.clone(),
            fills,
            accounts: self.accounts.clone(),
            hot: self.hot,
            keys: args.keys,
        }
    }

    /// The file of acknowledgements, to be continued.
    ///
    /// # Errors
    /// If the system has no more handles.
    pub fn acks(&self) -> std::io::Result<Option<File>> {
        self.acks.as_ref().map(File::try_clone).transpose()
    }

    /// The scenario of the run, in words.
    #[must_use]
    pub fn scenario(&self) -> Option<String> {
        self.scenario.as_ref().map(|scenario| scenario.words.clone())
    }

    /// When it came into force, in microseconds since 1970.
    #[must_use]
    pub fn scenario_us(&self) -> Option<i64> {
        self.scenario.as_ref().map(|scenario| scenario.at.micros())
    }

    /// Puts back the scenario that was in force before, if the run brought one. What goes wrong is said: the run is over.
    pub async fn restore(&self, args: &LoadArgs) -> Vec<String> {
        let Some(scenario) = &self.scenario else { return Vec::new() };
        let restored = scenario.restore(&self.client, &args.target, args.key.expose()).await;
        restored.err().map(|error| format!("{error:#}")).into_iter().collect()
    }

    /// Closes the accounts, if that was asked for.
    pub async fn close(&self, args: &LoadArgs) -> Option<Closed> {
        if !args.close_wallets || self.accounts.is_empty() {
            return None;
        }
        Some(setup::close(&self.client, &args.target, args.key.expose(), &self.accounts).await)
    }
}

fn generated_name() -> String {
    let micros = crate::clock::Wall::system().now().micros().unsigned_abs();
    let random = mixed(micros, u64::from(std::process::id()), 0) & 0xffff;
    // Names sort by the time of their runs.
    format!("run-{}-{random:04x}", micros / 1_000_000)
}
