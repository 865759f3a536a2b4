//! Scenario files: checked on the command line, refused at the start, in force on a running server.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use paystorm::clock::Wall;
use paystorm::config::Settings;
use paystorm::domain::ids::AccountId;
use paystorm::domain::time::Timestamp;
use paystorm::simulator::Position;
use paystorm::worker::BreakerState;
use serde_json::Value;

use crate::support::binary::program;
use crate::support::server::{Answer, Server, Stack, with, with_by};

fn write(dir: &Path, name: &str, text: &str) {
    std::fs::write(dir.join(name), text).expect("written");
}

fn run(dir: &Path, arguments: &[&str], scenario: &str) -> Output {
    let mut command = Command::new(program());
    command.current_dir(dir).args(arguments).env_remove("RUST_LOG");
    command.env("PAYSTORM__SIMULATOR__SCENARIO", scenario).output().expect("the program runs")
}

#[test]
fn check_says_what_is_in_a_file_or_what_is_wrong_with_it() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    write(dir.path(), "good.toml", "name = \"A day\"\n[[acquirer]]\nname = \"a\"\n");
    write(dir.path(), "bad.toml", "name = \"A day\"\nseed = -1\n[[rule]]\nshare = 1\n");
    let good = run(dir.path(), &["scenario", "check", "good.toml"], "");
    assert!(good.status.success(), "{good:?}");
    let both = run(dir.path(), &["scenario", "check", "good.toml", "bad.toml"], "");
    assert_eq!(both.status.code(), Some(1), "{both:?}");
    assert_eq!(
        String::from_utf8_lossy(&both.stdout),
        "good.toml: A day, 1 acquirer, 0 rules, 0 windows\n\
         bad.toml:2:8: seed: must be between 0 and 9223372036854775807, not -1\n\
         bad.toml:3:1: rule[1]: does nothing; it needs delay_ms, outcome, decline, error, sequence or then\n"
    );
    // One that cannot be read does not stop the others from being looked at.
    let none = run(dir.path(), &["scenario", "check", "nowhere.toml", "good.toml"], "");
    assert_eq!(none.status.code(), Some(1), "{none:?}");
    let said = String::from_utf8_lossy(&none.stdout).into_owned();
    assert!(said.starts_with("cannot read nowhere.toml: "), "{said}");
    assert!(said.ends_with("good.toml: A day, 1 acquirer, 0 rules, 0 windows\n"), "{said}");
}

#[test]
fn a_scenario_with_mistakes_ends_the_start_before_anything_is_made() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    write(dir.path(), "bad.toml", "name = \"A day\"\nseed = -1\n");
    let serve = ["serve", "--data-dir", "data", "--bind", "127.0.0.1:0"];
    for (scenario, expected) in [
        ("bad.toml", "simulator.scenario: bad.toml cannot be used\nbad.toml:2:8: seed: must be between"),
        ("nowhere.toml", "simulator.scenario: cannot read nowhere.toml"),
    ] {
        let output = run(dir.path(), &serve, scenario);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(expected), "{said}");
        assert!(!dir.path().join("data").exists());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_server_answers_by_its_scenario() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let rule = "[[rule]]\nmatch = { amount_minor = 1051 }\ndecline = \"insufficient_funds\"\n";
    write(dir.path(), "s.toml", &format!("name = \"By amount\"\n{rule}"));
    let path = dir.path().join("s.toml");
    with(
        Stack::Embedded,
        |settings| settings.simulator.scenario = path,
        |server| async move {
            let form = "currency=eur&payment_method=pm_card_visa&confirm=true";
            let pay = async |amount: u32| {
                server.post("/v1/payment_intents", &format!("{form}&amount={amount}")).await
            };
            let (status, body) = pay(1051).await;
            assert_eq!((status, body["error"]["decline_code"].as_str()), (402, Some("insufficient_funds")));
            let (status, body) = pay(1052).await;
            assert_eq!((status, body["status"].as_str()), (200, Some("succeeded")), "{body}");
        },
    )
    .await;
}

const CHARGE: &str = "amount=1250&currency=eur&payment_method=pm_card_visa&confirm=true";

async fn send(server: &Server, path: &str, form: &str, headers: &[(&str, &str)]) -> Answer {
    server.send("POST", path, form, headers).await
}

/// Looks again and again until something is so.
async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The breaker of the only acquirer that has one.
fn breaker(server: &Server) -> BreakerState {
    let outside = server.worlds.of(AccountId::from_bytes([1; 16]), None).expect("at hand").expect("usable");
    let states = outside.states(Timestamp::default());
    states.into_iter().find_map(|state| state.breaker).expect("a breaker")
}

