//! Reading your writes: what a reader of the journal writes is read once that reader has come to where the line stood when the
//! request came, or, after a bounded wait, with the word that it is behind.

use std::time::Duration;

use actix_web::HttpResponseBuilder;
use tokio::time::Instant;

use crate::store::{Store, StoreResult};

/// How long a request waits.
const WAIT: Duration = Duration::from_secs(2);
/// How often the reader is looked at: at first …
const LOOK_FIRST: Duration = Duration::from_millis(4);
/// … and later.
const LOOK_LATER: Duration = Duration::from_millis(64);

/// Tells callers of the API that what they read does not have the newest yet.
const HEADER: &str = "Paystorm-Behind";

/// Whether everything that was there when the request came is in what is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// It is.
    Current,
    /// The newest may be missing.
    Behind,
}

impl Freshness {
    /// Says so where it is behind.
    pub fn tell(self, response: &mut HttpResponseBuilder) {
        if self == Self::Behind {
            response.insert_header((HEADER, "true"));
        }
    }
}

/// Waits until a reader has come to where the line stands now.
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
