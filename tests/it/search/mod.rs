//! The contract of the search port, run against the embedded index and a real Elasticsearch.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test may panic: that is how it fails"
)]

mod faults;
mod fixtures;
mod rates;
pub mod subject;

use std::collections::BTreeSet;
use std::sync::Arc;

use paystorm::domain::ids::{AccountId, PaymentId, RefundId};
use paystorm::domain::payment::Payment;
use paystorm::search::{
    AccountNames, Applied, Bucket, CurrencySums, Cursor, HistogramSpec, PaymentDocument, Query,
    ScannedDocument, SearchError, SearchHealth, SearchIndex, SearchPage, SearchRequest, Sort,
};

use fixtures::{DAY, account, charge, in_part, payment_id, shop};
use subject::Subject;

/// Runs a contract test against both adapters.
macro_rules! contract {
    ($($name:ident),+ $(,)?) => {
        mod embedded {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let subject = super::Subject::embedded().await;
                super::$name(&subject).await;
                subject.remove().await;
            })+
        }
        mod elasticsearch {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let subject = super::Subject::elasticsearch().await;
                super::$name(&subject).await;
                subject.remove().await;
            })+
        }
    };
}

contract!(
    finds_by_every_kind_of_clause,
    documented_examples_find_something,
    shows_each_owner_their_own,
    pages_in_every_order_without_gaps,
    pages_stay_stable_while_payments_arrive,
    counts_facets_histogram_and_sums,
    knows_what_arrived_and_what_is_under_way,
    follows_statuses_sums_and_times,
    newer_versions_win,
    duplicates_within_a_batch_coalesce,
    scans_in_order_of_keys,
    a_new_generation_replaces_the_old_one,
    an_abandoned_generation_leaves_no_trace,
    refuses_requests_that_make_no_sense,
    long_and_odd_text_is_harmless,
    finds_people_by_name,
);

fn documents(payments: &[Payment]) -> Vec<PaymentDocument> {
    payments.iter().flat_map(|payment| PaymentDocument::of(payment, &())).collect()
}

async fn index(subject: &Subject, payments: &[Payment]) -> Applied {
    let applied = subject.index.apply(&documents(payments)).await.unwrap();
    subject.index.refresh().await.unwrap();
    applied
}

fn request(owner: AccountId, query: &str) -> SearchRequest {
    SearchRequest {
        limit: 100,
        sort: Sort::CreatedAsc,
        ..SearchRequest::new(owner, Query::parse(query).unwrap())
    }
}

/// The numbers of the payments found, in order of their ids.
async fn found(index: &dyn SearchIndex, owner: AccountId, query: &str) -> Vec<u64> {
    let page = index.search(&request(owner, query)).await.unwrap();
    assert!(page.total.exact);
    assert_eq!(page.total.value, u64::try_from(page.hits.len()).unwrap());
    assert_eq!(page.next_cursor, None);
    let mut numbers = numbers(&page);
    numbers.sort_unstable();
    numbers
}

fn numbers(page: &SearchPage) -> Vec<u64> {
    let number = |payment: PaymentId| (1..10_000).find(|number| payment_id(*number) == payment).unwrap();
    page.hits.iter().map(|hit| number(hit.payment)).collect()
}

