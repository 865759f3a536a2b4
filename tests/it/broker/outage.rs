//! A RabbitMQ that is killed, frozen, or short of memory. These tests need a server of their own to mistreat, so they are ignored unless asked
//! for: `cargo test --test it outage -- --ignored --test-threads=1`. They start one beside the others, on shifted ports.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use paystorm::broker::settings::BrokerSettings;
use paystorm::broker::{Broker, BrokerError, BrokerHealth, Delivery};
use paystorm::domain::submission::Lane;
use tokio::time::timeout;

use super::rig::{Adapter, Rig, messages, required, take, wait_until_up};

const PORT_OFFSET: u16 = 437;
/// What does not wait for the server takes no longer; what does takes the deadline of a confirm, which is two seconds here.
const ERRS_WITHIN: Duration = Duration::from_millis(1_500);
const DATA: &str = "/var/tmp/paystorm-broker-test";

async fn run(mut command: Command) -> String {
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

async fn services(arguments: &[&str]) -> String {
    let mut command = Command::new(required("PAYSTORM_SERVICES_SCRIPT"));
    command.env("PAYSTORM_SERVICES_DIR", DATA).env("PAYSTORM_SERVICES_PORT_OFFSET", PORT_OFFSET.to_string());
    command.args(arguments);
    run(command).await
}

/// Sends the server process a signal that it cannot answer.
async fn signal(name: &str) {
    let pid = services(&["pid", "rabbitmq"]).await;
    let mut command = Command::new("kill");
    command.args(["-s", name, pid.trim()]);
    run(command).await;
}

async fn set_memory_limit(share: &str) {
    let home = PathBuf::from(DATA).join("rabbitmq");
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "/bin/sh", "-c"]);
    command.arg("exec /usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/rabbitmqctl \"$@\"").arg("sh");
    command.args(["-n", &format!("paystorm-{}@localhost", 5672 + PORT_OFFSET)]);
    command.args(["set_vm_memory_high_watermark", share]);
    command.env("HOME", &home).env("ERL_EPMD_PORT", (24369 + PORT_OFFSET).to_string());
    command.env("RABBITMQ_CONF_ENV_FILE", home.join("rabbitmq-env.conf"));
    run(command).await;
}

async fn with_own_server<F: Future<Output = ()>>(test: impl FnOnce(Rig) -> F) {
    services(&["start", "rabbitmq"]).await;
    let change = |settings: &mut BrokerSettings| {
        settings.url = format!("amqp://guest:guest@127.0.0.1:{}/%2f", 5672 + PORT_OFFSET).into();
        settings.confirm_timeout_ms = 2_000;
        settings.connect_timeout_ms = 3_000;
    };
    Rig::run_with(Adapter::RabbitMq, change, test).await;
    services(&["down"]).await;
}

/// Publishes until every message was accepted, and returns the first error.
async fn publish_stubbornly(broker: Arc<dyn Broker>, count: u32, pause: Duration) -> Option<BrokerError> {
    let mut first = None;
    for start in (0..count).step_by(100) {
        while let Err(error) = broker.publish(&messages(Lane::Bulk, start..start + 100)).await {
            first.get_or_insert(error);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        tokio::time::sleep(pause).await;
    }
    first
}

async fn receive_all(broker: &dyn Broker, count: usize) -> usize {
    let (mut seen, mut again) = (BTreeSet::new(), 0);
    while seen.len() < count {
        let got = timeout(Duration::from_secs(60), broker.receive(512)).await;
        let got = got.unwrap_or_else(|_| panic!("only {} of {count} came", seen.len())).unwrap();
        for delivery in got {
            again += usize::from(!seen.insert(delivery.message.key.payment));
            delivery.ack();
        }
    }
    again
}

async fn wait_for(broker: &dyn Broker, what: &str, fits: impl FnMut(&BrokerHealth) -> bool) -> Duration {
    let began = Instant::now();
    let mut health = broker.health();
    let found = timeout(Duration::from_secs(30), health.wait_for(fits)).await;
    assert!(found.is_ok(), "not {what} within 30 s: {:?}", *broker.health().borrow());
    began.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "starts and kills a RabbitMQ of its own"]
async fn a_killed_server_loses_nothing_it_had_accepted() {
    with_own_server(|rig| async move {
        let broker = rig.open().await;
        let publishing = tokio::spawn(publish_stubbornly(broker.clone(), 20_000, Duration::from_millis(20)));
        let killing = tokio::spawn(async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            services(&["stop", "rabbitmq", "KILL"]).await;
            services(&["start", "rabbitmq"]).await;
        });
        let again = receive_all(&*broker, 20_000).await;
        println!("first error {:?}, {again} twice", publishing.await.unwrap());
        killing.await.unwrap();
        wait_until_up(&*broker).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "starts and freezes a RabbitMQ of its own"]
async fn a_frozen_server_is_noticed_and_outlived() {
    with_own_server(|rig| async move {
        let broker = rig.open().await;
        broker.publish(&messages(Lane::Interactive, 0..10)).await.unwrap();
        let held = take(&*broker, 10).await;
        signal("STOP").await;
        let began = Instant::now();
        let error = broker.publish(&messages(Lane::Bulk, 0..100)).await;
        println!("{error:?} after {:?}", began.elapsed());
        assert!(error.is_err() && began.elapsed() < Duration::from_secs(5));
        wait_for(&*broker, "down", |health| matches!(health, BrokerHealth::Down { .. })).await;
        println!("down after {:?}", began.elapsed());
        let began = Instant::now();
        assert!(broker.publish(&messages(Lane::Bulk, 0..100)).await.is_err());
        assert!(began.elapsed() < ERRS_WITHIN, "errs at once while it is down");
        signal("CONT").await;
        println!("up after {:?}", wait_for(&*broker, "up", |health| *health == BrokerHealth::Up).await);
        broker.publish(&messages(Lane::Bulk, 0..100)).await.unwrap();
        held.into_iter().for_each(Delivery::ack);
        receive_all(&*broker, 100).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "starts a RabbitMQ of its own and takes its memory away"]
async fn while_blocked_consuming_goes_on() {
    with_own_server(|rig| async move {
        let broker = rig.open().await;
        broker.publish(&messages(Lane::Bulk, 0..1_000)).await.unwrap();
        set_memory_limit("0.000001").await;
        let blocked = |health: &BrokerHealth| matches!(health, BrokerHealth::Blocked { .. });
        // The server says so only to those who try to publish.
        let first = broker.publish(&messages(Lane::Bulk, 1_000..1_100)).await;
        wait_for(&*broker, "blocked", blocked).await;
        let began = Instant::now();
        let second = broker.publish(&messages(Lane::Bulk, 1_000..1_100)).await;
        println!("first {first:?}, second {second:?}");
        assert!(matches!(second, Err(BrokerError::Blocked(_))) && began.elapsed() < ERRS_WITHIN);
        receive_all(&*broker, 1_000).await;
        assert_eq!(broker.depth().await.unwrap().in_flight, 0, "acknowledging works as well");
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert!(blocked(&broker.health().borrow()), "and nobody reconnects in a loop");
        set_memory_limit("0.4").await;
        println!("up after {:?}", wait_for(&*broker, "up", |health| *health == BrokerHealth::Up).await);
        assert_eq!(publish_stubbornly(broker.clone(), 1_100, Duration::ZERO).await.map(|_| ()), None);
        receive_all(&*broker, 1_100).await;
    })
    .await;
}
