//! The broker's contract: the same tests for both adapters, the real one against a real RabbitMQ. What only one of them promises is in
//! `embedded` and `rabbitmq`.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod embedded;
mod outage;
mod rabbitmq;
pub mod rig;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use paystorm::broker::{BrokerError, Delivery};
use paystorm::domain::submission::Lane;
use paystorm::domain::time::Timestamp;
use tokio::time::timeout;

use self::rig::{Adapter, Rig, message, messages, take};

macro_rules! contract {
    ($($name:ident),+ $(,)?) => {
        mod on_embedded {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::Rig::run(super::Adapter::Embedded, super::$name).await;
            })+
        }
        mod on_rabbitmq {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::Rig::run(super::Adapter::RabbitMq, super::$name).await;
            })+
        }
    };
}

contract!(
    acknowledged_messages_are_gone,
    a_delivery_given_back_or_dropped_comes_again,
    acknowledging_out_of_order_is_exact,
    neither_lane_starves_the_other,
    a_cancelled_receive_loses_nothing,
    paused_means_waiting,
    closed_means_closed,
    twenty_thousand_messages_are_accounted_for,
);

async fn acknowledged_messages_are_gone(rig: Rig) {
    let broker = rig.open().await;
    let mut sent = messages(Lane::Interactive, 0..100);
    sent[0].traceparent = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned());
    broker.publish(&sent).await.unwrap();
    let mut got = take(&*broker, 100).await;
    got.sort_by_key(|delivery| delivery.message.key.payment);
    assert_eq!(got.iter().map(|delivery| delivery.message.clone()).collect::<Vec<_>>(), sent);
    assert!(got.iter().all(|delivery| !delivery.redelivered));
    let depth = broker.depth().await.unwrap();
    assert_eq!((depth.interactive, depth.bulk, depth.in_flight), (0, 0, 100));
    assert_eq!(broker.last_delivered().interactive, Some(sent[99].dispatched_at));
    assert_eq!(broker.last_delivered().bulk, None);
    got.into_iter().for_each(Delivery::ack);
    assert_eq!(broker.depth().await.unwrap().in_flight, 0);
    assert!(timeout(Duration::from_millis(200), broker.receive(1)).await.is_err());
    if broker.is_durable() {
        broker.close(Duration::from_secs(5)).await;
        let broker = rig.open().await;
        assert!(
            timeout(Duration::from_millis(500), broker.receive(1)).await.is_err(),
            "gone on the server too"
        );
    }
}

async fn a_delivery_given_back_or_dropped_comes_again(rig: Rig) {
    let broker = rig.open().await;
    broker.publish(&messages(Lane::Bulk, 0..3)).await.unwrap();
    let mut got = take(&*broker, 3).await;
    got.sort_by_key(|delivery| delivery.message.key.payment);
    got.remove(0).requeue();
    drop(got.remove(0));
    got.remove(0).ack();
    let mut again = take(&*broker, 2).await;
    again.sort_by_key(|delivery| delivery.message.key.payment);
    let first_two = messages(Lane::Bulk, 0..2);
    for (delivery, expected) in again.iter().zip(&first_two) {
        assert!(delivery.redelivered);
        assert_eq!(delivery.message.key, expected.key);
    }
    again.into_iter().for_each(Delivery::ack);
    assert!(timeout(Duration::from_millis(200), broker.receive(1)).await.is_err());
}

