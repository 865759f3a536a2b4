//! Which outside world answers an account.
//!
//! May depend on `simulator` and `domain`.

use std::collections::HashMap;
use std::sync::Arc;

use super::outside::Outside;
use crate::domain::ids::AccountId;
use crate::domain::time::Timestamp;
use crate::simulator::{Scenario, SimulatorSettings, World};

/// The outside worlds of all accounts.
#[derive(Debug, Clone)]
pub struct Worlds {
    common: Arc<Outside>,
    of_account: HashMap<AccountId, Arc<Outside>>,
}

impl Worlds {
    /// The same world for every account: the one acquirer of the settings. It is there since this time.
    #[must_use]
    pub fn new(settings: &SimulatorSettings, since: Timestamp) -> Self {
        Self::common(World::new(settings), since)
    }

    /// The same world for every account, as a scenario describes it, which came into force at this time.
    #[must_use]
    pub fn with_scenario(settings: &SimulatorSettings, scenario: &Scenario, since: Timestamp) -> Self {
        Self::common(World::with_scenario(settings, scenario), since)
    }

    fn common(world: World, since: Timestamp) -> Self {
        Self { common: Arc::new(Outside::new(Arc::new(world), since)), of_account: HashMap::new() }
    }

    /// Gives these accounts worlds of their own.
    #[must_use]
    pub fn with_accounts<'a>(
        mut self,
        settings: impl IntoIterator<Item = &'a (AccountId, SimulatorSettings)>,
    ) -> Self {
        let since = self.common.since();
        let outside = |settings| Arc::new(Outside::new(Arc::new(World::new(settings)), since));
        self.of_account.extend(settings.into_iter().map(|(account, settings)| (*account, outside(settings))));
        self
    }

    /// The world that answers this account.
    #[must_use]
    pub fn of(&self, account: AccountId) -> &Arc<Outside> {
        self.of_account.get(&account).unwrap_or(&self.common)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_can_have_a_world_of_its_own_without_affecting_others() {
        let (slow, other) = (AccountId::from_bytes([9; 16]), AccountId::from_bytes([1; 16]));
        let plain = SimulatorSettings::default();
        let own = SimulatorSettings { latency_median_ms: 600.0, ..plain.clone() };
        let worlds = Worlds::new(&plain, Timestamp::default()).with_accounts(&[(slow, own)]);
        assert!(!Arc::ptr_eq(worlds.of(slow), worlds.of(other)));
        assert!(Arc::ptr_eq(worlds.of(other), worlds.of(AccountId::from_bytes([2; 16]))));
    }
}
