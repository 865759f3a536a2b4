//! One damaged payment holds up nobody: it is set aside with its cause, and every list, reader, worker and timer goes on.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;

use paystorm::clock::Wall;
use paystorm::domain::ids::{AccountId, InstanceId, PaymentId};
use paystorm::domain::payment::Payment;
use paystorm::domain::submission::Kind;
use paystorm::engine::keys;
use paystorm::readers::batch::Batch;
use paystorm::readers::follower::{Follower, Reader, ReaderError};
use paystorm::readers::ring::Ring;
use paystorm::store::{PaymentFilter, Store};
use tokio_util::sync::CancellationToken;

use crate::corruption::sql;
use crate::support::commands::{at, keyed, one, submit, write_down_open_work};
use crate::support::server::{Server, on_both_stacks};
use crate::support::stores::both;

on_both_stacks!(damaged_payments_hold_up_nobody);

fn hex(bytes: &[u8]) -> String {
    format!("x'{}'", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

async fn charges(store: &dyn Store, owner: AccountId, count: usize) -> Vec<Payment> {
    let mut made = Vec::new();
    for _ in 0..count {
        made.push(one(store, submit(owner, Kind::Charge, 100), at(0)).await);
    }
    made.sort_unstable_by_key(Payment::id);
    made
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_and_scans_pass_over_what_cannot_be_read() {
    for test in both().await {
        let store = test.store.as_ref();
        let owner = AccountId::generate();
        let made = charges(store, owner, 7).await;
        // The two newest, one in the middle, and one that stands under the id of another.
        for n in [2, 5, 6] {
            sql(
                &test,
                &format!("UPDATE payment SET history=x'00' WHERE id={}", hex(made[n].id().as_bytes())),
            )
            .await;
        }
        let swap = format!("UPDATE payment SET submission=x'c0' WHERE id={}", hex(made[0].id().as_bytes()));
        sql(&test, &swap).await;
        let well: Vec<PaymentId> = [1, 3, 4].map(|n: usize| made[n].id()).to_vec();
        let ids = |payments: &[Payment]| payments.iter().map(Payment::id).collect::<Vec<_>>();
        let list = async |limit, before| {
            let filter = PaymentFilter { limit, before, ..PaymentFilter::default() };
            ids(&store.payment_list(owner, &filter).await.expect("listed"))
        };
        assert_eq!(list(2, None).await, [well[2], well[1]], "{}: a page is full", test.name);
        assert_eq!(list(2, Some(well[1])).await, [well[0]], "{}", test.name);
        let (mut after, mut scanned) = (None, Vec::<PaymentId>::new());
        while let Some(last) = {
            let page = ids(&store.payment_scan(after, 1).await.expect("scanned"));
            scanned.extend(&page);
            page.last().copied()
        } {
            after = Some(last);
        }
        assert_eq!(scanned, well, "{}", test.name);
        write_down_open_work(&test.store).await;
        let (mut after, mut open) = (None, Vec::new());
        loop {
            let page = store.work_open(after, 1).await.expect("read");
            let Some(last) = page.last() else { break };
            after = Some(last.id());
            open.push(last.id());
        }
        open.sort_unstable();
        assert_eq!(open, well, "{}", test.name);
        assert_eq!(store.aside().len(), 4, "{}", test.name);
        let torn = store.payment_one(made[5].id()).await.expect_err("it is there");
        assert!(torn.to_string().contains("history"), "{torn}");
        assert!(store.payment_one(PaymentId::generate()).await.expect("read").is_none());
        paystorm::store::aside::save(store, at(1)).await.expect("saved");
        let kept = store.aside_list(9).await.expect("read");
        assert_eq!(kept.len(), 4, "{}: {kept:?}", test.name);
        store.aside().take_back([made[5].id()].into_iter());
        paystorm::store::aside::save(store, at(2)).await.expect("saved");
        assert_eq!(store.aside_list(9).await.expect("read").len(), 3, "{}", test.name);
        test.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn old_idempotency_keys_are_forgotten_and_young_ones_kept() {
    for test in both().await {
        let store = test.store.as_ref();
        let owner = AccountId::generate();
        for n in 0..10_u64 {
            one(store, keyed(owner, &format!("order-{n}")), at(n * 1_000)).await;
            // The same key of somebody else's.
            one(store, keyed(AccountId::generate(), &format!("order-{n}")), at(n * 1_000 + 500)).await;
        }
        let left = async || {
            let mut snapshot = store.snapshot().await.expect("a snapshot");
            snapshot.idempotency(None, 100).await.expect("read").len()
        };
        let (mut after, mut deleted, mut pages) = (Vec::new(), 0, 0);
        loop {
            let pruned = store.idempotency_prune(&after, at(4_500), 3).await.expect("pruned");
            deleted += pruned.deleted;
            pages += 1;
            match pruned.next {
                Some(next) => after = next,
                None => break,
            }
        }
        assert_eq!((deleted, left().await), (9, 11), "{}", test.name);
        assert!(pages > 4, "{}: {pages} pages", test.name);
        let pruned = keys::prune_page(store, &[], at(4_501)).await.expect("pruned");
        assert_eq!((pruned.deleted, left().await), (1, 10), "{}", test.name);
        let horizon = store.installation_get(keys::HORIZON).await.expect("read").expect("kept");
        assert_eq!(horizon, at(4_501).micros().to_be_bytes(), "{}", test.name);
        test.remove().await;
    }
}

async fn charge(server: &Server) -> String {
    let form = "amount=1250&currency=eur&payment_method=pm_card_visa&confirm=true";
    let (status, body) = server.post("/v1/payment_intents", form).await;
    assert_eq!((status, body["status"].as_str()), (200, Some("succeeded")), "{body}");
    body["id"].as_str().expect("an id").to_owned()
}

async fn damaged_payments_hold_up_nobody(server: Arc<Server>) {
    let shop = server.sign_in("shop@example.org").await;
    let (torn, stale, well) = (charge(&server).await, charge(&server).await, charge(&server).await);
    let id = |public: &str| public.parse::<PaymentId>().expect("an id");
    let row = |public: &str| format!("WHERE id={}", hex(id(public).as_bytes()));
    sql(&server.test, "CREATE TABLE backup AS SELECT id, submission FROM payment").await;
    // One cannot be read, and its work and its timer are due; of the other, the row says that it is due.
    let key = |public: &str| hex(id(public).as_bytes());
    let due = |public: &str| {
        let subject = key(public).replacen("x'", "x'01", 1);
        format!(
            "INSERT INTO due (subject,clock,due_at) VALUES ({subject},x'00000000000000000000000000000000',1)"
        )
    };
    let open = format!("INSERT INTO open_work (payment) VALUES ({})", key(&torn));
    let tear = format!("UPDATE payment SET submission=x'c0' {}", row(&torn));
    sql(&server.test, &format!("{tear};{};{};{open}", due(&torn), due(&stale))).await;
    let mut page = String::new();
    for _ in 0..300 {
        page = server.page("/system", &shop).await.1;
        if page.contains(&torn) && page.contains(&stale) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(page.contains("Set aside") && page.contains(&torn) && page.contains(&stale), "{page}");
    assert!(
        page.contains("cannot be read: ") && page.contains("it is due, and nothing about it is"),
        "{page}"
    );
    // Neither is answered as if it did not exist.
    let (status, body) = server.get(&format!("/v1/payment_intents/{torn}")).await;
    assert_eq!((status, body["error"]["code"].as_str()), (500, Some("internal_error")), "{body}");
    let (status, body) = server.post(&format!("/v1/payment_intents/{torn}/cancel"), "").await;
    assert_eq!(status, 500, "{body}");
    // Everything else goes on: other payments, lists, pages, retries that the timers fire.
    let next = charge(&server).await;
    let (status, list) = server.get("/v1/payment_intents?limit=2").await;
    let listed: Vec<&str> =
        list["data"].as_array().expect("a list").iter().filter_map(|one| one["id"].as_str()).collect();
    assert_eq!((status, listed), (200, vec![next.as_str(), well.as_str()]), "{list}");
    for path in ["/", "/payments", "/wallets", "/wallets/eur"] {
        assert_eq!(server.page(path, &shop).await.0, 200, "{path}");
    }
    // As it was, for the audit at the end.
    let back = "UPDATE payment SET submission=(SELECT submission FROM backup WHERE backup.id=payment.id)";
    let rest = "DELETE FROM due;DELETE FROM open_work;DROP TABLE backup";
    sql(&server.test, &format!("{back} {};{rest}", row(&torn))).await;
}

/// Notes the places that it is handed.
struct Places(Arc<Mutex<Vec<u64>>>);

#[async_trait]
impl Reader for Places {
    fn name(&self) -> &'static str {
        "places"
    }

    async fn begin(&mut self, _stored: u64, _head: u64) -> Result<u64, ReaderError> {
        Ok(0)
    }

    async fn apply(&mut self, batches: &[Arc<Batch>]) -> Result<(), ReaderError> {
        self.0.lock().expect("not poisoned").extend(batches.iter().map(|batch| batch.seq));
        Ok(())
    }

    fn safe(&self) -> u64 {
        self.0.lock().expect("not poisoned").last().copied().unwrap_or(0)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_torn_row_of_the_journal_stops_no_reader() {
    for test in both().await {
        charges(test.store.as_ref(), AccountId::generate(), 3).await;
        sql(&test, "UPDATE journal SET body=x'00' WHERE seq=2").await;
        let places = Arc::new(Mutex::new(Vec::new()));
        let ring = Arc::new(Ring::new(1 << 20, 3));
        let clock = Wall::system();
        let follower = Follower::leased(test.store.clone(), ring, clock, InstanceId::generate());
        let stop = CancellationToken::new();
        let running = tokio::spawn(follower.run(Box::new(Places(Arc::clone(&places))), stop.clone()));
        let seen = || places.lock().expect("not poisoned").clone();
        for _ in 0..300 {
            if seen().contains(&3) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        stop.cancel();
        running.await.expect("it ends");
        assert_eq!(seen(), [1, 3], "{}", test.name);
        paystorm::store::aside::save(test.store.as_ref(), at(1)).await.expect("saved");
        let kept = test.store.aside_list(9).await.expect("read");
        assert!(kept.iter().any(|record| record.subject.to_key() == "journal row 2"), "{kept:?}");
        test.remove().await;
    }
}