async fn finds_by_every_kind_of_clause(subject: &Subject) {
    let (owner, friend) = (account(1), account(2));
    index(subject, &shop(owner, friend)).await;
    let all: Vec<u64> = (1..=13).filter(|n| *n != 14).chain([16]).collect();
    let without = |gone: &[u64]| all.iter().copied().filter(|n| !gone.contains(n)).collect::<Vec<_>>();
    let id = payment_id(3);
    let refund = RefundId::from_bytes([9; 16]);
    let cases: Vec<(String, Vec<u64>)> = vec![
        (String::new(), all.clone()),
        ("coffee".into(), vec![1, 6]),
        ("COFFEE cake".into(), vec![1]),
        ("\"coffee machine\"".into(), vec![6]),
        ("\"machine coffee\"".into(), vec![]),
        ("\"and cake 42\"".into(), vec![]),
        ("coff".into(), vec![]),
        ("tea".into(), vec![2, 8]),
        ("\"日本\"".into(), vec![8]),
        ("本日".into(), vec![]),
        ("north".into(), vec![2]),
        ("mastercard".into(), vec![3]),
        ("insufficient".into(), vec![5]),
        ("-tea -coffee status:succeeded".into(), vec![3, 9, 11, 12, 13, 16]),
        ("coffee OR pizza".into(), vec![1, 3, 6]),
        ("coffee OR -status:succeeded".into(), vec![1, 4, 5, 6, 7, 10]),
        ("status:succeeded".into(), without(&[4, 5, 6, 7, 10])),
        ("-status:succeeded".into(), vec![4, 5, 6, 7, 10]),
        ("status:requires_payment_method".into(), vec![4, 5, 6]),
        ("status:declined".into(), vec![4, 5]),
        ("status:processing".into(), vec![7]),
        ("amount:1250".into(), vec![2, 3, 16]),
        ("amount>1250 amount<=2500".into(), vec![8, 9, 11, 12]),
        ("amount>=1250 amount<2000".into(), vec![2, 3, 11, 16]),
        ("amount>99999999".into(), vec![]),
        ("amount>-1".into(), all.clone()),
        ("amount>9223372036854775807".into(), vec![]),
        ("currency:GBP".into(), vec![8, 9]),
        ("amount_refunded:500".into(), vec![9]),
        ("created<2026-01-31".into(), vec![6]),
        ("created>2026-01-31".into(), vec![10]),
        ("created>=2026-02-01 created<=2026-02-01".into(), vec![10]),
        ("created:1769817602".into(), vec![2, 16]),
        ("created>1769817602 created<1769817605".into(), vec![3, 4]),
        ("settled:null".into(), vec![7]),
        ("-settled:null currency:usd".into(), vec![3]),
        ("metadata[\"order\"]:42".into(), vec![1]),
        ("metadata[\"ORDER\"]:42".into(), vec![]),
        ("-metadata[\"order\"]:null".into(), vec![1, 2, 7]),
        ("metadata[\"order\"]:null metadata:null currency:jpy".into(), vec![6]),
        ("metadata[\"shop\"]:NORTH".into(), vec![2]),
        ("metadata[\"shop\"]~ort".into(), vec![2]),
        ("metadata[\"order\"]~ort".into(), vec![]),
        ("metadata[\"order\"]~\"_B*C?D\\\\\"".into(), vec![7]),
        ("metadata[\"order\"]~\"a?b\"".into(), vec![]),
        ("metadata[\"order\"]~\"***\"".into(), vec![]),
        ("description~\"ED te\"".into(), vec![2]),
        ("description~\"*special*\"".into(), vec![3]),
        ("description~\"10\\\" pi\"".into(), vec![3]),
        ("description:\"iced tea, LARGE\"".into(), vec![2]),
        ("description:\"iced tea\"".into(), vec![]),
        ("description:null".into(), vec![4, 5, 7, 9, 10, 12, 13, 16]),
        ("run:spring".into(), vec![5]),
        ("run~pri".into(), vec![5]),
        ("card.last4:4444".into(), vec![3]),
        ("card.first6:555555".into(), vec![3]),
        ("card.brand:mastercard".into(), vec![3]),
        ("card.brand:null".into(), vec![11, 12, 13]),
        ("decline_code:insufficient_funds".into(), vec![5]),
        ("decline_code:null status:declined".into(), vec![]),
        ("kind:payout OR kind:topup".into(), vec![13, 16]),
        ("kind:transfer".into(), vec![11, 12]),
        ("received:true".into(), vec![12]),
        ("refunded:true".into(), vec![8, 9]),
        ("partially_refunded:true".into(), vec![9]),
        ("refunded:false tea".into(), vec![2]),
        ("parked:true".into(), vec![6]),
        ("disputed:true".into(), vec![]),
        ("customer:null".into(), all.clone()),
        ("customer:cus_1".into(), vec![]),
        (format!("id:{id}"), vec![3]),
        (format!("{id}"), vec![3]),
        (id.with_prefix("tr_"), vec![3]),
        (format!("refund:{refund}"), vec![8]),
        (format!("{refund}"), vec![8]),
        (format!("payee:{friend}"), vec![11]),
    ];
    for (query, expected) in cases {
        assert_eq!(found(&*subject.index, owner, &query).await, expected, "{query}");
    }
}

