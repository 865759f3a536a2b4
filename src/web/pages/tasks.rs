//! The background tasks of this server that failed, in the words of whoever operates it: what does not go on meanwhile, and whether
//! that ends by itself. Pure.

use super::format;
use crate::domain::time::Timestamp;
use crate::engine::vitals::Pulse;

/// A task that failed since the server started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskLine {
    /// What it does.
    pub name: &'static str,
    /// Whether it runs.
    pub up: bool,
    /// How it is, in a sentence or two.
    pub detail: String,
    /// Why it failed last, for operators.
    pub cause: Option<String>,
}

/// What a task does, what stands still without it, and whether it is started again by itself.
struct Task {
    does: &'static str,
    without: &'static str,
    again: bool,
}

fn task(name: &str) -> Task {
    let (does, without) = match name {
        "line" => ("Taking payments in", "No payment can be taken"),
        "dispatch_interactive" => {
            ("Filling the interactive lane of the queue", "Payments are accepted and wait")
        }
        "dispatch_bulk" => {
            ("Filling the bulk lane of the queue", "Payments of that lane are accepted and wait")
        }
        "worker" => ("Working the queue off", "Payments are accepted and wait"),
        "timers" => ("Timers", "Retries, settlements and expiries wait"),
        "index" => ("Updating search", "Search misses what has happened since"),
        "statement" => {
            ("Writing statements and events", "Statements and events miss what has happened since")
        }
        "open_work" => ("Noting what stays open", "The journal is kept, and a start takes longer"),
        "gate" => ("Watching how far statements are", "Nobody is refused while statements are behind"),
        "live" => ("Updating open pages", "Open pages stand still; loading them again helps"),
        "monitor" => ("Watching the parts", "What this page says of the parts may be old"),
        "switch" => {
            ("Following the switch of the workers", "A pause pressed at another server is not obeyed")
        }
        "tell" | "hear" => {
            ("Talking to the other servers", "Pages learn of payments of other servers a second later")
        }
        "aside" => ("Keeping what is set aside", "What is set aside is not tried again"),
        "keys" => ("Forgetting old idempotency keys", "They are kept for longer than they must"),
        "prune" => ("Deleting old journal rows", "The store grows"),
        "request_log" => ("Logging the calls of the API", "Calls are not logged"),
        _ => ("A background task", "What it does waits"),
    };
    // The line and the log are handed over once, and end with what they were handed.
    Task { does, without, again: !matches!(name, "line" | "request_log") }
}

/// The tasks that failed, those that do not run first.
#[must_use]
pub fn task_lines(failures: Vec<(&'static str, Pulse)>, now: Timestamp) -> Vec<TaskLine> {
    let mut lines: Vec<TaskLine> = failures.into_iter().map(|(name, pulse)| line(name, pulse, now)).collect();
    lines.sort_by_key(|line| line.up);
    lines
}

fn line(name: &str, pulse: Pulse, now: Timestamp) -> TaskLine {
    let Task { does, without, again } = task(name);
    let ago = pulse.last_failure.as_ref().map_or_else(String::new, |(at, _)| format::ago(now, *at));
    let times = match pulse.failures {
        1 => "once".to_owned(),
        times => format!("{} times", format::count(times)),
    };
    let detail = match (pulse.alive, again) {
        (true, _) => format!("runs again. It has failed {times} since the server started, last {ago}."),
        (false, true) => format!("stopped {ago}. {without}. It is started again within half a minute."),
        (false, false) => format!("stopped {ago}. {without} until the server is started again."),
    };
    TaskLine { name: does, up: pulse.alive, detail, cause: pulse.last_failure.map(|(_, cause)| cause) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pulse(alive: bool, failures: u64) -> Pulse {
        let at = Timestamp::from_micros(1_767_225_600_000_000);
        Pulse { alive, failures, last_failure: Some((at, "it panicked: the end".to_owned())) }
    }

    #[test]
    fn what_does_not_run_comes_first_and_says_what_waits() {
        let now = Timestamp::from_micros(1_767_225_600_000_000).plus_ms(12_000);
        let failures =
            vec![("index", pulse(true, 2)), ("line", pulse(false, 1)), ("timers", pulse(false, 1))];
        let lines = task_lines(failures, now);
        let names: Vec<_> = lines.iter().map(|line| (line.name, line.up)).collect();
        assert_eq!(names, [("Taking payments in", false), ("Timers", false), ("Updating search", true)]);
        assert!(lines[0].detail.ends_with("No payment can be taken until the server is started again."));
        assert!(lines[1].detail.ends_with("It is started again within half a minute."), "{:?}", lines[1]);
        assert!(lines[2].detail.starts_with("runs again. It has failed 2 times"), "{:?}", lines[2]);
        assert_eq!(lines[0].cause.as_deref(), Some("it panicked: the end"));
    }

    /// Every task that is started has words of its own.
    #[test]
    fn every_task_is_named() {
        let sources = [
            include_str!("../../app/pipeline.rs"),
            include_str!("../../app/serve.rs"),
            include_str!("../../engine/writer.rs"),
        ];
        let named = |text: &str, before: &str| -> Vec<String> {
            let ends = text.split(before).skip(1);
            ends.filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect()
        };
        let starts = [
            "group.spawn(\"",
            "workers.spawn(\"",
            "vitals.task(\"",
            "const TASK: &str = \"",
            "self.reader(group, \"",
        ];
        let mut names: Vec<String> =
            sources.iter().flat_map(|text| starts.iter().flat_map(|before| named(text, before))).collect();
        names.extend(crate::feed::CURSORS.map(str::to_owned));
        assert!(names.len() > 10, "{names:?}");
        for name in names {
            assert_ne!(task(&name).does, "A background task", "{name}");
        }
    }
}
