//! A store under pressure, seen by those who pay: requests at the limit of what is admitted among others, and a MySQL
//! server that freezes or dies under load. What is asserted does not depend on the machine; what is measured is printed.
//! `PAYSTORM_TEST_FREEZE_S` and `PAYSTORM_TEST_INSTANCES` (`1,2,3`) make it longer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use super::outage::OwnServices;
use crate::support::binary::{Services, Stack, eventually, on_services};

const RATE: u32 = 300;
/// A guard against hanging, many times what a caller may wait.
const GUARD: Duration = Duration::from_secs(20);

/// One request and what came of it.
struct Attempt {
    key: String,
    url: String,
    at: Instant,
    waited: Duration,
    /// None: the connection broke.
    status: Option<u16>,
    text: String,
}

/// Callers that pay at a steady rate, whatever comes of it.
struct Callers {
    stop: Arc<AtomicBool>,
    attempts: Arc<Mutex<Vec<Attempt>>>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Clone)]
struct Caller {
    http: reqwest::Client,
    secret: String,
}

impl Caller {
    fn new(secret: &str) -> Self {
        // The server closes what is idle for five seconds; a request that reuses a connection at that very moment gets no answer.
        let idle = Duration::from_secs(2);
        let http = reqwest::Client::builder().no_proxy().timeout(GUARD).pool_idle_timeout(idle);
        let http = http.build().expect("a client");
        Self { http, secret: secret.to_owned() }
    }

    async fn pay(&self, url: &str, key: String, further: &str) -> Attempt {
        let at = Instant::now();
        let body = format!("amount=1250&currency=eur&payment_method=pm_card_visa&confirm=true{further}");
        let request = self
            .http
            .post(format!("{url}/v1/payment_intents"))
            .bearer_auth(&self.secret)
            .header("idempotency-key", &key)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("prefer", "respond-async")
            .body(body);
        let (status, text) = match request.send().await {
            Ok(response) => (Some(response.status().as_u16()), response.text().await.unwrap_or_default()),
            Err(error) => (None, error.to_string()),
        };
        Attempt { key, url: url.to_owned(), at, waited: at.elapsed(), status, text }
    }
}

impl Callers {
    fn start(urls: Vec<String>, secret: &str, rate: u32, name: &'static str, further: String) -> Self {
        let (stop, attempts) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let (stopped, kept, caller) = (Arc::clone(&stop), Arc::clone(&attempts), Caller::new(secret));
        let further: Arc<str> = further.into();
        let task = tokio::spawn(async move {
            let mut tick = tokio::time::interval(Duration::from_secs(1) / rate);
            let mut paying = tokio::task::JoinSet::new();
            for n in 0.. {
                tick.tick().await;
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                let (caller, kept, further) = (caller.clone(), Arc::clone(&kept), Arc::clone(&further));
                let url = urls[n % urls.len()].clone();
                paying.spawn(async move {
                    let attempt = caller.pay(&url, format!("{name}-{n}"), &further).await;
                    kept.lock().await.push(attempt);
                });
            }
            while paying.join_next().await.is_some() {}
        });
        Self { stop, attempts, task }
    }

    async fn finish(self) -> Vec<Attempt> {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.expect("no panic");
        std::mem::take(&mut *self.attempts.lock().await)
    }
}

fn quantile(attempts: &[&Attempt], share: f64) -> Duration {
    let mut waited: Vec<Duration> = attempts.iter().map(|attempt| attempt.waited).collect();
    waited.sort_unstable();
    let last = waited.len().saturating_sub(1);
    #[expect(clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "a share of a small number")]
    let at = (last as f64 * share).round() as usize;
    waited.get(at).copied().unwrap_or_default()
}

fn figures(what: &str, attempts: &[&Attempt]) {
    let count = |status| attempts.iter().filter(|attempt| attempt.status == status).count();
    println!(
        "{what}: {} answered 202 {}, 503 {}, none {}; p50 {:?}, p99 {:?}, longest {:?}",
        attempts.len(),
        count(Some(202)),
        count(Some(503)),
        count(None),
        quantile(attempts, 0.5),
        quantile(attempts, 0.99),
        quantile(attempts, 1.0)
    );
}

