//! Read-your-writes for data that a reader of the journal writes: a request waits until that reader has reached the journal's
//! head as of the request's arrival. After a bounded wait it is answered as behind.

use std::time::Duration;

use actix_web::HttpResponseBuilder;
use tokio::time::Instant;

use crate::store::{Store, StoreResult};

/// The longest that a request waits.
const WAIT: Duration = Duration::from_secs(2);
/// The first pause between two looks at the reader's position; each later one is twice as long, up to [`LOOK_LATER`].
const LOOK_FIRST: Duration = Duration::from_millis(4);
const LOOK_LATER: Duration = Duration::from_millis(64);

/// Shows callers of the API that the newest entries may be missing from the answer.
const HEADER: &str = "Paystorm-Behind";

/// Whether the answer includes everything committed before the request arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// It does.
    Current,
    /// The newest entries may be missing.
    Behind,
}

impl Freshness {
    /// Adds the header if the answer is behind.
    pub fn tell(self, response: &mut HttpResponseBuilder) {
        if self == Self::Behind {
            response.insert_header((HEADER, "true"));
        }
    }
}

/// Waits until a reader has reached the journal's current head.
///
/// # Errors
/// The store's.
pub async fn caught_up(store: &dyn Store, reader: &str) -> StoreResult<Freshness> {
    let head = store.head().await?;
    let until = Instant::now() + WAIT;
    let mut pause = LOOK_FIRST;
    while store.cursor_get(reader).await? < head {
        if Instant::now() >= until {
            return Ok(Freshness::Behind);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LOOK_LATER);
    }
    Ok(Freshness::Current)
}
