//! The background tasks of this server in an operator's words: what each does, when it last ran, what stops without it, and whether it
//! restarts by itself. Pure.

use super::format;
use crate::background::TaskStatus;
use crate::domain::time::Timestamp;

/// A task that has crashed since the server started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedTask {
    /// What it does, in words.
    pub name: &'static str,
    /// Whether it is running now.
    pub up: bool,
    /// When it failed and what that means, in a sentence or two.
    pub detail: String,
    /// The last failure, for operators.
    pub cause: Option<String>,
}

/// A task in the table of all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskLine {
    /// What it does, in words.
    pub name: &'static str,
    /// Whether it is running now.
    pub up: bool,
    /// When it last ran, as an age; when it started, if it has not reported a run.
    pub last_run: String,
    /// How long the last run took; a dash if unknown.
    pub took: String,
    /// The age and text of its last error; `None` if it had none.
    pub last_error: Option<(String, String)>,
}

/// What a task does, what stops without it, and whether it restarts by itself.
struct Task {
    does: &'static str,
    without: &'static str,
    again: bool,
}

fn task(name: &str) -> Task {
    let (does, without) = match name {
        "sequencer" => ("Taking payments in", "No payment can be taken"),
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
        "watch_parts" => ("Watching the parts", "What pages say of the parts may be old"),
        "watch_store" => ("Watching the store and the clock", "What pages say of the store may be old"),
        "watch_search" => {
            ("Watching the search index", "That search does not answer is noticed when someone searches")
        }
        "watch_queue" => ("Counting what waits", "The numbers of the queue stand still"),
        "switch" => (
            "Following the switch of the workers",
            "A pause pressed at another server has no effect on this one",
        ),
        "head_publisher" => (
            "Telling other servers of new payments",
            "Their pages learn of payments of this one a second later",
        ),
        "head_follower" => (
            "Learning of new payments from other servers",
            "Pages learn of payments of other servers a second later",
        ),
        "rabbitmq_publish" => ("Keeping RabbitMQ connected, to publish", "Payments are accepted and wait"),
        "rabbitmq_consume" => ("Keeping RabbitMQ connected, to consume", "Payments are accepted and wait"),
        "instance_lease" => {
            ("Holding this store for this server alone", "Another server may start on the same store")
        }
        "aside" => ("Keeping what is set aside", "What is set aside is not tried again"),
        "keys" => ("Deleting old idempotency keys", "They are kept for longer than they must"),
        "prune" => ("Deleting old journal rows", "The store grows"),
        "request_log" => ("Logging the calls of the API", "Calls are not logged"),
        _ => ("A background task", "What it does waits"),
    };
    // The sequencer's state in memory ends with it, so it is not restarted.
    Task { does, without, again: name != "sequencer" }
}

