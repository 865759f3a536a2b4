//! What is reported.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use super::fake::Fake;
use crate::load::{find_capacity, measure};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_report_tells_what_the_acquirer_took_and_how_the_run_went_over_time() {
    let fake = Fake::start().await;
    let report =
        measure(&fake.args("--rate 100 --for 2s --warmup 500ms --wallets 0 --mix charge=1")).await.unwrap();
    assert_eq!((report.acquirer_ms.count, report.overhead_ms.count), (200, 200), "{report:?}");
    assert!((report.acquirer_ms.p50 - 0.4).abs() < 0.01, "{report:?}");
    assert!(report.overhead_ms.p50 <= report.settle_ms.p50, "{report:?}");
    let sum = |rate: fn(&crate::load::series::Point) -> f64| {
        report.series.iter().map(|point| rate(point) * point.length_s).sum::<f64>().round()
    };
    assert_eq!((sum(|point| point.offered_per_s), sum(|point| point.completed_per_s)), (250.0, 250.0));
    assert!((3..=4).contains(&report.series.len()), "{:?}", report.series);
    assert_eq!(report.settle_distribution.total(), 200);
    assert!(report.verdict.starts_with("Kept up: 100/s offered"), "{}", report.verdict);
    let json: Value = serde_json::from_str(&report.to_json().unwrap()).unwrap();
    assert_eq!(json["series"].as_array().unwrap().len(), report.series.len());
    assert_eq!((&json["accepted_all"], &json["ended_all"]), (&json!(250), &json!(250)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_of_a_report_stands_alone() {
    let fake = Fake::start().await;
    let line = "--rate 200 --for 1s --wallets 0 --mix charge=8,refund=2 --run a.b --cards visa,chargeDeclinedLostCard";
    let html = measure(&fake.args(line)).await.unwrap().to_html().unwrap();
    for words in [
        "Load run a.b",
        "<p class=\"verdict passed\">Kept up",
        "declined: lost card",
        "<svg class=\"plot-svg\"",
        "light-dark(",
    ] {
        assert!(html.contains(words), "{words}: {html}");
    }
    assert_eq!(html.matches("<svg class=\"plot-svg\"").count(), 4);
    let own = html.replace(&format!("http://{}/", fake.address), "");
    for foreign in ["<script", "http://", "https://", "src=", "url(", "@import", "<link", "NaN"] {
        assert!(!own.contains(foreign), "{foreign}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_found_again_fails_the_run() {
    let fake = Fake::start().await;
    fake.wrong_by.store(1, Ordering::Relaxed);
    let line = "--rate 100 --for 500ms --wallets 0 --mix charge=1 --audit 20";
    let report = measure(&fake.args(line)).await.unwrap();
    let audit = report.audit.as_ref().unwrap();
    assert_eq!((audit.asked, audit.found, audit.different, audit.missing), (20, 0, 20, 0), "{audit:?}");
    assert!(audit.examples.len() == 5 && audit.examples[0].contains("sent was"), "{audit:?}");
    assert!(!report.is_complete() && !report.passed());
    assert!(
        report
            .to_text()
            .contains("20 of 50 acknowledged asked for again: found 0   missing 0   different 20")
    );
    assert!(report.verdict.starts_with("Lost: 20 of 20 acknowledged payments"), "{}", report.verdict);
    let none = measure(&fake.args(&line.replace("--audit 20", "--audit 0"))).await.unwrap();
    assert!(none.audit.is_none() && none.passed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_search_finds_the_rate_that_a_server_can_take() {
    let fake = Fake::start().await;
    // Each payment settles 10 ms after the one before it: a hundred a second.
    fake.settles_every_us.store(10_000, Ordering::Relaxed);
    let args = fake.args(
        "--find-capacity --objective settle.p99<400ms --objective errors<1 --step 1s --from 40 --precision 10 \
         --wallets 0 --mix charge=1 --run cap",
    );
    let found = find_capacity(&args).await.unwrap();
    let (holds, fails) = (found.holds_per_s.unwrap(), found.fails_per_s.unwrap());
    assert!((75.0..=115.0).contains(&holds) && fails > holds && fails - holds <= 0.1 * fails, "{found:?}");
    assert_eq!(
        found.verdict,
        format!("settle.p99<400ms and errors<1: {holds:.0}/s hold, {fails:.0}/s do not.")
            .replace(&format!("{holds:.0}/s"), &crate::load::figures::per_s(holds))
            .replace(&format!("{fails:.0}/s"), &crate::load::figures::per_s(fails))
    );
    assert!(found.ended.is_none() && found.passed(), "{found:?}");
    let text = found.to_text();
    assert!(text.contains("does not hold") && text.trim_end().ends_with("do not."), "{text}");
    let json: Value = serde_json::from_str(&found.to_json().unwrap()).unwrap();
    assert_eq!(json["steps"].as_array().unwrap().len(), found.steps.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_whose_backlog_stays_ends_and_says_so() {
    let fake = Fake::start().await;
    fake.settles_every_us.store(100_000, Ordering::Relaxed);
    let args = fake.args(
        "--find-capacity --objective settle.p99<1s --step 500ms --from 400 --drain 300ms --wallets 0 --mix charge=1",
    );
    let found = find_capacity(&args).await.unwrap();
    assert_eq!((found.steps.len(), found.holds_per_s), (1, None), "{found:?}");
    assert!(
        found.verdict.contains("400/s do not hold") && found.verdict.contains("did not drain"),
        "{}",
        found.verdict
    );
    assert!(!found.passed());
}
