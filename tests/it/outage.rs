//! Elasticsearch, then RabbitMQ, stopped for half a minute under load, on a set of services of this test's own: nothing
//! is refused during that time, and afterwards everything catches up.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use paystorm::readers::open_work;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::browser::Browser;
use crate::support::binary::{Load, Server, Services, eventually, on_services};
use crate::support::socket::Socket;

/// How long each is away.
const AWAY: Duration = Duration::from_secs(30);
const RATE: u32 = 100;
/// Long enough for one to go, stay away and come back on a busy machine.
const LOAD_S: u32 = 80;
/// Shifts tried for the ports, apart from those of the scripts.
const OFFSETS: std::ops::Range<u16> = 440..460;

/// A set of services of its own; gone when dropped.
pub struct OwnServices {
    dir: PathBuf,
    offset: u16,
}

impl OwnServices {
    fn start() -> Self {
        let services = Self::none();
        services.run(&["up"]);
        services
    }

    /// A MySQL server; the other services are those that all tests share.
    pub fn mysql() -> Self {
        let services = Self::none();
        services.run(&["start", "mysql"]);
        services
    }

    /// The process id of the MySQL server.
    pub fn mysql_pid(&self) -> String {
        std::fs::read_to_string(self.dir.join("mysql/mysqld.pid")).expect("its pid file").trim().to_owned()
    }

    /// None yet, and ports that are free.
    fn none() -> Self {
        let free = |offset: &u16| {
            let ports = [3_306, 5_672, 9_200, 9_300, 15_672, 24_369, 25_672];
            ports.iter().all(|port| std::net::TcpListener::bind(("127.0.0.1", port + offset)).is_ok())
        };
        let offset = OFFSETS.into_iter().find(free).expect("free ports");
        // Not in the target directory: the servers run as nobody, who may not reach it.
        let dir = PathBuf::from(format!("/var/tmp/paystorm-outage-{}-{offset}", std::process::id()));
        Self { dir, offset }
    }

    pub fn run(&self, arguments: &[&str]) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/services.sh");
        let mut command = Command::new(script);
        command.env("PAYSTORM_SERVICES_DIR", &self.dir);
        command.env("PAYSTORM_SERVICES_PORT_OFFSET", self.offset.to_string());
        let output = command.args(arguments).output().expect("the script runs");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "services.sh {arguments:?}: {text}");
    }

    /// MySQL of this set, the others as all tests share them.
    pub fn addresses_of_mysql(&self) -> Services {
        Services { mysql: self.addresses().mysql, ..Services::shared() }
    }

    fn addresses(&self) -> Services {
        let port = |port: u16| port + self.offset;
        Services {
            mysql: format!("mysql://paystorm:paystorm@127.0.0.1:{}", port(3_306)),
            amqp: format!("amqp://guest:guest@127.0.0.1:{}/%2f", port(5_672)),
            amqp_admin: format!("http://guest:guest@127.0.0.1:{}", port(15_672)),
            elasticsearch: format!("http://127.0.0.1:{}", port(9_200)),
        }
    }
}

impl Drop for OwnServices {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.run(&["wipe"])));
        } else {
            self.run(&["wipe"]);
        }
    }
}

/// What `/readyz` says of a part. The server itself must be ready throughout.
async fn is_up(server: &Server, part: &str) -> bool {
    let (status, text) = server.get("/readyz").await;
    assert_eq!(status, 200, "{text}");
    let ready: Value = serde_json::from_str(&text).expect("JSON");
    ready[part]["ok"] == true
}

/// What an open page receives about the parts. In a task of its own, so that pings are answered.
fn listen(mut page: Socket) -> mpsc::Receiver<Value> {
    let (sender, frames) = mpsc::channel(64);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                // Nobody listens any more.
                () = sender.closed() => return,
                frame = page.next("system") => sender.send(frame).await.unwrap_or(()),
            }
        }
    });
    frames
}

/// Waits until an open page has received this about a part; returns the keys of the banners shown then.
async fn reported(frames: &mut mpsc::Receiver<Value>, part: &str, up: bool) -> Vec<String> {
    loop {
        let frame = frames.recv().await.expect("an open socket");
        if frame[part] == up {
            let banners = frame["banners"].as_array().cloned().unwrap_or_default();
            return banners.iter().filter_map(|banner| banner["key"].as_str()).map(str::to_owned).collect();
        }
    }
}

/// Stops a service, sees it reported as away and the load going on, and starts it again.
async fn away(services: &OwnServices, server: &Server, load: &mut Load, service: &str, part: &str) {
    let browser = Browser::sign_in(server).await;
    let banner = format!("data-banner=\"{part}\"");
    let mut page = browser.socket().await;
    page.ask(json!({"type": "subscribe", "id": 1, "topic": "system"})).await;
    let mut frames = listen(page);
    assert!(reported(&mut frames, part, true).await.is_empty(), "no banner before");
    assert!(is_up(server, part).await, "{part} is up before");
    let before = load.acknowledged();
    services.run(&["stop", service]);
    let since = Instant::now();
    let noticed = eventually("the part is reported as away", async || !is_up(server, part).await).await;
    // Open pages receive it, new ones have it from the start.
    assert_eq!(reported(&mut frames, part, false).await, [part]);
    assert!(browser.page("/wallets").await.contains(&banner));
    tokio::time::sleep(AWAY.saturating_sub(since.elapsed())).await;
    let accepted = load.acknowledged() - before;
    println!("{service} away: noticed after {noticed:?}, {accepted} accepted in between");
    // An open model: what was due was accepted, give or take what is on its way.
    assert!(accepted >= 20 * usize::try_from(RATE).expect("small"), "only {accepted} were accepted");
    services.run(&["start", service]);
    let back = eventually("the part is reported as back", async || is_up(server, part).await).await;
    assert!(reported(&mut frames, part, true).await.is_empty(), "the banner goes by itself");
    assert!(!browser.page("/wallets").await.contains(&banner));
    println!("{service} back after {back:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_refused_while_search_and_queue_are_away() {
    let services = OwnServices::start();
    on_services(services.addresses(), async |stack| {
        stack.set("simulator.latency_median_ms", 100);
        stack.set("search.refresh_ms", 500);
        let server = stack.serve().await;
        let key = stack.api_key().await;
        let store = stack.store().await;
        let begin = async || {
            let mut load = stack.load(&server.url, &key, RATE, LOAD_S, &[]);
            load.wait_acknowledged(300).await;
            load
        };

        let mut load = begin().await;
        away(&services, &server, &mut load, "elasticsearch", "search").await;
        let accepted = load.acknowledged() as u64;
        let caught_up = eventually("search catches up", async || stack.documents().await >= accepted).await;
        println!("search caught up after {caught_up:?}");
        let (_, first_acks) = load.finish_clean().await;

        let mut load = begin().await;
        away(&services, &server, &mut load, "rabbitmq", "broker").await;
        // What is with the acquirer at this rate, and no more.
        let open = async || open_work::count(store.as_ref()).await.expect("a count").payments;
        let caught_up = eventually("the queue is worked off", async || open().await <= u64::from(RATE)).await;
        println!("the queue was worked off after {caught_up:?}");
        let (report, second_acks) = load.finish_clean().await;
        println!("accepted within {}, settled within {}", report["accept_ms"], report["settle_ms"]);

        let summary = stack.verify(&[&first_acks, &second_acks], true).await;
        println!("{summary}");
        assert_eq!(open().await, 0);
        server.stop().await;
    })
    .await;
}
