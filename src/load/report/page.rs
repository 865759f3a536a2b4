//! The report as a page of its own: one file, no script, nothing from anywhere else.

use std::collections::BTreeMap;

use askama::Template;

use super::{Latencies, Report, Stretch};
use crate::load::figures::{ms, per_s, short, thousands};
use crate::load::numbers::approximate;
use crate::load::plot::{Band, Line, Plot, distribution};
use crate::load::series::Point;
use crate::load::sheet::{Figure, Sheet};
use crate::load::stopwatch::Pause;

/// Rows of one table.
const ROWS_MAX: usize = 40;

#[derive(Template)]
#[template(path = "load/report.html")]
struct ReportPage<'a> {
    page: Sheet,
    report: &'a Report,
    measured: String,
    facts: Vec<(&'static str, String)>,
    plots: Vec<Figure>,
    latencies: Vec<(&'static str, Vec<String>)>,
    tables: Vec<Table>,
    notes: Vec<String>,
}

struct Table {
    title: &'static str,
    rows: Vec<Row>,
}

struct Row {
    name: String,
    count: String,
    class: &'static str,
    percent: String,
}

/// The report as HTML.
pub(super) fn of(report: &Report) -> Result<String, askama::Error> {
    let latency = |(name, l): (&'static str, &Latencies)| {
        let figures = [l.p50, l.p90, l.p99, l.p999, l.max, l.mean].map(short);
        (l.count > 0).then(|| (name, figures.into_iter().chain([thousands(l.count)]).collect()))
    };
    let latencies = [
        ("Accept", &report.accept_ms),
        ("Settle", &report.settle_ms),
        ("Acquirer", &report.acquirer_ms),
        ("Overhead", &report.overhead_ms),
    ];
    let page = ReportPage {
        page: Sheet::default(),
        report,
        measured: match report.warmup_s {
            0.0 => format!("{} s measured", short(report.duration_s)),
            warmup_s => {
                format!("{} s measured after {} s of warm-up", short(report.duration_s), short(warmup_s))
            }
        },
        facts: facts(report),
        plots: plots(report),
        latencies: latencies.into_iter().filter_map(latency).collect(),
        tables: tables(report),
        notes: notes(report),
    };
    page.render()
}

fn facts(report: &Report) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("Offered", per_s(report.offered_per_s)),
        ("Accepted", per_s(report.accepted_per_s)),
        ("Completed", per_s(report.completed_per_s)),
        ("Settle p50", ms(report.settle_ms.p50)),
        ("Settle p99", ms(report.settle_ms.p99)),
        ("Sent", thousands(report.sent)),
        ("Refused", thousands(report.errors)),
    ];
    for (name, count) in [
        ("Never answered", report.unknown),
        ("Not settled", report.unsettled),
        ("Never sent", report.skipped),
        ("Sent late", report.late),
        ("Cardholders asked", report.challenges),
        ("Reconnects", report.reconnects),
    ] {
        if count > 0 {
            facts.push((name, thousands(count)));
        }
    }
    facts
}

fn plots(report: &Report) -> Vec<Figure> {
    let end = report.series.last().map_or(1.0, |point| point.start_s + point.length_s);
    let line = |class, label, number: &dyn Fn(&Point) -> Option<f64>| {
        let place = |point: &Point| (point.start_s + point.length_s / 2.0, number(point));
        Line { class, label, points: report.series.iter().map(place).collect() }
    };
    let over_time = |title, unit, log, lines| {
        let (measured_from, measured_to) = report.measured_s();
        let mut bands = vec![
            Band::plain(0.0, measured_from.min(end), "warm-up"),
            Band::plain(measured_to.min(end), end, "after the end"),
        ];
        let paused = |pause: &Pause| Band::plain(pause.start_s, pause.start_s + pause.length_s, "paused");
        bands.extend(report.pauses.iter().map(paused));
        let fault = |fault: &Stretch| Band {
            from: fault.from_s.clamp(0.0, end),
            to: fault.to_s.clamp(0.0, end),
            label: fault.label.clone(),
            fault: true,
        };
        bands.extend(report.faults.iter().map(fault));
        Figure::of(&Plot { title, unit, x_unit: "s", x_end: end, log, lines, bands })
    };
    let mut rates = vec![
        line("offered", "Offered", &|point| Some(point.offered_per_s)),
        line("accepted", "Accepted", &|point| Some(point.accepted_per_s)),
        line("completed", "Completed", &|point| Some(point.completed_per_s)),
    ];
    if report.series.iter().any(|point| point.errors_per_s > 0.0) {
        rates.push(line("errors", "Refused", &|point| Some(point.errors_per_s)));
    }
    let laws = [
        ("settle", "Settle", &report.settle_distribution),
        ("accept", "Accept", &report.accept_distribution),
        ("acquirer", "Acquirer", &report.acquirer_distribution),
    ];
    let laws: Vec<_> = laws.into_iter().filter(|(_, _, shares)| shares.total() > 0).collect();
    let title = "How many took how long";
    vec![
        over_time("Rates", "/s", false, rates),
        over_time(
            "Settle latency",
            "ms",
            true,
            vec![
                line("p50", "p50", &|point| point.settle_p50_ms),
                line("p90", "p90", &|point| point.settle_p90_ms),
                line("p99", "p99", &|point| point.settle_p99_ms),
            ],
        ),
        Figure {
            title,
            keys: laws.iter().map(|(class, label, _)| (*class, *label)).collect(),
            svg: distribution(title, &laws),
        },
        over_time(
            "In flight",
            "open",
            false,
            vec![line("in-flight", "Unanswered or open", &|point| Some(approximate(point.in_flight)))],
        ),
    ]
}

