//! A card number is sent through every entrance, then everything that the program keeps is looked through byte by byte: its
//! files and logs, or the tables and documents of its real services. With the rejection of such text switched off, the
//! same search finds what it should, and nothing else.

use std::collections::{BTreeSet, HashSet};

use paystorm::domain::card_numbers::is_card_number;
use serde_json::json;

use crate::support::binary::{Kind, Server, Stack, eventually, on};
use crate::support::server::cookie_of;
use crate::support::socket::Socket;

const AGENT: &str = "till/1.0";
const PASSWORD: &str = "a password of some length";

/// A number that was sent, by where it went.
struct Planted {
    place: &'static str,
    number: String,
    /// Whether it is text that is kept once it is no longer refused.
    text: bool,
}

/// Makes numbers that no one else has, and remembers them.
struct Planter {
    next: u64,
    planted: Vec<Planted>,
}

impl Planter {
    fn make(&mut self, place: &'static str, text: bool) -> String {
        self.next += 1;
        let body = format!("4{:014}", 98_765_400_000 + self.next * 7_919);
        let digits = (0..10).map(|check| format!("{body}{check}"));
        let number = digits.into_iter().find(|number| is_card_number(number)).expect("a check digit");
        self.planted.push(Planted { place, number: number.clone(), text });
        number
    }

    /// For text that people read, and that is kept where the setting allows it.
    fn text(&mut self, place: &'static str) -> String {
        self.make(place, true)
    }

    /// For what is reduced, masked or only looked at.
    fn other(&mut self, place: &'static str) -> String {
        self.make(place, false)
    }
}

fn spaced(number: &str, separator: &str) -> String {
    let digits: Vec<char> = number.chars().collect();
    digits.chunks(4).map(|part| part.iter().collect::<String>()).collect::<Vec<_>>().join(separator)
}

fn full_width(number: &str) -> String {
    number.chars().map(|c| char::from_u32(u32::from(c) - 0x30 + 0xff10).expect("a digit")).collect()
}

/// A program and a person who send things.
struct Outside {
    http: reqwest::Client,
    url: String,
    key: String,
    cookie: String,
    csrf: String,
}

impl Outside {
    async fn new(server: &Server, key: &str, agent: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        let http = http.user_agent(agent).build().expect("a client");
        let mut outside = Self {
            http,
            url: server.url.clone(),
            key: key.to_owned(),
            cookie: String::new(),
            csrf: String::new(),
        };
        let answer = outside.form("/sign-in", &[("email", "shop@example.org"), ("password", PASSWORD)]).await;
        outside.cookie = cookie_of(&answer).split(';').next().expect("a cookie").to_owned();
        let home =
            outside.http.get(&outside.url).header("cookie", &outside.cookie).send().await.expect("an answer");
        let home = home.text().await.expect("text");
        let (_, rest) = home.split_once(r#"name="csrf" value=""#).expect("a form");
        outside.csrf = rest.split('"').next().expect("a token").to_owned();
        outside
    }

    async fn form(&self, path: &str, fields: &[(&str, &str)]) -> reqwest::Response {
        let fields = fields.iter().copied().chain([("csrf", self.csrf.as_str())]);
        let body: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self.http.post(format!("{}{path}", self.url)).header("origin", &self.url);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        request.header("cookie", &self.cookie).body(body).send().await.expect("an answer")
    }

    /// A call of the API: a path for a GET, else with a form or JSON.
    async fn call(&self, path: &str, body: &str, headers: &[(&str, &str)]) -> u16 {
        self.answered(path, body, headers).await.0
    }

    /// The same with the object that came of it.
    async fn answered(&self, path: &str, body: &str, headers: &[(&str, &str)]) -> (u16, serde_json::Value) {
        let url = format!("{}{path}", self.url);
        let mut request = match body {
            "" => self.http.get(url),
            json if json.starts_with('{') => self.http.post(url).header("content-type", "application/json"),
            _ => self.http.post(url).header("content-type", "application/x-www-form-urlencoded"),
        };
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.bearer_auth(&self.key).body(body.to_owned());
        let answer = request.send().await.expect("an answer");
        (answer.status().as_u16(), answer.json().await.expect("JSON"))
    }

    /// The id of a charge that succeeded, or of one that waits for its card.
    async fn charged(&self, form: &str) -> String {
        let (status, intent) = self.answered(INTENT, form, &[]).await;
        assert_eq!(status, 200, "{intent}");
        intent["id"].as_str().expect("an id").to_owned()
    }

    async fn upload(&self, name: &str, file_name: &str, file: &str) {
        let part = |name: &str, rest: &str| {
            format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"{rest}\r\n")
        };
        let body = [
            part("csrf", &format!("\r\n\r\n{}", self.csrf)),
            part("name", &format!("\r\n\r\n{name}")),
            part("file", &format!("; filename=\"{file_name}\"\r\nContent-Type: text/csv\r\n\r\n{file}")),
            "--edge--\r\n".to_owned(),
        ];
        let request = self.http.post(format!("{}/payments/import", self.url)).header("origin", &self.url);
        let request = request.header("content-type", "multipart/form-data; boundary=edge");
        let answer =
            request.header("cookie", &self.cookie).body(body.concat()).send().await.expect("an answer");
        assert!([303, 400].contains(&answer.status().as_u16()), "{answer:?}");
    }
}

