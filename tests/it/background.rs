//! Background tasks and leases of a running server: one that does not run makes it unready, and System says so.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use paystorm::clock::Wall;
use paystorm::domain::ids::InstanceId;
use paystorm::domain::time::Timestamp;
use paystorm::lease::Lease;
use serde_json::{Value, json};

use crate::support::binary::eventually;
use crate::support::commands::at;
use crate::support::server::{Server, Stack, with};
use crate::support::stores::sqlite;

async fn ready(server: &Server) -> (u16, Value) {
    let (status, text) = server.page("/readyz", "").await;
    (status, serde_json::from_str(&text).expect("JSON"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_task_makes_the_server_unready_and_is_named() {
    with(
        Stack::Embedded,
        |_| {},
        async |server: Arc<Server>| {
            eventually("everything is ready", async || ready(&server).await.0 == 200).await;
            let cookie = server.sign_in("shop@example.org").await;
            let (_, page) = server.page("/system", &cookie).await;
            for task in ["Taking payments in", "Timers", "Updating search", "Watching the parts"] {
                assert!(page.contains(task), "{task} is missing in:\n{page}");
            }
            assert!(!page.contains("(does not run)"), "{page}");

            server.tasks.register("timers").died("planted");
            let (status, said) = ready(&server).await;
            assert_eq!((status, &said["ready"]), (503, &json!(false)));
            assert_eq!(said["dead_tasks"], json!(["timers"]));
            assert_eq!(said["tasks"]["ok"], json!(false));
            let (_, page) = server.page("/system", &cookie).await;
            assert!(page.contains("Retries, settlements and expiries wait."), "{page}");
            assert!(page.contains("(does not run)") && page.contains("planted"), "{page}");

            let _again = server.tasks.register("timers");
            assert_eq!(ready(&server).await.0, 200);
        },
    )
    .await;
}

const TTL: Duration = Duration::from_secs(6);

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_is_renewed_when_that_is_due_and_given_back() {
    let test = sqlite().await;
    let now = Arc::new(AtomicI64::new(at(0).micros()));
    let read = Arc::clone(&now);
    let wall = Wall::new(move || Timestamp::from_micros(read.load(Ordering::Relaxed)));
    let pass = |ms: u64| now.store(at(ms).micros(), Ordering::Relaxed);
    let (one, two) = (InstanceId::generate(), InstanceId::generate());
    let lease = |holder| Lease::new(test.store.clone(), wall.clone(), "planted", holder, TTL);
    let (mut ours, mut theirs) = (lease(one), lease(two));
    assert!(!ours.is_held());
    assert!(ours.hold().await.expect("asked") && ours.is_held());
    assert!(!theirs.hold().await.expect("asked"));
    assert_eq!((theirs.is_held(), theirs.other_holder()), (false, Some(one)));
    // One that is not held gives nothing back.
    theirs.release().await;
    assert!(!theirs.hold().await.expect("asked"));

    // The wall clock is put forward beyond its end: another may have it by now.
    pass(7_000);
    assert!(theirs.hold().await.expect("asked"), "it has ended");
    assert!(!ours.hold().await.expect("asked"), "it is asked about before its renewal is due");
    assert_eq!(ours.other_holder(), Some(two));

    theirs.release().await;
    assert!(!theirs.is_held());
    assert!(ours.hold().await.expect("asked"), "it need not be waited for");
    assert_eq!(ours.other_holder(), None);

    // What was taken away is not asked about at every turn, but as soon as it is known elsewhere.
    test.store.lease_release("planted", one).await.expect("released");
    assert!(theirs.hold().await.expect("asked"));
    assert!(ours.hold().await.expect("not asked"));
    ours.forget();
    assert!(!ours.hold().await.expect("asked"));
    test.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_is_held_until_it_is_lost() {
    let test = sqlite().await;
    let lease = |name, ttl| Lease::new(test.store.clone(), Wall::system(), name, InstanceId::generate(), ttl);
    let short = Duration::from_millis(1_500);
    let mut renewed = lease("renewed", short);
    let held = tokio::time::timeout(short * 3, renewed.hold_until_lost()).await;
    assert!(held.is_err() && renewed.is_held(), "it is renewed repeatedly");

    let (mut ours, mut theirs) = (lease("planted", TTL), lease("planted", TTL));
    assert!(theirs.hold().await.expect("asked"));
    let lost = tokio::time::timeout(Duration::from_secs(30), ours.hold_until_lost()).await;
    lost.expect("returns once another has it").expect("asked");
    assert!(!ours.is_held());
    test.remove().await;
}