/// The limits of time that users have, instead of those of tests.
fn as_users_have(stack: &Stack) {
    stack.set("engine.answer_within_ms", 2_000);
    stack.set("store.answer_within_ms", 1_500);
    stack.set("simulator.latency_median_ms", 20);
    stack.set("requests.log", false);
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// Fifty pairs of metadata as long as they may be, percent-encoded within the limit of a body.
fn at_the_limit() -> String {
    let wide = |count: usize| "%F0%9F%A6%80".repeat(count);
    let mut body = format!("&description={}", wide(1_000));
    for n in 0..50 {
        body.push_str(&format!("&metadata[{}{n:02}]={}", "k".repeat(38), wide(500)));
    }
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_at_the_limit_stop_nobody_else() {
    let seconds = number("PAYSTORM_TEST_PRESSURE_S", 5);
    on_services(Services::shared(), async |stack| {
        stack.set("server.body_max_bytes", 1 << 20);
        stack.set("requests.log", false);
        let server = stack.serve().await;
        let secret = stack.api_key().await;
        let urls = || vec![server.url.clone()];
        let without = Callers::start(urls(), &secret, RATE, "without", String::new());
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        let without = without.finish().await;
        let large = Callers::start(urls(), &secret, 10, "large", at_the_limit());
        let with = Callers::start(urls(), &secret, RATE, "with", String::new());
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        let (with, large) = (with.finish().await, large.finish().await);
        for (what, attempts) in [("without", &without), ("with", &with), ("at the limit", &large)] {
            let attempts: Vec<&Attempt> = attempts.iter().collect();
            figures(what, &attempts);
            let refused = attempts.iter().find(|attempt| attempt.status != Some(202));
            assert!(
                refused.is_none(),
                "{what}: {:?}",
                refused.map(|attempt| (attempt.status, &attempt.text))
            );
        }
        eventually("all come to rest", async || stack.unfinished().await == 0).await;
        println!("{}", stack.verify(&[], true).await);
        server.stop().await;
    })
    .await;
}

/// Updates a payment with metadata at the limit, one request after another, until it may be updated no more.
async fn amended(url: &str, secret: &str) -> (usize, usize) {
    let caller = Caller::new(secret);
    let made = caller.pay(url, "amended".to_owned(), "&capture_method=manual").await;
    let made: serde_json::Value = serde_json::from_str(&made.text).expect("JSON");
    let path = format!("{url}/v1/payment_intents/{}", made["id"].as_str().expect("an id"));
    let limit = at_the_limit();
    let metadata = limit.find("&metadata").map_or("", |at| &limit[at..]);
    let (mut taken, mut refused) = (0, 0);
    for n in 0..101 {
        let body = format!("description={n}{metadata}");
        let request = caller.http.post(&path).bearer_auth(secret);
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        match request.send().await.expect("an answer").status().as_u16() {
            200 => taken += 1,
            400 => refused += 1,
            other => panic!("update {n}: {other}"),
        }
    }
    (taken, refused)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_updated_a_hundred_times_at_the_limit_stops_nobody_else() {
    let seconds = number("PAYSTORM_TEST_PRESSURE_S", 5);
    on_services(Services::shared(), async |stack| {
        stack.set("server.body_max_bytes", 1 << 20);
        stack.set("requests.log", false);
        let server = stack.serve().await;
        let secret = stack.api_key().await;
        let urls = || vec![server.url.clone()];
        let without = Callers::start(urls(), &secret, RATE, "without", String::new());
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        let without = without.finish().await;
        let with = Callers::start(urls(), &secret, RATE, "with", String::new());
        let (taken, refused) = amended(&server.url, &secret).await;
        let with = with.finish().await;
        assert_eq!((taken, refused), (100, 1));
        for (what, attempts) in [("without", &without), ("beside updates", &with)] {
            let attempts: Vec<&Attempt> = attempts.iter().collect();
            figures(what, &attempts);
            assert!(attempts.iter().all(|attempt| attempt.status == Some(202)), "{what}");
        }
        eventually("all come to rest", async || stack.unfinished().await == 0).await;
        println!("{}", stack.verify(&[], false).await);
        server.stop().await;
    })
    .await;
}

/// What happens to MySQL.
#[derive(Debug, Clone, Copy)]
enum Blow {
    Freeze,
    Kill,
}

async fn under(blow: Blow, instances: usize, services: &OwnServices) {
    let away = Duration::from_secs(number("PAYSTORM_TEST_FREEZE_S", 5));
    on_services(services.addresses_of_mysql(), async |stack| {
        as_users_have(&stack);
        stack.set("instances", instances);
        let (status, text) = stack.run(&["migrate"], "").await;
        assert!(status.success(), "migrate: {text}");
        let secret = stack.api_key().await;
        let mut servers = Vec::new();
        for _ in 0..instances {
            servers.push(stack.serve().await);
        }
        let urls: Vec<String> = servers.iter().map(|server| server.url.clone()).collect();
        let callers = Callers::start(urls, &secret, RATE, "caller", String::new());
        tokio::time::sleep(Duration::from_secs(3)).await;
        let (began, back) = match blow {
            Blow::Freeze => {
                let pid = services.mysql_pid();
                let signal = |name: &str| {
                    let sent = std::process::Command::new("kill").args(["-s", name, &pid]).status();
                    assert!(sent.expect("kill runs").success());
                    Instant::now()
                };
                let began = signal("STOP");
                tokio::time::sleep(away).await;
                (began, signal("CONT"))
            }
            Blow::Kill => {
                let began = Instant::now();
                services.run(&["stop", "mysql", "KILL"]);
                tokio::time::sleep(away).await;
                services.run(&["start", "mysql"]);
                (began, Instant::now())
            }
        };
        // It must come back to what it did before, whenever.
        let paid = |attempt: &Attempt| attempt.status == Some(202) && attempt.at > back;
        eventually("it is paid again", async || callers.attempts.lock().await.iter().any(paid)).await;
        tokio::time::sleep(Duration::from_secs(6)).await;
        let attempts = callers.finish().await;
        report(blow, instances, &attempts, began, back);
        check_truth(&secret, &attempts).await;
        eventually("all come to rest", async || stack.unfinished().await == 0).await;
        println!("{}", stack.verify(&[], true).await);
        for server in servers {
            server.stop().await;
        }
    })
    .await;
}

fn report(blow: Blow, instances: usize, attempts: &[Attempt], began: Instant, back: Instant) {
    let of = |from: Option<Instant>, to: Option<Instant>| -> Vec<&Attempt> {
        attempts
            .iter()
            .filter(|attempt| {
                from.is_none_or(|from| attempt.at >= from) && to.is_none_or(|to| attempt.at < to)
            })
            .collect()
    };
    println!("{blow:?}, {instances} instances, away for {:?}", back - began);
    figures("  before", &of(None, Some(began)));
    figures("  during it", &of(Some(began), Some(back)));
    figures("  the first second after", &of(Some(back), Some(back + Duration::from_secs(1))));
    figures(
        "  the second after",
        &of(Some(back + Duration::from_secs(1)), Some(back + Duration::from_secs(2))),
    );
    figures("  later", &of(Some(back + Duration::from_secs(2)), None));
    let all: Vec<&Attempt> = attempts.iter().collect();
    assert!(quantile(&all, 1.0) < GUARD, "a caller waited {:?}", quantile(&all, 1.0));
    let lost = attempts.iter().find(|attempt| !matches!(attempt.status, Some(202 | 503)));
    assert!(lost.is_none(), "{:?}", lost.map(|attempt| (attempt.status, &attempt.text)));
}

/// A caller who was answered that nothing was changed sends the same again, and it counts as the first time.
async fn check_truth(secret: &str, attempts: &[Attempt]) {
    let caller = Caller::new(secret);
    let refused = attempts
        .iter()
        .filter(|attempt| attempt.status == Some(503) && attempt.text.contains("othing was changed"));
    let mut asked = 0;
    for attempt in refused.step_by(11).take(300) {
        let request = caller
            .http
            .post(format!("{}/v1/payment_intents", attempt.url))
            .bearer_auth(&caller.secret)
            .header("idempotency-key", &attempt.key)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("prefer", "respond-async")
            .body("amount=1250&currency=eur&payment_method=pm_card_visa&confirm=true");
        let response = request.send().await.expect("an answer");
        assert!(response.headers().get("idempotent-replayed").is_none(), "{} was done", attempt.key);
        assert_eq!(response.status(), 202, "{}", attempt.key);
        asked += 1;
    }
    println!(
        "  {asked} of those who were answered that nothing was changed sent it again: all for the first time"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_a_mysql_that_is_frozen_or_killed() {
    let services = OwnServices::mysql();
    let instances = std::env::var("PAYSTORM_TEST_INSTANCES").unwrap_or_else(|_| "2".to_owned());
    for instances in instances.split(',').map(|count| count.parse().expect("a number")) {
        for blow in [Blow::Freeze, Blow::Kill] {
            under(blow, instances, &services).await;
        }
    }
}
