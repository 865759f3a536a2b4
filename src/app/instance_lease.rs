//! Holds the lease of a process that must be the only one: one with an embedded broker or index, on a store that others
//! can reach.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::background::{Group, Next, Schedule, Step, StepError};
use crate::clock::Wall;
use crate::domain::ids::InstanceId;
use crate::lease::Lease;
use crate::outage::{Outage, Way};
use crate::store::{PipelineStore, Store};

const NAME: &str = "instance";
const TTL: Duration = Duration::from_secs(15);

/// Takes the lease, and starts the task that renews it and gives it back when it is stopped.
///
/// # Errors
/// If another process has it, or the store cannot be asked.
pub async fn hold(
    group: &Group,
    store: &Arc<dyn Store>,
    instance: InstanceId,
    wall: &Wall,
) -> anyhow::Result<()> {
    let store: Arc<dyn PipelineStore> = store.clone();
    let mut lease = Lease::new(Arc::clone(&store), wall.clone(), NAME, instance, TTL);
    lease.hold().await?;
    if let Some(holder) = lease.other_holder() {
        anyhow::bail!(
            "another paystorm ({holder}) runs on this store with an embedded broker or index: only one may. \
             Stop it (its lease ends within 15 s), or set broker.kind and search.kind to real services"
        );
    }
    let schedule = Schedule::after_each(lease.renew_every());
    let (wall, mut taken) = (wall.clone(), Some(lease));
    group.repeat("instance_lease", schedule, move || {
        let again = || Lease::new(Arc::clone(&store), wall.clone(), NAME, instance, TTL);
        Renewal::new(taken.take().unwrap_or_else(again))
    });
    Ok(())
}

/// Renews the lease.
struct Renewal {
    lease: Lease,
    /// Another process that took over the store is one outage, until it gives it back. The store's adapter logs that the
    /// store is away.
    trouble: Outage,
}

impl Renewal {
    fn new(lease: Lease) -> Self {
        Self { lease, trouble: Outage::new("the lease of this store") }
    }
}

#[async_trait]
impl Step for Renewal {
    async fn run(&mut self) -> Result<Next, StepError> {
        self.lease.hold().await?;
        match self.lease.other_holder() {
            None => self.trouble.over(),
            Some(holder) => {
                let cause = format!("another process, {holder}, took it: stop one of them");
                self.trouble.failed(Way::Write, &cause);
                // It is logged already.
                return Err(StepError::Expected(cause));
            }
        }
        Ok(Next::Scheduled)
    }

    async fn finish(&mut self) {
        self.lease.release().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::background::Tasks;
    use crate::store::StoreSettings;
    use crate::store::sqlite::SqliteStore;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_lease_that_another_process_has_is_one_outage_until_it_is_ours_again() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = SqliteStore::open(dir.path(), &StoreSettings::default()).await.expect("opens");
        let store: Arc<dyn Store> = Arc::new(store);
        store.migrate().await.expect("migrated");
        let wall = Wall::system();
        let lease = || Lease::new(store.clone(), wall.clone(), NAME, InstanceId::generate(), TTL);
        let (mut renewal, mut theirs) = (Renewal::new(lease()), lease());
        renewal.run().await.expect("it is ours");
        // As if this process had stood still for longer than a lease lasts.
        renewal.lease.release().await;
        assert!(theirs.hold().await.expect("asked"));
        for _ in 0..3 {
            assert!(matches!(renewal.run().await, Err(StepError::Expected(_))));
            let failing = renewal.trouble.failing(Way::Write);
            assert!(failing.is_some_and(|cause| cause.contains("stop one of them")));
        }
        let tasks = Tasks::new(wall.clone());
        let refused = hold(&Group::new(&tasks), &store, InstanceId::generate(), &wall).await;
        assert!(refused.is_err_and(|error| error.to_string().contains("another paystorm")));
        assert!(tasks.all().is_empty(), "nothing was started");

        theirs.release().await;
        renewal.run().await.expect("it is ours again");
        assert_eq!(renewal.trouble.failing(Way::Write), None);
        renewal.finish().await;

        let group = Group::new(&tasks);
        hold(&group, &store, InstanceId::generate(), &wall).await.expect("it was given back");
        group.stop("lease", Duration::from_secs(10)).await;
        assert!(theirs.hold().await.expect("asked"), "so it is by a task that is stopped");
    }
}
