//! Load runs through the real server: everything that can be sent, the report, the search for the capacity, and how a run ends when
//! somebody stops it or its server dies: with its report, and an exit code that says whether everything that was accepted came to rest.

use crate::support::binary::{Kind, on};

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_stopped_waits_for_what_is_open_and_reports() {
    on(Kind::Embedded, async |stack| {
        let server = stack.serve().await;
        let key = stack.api_key().await;
        let mut load = stack.load(&server.url, &key, 50, 3_000, &[]);
        load.wait_acknowledged(50).await;
        load.signal("INT");
        let (code, said, acks) = load.ended().await;
        assert_eq!(code, Some(0), "{said}");
        for words in ["rates     offered", "latency ms", "stopped   by a signal", "complete  every one of"] {
            assert!(said.contains(words), "{words}: {said}");
        }
        server.stop().await;
        stack.verify(&[&acks], true).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_server_dies_reports_what_is_missing() {
    on(Kind::Embedded, async |stack| {
        // Nothing comes to rest before the server dies.
        stack.set("simulator.latency_max_ms", 600_000);
        stack.set("simulator.latency_median_ms", 600_000);
        let mut server = stack.serve().await;
        let key = stack.api_key().await;
        let mut load = stack.load(&server.url, &key, 50, 3, &["--drain", "1s", "--mix", "charge=1"]);
        load.wait_acknowledged(20).await;
        server.kill();
        let (code, said, _) = load.ended().await;
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("INCOMPLETE") && said.contains("counts    sent"), "{said}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_currency_and_card_is_sent_and_found_again() {
    on(Kind::Embedded, async |stack| {
        stack.set("simulator.latency_median_ms", 20);
        let server = stack.serve().await;
        let key = stack.api_key().await;
        let page = stack.file("load.html");
        let arguments = [
            "--shape",
            "ramp:20..120",
            "--for",
            "4s",
            "--poisson",
            "--wallets",
            "6",
            "--mix",
            "charge=5,transfer=1,refund=1,topup=1,payout=1",
            "--currencies",
            "eur=3,jpy=1,kwd=1",
            "--cards",
            "visa=6,4000000000009995=1,pm_card_threeDSecureRequired=2",
            "--amounts",
            "lognormal:median=2500,sigma=0.8,max=100000",
            "--think",
            "300ms",
            "--pass",
            "70",
            "--close-wallets",
            "--drain",
            "90s",
            "--html",
            page.to_str().expect("a plain path"),
        ];
        let (report, acks) = stack.load_with(&server.url, &key, &arguments).finish_clean().await;
        for kind in ["charge", "transfer", "refund", "topup", "payout"] {
            assert!(report["kinds"][kind].as_u64().is_some_and(|count| count > 0), "{kind}: {report:#}");
        }
        assert!(report["challenges"].as_u64().is_some_and(|count| count > 5), "{report:#}");
        assert!(
            report["causes"]["declined: insufficient_funds"].as_u64().is_some_and(|count| count > 0),
            "{report:#}"
        );
        assert!(report["outcomes"]["requires_action"].is_null(), "{report:#}");
        let audit = &report["audit"];
        assert_eq!(
            (&audit["found"], &audit["missing"], &audit["different"]),
            (&audit["asked"], &0.into(), &0.into())
        );
        assert_eq!(audit["asked"], report["accepted"], "{report:#}");
        assert_eq!(
            (&report["wallets"]["closed"], &report["wallets"]["of"]),
            (&6.into(), &6.into()),
            "{report:#}"
        );
        let (acquirer, overhead) = (&report["acquirer_ms"], &report["overhead_ms"]);
        assert!(
            acquirer["p50"].as_f64() > Some(5.0) && overhead["count"].as_u64() >= acquirer["count"].as_u64()
        );
        let html = std::fs::read_to_string(&page).expect("a page");
        assert!(html.contains("insufficient funds") && html.contains("</html>"), "{html}");
        server.stop().await;
        stack.verify(&[&acks], true).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_over_http() {
    on(Kind::Embedded, async |stack| {
        stack.set("simulator.latency_median_ms", 20);
        let server = stack.serve().await;
        let key = stack.api_key().await;
        let arguments = [
            "--rate",
            "60",
            "--for",
            "2s",
            "--wallets",
            "3",
            "--mix",
            "charge=5,transfer=1,refund=1,topup=1,payout=1",
            "--cards",
            "visa=3,threeDSecureRequired=1",
            "--think",
            "200ms",
            "--transport",
            "http",
        ];
        let (report, _) = stack.load_with(&server.url, &key, &arguments).finish_clean().await;
        assert!(report["challenges"].as_u64().is_some_and(|count| count > 5), "{report:#}");
        assert_eq!(report["audit"]["found"], report["accepted"], "{report:#}");
        server.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_search_says_which_rates_hold() {
    on(Kind::Embedded, async |stack| {
        // No acquirer answers within 250 ms, so that no rate holds the second objective.
        stack.set("simulator.latency_median_ms", 260);
        stack.set("simulator.latency_sigma", 0);
        let server = stack.serve().await;
        let key = stack.api_key().await;
        let search =
            ["--find-capacity", "--step", "1s", "--wallets", "0", "--mix", "charge=1", "--limit", "3s"];
        let holding = [&search[..], &["--objective", "settle.p99<20s", "--from", "20"]].concat();
        let (found, acks) = stack.load_with(&server.url, &key, &holding).finish().await;
        assert!(found["holds_per_s"].as_f64() >= Some(20.0), "{found:#}");
        assert!(found["verdict"].as_str().is_some_and(|verdict| verdict.contains("/s hold")), "{found:#}");
        let missing = [&search[..], &["--objective", "settle.p50<250ms", "--from", "4"]].concat();
        let (code, said, _) = stack.load_with(&server.url, &key, &missing).ended().await;
        assert!(code == Some(1) && said.contains("settle.p50<250ms: it is"), "{said}");
        server.stop().await;
        stack.verify(&[&acks], true).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_brings_its_scenario_and_leaves_the_one_of_before() {
    on(Kind::Embedded, async |stack| {
        let server = stack.serve().await;
        let key = stack.api_key().await;
        let http = reqwest::Client::new();
        let url = format!("{}/v1/test_helpers/scenario", server.url);
        let in_force = async || {
            let answer = http.get(&url).bearer_auth(&key).send().await.expect("an answer");
            answer.json::<serde_json::Value>().await.expect("JSON")
        };
        let own = "name = \"Own\"\n";
        let put = http.post(&url).bearer_auth(&key).form(&[("file", own)]).send().await.expect("an answer");
        assert!(put.status().is_success());
        let file = stack.file("run.toml");
        let half = "name = \"Half\"\n[[acquirer]]\nname = \"a\"\noutcomes = [{ share = 0.5, decline = \"lost_card\" }]\n";
        std::fs::write(&file, half).expect("written");
        let path = file.to_str().expect("a plain path");
        let arguments = ["--scenario", path, "--wallets", "3", "--mix", "charge=1", "--rate", "100", "--for", "3s"];
        let (report, acks) = stack.load_with(&server.url, &key, &arguments).finish_clean().await;
        assert_eq!(report["scenario"], "Half (revision 2)", "{report:#}");
        let declined = report["causes"]["declined: lost_card"].as_u64().unwrap_or(0);
        assert!((90..=210).contains(&declined), "{report:#}");
        assert_eq!(in_force().await["file"], own);

        std::fs::write(&file, "name = \"Half\"\nshare = 1\n").expect("written");
        let (code, said, _) = stack.load_with(&server.url, &key, &arguments).ended().await;
        assert!(code != Some(0) && said.contains("scenario:2:1: share"), "{code:?} {said}");
        assert_eq!(in_force().await["file"], own);
        server.stop().await;
        stack.verify(&[&acks], true).await;
    })
    .await;
}