async fn documented_examples_find_something(subject: &Subject) {
    let owner = account(1);
    index(subject, &shop(owner, account(2))).await;
    index(subject, &in_part(owner)).await;
    let text = include_str!("../../../docs/search.md");
    let examples: Vec<&str> = text
        .lines()
        .skip_while(|line| *line != "| Query | Finds |")
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.split('`').nth(1).unwrap())
        .collect();
    assert!(examples.len() >= 25, "{examples:?}");
    for example in examples {
        let hits = found(&*subject.index, owner, example).await;
        assert!(!hits.is_empty() && hits.len() < 17, "{example}: {hits:?}");
    }
}

async fn shows_each_owner_their_own(subject: &Subject) {
    let (owner, friend, stranger) = (account(1), account(2), account(3));
    index(subject, &shop(owner, friend)).await;
    let index = &*subject.index;
    assert_eq!(found(index, friend, "").await, [11, 12, 14, 15]);
    assert_eq!(found(index, stranger, "").await, [0_u64; 0]);
    // A negation or an alternative does not reach beyond the owner.
    assert_eq!(found(index, stranger, "-coffee OR coffee OR status:succeeded").await, [0_u64; 0]);
    // A receipt does not show what the sender wrote; a transfer under way has none.
    assert_eq!(found(index, friend, "lunch").await, [0_u64; 0]);
    assert_eq!(
        found(index, friend, "sender OR metadata[\"secret\"]~only OR description~lunch").await,
        [0_u64; 0]
    );
    assert_eq!(found(index, friend, "received:true").await, [11]);
    assert_eq!(found(index, owner, "lunch").await, [11]);
    assert_eq!(found(index, owner, "private").await, [0_u64; 0]);
    assert_eq!(found(index, owner, "amount:900").await, [0_u64; 0]);
}

/// Sixty payments with few different amounts and times, so that many tie.
fn crowd(owner: AccountId, numbers: std::ops::Range<u64>) -> Vec<Payment> {
    numbers
        .map(|n| {
            let created = DAY + i64::try_from(n % 7).unwrap() * 1_000_000;
            charge(n, owner, i64::try_from(n % 5 * 100 + 100).unwrap(), "eur").created(created).build()
        })
        .collect()
}

async fn pages(index: &dyn SearchIndex, mut request: SearchRequest) -> Vec<u64> {
    let mut all = Vec::new();
    loop {
        let page = index.search(&request).await.unwrap();
        all.extend(numbers(&page));
        let Some(cursor) = page.next_cursor else { return all };
        assert_eq!(page.hits.len(), request.limit);
        request.cursor = Some(Cursor::parse(&cursor.encode()).unwrap());
    }
}

async fn pages_in_every_order_without_gaps(subject: &Subject) {
    let owner = account(1);
    let payments = crowd(owner, 1..61);
    index(subject, &payments).await;
    let key = |n: &u64, sort: Sort| match sort {
        Sort::CreatedDesc | Sort::CreatedAsc => (n % 7, *n),
        Sort::AmountDesc | Sort::AmountAsc => (n % 5, *n),
    };
    for sort in [Sort::CreatedDesc, Sort::CreatedAsc, Sort::AmountDesc, Sort::AmountAsc] {
        let mut expected: Vec<u64> = (1..61).collect();
        expected.sort_by_key(|n| key(n, sort));
        if sort.is_descending() {
            expected.reverse();
        }
        for limit in [1, 7, 60, 100] {
            let request = SearchRequest { sort, limit, ..request(owner, "") };
            assert_eq!(pages(&*subject.index, request).await, expected, "{sort:?} {limit}");
        }
    }
}

