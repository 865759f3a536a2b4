//! The arrows between modules, read from the `use` lines: a wrong one fails here, with the file that draws it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What each top-level module may use of the others.
const ALLOWED: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("outage", &[]),
    ("clock", &["domain"]),
    ("simulator", &["domain"]),
    ("store", &["domain", "clock", "outage"]),
    ("broker", &["domain", "clock", "outage"]),
    ("search", &["domain", "clock", "outage"]),
    ("engine", &["domain", "clock", "outage", "store"]),
    ("accounts", &["domain", "clock", "store", "search"]),
    ("feed", &["domain", "clock", "outage", "store", "broker", "search", "engine", "accounts"]),
    ("worker", &["domain", "clock", "outage", "store", "broker", "engine", "simulator"]),
    ("audit", &["domain", "store", "search", "engine"]),
    ("load", &["domain", "clock"]),
    ("config", &["domain", "store", "broker", "search", "engine", "worker", "simulator"]),
    ("telemetry", &["config", "engine"]),
    ("cli", &["config", "load"]),
    (
        "web",
        &[
            "domain",
            "clock",
            "store",
            "broker",
            "search",
            "engine",
            "feed",
            "accounts",
            "config",
            "simulator",
        ],
    ),
];

/// Adapters: only `app` may name them.
const ADAPTERS: &[&str] = &[
    "store::mysql",
    "store::sqlite",
    "broker::embedded",
    "broker::rabbitmq",
    "search::embedded",
    "search::elasticsearch",
];

#[test]
fn every_arrow_points_the_right_way() {
    let mut wrong = BTreeSet::new();
    for (module, allowed) in ALLOWED {
        for file in files_of(module) {
            let text = std::fs::read_to_string(&file).expect("a readable source file");
            for (line, used) in uses(&text) {
                let target = used.split("::").next().unwrap_or_default();
                if target != *module && !allowed.contains(&target) {
                    wrong.insert(format!("{}:{line}: {module} may not use {used}", file.display()));
                }
                let adapter = ADAPTERS.iter().any(|adapter| used.starts_with(adapter));
                if adapter && target != *module {
                    wrong.insert(format!("{}:{line}: only app may name the adapter {used}", file.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "wrong arrows:\n{}", wrong.into_iter().collect::<Vec<_>>().join("\n"));
}

/// What asks the system for the time. Everything but `clock` is told it.
const TIME: &[&str] = &["Timestamp::now", "SystemTime::now", "UNIX_EPOCH.elapsed", "Utc::now", "Zoned::now"];
/// Making an id reads the clock as well. Only edges make any, and those of payments are made at the time of the wall.
const ID: &str = "uuid::Timestamp::now(&*ORDER)";
/// Who may take the system's clock for the wall: those that put a process together.
const SYSTEM_WALL: (&str, &[&str]) = ("Wall::system", &["app", "load"]);

#[test]
fn only_the_clock_asks_what_time_it_is() {
    let mut wrong = BTreeSet::new();
    let (system, processes) = SYSTEM_WALL;
    for (module, _) in ALLOWED.iter().chain(&[("app", &[] as &[&str])]) {
        for file in files_of(module) {
            let text = std::fs::read_to_string(&file).expect("a readable source file");
            let tests = file.iter().any(|part| part == "tests" || part == "tests.rs" || part == "simulation");
            for (index, line) in text.lines().enumerate() {
                if tests || line.trim_start().starts_with("#[cfg(test)]") {
                    break;
                }
                let code = line.split("//").next().unwrap_or_default().replace(ID, "");
                let asks = *module != "clock" && TIME.iter().any(|call| code.contains(call));
                let chooses = *module != "clock" && code.contains(system) && !processes.contains(module);
                if asks || chooses {
                    wrong.insert(format!("{}:{}: ask the wall: {}", file.display(), index + 1, code.trim()));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "the time from elsewhere:\n{}",
        wrong.into_iter().collect::<Vec<_>>().join("\n")
    );
}

#[test]
fn the_reader_of_arrows_sees_a_wrong_one() {
    let text = "use crate::web::error;\n    let x = crate::store::mysql::MySqlStore::open();\n// crate::app is only named here\n";
    assert_eq!(
        uses(text),
        [(1, "web::error;".to_owned()), (2, "store::mysql::MySqlStore::open(".to_owned())]
    );
}

fn files_of(module: &str) -> Vec<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let file = source.join(format!("{module}.rs"));
    if file.exists() {
        return vec![file];
    }
    let mut folders = vec![source.join(module)];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a module's folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                files.push(path);
            }
        }
    }
    assert!(!files.is_empty(), "the module {module} has no files");
    files
}

/// Every `crate::…` outside comments and tests, with its line.
fn uses(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("#[cfg(test)]") {
            break;
        }
        let code = line.split("//").next().unwrap_or_default();
        let mut rest = code;
        while let Some(at) = rest.find("crate::") {
            rest = &rest[at + "crate::".len()..];
            let end =
                rest.find(|c: char| c.is_whitespace() || matches!(c, ')' | '>' | ',')).unwrap_or(rest.len());
            found.push((index + 1, rest[..end].to_owned()));
        }
    }
    found
}
