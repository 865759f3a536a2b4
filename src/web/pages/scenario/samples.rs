//! Pages to be rendered by tests.

use askama::DynTemplate;

use super::super::layout::{Layout, Nav, Notice, Tone};
use super::super::samples::START;
use super::acquirers::{AcquirerNow, AcquirersNow};
use super::changes::Changes;
use super::editor::{ScenarioPage, examples};
use super::lines::RevisionLine;
use super::preview::Panel;
use super::revisions::{ChangesPage, RevisionPage};
use crate::scenarios::preview::Spread;
use crate::scenarios::{EXAMPLES, PlannedWindow, Preview, ScenarioProblem, Scenarios};
use crate::web::api::scenarios::mistakes;

/// A preview with one acquirer of each number of answers.
pub fn preview() -> Preview {
    let spread = |acquirer: &str, share: f64| Spread {
        acquirer: acquirer.to_owned(),
        share,
        counts: (0..40).map(|n| (n * 13 + 7) % 40 * 4).collect(),
        p50_ms: 180.0,
        p90_ms: 412.5,
        p99_ms: 1_450.0,
    };
    Preview {
        outcomes: vec![
            ("approved", 0.9),
            ("insufficient_funds", 0.06),
            ("timeout", 0.0393),
            ("3-D Secure", 0.0005),
        ],
        acquirers: vec![spread("northbank <cake>", 0.7), spread("southbank", 0.3)],
        bins_ms: (1..=40).map(|n| f64::from(n) * 50.0).collect(),
    }
}

/// A window, and one that comes again.
fn windows() -> Vec<PlannedWindow> {
    let outage = PlannedWindow {
        name: "Outage <cake>".to_owned(),
        acquirers: vec!["northbank <cake>".to_owned()],
        from_us: 20_000_000,
        for_us: 20_000_000,
        every_us: None,
        changes: vec!["errors"],
    };
    let again = PlannedWindow {
        name: String::new(),
        acquirers: Vec::new(),
        every_us: Some(60_000_000),
        changes: vec!["outcomes", "latency"],
        ..outage.clone()
    };
    vec![outage, again]
}

fn line(number: u32, name: Option<&str>) -> RevisionLine {
    RevisionLine {
        number,
        name: name.map(str::to_owned),
        ago: "3 min ago".to_owned(),
        full: "2026-01-01 00:00:00 UTC".to_owned(),
        iso: "2026-01-01T00:00:00.000Z".to_owned(),
        ms: START.millis(),
    }
}

fn acquirers_now() -> Vec<AcquirerNow> {
    let now = |name: &str, breaker, queue: Option<&str>, failed: &str| AcquirerNow {
        name: name.to_owned(),
        breaker,
        queue: queue.map(str::to_owned),
        answered: "1,204".to_owned(),
        failed: failed.to_owned(),
    };
    vec![
        now("north & <cake>", Some(("open", "Open for 3 s more".to_owned())), None, "61, 220 kept away"),
        now("south", Some(("closed", "Closed, 4% errors".to_owned())), Some("12 waiting, 240 ms each"), "3"),
        now("east", None, Some("Empty, takes 50/s"), "0"),
    ]
}

/// Each page with its name.
pub fn pages(layout: impl Fn(&str, Nav) -> Layout) -> Vec<(&'static str, Box<dyn DynTemplate>)> {
    let text = EXAMPLES.first().expect("an example").text;
    let panel = Panel::of(2, 1_000, &windows(), &preview());
    let wrong = Scenarios::read("name = 1\n[[rule]]\nshrae = 1\n# <cake>\n").expect_err("mistakes");
    assert!(matches!(wrong, ScenarioProblem::Mistakes(_)));
    let page = |in_force: Option<RevisionLine>, text: &str, panel: Panel| ScenarioPage {
        layout: layout("Scenario", Nav::Scenario),
        revisions: in_force
            .iter()
            .flat_map(|line| [line.clone(), self::line(2, None), self::line(1, Some("First"))])
            .collect(),
        older: in_force.as_ref().map(|_| "/scenario?before=1#revisions".to_owned()),
        in_force,
        acquirers: AcquirersNow { acquirers: acquirers_now() },
        text: text.to_owned(),
        examples: examples("happy-day"),
        panel,
        turned: false,
        bytes_max: 262_144,
    };
    let mut mistaken = page(None, "name = 1 # <cake>", Panel::wrong(mistakes(wrong).expect("mistakes")));
    mistaken.layout.notices.push(Notice::new(Tone::Error, "Not put in force: the file has mistakes."));
    let revision = RevisionPage {
        layout: layout("Revision 3", Nav::Scenario),
        line: line(3, Some("Payday <cake>")),
        in_force: false,
        description: "Salaries & <cake>".to_owned(),
        text: text.to_owned(),
        panel: panel.clone(),
    };
    let changes = ChangesPage {
        layout: layout("Changes in revision 3", Nav::Scenario),
        line: line(3, Some("Payday <cake>")),
        before: Some(line(2, None)),
        changes: Changes::between(text, &text.replace("share", "<cake>")),
    };
    let pages: [(&str, Box<dyn DynTemplate>); 4] = [
        ("scenario", Box::new(page(Some(line(3, Some("Payday <cake>"))), text, panel))),
        ("scenario-mistakes", Box::new(mistaken)),
        ("scenario-revision", Box::new(revision)),
        ("scenario-changes", Box::new(changes)),
    ];
    pages.into()
}
