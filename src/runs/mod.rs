//! Load runs that are started from pages and over the API: their use cases.
//!
//! May use the load generator, accounts (for a key to act with, and accounts of runs), and scenarios. The generator stays a client
//! from outside: it reaches this server over the loopback interface, like any other client, and knows nothing of it.
//! Must not know HTTP. A run belongs to the account that started it; nobody else sees it.
//!
//! - `settings`: section `[load]`. `asked`: what a run is asked to be. `error`: why not.
//! - `driver`: carries a run to its report. `faults`: the windows of its scenario. `live`: how it is doing.
//! - `record`, `reports`: what is kept. `compare`: two of them side by side.

mod asked;
mod compare;
mod driver;
mod error;
mod faults;
mod live;
mod record;
mod reports;
mod settings;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

pub use asked::{Kind, RunSettings};
pub use compare::{Compared, compare};
pub use error::RunError;
pub use live::RunLive;
pub use record::{Head, Record, State};
pub use settings::LoadSettings;

pub use crate::load::{
    Found, Latencies, Live, Phase, Point, Report, Step, Stretch, ms, per_s, short, thousands,
};

use self::driver::{Means, Order};
use self::faults::Since;
use self::live::Active;
use self::reports::{Bounds, Reports};
use crate::accounts::Accounts;
use crate::clock::Wall;
use crate::domain::account::AccountTerms;
use crate::domain::ids::{AccountId, LoadRunId};
use crate::load::Control;
use crate::scenarios::{PlannedWindow, Scenarios, planned};
use crate::setting::Secret;

/// What the use cases stand on.
pub struct Ground {
    /// The section of the settings.
    pub settings: LoadSettings,
    /// Where reports are kept; `None` keeps them in memory.
    pub directory: Option<PathBuf>,
    /// Where this server is reached from within.
    pub own: Url,
    /// For keys to act with.
    pub accounts: Arc<Accounts>,
    /// For the windows of scenarios.
    pub scenarios: Scenarios,
    /// The wall clock.
    pub wall: Wall,
    /// Cancelled when the server ends: runs report then what they have.
    pub stopping: CancellationToken,
}

/// The use cases.
#[derive(Clone)]
pub struct Runs(Arc<Inner>);

struct Inner {
    settings: LoadSettings,
    own: Url,
    means: Arc<Means>,
    active: Mutex<HashMap<LoadRunId, Active>>,
    /// The runtime that runs are carried by: handlers have threads of their own, which serve connections.
    runtime: Handle,
    tasks: TaskTracker,
}

/// Keeps one place among the runs at once.
struct Place {
    runs: Runs,
    id: LoadRunId,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.runs.0.active.lock().remove(&self.id);
    }
}

impl Runs {
    /// The use cases, on the runtime that this is called on. Runs that were under way when the server ended are cut off now.
    ///
    /// # Errors
    /// If the directory of reports cannot be used.
    pub fn open(ground: Ground) -> std::io::Result<Self> {
        let Ground { settings, directory, own, accounts, scenarios, wall, stopping } = ground;
        let bounds = Bounds {
            each_max: usize::try_from(settings.reports_max).unwrap_or(usize::MAX),
            bytes_max: settings.reports_max_bytes,
        };
        let reports = Arc::new(Reports::open(directory, bounds, wall.now())?);
        let means = Arc::new(Means { reports, accounts, scenarios, wall, stopping });
        Ok(Self(Arc::new(Inner {
            settings,
            own,
            means,
            active: Mutex::default(),
            runtime: Handle::current(),
            tasks: TaskTracker::new(),
        })))
    }

    /// What the settings say.
    #[must_use]
    pub fn rules(&self) -> &LoadSettings {
        &self.0.settings
    }