async fn pages_stay_stable_while_payments_arrive(subject: &Subject) {
    let owner = account(1);
    index(subject, &crowd(owner, 1..31)).await;
    let first = SearchRequest { sort: Sort::CreatedDesc, limit: 10, ..request(owner, "") };
    let page = subject.index.search(&first).await.unwrap();
    let before = pages(&*subject.index, first.clone()).await;
    let newer: Vec<Payment> =
        (31..41).map(|n| charge(n, owner, 5, "eur").created(DAY + 3_600_000_000).build()).collect();
    index(subject, &newer).await;
    let rest = SearchRequest { cursor: page.next_cursor, ..first };
    assert_eq!(pages(&*subject.index, rest.clone()).await, before[10..]);
    assert_eq!(subject.index.search(&rest).await.unwrap().total.value, 40);
}

async fn counts_facets_histogram_and_sums(subject: &Subject) {
    let owner = account(1);
    index(subject, &shop(owner, account(2))).await;
    let histogram = HistogramSpec { from_micros: DAY, until_micros: DAY + 10_000_000, buckets: 4 };
    let everything = SearchRequest {
        facets: true,
        sums: true,
        histogram: Some(histogram),
        limit: 1,
        ..request(owner, "")
    };
    let page = subject.index.search(&everything).await.unwrap();
    insta::allow_duplicates! { insta::assert_debug_snapshot!("everything_counted", (&page.total, &page.facets, &page.sums)) };
    let expected = [(0, 2_500, 3), (2_500, 5_000, 2), (5_000, 7_500, 2), (7_500, 10_000, 2)];
    let expected = expected.map(|(from, until, count)| Bucket {
        from_micros: DAY + from * 1_000,
        until_micros: DAY + until * 1_000,
        count,
    });
    assert_eq!(page.histogram.unwrap(), expected);
    // Counts follow the query, and an empty result has empty counts.
    let few = SearchRequest { query: Query::parse("tea").unwrap(), ..everything.clone() };
    let page = subject.index.search(&few).await.unwrap();
    assert_eq!(page.facets.unwrap().currency, [("eur".to_owned(), 1), ("gbp".to_owned(), 1)]);
    assert_eq!(page.sums.unwrap().len(), 2);
    let none = SearchRequest { query: Query::parse("nothing").unwrap(), ..everything };
    let page = subject.index.search(&none).await.unwrap();
    assert!(page.facets.unwrap().status.is_empty());
    assert_eq!(page.histogram.unwrap().len(), 4);
}

async fn knows_what_arrived_and_what_is_under_way(subject: &Subject) {
    let owner = account(1);
    index(subject, &in_part(owner)).await;
    let found = async |query: &str| found(&*subject.index, owner, query).await;
    assert_eq!(found("amount_received:2000").await, [17]);
    assert_eq!(found("amount_received>=0").await, [17, 18]);
    assert_eq!(found("amount_received:null").await, [19]);
    assert_eq!(found("in_transit>0").await, [18, 19]);
    assert_eq!(found("in_transit:null").await, [17]);
    assert_eq!(found("amount_refunded:1500").await, [18], "on its way counts as refunded");
    let everything = SearchRequest { sums: true, limit: 1, ..request(owner, "") };
    let sums = subject.index.search(&everything).await.unwrap().sums.unwrap();
    let expected = CurrencySums {
        currency: "chf".to_owned(),
        count: 3,
        amount_minor: 18_000,
        received: 2,
        received_minor: 8_000,
        refunded_minor: 1_800,
        in_transit_minor: 7_500,
    };
    assert_eq!(sums, [expected]);
}

