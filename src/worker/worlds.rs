//! Which outside world answers an account.
//!
//! May depend on `simulator` and `domain`.

use std::collections::HashMap;
use std::sync::Arc;

use crate::domain::ids::AccountId;
use crate::simulator::{Scenario, SimulatorSettings, World};

/// The outside worlds of all accounts.
#[derive(Debug, Clone)]
pub struct Worlds {
    common: Arc<World>,
    of_account: HashMap<AccountId, Arc<World>>,
}

impl Worlds {
    /// The same world for every account: the one acquirer of the settings.
    #[must_use]
    pub fn new(settings: &SimulatorSettings) -> Self {
        Self { common: Arc::new(World::new(settings)), of_account: HashMap::new() }
    }

    /// The same world for every account, as a scenario describes it.
    #[must_use]
    pub fn with_scenario(settings: &SimulatorSettings, scenario: &Scenario) -> Self {
        let common = Arc::new(World::with_scenario(settings, scenario));
        Self { common, of_account: HashMap::new() }
    }

    /// Gives these accounts worlds of their own.
    #[must_use]
    pub fn with_accounts<'a>(
        mut self,
        settings: impl IntoIterator<Item = &'a (AccountId, SimulatorSettings)>,
    ) -> Self {
        let own = settings.into_iter().map(|(account, settings)| (*account, Arc::new(World::new(settings))));
        self.of_account.extend(own);
        self
    }

    /// The world that answers this account.
    #[must_use]
    pub fn of(&self, account: AccountId) -> &Arc<World> {
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
        let worlds = Worlds::new(&plain).with_accounts(&[(slow, own)]);
        assert!(!Arc::ptr_eq(worlds.of(slow), worlds.of(other)));
        assert!(Arc::ptr_eq(worlds.of(other), worlds.of(AccountId::from_bytes([2; 16]))));
    }
}
