//! Test clocks by the API: what follows one, how it is advanced, and what becomes of its payments when it is deleted.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::server::{self, Answer, Server, Stack, on_both_stacks};

on_both_stacks!(
    clocks_are_made_set_forward_and_deleted,
    what_is_wrong_with_a_clock_is_named,
    what_follows_a_clock_lapses_by_it,
    a_frozen_clock_still_tries_a_technical_error_again,
    a_clock_that_runs_brings_what_is_due,
    what_followed_a_deleted_clock_follows_the_wall_clock,
    an_account_has_a_hundred_clocks_at_most,
    changes_of_clocks_are_repeated_byte_for_byte,
    a_transfer_between_two_clocks_has_a_time_on_each_side,
    what_a_closed_account_had_on_a_clock_follows_the_wall_clock,
    lists_within_bounds_of_time_find_what_follows_a_clock,
);

const CLOCKS: &str = "/v1/test_helpers/test_clocks";
/// 2020-01-01.
const BEGIN: i64 = 1_577_836_800;
const DAY: i64 = 86_400;

async fn send(server: &Server, method: &str, path: &str, form: &str) -> Answer {
    server.send(method, path, form, &[]).await
}

async fn post(server: &Server, path: &str, form: &str) -> Value {
    let answer = send(server, "POST", path, form).await;
    assert_eq!(answer.status, 200, "{path} {form}: {answer:?}");
    answer.body
}

fn id(object: &Value) -> &str {
    object["id"].as_str().expect("an id")
}

fn path(clock: &Value) -> String {
    format!("{CLOCKS}/{}", id(clock))
}

async fn clock_at(server: &Server, at: i64) -> Value {
    post(server, CLOCKS, &format!("frozen_time={at}&name=billing")).await
}

async fn customer(server: &Server, clock: &Value) -> Value {
    post(server, "/v1/customers", &format!("name=Ann&test_clock={}", id(clock))).await
}

/// A charge of a customer, held until it is captured.
async fn held(server: &Server, customer: &Value) -> Value {
    let form = "amount=500&currency=eur&confirm=true&payment_method=pm_card_visa&capture_method=manual";
    let charge = post(server, "/v1/payment_intents", &format!("{form}&customer={}", id(customer))).await;
    assert_eq!(charge["status"], "requires_capture", "{charge}");
    charge
}

