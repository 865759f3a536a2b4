//! Compiles filters to the Elasticsearch DSL. Values are built from the tree; a user's text is only ever a value, never a query string or a
//! script, and the two characters that mean something in a wildcard are escaped.

use serde_json::{Value, json};

use crate::search::query::Filter;

use super::mapping::TEXT;

/// The query that finds what `filter` describes. It filters and does not score.
pub(super) fn compile(filter: &Filter) -> Value {
    match filter {
        Filter::All(filters) => all(filters),
        Filter::Any(filters) if filters.is_empty() => json!({ "match_none": {} }),
        Filter::Any(filters) => {
            let should: Vec<Value> = filters.iter().map(compile).collect();
            json!({ "bool": { "should": should, "minimum_should_match": 1 } })
        }
        Filter::Not(inner) => json!({ "bool": { "must_not": [compile(inner)] } }),
        Filter::Term { field, value } => json!({ "term": { field.name(): { "value": value } } }),
        Filter::Range { field, from, until } => {
            let mut bounds = serde_json::Map::new();
            if let Some(from) = from {
                bounds.insert("gte".to_owned(), json!(from));
            }
            if let Some(until) = until {
                bounds.insert("lt".to_owned(), json!(until));
            }
            json!({ "range": { field.name(): bounds } })
        }
        Filter::Contains { field, prefix, needle } => {
            let pattern = format!("{}*{}*", escape(prefix), escape(needle));
            json!({ "wildcard": { field.name(): { "value": pattern } } })
        }
        Filter::Words(words) => json!({ "match_phrase": { TEXT: { "query": words.join(" ") } } }),
    }
}

fn all(filters: &[Filter]) -> Value {
    let (must_not, filter): (Vec<&Filter>, Vec<&Filter>) =
        filters.iter().partition(|filter| matches!(filter, Filter::Not(_)));
    let filter: Vec<Value> = filter.into_iter().map(compile).collect();
    let must_not: Vec<Value> = must_not
        .into_iter()
        .map(|negated| match negated {
            Filter::Not(inner) => compile(inner),
            other => compile(other),
        })
        .collect();
    if filter.is_empty() && must_not.is_empty() {
        return json!({ "match_all": {} });
    }
    json!({ "bool": { "filter": filter, "must_not": must_not } })
}

/// Text as a wildcard pattern that matches just that text.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '*' | '?' | '\\') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::query::Query;

    #[test]
    fn user_text_is_only_ever_a_value() {
        let query = Query::parse(r#"description~"a*b?c\\d" -status:declined amount>=5 "two words""#).unwrap();
        insta::assert_json_snapshot!(compile(query.filter()), @r#"
        {
          "bool": {
            "filter": [
              {
                "wildcard": {
                  "description": {
                    "value": "*a\\*b\\?c\\\\d*"
                  }
                }
              },
              {
                "range": {
                  "amount": {
                    "gte": 5
                  }
                }
              },
              {
                "match_phrase": {
                  "text": {
                    "query": "two words"
                  }
                }
              }
            ],
            "must_not": [
              {
                "term": {
                  "status": {
                    "value": "declined"
                  }
                }
              }
            ]
          }
        }
        "#);
    }
}