    /// Starts a run. An `operator` may send one against other servers as well.
    ///
    /// # Errors
    /// [`RunError`]: the field at fault, too many runs at once, or runs are switched off.
    pub async fn start(
        &self,
        owner: AccountId,
        settings: RunSettings,
        operator: bool,
    ) -> Result<LoadRunId, RunError> {
        let Inner { settings: rules, own, means, runtime, tasks, .. } = &*self.0;
        if !rules.pages {
            return Err(RunError::SwitchedOff);
        }
        let settings = settings.tidied()?;
        let (target, key) = match settings.is_elsewhere() {
            true if !operator => {
                let message = "only who operates this server may send load to another one; leave it empty";
                return Err(RunError::field("target", message));
            }
            true => settings.elsewhere()?,
            false => (own.clone(), Secret::default()),
        };
        let mut args = settings.flags(target, key, rules)?;
        let windows = windows_of(args.scenario_text.clone()).await?;
        let id = LoadRunId::generate_at(means.wall.now());
        args.run = Some(id.to_string());
        let control = Control::default();
        let plans: Arc<Mutex<Vec<Since>>> = Arc::default();
        let place =
            self.take_place(Active { id, owner, control: control.clone(), plans: Arc::clone(&plans) })?;
        let order = Order {
            record: Record::new(id, owner, means.wall.now(), settings),
            args,
            control,
            key: None,
            own_account: None,
            plans,
        };
        // In a task of its own: whoever asked may go away, and what has begun must still come to its end.
        let runs = self.clone();
        let begun = tasks.spawn_on(async move { runs.begin(order, windows, place).await }, runtime);
        begun.await.map_err(|_| RunError::Reports)??;
        Ok(id)
    }

    /// Prepares a run, notes that it is under way, and sets it going.
    async fn begin(
        &self,
        mut order: Order,
        windows: Option<Vec<PlannedWindow>>,
        place: Place,
    ) -> Result<(), RunError> {
        let Inner { means, runtime, tasks, .. } = &*self.0;
        if let Err(error) = self.ready(&mut order, windows).await {
            if let Some(account) = order.own_account {
                driver::close(means, order.record.id, order.record.owner, account).await;
            }
            return Err(error);
        }
        let means = Arc::clone(means);
        tasks.spawn_on(
            async move {
                driver::drive(&means, order).await;
                drop(place);
            },
            runtime,
        );
        Ok(())
    }

    async fn ready(&self, order: &mut Order, windows: Option<Vec<PlannedWindow>>) -> Result<(), RunError> {
        self.prepare(order, windows).await?;
        let (reports, record) = (Arc::clone(&self.0.means.reports), order.record.clone());
        blocking(move || reports.put(&record, true)).await
    }

    fn take_place(&self, run: Active) -> Result<Place, RunError> {
        let (id, max) = (run.id, self.0.settings.runs_max);
        let mut active = self.0.active.lock();
        if active.len() >= usize::try_from(max).unwrap_or(usize::MAX) {
            return Err(RunError::Busy { max });
        }
        active.insert(id, run);
        drop(active);
        Ok(Place { runs: self.clone(), id })
    }

    /// Lends the run a key: of its owner, or of an account of its own where it brings a scenario, which then holds for nothing else.
    async fn prepare(&self, order: &mut Order, windows: Option<Vec<PlannedWindow>>) -> Result<(), RunError> {
        let Means { accounts, scenarios, .. } = &*self.0.means;
        let owner = order.record.owner;
        let elsewhere = order.record.settings.is_elsewhere();
        if let Some(windows) = windows {
            // The moment is known once the scenario is in force.
            order.plans.lock().push(Since { at_us: i64::MIN, windows });
        } else if !elsewhere && let Some(revision) = scenarios.current(owner).await? {
            order.plans.lock().push(driver::since(&revision));
        }
        if elsewhere {
            return Ok(());
        }
        let account = if order.args.scenario_text.is_some() {
            let terms = AccountTerms { lean: true, ..accounts.rules().terms };
            let made =
                accounts.children_create(owner, 1, &format!("Load run {}", order.record.id), terms).await?;
            let own = made.first().map_or(owner, |account| account.id);
            order.own_account = Some(own);
            own
        } else {
            owner
        };
        let key = accounts.key_lend(account)?;
        order.args.key = Secret::from(key.secret.as_str());
        order.key = Some(key);
        Ok(())
    }

    /// The runs of an account, the latest first.
    #[must_use]
    pub fn list(&self, owner: AccountId) -> Vec<Head> {
        self.0.means.reports.heads(owner)
    }

