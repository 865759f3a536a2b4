//! A whole server in this process, on either stack, with two people who know nothing of each other.

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use lapin::options::{ExchangeDeleteOptions, QueueDeleteOptions};
use lapin::{Connection, ConnectionProperties};
use paystorm::accounts::Accounts;
use paystorm::app::App;
use paystorm::app::demo::Invitation;
use paystorm::audit::{AuditOptions, audit};
use paystorm::background::Tasks;
use paystorm::broker::settings::BrokerKind;
use paystorm::clock::Wall;
use paystorm::config::Settings;
use paystorm::domain::ids::InstanceId;
use paystorm::search::SearchKind;
use paystorm::worker::Worlds;
use serde_json::Value;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_util::sync::CancellationToken;

use crate::support::stores::{self, TestStore};

/// The password of everyone.
pub const PASSWORD: &str = "a password of some length";

/// What the server stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stack {
    /// SQLite, and everything else in the process.
    Embedded,
    /// MySQL, RabbitMQ and Elasticsearch.
    Real,
}

/// Runs each of these tests on both stacks.
macro_rules! on_both_stacks {
    ($($name:ident),+ $(,)?) => {
        mod embedded {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                crate::support::server::with(crate::support::server::Stack::Embedded, |_| {}, super::$name).await;
            })+
        }
        mod real {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                crate::support::server::with(crate::support::server::Stack::Real, |_| {}, super::$name).await;
            })+
        }
    };
}
pub(crate) use on_both_stacks;

/// A running server.
pub struct Server {
    /// `http://HOST:PORT`.
    pub url: String,
    /// `HOST:PORT`.
    pub address: String,
    /// The key of shop@example.org.
    pub key: String,
    /// The key of eve@example.org.
    pub other_key: String,
    /// Follows no redirects.
    pub http: reqwest::Client,
    /// What the start says about the demo account, where it is on.
    pub invitation: Option<Invitation>,
    /// Its background tasks.
    pub tasks: Tasks,
    /// What its workers ask.
    pub worlds: Worlds,
    /// The store below it.
    pub test: TestStore,
}

fn required(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: run scripts/services.sh up and eval \"$(scripts/services.sh env)\"")
    })
}

fn settings_of(stack: Stack, test: &TestStore) -> Settings {
    let mut settings = Settings { data_dir: test.dir.path().to_owned(), ..Settings::default() };
    settings.server.bind = "127.0.0.1:0".to_owned();
    settings.demo.enabled = false;
    settings.simulator.latency_median_ms = 0.0;
    settings.search.memory_mb = 16;
    settings.store = test.settings.clone();
    // Nobody is refused because the machine is busy.
    settings.engine.answer_within_ms = 60_000;
    if stack == Stack::Real {
        let name = InstanceId::generate().to_string().to_ascii_lowercase().replace('_', "-");
        settings.broker.kind = BrokerKind::RabbitMq;
        settings.broker.url = required("PAYSTORM_TEST_AMQP_URL").into();
        settings.broker.prefix = format!("test-{name}");
        settings.search.kind = SearchKind::Elasticsearch;
        settings.search.url = required("PAYSTORM_TEST_ELASTICSEARCH_URL").into();
        settings.search.prefix = format!("test-{name}");
    }
    settings
}

/// Runs a test against a server with these settings; see [`with_by`].
pub async fn with<F: Future<Output = ()>>(
    stack: Stack,
    change: impl FnOnce(&mut Settings),
    run: impl FnOnce(Arc<Server>) -> F,
) {
    with_by(Wall::system(), stack, change, run).await;
}

/// Runs a test against a server with this clock and these settings, stops the server in order, audits what it left, and removes it.
pub async fn with_by<F: Future<Output = ()>>(
    wall: Wall,
    stack: Stack,
    change: impl FnOnce(&mut Settings),
    run: impl FnOnce(Arc<Server>) -> F,
) {
    let test = match stack {
        Stack::Embedded => stores::sqlite().await,
        Stack::Real => stores::mysql().await,
    };
    let mut settings = settings_of(stack, &test);
    change(&mut settings);
    let accounts = Accounts::new(Arc::clone(&test.store), Wall::system()).expect("hashing works");
    let mut keys = Vec::new();
    for email in ["shop@example.org", "eve@example.org"] {
        let id = accounts.register(email, PASSWORD, "").await.expect("registered");
        keys.push(accounts.key_create(id, "test").await.expect("a key").secret);
    }
    let (key, other_key) = (keys.remove(0), keys.remove(0));
    let app = App::build_at(settings.clone(), wall).await.expect("the application starts");
    let address = app.address().expect("it listens").to_string();
    let stop = CancellationToken::new();
    let (invitation, tasks) = (app.invitation().cloned(), app.pipeline().tasks.clone());
    let worlds = app.pipeline().worlds().clone();
    let task = tokio::spawn(app.run_until(stop.clone()));
    let http =
        reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
    let url = format!("http://{address}");
    let server = Arc::new(Server { url, address, key, other_key, http, invitation, tasks, worlds, test });
    let result = AssertUnwindSafe(run(Arc::clone(&server))).catch_unwind().await;
    stop.cancel();
    let stopped = tokio::time::timeout(Duration::from_secs(30), task).await;
    let mut snapshot = server.test.store.snapshot().await.expect("a snapshot");
    let report = audit(snapshot.as_mut(), None, None, &AuditOptions::default()).await;
    drop(snapshot);
    if stack == Stack::Real {
        remove_real(&settings).await;
    }
    if let Err(panic) = result {
        if let Some(server) = Arc::into_inner(server) {
            server.test.remove().await;
        }
        resume_unwind(panic);
    }
    Arc::into_inner(server).expect("the test keeps nothing").test.remove().await;
    stopped.expect("it stops in time").expect("it ends").expect("in order");
    let report = report.expect("audited");
    assert!(report.passed(), "{report}");
}

