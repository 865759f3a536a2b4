//! A wrong value in each single field of the index's documents, put there beside the code that writes them: `verify` names the
//! document and the field.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use paystorm::audit::index_view::IndexView;
use paystorm::audit::{AuditOptions, IndexSide, Name, Report, audit};
use paystorm::domain::command::{Action, AuthorizationResponse as Response, PaymentCommand, SubmitPayment};
use paystorm::domain::decline::DeclineReason;
use paystorm::domain::ids::{AccountId, ChargeId, RefundId, base62_decode};
use paystorm::domain::instrument::Presented;
use paystorm::domain::payment::Payment;
use paystorm::domain::submission::{Kind, Submission};
use paystorm::domain::time::Timestamp;
use paystorm::readers::index;
use paystorm::search::contents::Value;
use paystorm::search::document::FieldSink;
use paystorm::search::embedded::EmbeddedView;
use paystorm::search::query::{NumberField, TermField};
use paystorm::search::{AccountNames, DocKey, PaymentDocument, ScannedDocument, SearchIndex};
use paystorm::store::Store;
use serde_json::json;
use tantivy::schema::FieldType;
use tantivy::{Index, TantivyDocument, Term};

use crate::search::subject::{Subject, http};
use crate::support::commands::{self, answer, at, one, operate, submission, submit};
use crate::support::stores::sqlite;

/// Payments that together have every field that documents have.
async fn fill(store: &dyn Store) -> Vec<Payment> {
    let (owner, payee) = (AccountId::generate(), AccountId::generate());
    for (id, name) in [(owner, "Ada Lovelace"), (payee, "Grace Hopper")] {
        assert!(
            store.account_insert(&commands::account(id, name, Timestamp::now())).await.expect("inserted")
        );
    }
    let approve = async |payment: Payment| one(store, answer(&payment, Response::Approved), at(5)).await;
    let plain = submission(owner, Kind::Charge, 1_000);
    let submission = Submission { run: Some("Friday".to_owned()), ..plain.submission.clone() };
    let charge = PaymentCommand::Submit(Box::new(SubmitPayment { submission, ..plain }));
    let charge = one(store, charge, at(0)).await;
    let no = Response::Declined(DeclineReason::LostCard);
    let charge = one(store, answer(&charge, no), at(2)).await;
    let instrument = charge.state().instrument;
    let confirm =
        Action::Confirm { instrument, presented: Presented::default(), charge: ChargeId::generate() };
    let charge = approve(one(store, operate(&charge, confirm), at(3)).await).await;
    let refund = Action::Refund { refund: RefundId::generate(), amount_minor: Some(400), detail: None };
    let charge = one(store, operate(&charge, refund), at(6)).await;
    let sent = approve(one(store, submit(owner, Kind::Transfer { payee }, 70), at(8)).await).await;
    let declined = one(store, submit(owner, Kind::TopUp, 80), at(9)).await;
    let declined = one(store, answer(&declined, no), at(10)).await;
    let head = store.head().await.expect("a head");
    store.cursor_reset(index::NAME, head).await.expect("moved");
    vec![charge, sent, declined]
}