const INTENT: &str = "/v1/payment_intents";
const CHARGE: &str = "amount=100&currency=eur&payment_method=pm_card_visa&confirm=true";

async fn over_the_api(outside: &Outside, plant: &mut Planter) {
    let n = plant.other("key in a header");
    assert_eq!(outside.call(INTENT, CHARGE, &[("idempotency-key", &n)]).await, 200, "a key may be anything");
    let n = plant.other("key in a header, in groups");
    assert_eq!(
        outside.call(INTENT, CHARGE, &[("idempotency-key", &format!("no {}", spaced(&n, "-")))]).await,
        200
    );
    let n = plant.other("key in a body");
    assert_eq!(outside.call(INTENT, &format!("{CHARGE}&idempotency_key={n}"), &[]).await, 200);
    let n = plant.other("seed of draws");
    assert_eq!(outside.call(INTENT, &format!("{CHARGE}&draw_key={n}"), &[]).await, 200);
    for (place, separator) in
        [("description", ""), ("description, spaced", "+"), ("description, with dashes", "-")]
    {
        let n = plant.text(place);
        outside.call(INTENT, &format!("{CHARGE}&description=my+{}+card", spaced(&n, separator)), &[]).await;
    }
    let n = plant.text("description, full width");
    outside
        .call(
            INTENT,
            &json!({"amount": 100, "currency": "eur", "description": full_width(&n)}).to_string(),
            &[],
        )
        .await;
    let n = plant.text("value of metadata");
    outside.call(INTENT, &format!("{CHARGE}&metadata[note]={n}"), &[]).await;
    let n = plant.text("name of metadata");
    outside.call(INTENT, &format!("{CHARGE}&metadata[{n}]=note"), &[]).await;
    let n = plant.text("number in metadata");
    outside.call(INTENT, &format!(r#"{{"amount":100,"currency":"eur","metadata":{{"a":{n}}}}}"#), &[]).await;
    let n = plant.text("run");
    outside.call(INTENT, &format!("{CHARGE}&run={n}"), &[]).await;
    let n = plant.text("name of a throw-away account");
    outside.call("/v1/test_helpers/accounts", &format!("name={n}"), &[]).await;
    for (place, body) in [
        (
            "card that is none of ours",
            "amount=100&currency=eur&card[number]=N&card[exp_month]=1&card[exp_year]=2040&card[cvc]=123",
        ),
        ("method", "amount=100&currency=eur&payment_method=N"),
        ("amount", "amount=N&currency=eur"),
        ("currency", "amount=100&currency=N"),
        ("name of a parameter", "amount=100&currency=eur&N=1"),
        ("broken JSON", r#"{"amount":100,"description":"N"#),
        ("expand", "amount=100&currency=eur&expand[]=N"),
    ] {
        let n = plant.other(place);
        assert_ne!(outside.call(INTENT, &body.replace('N', &n), &[]).await, 200, "{place}");
    }
    for (place, path, body) in [
        ("bank account", "/v1/payouts", "amount=100&currency=eur&bank_account=N"),
        ("payee", "/v1/transfers", "amount=100&currency=eur&destination=N@example.org"),
        ("refunded payment", "/v1/refunds", "payment_intent=N"),
        ("path", "/v1/payment_intents/N", ""),
        ("path, encoded", "/v1/payment_intents/%34N", ""),
        ("query", "/v1/payment_intents/search?query=N", ""),
        ("limit", "/v1/payment_intents?limit=N", ""),
        ("payment to cancel", "/v1/payment_intents/N/cancel", "cancellation_reason=duplicate"),
    ] {
        let n = plant.other(place);
        let shown = if place == "path, encoded" { &n[1..] } else { &n };
        outside.call(&path.replace('N', shown), &body.replace('N', &n), &[("x-note", &n)]).await;
    }
}

/// What is said of customers.
async fn of_customers(outside: &Outside, plant: &mut Planter) {
    for (place, field) in [
        ("customer's name", "name=Ada N"),
        ("customer's description", "description=N"),
        ("customer's phone", "phone=N"),
        ("customer's email", "email=N@example.org"),
        ("customer's address", "address[line1]=N Road"),
        ("value of a customer's metadata", "metadata[note]=N"),
        ("name of a customer's metadata", "metadata[N]=note"),
        ("customer's shipping", "shipping[name]=Ada&shipping[address][city]=N"),
    ] {
        let n = plant.text(place);
        outside.call("/v1/customers", &field.replace('N', &n), &[]).await;
    }
    let n = plant.text("customer's name in a form");
    outside.form("/customers", &[("name", &n)]).await;
    for (place, path, form) in [
        ("customer's id", "/v1/customers/N", ""),
        ("customer's clock", "/v1/customers", "test_clock=N"),
        ("unknown parameter of a customer", "/v1/customers", "note=N"),
        ("customer of a payment", INTENT, "amount=100&currency=eur&customer=N"),
        ("customer of a list", "/v1/payment_intents?customer=N", ""),
    ] {
        let n = plant.other(place);
        outside.call(&path.replace('N', &n), &form.replace('N', &n), &[]).await;
    }
}

/// What belongs to an attempt, a refund or a cancellation, and is kept beside its payment.
async fn in_details(outside: &Outside, plant: &mut Planter) {
    let card = "payment_method_data[type]=card&payment_method_data[card][token]=tok_visa";
    let billing = "payment_method_data[billing_details]";
    for (place, field) in [
        ("name on a bill", "[name]=Ada N"),
        ("phone on a bill", "[phone]=N"),
        ("email on a bill", "[email]=N@example.org"),
        ("line1 on a bill", "[address][line1]=N Road"),
        ("line2 on a bill", "[address][line2]=N"),
        ("city on a bill", "[address][city]=N"),
        ("state on a bill", "[address][state]=N"),
        ("postal code on a bill", "[address][postal_code]=N"),
        ("country on a bill", "[address][country]=N"),
    ] {
        let n = plant.text(place);
        let form = format!("amount=100&currency=eur&confirm=true&{card}&{billing}{}", field.replace('N', &n));
        outside.call(INTENT, &form, &[]).await;
    }
    let n = plant.text("bill at a confirmation");
    let open = outside.charged("amount=100&currency=eur").await;
    let form = format!("{card}&{billing}[name]={}", spaced(&n, "+"));
    outside.call(&format!("{INTENT}/{open}/confirm"), &form, &[]).await;
    let n = plant.text("address to return to");
    outside.call(INTENT, &format!("{CHARGE}&return_url=https://shop.example/{n}"), &[]).await;
    let charged = outside.charged(CHARGE).await;
    let refund = format!("payment_intent={charged}&amount=1");
    for (place, field) in [
        ("value of a refund's metadata", "metadata[note]=N"),
        ("name of a refund's metadata", "metadata[N]=note"),
    ] {
        let n = plant.text(place);
        outside.call("/v1/refunds", &format!("{refund}&{}", field.replace('N', &n)), &[]).await;
    }
    let held = outside.charged(&format!("{CHARGE}&capture_method=manual")).await;
    let intent = format!("{INTENT}/{held}");
    for (place, path, form) in [
        ("reason of a refund", "/v1/refunds".to_owned(), format!("{refund}&reason=N")),
        ("unknown parameter of a refund", "/v1/refunds".to_owned(), format!("{refund}&note=N")),
        ("expansion of a refund", "/v1/refunds".to_owned(), format!("{refund}&expand[]=N")),
        ("reason of a cancellation", format!("{intent}/cancel"), "cancellation_reason=N".to_owned()),
        ("amount to capture", format!("{intent}/capture"), "amount_to_capture=N".to_owned()),
        ("kind of method", INTENT.to_owned(), format!("{CHARGE}&payment_method_data[type]=N")),
        ("token", INTENT.to_owned(), "amount=100&currency=eur&payment_method_data[card][token]=N".to_owned()),
        ("unknown part of a bill", INTENT.to_owned(), format!("{CHARGE}&{billing}[note]=N")),
        (
            "3-D Secure",
            INTENT.to_owned(),
            format!("{CHARGE}&payment_method_options[card][request_three_d_secure]=N"),
        ),
        ("off session", INTENT.to_owned(), format!("{CHARGE}&off_session=N")),
        ("error on action", INTENT.to_owned(), format!("{CHARGE}&error_on_requires_action=N")),
        ("what is not offered", INTENT.to_owned(), format!("{CHARGE}&statement_descriptor=N")),
        ("secret of a client", format!("{intent}?client_secret={held}_secret_N"), String::new()),
        ("cursor backwards", "/v1/refunds?ending_before=re_N".to_owned(), String::new()),
        ("time of a list", "/v1/refunds?created[gte]=N".to_owned(), String::new()),
        ("what narrows a list", "/v1/topups?status=N".to_owned(), String::new()),
        (
            "authentication",
            format!("/v1/test_helpers/payment_intents/{held}/authenticate"),
            "passed=N".to_owned(),
        ),
        ("count of accounts", "/v1/test_helpers/accounts".to_owned(), "count=N".to_owned()),
    ] {
        let n = plant.other(place);
        let headers = [("stripe-account", n.as_str()), ("prefer", &n), ("stripe-version", &n)];
        let headers = if place == "what is not offered" { &headers[..] } else { &headers[2..] };
        outside.call(&path.replace('N', &n), &form.replace('N', &n), headers).await;
    }
    let n = plant.other("method of a request");
    let method = reqwest::Method::from_bytes(n.as_bytes()).expect("a token");
    let request = outside.http.request(method, format!("{}{INTENT}", outside.url)).bearer_auth(&outside.key);
    assert_eq!(request.send().await.expect("an answer").status().as_u16(), 405);
    let n = plant.other("key of a program");
    let request = outside.http.get(format!("{}/v1/balance", outside.url)).bearer_auth(format!("sk_test_{n}"));
    assert_eq!(request.send().await.expect("an answer").status().as_u16(), 401);
}

async fn over_the_socket(outside: &Outside, plant: &mut Planter) {
    let mut socket = Socket::open(&outside.url, &outside.key).await;
    let submit = |payment: serde_json::Value| {
        json!({"type": "payment.submit", "id": 1, "payment": payment}).to_string()
    };
    let n = plant.other("key in a frame");
    socket.tell(&submit(json!({"kind": "topup", "amount": 900, "currency": "eur", "payment_method": "pm_card_visa", "idempotency_key": n}))).await;
    let n = plant.text("description in a frame");
    socket.tell(&submit(json!({"kind": "topup", "amount": 100, "currency": "eur", "payment_method": "pm_card_visa", "description": n}))).await;
    let n = plant.text("value of metadata in a frame");
    socket.tell(&submit(json!({"kind": "topup", "amount": 100, "currency": "eur", "payment_method": "pm_card_visa", "metadata": {"a": n}}))).await;
    for place in ["reason", "idempotency_key", "payment_method", "operation", "payment_id", "account"] {
        let n = plant.other(match place {
            "reason" => "reason of an operation",
            "idempotency_key" => "key of an operation",
            "payment_method" => "method of an operation",
            "operation" => "name of an operation",
            "payment_id" => "payment of an operation",
            _ => "account of an operation",
        });
        let mut frame = json!({"type": "operation.submit", "payment_id": format!("pi_{}", "0".repeat(22)), "operation": "cancel"});
        frame[place] = json!(n);
        socket.tell(&frame.to_string()).await;
    }
    let n = plant.other("id of a frame");
    socket.tell(&json!({"type": "ping", "id": n}).to_string()).await;
    let n = plant.other("type of a frame");
    socket.tell(&json!({"type": n}).to_string()).await;
    let n = plant.other("broken frame");
    socket.tell(&format!("{{\"type\":{n}")).await;
    let n = plant.other("run of a topic");
    socket.tell(&json!({"type": "subscribe", "topic": "run", "run": n}).to_string()).await;
    socket.ask(json!({"type": "ping", "id": "last"})).await;
}

async fn over_pages(outside: &Outside, plant: &mut Planter) {
    let pay = [("kind", "charge"), ("currency", "eur"), ("amount", "1"), ("payment_method", "pm_card_visa")];
    let n = plant.text("description in a form");
    outside.form("/payments", &[pay.as_slice(), &[("description", &n)]].concat()).await;
    let n = plant.other("key in a form");
    outside.form("/payments", &[pay.as_slice(), &[("idempotency_key", &n)]].concat()).await;
    let n = plant.other("amount in a form");
    outside.form("/payments", &[("kind", "charge"), ("currency", "eur"), ("amount", &n)]).await;
    let n = plant.text("name of a key");
    outside.form("/keys", &[("name", &n)]).await;
    let n = plant.text("name of a person");
    let (email, name) = (format!("person-{}@example.org", plant.next), spaced(&n, " "));
    outside.form("/register", &[("email", &email), ("password", PASSWORD), ("name", &name)]).await;
    let n = plant.text("address of a person");
    outside
        .form("/register", &[("email", &format!("{n}@example.org")), ("password", PASSWORD), ("name", "Ada")])
        .await;
    let n = plant.other("address that signs in");
    outside.form("/sign-in", &[("email", &format!("{n}@example.org")), ("password", PASSWORD)]).await;
    let n = plant.other("password");
    outside.form("/sign-in", &[("email", "nobody@example.org"), ("password", &n)]).await;
    for path in ["/payments?q=N", "/payments?q=\"N", "/insights?q=N", "/requests?path=N", "/N", "/payments/N"]
    {
        let n = plant.other("address of a page");
        let url = format!("{}{}", outside.url, path.replace('N', &n));
        outside.http.get(url).header("cookie", &outside.cookie).send().await.expect("an answer");
    }
}

async fn in_files(outside: &Outside, plant: &mut Planter) {
    let head = "key,amount,currency,payment_method,description\n";
    let n = plant.text("name of an import");
    outside.upload(&n, "a.csv", &format!("{head}a,1,eur,pm_card_visa,\n")).await;
    let n = plant.text("name of a file");
    outside.upload("", &format!("{n}.csv"), &format!("{head}a,1,eur,pm_card_visa,\n")).await;
    let (key, description) = (plant.text("key of a row"), plant.text("description of a row"));
    let (cell, extra, long) =
        (plant.other("amount of a row"), plant.other("field too many"), plant.other("row too long"));
    let rows = [
        format!("{key},1,eur,pm_card_visa,\n"),
        format!("b,1,eur,pm_card_visa,{}\n", spaced(&description, " ")),
        format!("c,{cell},eur,pm_card_visa,\n"),
        format!("d,1,eur,pm_card_visa,,{extra}\n"),
        format!("e,1,eur,pm_card_visa,{long}{}\n", "x".repeat(70_000)),
    ];
    outside.upload("rows", "rows.csv", &format!("{head}{}", rows.concat())).await;
    let n = plant.other("minor amount of a row");
    outside.upload("minor", "a.csv", &format!("key,amount_minor,currency\na,{n} and 123456\n")).await;
    let n = plant.other("number of a card of a row");
    outside
        .upload(
            "card",
            "a.csv",
            &format!("key,amount,currency,card_number,exp_month,exp_year\na,1,eur,{n},1,2040\n"),
        )
        .await;
    let n = plant.other("name of a column");
    outside.upload("column", "a.csv", &format!("key,amount,currency,{n}\na,1,eur,x\n")).await;
    let n = plant.text("name of a column of metadata");
    outside
        .upload(
            "metadata",
            "a.csv",
            &format!("key,amount,currency,payment_method,metadata[{n}]\na,1,eur,pm_card_visa,x\n"),
        )
        .await;
    let n = plant.other("file without names of columns");
    outside.upload("headless", "a.csv", &format!("a,1,eur,{n}\nb,1,eur,{n}\n")).await;
}

/// The places whose number stands in any of these bytes: as digits, in groups, in full width, or as an integer.
fn places(contents: &[(String, Vec<u8>)], planted: &[Planted]) -> BTreeSet<String> {
    let integers: HashSet<u64> = planted.iter().map(|one| one.number.parse().expect("a number")).collect();
    let mut found = BTreeSet::new();
    for (name, bytes) in contents {
        let mut digits = Vec::with_capacity(bytes.len());
        let mut rest = bytes.as_slice();
        while let Some((first, tail)) = rest.split_first() {
            rest = match rest {
                [0xef, 0xbc, digit @ 0x90..=0x99, tail @ ..] => {
                    digits.push(digit - 0x90 + b'0');
                    tail
                }
                _ => {
                    digits.extend((!matches!(first, b' ' | b'-' | b'+')).then_some(*first));
                    tail
                }
            };
        }
        let runs: Vec<&[u8]> =
            digits.split(|byte| !byte.is_ascii_digit()).filter(|run| run.len() >= 16).collect();
        let halves = |window: &[u8]| <[u8; 8]>::try_from(window).expect("eight bytes");
        let binary: HashSet<u64> = bytes
            .windows(8)
            .flat_map(|window| [u64::from_be_bytes(halves(window)), u64::from_le_bytes(halves(window))])
            .filter(|value| integers.contains(value))
            .collect();
        for one in planted {
            let stands = |run: &&[u8]| run.windows(16).any(|part| part == one.number.as_bytes());
            if runs.iter().any(stands) || binary.contains(&one.number.parse().expect("a number")) {
                println!("{}: {} in {name}", one.place, one.number);
                found.insert(one.place.to_owned());
            }
        }
    }
    found
}

async fn plant_everywhere(stack: &Stack, key: &str, plant: &mut Planter) {
    let server = stack.serve().await;
    let agent = format!("{AGENT} {}", plant.other("browser that signs in"));
    let outside = Outside::new(&server, key, &agent).await;
    over_the_api(&outside, plant).await;
    in_details(&outside, plant).await;
    of_customers(&outside, plant).await;
    over_the_socket(&outside, plant).await;
    over_pages(&outside, plant).await;
    in_files(&outside, plant).await;
    eventually("everything is at rest", async || stack.unfinished().await == 0).await;
    server.stop().await;
}

async fn looked_for_everywhere(kind: Kind) {
    on(kind, async |stack| {
        stack.set("telemetry.log_level", "info,paystorm=debug");
        stack.set("requests.per_second", 10_000);
        let key = stack.api_key().await;
        let mut plant = Planter { next: 0, planted: Vec::new() };
        plant_everywhere(&stack, &key, &mut plant).await;
        let found = places(&stack.contents().await, &plant.planted);
        assert!(found.is_empty(), "kept: {found:?}");
        // The same again where text may hold one: now it is there, and the search finds it, and nothing else.
        stack.set("server.refuse_card_numbers", false);
        let mut plant = Planter { next: plant.next, planted: Vec::new() };
        plant_everywhere(&stack, &key, &mut plant).await;
        let found = places(&stack.contents().await, &plant.planted);
        let text = plant.planted.iter().filter(|one| one.text).map(|one| one.place.to_owned());
        assert_eq!(found, text.collect::<BTreeSet<_>>());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_card_number_is_kept_embedded() {
    looked_for_everywhere(Kind::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_card_number_is_kept_real() {
    looked_for_everywhere(Kind::Real).await;
}