/// The names of what happened to a payment.
fn events(payment: &Value) -> Vec<&str> {
    let timeline = payment["paystorm"]["timeline"].as_array().expect("a timeline");
    timeline.iter().map(|entry| entry["event"].as_str().expect("a name")).collect()
}

/// Runs a test against an embedded server with this scenario.
async fn under<F: Future<Output = ()>>(
    scenario: &str,
    change: impl FnOnce(&mut Settings),
    run: impl FnOnce(Arc<Server>) -> F,
) {
    under_by(Wall::system(), scenario, change, run).await;
}

async fn under_by<F: Future<Output = ()>>(
    wall: Wall,
    scenario: &str,
    change: impl FnOnce(&mut Settings),
    run: impl FnOnce(Arc<Server>) -> F,
) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    write(dir.path(), "s.toml", &format!("name = \"test\"\n{scenario}"));
    let path = dir.path().join("s.toml");
    let settings = |settings: &mut Settings| {
        settings.simulator.scenario = path;
        change(settings);
    };
    with_by(wall, Stack::Embedded, settings, run).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_an_outage_the_breaker_opens_and_after_it_everything_completes() {
    let scenario = "[[acquirer]]\nname = \"bank\"\nlatency = { fixed_ms = 5 }\ntimeout_ms = 20\n\
                    breaker = { errors = 0.5, of = 10, open_ms = 60000, probes = 2 }\n\
                    [[window]]\nfrom = \"0s\"\nfor = \"10m\"\nerrors = [{ share = 1, kind = \"timeout\" }]\n";
    // Ten minutes pass when the test says so.
    let ahead_us = Arc::new(AtomicI64::new(0));
    let (shown, system) = (Arc::clone(&ahead_us), Wall::system());
    let wall =
        Wall::new(move || Timestamp::from_micros(system.now().micros() + shown.load(Ordering::Relaxed)));
    // The first retry is after the outage; those who meet the breaker half-open come again soon.
    let retries =
        |settings: &mut Settings| settings.engine.retry_delays_ms = vec![120_000, 100, 100, 100, 100, 100];
    under_by(wall, scenario, retries, |server| async move {
        assert_eq!(breaker(&server).position, Position::Closed);
        let mut ids = Vec::new();
        for _ in 0..30 {
            let answer = send(&server, "/v1/payment_intents", CHARGE, &[("prefer", "respond-async")]).await;
            assert_eq!(answer.status, 202, "{answer:?}");
            ids.push(answer.text("/id").to_owned());
        }
        until("the breaker opens", async || (breaker(&server).position == Position::Open).then_some(()))
            .await;
        let payment = async |id: &String| server.get(&format!("/v1/payment_intents/{id}")).await.1;
        for id in &ids {
            until("it failed once", async || {
                events(&payment(id).await).contains(&"retry_scheduled").then_some(())
            })
            .await;
        }
        ahead_us.store(600_000_000, Ordering::Relaxed);
        for id in &ids {
            let done = until("it completes", async || {
                let payment = payment(id).await;
                (payment["status"] == "succeeded").then_some(payment)
            })
            .await;
            assert!(events(&done).contains(&"requeued"), "{done}");
        }
        assert_eq!(breaker(&server).position, Position::Closed);
    })
    .await;
}

