//! Lists of payments by owner, which the embedded store writes later than the payments.

use std::collections::BTreeMap;
use std::sync::Arc;

use diesel::sql_types::BigInt;
use diesel::{Connection as _, RunQueryDsl as _, SqliteConnection};
use paystorm::audit::{AuditOptions, audit};
use paystorm::domain::ids::{AccountId, PaymentId};
use paystorm::domain::payment::Payment;
use paystorm::domain::payment_kind::PaymentKind;
use paystorm::domain::submission::Kind;
use paystorm::store::sqlite::SqliteStore;
use paystorm::store::{PaymentFilter, Store};

use crate::support::commands::{at, decide, submit};
use crate::support::stores::{TestStore, sqlite};

const OWNERS: usize = 50;
const BATCH: usize = 1_000;

#[derive(diesel::QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    value: i64,
}

/// Rows that are written, and whether there is a mark.
fn written(test: &TestStore) -> (i64, bool) {
    let path = test.dir.path().join("paystorm.sqlite3");
    let mut conn = SqliteConnection::establish(&path.to_string_lossy()).expect("the file opens");
    let mut count = |query: &str| {
        let found: Count = diesel::sql_query(query).get_result(&mut conn).expect("read");
        found.value
    };
    let rows = count("SELECT COUNT(*) AS value FROM owner_payment");
    (rows, count("SELECT COUNT(*) AS value FROM installation WHERE name='owner_payments_below'") == 1)
}

/// All pages, read forwards and backwards.
async fn listed(store: &dyn Store, owner: AccountId, kinds: Vec<PaymentKind>) -> Vec<PaymentId> {
    let ids = |page: Vec<Payment>| page.iter().map(Payment::id).collect::<Vec<_>>();
    let (mut back, mut before) = (Vec::new(), None);
    loop {
        let filter = PaymentFilter { kinds: kinds.clone(), before, limit: 1_000, ..PaymentFilter::default() };
        let page = ids(store.payment_list(owner, &filter).await.expect("listed"));
        let Some(last) = page.last() else { break };
        before = Some(*last);
        back.extend(page);
    }
    let (mut forth, mut after) = (Vec::new(), PaymentId::from_bytes([0; 16]));
    loop {
        let after_last = Some(after);
        let filter =
            PaymentFilter { kinds: kinds.clone(), after: after_last, limit: 777, ..PaymentFilter::default() };
        let mut page = ids(store.payment_list(owner, &filter).await.expect("listed"));
        page.reverse();
        let Some(last) = page.last() else { break };
        after = *last;
        forth.extend(page);
    }
    forth.reverse();
    assert_eq!(back, forth, "the same one way and the other");
    back
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_whole_while_they_are_written_and_after_a_start() {
    let test = sqlite().await;
    let owners: Vec<AccountId> = (0..OWNERS).map(|_| AccountId::generate()).collect();
    let mut made: BTreeMap<AccountId, Vec<(PaymentId, PaymentKind)>> = BTreeMap::new();
    let mut store: Arc<dyn Store> = Arc::clone(&test.store);
    for batch in 0..130_u64 {
        let kind = |n: usize| if n.is_multiple_of(7) { Kind::TopUp } else { Kind::Charge };
        // By turns, but for one who has as many as all the others.
        let commands: Vec<_> = (0..BATCH)
            .map(|n| submit(owners[if n.is_multiple_of(2) { 0 } else { n % OWNERS }], kind(n), 5))
            .collect();
        let (_, decided) = decide(store.as_ref(), &commands, at(batch)).await.expect("committed");
        for (_, payment) in &decided.changes {
            let one = (payment.id(), payment.submission().kind.payment_kind());
            made.entry(payment.owner()).or_default().push(one);
        }
        // Before any is written, amidst, and when one run of them is through.
        if ![3, 67, 100, 129].contains(&batch) {
            continue;
        }
        if batch == 67 {
            // As after a kill: whatever was only remembered is gone.
            let again = SqliteStore::open(test.dir.path(), &test.settings).await.expect("opens again");
            store = Arc::new(again);
        }
        for owner in [owners[0], owners[1], owners[33]] {
            let own = made.get_mut(&owner).expect("made");
            own.sort_unstable_by(|one, other| other.cmp(one));
            let all: Vec<PaymentId> = own.iter().map(|(id, _)| *id).collect();
            assert!(listed(store.as_ref(), owner, Vec::new()).await == all, "after batch {batch}");
            let topups = PaymentKind::TopUp;
            let some: Vec<PaymentId> =
                own.iter().filter(|(_, kind)| *kind == topups).map(|(id, _)| *id).collect();
            assert!(listed(store.as_ref(), owner, vec![topups]).await == some, "top-ups after batch {batch}");
        }
    }
    let (rows, marked) = written(&test);
    assert!(marked && rows >= 65_536, "{rows} rows, a mark: {marked}");
    let mut snapshot = test.store.snapshot().await.expect("a snapshot");
    let report = audit(snapshot.as_mut(), None, None, &AuditOptions::default()).await.expect("an audit");
    assert!(report.passed(), "{report}");
    drop(snapshot);
    test.remove().await;
}
