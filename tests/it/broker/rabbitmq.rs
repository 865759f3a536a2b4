//! What only RabbitMQ can show: what survives, what breaks, and what comes of it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use lapin::BasicProperties;
use lapin::options::{BasicGetOptions, BasicPublishOptions, ConfirmSelectOptions};
use paystorm::broker::{BroadcastEvent, BroadcastReceiver, Broker, BrokerHealth, Delivery};
use paystorm::domain::ids::InstanceId;
use paystorm::domain::submission::Lane;
use tokio::time::timeout;

use super::rig::{Adapter, Rig, eventually, message, messages, required, take, wait_until_up};
use paystorm::domain::time::Timestamp;

macro_rules! on_rabbitmq {
    ($($(#[$meta:meta])* $name:ident => $test:ident),+ $(,)?) => {
        $($(#[$meta])*
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            Rig::run(Adapter::RabbitMq, $test).await;
        })+
    };
}

on_rabbitmq!(
    what_was_not_acknowledged_is_delivered_to_the_next => unacknowledged,
    paused_messages_are_ready_on_the_server => paused,
    what_was_acknowledged_stays_so_when_work_resumes => resumed_at_once,
    a_lost_queue_is_noticed_by_the_publisher => lost_queue_publishing,
    a_lost_queue_is_noticed_without_publishing => lost_queue_idle,
    a_queue_lost_while_paused_is_noticed => lost_queue_paused,
    killed_connections_lose_nothing => killed_connections,
    the_broadcast_reaches_every_instance => broadcast,
    a_reader_of_the_broadcast_that_falls_behind_gets_a_gap => broadcast_overflow,
    what_cannot_be_read_goes_to_the_dead_letters => poison,
    #[ignore = "a measurement: prints messages per second"]
    throughput => in_order,
    #[ignore = "a measurement: prints messages per second"]
    throughput_out_of_order => out_of_order,
);

async fn unacknowledged(rig: Rig) {
    let broker = rig.open().await;
    broker.publish(&messages(Lane::Interactive, 0..10)).await.unwrap();
    broker.publish(&messages(Lane::Bulk, 10..20)).await.unwrap();
    let mut got = take(&*broker, 20).await;
    got.sort_by_key(|delivery| delivery.message.key.payment);
    let late = got.split_off(5);
    got.into_iter().for_each(Delivery::ack);
    broker.close(Duration::from_secs(5)).await;
    late.into_iter().for_each(Delivery::ack);

    let next = rig.open().await;
    let again = take(&*next, 15).await;
    let back: BTreeSet<_> = again.iter().map(|delivery| delivery.message.key.payment).collect();
    let expected: BTreeSet<_> =
        messages(Lane::Bulk, 5..20).iter().map(|message| message.key.payment).collect();
    assert_eq!(back, expected, "acknowledged before closing: gone; after it: delivered again");
    assert!(again.iter().all(|delivery| delivery.redelivered));
    again.into_iter().for_each(Delivery::ack);
}

async fn paused(rig: Rig) {
    let broker = rig.open().await;
    broker.publish(&messages(Lane::Bulk, 0..300)).await.unwrap();
    let held = take(&*broker, 20).await;
    let prefetched = || async { rig.ready("bulk").await == 0 };
    eventually("everything is prefetched", Duration::from_secs(30), prefetched).await;
    broker.pause().await;
    let back = || async { rig.ready("bulk").await == 280 };
    eventually("all but what the worker holds is ready", Duration::from_secs(30), back).await;
    assert_eq!(broker.depth().await.unwrap().bulk, 280);
    held.into_iter().for_each(Delivery::ack);
    broker.publish(&messages(Lane::Bulk, 300..310)).await.unwrap();
    assert_eq!(rig.ready("bulk").await, 290);
    broker.resume().await;
    let mut came = BTreeSet::new();
    for delivery in take(&*broker, 290).await {
        assert!(came.insert(delivery.message.key.payment), "came twice: {delivery:?}");
        delivery.ack();
    }
    let more = timeout(Duration::from_millis(300), broker.receive(300)).await;
    assert!(more.is_err(), "came beyond what was sent, once more: {more:?}");
}

/// The server may serve a new consumer before acknowledgements that were sent first; it closed the connection over that.
async fn resumed_at_once(rig: Rig) {
    const ROUNDS: u32 = 40;
    let broker = rig.open().await;
    broker.publish(&messages(Lane::Bulk, 0..ROUNDS * 20)).await.unwrap();
    let mut came = BTreeSet::new();
    for _ in 0..ROUNDS {
        let held = take(&*broker, 20).await;
        broker.pause().await;
        for delivery in held {
            assert!(came.insert(delivery.message.key.payment), "came twice: {delivery:?}");
            delivery.ack();
        }
        tokio::time::sleep(Duration::from_millis(6)).await;
        broker.resume().await;
    }
    let more = timeout(Duration::from_millis(300), broker.receive(300)).await;
    assert!(more.is_err(), "came beyond what was sent, once more: {more:?}");
}

async fn lost_queue_publishing(rig: Rig) {
    let broker = rig.open().await;
    let mut lost = broker.topology_lost();
    assert_eq!(*lost.borrow_and_update(), 1, "new queues count as lost ones");
    broker.pause().await;
    rig.delete_queue("bulk").await;
    let began = Instant::now();
    let first = broker.publish(&messages(Lane::Bulk, 0..10)).await;
    assert!(first.is_err(), "nothing took it: {first:?}");
    broker.publish(&messages(Lane::Interactive, 10..20)).await.unwrap();
    let again = || async { broker.publish(&messages(Lane::Bulk, 0..10)).await.is_ok() };
    eventually("the queue is back", Duration::from_secs(10), again).await;
    println!("publishing works again after {:?}", began.elapsed());
    // Work may pass through the new queue before its maker has reported it.
    let reported = timeout(Duration::from_secs(10), lost.wait_for(|count| *count > 1)).await;
    reported.expect("the loss is reported").unwrap();
    broker.resume().await;
    take(&*broker, 20).await.into_iter().for_each(Delivery::ack);
}

async fn lost_queue_idle(rig: Rig) {
    let broker = rig.open().await;
    broker.publish(&messages(Lane::Interactive, 0..10)).await.unwrap();
    let held = take(&*broker, 10).await;
    notice_and_recover(&rig, &*broker, "interactive").await;
    held.into_iter().for_each(Delivery::ack);
    broker.publish(&messages(Lane::Interactive, 20..30)).await.unwrap();
    take(&*broker, 10).await.into_iter().for_each(Delivery::ack);
}

async fn lost_queue_paused(rig: Rig) {
    let broker = rig.open().await;
    broker.pause().await;
    notice_and_recover(&rig, &*broker, "bulk").await;
}

async fn notice_and_recover(rig: &Rig, broker: &dyn Broker, queue: &str) {
    let mut lost = broker.topology_lost();
    lost.borrow_and_update();
    rig.delete_queue(queue).await;
    timeout(Duration::from_secs(10), lost.changed()).await.expect("the loss is reported").unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    wait_until_up(broker).await;
    assert_eq!(rig.ready(queue).await, 0, "it is there again");
}

/// Closes every connection whose name holds the instance's id, as an operator would; returns how many.
async fn kill_connections(instance: InstanceId) -> usize {
    let admin = required("PAYSTORM_TEST_AMQP_ADMIN_URL");
    let (http, mut killed) = (reqwest::Client::new(), 0);
    let list: serde_json::Value =
        http.get(format!("{admin}/api/connections")).send().await.unwrap().json().await.unwrap();
    for connection in list.as_array().unwrap() {
        let named = connection["client_properties"]["connection_name"].as_str().unwrap_or_default();
        if named.contains(&instance.to_string()) {
            let name = connection["name"].as_str().unwrap();
            let mut url = url::Url::parse(&admin).unwrap();
            url.path_segments_mut().unwrap().extend(["api", "connections", name]);
            killed += usize::from(http.delete(url).send().await.unwrap().status().is_success());
        }
    }
    killed
}

async fn killed_connections(rig: Rig) {
    const COUNT: u32 = 30_000;
    let instance = InstanceId::generate();
    let broker = rig.open_as(instance).await;
    let publisher = broker.clone();
    let publishing = tokio::spawn(async move {
        let mut refused = 0;
        for start in (0..COUNT).step_by(100) {
            while let Err(error) = publisher.publish(&messages(Lane::Bulk, start..start + 100)).await {
                refused += 1;
                println!("publish: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        refused
    });
    let killing = tokio::spawn(async move {
        let mut killed = 0;
        for _ in 0..3 {
            // The management plugin learns of a connection some seconds after it was made.
            let before = killed;
            while killed == before {
                tokio::time::sleep(Duration::from_millis(200)).await;
                killed += kill_connections(instance).await;
            }
        }
        killed
    });
    let mut seen = BTreeSet::new();
    let mut again = 0;
    while seen.len() < COUNT as usize {
        let got = timeout(Duration::from_secs(30), broker.receive(512)).await;
        let got = got.unwrap_or_else(|_| panic!("only {} of {COUNT} came", seen.len())).unwrap();
        for delivery in got {
            again += usize::from(!seen.insert(delivery.message.key.payment));
            delivery.ack();
        }
    }
    let (killed, refused) = (killing.await.unwrap(), publishing.await.unwrap());
    println!("{killed} connections killed, {refused} batches sent again, {again} messages came twice");
    assert!(killed >= 3);
    wait_until_up(&*broker).await;
    eventually("the rest of the duplicates is through", Duration::from_secs(10), || async {
        while let Ok(got) = timeout(Duration::from_millis(200), broker.receive(512)).await {
            got.unwrap().into_iter().for_each(Delivery::ack);
        }
        broker.depth().await.is_ok_and(|depth| depth.bulk + depth.in_flight == 0)
    })
    .await;
}

/// The next message, passing over gaps, which cost a reader no more than a look at the store.
async fn next_message(receiver: &mut BroadcastReceiver) -> (InstanceId, Bytes) {
    loop {
        match timeout(Duration::from_secs(30), receiver.recv()).await.expect("a message").unwrap() {
            BroadcastEvent::Message { origin, body } => return (origin, body),
            BroadcastEvent::Gap => {}
        }
    }
}

async fn broadcast(rig: Rig) {
    let (one_id, two_id) = (InstanceId::generate(), InstanceId::generate());
    let (one, two) = (rig.open_as(one_id).await, rig.open_as(two_id).await);
    let (mut receiver_one, mut receiver_two) = (one.broadcast_subscribe(), two.broadcast_subscribe());
    one.broadcast_publish(Bytes::from_static(b"from one")).await;
    for receiver in [&mut receiver_one, &mut receiver_two] {
        assert_eq!(
            next_message(receiver).await,
            (one_id, Bytes::from_static(b"from one")),
            "everybody, sender included"
        );
    }
    two.broadcast_publish(Bytes::from_static(b"from two")).await;
    assert_eq!(next_message(&mut receiver_one).await.0, two_id);
    // In step, there are no gaps.
    for n in 0..500_u32 {
        one.broadcast_publish(Bytes::copy_from_slice(&n.to_be_bytes())).await;
        let event = timeout(Duration::from_secs(30), receiver_one.recv()).await.unwrap().unwrap();
        assert!(
            matches!(event, BroadcastEvent::Message { origin, .. } if origin == one_id),
            "{n}: {event:?}"
        );
    }
    // A later subscriber sees that there was something before.
    let three = rig.open().await;
    let mut receiver_three = three.broadcast_subscribe();
    one.broadcast_publish(Bytes::from_static(b"x")).await;
    let event = timeout(Duration::from_secs(30), receiver_three.recv()).await.unwrap();
    assert_eq!(event, Some(BroadcastEvent::Gap));
}

async fn broadcast_overflow(rig: Rig) {
    let broker = rig.open().await;
    let (mut slow, mut quick) = (broker.broadcast_subscribe(), broker.broadcast_subscribe());
    for n in 0..3_000_u32 {
        broker.broadcast_publish(Bytes::copy_from_slice(&n.to_be_bytes())).await;
        next_message(&mut quick).await;
    }
    let event = timeout(Duration::from_secs(30), slow.recv()).await.unwrap();
    assert_eq!(event, Some(BroadcastEvent::Gap));
    let (_, body) = next_message(&mut slow).await;
    assert!(body[..] > 1_000_u32.to_be_bytes()[..], "the oldest are gone, the youngest are there");
    // A burst larger than all buffers never blocks the sender, and the loss shows.
    let began = Instant::now();
    for _ in 0..20_000 {
        broker.broadcast_publish(Bytes::from_static(b"burst")).await;
    }
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    let mut gap = false;
    while !gap {
        tokio::time::sleep(Duration::from_millis(20)).await;
        broker.broadcast_publish(Bytes::from_static(b"after")).await;
        let event = timeout(Duration::from_secs(30), quick.recv()).await.expect("a gap").unwrap();
        gap = event == BroadcastEvent::Gap;
    }
}

async fn poison(rig: Rig) {
    let broker = rig.open().await;
    let channel = rig.connect().await.create_channel().await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    for body in [&b"{\"not\":\"ours\"}"[..], b""] {
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let properties = BasicProperties::default().with_delivery_mode(2);
        let exchange = rig.name("work").into();
        let sent = channel.basic_publish(exchange, "interactive".into(), options, body, properties).await;
        assert!(sent.unwrap().await.unwrap().is_ack());
    }
    broker.publish(&messages(Lane::Interactive, 0..5)).await.unwrap();
    take(&*broker, 5).await.into_iter().for_each(Delivery::ack);
    let dead = || async { rig.ready("dead").await == 2 };
    eventually("both are in the dead-letter queue", Duration::from_secs(5), dead).await;
    // Dead-lettering does not keep their order.
    let mut bodies = BTreeSet::new();
    for _ in 0..2 {
        let options = BasicGetOptions { no_ack: true };
        let dead = channel.basic_get(rig.name("dead").into(), options).await.unwrap().unwrap();
        bodies.insert(dead.delivery.data.clone());
    }
    assert_eq!(bodies, BTreeSet::from([b"{\"not\":\"ours\"}".to_vec(), Vec::new()]));
    assert_eq!(*broker.health().borrow(), BrokerHealth::Up);
    assert_eq!(rig.ready("interactive").await, 0);
}

async fn in_order(rig: Rig) {
    measure(rig, 1).await;
}

/// As with an acquirer whose latency varies: 2,000 are in hand, and any of them may be the next to be done.
async fn out_of_order(rig: Rig) {
    measure(rig, 2_000).await;
}

/// Publishes and receives many messages, and acknowledges any of those in hand whenever there are more than `hold`.
async fn measure(rig: Rig, hold: usize) {
    const COUNT: u32 = 100_000;
    let broker = rig.open().await;
    let publisher: Arc<dyn Broker> = broker.clone();
    let began = Instant::now();
    let publishing = tokio::spawn(async move {
        for start in (0..COUNT).step_by(512) {
            let end = (start + 512).min(COUNT);
            let batch: Vec<_> = (start..end).map(|n| message(Lane::Bulk, n, Timestamp::now())).collect();
            publisher.publish(&batch).await.unwrap();
        }
        began.elapsed()
    });
    let (mut got, mut wait_micros, mut random) = (0, 0_u64, 1_usize);
    let mut held = Vec::new();
    while got < COUNT as usize {
        let deliveries = broker.receive(512).await.unwrap();
        let now = Timestamp::now();
        got += deliveries.len();
        for delivery in deliveries {
            wait_micros += now.micros_since(delivery.message.dispatched_at);
            held.push(delivery);
            if held.len() >= hold {
                random =
                    random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                held.swap_remove((random >> 33) % held.len()).ack();
            }
        }
    }
    held.into_iter().for_each(Delivery::ack);
    let (sent, done) = (publishing.await.unwrap(), began.elapsed());
    println!(
        "{hold} in hand: published {:.0}/s, end to end {:.0}/s, mean wait {:.1} ms",
        f64::from(COUNT) / sent.as_secs_f64(),
        f64::from(COUNT) / done.as_secs_f64(),
        wait_micros as f64 / f64::from(COUNT) / 1_000.0,
    );
}