async fn follows_statuses_sums_and_times(subject: &Subject) {
    let owner = account(1);
    index(subject, &shop(owner, account(2))).await;
    let spec = HistogramSpec { from_micros: DAY, until_micros: DAY + 10_000_000, buckets: 2 };
    let request = SearchRequest { series: Some(spec), limit: 1, ..request(owner, "received:false") };
    let series = subject.index.search(&request).await.unwrap().series.unwrap();
    let [first, second] = series.points.as_slice() else { panic!("{series:?}") };
    // Payments 1 to 4, and 16, which was created with 2.
    assert_eq!((first.from_micros, first.until_micros, first.count), (DAY, DAY + 5_000_000, 5));
    assert_eq!(first.statuses, [("succeeded".to_owned(), 4), ("declined".to_owned(), 1)]);
    let sums: Vec<_> =
        first.currencies.iter().map(|sum| (sum.currency.as_str(), sum.count, sum.amount_minor)).collect();
    assert_eq!(sums, [("eur", 4, 450 + 1_250 + 9_900 + 1_250), ("usd", 1, 1_250)]);
    // Each came to its end two seconds after it was made; estimates may be a little off.
    let near = |us: Option<u64>| us.is_some_and(|us| us.abs_diff(2_000_000) < 60_000);
    for took in [first.took, second.took, series.took] {
        assert!(near(took.p50_us) && near(took.p95_us), "{took:?}");
    }
    assert_eq!(second.count, 4, "5, 7, 8 and 9");
    let none = SearchRequest { query: Query::parse("nothing").unwrap(), ..request };
    let series = subject.index.search(&none).await.unwrap().series.unwrap();
    assert!(series.points.iter().all(|point| point.count == 0 && point.statuses.is_empty()));
    assert_eq!((series.points.len(), series.took.p50_us), (2, None));
}

async fn newer_versions_win(subject: &Subject) {
    let owner = account(1);
    let payment = charge(1, owner, 450, "eur").description("Coffee").build();
    let old = payment.at_version(1).unwrap();
    assert_eq!(index(subject, std::slice::from_ref(&payment)).await, Applied { changed: 1, stale: 0 });
    // Searchable, then stale and equal versions.
    assert_eq!(index(subject, &[old, payment.clone()]).await, Applied { changed: 0, stale: 2 });
    let page = subject.index.search(&request(owner, "status:succeeded")).await.unwrap();
    assert_eq!(page.hits.len(), 1);
    assert_eq!(page.hits[0].version, u64::from(payment.version()));
    let newer = charge(1, owner, 450, "eur")
        .description("Coffee")
        .refunded(RefundId::from_bytes([9; 16]), 450)
        .build();
    assert_eq!(index(subject, &[newer]).await, Applied { changed: 1, stale: 0 });
    assert_eq!(found(&*subject.index, owner, "refunded:true").await, [1]);
    assert_eq!(found(&*subject.index, owner, "refunded:false").await, [0_u64; 0]);
    assert_eq!(subject.index.count().await.unwrap(), 1);
}

async fn duplicates_within_a_batch_coalesce(subject: &Subject) {
    let owner = account(1);
    let payment = charge(1, owner, 450, "eur").build();
    let versions: Vec<Payment> = [1, 3, 2, 3].iter().map(|v| payment.at_version(*v).unwrap()).collect();
    let applied = subject.index.apply(&documents(&versions)).await.unwrap();
    assert_eq!(applied, Applied { changed: 2, stale: 2 });
    // Again before anything is committed.
    let applied = subject.index.apply(&documents(&versions)).await.unwrap();
    assert_eq!(applied, Applied { changed: 0, stale: 4 });
    subject.index.refresh().await.unwrap();
    assert_eq!(subject.index.count().await.unwrap(), 1);
    assert_eq!(found(&*subject.index, owner, "status:succeeded").await, [1]);
}

async fn scans_in_order_of_keys(subject: &Subject) {
    let payments = shop(account(1), account(2));
    index(subject, &payments[8..]).await;
    index(subject, &payments[..8]).await;
    let mut expected: Vec<ScannedDocument> = documents(&payments).iter().map(ScannedDocument::of).collect();
    expected.sort_unstable();
    assert_eq!(expected.len(), 18);
    for limit in [1, 5, 100] {
        let mut scanned = Vec::new();
        let mut after = None;
        loop {
            let some = subject.index.scan(after, limit).await.unwrap();
            let Some(last) = some.last() else { break };
            after = Some(last.key);
            scanned.extend(some);
        }
        assert_eq!(scanned, expected, "{limit}");
    }
}

