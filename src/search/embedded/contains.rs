//! Finds terms that contain a text. Goes through the field's terms from the prefix on and compares each: there is no pattern
//! language, so a user's text can only mean itself, and no automaton that could grow.

use tantivy::query::{BitSetDocSet, ConstScorer, EnableScoring, Explanation, Query, Scorer, Weight};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{BitSet, DocId, Score, SegmentReader, TERMINATED, TantivyError};

/// Documents with a term that starts with `prefix` and contains `needle` behind it.
#[derive(Debug, Clone)]
pub(super) struct ContainsQuery {
    pub field: Field,
    pub prefix: String,
    pub needle: String,
}

impl Query for ContainsQuery {
    fn weight(&self, _: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(self.clone()))
    }
}

impl ContainsQuery {
    fn matches(&self, term: &[u8]) -> bool {
        let rest = term.get(self.prefix.len()..).and_then(|rest| std::str::from_utf8(rest).ok());
        rest.is_some_and(|rest| rest.contains(&self.needle))
    }
}

impl Weight for ContainsQuery {
    fn scorer(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        let index = reader.inverted_index(self.field)?;
        let mut found = BitSet::with_max_value(reader.max_doc());
        let mut terms = index.terms().range().ge(self.prefix.as_bytes()).into_stream()?;
        while terms.advance() {
            if !terms.key().starts_with(self.prefix.as_bytes()) {
                break;
            }
            if !self.matches(terms.key()) {
                continue;
            }
            let mut postings =
                index.read_block_postings_from_terminfo(terms.value(), IndexRecordOption::Basic)?;
            while !postings.docs().is_empty() {
                for doc in postings.docs() {
                    found.insert(*doc);
                }
                postings.advance();
            }
        }
        Ok(Box::new(ConstScorer::new(BitSetDocSet::from(found), boost)))
    }

    fn explain(&self, reader: &SegmentReader, doc: DocId) -> tantivy::Result<Explanation> {
        let mut scorer = self.scorer(reader, 1.0)?;
        if doc != TERMINATED && scorer.seek(doc) == doc {
            Ok(Explanation::new("contains", 1.0))
        } else {
            Err(TantivyError::InvalidArgument("the document does not match".to_owned()))
        }
    }
}
