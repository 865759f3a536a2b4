//! The windows of a scenario as stretches of a run, for its plots.

use crate::load::Stretch;
use crate::scenarios::PlannedWindow;

/// Stretches of one run.
const STRETCHES_MAX: usize = 200;

/// What holds from a moment on, in microseconds since 1970.
#[derive(Debug, Clone, PartialEq)]
pub struct Since {
    /// The moment.
    pub at_us: i64,
    /// The windows that count from it.
    pub windows: Vec<PlannedWindow>,
}

/// The stretches of a run that began at a moment and has taken so long, pauses included.
#[must_use]
pub fn stretches(plans: &[Since], started_us: i64, until_s: f64) -> Vec<Stretch> {
    let ends = plans.iter().skip(1).map(|next| seconds(next.at_us.saturating_sub(started_us)));
    let ends = ends.chain([until_s]);
    let of_plan = |(plan, end_s): (&Since, f64)| {
        let since_s = seconds(plan.at_us.saturating_sub(started_us));
        let windows =
            plan.windows.iter().flat_map(move |window| of_window(window, since_s, end_s.min(until_s)));
        windows.collect::<Vec<_>>()
    };
    plans.iter().zip(ends).flat_map(of_plan).take(STRETCHES_MAX).collect()
}

fn of_window(window: &PlannedWindow, since_s: f64, end_s: f64) -> impl Iterator<Item = Stretch> + use<> {
    let micros = |us: u64| seconds(i64::try_from(us).unwrap_or(i64::MAX));
    let (from_s, for_s) = (since_s + micros(window.from_us), micros(window.for_us));
    let every_s = window.every_us.map(micros).filter(|every_s| *every_s > 0.0);
    let label = match window.name.as_str() {
        "" => window.changes.join(", "),
        name => name.to_owned(),
    };
    let starts = std::iter::successors(Some(from_s), move |at_s| every_s.map(|every_s| at_s + every_s));
    // Those that were over when the run began are passed over at once, however long ago that was.
    let skipped = every_s.map_or(0.0, |every_s| ((-from_s - for_s) / every_s).floor().max(0.0) * every_s);
    starts
        .map(move |at_s| at_s + skipped)
        .take_while(move |at_s| *at_s < end_s)
        .filter(move |at_s| at_s + for_s > 0.0)
        .take(STRETCHES_MAX)
        .map(move |at_s| Stretch {
            from_s: at_s.max(0.0),
            to_s: (at_s + for_s).min(end_s),
            label: label.clone(),
        })
}

#[expect(clippy::cast_precision_loss, reason = "a year in microseconds is exact")]
#[expect(clippy::as_conversions, reason = "there is no other way from whole numbers")]
fn seconds(us: i64) -> f64 {
    us as f64 / 1_000_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(from_s: u64, for_s: u64, every_s: Option<u64>) -> PlannedWindow {
        PlannedWindow {
            name: "outage".to_owned(),
            acquirers: Vec::new(),
            from_us: from_s * 1_000_000,
            for_us: for_s * 1_000_000,
            every_us: every_s.map(|every_s| every_s * 1_000_000),
            changes: vec!["errors"],
        }
    }

    fn spans(plans: &[Since], started_us: i64, until_s: f64) -> Vec<(f64, f64)> {
        stretches(plans, started_us, until_s).iter().map(|one| (one.from_s, one.to_s)).collect()
    }

    #[test]
    fn windows_count_from_when_the_scenario_came_into_force() {
        let once = [Since { at_us: 1_000_000, windows: vec![window(10, 5, None)] }];
        assert_eq!(spans(&once, 3_000_000, 60.0), [(8.0, 13.0)]);
        assert_eq!(spans(&once, 3_000_000, 9.0), [(8.0, 9.0)]);
        let again = [Since { at_us: 0, windows: vec![window(10, 5, Some(20))] }];
        assert_eq!(spans(&again, 1_012_000_000, 45.0), [(0.0, 3.0), (18.0, 23.0), (38.0, 43.0)]);
    }

    #[test]
    fn a_scenario_put_in_force_later_ends_the_windows_of_the_one_before() {
        let plans = [
            Since { at_us: 0, windows: vec![window(10, 50, None)] },
            Since { at_us: 20_000_000, windows: vec![window(5, 5, None)] },
        ];
        assert_eq!(spans(&plans, 0, 100.0), [(10.0, 20.0), (25.0, 30.0)]);
    }
}
