//! The report as a few lines for people.

use std::fmt::{self, Write as _};

use super::{Latencies, Report};
use crate::load::figures::thousands;

/// The report in words.
pub(super) fn of(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write(report, &mut text);
    text
}

fn write(report: &Report, text: &mut String) -> fmt::Result {
    let Report { run, target, transport, duration_s, arrivals, .. } = report;
    writeln!(text, "run {run}  {target} over {transport}, {duration_s:.1} s measured")?;
    writeln!(text, "arrivals  {arrivals}")?;
    if let Some(scenario) = &report.scenario {
        writeln!(text, "scenario  {scenario}")?;
    }
    figures(report, text)?;
    latencies(report, text)?;
    for (name, counts) in [
        ("kinds", &report.kinds),
        ("outcomes", &report.outcomes),
        ("causes", &report.causes),
        ("errors", &report.errors_by_code),
    ] {
        if !counts.is_empty() {
            let list: Vec<String> = counts.iter().map(|(key, count)| format!("{key} {count}")).collect();
            writeln!(text, "{name:<9} {}", list.join("   "))?;
        }
    }
    if let Some(first) = &report.first_error {
        writeln!(text, "first     {first}")?;
    }
    let Report { reconnects, resent, substituted, challenges, .. } = report;
    if reconnects + resent + substituted + challenges > 0 {
        writeln!(
            text,
            "also      reconnects {reconnects}   resent {resent}   refunds turned charges {substituted}   cardholders asked {challenges}"
        )?;
    }
    let (cpu, drain) = (report.generator_cpu_s, report.drain_s);
    writeln!(text, "generator {cpu:.1} s of processor   drained {drain:.1} s after the end")?;
    if report.stopped {
        writeln!(text, "stopped   by a signal, before its end")?;
    }
    ending(report, text)
}

fn figures(report: &Report, text: &mut String) -> fmt::Result {
    let Report { offered_per_s, accepted_per_s, completed_per_s, .. } = report;
    writeln!(
        text,
        "rates     offered {offered_per_s:.0}/s   accepted {accepted_per_s:.0}/s   completed {completed_per_s:.0}/s"
    )?;
    let Report { sent, accepted, completed, errors, unknown, unsettled, skipped, late, .. } = report;
    writeln!(text, "counts    sent {sent}   accepted {accepted}   completed {completed}   errors {errors}")?;
    writeln!(text, "          unknown {unknown}   unsettled {unsettled}   skipped {skipped}   late {late}")
}

fn latencies(report: &Report, text: &mut String) -> fmt::Result {
    writeln!(text, "latency ms        p50       p90       p99     p99.9       max")?;
    let own = [("accept", &report.accept_ms), ("settle", &report.settle_ms)];
    let parts = [("acquirer", &report.acquirer_ms), ("overhead", &report.overhead_ms)];
    let parts = parts.into_iter().filter(|(_, latencies)| latencies.count > 0);
    for (name, l) in own.into_iter().chain(parts) {
        let Latencies { p50, p90, p99, p999, max, .. } = l;
        writeln!(text, "  {name:<8} {p50:>9.2} {p90:>9.2} {p99:>9.2} {p999:>9.2} {max:>9.2}")?;
    }
    Ok(())
}

/// What became of everything that was acknowledged.
fn ending(report: &Report, text: &mut String) -> fmt::Result {
    let Report { accepted_all, ended_all, open, accepted, completed, .. } = report;
    if let Some(audit) = &report.audit {
        let of = format!("{} of {} acknowledged asked for again", audit.asked, thousands(*accepted_all));
        let unanswered = match audit.unanswered {
            0 => String::new(),
            unanswered => format!("   not answered {unanswered}"),
        };
        writeln!(
            text,
            "audit     {of}: found {}   missing {}   different {}{unanswered}",
            audit.found, audit.missing, audit.different
        )?;
        audit.examples.iter().try_for_each(|example| writeln!(text, "          {example}"))?;
    }
    if let Some(wallets) = &report.wallets {
        let why = wallets.error.as_ref().map_or_else(String::new, |error| format!(": {error}"));
        writeln!(text, "wallets   closed {} of {}{why}", wallets.closed, wallets.of)?;
    }
    report.failures.iter().try_for_each(|failure| writeln!(text, "failed: {failure}"))?;
    writeln!(text, "verdict   {}", report.verdict)?;
    let counted = format!("{accepted_all} accepted, {ended_all} ended, {open} still open, warm-up included");
    if report.is_complete() {
        writeln!(text, "complete  every one of {accepted} accepted came to rest ({counted})")
    } else {
        writeln!(text, "INCOMPLETE  {accepted} accepted, {completed} came to rest ({counted})")
    }
}