    /// A run with its settings and its report, or what it had a second ago.
    ///
    /// # Errors
    /// [`RunError::NotFound`] if the account has no such run.
    pub async fn one(&self, owner: AccountId, id: LoadRunId) -> Result<Record, RunError> {
        self.head(owner, id)?;
        let reports = Arc::clone(&self.0.means.reports);
        blocking(move || reports.get(id)).await?.ok_or(RunError::NotFound)
    }

    fn head(&self, owner: AccountId, id: LoadRunId) -> Result<Head, RunError> {
        self.0.means.reports.head(id).filter(|head| head.owner == owner).ok_or(RunError::NotFound)
    }

    /// How a run is doing, with its series but for so many points at the beginning; `None` once it has ended.
    ///
    /// # Errors
    /// [`RunError::NotFound`] if the account has no such run.
    pub fn live(&self, owner: AccountId, id: LoadRunId, skipped: usize) -> Result<Option<RunLive>, RunError> {
        match self.active(owner, id) {
            Some(run) => Ok(Some(RunLive::of(&run, skipped))),
            None => self.head(owner, id).map(|_| None),
        }
    }

    fn active(&self, owner: AccountId, id: LoadRunId) -> Option<Active> {
        self.0.active.lock().get(&id).filter(|run| run.owner == owner).cloned()
    }

    /// Pauses a run or lets it go on: nothing is due in between.
    ///
    /// # Errors
    /// [`RunError::NotFound`], or [`RunError::NotNow`] where there is nothing to pause.
    pub async fn pause(&self, owner: AccountId, id: LoadRunId, paused: bool) -> Result<(), RunError> {
        let Some(run) = self.active(owner, id) else {
            self.head(owner, id)?;
            return Err(RunError::NotNow("This load run has ended."));
        };
        if self.one(owner, id).await?.settings.kind == Kind::Capacity {
            return Err(RunError::NotNow(
                "A search cannot be paused: each of its steps is judged by what followed the last.",
            ));
        }
        match (run.control.pause(paused), paused) {
            (true, _) => Ok(()),
            (false, true) => Err(RunError::NotNow(
                "This load run cannot be paused now: it has not begun, is paused, or sends nothing more.",
            )),
            (false, false) => Err(RunError::NotNow("This load run is not paused.")),
        }
    }

    /// Stops a run: nothing more is sent, what is open is waited for. The second time nothing is waited for.
    ///
    /// # Errors
    /// [`RunError::NotFound`], or [`RunError::NotNow`] if it has ended.
    pub fn stop(&self, owner: AccountId, id: LoadRunId) -> Result<(), RunError> {
        match self.active(owner, id) {
            Some(run) => {
                run.control.stop();
                Ok(())
            }
            None => self.head(owner, id).and(Err(RunError::NotNow("This load run has ended."))),
        }
    }

    /// Forgets a run that has ended.
    ///
    /// # Errors
    /// [`RunError::NotFound`], or [`RunError::NotNow`] while it is under way.
    pub async fn delete(&self, owner: AccountId, id: LoadRunId) -> Result<(), RunError> {
        self.head(owner, id)?;
        if self.active(owner, id).is_some() {
            return Err(RunError::NotNow("This load run is under way. Stop it first."));
        }
        let reports = Arc::clone(&self.0.means.reports);
        blocking(move || {
            reports.remove(id);
            Ok(())
        })
        .await
    }

    /// Waits until every run has reported, at most this long. The token of the ground is cancelled before.
    pub async fn end(&self, within: Duration) {
        self.0.tasks.close();
        if tokio::time::timeout(within, self.0.tasks.wait()).await.is_err() {
            tracing::warn!("a load run did not report in time; the next start says how far it had come");
        }
    }
}

/// The windows of a scenario, if there is one.
async fn windows_of(text: Option<String>) -> Result<Option<Vec<PlannedWindow>>, RunError> {
    let Some(text) = text else { return Ok(None) };
    let read = blocking(move || Ok(Scenarios::read(&text).map(|scenario| planned(&scenario)))).await?;
    Ok(Some(read?))
}

/// Runs what blocks on a thread that may.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RunError> + Send + 'static,
) -> Result<T, RunError> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(RunError::Reports))
}