/// The tasks that have crashed since the server started, stopped ones first.
#[must_use]
pub fn failed_tasks(tasks: &[(&'static str, TaskStatus)], now: Timestamp) -> Vec<FailedTask> {
    let failed = tasks.iter().filter(|(_, status)| status.crashes > 0);
    let mut failed: Vec<FailedTask> = failed.map(|(name, status)| failed_task(name, status, now)).collect();
    failed.sort_by_key(|task| task.up);
    failed
}

fn failed_task(name: &str, status: &TaskStatus, now: Timestamp) -> FailedTask {
    let Task { does, without, again } = task(name);
    let ago = status.last_crash.as_ref().map_or_else(String::new, |(at, _)| format::ago(now, *at));
    let times = match status.crashes {
        1 => "once".to_owned(),
        times => format!("{} times", format::count(times)),
    };
    let detail = match (status.alive, again) {
        (true, _) => format!("runs again. It has failed {times} since the server started, last {ago}."),
        (false, true) => format!("stopped {ago}. {without}. It is started again within half a minute."),
        (false, false) => format!("stopped {ago}. {without} until the server is started again."),
    };
    let cause = status.last_crash.as_ref().map(|(_, cause)| cause.clone());
    FailedTask { name: does, up: status.alive, detail, cause }
}

/// Every task, stopped ones first.
#[must_use]
pub fn task_lines(tasks: &[(&'static str, TaskStatus)], now: Timestamp) -> Vec<TaskLine> {
    let mut lines: Vec<TaskLine> = tasks.iter().map(|(name, status)| line(name, status, now)).collect();
    lines.sort_by_key(|line| (line.up, line.name));
    lines
}

fn line(name: &str, status: &TaskStatus, now: Timestamp) -> TaskLine {
    let (last_run, took) = match (status.last_run, status.alive) {
        (Some((at, took)), _) => {
            let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
            (format::ago(now, at), format::duration(took_us))
        }
        (None, true) => (format!("started {}", format::ago(now, status.started)), "–".to_owned()),
        (None, false) => ("–".to_owned(), "–".to_owned()),
    };
    let last_error = status.last_error.as_ref().map(|(at, cause)| (format::ago(now, *at), cause.clone()));
    TaskLine { name: task(name).does, up: status.alive, last_run, took, last_error }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use super::*;
    use crate::background::TaskHandle;
    use crate::clock::Wall;

    const AT: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);

    fn at_rest() -> TaskHandle {
        TaskHandle::unlisted("planted", Wall::new(|| AT))
    }

    fn failed(alive: bool, times: u64) -> TaskStatus {
        let task = at_rest();
        for _ in 0..times {
            match alive {
                true => task.survived("it panicked: the end"),
                false => task.died("it panicked: the end"),
            }
        }
        task.status()
    }

    #[test]
    fn stopped_tasks_come_first_and_say_what_waits() {
        let now = AT.plus_ms(12_000);
        let tasks = [
            ("index", failed(true, 2)),
            ("sequencer", failed(false, 1)),
            ("timers", failed(false, 1)),
            ("worker", failed(true, 0)),
        ];
        let lines = failed_tasks(&tasks, now);
        let names: Vec<_> = lines.iter().map(|line| (line.name, line.up)).collect();
        assert_eq!(names, [("Taking payments in", false), ("Timers", false), ("Updating search", true)]);
        assert!(lines[0].detail.ends_with("No payment can be taken until the server is started again."));
        assert!(lines[1].detail.ends_with("It is started again within half a minute."), "{:?}", lines[1]);
        assert!(lines[2].detail.starts_with("runs again. It has failed 2 times"), "{:?}", lines[2]);
        assert_eq!(lines[0].cause.as_deref(), Some("it panicked: the end"));
    }

    #[test]
    fn every_task_says_when_it_ran_and_its_last_error() {
        let task = at_rest();
        task.ran(Duration::from_millis(3));
        task.erred("the store is away");
        let tasks = [("timers", task.status()), ("worker", failed(true, 0)), ("index", failed(false, 1))];
        let lines = task_lines(&tasks, AT.plus_ms(12_000));
        let text = |line: &TaskLine| format!("{}: {}, {}", line.name, line.last_run, line.took);
        let expected = [
            "Updating search: –, –",
            "Timers: 12 s ago, 3.0 ms",
            "Working the queue off: started 12 s ago, –",
        ];
        assert_eq!(lines.iter().map(text).collect::<Vec<_>>(), expected);
        let error = ("12 s ago".to_owned(), "the store is away".to_owned());
        assert_eq!((lines[1].up, &lines[1].last_error), (true, &Some(error)));
        assert_eq!(lines[2].last_error, None);
    }

    /// The sources of the program, tests and the driver of tasks left out.
    fn read_all(folder: &std::path::Path, sources: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).expect("a folder of sources") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
            if path.is_dir() && !["background", "tests", "simulation"].contains(&name.as_str()) {
                read_all(&path, sources);
            } else if name.ends_with(".rs") && name != "tests.rs" {
                let text = std::fs::read_to_string(&path).expect("a source");
                sources.push(text.split("#[cfg(test)]").next().unwrap_or_default().to_owned());
            }
        }
    }

    /// Every task that is started has its own description.
    #[test]
    fn every_task_is_named() {
        let mut sources = Vec::new();
        read_all(std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut sources);
        let named = |text: &str, before: &str| -> Vec<String> {
            let ends = text.split(before).skip(1);
            ends.filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect()
        };
        let starts = [".spawn(\"", ".repeat(\"", "TASK: &str = \"", "self.reader(group, \""];
        let mut names: BTreeSet<String> = sources
            .iter()
            .flat_map(|text: &String| starts.iter().flat_map(|before| named(text, before)))
            .collect();
        names.extend(crate::readers::CURSORS.map(str::to_owned));
        assert!(names.len() >= 23, "{names:?}");
        let words: BTreeSet<&str> = names.iter().map(|name| task(name).does).collect();
        assert!(!words.contains("A background task"), "{names:?}");
        assert_eq!(words.len(), names.len(), "each its own");
    }
}
