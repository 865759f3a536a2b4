//! Reads back what the fields of documents hold, for `verify`. Nothing is stored in this index: terms are gathered from the
//! dictionaries that queries look things up in, numbers from the columns that results are counted and ordered by.
//! Blocking; called off the runtime.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use parking_lot::Mutex;
use tantivy::columnar::StrColumn;
use tantivy::index::SegmentId;
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocId, Searcher, SegmentReader, TantivyError};

use crate::search::ScannedDocument;
use crate::search::contents::{TEXT, Value, hashed, hashed_number};
use crate::search::document::DocKey;
use crate::search::query::{NumberField, TermField};

use super::schema::{Fields, ID_HIGH, ID_LOW, VERSION, join_id, text_of};

/// The sums of each segment that was looked at, 16 bytes a document. A segment never changes.
#[derive(Default)]
pub(super) struct Sums(Mutex<HashMap<SegmentId, Arc<SegmentSums>>>);

/// By document.
struct SegmentSums {
    fields: Vec<u64>,
    words: Vec<u64>,
}

impl Sums {
    fn of(&self, fields: &Fields, segment: &SegmentReader) -> tantivy::Result<Arc<SegmentSums>> {
        // Held while summing: several readers may come at once, and each segment is summed up once.
        let mut known = self.0.lock();
        if let Some(sums) = known.get(&segment.segment_id()) {
            return Ok(Arc::clone(sums));
        }
        let sums = Arc::new(SegmentSums::of(fields, segment)?);
        known.insert(segment.segment_id(), Arc::clone(&sums));
        Ok(sums)
    }

    /// Forgets segments that are gone.
    fn keep(&self, searcher: &Searcher) {
        let live: BTreeSet<SegmentId> =
            searcher.segment_readers().iter().map(SegmentReader::segment_id).collect();
        self.0.lock().retain(|id, _| live.contains(id));
    }
}

impl SegmentSums {
    fn of(fields: &Fields, segment: &SegmentReader) -> tantivy::Result<Self> {
        let count = usize::try_from(segment.max_doc()).unwrap_or(0);
        let mut sums = Self { fields: vec![0; count], words: vec![0; count] };
        let add = |sums: &mut Vec<u64>, doc: DocId, part: u64| {
            if let Some(sum) = usize::try_from(doc).ok().and_then(|doc| sums.get_mut(doc)) {
                *sum = sum.wrapping_add(part);
            }
        };
        for field in TermField::ALL {
            each_term(segment, fields.term(field), |term, doc| {
                let part = hashed(field.name(), text_of(field, term).as_bytes());
                add(&mut sums.fields, doc, part);
                if field.is_counted() {
                    // Where the column says the same, the two cancel out.
                    add(&mut sums.fields, doc, part.rotate_left(1).wrapping_neg());
                }
            })?;
            let Some(column) = counted(segment, field)? else { continue };
            each_column_value(segment, &column, |value, doc| {
                add(&mut sums.fields, doc, hashed(field.name(), value.as_bytes()).rotate_left(1));
            })?;
        }
        for field in NumberField::ALL {
            let column = segment.fast_fields().i64(field.name())?;
            for doc in 0..segment.max_doc() {
                for value in column.values_for_doc(doc) {
                    add(&mut sums.fields, doc, hashed_number(field.name(), value));
                }
            }
        }
        each_term(segment, fields.text, |word, doc| add(&mut sums.words, doc, hashed(TEXT, word)))?;
        Ok(sums)
    }

    /// The document under this key. Hits take the payment from columns, so these count as well.
    fn document(&self, key: DocKey, version: u64, shown: u128, doc: DocId) -> ScannedDocument {
        let at = |sums: &Vec<u64>| usize::try_from(doc).ok().and_then(|doc| sums.get(doc)).copied();
        let mut fields = at(&self.fields).unwrap_or(0);
        // A submitter's document holds it only in its key.
        if key.receipt_of.is_none() {
            let payment = key.payment.with_prefix("");
            fields = fields.wrapping_add(hashed(TermField::Payment.name(), payment.as_bytes()));
        }
        if shown.to_be_bytes() != *key.payment.as_bytes() {
            fields = fields.wrapping_add(hashed(ID_HIGH, &shown.to_be_bytes()));
        }
        ScannedDocument { key, version, fields, words: at(&self.words).unwrap_or(0) }
    }
}

/// The column of a field that results are counted by.
fn counted(segment: &SegmentReader, field: TermField) -> tantivy::Result<Option<StrColumn>> {
    if field.is_counted() { segment.fast_fields().str(field.name()) } else { Ok(None) }
}

/// Calls with each term of a field and each document that holds it, deleted ones included.
fn each_term(
    segment: &SegmentReader,
    field: Field,
    mut each: impl FnMut(&[u8], DocId),
) -> tantivy::Result<()> {
    let index = segment.inverted_index(field)?;
    let mut terms = index.terms().stream()?;
    while terms.advance() {
        let mut postings =
            index.read_block_postings_from_terminfo(terms.value(), IndexRecordOption::Basic)?;
        while !postings.docs().is_empty() {
            postings.docs().iter().for_each(|doc| each(terms.key(), *doc));
            postings.advance();
        }
    }
    Ok(())
}