/// The value of a counter.
async fn counter(server: &Server, name: &str) -> u64 {
    let (status, page) = server.page("/metrics", "").await;
    assert_eq!(status, 200, "{page}");
    let line = page.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
    line.and_then(|value| value.parse().ok()).expect("a counter")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_come_late_or_twice_change_nothing() {
    let scenario = "[[acquirer]]\nname = \"bank\"\nlatency = { fixed_ms = 20 }\n\
                    [[rule]]\nmatch = { amount_minor = 1001 }\nsequence = [\"error:late\", \"approved\"]\n\
                    [[rule]]\nmatch = { amount_minor = 1002 }\nerror = \"duplicate\"\n";
    let retries = |settings: &mut Settings| settings.engine.retry_delays_ms = vec![1_500];
    under(scenario, retries, |server| async move {
        let pay = async |amount: u32| {
            let form = format!("currency=eur&payment_method=pm_card_visa&confirm=true&amount={amount}");
            send(&server, "/v1/payment_intents", &form, &[("prefer", "respond-async")])
                .await
                .text("/id")
                .to_owned()
        };
        let payment = async |id: &str| server.get(&format!("/v1/payment_intents/{id}")).await.1;
        let commands = async || counter(&server, "paystorm_commands_total").await;

        let before = commands().await;
        let late = pay(1001).await;
        // The submission, the timeout, and the real answer, which nobody waits for.
        until("the late answer has come", async || (commands().await >= before + 3).then_some(())).await;
        let done = until("it is tried again", async || {
            let payment = payment(&late).await;
            (payment["status"] == "succeeded").then_some(payment)
        })
        .await;
        let succeeded =
            |payment: &Value| events(payment).iter().filter(|event| **event == "succeeded").count();
        assert_eq!(succeeded(&done), 1, "{done}");
        let (timeline, at) = (events(&done), |name| events(&done).iter().position(|event| *event == name));
        assert!(at("retry_scheduled") < at("requeued") && at("requeued") < at("succeeded"), "{timeline:?}");

        let before = commands().await;
        let twice = pay(1002).await;
        until("the answer has come twice", async || (commands().await >= before + 3).then_some(())).await;
        let done = payment(&twice).await;
        assert_eq!((done["status"].as_str(), succeeded(&done)), (Some("succeeded"), 1), "{done}");
        let (_, balance) = server.get("/v1/balance").await;
        assert_eq!(balance["available"][0]["amount"], 2003, "{balance}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_acquirer_lets_payments_wait_and_refuses_what_is_too_much() {
    let scenario = "[[acquirer]]\nname = \"bank\"\nlatency = { fixed_ms = 1 }\ntimeout_ms = 50\n\
                    capacity_per_s = 10\nqueue_max = 3\n";
    let retries = |settings: &mut Settings| settings.engine.retry_delays_ms = vec![600_000];
    under(scenario, retries, |server| async move {
        let begun = Instant::now();
        let pay = async || send(&server, "/v1/payment_intents", CHARGE, &[("prefer", "respond-async")]).await;
        let answers = futures_util::future::join_all((0..12).map(|_| pay())).await;
        let mut ends = Vec::new();
        for answer in &answers {
            let path = format!("/v1/payment_intents/{}", answer.text("/id"));
            ends.push(
                until("an answer", async || {
                    let (_, payment) = server.get(&path).await;
                    let last = events(&payment).last().copied().unwrap_or_default().to_owned();
                    ["succeeded", "retry_scheduled"].contains(&last.as_str()).then_some(last)
                })
                .await,
            );
        }
        // One is served at once, three wait for 100 ms each, and whoever comes before the first of them has gone is refused.
        let served = ends.iter().filter(|end| *end == "succeeded").count();
        assert!((4..12).contains(&served), "{ends:?}");
        assert!(begun.elapsed() >= Duration::from_millis(300), "they waited, and no timeout counted it");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_may_ask_for_its_outcome() {
    with(Stack::Embedded, |_| {}, |server| async move {
        let intents = "/v1/payment_intents";
        let declined = send(&server, intents, CHARGE, &[("Paystorm-Outcome", "decline:lost_card")]).await;
        assert_eq!((declined.status, declined.text("/error/decline_code")), (402, "lost_card"), "{declined:?}");
        let kept = declined.text("/error/payment_intent/metadata/paystorm_outcome");
        assert_eq!(kept, "decline:lost_card", "{declined:?}");
        let card = "amount=1250&currency=eur&confirm=true&payment_method=pm_card_chargeDeclined";
        let approved = send(&server, intents, &format!("{card}&metadata[paystorm_outcome]=approved"), &[]).await;
        assert_eq!((approved.status, approved.text("/status")), (200, "succeeded"), "{approved:?}");
        let topup = "amount=1250&currency=eur&source=pm_card_visa&metadata[paystorm_outcome]=decline:expired_card";
        assert_eq!(send(&server, "/v1/topups", topup, &[]).await.status, 402);

        // An update decides about what comes next.
        let (id, update) = (approved.text("/id"), "metadata[paystorm_outcome]=decline:account_closed");
        assert_eq!(send(&server, &format!("{intents}/{id}"), update, &[]).await.status, 200);
        let refund = send(&server, "/v1/refunds", &format!("payment_intent={id}"), &[]).await;
        assert_eq!((refund.status, refund.text("/status")), (200, "failed"), "{refund:?}");

        // What cannot be read is refused, under the name that it was sent by.
        let wrong = [("Paystorm-Outcome", "maybe")];
        let invalid = |param| (400, "invalid_request_error", "parameter_invalid_string", param);
        assert_eq!(send(&server, intents, CHARGE, &wrong).await.error(), invalid("Paystorm-Outcome"));
        let by_metadata = format!("{CHARGE}&metadata[paystorm_outcome]=approved,approved");
        let field = "metadata[paystorm_outcome]";
        assert_eq!(send(&server, intents, &by_metadata, &[]).await.error(), invalid(field));
        let update = send(&server, &format!("{intents}/{id}"), "metadata[paystorm_outcome]=no", &[]).await;
        assert_eq!(update.error(), invalid(field));
        let refund = send(&server, "/v1/refunds", &format!("payment_intent={id}"), &wrong).await;
        let not_there = (400, "invalid_request_error", "parameter_not_offered", "Paystorm-Outcome");
        assert_eq!(refund.error(), not_there);
    })
    .await;
}
