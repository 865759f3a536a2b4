//! The strip of a scenario's windows: a line for each, along one axis of time. Pure.

use super::super::format;
use crate::scenarios::PlannedWindow;

/// The width of the axis, in units of the drawing.
const WIDTH: u64 = 1_000;
/// How often a window that comes again is drawn at least.
const REPEATS: u64 = 3;
/// How often it is drawn at most: narrower ones could not be told apart.
const DRAWN_MAX: u64 = 60;

/// The strip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strip {
    /// The lines, in the order of the file.
    pub lines: Vec<StripLine>,
    /// The end of the axis, in words.
    pub until: String,
}

/// A window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StripLine {
    /// Its name, or what changes in it.
    pub name: String,
    /// When it is and what changes, in words.
    pub words: String,
    /// Where it is drawn: the left end and the width of each time, of a thousand.
    pub spans: Vec<(u64, u64)>,
}

/// The strip of these windows; `None` if there are none.
#[must_use]
pub fn strip(windows: &[PlannedWindow]) -> Option<Strip> {
    let end = |window: &PlannedWindow| {
        let repeats = window.every_us.map_or(0, |every_us| every_us.saturating_mul(REPEATS - 1));
        window.from_us.saturating_add(repeats).saturating_add(window.for_us)
    };
    let last_us = windows.iter().map(end).max()?;
    // A little of what comes afterwards.
    let until_us = last_us.saturating_add(last_us / 20).max(1);
    let lines = windows.iter().map(|window| line(window, until_us)).collect();
    Some(Strip { lines, until: time(until_us) })
}

/// A time as a file has it: mostly whole seconds.
fn time(us: u64) -> String {
    match us {
        1_000_000..60_000_000 if us.is_multiple_of(1_000_000) => format!("{} s", us / 1_000_000),
        _ => format::duration(us),
    }
}

fn line(window: &PlannedWindow, until_us: u64) -> StripLine {
    let changes = window.changes.join(", ");
    let of = match window.acquirers.as_slice() {
        [] => String::new(),
        names => format!(" of {}", names.join(", ")),
    };
    let every = window.every_us.map(|every_us| format!(", every {}", time(every_us)));
    let begins = match window.from_us {
        0 => "at once".to_owned(),
        from_us => format!("after {}", time(from_us)),
    };
    let words = format!("{begins}, for {}{}: {changes}{of}", time(window.for_us), every.unwrap_or_default());
    let at =
        |us: u64| u64::try_from(u128::from(us) * u128::from(WIDTH) / u128::from(until_us)).unwrap_or(WIDTH);
    let beginnings = (0..DRAWN_MAX).map_while(|n| match (n, window.every_us) {
        (0, _) => Some(window.from_us),
        (_, Some(every_us)) => window.from_us.checked_add(every_us.checked_mul(n)?),
        (_, None) => None,
    });
    let spans = beginnings
        .take_while(|from_us| *from_us < until_us)
        .map(|from_us| (at(from_us), at(window.for_us.min(until_us - from_us)).max(2)))
        .collect();
    let name = if window.name.is_empty() { changes } else { window.name.clone() };
    StripLine { name, words, spans }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(from_s: u64, for_s: u64, every_s: Option<u64>) -> PlannedWindow {
        PlannedWindow {
            name: "outage".to_owned(),
            acquirers: vec!["a".to_owned()],
            from_us: from_s * 1_000_000,
            for_us: for_s * 1_000_000,
            every_us: every_s.map(|s| s * 1_000_000),
            changes: vec!["errors", "latency"],
        }
    }

    #[test]
    fn windows_lie_along_one_axis() {
        assert_eq!(strip(&[]), None);
        let drawn = strip(&[window(20, 20, None), window(0, 10, Some(45))]).expect("windows");
        assert_eq!(drawn.until, "1 min 45 s");
        let [once, again] = drawn.lines.as_slice() else { panic!("{drawn:?}") };
        assert_eq!(once.words, "after 20 s, for 20 s: errors, latency of a");
        assert_eq!(once.spans, [(190, 190)]);
        assert_eq!(again.words, "at once, for 10 s, every 45 s: errors, latency of a");
        assert_eq!(again.spans, [(0, 95), (428, 95), (857, 95)]);
    }

    #[test]
    fn what_comes_again_and_again_is_drawn_within_bounds() {
        let drawn = strip(&[window(0, 1, Some(2)), window(500_000, 100_000, None)]).expect("windows");
        assert!(drawn.lines.iter().all(|line| line.spans.len() <= 60), "{drawn:?}");
        assert!(drawn.lines.iter().flat_map(|line| &line.spans).all(|(x, width)| x + width <= WIDTH + 2));
        let far = PlannedWindow { every_us: Some(u64::MAX), from_us: u64::MAX, ..window(0, 1, None) };
        assert!(strip(&[far]).is_some());
    }
}
