//! A server whose clock is put back: time goes forward along the journal all the same, and System says that something is wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use paystorm::clock::Wall;
use paystorm::domain::ids::PaymentId;
use paystorm::domain::time::Timestamp;

use crate::support::binary::eventually;
use crate::support::server::{Server, Stack, with_by};

const CHARGE: &str = "amount=1250&currency=eur&payment_method=pm_card_visa&confirm=true";
/// What System says of the clock.
const BEHIND: &str = "of this server is more than two seconds behind";

async fn pay(server: &Server) -> PaymentId {
    let (status, body) = server.post("/v1/payment_intents", CHARGE).await;
    assert_eq!(status, 200, "{body}");
    body["id"].as_str().and_then(|id| id.parse().ok()).expect("an id")
}

async fn says_behind(server: &Server, cookie: &str) -> bool {
    let (status, page) = server.page("/system", cookie).await;
    assert_eq!(status, 200, "{page}");
    page.contains(BEHIND)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_put_back_is_shown_and_takes_no_time_back() {
    for stack in [Stack::Embedded, Stack::Real] {
        let off_us = Arc::new(AtomicI64::new(0));
        let read = Arc::clone(&off_us);
        let wall = Wall::new(move || {
            Timestamp::from_micros(Timestamp::now().micros() + read.load(Ordering::Relaxed))
        });
        with_by(
            wall,
            stack,
            |_| {},
            async |server| {
                let cookie = server.sign_in("shop@example.org").await;
                let mut made = vec![pay(&server).await];
                assert!(!says_behind(&server, &cookie).await);
                off_us.store(-60_000_000, Ordering::Relaxed);
                eventually("System says so", async || says_behind(&server, &cookie).await).await;
                made.push(pay(&server).await);
                off_us.store(0, Ordering::Relaxed);
                eventually("System says no more", async || !says_behind(&server, &cookie).await).await;
                made.push(pay(&server).await);

                let payments = server.test.store.payment_get(&made).await.expect("read");
                let walls = made.iter().flat_map(|id| {
                    let payment = payments.iter().find(|payment| payment.id() == *id).expect("it is there");
                    payment.history().iter().map(|recorded| recorded.wall)
                });
                assert!(walls.is_sorted(), "{payments:?}");
                let rows = server.test.store.journal_read(0, 100).await.expect("read");
                assert!(rows.is_sorted_by(|row, next| row.at < next.at));
                // Nothing is missed by when it was created either.
                let mut created: Vec<i64> = payments.iter().map(|one| one.created_at().seconds()).collect();
                created.sort_unstable();
                let (first, last) = (created[0], created[2]);
                for (path, expected) in [
                    (format!("/v1/payment_intents?created[gte]={first}&created[lte]={last}"), 3),
                    (format!("/v1/payment_intents?created[lt]={first}"), 0),
                    (format!("/v1/payment_intents?created[gt]={last}"), 0),
                ] {
                    let (status, list) = server.get(&path).await;
                    assert_eq!(
                        (status, list["data"].as_array().map(Vec::len)),
                        (200, Some(expected)),
                        "{path}"
                    );
                }
            },
        )
        .await;
    }
}