async fn remove_real(settings: &Settings) {
    let prefix = &settings.broker.prefix;
    let properties = ConnectionProperties::default();
    let connection =
        Connection::connect(settings.broker.url.expose(), properties).await.expect("RabbitMQ answers");
    let channel = connection.create_channel().await.expect("a channel");
    for queue in ["interactive", "bulk", "dead"] {
        let name = format!("{prefix}.{queue}").into();
        let _ = channel.queue_delete(name, QueueDeleteOptions::default()).await;
    }
    for exchange in ["work", "dead", "readers"] {
        let name = format!("{prefix}.{exchange}").into();
        let _ = channel.exchange_delete(name, ExchangeDeleteOptions::default()).await;
    }
    let (url, http) = (settings.search.url.expose(), reqwest::Client::new());
    let list = format!("{url}/{}*/_alias", settings.search.prefix);
    let found: Value = http.get(list).send().await.expect("an answer").json().await.expect("JSON");
    for index in found.as_object().expect("indices").keys() {
        http.delete(format!("{url}/{index}")).send().await.expect("deleted");
    }
}

/// An answer of the API.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body, if it is JSON.
    pub body: Value,
    /// Whether an idempotency key was recognised.
    pub replayed: bool,
    /// Whether what was read may miss the newest.
    pub behind: bool,
    /// `Request-Id`.
    pub request: String,
}

impl Answer {
    /// A string in the body; empty if it is not there.
    pub fn text(&self, pointer: &str) -> &str {
        self.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// Status, type, code and parameter of an error.
    pub fn error(&self) -> (u16, &str, &str, &str) {
        (self.status, self.text("/error/type"), self.text("/error/code"), self.text("/error/param"))
    }
}

impl Server {
    /// Sends a request with this key.
    pub async fn send_as(
        &self,
        key: &str,
        method: &str,
        path: &str,
        form: &str,
        headers: &[(&str, &str)],
    ) -> Answer {
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        let mut request = self.http.request(method, format!("{}{path}", self.url)).bearer_auth(key);
        if !form.is_empty() {
            let json = form.starts_with(['{', '[']);
            let kind = if json { "application/json" } else { "application/x-www-form-urlencoded" };
            request = request.header("content-type", kind).body(form.to_owned());
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.expect("an answer");
        let status = response.status().as_u16();
        let request = response.headers().get("request-id").and_then(|id| id.to_str().ok());
        let request = request.expect("every answer has one").to_owned();
        let replayed = response.headers().contains_key("idempotent-replayed");
        let behind = response.headers().contains_key("paystorm-behind");
        Answer { status, replayed, behind, request, body: response.json().await.unwrap_or(Value::Null) }
    }

    /// Sends a request as shop@example.org.
    pub async fn send(&self, method: &str, path: &str, form: &str, headers: &[(&str, &str)]) -> Answer {
        self.send_as(&self.key, method, path, form, headers).await
    }

    /// Posts a form (or JSON).
    pub async fn post(&self, path: &str, form: &str) -> (u16, Value) {
        let answer = self.send("POST", path, form, &[]).await;
        (answer.status, answer.body)
    }

    /// Gets.
    pub async fn get(&self, path: &str) -> (u16, Value) {
        let answer = self.send("GET", path, "", &[]).await;
        (answer.status, answer.body)
    }

    /// A request for a WebSocket.
    pub fn upgrade(&self, headers: &[(&str, &str)]) -> Request {
        let mut request = format!("ws://{}/ws", self.address).into_client_request().expect("a request");
        for (name, value) in headers {
            let name: tokio_tungstenite::tungstenite::http::HeaderName = name.parse().expect("a name");
            request.headers_mut().insert(name, value.parse().expect("a header"));
        }
        request
    }

    /// Posts a form as a browser does, with or without a session; the answer as it is.
    pub async fn post_form(
        &self,
        path: &str,
        cookie: &str,
        headers: &[(&str, &str)],
        fields: &[(&str, &str)],
    ) -> reqwest::Response {
        let body: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let mut request = self
            .http
            .post(format!("{}{path}", self.url))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body);
        if !cookie.is_empty() {
            request = request.header("cookie", cookie);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.expect("an answer")
    }

    /// Gets a page as a browser does.
    pub async fn page(&self, path: &str, cookie: &str) -> (u16, String) {
        let request = self.http.get(format!("{}{path}", self.url)).header("cookie", cookie);
        let response = request.send().await.expect("an answer");
        (response.status().as_u16(), response.text().await.expect("text"))
    }

    /// Signs in and returns the cookie, as `name=value`.
    pub async fn sign_in(&self, email: &str) -> String {
        let fields = [("email", email), ("password", PASSWORD)];
        let response = self.post_form("/sign-in", "", &[("origin", &self.url)], &fields).await;
        assert_eq!(response.status(), 303);
        cookie_of(&response).split(';').next().unwrap_or_default().to_owned()
    }

    /// The token that the forms of this session carry.
    pub async fn csrf(&self, cookie: &str) -> String {
        let (status, page) = self.page("/", cookie).await;
        assert_eq!(status, 200, "{page}");
        let (_, rest) = page.split_once(r#"name="csrf" value=""#).expect("a form");
        rest.split('"').next().unwrap_or_default().to_owned()
    }
}

/// The `Set-Cookie` of an answer.
pub fn cookie_of(response: &reqwest::Response) -> String {
    response.headers().get("set-cookie").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}