async fn acknowledging_out_of_order_is_exact(rig: Rig) {
    let broker = rig.open().await;
    broker.publish(&messages(Lane::Interactive, 0..1_000)).await.unwrap();
    let mut kept = BTreeSet::new();
    let mut held = Vec::new();
    for (index, delivery) in take(&*broker, 1_000).await.into_iter().rev().enumerate() {
        if index % 7 == 0 {
            kept.insert(delivery.message.key.payment);
            held.push(delivery);
        } else {
            delivery.ack();
        }
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    drop(held);
    let again = take(&*broker, kept.len()).await;
    let back: BTreeSet<_> = again.iter().map(|delivery| delivery.message.key.payment).collect();
    assert_eq!(back, kept, "exactly what was not acknowledged");
    again.into_iter().for_each(Delivery::ack);
    assert!(timeout(Duration::from_millis(300), broker.receive(1)).await.is_err());
}

async fn neither_lane_starves_the_other(rig: Rig) {
    let broker = rig.open().await;
    broker.publish(&messages(Lane::Bulk, 0..3_000)).await.unwrap();
    let asked = Instant::now();
    broker.publish(&messages(Lane::Interactive, 3_000..3_100)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let got = broker.receive(80).await.unwrap();
    let interactive = got.iter().filter(|delivery| delivery.message.lane == Lane::Interactive).count();
    println!("{interactive} of {} are interactive after {:?}", got.len(), asked.elapsed());
    assert_eq!((got.len(), interactive), (80, 60), "the person clicking first, the load run all the same");
    got.into_iter().for_each(Delivery::ack);
}

async fn a_cancelled_receive_loses_nothing(rig: Rig) {
    let broker = rig.open().await;
    let publisher = broker.clone();
    let publishing = tokio::spawn(async move {
        for start in 0..50 {
            publisher.publish(&messages(Lane::Bulk, start * 10..start * 10 + 10)).await.unwrap();
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    let mut seen = BTreeSet::new();
    let began = Instant::now();
    while seen.len() < 500 {
        assert!(began.elapsed() < Duration::from_secs(120), "only {} of 500", seen.len());
        if let Ok(got) = timeout(Duration::from_micros(300), broker.receive(3)).await {
            for delivery in got.unwrap() {
                assert!(seen.insert(delivery.message.key.payment) && !delivery.redelivered);
                delivery.ack();
            }
        }
    }
    publishing.await.unwrap();
}

async fn paused_means_waiting(rig: Rig) {
    let broker = rig.open().await;
    broker.pause().await;
    broker.publish(&messages(Lane::Interactive, 0..5)).await.unwrap();
    broker.publish(&messages(Lane::Bulk, 5..12)).await.unwrap();
    assert!(timeout(Duration::from_millis(300), broker.receive(1)).await.is_err());
    let depth = broker.depth().await.unwrap();
    assert_eq!((depth.interactive, depth.bulk, depth.in_flight), (5, 7, 0));
    broker.resume().await;
    take(&*broker, 12).await.into_iter().for_each(Delivery::ack);
}

async fn closed_means_closed(rig: Rig) {
    let broker = rig.open().await;
    let waiting = tokio::spawn({
        let broker = broker.clone();
        async move { broker.receive(1).await.map(|got| got.len()) }
    });
    let mut receiver = broker.broadcast_subscribe();
    tokio::time::sleep(Duration::from_millis(50)).await;
    broker.close(Duration::from_secs(5)).await;
    let ended = timeout(Duration::from_secs(30), waiting).await.unwrap().unwrap();
    assert_eq!(ended, Err(BrokerError::Closed));
    assert_eq!(broker.publish(&messages(Lane::Bulk, 0..1)).await, Err(BrokerError::Closed));
    let receiver_end = async { while receiver.recv().await.is_some() {} };
    timeout(Duration::from_secs(30), receiver_end).await.unwrap();
}

async fn twenty_thousand_messages_are_accounted_for(rig: Rig) {
    const COUNT: u32 = 20_000;
    let broker = rig.open().await;
    let publisher = broker.clone();
    let began = Instant::now();
    let publishing = tokio::spawn(async move {
        for start in (0..COUNT).step_by(500) {
            let lane = if start % 2_000 == 0 { Lane::Interactive } else { Lane::Bulk };
            let batch: Vec<_> = (start..start + 500).map(|n| message(lane, n, Timestamp::now())).collect();
            publisher.publish(&batch).await.unwrap();
        }
        began.elapsed()
    });
    let mut seen = BTreeMap::new();
    while seen.len() < COUNT as usize {
        let got = timeout(Duration::from_secs(60), broker.receive(512)).await.expect("a message is missing");
        for delivery in got.unwrap() {
            *seen.entry(delivery.message.key.payment).or_insert(0) += 1;
            delivery.ack();
        }
    }
    let (sent, done) = (publishing.await.unwrap(), began.elapsed());
    println!("{COUNT} messages published in {sent:?}, delivered and acknowledged in {done:?}");
    assert!(seen.values().all(|times| *times == 1), "without a failure nothing comes twice");
    assert!(timeout(Duration::from_millis(300), broker.receive(1)).await.is_err());
    let depth = broker.depth().await.unwrap();
    assert_eq!((depth.interactive, depth.bulk, depth.in_flight), (0, 0, 0));
}
