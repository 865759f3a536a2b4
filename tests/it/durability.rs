//! That an acknowledgement means the disk: the settings as the stores themselves read them back, and the flushes that the
//! system sees.

use paystorm::store::Store;
use serde_json::json;

use crate::support::binary::{Kind, on};
use crate::support::socket::Socket;
use crate::support::stores;

async fn setting(store: &dyn Store, name: &str) -> String {
    let durability = store.durability().await.expect("settings");
    assert!(durability.durable && durability.warning.is_none(), "{durability:?}");
    let found = durability.settings.iter().find(|(key, _)| key == name);
    found.map(|(_, value)| value.clone()).unwrap_or_else(|| panic!("no {name} in {durability:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn both_stores_flush_every_commit() {
    let sqlite = stores::sqlite().await;
    assert_eq!(setting(sqlite.store.as_ref(), "synchronous").await, "2");
    assert_eq!(setting(sqlite.store.as_ref(), "journal_mode").await, "wal");
    sqlite.remove().await;
    let mysql = stores::mysql().await;
    assert_eq!(setting(mysql.store.as_ref(), "innodb_flush_log_at_trx_commit").await, "1");
    mysql.remove().await;
}

/// Payments made one after the other, so that none shares its commit with another.
const LONE: u64 = 20;

#[tokio::test(flavor = "multi_thread")]
async fn every_commit_of_the_embedded_store_is_flushed() {
    on(Kind::Embedded, async |stack| {
        stack.set("simulator.latency_median_ms", 0);
        let trace = stack.file("strace.txt");
        let file = trace.to_str().expect("a plain path");
        // -D: the program stays the child, and the tracer looks on from the side.
        let strace = ["strace", "-D", "-f", "-y", "-e", "trace=fsync,fdatasync", "-o", file, "--"];
        let server = stack.serve_under(&strace).await;
        let key = stack.api_key().await;
        let mut socket = Socket::open(&server.url, &key).await;
        for id in 0..LONE {
            let payment =
                json!({"kind": "charge", "amount": 100, "currency": "eur", "payment_method": "pm_card_visa"});
            socket.ask(json!({"type": "payment.submit", "id": id, "payment": payment})).await;
        }
        let commits = server.metric("paystorm_commits_total").await;
        assert!(commits >= LONE, "{commits} commits of {LONE} payments one after the other");
        server.stop().await;
        let text = std::fs::read_to_string(&trace).expect("strace wrote");
        let flushes = text.lines().filter(|line| line.contains("paystorm.sqlite3-wal>) ")).count();
        println!("{commits} commits, {flushes} flushes of the log for {LONE} payments");
        assert!(flushes as u64 >= commits, "{flushes} flushes for {commits} commits:\n{text}");
    })
    .await;
}
