//! The program reports about itself what its last operations met: a full disk, a damaged file, an index without its directory.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use diesel_async::{AsyncConnection, AsyncMysqlConnection, SimpleAsyncConnection};
use paystorm::domain::ids::AccountId;
use paystorm::store::sqlite::SqliteStore;
use paystorm::store::{Health as _, Payments as _, Store, StoreSettings, StoreTrouble};
use serde_json::Value;

use super::engine::{charge, engine_on};
use crate::support::binary::{Kind, Server, Stack, eventually, on};
use crate::support::commands::counters;
use crate::support::stores;

/// A small disk of its own; gone when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn at(path: &Path) -> Self {
        fs::create_dir_all(path).expect("a directory");
        let status =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=48m", "tmpfs"]).arg(path).status();
        assert!(
            status.expect("mount runs").success(),
            "this test mounts a small disk, for which it must be root"
        );
        Self(path.to_owned())
    }

    /// Takes all the room there is.
    fn fill(&self) -> PathBuf {
        let path = self.0.join("filler");
        let mut file = File::create(&path).expect("a file");
        // Ever smaller pieces, down to the last byte.
        for size in [1 << 20, 4_096, 1] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
        path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily, for a server may still be going down.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Where the stack's data is.
fn data(stack: &Stack) -> PathBuf {
    stack.file("here").parent().expect("a directory").join("data")
}

async fn pay(server: &Server, key: &str) -> u16 {
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let body = "amount=100&currency=eur&payment_method=pm_card_visa&confirm=true";
    let request = client.post(format!("{}/v1/payment_intents", server.url)).bearer_auth(key);
    let request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
    request.send().await.expect("an answer").status().as_u16()
}

async fn found(server: &Server, key: &str) -> Option<usize> {
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let url = format!("{}/v1/payment_intents/search?query=currency:eur&limit=100", server.url);
    let answer = client.get(url).bearer_auth(key).send().await.expect("an answer");
    let body: Value = answer.json().await.expect("JSON");
    body["data"].as_array().map(Vec::len)
}

async fn ready(server: &Server) -> (u16, Value) {
    let (status, text) = server.get("/readyz").await;
    (status, serde_json::from_str(&text).expect("JSON"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_reported_and_so_is_its_end() {
    on(Kind::Embedded, async |stack| {
        let disk = SmallDisk::at(&data(&stack));
        let key = stack.api_key().await;
        let server = stack.serve().await;
        assert_eq!(pay(&server, &key).await, 200);
        assert_eq!(ready(&server).await.0, 200);
        let filler = disk.fill();
        // Small writes may still find room in what SQLite has taken already.
        eventually("payments are refused", async || pay(&server, &key).await == 503).await;
        eventually("it is reported", async || {
            let (status, report) = ready(&server).await;
            status == 503 && report["store"]["reason"].as_str().is_some_and(|reason| reason.contains("full"))
        })
        .await;
        fs::remove_file(filler).expect("removed");
        eventually("its end is reported, though nobody pays", async || ready(&server).await.0 == 200).await;
        assert_eq!(pay(&server, &key).await, 200);
        server.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_heals_under_a_running_server() {
    on(Kind::Embedded, async |stack| {
        let key = stack.api_key().await;
        let server = stack.serve().await;
        for _ in 0..5 {
            assert_eq!(pay(&server, &key).await, 200);
        }
        eventually("all are found", async || found(&server, &key).await == Some(5)).await;
        let search = data(&stack).join("search");
        fs::remove_dir_all(&search).expect("removed");
        assert_eq!(pay(&server, &key).await, 200);
        eventually("all are found again", async || found(&server, &key).await == Some(6)).await;
        eventually("search is well", async || ready(&server).await.1["search"]["ok"] == true).await;
        assert!(search.join("CURRENT").exists());
        // By hand as well, though there is no directory to leave word in.
        fs::remove_dir_all(&search).expect("removed");
        let (status, text) = stack.run(&["reindex"], "").await;
        assert!(status.success(), "reindex: {text}");
        eventually("all are found again", async || found(&server, &key).await == Some(6)).await;
        server.stop().await;
        stack.verify(&[], true).await;
    })
    .await;
}

/// Overwrites every page of a database but the first.
fn damage(path: &Path) {
    let mut bytes = fs::read(path).expect("a file");
    bytes.iter_mut().skip(8_192).for_each(|byte| *byte = 0xa5);
    fs::write(path, bytes).expect("written");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_store_is_named_at_the_start_with_what_to_do() {
    on(Kind::Embedded, async |stack| {
        stack.api_key().await;
        let path = data(&stack).join("paystorm.sqlite3");
        for content in ["pages", "all"] {
            match content {
                "pages" => damage(&path),
                _ => fs::write(&path, "no database at all, whatever it is").expect("written"),
            }
            let (status, text) = stack.run(&["serve", "--bind", "127.0.0.1:0"], "").await;
            assert!(!status.success(), "{text}");
            assert!(text.contains(&*path.to_string_lossy()) && text.contains(".recover"), "{text}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_damaged_later_is_reported_when_it_is_touched() {
    let test = stores::sqlite().await;
    let (engine, _, task) = engine_on(&test.store);
    engine.execute(charge(AccountId::generate(), 100, None)).await.expect("admitted");
    drop(engine);
    task.await.expect("the sequencer ends");
    let (dir, settings) = (test.dir, StoreSettings::default());
    // Closing it brings everything into the file.
    drop(test.store);
    let store = SqliteStore::open(dir.path(), &settings).await.expect("opens");
    assert_eq!(store.trouble(), None);
    damage(&dir.path().join("paystorm.sqlite3"));
    let error = store.payment_scan(None, 10).await.expect_err("damaged");
    assert!(error.to_string().contains("malformed"), "{error}");
    assert_eq!(store.trouble(), Some(StoreTrouble::Damaged));
}

/// A sequencer that stands still in the store, as it does while a disk is frozen, is reported although nothing has failed yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sequencer_that_stands_still_is_reported_and_so_is_its_end() {
    let test = stores::sqlite().await;
    let settings = StoreSettings { answer_within_ms: 100, ..StoreSettings::default() };
    let store = SqliteStore::open(test.dir.path(), &settings).await.expect("opens");
    let store: std::sync::Arc<dyn Store> = std::sync::Arc::new(store);
    let locked = super::maybe_done::Locked::on(&test);
    let (engine, lanes) = paystorm::engine::batcher::lanes(&paystorm::engine::EngineSettings::default());
    let writer = paystorm::engine::writer::Writer::new(
        store.clone(),
        paystorm::domain::context::Policy::default(),
        paystorm::clock::Wall::system(),
        std::sync::Arc::new(super::engine::Seen::default()),
        counters(),
    );
    let task = tokio::task::spawn_blocking(move || {
        let run = paystorm::engine::batcher::run(lanes, writer, 16);
        tokio::runtime::Handle::current().block_on(run);
    });
    let reply = engine.submit(charge(AccountId::generate(), 100, None)).expect("room");
    eventually("it is reported", async || store.trouble() == Some(StoreTrouble::Away)).await;
    locked.release();
    drop(reply);
    eventually("its end is reported", async || {
        // The leases write every other second.
        let _ = store.installation_set("looked", b"").await;
        store.trouble().is_none()
    })
    .await;
    drop(engine);
    task.await.expect("the sequencer ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_acknowledged_that_would_be_lost_with_a_file_that_was_removed() {
    for file in ["paystorm.sqlite3", "paystorm.sqlite3-wal"] {
        on(Kind::Embedded, async |stack| {
            stack.set("engine.answer_within_ms", 2_000);
            let key = stack.api_key().await;
            let server = stack.serve().await;
            assert_eq!(pay(&server, &key).await, 200);
            let (path, aside) = (data(&stack).join(file), data(&stack).join("aside"));
            fs::rename(&path, &aside).expect("moved");
            assert_eq!(pay(&server, &key).await, 503, "{file}");
            let (status, report) = ready(&server).await;
            assert_eq!(status, 503, "{file}");
            assert!(
                report["store"]["reason"].as_str().is_some_and(|reason| reason.contains("gone")),
                "{report}"
            );
            assert!(!path.exists(), "none was made in its place");
            fs::rename(&aside, &path).expect("put back");
            assert_eq!(pay(&server, &key).await, 200, "{file}");
            server.stop().await;
            stack.verify(&[], false).await;
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_refuses_everybody_is_reported_and_nobody_is_at_fault() {
    on(Kind::Real, async |stack| {
        stack.set("engine.answer_within_ms", 2_000);
        stack.set("simulator.latency_median_ms", 500.0);
        let key = stack.api_key().await;
        let server = stack.serve().await;
        assert_eq!(pay(&server, &key).await, 200);
        let mut mysql = AsyncMysqlConnection::establish(&stack.database_url()).await.expect("MySQL answers");
        // Answers of acquirers meet the missing table as well.
        let client = reqwest::Client::builder().no_proxy().build().expect("a client");
        for _ in 0..20 {
            let body = "amount=100&currency=eur&payment_method=pm_card_visa&confirm=true";
            let request = client.post(format!("{}/v1/payment_intents", server.url)).bearer_auth(&key);
            let request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
            let answer = request.header("prefer", "respond-async").send().await.expect("an answer");
            assert_eq!(answer.status(), 202);
        }
        mysql.batch_execute("RENAME TABLE journal TO journal_elsewhere").await.expect("renamed");
        eventually("nobody is answered that their payment is at fault", async || {
            let status = pay(&server, &key).await;
            // One that was taken before may still come to its end.
            assert!(matches!(status, 200 | 503), "{status}");
            status == 503
        })
        .await;
        eventually("it is reported", async || {
            let (status, report) = ready(&server).await;
            status == 503
                && report["store"]["reason"]
                    .as_str()
                    .is_some_and(|reason| reason.contains("tables are missing"))
        })
        .await;
        // Longer than answers take: they meet it too.
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        mysql.batch_execute("RENAME TABLE journal_elsewhere TO journal").await.expect("renamed");
        eventually("its end is reported", async || ready(&server).await.0 == 200).await;
        eventually("all come to rest", async || stack.unfinished().await == 0).await;
        assert_eq!(stack.mysql_number("SELECT COUNT(*) FROM set_aside"), 0);
        server.stop().await;
        stack.verify(&[], true).await;
    })
    .await;
}
