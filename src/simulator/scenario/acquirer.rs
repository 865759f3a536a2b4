//! An acquirer as a scenario describes it.

use super::conditions::Conditions;
use super::verdict::{Shares, Verdict};
use crate::domain::forced::Fault;
use crate::simulator::breaker::BreakerRules;
use crate::simulator::latency::Latency;

/// The description of an acquirer.
#[derive(Debug, Clone, PartialEq)]
pub struct AcquirerSpec {
    /// Its name, which is part of the seed of its draws; no two of a scenario have the same.
    pub name: String,
    /// How much of what it shares with others it takes; more than 0.
    pub weight: f64,
    /// The payments that it takes. Their kinds are always named: nobody takes transfers.
    pub route: Conditions,
    /// How long its answers take; `None` is as long as the settings say.
    pub latency: Option<Latency>,
    /// How long its answers are waited for, in microseconds; `None` is for ever.
    pub timeout_us: Option<u64>,
    /// The shares of attempts that go wrong.
    pub errors: Shares<Fault>,
    /// The shares of the outcomes of all other authorizations; what they leave is approved.
    pub outcomes: Shares<Verdict>,
    /// How much it can do, in operations per second; `None` is anything.
    pub capacity_per_s: Option<f64>,
    /// The most that may wait for it; `None` is as many as usual.
    pub queue_max: Option<u32>,
    /// When its circuit breaker opens and closes; `None` if it has none.
    pub breaker: Option<BreakerRules>,
}