fn each_column_value(
    segment: &SegmentReader,
    column: &StrColumn,
    mut each: impl FnMut(&str, DocId),
) -> tantivy::Result<()> {
    let mut value = String::new();
    for doc in 0..segment.max_doc() {
        for ord in column.term_ords(doc) {
            value.clear();
            column.ord_to_str(ord, &mut value)?;
            each(&value, doc);
        }
    }
    Ok(())
}

/// Goes through the keys of every segment in order and keeps the smallest.
pub(super) fn scan(
    fields: &Fields,
    searcher: &Searcher,
    sums: &Sums,
    after: Option<DocKey>,
    limit: usize,
) -> tantivy::Result<Vec<ScannedDocument>> {
    sums.keep(searcher);
    let after = after.map(DocKey::to_bytes).unwrap_or_default();
    let mut found = Vec::new();
    for segment in searcher.segment_readers() {
        let sums = sums.of(fields, segment)?;
        let index = segment.inverted_index(fields.key)?;
        let column =
            |name: &str| Ok::<_, TantivyError>(segment.fast_fields().u64(name)?.first_or_default_col(0));
        let (versions, high, low) = (column(VERSION)?, column(ID_HIGH)?, column(ID_LOW)?);
        let mut terms = index.terms().range().gt(&after).into_stream()?;
        let mut taken = 0_usize;
        while taken < limit && terms.advance() {
            let key = DocKey::from_slice(terms.key()).ok_or_else(|| {
                let key = terms.key();
                TantivyError::InternalError(format!("a document is kept under {key:?}, which is no key"))
            })?;
            let mut postings =
                index.read_block_postings_from_terminfo(terms.value(), IndexRecordOption::Basic)?;
            while !postings.docs().is_empty() {
                for doc in postings.docs().iter().filter(|doc| !segment.is_deleted(**doc)) {
                    let shown = join_id(high.get_val(*doc), low.get_val(*doc));
                    found.push(sums.document(key, versions.get_val(*doc), shown, *doc));
                    taken += 1;
                }
                postings.advance();
            }
        }
    }
    found.sort_unstable();
    found.truncate(limit);
    Ok(found)
}

/// The values of the documents under these keys, to say what is wrong with them. Goes through all that there is.
pub(super) fn values(
    fields: &Fields,
    searcher: &Searcher,
    keys: &[DocKey],
) -> tantivy::Result<BTreeMap<DocKey, BTreeSet<Value>>> {
    let mut found: BTreeMap<DocKey, BTreeSet<Value>> = BTreeMap::new();
    for segment in searcher.segment_readers() {
        let mut wanted: HashMap<DocId, DocKey> = HashMap::new();
        let index = segment.inverted_index(fields.key)?;
        for key in keys {
            let Some(info) = index.get_term_info(&fields.key_term(*key))? else { continue };
            let mut postings = index.read_block_postings_from_terminfo(&info, IndexRecordOption::Basic)?;
            while !postings.docs().is_empty() {
                let live = postings.docs().iter().filter(|doc| !segment.is_deleted(**doc));
                wanted.extend(live.map(|doc| (*doc, *key)));
                postings.advance();
            }
        }
        if wanted.is_empty() {
            continue;
        }
        let mut take = |field: &str, value: String, doc: DocId| {
            if let Some(key) = wanted.get(&doc) {
                found.entry(*key).or_default().insert((field.to_owned(), value));
            }
        };
        let text = |term: &[u8]| String::from_utf8_lossy(term).into_owned();
        for field in TermField::ALL {
            each_term(segment, fields.term(field), |term, doc| {
                take(field.name(), text_of(field, term).into_owned(), doc);
            })?;
            if let Some(column) = counted(segment, field)? {
                each_column_value(segment, &column, |value, doc| take(field.name(), value.to_owned(), doc))?;
            }
        }
        each_term(segment, fields.text, |word, doc| take(TEXT, text(word), doc))?;
        for field in NumberField::ALL {
            let column = segment.fast_fields().i64(field.name())?;
            for doc in wanted.keys() {
                column.values_for_doc(*doc).for_each(|value| take(field.name(), value.to_string(), *doc));
            }
        }
        let high = segment.fast_fields().u64(ID_HIGH)?.first_or_default_col(0);
        let low = segment.fast_fields().u64(ID_LOW)?.first_or_default_col(0);
        for (doc, key) in &wanted {
            let shown = join_id(high.get_val(*doc), low.get_val(*doc)).to_be_bytes();
            let payment = crate::domain::ids::PaymentId::from_bytes(shown).with_prefix("");
            // A receipt has it as a term as well; both are shown if they differ.
            found.entry(*key).or_default().insert((TermField::Payment.name().to_owned(), payment));
        }
    }
    Ok(found)
}
