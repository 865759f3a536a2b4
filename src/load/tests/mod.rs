//! Runs against a server that is a few lines long and misbehaves on command.

mod fake;
mod reports;
mod traffic;

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpListener;

use self::fake::Fake;
use super::plan::key_of;
use super::*;
use crate::domain::ids::PaymentId;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_run_sends_its_schedule_and_sees_it_settle() {
    let fake = Fake::start().await;
    let acks = tempfile::NamedTempFile::new().unwrap();
    let line = format!(
        "--rate 500 --for 1s --wallets 0 --mix charge=9,refund=1 --run r1 --acks {}",
        acks.path().display()
    );
    let report = measure(&fake.args(&line)).await.unwrap();
    assert_eq!(
        (report.sent, report.accepted, report.completed, report.errors),
        (500, 500, 500, 0),
        "{report:?}"
    );
    assert_eq!((report.unknown, report.unsettled, report.skipped), (0, 0, 0));
    assert_eq!(report.outcomes, [("succeeded".to_owned(), 500)].into());
    let refunds = report.kinds["refund"];
    assert!((20..100).contains(&refunds), "{refunds}");
    // All of them in no less than their second; how much longer it takes is up to the machine.
    assert!(report.completed_per_s > 0.0 && report.completed_per_s < 525.0, "{report:?}");
    assert!(report.accept_ms.p50 > 0.0 && report.settle_ms.p99 > 0.0, "{report:?}");
    assert!(report.is_complete(), "{report:?}");
    // Every acknowledged payment is in the file, once as it was sent and once with its outcome.
    let text = std::fs::read_to_string(acks.path()).unwrap();
    let mut lines: Vec<Vec<&str>> = text.lines().map(|line| line.split(' ').collect()).collect();
    assert!(lines.iter().all(|line| line[0].parse::<PaymentId>().is_ok() && line[3] == "eur"));
    lines.sort();
    lines.dedup();
    let of =
        |kind: &str, words: usize| lines.iter().filter(|line| line[1] == kind && line.len() == words).count();
    assert_eq!(of("charge", 4) as u64, 500 - refunds);
    assert_eq!(of("charge", 5), of("charge", 4));
    assert_eq!((of("refund", 4) as u64, of("refund", 5)), (refunds, 0));
    for refund in lines.iter().filter(|line| line[1] == "refund") {
        // It refunds all of a charge.
        assert!(
            lines.iter().any(|line| (line[0], line[1], line[2]) == (refund[0], "charge", refund[2])),
            "{refund:?}"
        );
    }
    assert!(lines.iter().filter(|line| line.len() == 5).all(|line| line[4] == "succeeded"));
    // Keys are sequential, and the draw key is the index.
    let frames = fake.frames.lock();
    let payments = frames.iter().filter_map(|frame| frame["payments"].as_array()).flatten();
    for payment in payments {
        let key = key_of("r1", payment["draw_key"].as_u64().unwrap());
        assert_eq!(
            (payment["idempotency_key"].as_str(), payment["lane"].as_str()),
            (Some(key.as_str()), Some("bulk"))
        );
        assert_eq!(payment["run"], "r1");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stalled_server_shows_in_every_delayed_sample() {
    let fake = Fake::start().await;
    let args = fake.args("--rate 500 --for 2s --wallets 0 --mix charge=1");
    let running = tokio::spawn(async move { measure(&args).await });
    // Under way, whenever that is.
    while fake.frames.lock().iter().all(|frame| frame["payments"].is_null()) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    fake.stalled.store(true, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(1)).await;
    fake.stalled.store(false, Ordering::Relaxed);
    let report = running.await.unwrap().unwrap();
    // A second of 500 arrivals waited for half a second on average; no closed loop would have asked more than once.
    assert_eq!((report.sent, report.completed), (1_000, 1_000), "{report:?}");
    assert!(report.accept_ms.p99 > 900.0, "{report:?}");
    assert!(report.accept_ms.p50 > 0.1 && report.accept_ms.mean > 200.0, "{report:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_lost_connection_left_unanswered_is_sent_again_with_its_keys() {
    let fake = Fake::start().await;
    fake.cut_after.store(20, Ordering::Relaxed);
    let report =
        measure(&fake.args("--rate 400 --for 1s --wallets 0 --mix charge=1 --connections 1")).await.unwrap();
    assert_eq!(
        (report.sent, report.accepted, report.completed, report.unknown),
        (400, 400, 400, 0),
        "{report:?}"
    );
    assert!(report.reconnects >= 1 && report.resent >= 1, "{report:?}");
    assert_eq!(fake.payments.lock().len(), 400, "nothing was made twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn updates_that_never_came_are_asked_for() {
    let fake = Fake::start().await;
    fake.silent.store(true, Ordering::Relaxed);
    let report =
        measure(&fake.args("--rate 100 --for 500ms --wallets 0 --mix charge=1 --drain 10s")).await.unwrap();
    assert_eq!((report.accepted, report.completed, report.unsettled), (50, 50, 0), "{report:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_run_keeps_its_number_in_flight_over_wallets_of_its_own() {
    let fake = Fake::start().await;
    let report = measure(&fake.args("--rate max --for 500ms --wallets 20 --in-flight 50 --warmup 100ms"))
        .await
        .unwrap();
    assert!(report.completed > 500 && report.errors == 0 && report.unsettled == 0, "{report:?}");
    assert_eq!(report.sent, report.completed);
    let frames = fake.frames.lock();
    let payments: Vec<&Value> =
        frames.iter().filter_map(|frame| frame["payments"].as_array()).flatten().collect();
    let of = |kind: &str| payments.iter().filter(|payment| payment["kind"] == kind).count();
    assert_eq!(of("topup"), 20);
    assert!(of("transfer") > 50 && of("charge") > 200);
    let itself =
        |payment: &&&Value| payment["kind"] == "transfer" && payment["account"] == payment["destination"];
    assert_eq!(payments.iter().filter(itself).count(), 0);
    let batch = |frame: &&Value| frame["payments"].as_array().is_some_and(|payments| payments.len() > 100);
    assert_eq!(frames.iter().filter(batch).count(), 0, "the bound holds");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_wallet_is_hot() {
    let fake = Fake::start().await;
    let report = measure(&fake.args("--rate 200 --for 300ms --wallets 1")).await.unwrap();
    assert_eq!(report.completed, 60);
    let frames = fake.frames.lock();
    let payments = frames.iter().filter_map(|frame| frame["payments"].as_array()).flatten();
    let accounts: std::collections::BTreeSet<&str> = payments
        .filter(|payment| payment["kind"] != "topup")
        .map(|payment| payment["account"].as_str().unwrap())
        .collect();
    assert_eq!(accounts.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http_posts_are_acknowledged_and_watched() {
    let fake = Fake::start().await;
    let report = measure(&fake.args("--rate 200 --for 500ms --wallets 0 --mix charge=1 --transport http"))
        .await
        .unwrap();
    assert_eq!((report.sent, report.accepted, report.completed), (100, 100, 100), "{report:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refunds_that_were_done_unseen_are_asked_for_over_http_too() {
    let fake = Fake::start().await;
    let line = "--rate 200 --for 1s --wallets 0 --mix charge=8,refund=2 --transport http --drain 60s";
    let report = measure(&fake.args(line)).await.unwrap();
    assert!(report.kinds["refund"] > 0, "{report:?}");
    assert_eq!((report.accepted, report.completed, report.unsettled), (200, 200, 0), "{report:?}");
    assert!(report.is_complete() && report.to_text().contains("complete  every one of 200 accepted"));
    let half = Report { open: 1, ..report };
    assert!(!half.is_complete() && half.to_text().contains("INCOMPLETE"), "{}", half.to_text());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_cannot_begin_says_why() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let fake = Fake::start().await;
    let mut args = fake.args("--rate 5 --for 1s --wallets 0 --mix charge=1");
    args.target = format!("http://{closed}").parse().unwrap();
    let error = format!("{:#}", measure(&args).await.unwrap_err());
    assert!(error.contains("cannot connect to ws://127.0.0.1"), "{error}");
    let error = format!("{:#}", measure(&fake.args("--rate 5 --for 1s --wallets 0")).await.unwrap_err());
    assert!(error.contains("a mix with transfers needs accounts"), "{error}");
}
