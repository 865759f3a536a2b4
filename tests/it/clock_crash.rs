//! Many authorizations under one test clock that is set forward by eight days, with a kill -9 on the way: each lapses exactly once, at
//! the very time, and nothing of another clock moves.

use paystorm::domain::event::Event;
use paystorm::domain::ids::PaymentId;
use paystorm::domain::status::Status;
use paystorm::readers::index;
use serde_json::{Value, json};

use crate::support::binary::{Draw, Kind, Stack, eventually, lasting_port, on};
use crate::support::socket::Socket;

const BEGIN: i64 = 1_577_836_800;
const DAY: i64 = 86_400;
/// Payments in one frame.
const FRAME: usize = 500;

struct Api<'a> {
    url: &'a str,
    key: &'a str,
    http: reqwest::Client,
}

impl Api<'_> {
    async fn post(&self, path: &str, form: &str) -> Value {
        let request = self.http.post(format!("{}{path}", self.url)).bearer_auth(self.key);
        let request =
            request.header("content-type", "application/x-www-form-urlencoded").body(form.to_owned());
        request.send().await.expect("an answer").json().await.expect("JSON")
    }

    async fn get(&self, path: &str) -> Value {
        let request = self.http.get(format!("{}{path}", self.url)).bearer_auth(self.key);
        request.send().await.expect("an answer").json().await.expect("JSON")
    }
}

fn id(object: &Value) -> String {
    object["id"].as_str().unwrap_or_else(|| panic!("no id: {object}")).to_owned()
}

/// Charges of a customer, held; returns their ids.
async fn held(url: &str, key: &str, customer: &str, count: usize) -> Vec<PaymentId> {
    let mut paying = Socket::open(url, key).await;
    let payment = json!({
        "kind": "charge", "amount": 1250, "currency": "eur", "payment_method": "pm_card_visa",
        "capture_method": "manual", "customer": customer,
    });
    let mut ids = Vec::new();
    for frame in 0..count.div_ceil(FRAME) {
        let payments = vec![payment.clone(); FRAME.min(count - frame * FRAME)];
        let ack =
            paying.ask(json!({"type": "payment.submit_batch", "id": frame, "payments": payments})).await;
        for result in ack["results"].as_array().unwrap_or_else(|| panic!("{ack}")) {
            ids.push(id(&result["payment"]).parse().expect("an id"));
        }
    }
    ids
}

async fn count_with(stack: &Stack, status: Status, ids: &[PaymentId]) -> usize {
    let store = stack.store().await;
    let mut count = 0;
    for page in ids.chunks(500) {
        let found = store.payment_get(page).await.expect("read");
        count += found.iter().filter(|payment| payment.state().status == status).count();
    }
    count
}

async fn lapse_once(kind: Kind, count: usize) {
    let mut draw = Draw::new("clock");
    on(kind, async |stack| {
        stack.set("simulator.latency_median_ms", 0);
        stack.set("store.checkpoint_pages", 200);
        let port = lasting_port(&mut draw);
        let mut server = stack.serve_at(port).await;
        let key = stack.api_key().await;
        let url = server.url.clone();
        let api = Api { url: &url, key: &key, http: reqwest::Client::new() };
        let mut customers = Vec::new();
        for _ in 0..2 {
            let clock = api.post("/v1/test_helpers/test_clocks", &format!("frozen_time={BEGIN}")).await;
            let customer = api.post("/v1/customers", &format!("test_clock={}", id(&clock))).await;
            customers.push((id(&clock), id(&customer)));
        }
        let [(clock, customer), (_, other)] = &customers[..] else { panic!("two") };
        let ids = held(&url, &key, customer, count).await;
        let stays = held(&url, &key, other, 20).await;
        eventually("all are held", async || {
            count_with(&stack, Status::RequiresCapture, &ids).await == count
                && count_with(&stack, Status::RequiresCapture, &stays).await == stays.len()
        })
        .await;
        let path = format!("/v1/test_helpers/test_clocks/{clock}");
        let target = BEGIN + 8 * DAY;
        let advancing = api.post(&format!("{path}/advance"), &format!("frozen_time={target}")).await;
        assert_eq!(advancing["status"], "advancing", "{advancing}");
        let half = async || count_with(&stack, Status::Canceled, &ids).await > count / 4;
        let took = eventually("some have lapsed", half).await;
        server.kill();
        let lapsed = count_with(&stack, Status::Canceled, &ids).await;
        println!("{kind:?}: killed after {took:?}, {lapsed} of {count} lapsed");
        server = stack.serve_at(port).await;
        let began = std::time::Instant::now();
        eventually("the clock is there", async || api.get(&path).await["status"] == "ready").await;
        println!("{kind:?}: there after another {:?}", began.elapsed());
        assert_eq!(api.get(&path).await["frozen_time"], target);
        let store = stack.store().await;
        // The one that was killed may have held the lease of the index for a while.
        eventually("the index has read it all", async || {
            let head = store.head().await.expect("a head");
            let cursors = store.cursor_list().await.expect("cursors");
            cursors.iter().any(|(name, upto)| name == index::NAME && *upto >= head)
        })
        .await;
        server.stop().await;
        let at = (BEGIN + 7 * DAY) * 1_000_000;
        for page in ids.chunks(500) {
            for payment in store.payment_get(page).await.expect("read") {
                let ends = payment.history().iter().filter(|one| matches!(one.event, Event::Canceled { .. }));
                let ends: Vec<i64> = ends.map(|one| one.at.micros()).collect();
                assert_eq!(ends, [at], "{}", payment.id());
            }
        }
        assert_eq!(count_with(&stack, Status::RequiresCapture, &stays).await, stays.len());
        println!("{kind:?}: {}", stack.verify(&[], true).await);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_advance_lapses_each_once_embedded() {
    lapse_once(Kind::Embedded, 3_000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_advance_lapses_each_once_real() {
    lapse_once(Kind::Real, 3_000).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "too long for CI: scripts/soak.sh"]
async fn soak_clock_embedded() {
    lapse_once(Kind::Embedded, 100_000).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "too long for CI: scripts/soak.sh"]
async fn soak_clock_real() {
    lapse_once(Kind::Real, 100_000).await;
}
