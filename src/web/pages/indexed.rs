//! Finds out whether search can find a payment yet.

use std::time::Duration;

use super::journey::Indexed;
use crate::domain::payment::Payment;
use crate::domain::stages::Stages;
use crate::search::{Query, SearchHealth, SearchRequest};
use crate::web::state::WebState;

/// How long a page waits for the search index to answer.
const INDEX_WITHIN: Duration = Duration::from_millis(250);

/// Whether search finds a payment: as this process has seen, else as the index answers in time.
pub async fn indexed(state: &WebState, payment: &Payment) -> Indexed {
    if let Some(us) = state.hub.indexed_us(payment.id()) {
        return Indexed::After(us);
    }
    let down = matches!(*state.search.health().borrow(), SearchHealth::Down { .. });
    if down || !payment.state().status.is_at_rest() {
        return Indexed::No;
    }
    let text = format!("id:\"{}\"", payment.submission().public_id());
    let Ok(query) = Query::parse(&text) else {
        return Indexed::No;
    };
    let request = SearchRequest { limit: 1, ..SearchRequest::new(payment.owner(), query) };
    match tokio::time::timeout(INDEX_WITHIN, state.search.search(&request)).await {
        // A version indexed before the end does not count.
        Ok(Ok(page)) => {
            let ended_at = u64::from(Stages::of(payment).settled_version);
            let knows_the_end = page.hits.iter().any(|hit| hit.version >= ended_at);
            if knows_the_end { Indexed::Yes } else { Indexed::No }
        }
        Ok(Err(_)) | Err(_) => Indexed::No,
    }
}