async fn a_new_generation_replaces_the_old_one(subject: &Subject) {
    let owner = account(1);
    let index_ref = &*subject.index;
    assert!(index_ref.needs_rebuild());
    index(subject, &crowd(owner, 1..21)).await;
    let generation = index_ref.begin_generation().await.unwrap();
    assert!(matches!(index_ref.begin_generation().await, Err(SearchError::Busy)));
    generation.apply(&documents(&crowd(owner, 11..31))).await.unwrap();
    // The old one goes on serving and taking changes.
    index(subject, &crowd(owner, 40..41)).await;
    assert_eq!(found(index_ref, owner, "").await.len(), 21);
    generation.finish(77).await.unwrap();
    assert!(!index_ref.needs_rebuild());
    assert_eq!(found(index_ref, owner, "").await, (11..31).collect::<Vec<u64>>());
    if let Some(position) = index_ref.committed_position().await.unwrap() {
        assert_eq!(position, 77);
    }
    // What came in between is read again from the position; then life goes on.
    index(subject, &crowd(owner, 40..41)).await;
    assert_eq!(found(index_ref, owner, "").await.len(), 21);
    assert_eq!(subject.generations().await, 1);
    let again = subject.reopen().await;
    assert!(!again.needs_rebuild());
    assert_eq!(found(&*again, owner, "").await.len(), 21);
    again.close().await;
}

async fn an_abandoned_generation_leaves_no_trace(subject: &Subject) {
    let owner = account(1);
    index(subject, &crowd(owner, 1..11)).await;
    let generation = subject.index.begin_generation().await.unwrap();
    generation.apply(&documents(&crowd(owner, 20..31))).await.unwrap();
    generation.abandon().await;
    assert_eq!(found(&*subject.index, owner, "").await.len(), 10);
    assert_eq!(subject.generations().await, 1);
    drop(subject.index.begin_generation().await.unwrap());
    subject.index.begin_generation().await.unwrap().abandon().await;
}

async fn refuses_requests_that_make_no_sense(subject: &Subject) {
    let owner = account(1);
    index(subject, &crowd(owner, 1..11)).await;
    let refused = async |request: SearchRequest| {
        assert!(
            matches!(subject.index.search(&request).await, Err(SearchError::BadRequest(_))),
            "{request:?}"
        );
    };
    refused(SearchRequest { limit: 0, ..request(owner, "") }).await;
    refused(SearchRequest { limit: 1_001, ..request(owner, "") }).await;
    let histogram = Some(HistogramSpec { from_micros: 5, until_micros: 5, buckets: 1 });
    refused(SearchRequest { histogram, ..request(owner, "") }).await;
    let page = subject.index.search(&SearchRequest { limit: 2, ..request(owner, "") }).await.unwrap();
    refused(SearchRequest { cursor: page.next_cursor, sort: Sort::AmountAsc, ..request(owner, "") }).await;
    assert_eq!(*subject.index.health().borrow(), SearchHealth::Up);
}

