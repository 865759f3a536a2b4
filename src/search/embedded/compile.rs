//! Compiles filters to tantivy queries.

use std::ops::Bound;

use tantivy::Term;
use tantivy::query::{AllQuery, BooleanQuery, EmptyQuery, Occur, PhraseQuery, Query, RangeQuery, TermQuery};
use tantivy::schema::IndexRecordOption;

use crate::domain::ids::{PaymentId, base62_decode};
use crate::search::document::DocKey;
use crate::search::query::{Filter, TermField};

use super::contains::ContainsQuery;
use super::schema::Fields;

/// The query that finds what `filter` describes.
pub(super) fn compile(filter: &Filter, fields: &Fields) -> Box<dyn Query> {
    match filter {
        Filter::All(filters) => all(filters, fields),
        Filter::Any(filters) if filters.is_empty() => Box::new(EmptyQuery),
        Filter::Any(filters) => {
            let clauses = filters.iter().map(|filter| (Occur::Should, compile(filter, fields)));
            Box::new(BooleanQuery::new(clauses.collect()))
        }
        Filter::Not(_) => all(std::slice::from_ref(filter), fields),
        // Submitters' documents are found by their key, receipts by the field.
        Filter::Term { field: TermField::Payment, value } => {
            let payment = base62_decode(value).map(|bits| PaymentId::from_bytes(bits.to_be_bytes()));
            let own = payment.map(|payment| fields.key_term(DocKey { payment, receipt_of: None }));
            let terms = own.into_iter().chain(fields.exact(TermField::Payment, value));
            Box::new(BooleanQuery::new(terms.map(|term| (Occur::Should, exact(term))).collect()))
        }
        Filter::Term { field, value } => {
            fields.exact(*field, value).map_or_else(|| Box::new(EmptyQuery) as Box<dyn Query>, exact)
        }
        Filter::Range { field, from, until } => {
            let field = fields.number(*field);
            let from =
                from.map_or(Bound::Unbounded, |from| Bound::Included(Term::from_field_i64(field, from)));
            let until =
                until.map_or(Bound::Unbounded, |until| Bound::Excluded(Term::from_field_i64(field, until)));
            Box::new(RangeQuery::new(from, until))
        }
        Filter::Contains { field, prefix, needle } => Box::new(ContainsQuery {
            field: fields.term(*field),
            prefix: prefix.clone(),
            needle: needle.clone(),
        }),
        Filter::Words(words) => {
            let mut terms: Vec<Term> =
                words.iter().map(|word| Term::from_field_text(fields.text, word)).collect();
            match (terms.len(), terms.pop()) {
                (1, Some(only)) => exact(only),
                (_, Some(last)) => {
                    terms.push(last);
                    Box::new(PhraseQuery::new(terms))
                }
                (_, None) => Box::new(EmptyQuery),
            }
        }
    }
}

/// A conjunction of negations alone finds nothing in tantivy; it is completed with a clause that finds everything.
fn all(filters: &[Filter], fields: &Fields) -> Box<dyn Query> {
    let mut clauses: Vec<(Occur, Box<dyn Query>)> = filters
        .iter()
        .map(|filter| match filter {
            Filter::Not(inner) => (Occur::MustNot, compile(inner, fields)),
            _ => (Occur::Must, compile(filter, fields)),
        })
        .collect();
    if !clauses.iter().any(|(occur, _)| *occur == Occur::Must) {
        clauses.push((Occur::Must, Box::new(AllQuery)));
    }
    Box::new(BooleanQuery::new(clauses))
}

fn exact(term: Term) -> Box<dyn Query> {
    Box::new(TermQuery::new(term, IndexRecordOption::Basic))
}
