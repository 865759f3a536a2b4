//! Who may use whom: rules about the modules that each file names. A wrong arrow fails here, with the file that draws it.

use std::collections::{BTreeMap, BTreeSet};

use self::source::{Module, Source, code, named};

mod source;

/// What each top-level module may use of the others. `app` puts the process together and may use all of them.
const ALLOWED: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("outage", &[]),
    ("setting", &[]),
    ("clock", &["domain"]),
    ("background", &["domain", "clock", "outage"]),
    ("simulator", &["domain", "setting"]),
    ("store", &["domain", "outage", "setting"]),
    ("lease", &["domain", "clock", "background", "store"]),
    ("broker", &["domain", "clock", "outage", "background", "setting"]),
    ("search", &["domain", "clock", "outage", "setting"]),
    ("scenarios", &["domain", "clock", "simulator", "store", "worker"]),
    ("engine", &["domain", "clock", "background", "store", "lease", "setting"]),
    ("accounts", &["domain", "clock", "store", "search"]),
    ("experiments", &["domain", "store", "accounts", "intake", "scenarios"]),
    (
        "readers",
        &[
            "domain",
            "clock",
            "outage",
            "background",
            "store",
            "lease",
            "broker",
            "search",
            "engine",
            "accounts",
        ],
    ),
    ("worker", &["domain", "clock", "outage", "store", "broker", "engine", "simulator"]),
    ("audit", &["domain", "store", "search", "engine"]),
    ("load", &["domain", "clock", "setting"]),
    ("runs", &["domain", "clock", "setting", "store", "accounts", "scenarios", "load"]),
    ("config", &["domain", "store", "broker", "search", "engine", "worker", "simulator", "setting", "runs"]),
    ("intake", &["domain", "clock", "store", "engine", "readers", "accounts"]),
    ("telemetry", &["config"]),
    ("cli", &["config", "load"]),
    (
        "web",
        &[
            "domain",
            "clock",
            "background",
            "store",
            "broker",
            "search",
            "engine",
            "readers",
            "accounts",
            "intake",
            "scenarios",
            "experiments",
            "runs",
            "config",
            "setting",
        ],
    ),
    ("app", ANY),
];
const ANY: &[&str] = &["*"];

/// Adapters: only `app` may name them.
const ADAPTERS: &[&str] = &[
    "store::mysql",
    "store::sqlite",
    "broker::embedded",
    "broker::rabbitmq",
    "search::embedded",
    "search::elasticsearch",
];

/// The modules of other rooms that a file names, each with what is wrong about it, if anything.
fn arrows(source: &Source, text: &str) -> Vec<(String, Option<String>)> {
    let Some(room) = source.module.first() else { return Vec::new() };
    let allowed = ALLOWED.iter().find(|(name, _)| name == room).map_or(&[][..], |(_, allowed)| allowed);
    let others = named(code(text), &source.module)
        .into_iter()
        .filter(|path| path.first().is_some_and(|first| first != room));
    let judge = |path: Module| {
        let (target, whole) = (path.first().cloned().unwrap_or_default(), path.join("::"));
        let file = source.path.display();
        let adapter = ADAPTERS.iter().any(|adapter| whole.starts_with(adapter));
        let wrong = match allowed {
            ANY => None,
            _ if !allowed.contains(&target.as_str()) => Some(format!("{file}: {room} may not use {whole}")),
            _ if adapter => Some(format!("{file}: only app may name the adapter {whole}")),
            _ => None,
        };
        (target, wrong)
    };
    others.map(judge).collect()
}

fn listed(wrong: &BTreeSet<String>) -> String {
    wrong.iter().cloned().collect::<Vec<_>>().join("\n")
}

#[test]
fn every_arrow_points_the_right_way() {
    let sources = source::all();
    let drawn = sources.values().flat_map(|source| arrows(source, &source.text));
    let wrong: BTreeSet<String> = drawn.filter_map(|(_, wrong)| wrong).collect();
    assert!(wrong.is_empty(), "wrong arrows:\n{}", listed(&wrong));
}

