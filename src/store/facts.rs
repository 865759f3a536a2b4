//! Caches the facts of accounts and clocks from one batch's transaction to the next.
//!
//! The facts of an account or a clock that a batch is decided by change only in batches, and the head keeps the position of the
//! last change (`settings_seq`). So what one transaction has read holds for the next ones until that position changes. An account
//! that does not exist is not cached: accounts are added outside the sequencer.

use std::collections::HashMap;
use std::sync::Arc;

use lru::LruCache;
use parking_lot::Mutex;

use crate::domain::account::AccountFacts;
use crate::domain::clock::Clock;
use crate::domain::ids::{AccountId, ClockId, IdMap};

/// The most accounts cached; those used lately stay.
const ACCOUNTS_MAX: usize = 1 << 17;
/// The most clocks cached, some hundred bytes each.
const CLOCKS_MAX: usize = 1 << 13;

/// The facts read since the last change of any of them.
#[derive(Debug, Default)]
pub(super) struct FactsCache(Mutex<Remembered>);

#[derive(Debug)]
struct Remembered {
    settings_seq: u64,
    accounts: LruCache<AccountId, AccountFacts>,
    /// `None` for one that no longer exists.
    clocks: LruCache<ClockId, Option<(AccountId, Arc<Clock>)>>,
}

impl Default for Remembered {
    fn default() -> Self {
        Self { settings_seq: 0, accounts: LruCache::unbounded(), clocks: LruCache::unbounded() }
    }
}

impl FactsCache {
    /// Adds the cached facts of these accounts to `known`, and returns the ids still to be read.
    pub(super) fn recall(
        &self,
        settings_seq: u64,
        accounts: Vec<AccountId>,
        known: &mut IdMap<AccountId, AccountFacts>,
    ) -> Vec<AccountId> {
        let mut remembered = self.0.lock();
        remembered.hold(settings_seq);
        let mut missing = Vec::new();
        for id in accounts {
            if let Some(facts) = remembered.accounts.get(&id) {
                known.insert(id, *facts);
            } else {
                missing.push(id);
            }
        }
        missing
    }

    /// The same for clocks.
    pub(super) fn recall_clocks(
        &self,
        settings_seq: u64,
        clocks: Vec<ClockId>,
        known: &mut HashMap<ClockId, (AccountId, Arc<Clock>)>,
    ) -> Vec<ClockId> {
        let mut remembered = self.0.lock();
        remembered.hold(settings_seq);
        let mut missing = Vec::new();
        for id in clocks {
            match remembered.clocks.get(&id) {
                Some(Some(clock)) => {
                    known.insert(id, clock.clone());
                }
                Some(None) => {}
                None => missing.push(id),
            }
        }
        missing
    }

    /// Caches a clock, or that it no longer exists.
    pub(super) fn keep_clock(&self, settings_seq: u64, id: ClockId, clock: Option<(AccountId, Arc<Clock>)>) {
        let mut remembered = self.0.lock();
        remembered.hold(settings_seq);
        remembered.clocks.put(id, clock);
        if remembered.clocks.len() > CLOCKS_MAX {
            remembered.clocks.pop_lru();
        }
    }

    /// Caches what was read in a transaction whose head has this `settings_seq`.
    pub(super) fn keep(&self, settings_seq: u64, id: AccountId, facts: AccountFacts) {
        let mut remembered = self.0.lock();
        remembered.hold(settings_seq);
        remembered.put(id, facts);
    }
}

impl Remembered {
    fn hold(&mut self, settings_seq: u64) {
        if self.settings_seq != settings_seq {
            *self = Self { settings_seq, ..Self::default() };
        }
    }

    fn put(&mut self, id: AccountId, facts: AccountFacts) {
        self.accounts.put(id, facts);
        if self.accounts.len() > ACCOUNTS_MAX {
            self.accounts.pop_lru();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(n: u32) -> AccountId {
        AccountId::from_bytes(u128::from(n).to_be_bytes())
    }

    #[test]
    fn what_was_read_holds_until_something_has_changed() {
        let cache = FactsCache::default();
        let open = AccountFacts::default();
        let closed = AccountFacts { closed: true, ..open };
        cache.keep(3, account(1), open);
        let mut known = IdMap::default();
        let missing = cache.recall(3, vec![account(1), account(2)], &mut known);
        assert_eq!((missing, known.get(&account(1))), (vec![account(2)], Some(&open)));
        known.clear();
        assert_eq!(cache.recall(4, vec![account(1)], &mut known), [account(1)]);
        assert!(known.is_empty(), "it may have been closed");
        cache.keep(4, account(1), closed);
        assert!(cache.recall(4, vec![account(1)], &mut known).is_empty());
        assert_eq!(known.get(&account(1)), Some(&closed));
    }

    #[test]
    fn it_is_bounded_and_keeps_what_is_used() {
        let cache = FactsCache::default();
        let mut known = IdMap::default();
        let count = u32::try_from(3 * ACCOUNTS_MAX).unwrap();
        for n in 0..count {
            cache.keep(0, account(n), AccountFacts::default());
            if n % 1_000 == 0 {
                assert!(cache.recall(0, vec![account(0)], &mut known).is_empty(), "used all the time");
            }
        }
        let held = cache.0.lock();
        assert!(held.accounts.len() <= ACCOUNTS_MAX);
    }
}
