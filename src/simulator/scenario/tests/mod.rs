//! Tests scenarios: the laws of what is drawn, rules, routes and windows, every mistake in a file, and the shipped examples.

mod aftermaths;
mod challenges;
mod examples;
mod failover;
mod faults;
mod fuzz;
mod holders;
mod laws;
mod mistakes;
mod mistakes_in_rules;
mod mistakes_in_time;
mod mutations;
mod packs;
mod routes;
mod rules;
mod schema;
mod windows;

use super::Scenario;
use crate::simulator::tests::question;
use crate::simulator::{Authorization, Question, SimulatorSettings, World};

/// The scenario with this in it, besides its name.
fn scenario(text: &str) -> Scenario {
    let file = format!("name = \"test\"\n{text}");
    Scenario::parse(file.as_bytes()).unwrap_or_else(|errors| panic!("{errors}"))
}

/// Its world. What its acquirers do not take is answered at once.
fn world(text: &str) -> World {
    let settings = SimulatorSettings { latency_median_ms: 0.0, ..SimulatorSettings::default() };
    World::with_scenario(&settings, &scenario(text))
}

/// A charge of €12.50 on the card of this token.
fn charge(token: &str) -> Question<'static, Authorization> {
    question(&format!("pm_card_{token}"))
}