#[test]
fn every_room_has_rules_and_uses_what_they_allow() {
    let sources = source::all();
    let mut drawn: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in sources.values() {
        let Some(room) = source.module.first() else { continue };
        let targets = arrows(source, &source.text).into_iter().map(|(target, _)| target);
        drawn.entry(room.clone()).or_default().extend(targets);
    }
    let mut wrong: BTreeSet<String> = drawn
        .keys()
        .filter(|room| !ALLOWED.iter().any(|(name, _)| name == room))
        .map(|room| format!("{room} has no rules"))
        .collect();
    for (room, allowed) in ALLOWED.iter().filter(|(_, allowed)| *allowed != ANY) {
        let used = drawn.get(*room).cloned().unwrap_or_default();
        let unused = allowed.iter().filter(|target| !used.contains(**target));
        wrong.extend(unused.map(|target| format!("{room} may use {target}, and does not")));
    }
    assert!(wrong.is_empty(), "{}", listed(&wrong));
}

#[test]
fn a_wrong_arrow_is_seen_in_every_file() {
    let mut unseen = BTreeSet::new();
    for source in source::all().values() {
        let Some(room) = source.module.first().filter(|room| *room != "app") else { continue };
        // Nothing may use `app`, and no other room an adapter.
        let adapter = ADAPTERS.iter().find(|adapter| !adapter.starts_with(room.as_str())).expect("another's");
        for planted in ["app::Planted", adapter] {
            let text = format!("{}\nuse crate::{planted};", source.text);
            if arrows(source, &text).iter().all(|(_, wrong)| wrong.is_none()) {
                unseen.insert(format!("{}: {planted}", source.path.display()));
            }
        }
    }
    assert!(unseen.is_empty(), "{}", listed(&unseen));
}

/// The files that each file names, but for those above and below it: a folder's own file and its contents belong together.
fn edges(sources: &BTreeMap<Module, Source>) -> BTreeMap<&Module, BTreeSet<&Module>> {
    let file_of = |path: &Module| (0..=path.len()).rev().find_map(|end| sources.get_key_value(&path[..end]));
    let beside = |from: &Module, to: &Module| !from.starts_with(to) && !to.starts_with(from);
    sources
        .values()
        .map(|source| {
            let paths = named(code(&source.text), &source.module);
            let files = paths.iter().filter_map(|path| Some(file_of(path)?.0));
            (&source.module, files.filter(|file| beside(&source.module, file)).collect())
        })
        .collect()
}

/// The files reachable from a file.
fn reachable<'a>(
    from: &'a Module,
    edges: &BTreeMap<&'a Module, BTreeSet<&'a Module>>,
) -> BTreeSet<&'a Module> {
    let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
    while let Some(file) = next.pop() {
        for target in edges.get(file).into_iter().flatten() {
            if seen.insert(*target) {
                next.push(target);
            }
        }
    }
    seen
}

/// The files from which one gets back to the start, circle by circle.
fn circles(sources: &BTreeMap<Module, Source>) -> BTreeSet<String> {
    let edges = edges(sources);
    let reach: BTreeMap<&Module, BTreeSet<&Module>> =
        edges.keys().map(|file| (*file, reachable(file, &edges))).collect();
    let circle = |(file, reached): (&&Module, &BTreeSet<&Module>)| {
        let back = |other: &&&Module| reach.get(**other).is_some_and(|from| from.contains(*file));
        let files: Vec<String> = reached.iter().filter(back).map(|module| module.join("::")).collect();
        files.join(", ")
    };
    reach.iter().filter(|(file, reached)| reached.contains(*file)).map(circle).collect()
}

#[test]
fn no_files_use_each_other_in_a_circle() {
    let mut sources = source::all();
    let found = circles(&sources);
    assert!(found.is_empty(), "circles:\n{}", listed(&found));
    let planted =
        sources.get_mut(&["domain".to_owned(), "ids".to_owned()][..]).expect("a file that most use");
    planted.text.push_str("\nuse super::payment::Payment;");
    let found = circles(&sources);
    assert!(
        found.iter().any(|circle| circle.contains("domain::ids, ")),
        "a planted circle: {}",
        listed(&found)
    );
}

