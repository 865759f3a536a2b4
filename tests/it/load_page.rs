//! Load runs that are started over the API and from pages: live, stopped, side by side, and after the server's death.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::server::{Server, on_both_stacks};

on_both_stacks!(
    a_run_is_watched_paused_stopped_and_reported,
    two_runs_at_once_do_not_mix,
    what_cannot_be_run_is_refused_by_field,
    the_page_starts_runs_and_shows_them,
);

const RUNS: &str = "/v1/test_helpers/load_runs";

async fn start(server: &Server, settings: &Value) -> String {
    let started = server.send("POST", RUNS, &settings.to_string(), &[]).await;
    assert_eq!(started.status, 200, "{}", started.body);
    started.text("/id").to_owned()
}

/// Waits until this holds of the run.
async fn until(server: &Server, id: &str, holds: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..300 {
        let (status, run) = server.get(&format!("{RUNS}/{id}")).await;
        assert_eq!(status, 200, "{run}");
        if holds(&run) {
            return run;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{id} did not come so far");
}

async fn ended(server: &Server, id: &str) -> Value {
    until(server, id, |run| run["state"] != "running").await
}

async fn a_run_is_watched_paused_stopped_and_reported(server: Arc<Server>) {
    let settings =
        json!({ "rate": "50", "duration": "60s", "wallets": 3, "mix": "charge=1", "name": "Watched" });
    let id = start(&server, &settings).await;
    let run = until(&server, &id, |run| run["live"]["completed"].as_u64() > Some(20)).await;
    assert_eq!((&run["state"], &run["live"]["phase"]), (&json!("running"), &json!("measuring")), "{run}");
    assert!(!run["live"]["points"].as_array().expect("points").is_empty());
    let (status, _) = server.get(&format!("{RUNS}/{id}/report.json")).await;
    assert_eq!(status, 400, "not before it has ended");
    let paused = server.send("POST", &format!("{RUNS}/{id}/pause"), "", &[]).await;
    assert_eq!((paused.status, paused.text("/live/phase")), (200, "paused"), "{}", paused.body);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let sent = until(&server, &id, |_| true).await["live"]["sent"].clone();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(until(&server, &id, |_| true).await["live"]["sent"], sent, "nothing is due");
    assert_eq!(server.send("POST", &format!("{RUNS}/{id}/resume"), "", &[]).await.status, 200);
    until(&server, &id, |run| run["live"]["sent"].as_u64() > sent.as_u64()).await;
    let other = server.send_as(&server.other_key, "GET", &format!("{RUNS}/{id}"), "", &[]).await;
    assert_eq!(other.status, 404, "nobody else sees it");
    assert_eq!(server.send("POST", &format!("{RUNS}/{id}/stop"), "", &[]).await.status, 200);
    let run = ended(&server, &id).await;
    assert_eq!((&run["state"], &run["passed"]), (&json!("finished"), &json!(true)), "{run}");
    let (_, report) = server.get(&format!("{RUNS}/{id}/report.json")).await;
    assert_eq!(
        (&report["stopped"], report["pauses"].as_array().map(Vec::len)),
        (&json!(true), Some(1)),
        "{report}"
    );
    assert_eq!((&report["accepted_all"], &report["audit"]["missing"]), (&report["ended_all"], &json!(0)));
    assert!(report["late"].as_u64() < report["sent"].as_u64(), "{report}");
    assert_eq!(server.send("DELETE", &format!("{RUNS}/{id}"), "", &[]).await.status, 200);
    assert_eq!(server.get(&format!("{RUNS}/{id}")).await.0, 404);
}

async fn two_runs_at_once_do_not_mix(server: Arc<Server>) {
    let scenario = "name = \"All lost\"\n[[rule]]\ndecline = \"lost_card\"\n";
    let plain = json!({ "rate": "30", "duration": "3s", "wallets": 3, "mix": "charge=1" });
    let mut other = plain.clone();
    other["scenario"] = json!(scenario);
    let (one, other) = (start(&server, &plain).await, start(&server, &other).await);
    let third = server.send("POST", RUNS, &plain.to_string(), &[]).await;
    assert_eq!(third.status, 429, "{}", third.body);
    for (id, outcome) in [(one, "succeeded"), (other, "declined")] {
        ended(&server, &id).await;
        let (status, report) = server.get(&format!("{RUNS}/{id}/report.json")).await;
        assert_eq!(status, 200, "{report}");
        assert_eq!((&report["sent"], &report["accepted_all"]), (&json!(90), &json!(90)), "{report}");
        assert_eq!(report["outcomes"], json!({ outcome: 90 }), "{report}");
        assert_eq!((&report["audit"]["found"], &report["run"]), (&json!(90), &json!(id)));
    }
    let (_, in_force) = server.get("/v1/test_helpers/scenario").await;
    assert_eq!(in_force["revision"], Value::Null, "the account's own world is untouched");
}

async fn what_cannot_be_run_is_refused_by_field(server: Arc<Server>) {
    for (settings, field) in [
        (json!({ "rate": "1e9" }), "rate"),
        (json!({ "rate": "fast" }), "rate"),
        (json!({ "duration": "2h" }), "duration"),
        (json!({ "mix": "tea=1" }), "mix"),
        (json!({ "wallets": 100_000 }), "wallets"),
        (json!({ "wallets": -1 }), "wallets"),
        (json!({ "kind": "capacity", "objectives": ["speed>1"] }), "objectives"),
        (json!({ "kind": "dance" }), "kind"),
        (json!({ "scenario": "seed = -1" }), "scenario"),
        (json!({ "target": "http://127.0.0.1:9" }), "key"),
        (json!({ "colour": "red" }), "colour"),
    ] {
        let refused = server.send("POST", RUNS, &settings.to_string(), &[]).await;
        assert_eq!(
            (refused.status, refused.text("/error/param")),
            (400, field),
            "{settings}: {}",
            refused.body
        );
    }
    let (_, list) = server.get(RUNS).await;
    assert_eq!(list["data"], json!([]), "nothing was started");
}

async fn the_page_starts_runs_and_shows_them(server: Arc<Server>) {
    let session = server.sign_in("shop@example.org").await;
    let csrf = server.csrf(&session).await;
    let (status, page) = server.page("/load", &session).await;
    assert!(status == 200 && page.contains("No load runs yet"), "{page}");
    let headers = [("origin", server.url.as_str())];
    let fields = [
        ("csrf", csrf.as_str()),
        ("kind", "run"),
        ("rate", "20"),
        ("duration", "1s"),
        ("wallets", "2"),
        ("mix", "charge=1"),
    ];
    let response = server.post_form("/load", &session, &headers, &fields).await;
    assert_eq!(response.status().as_u16(), 303);
    let to = response.headers().get("location").expect("a location").to_str().expect("text").to_owned();
    let (status, page) = server.page(&to, &session).await;
    assert!(status == 200 && page.contains("data-load-run"), "{page}");
    let mut page = String::new();
    for _ in 0..100 {
        page = server.page(&to, &session).await.1;
        if page.contains("Report (HTML)") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(page.contains("Kept up: 20/s offered") && page.contains("Audit: of 20"), "{page}");
    let (_, report) = server.page(&format!("{to}/report.html"), &session).await;
    assert!(report.contains("<svg class=\"plot-svg\""), "{report}");
    let wrong = [("csrf", csrf.as_str()), ("kind", "run"), ("rate", "x"), ("duration", "1s")];
    let response = server.post_form("/load", &session, &headers, &wrong).await;
    assert_eq!(response.status().as_u16(), 400);
    let page = response.text().await.expect("text");
    assert!(page.contains("a rate is a number per second"), "{page}");
}
