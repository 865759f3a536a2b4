//! Which subscriptions watch what. Looked up for every payment of every batch, so a lookup allocates nothing.

use std::collections::HashMap;
use std::sync::Arc;

use super::Topic;
use super::subscriber::{Shared, SubscriptionId};
use crate::domain::ids::{AccountId, IdMap, PaymentId};
use crate::readers::batch::Entry;

pub(super) type Watchers = Vec<(Arc<Shared>, SubscriptionId)>;

/// The watchers of payments, by topic. A topic that nobody watches any more is not kept.
#[derive(Default)]
pub(super) struct Topics {
    accounts: IdMap<AccountId, Watchers>,
    payments: IdMap<(AccountId, PaymentId), Watchers>,
    runs: HashMap<String, IdMap<AccountId, Watchers>>,
}

impl Topics {
    pub(super) fn len(&self) -> usize {
        self.accounts.len() + self.payments.len() + self.runs.values().map(IdMap::len).sum::<usize>()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.accounts.is_empty() && self.payments.is_empty() && self.runs.is_empty()
    }

    /// Whether this run is watched by anybody.
    pub(super) fn has_run(&self, run: &str) -> bool {
        self.runs.contains_key(run)
    }

    /// The subscriptions that receive this entry as this account: to the account, to the payment, and to the account's
    /// run, which its parent may watch too.
    pub(super) fn of<'a>(
        &'a self,
        entry: &Entry,
        account: AccountId,
        parent: &dyn Fn(AccountId) -> Option<AccountId>,
    ) -> impl Iterator<Item = &'a (Arc<Shared>, SubscriptionId)> + use<'a> {
        let run = entry.run.as_ref().filter(|_| account == entry.owner).and_then(|run| self.runs.get(run));
        let of_parent = run.and_then(|run| run.get(&parent(account)?));
        [
            self.accounts.get(&account),
            self.payments.get(&(account, entry.payment_id)),
            run.and_then(|run| run.get(&account)),
            of_parent,
        ]
        .into_iter()
        .flatten()
        .flatten()
    }

    /// The subscriptions to this account or to this payment of it, whatever run it belongs to.
    pub(super) fn of_payment(
        &self,
        account: AccountId,
        payment: PaymentId,
    ) -> impl Iterator<Item = &(Arc<Shared>, SubscriptionId)> {
        let (own, one) = (self.accounts.get(&account), self.payments.get(&(account, payment)));
        [own, one].into_iter().flatten().flatten()
    }

    /// Every subscription.
    pub(super) fn all(&self) -> impl Iterator<Item = &(Arc<Shared>, SubscriptionId)> {
        let runs = self.runs.values().flat_map(IdMap::values);
        self.accounts.values().chain(self.payments.values()).chain(runs).flatten()
    }

    /// Adds a watcher; does nothing for topics that are not about payments.
    pub(super) fn attach(&mut self, topic: &Topic, reader: &Arc<Shared>, id: SubscriptionId) {
        let watchers = match topic {
            Topic::Payments(account) => self.accounts.entry(*account).or_default(),
            Topic::Payment(account, payment) => self.payments.entry((*account, *payment)).or_default(),
            Topic::Run(account, run) => {
                self.runs.entry(run.clone()).or_default().entry(*account).or_default()
            }
            Topic::Stats | Topic::System | Topic::Requests(_) => return,
        };
        watchers.push((Arc::clone(reader), id));
    }

    /// Removes a watcher: its subscription, or all that it has to this topic.
    pub(super) fn detach(&mut self, topic: &Topic, reader: &Arc<Shared>, id: Option<SubscriptionId>) {
        let stays = |(other, other_id): &(Arc<Shared>, SubscriptionId)| {
            !(Arc::ptr_eq(other, reader) && id.is_none_or(|id| id == *other_id))
        };
        match topic {
            Topic::Payments(account) => retain(&mut self.accounts, account, stays),
            Topic::Payment(account, payment) => retain(&mut self.payments, &(*account, *payment), stays),
            Topic::Run(account, run) => {
                if let Some(accounts) = self.runs.get_mut(run) {
                    retain(accounts, account, stays);
                    if accounts.is_empty() {
                        self.runs.remove(run);
                    }
                }
            }
            Topic::Stats | Topic::System | Topic::Requests(_) => {}
        }
    }
}

fn retain<K: Eq + std::hash::Hash>(
    watched: &mut IdMap<K, Watchers>,
    key: &K,
    stays: impl Fn(&(Arc<Shared>, SubscriptionId)) -> bool,
) {
    if let Some(watchers) = watched.get_mut(key) {
        watchers.retain(stays);
        if watchers.is_empty() {
            watched.remove(key);
        }
    }
}