async fn long_and_odd_text_is_harmless(subject: &Subject) {
    let owner = account(1);
    let long = "日本".repeat(250);
    let odd = "\"\\🦀 *?[a-z].* ${jndi} <script>";
    // No text that is taken in has control characters, and no query either; a store may have some from before.
    let unseen = format!("\u{0}\u{1f}\n\t\u{7f}{odd}");
    let payments = [
        charge(1, owner, 1, "eur").description(&long).build(),
        charge(2, owner, 2, "eur").description(&unseen).metadata(odd, odd).metadata(&unseen, &unseen).build(),
        charge(3, owner, 3, "eur")
            .description(&"x".repeat(40_000))
            .metadata(&"k".repeat(40), &"y".repeat(40_000))
            .build(),
    ];
    index(subject, &payments).await;
    let search = async |query: String| found(&*subject.index, owner, &query).await;
    let quoted = odd.replace('\\', "\\\\").replace('"', "\\\"");
    assert_eq!(search(format!("description:\"{long}\"")).await, [1]);
    assert_eq!(search(format!("description~\"{}\"", "本日".repeat(50))).await, [1]);
    assert_eq!(search(format!("\"{long}\"")).await, [1]);
    assert_eq!(search(format!("description~\"{quoted}\"")).await, [2]);
    assert_eq!(search(format!("metadata[\"{quoted}\"]:\"{quoted}\"")).await, [2]);
    assert_eq!(search(format!("metadata[\"{quoted}\"]~\"{quoted}\"")).await, [2]);
    assert_eq!(search("description~\"[a-z].*\"".to_owned()).await, [2]);
    assert_eq!(search("description~\".*.\"".to_owned()).await, [0_u64; 0]);
    assert_eq!(search(format!("metadata[\"{}\"]~{}", "k".repeat(40), "y".repeat(100))).await, [3]);
    assert_eq!(search(format!("description~{}", "x".repeat(100))).await, [3]);
    assert_eq!(search(vec!["-description~xxz"; 100].join(" ")).await, [1, 2, 3]);
}

struct People;

impl AccountNames for People {
    fn name_of(&self, account: AccountId) -> Option<Arc<str>> {
        (account == fixtures::account(2)).then(|| Arc::from("Grace Hopper"))
    }
}

async fn finds_people_by_name(subject: &Subject) {
    let (owner, friend) = (account(1), account(2));
    let payments = shop(owner, friend);
    let named: Vec<_> = payments.iter().flat_map(|payment| PaymentDocument::of(payment, &People)).collect();
    let fields = |documents: &[PaymentDocument]| -> BTreeSet<u64> {
        documents.iter().map(|document| ScannedDocument::of(document).fields).collect()
    };
    assert_eq!(fields(&named), fields(&documents(&payments)));
    subject.index.apply(&named).await.unwrap();
    subject.index.refresh().await.unwrap();
    // To Grace, and from her.
    assert_eq!(found(&*subject.index, owner, "\"grace hopper\"").await, [11, 12]);
    assert_eq!(found(&*subject.index, friend, "hopper").await, [0_u64; 0]);
}

/// Every pair of these clauses, both joined in both ways and one of them negated, is answered alike by both.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_adapters_answer_alike() {
    let (embedded, elasticsearch) = (Subject::embedded().await, Subject::elasticsearch().await);
    let owner = account(1);
    let payments: Vec<Payment> = shop(owner, account(2)).into_iter().chain(crowd(owner, 20..60)).collect();
    index(&embedded, &payments).await;
    index(&elasticsearch, &payments).await;
    let clauses = [
        "coffee",
        "\"iced tea\"",
        "status:processing",
        "-status:requires_payment_method",
        "amount>450",
        "created>=2026-01-31T00:00:03",
        "settled<1769817606",
        "metadata[\"order\"]~b*c",
        "-metadata:null",
        "description~ffe",
        "card.last4:4242",
        "refunded:false",
        "decline_code:null",
        "kind:transfer",
    ];
    let histogram = Some(HistogramSpec { from_micros: DAY - 7, until_micros: DAY + 9_999_999, buckets: 13 });
    for (at, one) in clauses.iter().enumerate() {
        for other in clauses.iter().skip(at) {
            for text in
                [format!("{one} {other}"), format!("{one} OR {other}"), format!("status:succeeded {one}")]
            {
                let query = Query::parse(&text).unwrap();
                let sort = if at % 2 == 0 { Sort::AmountDesc } else { Sort::CreatedAsc };
                let request =
                    SearchRequest { query, sort, limit: 9, facets: true, histogram, ..request(owner, "") };
                let request = SearchRequest { sums: true, ..request };
                let (left, right) =
                    tokio::join!(embedded.index.search(&request), elasticsearch.index.search(&request));
                assert_eq!(left.unwrap(), right.unwrap(), "{text}");
            }
        }
    }
    embedded.remove().await;
    elasticsearch.remove().await;
}