/// As a server that has this name in memory for everybody.
struct Called(&'static str);

impl AccountNames for Called {
    fn name_of(&self, _: AccountId) -> Option<Arc<str>> {
        Some(Arc::from(self.0))
    }
}

async fn look(store: &Arc<dyn Store>, view: &mut dyn IndexView) -> Report {
    let mut snapshot = store.snapshot().await.expect("snapshot");
    let options = AuditOptions { accounts: true, index_lag: Duration::ZERO, ..AuditOptions::default() };
    let side = IndexSide { view, current: store };
    audit(snapshot.as_mut(), Some(side), None, &options).await.expect("an audit comes to its end")
}

/// A document's values as they are written.
#[derive(Clone, Default)]
struct Written {
    terms: Vec<(&'static str, String)>,
    numbers: Vec<(&'static str, i64)>,
    words: Vec<String>,
}

impl FieldSink for Written {
    fn term(&mut self, field: TermField, value: &str) {
        self.terms.push((field.name(), value.to_owned()));
    }
    fn number(&mut self, field: NumberField, value: i64) {
        self.numbers.push((field.name(), value));
    }
    fn words(&mut self, words: &str) {
        self.words.push(words.to_owned());
    }
}

/// The same with one field wrong, in each way for each field, and the name of that field.
fn altered(written: &Written) -> Vec<(&'static str, Written)> {
    let mut all = Vec::new();
    for at in 0..written.terms.len() {
        let field = written.terms[at].0;
        let mut other = written.clone();
        let value = &mut other.terms[at].1;
        if base62_decode(value).is_some() {
            // Another id.
            let last = value.pop();
            value.push(if last == Some('0') { '1' } else { '0' });
        } else {
            value.push('x');
        }
        all.push((field, other));
        let mut without = written.clone();
        without.terms.remove(at);
        all.push((field, without));
        let mut more = written.clone();
        more.terms.push((field, "more".to_owned()));
        all.push((field, more));
    }
    for at in 0..written.numbers.len() {
        let field = written.numbers[at].0;
        let mut other = written.clone();
        other.numbers[at].1 += 1;
        all.push((field, other));
        let mut without = written.clone();
        without.numbers.remove(at);
        all.push((field, without));
    }
    let mut words = written.clone();
    words.words.push("more".to_owned());
    all.push(("text", words));
    if !written.words.is_empty() {
        let mut silent = written.clone();
        silent.words.clear();
        all.push(("text", silent));
    }
    all
}

fn assert_named(report: &Report, field: &str, about: &str) {
    let text = report.to_string();
    let named = report.counts().keys().eq([&Name::StaleDocument])
        && text.contains("says something else")
        && [" is ", " lacks ", " has "].iter().any(|word| text.contains(&format!("{field}{word}")));
    assert!(named, "{about}: {field}: {text}");
}

/// The embedded index as `verify` sees it.
struct View(EmbeddedView);

#[async_trait]
impl IndexView for View {
    async fn scan(&self, after: Option<DocKey>, limit: usize) -> Result<Vec<ScannedDocument>, String> {
        self.0.scan(after, limit).await.map_err(|error| error.to_string())
    }
    async fn values(&self, keys: &[DocKey]) -> Result<BTreeMap<DocKey, BTreeSet<Value>>, String> {
        self.0.values(keys).await.map_err(|error| error.to_string())
    }
    async fn refresh(&self) -> Result<(), String> {
        self.0.refresh().await.map_err(|error| error.to_string())
    }
}

/// Writes one document in the place of what stands under its key, past the program.
fn plant(index: &Index, key: DocKey, columns: [u64; 3], written: &Written) {
    let schema = index.schema();
    let field = |name: &str| schema.get_field(name).expect("a field");
    let mut document = TantivyDocument::new();
    document.add_bytes(field("key"), &key.to_bytes());
    for (name, value) in ["id_high", "id_low", "version"].into_iter().zip(columns) {
        document.add_u64(field(name), value);
    }
    // A submitter's document has the payment as its key.
    for (name, value) in
        written.terms.iter().filter(|(name, _)| *name != "payment" || key.receipt_of.is_some())
    {
        let field = field(name);
        match schema.get_field_entry(field).field_type() {
            FieldType::Bytes(_) => document.add_bytes(field, &bits(value)),
            _ => document.add_text(field, value),
        }
    }
    written.numbers.iter().for_each(|(name, value)| document.add_i64(field(name), *value));
    written.words.iter().for_each(|words| document.add_text(field("text"), words));
    let mut writer = index.writer_with_num_threads::<TantivyDocument>(1, 15_000_000).expect("a writer");
    writer.delete_term(Term::from_field_bytes(field("key"), &key.to_bytes()));
    writer.add_document(document).expect("added");
    writer.commit().expect("committed");
}

/// An id as the index keeps it; what is none, as it is.
fn bits(id: &str) -> Vec<u8> {
    base62_decode(id).map_or_else(|| id.as_bytes().to_vec(), |bits| bits.to_be_bytes().to_vec())
}

fn halves(document: &PaymentDocument) -> [u64; 3] {
    let bits = u128::from_be_bytes(*document.key.payment.as_bytes());
    let half = |bits: u128| u64::try_from(bits & u128::from(u64::MAX)).expect("64 bits");
    [half(bits >> 64), half(bits), document.version]
}

fn written(document: &PaymentDocument) -> Written {
    let mut written = Written::default();
    document.visit(&mut written);
    written
}

fn opened(root: &Path) -> Index {
    let current = std::fs::read_to_string(root.join("CURRENT")).expect("a generation that serves");
    Index::open_in_dir(root.join(current.trim())).expect("the index opens")
}

#[tokio::test(flavor = "multi_thread")]
async fn each_field_of_the_embedded_index_is_read_back() {
    let test = sqlite().await;
    let payments = fill(test.store.as_ref()).await;
    let documents: Vec<_> = payments.iter().flat_map(|payment| PaymentDocument::of(payment, &())).collect();
    let subject = Subject::embedded().await;
    subject.index.apply(&documents).await.expect("applied");
    subject.index.commit(1).await.expect("committed");
    subject.index.close().await;
    let view = EmbeddedView::open(&subject.settings.path).await.expect("opens").expect("is there");
    let mut view = View(view);
    let sound = look(&test.store, &mut view).await;
    assert!(sound.passed(), "{sound}");
    let files = opened(&subject.settings.path);
    let mut seen = BTreeSet::new();
    for document in &documents {
        let right = written(document);
        let columns = halves(document);
        for (field, wrong) in altered(&right) {
            if field == "payment" && document.key.receipt_of.is_none()
                || !seen.insert((field, wrong.terms.len(), wrong.numbers.len(), wrong.words.len()))
            {
                continue;
            }
            plant(&files, document.key, columns, &wrong);
            view.0.refresh().await.expect("refreshed");
            let report = look(&test.store, &mut view).await;
            if field == "payment" {
                // The columns, which hits are read from, say it as well.
                assert!(report.counts().keys().eq([&Name::StaleDocument]), "{report}");
            } else {
                assert_named(&report, field, "embedded");
            }
        }
        for (at, name) in ["payment", "payment", "version"].into_iter().enumerate() {
            let mut wrong = columns;
            wrong[at] += 1;
            plant(&files, document.key, wrong, &right);
            view.0.refresh().await.expect("refreshed");
            let report = look(&test.store, &mut view).await;
            assert!(report.counts().keys().eq([&Name::StaleDocument]), "{name}: {report}");
        }
        plant(&files, document.key, columns, &right);
    }
    // A transfer is found by the other person's name as well, and by nobody else's.
    for (name, is_right) in [("Grace Hopper", true), ("Alan Turing", false)] {
        let sent = PaymentDocument::of(&payments[1], &Called(name)).remove(0);
        plant(&files, sent.key, halves(&sent), &written(&sent));
        view.0.refresh().await.expect("refreshed");
        let report = look(&test.store, &mut view).await;
        assert_eq!(report.passed(), is_right, "{name}: {report}");
    }
    let sent = &documents[1];
    plant(&files, sent.key, halves(sent), &written(sent));
    let fields: BTreeSet<&str> = seen.into_iter().map(|(field, ..)| field).collect();
    let terms = TermField::ALL.map(TermField::name).into_iter().filter(|name| *name != "customer");
    let numbers = NumberField::ALL.map(NumberField::name);
    assert_eq!(fields, terms.chain(numbers).chain(["text"]).collect(), "a field that no document here has");
    view.0.refresh().await.expect("refreshed");
    let sound = look(&test.store, &mut view).await;
    assert!(sound.passed(), "{sound}");
    subject.remove().await;
    test.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_field_of_elasticsearch_is_read_back() {
    let test = sqlite().await;
    let payments = fill(test.store.as_ref()).await;
    let documents: Vec<_> = payments.iter().flat_map(|payment| PaymentDocument::of(payment, &())).collect();
    let subject = Subject::elasticsearch().await;
    subject.index.apply(&documents).await.expect("applied");
    subject.index.refresh().await.expect("refreshed");
    let mut view: Arc<dyn SearchIndex> = Arc::clone(&subject.index);
    let sound = look(&test.store, &mut view).await;
    assert!(sound.passed(), "{sound}");
    let put = async |key: DocKey, version: u64, receipt: u8, written: &Written| {
        let mut body: BTreeMap<&str, serde_json::Value> = BTreeMap::from([("receipt", json!(receipt))]);
        for (name, value) in &written.terms {
            let values = body.entry(name).or_insert_with(|| json!([]));
            values.as_array_mut().expect("a list").push(json!(value));
        }
        body.extend(written.numbers.iter().map(|(name, value)| (*name, json!(value))));
        body.insert("text", json!(written.words));
        let url = format!(
            "{}/{}-payments/_doc/{key}?version={version}&version_type=external_gte&refresh=true",
            subject.settings.url.expose(),
            subject.settings.prefix
        );
        http().put(url).json(&body).send().await.expect("an answer").error_for_status().expect("taken");
    };
    let mut seen = BTreeSet::new();
    for document in &documents {
        let right = written(document);
        let (key, version) = (document.key, document.version);
        let receipt = u8::from(key.receipt_of.is_some());
        for (field, wrong) in altered(&right) {
            if !seen.insert((field, wrong.terms.len(), wrong.numbers.len(), wrong.words.len())) {
                continue;
            }
            put(key, version, receipt, &wrong).await;
            let report = look(&test.store, &mut view).await;
            if field == "payment" {
                // It stands in another place than where it belongs.
                assert!(!report.passed(), "{report}");
            } else {
                assert_named(&report, field, "Elasticsearch");
            }
        }
        put(key, version, receipt, &right).await;
    }
    let right = written(&documents[0]);
    put(documents[0].key, documents[0].version, 1, &right).await;
    let report = look(&test.store, &mut view).await;
    assert!(report.counts().keys().eq([&Name::MissingDocument]), "{report}");
    put(documents[0].key, documents[0].version + 1, 0, &right).await;
    let report = look(&test.store, &mut view).await;
    assert!(report.counts().keys().eq([&Name::StaleDocument]), "{report}");
    subject.remove().await;
    test.remove().await;
}
