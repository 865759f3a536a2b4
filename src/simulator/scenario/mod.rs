//! Scenarios: the outside world as data. Acquirers with their latency, outcomes, errors and routes, rules that change the answers
//! to chosen questions, and windows of time in which acquirers are different.
//!
//! Pure: a scenario is read from the bytes of a file that somebody else has read, and is not changed afterwards. May depend on
//! `domain`, `setting` and the rest of the simulator, but not on acquirers and routing, which are built from it. For users the
//! format is described in `docs/scenarios.md`.
//!
//! - `acquirer`: an acquirer as it is described; [`super::Acquirer`] is what comes of it.
//! - `conditions`: what a payment or a question must meet; `verdict`: what is answered; `rule`: the two together; `window`: when
//!   something is different.
//! - `pattern`: patterns of text; `pack`: sets of rules that come with the program.
//! - `read`: from TOML to these types, or to all mistakes in it; `error`: these mistakes.

mod acquirer;
mod conditions;
mod error;
mod pack;
mod pattern;
mod read;
mod rule;
mod verdict;
mod window;

#[cfg(test)]
mod tests;

pub use acquirer::AcquirerSpec;
pub use conditions::{Conditions, Facts, Method};
pub use error::{ScenarioError, ScenarioErrors};
pub use pack::Pack;
pub use pattern::Pattern;
pub use rule::{Answer, Rule, Rules};
pub use verdict::{Shares, Verdict};
pub use window::{Change, Factor, Span, Window, Windows};

/// The longest scenario file, in bytes.
pub const FILE_BYTES_MAX: usize = 256 * 1_024;
/// The most acquirers a scenario may have.
pub const ACQUIRERS_MAX: usize = 64;
/// The most rules a scenario may have.
pub const RULES_MAX: usize = 1_000;
/// The most windows a scenario may have.
pub const WINDOWS_MAX: usize = 100;

/// The outside world as a file describes it.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Its name, for people.
    pub name: String,
    /// What it is for; empty where the file does not say.
    pub description: String,
    /// What its draws start from; `None` leaves that to the settings.
    pub seed: Option<u64>,
    /// Whether the next acquirer is asked where one fails technically.
    pub failover: bool,
    /// Its acquirers, in the order in which they are asked whether they take a payment.
    pub acquirers: Vec<AcquirerSpec>,
    /// Its rules, and behind them those of its packs.
    pub rules: Rules,
    /// The packs that it names, in its order.
    pub packs: Vec<Pack>,
    /// Its windows.
    pub windows: Windows,
}

impl Scenario {
    /// Reads a scenario file.
    ///
    /// # Errors
    /// Every mistake in it, with its place.
    pub fn parse(file: &[u8]) -> Result<Self, ScenarioErrors> {
        read::scenario(file)
    }
}