/// The class of a status, a cause that begins with one, or anything else.
fn class(name: &str) -> &'static str {
    let status = name.split(':').next().unwrap_or_default();
    let known = ["succeeded", "declined", "failed", "canceled", "requires_action", "requires_capture"];
    known.into_iter().find(|class| *class == status).unwrap_or("other")
}

fn tables(report: &Report) -> Vec<Table> {
    let table = |(title, counts): (&'static str, &BTreeMap<String, u64>)| {
        let total = approximate(counts.values().sum::<u64>().max(1));
        let mut rows: Vec<(&String, &u64)> = counts.iter().collect();
        rows.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let row = |(name, count): (&String, &u64)| Row {
            name: name.replace('_', " "),
            count: thousands(*count),
            class: class(name),
            percent: format!("{:.1}", approximate(*count) / total * 100.0),
        };
        (!rows.is_empty()).then(|| Table { title, rows: rows.into_iter().take(ROWS_MAX).map(row).collect() })
    };
    [
        ("Outcomes", &report.outcomes),
        ("Why they did not succeed", &report.causes),
        ("Kinds", &report.kinds),
        ("Refused by the server", &report.errors_by_code),
    ]
    .into_iter()
    .filter_map(table)
    .collect()
}

fn notes(report: &Report) -> Vec<String> {
    let Report { accepted_all, ended_all, open, .. } = report;
    let [accepted_all, ended_all, open] = [accepted_all, ended_all, open].map(|count| thousands(*count));
    let mut notes = vec![format!(
        "{accepted_all} accepted, {ended_all} came to rest, {open} still open, warm-up included."
    )];
    if let Some(audit) = &report.audit {
        notes.push(format!(
            "Of {} that the server was asked for again, {} were found as they had been acknowledged, {} were missing, {} were different{}.",
            thousands(audit.asked),
            thousands(audit.found),
            audit.missing,
            audit.different,
            if audit.unanswered > 0 { format!(", and {} were not answered", audit.unanswered) } else { String::new() }
        ));
        notes.extend(audit.examples.iter().cloned());
    }
    if let Some(wallets) = &report.wallets {
        let why = wallets.error.as_ref().map_or_else(String::new, |error| format!(" ({error})"));
        notes.push(format!("{} of {} accounts of the run were closed{why}.", wallets.closed, wallets.of));
    }
    match report.pauses.len() {
        0 => {}
        count => {
            let total_s: f64 = report.pauses.iter().map(|pause| pause.length_s).sum();
            notes.push(format!(
                "Paused {count} {}, {} s altogether: nothing was due in that time, and it is no part of the measured time.",
                if count == 1 { "time" } else { "times" },
                short(total_s)
            ));
        }
    }
    notes.extend(report.trouble.iter().cloned());
    notes.extend(report.failures.iter().map(|failure| format!("Failed: {failure}")));
    notes.extend(report.first_error.iter().map(|first| format!("The first refusal: {first}")));
    let used = match report.in_process {
        true => "The server and this generator, one process, used",
        false => "This generator used",
    };
    notes.push(format!(
        "{used} {} s of processor time; the last payment came to rest {} s after the end.",
        short(report.generator_cpu_s),
        short(report.drain_s)
    ));
    notes
}