/// Reads a thing until it is as it should be.
async fn until(server: &Server, path: &str, fits: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let (_, found) = server.get(path).await;
        if fits(&found) {
            return found;
        }
        assert!(Instant::now() < deadline, "{path}: {found}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn advance(server: &Server, clock: &Value, to: i64) -> Value {
    let advancing = post(server, &format!("{}/advance", path(clock)), &format!("frozen_time={to}")).await;
    assert_eq!(advancing["status"], "advancing", "{advancing}");
    assert_eq!(advancing["status_details"]["advancing"]["target_frozen_time"], to);
    let ready = until(server, &path(clock), |clock| clock["status"] == "ready").await;
    assert_eq!(ready["frozen_time"], to);
    ready
}

async fn payment(server: &Server, payment: &Value) -> Value {
    server.get(&format!("/v1/payment_intents/{}", id(payment))).await.1
}

async fn clocks_are_made_set_forward_and_deleted(server: Arc<Server>) {
    let clock = clock_at(&server, BEGIN).await;
    let created = clock["created"].as_i64().expect("a time");
    let expected = json!({
        "id": clock["id"], "object": "test_helpers.test_clock", "created": created,
        "deletes_after": created + 30 * DAY, "frozen_time": BEGIN, "livemode": false, "name": "billing",
        "paystorm": {"speed": 0, "since": clock["paystorm"]["since"]}, "status": "ready", "status_details": {},
    });
    assert_eq!(clock, expected);
    let (status, shown) = server.get(&path(&clock)).await;
    assert_eq!((status, &shown["frozen_time"]), (200, &json!(BEGIN)));
    advance(&server, &clock, BEGIN + DAY).await;
    let running = post(&server, &path(&clock), "speed=1000").await;
    assert_eq!(
        (&running["paystorm"]["speed"], &running["frozen_time"]),
        (&json!(1_000), &json!(BEGIN + DAY))
    );
    until(&server, &path(&clock), |clock| clock["frozen_time"].as_i64() > Some(BEGIN + DAY + 100)).await;
    let frozen = post(&server, &path(&clock), "speed=0").await;
    assert_eq!(server.get(&path(&clock)).await.1["frozen_time"], frozen["frozen_time"]);
    let other = clock_at(&server, BEGIN - DAY).await;
    let (_, list) = server.get(CLOCKS).await;
    let ids: Vec<&Value> =
        list["data"].as_array().expect("a list").iter().map(|clock| &clock["id"]).collect();
    assert_eq!(ids, [&other["id"], &clock["id"]]);
    let deleted = json!({"id": clock["id"], "object": "test_helpers.test_clock", "deleted": true});
    assert_eq!(send(&server, "DELETE", &path(&clock), "").await.body, deleted);
    assert_eq!(server.get(&path(&clock)).await, (200, deleted));
    let again = send(&server, "POST", &format!("{}/advance", path(&clock)), "frozen_time=1900000000").await;
    assert_eq!(again.error(), (404, "invalid_request_error", "resource_missing", "id"));
    let foreign = server.send_as(&server.other_key, "GET", &path(&other), "", &[]).await;
    assert_eq!(foreign.status, 404, "{foreign:?}");
}

async fn what_is_wrong_with_a_clock_is_named(server: Arc<Server>) {
    let clock = clock_at(&server, BEGIN).await;
    let long = format!("frozen_time=1&name={}", "x".repeat(301));
    let advance = format!("{}/advance", path(&clock));
    let (here, back, far) = (
        format!("frozen_time={BEGIN}"),
        format!("frozen_time={}", BEGIN - 1),
        format!("frozen_time={}", BEGIN + 800 * DAY),
    );
    for (path, form, code, param) in [
        (CLOCKS, "", "parameter_missing", "frozen_time"),
        (CLOCKS, "frozen_time=soon", "parameter_invalid_integer", "frozen_time"),
        (CLOCKS, "frozen_time=-1", "parameter_invalid_integer", "frozen_time"),
        (CLOCKS, "frozen_time=99999999999", "parameter_invalid_integer", "frozen_time"),
        (CLOCKS, long.as_str(), "parameter_invalid_string", "name"),
        (CLOCKS, "frozen_time=1&colour=red", "parameter_unknown", "colour"),
        (&advance, "", "parameter_missing", "frozen_time"),
        (&advance, &here, "test_clock_backwards", "frozen_time"),
        (&advance, &back, "test_clock_backwards", "frozen_time"),
        (&advance, &far, "test_clock_too_far", "frozen_time"),
        (&path(&clock), "", "parameter_missing", "speed"),
        (&path(&clock), "speed=1001", "parameter_invalid_integer", "speed"),
        (&path(&clock), "speed=-1", "parameter_invalid_integer", "speed"),
        ("/v1/customers", "test_clock=clock_0000000000000000000000", "resource_missing", "test_clock"),
    ] {
        let answer = send(&server, "POST", path, form).await;
        let (status, kind, found, about) = answer.error();
        assert_eq!((kind, found, about), ("invalid_request_error", code, param), "{path} {form}");
        assert!(status == 400 || status == 404, "{path} {form}: {status}");
    }
    let form = format!("test_clock={}", id(&clock));
    let foreign = server.send_as(&server.other_key, "POST", "/v1/customers", &form, &[]).await;
    let missing = (400, "invalid_request_error", "resource_missing", "test_clock");
    assert_eq!(foreign.error(), missing, "it is somebody else's");
}

async fn what_follows_a_clock_lapses_by_it(server: Arc<Server>) {
    let (clock, other) = (clock_at(&server, BEGIN).await, clock_at(&server, BEGIN).await);
    let (ann, bob) = (customer(&server, &clock).await, customer(&server, &other).await);
    assert_eq!((&ann["created"], &ann["test_clock"]), (&json!(BEGIN), &clock["id"]));
    let plain = post(&server, "/v1/customers", "name=Zoe").await;
    let listed = async |query: &str| {
        let (_, list) = server.get(&format!("/v1/customers{query}")).await;
        list["data"].as_array().expect("a list").iter().map(|one| one["id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(listed("").await, [plain["id"].clone()], "hidden from plain lists");
    assert_eq!(listed(&format!("?test_clock={}", id(&clock))).await, [ann["id"].clone()]);
    let (lapses, stays, unclocked) =
        (held(&server, &ann).await, held(&server, &bob).await, held(&server, &plain).await);
    assert_eq!(lapses["created"], BEGIN);
    let captured = held(&server, &ann).await;
    advance(&server, &clock, BEGIN + DAY).await;
    let taken = post(&server, &format!("/v1/payment_intents/{}/capture", id(&captured)), "").await;
    assert_eq!(taken["status"], "succeeded");
    advance(&server, &clock, BEGIN + 8 * DAY).await;
    let lapsed = payment(&server, &lapses).await;
    assert_eq!(
        (&lapsed["status"], &lapsed["cancellation_reason"], &lapsed["canceled_at"]),
        (&json!("canceled"), &json!("automatic"), &json!(BEGIN + 7 * DAY)),
        "by its clock, at the very time: {lapsed}"
    );
    assert_eq!(payment(&server, &captured).await["status"], "succeeded");
    for untouched in [&stays, &unclocked] {
        assert_eq!(payment(&server, untouched).await["status"], "requires_capture");
    }
    let refund = post(&server, "/v1/refunds", &format!("payment_intent={}", id(&captured))).await;
    assert_eq!(refund["created"], BEGIN + 8 * DAY);
}

async fn a_frozen_clock_still_tries_a_technical_error_again(server: Arc<Server>) {
    let clock = clock_at(&server, BEGIN).await;
    let ann = customer(&server, &clock).await;
    let form = "amount=1250&currency=eur&confirm=true&payment_method=pm_card_paystorm_technicalErrorTwice";
    let answer = send(&server, "POST", "/v1/payment_intents", &format!("{form}&customer={}", id(&ann))).await;
    let paid = format!("/v1/payment_intents/{}", answer.text("/id"));
    // Whatever waits for its next attempt stops the clock, and keeps callers from what follows it.
    let to = BEGIN + DAY;
    let advancing = post(&server, &format!("{}/advance", path(&clock)), &format!("frozen_time={to}")).await;
    assert_eq!(advancing["status"], "advancing");
    let (found, on_its_way) = (server.get(&paid).await.1, server.get(&path(&clock)).await.1);
    if found["status"] == "processing" && on_its_way["status"] == "advancing" {
        let refused = send(&server, "POST", &format!("/v1/customers/{}", id(&ann)), "name=Anna").await;
        if server.get(&path(&clock)).await.1["status"] == "advancing" {
            assert_eq!(refused.error(), (429, "invalid_request_error", "lock_timeout", ""), "{refused:?}");
        }
    }
    let found = until(&server, &paid, |found| found["status"] == "succeeded").await;
    let times = found["paystorm"]["timeline"].as_array().expect("a timeline");
    assert!(times.iter().all(|entry| entry["at_us"] == BEGIN * 1_000_000), "{found}");
    until(&server, &path(&clock), |clock| clock["status"] == "ready").await;
}

async fn a_clock_that_runs_brings_what_is_due(server: Arc<Server>) {
    let clock = clock_at(&server, BEGIN).await;
    let ann = customer(&server, &clock).await;
    let charge = held(&server, &ann).await;
    advance(&server, &clock, BEGIN + 7 * DAY - 1_000).await;
    assert_eq!(payment(&server, &charge).await["status"], "requires_capture");
    post(&server, &path(&clock), "speed=1000").await;
    let shown = format!("/v1/payment_intents/{}", id(&charge));
    let lapsed = until(&server, &shown, |found| found["status"] == "canceled").await;
    assert_eq!(lapsed["canceled_at"], BEGIN + 7 * DAY, "however late anybody looked");
}

async fn what_followed_a_deleted_clock_follows_the_wall_clock(server: Arc<Server>) {
    let clock = clock_at(&server, BEGIN).await;
    let ann = customer(&server, &clock).await;
    let charge = held(&server, &ann).await;
    assert_eq!(send(&server, "DELETE", &path(&clock), "").await.status, 200);
    // Seven days after 2020 began are long over.
    let shown = format!("/v1/payment_intents/{}", id(&charge));
    until(&server, &shown, |found| found["status"] == "canceled").await;
    for (method, path, form) in [
        ("POST", format!("/v1/customers/{}", id(&ann)), "name=Anna"),
        ("DELETE", format!("/v1/customers/{}", id(&ann)), ""),
    ] {
        let gone = send(&server, method, &path, form).await;
        assert_eq!(gone.error(), (404, "invalid_request_error", "resource_missing", "id"), "{method}");
    }
    let deleted = json!({"id": ann["id"], "object": "customer", "deleted": true});
    assert_eq!(server.get(&format!("/v1/customers/{}", id(&ann))).await, (200, deleted));
    let form =
        format!("amount=500&currency=eur&confirm=true&payment_method=pm_card_visa&customer={}", id(&ann));
    let refused = send(&server, "POST", "/v1/payment_intents", &form).await;
    assert_eq!(refused.error(), (400, "invalid_request_error", "resource_missing", "customer"));
    let list = send(&server, "GET", &format!("/v1/customers?test_clock={}", id(&clock)), "").await;
    assert_eq!(list.error().2, "resource_missing");

    // One that is ahead of the wall clock does not take its payments back.
    let ahead = clock_at(&server, 4_000_000_000).await;
    let bob = customer(&server, &ahead).await;
    let charge = held(&server, &bob).await;
    send(&server, "DELETE", &path(&ahead), "").await;
    let taken = post(&server, &format!("/v1/payment_intents/{}/capture", id(&charge)), "").await;
    let times = taken["paystorm"]["timeline"].as_array().expect("a timeline");
    assert!(times.iter().all(|entry| entry["at_us"].as_i64() >= Some(4_000_000_000_000_000)), "{taken}");
}

async fn an_account_has_a_hundred_clocks_at_most(server: Arc<Server>) {
    let first = clock_at(&server, BEGIN).await;
    for n in 1..100 {
        clock_at(&server, BEGIN + n).await;
    }
    let one_too_many = send(&server, "POST", CLOCKS, "frozen_time=1").await;
    let (status, _, code, _) = one_too_many.error();
    assert_eq!((status, code), (400, "test_clocks_exceeded"), "{one_too_many:?}");
    send(&server, "DELETE", &path(&first), "").await;
    clock_at(&server, BEGIN).await;
}

async fn changes_of_clocks_are_repeated_byte_for_byte(server: Arc<Server>) {
    let keyed = async |path: &str, form: &str, key: &str| {
        server.send("POST", path, form, &[("idempotency-key", key)]).await
    };
    let made = keyed(CLOCKS, "frozen_time=1577836800", "make").await;
    let again = keyed(CLOCKS, "frozen_time=1577836800", "make").await;
    assert_eq!((made.status, made.replayed, again.replayed), (200, false, true), "{made:?}");
    assert_eq!(made.body, again.body);
    let advance = format!("{}/advance", path(&made.body));
    let set = keyed(&advance, "frozen_time=1577836900", "advance").await;
    until(&server, &path(&made.body), |clock| clock["status"] == "ready").await;
    let again = keyed(&advance, "frozen_time=1577836900", "advance").await;
    assert_eq!((again.status, again.replayed), (200, true), "{again:?}");
    assert_eq!(set.body, again.body, "as it was answered then");
    let other = keyed(&advance, "frozen_time=1577836901", "advance").await;
    assert_eq!(other.error().1, "idempotency_error");
}

async fn set_clock(server: &Server, key: &str, clock: &str) -> Answer {
    server.send_as(key, "POST", "/v1/account", &format!("test_clock={clock}"), &[]).await
}

async fn a_transfer_between_two_clocks_has_a_time_on_each_side(server: Arc<Server>) {
    let late = BEGIN + 400 * DAY;
    let clock = clock_at(&server, BEGIN).await;
    let other = server.send_as(&server.other_key, "POST", CLOCKS, &format!("frozen_time={late}"), &[]).await;
    let foreign = set_clock(&server, &server.key, id(&other.body)).await;
    let missing = (400, "invalid_request_error", "resource_missing", "test_clock");
    assert_eq!(foreign.error(), missing, "it is somebody else's");
    let set = set_clock(&server, &server.key, id(&clock)).await;
    assert_eq!((set.status, set.text("/test_clock")), (200, id(&clock)), "{set:?}");
    assert_eq!(set_clock(&server, &server.other_key, id(&other.body)).await.status, 200);
    let payee = server.send_as(&server.other_key, "GET", "/v1/account", "", &[]).await.text("/id").to_owned();
    post(&server, "/v1/topups", "amount=900&currency=eur&payment_method=pm_card_bypassPending").await;
    let sent = post(&server, "/v1/transfers", &format!("amount=400&currency=eur&destination={payee}")).await;
    assert_eq!(sent["created"], BEGIN, "by the sender's clock");
    let settled = format!("/v1/transfers/{}", id(&sent));
    until(&server, &settled, |sent| sent["paystorm"]["status"] == "succeeded").await;
    let newest = async |key: &str| {
        let list = server.send_as(key, "GET", "/v1/balance_transactions?limit=1", "", &[]).await;
        list.body["data"][0].clone()
    };
    let (left, arrived) = (newest(&server.key).await, newest(&server.other_key).await);
    for (line, amount, at) in [(&left, -400, BEGIN), (&arrived, 400, late)] {
        assert_eq!(
            (&line["amount"], &line["created"], &line["available_on"]),
            (&json!(amount), &json!(at), &json!(at)),
            "{line}"
        );
    }
    // What the account makes follows real time again.
    assert_eq!(set_clock(&server, &server.key, "").await.body["test_clock"], json!(null));
    let plain = post(&server, "/v1/payment_intents", "amount=500&currency=eur").await;
    assert!(plain["created"].as_i64() > Some(1_700_000_000), "{plain}");
    let missing = server.send_as(&server.key, "POST", "/v1/account", "", &[]).await;
    assert_eq!(missing.error(), (400, "invalid_request_error", "parameter_missing", "test_clock"));
}

async fn what_a_closed_account_had_on_a_clock_follows_the_wall_clock(server: Arc<Server>) {
    let made = post(&server, "/v1/test_helpers/accounts", "name=Throw-away").await;
    let key = made["secret_key"].as_str().expect("a key").to_owned();
    let send = async |path: &str, form: &str| {
        let answer = server.send_as(&key, "POST", path, form, &[]).await;
        assert_eq!(answer.status, 200, "{path} {form}: {answer:?}");
        answer.body
    };
    let clock = send(CLOCKS, &format!("frozen_time={BEGIN}")).await;
    send("/v1/account", &format!("test_clock={}", id(&clock))).await;
    let form = "amount=500&currency=eur&confirm=true&payment_method=pm_card_visa&capture_method=manual";
    let charge = send("/v1/payment_intents", form).await;
    assert_eq!((&charge["created"], &charge["status"]), (&json!(BEGIN), &json!("requires_capture")));
    let gone = server.send("DELETE", &format!("/v1/test_helpers/accounts/{}", id(&made)), "", &[]).await;
    assert_eq!(gone.status, 200, "{gone:?}");
    // It lapses by the wall clock, seven days after 2020 began.
    let id: paystorm::domain::ids::PaymentId = id(&charge).parse().expect("an id");
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let found = server.test.store.payment_one(id).await.expect("read").expect("there");
        if found.state().status == paystorm::domain::status::Status::Canceled {
            return;
        }
        assert!(Instant::now() < deadline, "{found:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// 2040-01-01.
const LATER: i64 = 2_208_988_800;

/// The ids on a page of a list, which are all there are.
async fn listed(server: &Server, path: &str, query: &str) -> Vec<String> {
    let (status, list) = server.get(&format!("{path}?{query}")).await;
    assert_eq!((status, &list["has_more"]), (200, &json!(false)), "{path}?{query}: {list}");
    list["data"].as_array().expect("a list").iter().map(|one| id(one).to_owned()).collect()
}

async fn lists_within_bounds_of_time_find_what_follows_a_clock(server: Arc<Server>) {
    let form = "amount=500&currency=eur&confirm=true&payment_method=pm_card_visa";
    // Intents, charges and refunds: by the wall clock, by a clock long ago, by one far ahead, and by the wall clock again.
    let mut made: [Vec<String>; 3] = Default::default();
    let mut customers = Vec::new();
    for begin in [None, Some(BEGIN), Some(LATER), None] {
        let customer = match begin {
            Some(begin) => Some(customer(&server, &clock_at(&server, begin).await).await),
            None => None,
        };
        let of = customer.as_ref().map_or_else(String::new, |customer| format!("&customer={}", id(customer)));
        let intent = post(&server, "/v1/payment_intents", &format!("{form}{of}")).await;
        assert_eq!(intent["status"], "succeeded", "{intent}");
        let refund = post(&server, "/v1/refunds", &format!("payment_intent={}", id(&intent))).await;
        for (made, id) in made.iter_mut().zip([&intent["id"], &intent["latest_charge"], &refund["id"]]) {
            made.push(id.as_str().expect("an id").to_owned());
        }
        customers.extend(customer);
    }
    for (path, made) in ["/v1/payment_intents", "/v1/charges", "/v1/refunds"].into_iter().zip(made) {
        let these = |which: &[usize]| which.iter().map(|n| made[*n].clone()).collect::<Vec<_>>();
        for (query, which) in [
            (format!("created={BEGIN}"), these(&[1])),
            (format!("created[lte]={BEGIN}"), these(&[1])),
            (format!("created[lt]={BEGIN}"), these(&[])),
            (format!("created[gte]={LATER}"), these(&[2])),
            (format!("created[gt]={LATER}"), these(&[])),
            (format!("created[gt]={BEGIN}&created[lt]={LATER}"), these(&[3, 0])),
            (format!("created[gt]={BEGIN}"), these(&[3, 2, 0])),
            (format!("created[lt]={LATER}"), these(&[3, 1, 0])),
            ("created[gte]=0".to_owned(), these(&[3, 2, 1, 0])),
            (format!("created[lt]={LATER}&starting_after={}", made[3]), these(&[1, 0])),
            (format!("created[gte]={BEGIN}&ending_before={}", made[1]), these(&[3, 2])),
        ] {
            assert_eq!(listed(&server, path, &query).await, which, "{path}?{query}");
        }
        // Page by page it is the same.
        let (mut paged, mut after) = (Vec::new(), String::new());
        loop {
            let (_, page) = server.get(&format!("{path}?created[gte]=0&limit=1{after}")).await;
            let Some(one) = page["data"].get(0) else { break };
            paged.push(id(one).to_owned());
            after = format!("&starting_after={}", id(one));
        }
        assert_eq!(paged, these(&[3, 2, 1, 0]), "{path}");
    }
    for (customer, begin) in customers.iter().zip([BEGIN, LATER]) {
        let query = format!("customer={}&created={begin}", id(customer));
        assert_eq!(listed(&server, "/v1/payment_intents", &query).await.len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn embedded_updates_wait_for_a_clock_on_its_way() {
    server::with(Stack::Embedded, |settings| settings.engine.retry_delays_ms = vec![3_600_000], updates_wait)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn real_updates_wait_for_a_clock_on_its_way() {
    server::with(Stack::Real, |settings| settings.engine.retry_delays_ms = vec![3_600_000], updates_wait)
        .await;
}

/// What waits for an hour keeps its clock advancing, and callers from what follows it; nothing that they asked for is done.
async fn updates_wait(server: Arc<Server>) {
    let clock = clock_at(&server, BEGIN).await;
    let ann = customer(&server, &clock).await;
    let charge = held(&server, &ann).await;
    let draft =
        post(&server, "/v1/payment_intents", &format!("amount=700&currency=eur&customer={}", id(&ann))).await;
    let form = "amount=1250&currency=eur&confirm=true&payment_method=pm_card_paystorm_technicalErrorTwice";
    let form = format!("{form}&customer={}", id(&ann));
    let sent = server.send("POST", "/v1/payment_intents", &form, &[("prefer", "respond-async")]).await;
    let open = format!("/v1/payment_intents/{}", sent.text("/id"));
    let advancing =
        post(&server, &format!("{}/advance", path(&clock)), &format!("frozen_time={}", BEGIN + DAY)).await;
    assert_eq!(advancing["status"], "advancing", "{advancing}");
    let customer_path = format!("/v1/customers/{}", id(&ann));
    let before =
        (payment(&server, &charge).await, payment(&server, &draft).await, server.get(&customer_path).await.1);
    for (at, (path, form)) in [
        (format!("/v1/payment_intents/{}", id(&charge)), "description=later&metadata[a]=1"),
        (format!("/v1/payment_intents/{}", id(&draft)), "amount=900&statement_descriptor=COFFEE"),
        (open.clone(), "metadata[a]=1"),
        (customer_path.clone(), "name=Anna"),
    ]
    .into_iter()
    .enumerate()
    {
        for _ in 0..2 {
            let key = format!("waits-{at}");
            let refused = server.send("POST", &path, form, &[("idempotency-key", &key)]).await;
            assert_eq!(refused.error(), (429, "invalid_request_error", "lock_timeout", ""), "{refused:?}");
            assert!(!refused.replayed, "{path}: a rejection is not kept under the key");
        }
    }
    let after =
        (payment(&server, &charge).await, payment(&server, &draft).await, server.get(&customer_path).await.1);
    assert_eq!(before, after);
    // What follows the wall clock waits for no test clock.
    let plain = post(&server, "/v1/payment_intents", "amount=700&currency=eur").await;
    let updated = post(&server, &format!("/v1/payment_intents/{}", id(&plain)), "description=now").await;
    assert_eq!(updated["description"], "now");
    assert_eq!(server.get(&path(&clock)).await.1["status"], "advancing");
}