/// What asks the system for the time. Everything but `clock` is handed it.
const TIME: &[&str] = &["Timestamp::now", "SystemTime::now", "UNIX_EPOCH.elapsed", "Utc::now", "Zoned::now"];
/// Making an id reads the clock as well. Only edges make any, and those of payments are made at wall-clock time.
const ID: &str = "uuid::Timestamp::now(&*ORDER)";
/// Who may take the system's clock for the wall clock: those that put a process together.
const SYSTEM_WALL: (&str, &[&str]) = ("Wall::system", &["app", "load"]);

/// What a file of a room asks of the system's clock.
fn asks_the_time(room: &str, text: &str) -> Vec<&'static str> {
    let (system, processes) = SYSTEM_WALL;
    if room == "clock" {
        return Vec::new();
    }
    let code: String = code(text).to_string().split_whitespace().collect();
    let code = code.replace(ID, "");
    let chosen = Some(system).filter(|_| !processes.contains(&room));
    TIME.iter().copied().chain(chosen).filter(|call| code.contains(call)).collect()
}

#[test]
fn only_the_clock_asks_what_time_it_is() {
    let (mut wrong, mut unseen) = (BTreeSet::new(), BTreeSet::new());
    for source in source::all().values() {
        let Some(room) = source.module.first() else { continue };
        let asked = asks_the_time(room, &source.text);
        wrong.extend(asked.iter().map(|call| format!("{}: {call}", source.path.display())));
        let planted = format!("{}\nfn planted() {{ SystemTime::now(); }}", source.text);
        if room != "clock" && asks_the_time(room, &planted).is_empty() {
            unseen.insert(source.path.display().to_string());
        }
    }
    assert!(wrong.is_empty(), "the time from elsewhere:\n{}", listed(&wrong));
    assert!(unseen.is_empty(), "not seen in:\n{}", listed(&unseen));
}

/// What hands a command of a caller to the engine.
const HANDING_IN: &[&str] = &["engine.submit(", "engine.execute(", "engine.change("];
/// Who does: the use cases of `intake`, and the people of the simulation, which use the engine directly to see its answers.
const HANDS_IN: &[&str] = &["engine", "intake", "app::simulation"];

/// The calls by which a file hands commands of callers to the engine, although it must not.
fn hands_in(module: &[String], text: &str) -> Vec<&'static str> {
    let module = module.join("::");
    if HANDS_IN.iter().any(|place| module.starts_with(place)) {
        return Vec::new();
    }
    let code: String = code(text).to_string().split_whitespace().collect();
    HANDING_IN.iter().copied().filter(|call| code.contains(call)).collect()
}

#[test]
fn only_intake_hands_commands_of_callers_to_the_engine() {
    let (mut wrong, mut unseen) = (BTreeSet::new(), BTreeSet::new());
    for source in source::all().values() {
        let calls = hands_in(&source.module, &source.text);
        wrong.extend(calls.iter().map(|call| format!("{}: {call}", source.path.display())));
        let planted = format!("{}\nfn planted() {{ state.engine\n.submit(command); }}", source.text);
        let place = HANDS_IN.iter().any(|place| source.module.join("::").starts_with(place));
        if !place && hands_in(&source.module, &planted).is_empty() {
            unseen.insert(source.path.display().to_string());
        }
    }
    assert!(wrong.is_empty(), "handed in beside intake:\n{}", listed(&wrong));
    assert!(unseen.is_empty(), "not seen in:\n{}", listed(&unseen));
    let intake: String = source::all()
        .values()
        .filter(|source| source.module.first().is_some_and(|room| room == "intake"))
        .map(|source| code(&source.text).to_string().split_whitespace().collect::<String>())
        .collect();
    for call in HANDING_IN {
        assert_eq!(intake.matches(call).count(), 1, "{call} in intake: one place");
    }
}
