//! What is sent, and when.

use std::sync::atomic::Ordering;

use serde_json::Value;

use super::fake::Fake;
use crate::load::measure;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ramp_sends_what_its_rates_add_up_to() {
    let fake = Fake::start().await;
    let line = "--shape ramp:100..500 --for 1s --warmup 200ms --wallets 0 --mix charge=1 --poisson";
    let even = measure(&fake.args(&line.replace(" --poisson", ""))).await.unwrap();
    assert_eq!((even.sent, even.completed, even.offered_per_s), (300, 300, 300.0), "{even:?}");
    assert_eq!(even.arrivals, "ramp from 100/s to 500/s");
    let random = measure(&fake.args(line)).await.unwrap();
    assert!((200..400).contains(&random.sent), "{random:?}");
    assert!(random.arrivals.ends_with(", at random moments"), "{random:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shape_that_does_not_fit_its_run_is_refused() {
    let fake = Fake::start().await;
    for (line, said) in [
        ("--shape constant:5", "--for is missing"),
        (
            "--shape spike:base=1,peak=2,start=5s,length=1s --for 3s",
            "--shape: the spike ends 6s after the start",
        ),
        ("--rate 5 --for 0s", "--for: nothing can be measured"),
    ] {
        let args = fake.args(&format!("{line} --wallets 0 --mix charge=1"));
        let error = format!("{:#}", measure(&args).await.unwrap_err());
        assert!(error.contains(said), "{line}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cardholders_are_asked_and_answer_after_a_while() {
    for transport in ["ws", "http"] {
        let fake = Fake::start().await;
        let line = format!(
            "--rate 200 --for 1s --wallets 0 --mix charge=1 --cards visa=5,threeDSecureRequired=4,4000000000009987=1 \
             --think 1s --pass 75 --transport {transport}"
        );
        let report = measure(&fake.args(&line)).await.unwrap();
        assert_eq!(
            (report.accepted, report.completed, report.open, report.errors),
            (200, 200, 0, 0),
            "{report:?}"
        );
        assert!((40..120).contains(&report.challenges), "{report:?}");
        assert!(report.drain_s > 0.1, "the last one was asked at the end: {report:?}");
        // What they took is left out.
        assert!(report.settle_ms.p99 < 700.0, "{report:?}");
        let (lost, declined) = (report.causes["declined: lost_card"], report.outcomes["declined"]);
        assert!((5..45).contains(&lost) && declined > lost, "{report:?}");
        assert_eq!(report.outcomes["succeeded"] + declined, 200);
        assert_eq!(
            report.audit.as_ref().map(|audit| (audit.asked, audit.found)),
            Some((200, 200)),
            "{report:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_is_sent_in_every_currency_with_the_amounts_asked_for() {
    let fake = Fake::start().await;
    let report = measure(&fake.args(
        "--rate 400 --for 1s --wallets 5 --mix charge=4,transfer=2,topup=2,payout=2 --currencies eur=3,jpy=1 \
         --amounts uniform:700..800 --close-wallets",
    ))
    .await
    .unwrap();
    assert_eq!((report.completed, report.errors), (400, 0), "{report:?}");
    assert_eq!(report.kinds.len(), 4);
    assert!(report.kinds["payout"] > 40 && report.kinds["topup"] > 40, "{report:?}");
    assert_eq!(report.wallets.as_ref().map(|wallets| (wallets.of, wallets.closed)), Some((5, 5)));
    assert_eq!(fake.closed.load(Ordering::Relaxed), 5);
    let frames = fake.frames.lock();
    let payments: Vec<&Value> =
        frames.iter().filter_map(|frame| frame["payments"].as_array()).flatten().collect();
    let fills = payments.iter().filter(|payment| payment["run"].as_str().unwrap().ends_with(".fill"));
    let mut fills: Vec<(&str, &str)> =
        fills.map(|fill| (fill["account"].as_str().unwrap(), fill["currency"].as_str().unwrap())).collect();
    fills.sort_unstable();
    fills.dedup();
    assert_eq!(fills.len(), 10, "each wallet in each currency");
    let own = |payment: &&&Value| !payment["run"].as_str().unwrap().ends_with(".fill");
    let yen = payments.iter().filter(own).filter(|payment| payment["currency"] == "jpy").count();
    assert!((60..150).contains(&yen), "{yen}");
    for payment in payments.iter().filter(own) {
        let amount = payment["amount"].as_u64().unwrap();
        match payment["kind"].as_str().unwrap() {
            "charge" | "topup" => assert!((700..=800).contains(&amount), "{payment}"),
            _ => assert!((1..=500).contains(&amount), "{payment}"),
        }
        assert_eq!(
            payment["payment_method"].is_null(),
            ["transfer", "payout"].contains(&payment["kind"].as_str().unwrap())
        );
    }
}
