//! Hands in the rows of an import, batch after batch, and stores the result of each.

use std::time::Duration;

use actix_web::http::StatusCode;
use tokio::time::timeout;

use super::abort::Stop;
use super::rows::{Batches, CsvRow, Read};
use super::{MESSAGE_CHARS_MAX, fault, shortened};
use crate::domain::card_numbers::masked;
use crate::domain::ids::{AccountId, PaymentId};
use crate::engine::EngineError;
use crate::intake::{Call, Handed, IntakeError};
use crate::store::{ImportRecord, ImportRow, ImportState, RowFault, StoreResult};
use crate::web::error::{ApiError, ErrorType};
use crate::web::state::WebState;

/// How many times saving the end of an import is tried while the store is unavailable, a second apart.
const AWAY_SECONDS: u32 = 30;
/// How often a slow upload is marked as alive.
const ALIVE_EVERY: Duration = Duration::from_secs(4);
/// How many [`ALIVE_EVERY`] may pass without a row before the upload is abandoned.
const STILL_MAX: u32 = 15;

/// A row that was handed in.
struct HandedRow {
    line: u64,
    key: String,
    outcome: Result<Handed, RowFault>,
}

/// The result of a row.
enum RowResult {
    /// The row as it is stored, and whether its key was already known.
    Row(ImportRow, bool),
    /// The import cannot go on, for this reason.
    Away(String),
}

/// Runs an import to its end and returns its final record. Stored rows are never lost: an import that was cut short goes on
/// when the same file is uploaded again, because each row's key is recognised.
pub async fn run(state: &WebState, mut import: ImportRecord, mut batches: Batches) -> ImportRecord {
    let mut still = 0;
    let end = loop {
        let read = tokio::select! {
            read = timeout(ALIVE_EVERY, batches.0.recv()) => read,
            () = state.shutdown.cancelled() => break Err(Stop::Again("The server stopped.".to_owned())),
        };
        let kept = match read {
            Ok(Some(Read::Rows(rows))) => {
                still = 0;
                batch(state, &mut import, rows).await
            }
            Ok(Some(Read::End(end))) => break end,
            Ok(None) => break Err(Stop::Again("The file could not be read.".to_owned())),
            Err(_) if still < STILL_MAX => {
                still += 1;
                save(state, &mut import, &[]).await.map_err(away)
            }
            Err(_) => break Err(Stop::Again("The upload stood still for a minute.".to_owned())),
        };
        if let Err(cause) = kept {
            break Err(Stop::Again(cause));
        }
    };
    import.state = if end.is_ok() { ImportState::Finished } else { ImportState::Stopped };
    import.cause = end.err().map(|stop| {
        // It may repeat a column name from line 1.
        shortened(&masked(&stop.words(import.rows_read)), MESSAGE_CHARS_MAX)
    });
    for _ in 0..AWAY_SECONDS {
        match save(state, &mut import, &[]).await {
            Ok(()) => break,
            Err(_) => tokio::time::sleep(Duration::from_secs(1)).await,
        }
    }
    import
}

async fn batch(state: &WebState, import: &mut ImportRecord, rows: Vec<CsvRow>) -> Result<(), String> {
    let drafts = rows.iter().filter_map(|row| row.draft.as_ref().ok());
    state.intake.load_payees(drafts).await.map_err(away)?;
    let mut handed = Vec::with_capacity(rows.len());
    for row in rows {
        handed.push(hand_in(state, import.owner, row).await?);
    }
    let mut kept = Vec::with_capacity(handed.len());
    let mut stopped = Ok(());
    for one in handed {
        match outcome(one).await {
            RowResult::Row(row, known) => {
                import.rows_read += 1;
                match (&row.outcome, known) {
                    (Ok(_), false) => import.rows_accepted += 1,
                    (Ok(_), true) => import.rows_known += 1,
                    (Err(_), _) => import.rows_refused += 1,
                }
                kept.push(row);
            }
            RowResult::Away(cause) => stopped = Err(cause),
        }
    }
    save(state, import, &kept).await.map_err(away)?;
    stopped
}

async fn save(state: &WebState, import: &mut ImportRecord, rows: &[ImportRow]) -> StoreResult<()> {
    import.updated_at = state.wall.now();
    state.store.import_save(import, rows).await
}

/// Why an import cannot go on. An error's own message may claim that nothing was changed, which is wrong here: earlier rows
/// were paid.
fn away(error: impl Into<ApiError>) -> String {
    let error = error.into();
    match error.status {
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
            "The store went away, or the server is stopping; rows of the file may have been paid.".to_owned()
        }
        _ => error.message.into_owned(),
    }
}

/// Hands in a row. An error ends the whole import.
async fn hand_in(state: &WebState, owner: AccountId, row: CsvRow) -> Result<HandedRow, String> {
    let CsvRow { line, key, draft } = row;
    let draft = match draft {
        Ok(draft) => draft,
        Err(fault) => return Ok(HandedRow { line, key, outcome: Err(fault) }),
    };
    // An import has time, and its rows have keys.
    let call = Call { persistent: true, ..Call::default() };
    let outcome = match state.intake.submit(draft, owner, call).await {
        Ok(handed) => Ok(handed),
        Err(IntakeError::Input(error)) => {
            Err(fault(error.param.as_deref().unwrap_or_default(), &error.message))
        }
        Err(error) => return Err(away(error)),
    };
    Ok(HandedRow { line, key, outcome })
}

async fn outcome(handed: HandedRow) -> RowResult {
    let HandedRow { line, key, outcome } = handed;
    let row = |outcome| ImportRow { line, key, outcome };
    let handed = match outcome {
        Ok(handed) => handed,
        Err(fault) => return RowResult::Row(row(Err(fault)), false),
    };
    match handed.committed().await {
        Ok(done) => RowResult::Row(row(Ok::<PaymentId, _>(done.payment.id())), done.replayed),
        Err(EngineError::Refused(rejection)) => {
            let error = ApiError::from(rejection);
            let column = match error.param.as_deref() {
                None | Some("idempotency_key") => "key",
                Some(param) => param,
            };
            let message = if column == "key" && is_other_row(&error) {
                "Another row was submitted under this key before, and it was not the same.".into()
            } else {
                error.message.clone()
            };
            RowResult::Row(row(Err(fault(column, &message))), false)
        }
        // Only this row fails; the import goes on with the next.
        Err(error @ EngineError::Damaged(_)) => {
            let message = shortened(&ApiError::from(error).message, 500);
            RowResult::Row(row(Err(RowFault { column: String::new(), message })), false)
        }
        Err(error) => RowResult::Away(away(error)),
    }
}

fn is_other_row(error: &ApiError) -> bool {
    error.kind == ErrorType::IdempotencyError && error.status == StatusCode::BAD_REQUEST
}
