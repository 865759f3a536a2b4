//! How a run is doing, with what is known of the world outside.

use std::sync::Arc;

use parking_lot::Mutex;
use serde::Serialize;

use super::faults::{Since, stretches};
use crate::domain::ids::{AccountId, LoadRunId};
use crate::load::{Control, Found, Live, Phase, Stretch, ms, per_s};

/// A run under way, as the use cases know it.
#[derive(Clone)]
pub struct Active {
    pub id: LoadRunId,
    pub owner: AccountId,
    pub control: Control,
    pub plans: Arc<Mutex<Vec<Since>>>,
}

/// How a run is doing.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct RunLive {
    /// How it is doing, in a sentence.
    pub sentence: String,
    /// The run, or the step of a search that is under way.
    #[serde(flatten)]
    pub live: Live,
    /// Times in which something outside is different, those to come included.
    pub faults: Vec<Stretch>,
    /// What a search has found so far.
    pub found: Option<Found>,
}

impl RunLive {
    /// How this one is doing, with its series but for so many points at the beginning.
    pub(super) fn of(run: &Active, skipped: usize) -> Self {
        let live = run.control.live(skipped).unwrap_or_default();
        let found = run.control.found_so_far();
        let plans: Vec<Since> = run.plans.lock().iter().map(|plan| placed(plan, live.scenario_us)).collect();
        let until_s = live.real_s + (live.length_s - live.run_s).max(0.0);
        let faults =
            if live.started_us > 0 { stretches(&plans, live.started_us, until_s) } else { Vec::new() };
        Self { sentence: sentence(&live, found.as_ref()), live, faults, found }
    }
}

/// A scenario that the run brought along counts from when it came into force there.
pub(super) fn placed(plan: &Since, scenario_us: Option<i64>) -> Since {
    match (plan.at_us, scenario_us) {
        (i64::MIN, Some(at_us)) => Since { at_us, ..plan.clone() },
        _ => plan.clone(),
    }
}

fn sentence(live: &Live, found: Option<&Found>) -> String {
    // The last point is not over.
    let whole = live.points.len().checked_sub(2).and_then(|at| live.points.get(at));
    let going = whole.map_or_else(String::new, |point| {
        let p99 = point
            .settle_p99_ms
            .map_or_else(String::new, |p99| format!(", 99 in 100 settled within {}", ms(p99)));
        format!(": {} offered, {} completed{p99}", per_s(point.offered_per_s), per_s(point.completed_per_s))
    });
    let said = match live.phase {
        Phase::Preparing => "Preparing: its accounts are created and their wallets filled".to_owned(),
        Phase::WarmingUp => format!("Warming up{going}"),
        Phase::Measuring => format!("Measuring{going}"),
        Phase::Paused => "Paused: nothing is due until it goes on".to_owned(),
        Phase::Draining => format!("Everything is sent; {} are still open", live.open),
        Phase::Checking => "Asking the server again for what it acknowledged".to_owned(),
    };
    match found {
        Some(found) => {
            let bound = match (found.holds_per_s, found.fails_per_s) {
                (Some(holds), Some(fails)) => format!("{} hold, {} do not", per_s(holds), per_s(fails)),
                (Some(holds), None) => format!("{} hold", per_s(holds)),
                (None, Some(fails)) => format!("{} do not hold", per_s(fails)),
                (None, None) => "no step is over".to_owned(),
            };
            format!("So far {bound}. Now {}. {said}.", live.arrivals)
        }
        None => format!("{said}."),
    }
}
