//! What only the embedded broker promises.

use std::time::Duration;

use paystorm::broker::Delivery;
use paystorm::domain::submission::Lane;
use tokio::time::timeout;

use super::rig::{Adapter, Rig, messages, take};

#[tokio::test]
async fn a_full_queue_makes_the_publisher_wait() {
    Rig::run_with(Adapter::Embedded, |settings| settings.queue_capacity = 10, full_queue).await;
}

async fn full_queue(rig: Rig) {
    let broker = rig.open().await;
    assert!(!broker.is_durable());
    broker.publish(&messages(Lane::Bulk, 0..10)).await.unwrap();
    let publishing = tokio::spawn({
        let broker = broker.clone();
        async move { broker.publish(&messages(Lane::Bulk, 10..25)).await }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!publishing.is_finished(), "no room, so it waits");
    assert_eq!(broker.depth().await.unwrap().bulk, 10);
    let other_lane = messages(Lane::Interactive, 100..110);
    timeout(Duration::from_secs(30), broker.publish(&other_lane)).await.unwrap().unwrap();
    take(&*broker, 35).await.into_iter().for_each(Delivery::ack);
    publishing.await.unwrap().unwrap();
}
