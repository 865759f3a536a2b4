//! Hands the rows of an import in, batch after batch, and keeps what became of each.

use std::time::Duration;

use actix_web::http::StatusCode;
use tokio::time::timeout;

use super::rows::{Batches, Read, Row};
use super::stop::Stop;
use super::{MESSAGE_CHARS_MAX, fault, shortened};
use crate::domain::card_numbers::masked;
use crate::domain::command::Command;
use crate::domain::ids::{AccountId, PaymentId};
use crate::engine::{Done, EngineError, Reply};
use crate::store::{ImportRecord, ImportRow, ImportState, RowFault, StoreResult};
use crate::web::error::{ApiError, ErrorType};
use crate::web::payees;
use crate::web::replays;
use crate::web::state::WebState;

/// How long a full intake is waited for between two attempts.
const BUSY_PAUSE: Duration = Duration::from_millis(5);
/// How long a store that is away is waited for, a second at a time.
const AWAY_SECONDS: u32 = 30;
/// How often a slow upload is marked as alive.
const ALIVE_EVERY: Duration = Duration::from_secs(4);
/// After how many of these without a row it is given up.
const STILL_MAX: u32 = 15;

/// A row that was handed in.
struct Handed {
    line: u64,
    key: String,
    /// The command, to hand it in again if the store went away; its key makes that harmless.
    outcome: Result<(Command, Reply), RowFault>,
}

/// What became of a row.
enum Became {
    Row(ImportRow, bool),
    /// Nothing works: the import cannot go on.
    Away(String),
}

/// Runs an import to its end and returns it as it is then. Rows that were kept are never lost: an import that was cut short
/// goes on when the same file comes again, because each row's key is recognised.
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
        // It may repeat a name of line 1.
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

async fn batch(state: &WebState, import: &mut ImportRecord, rows: Vec<Row>) -> Result<(), String> {
    let drafts = rows.iter().filter_map(|row| row.draft.as_ref().ok());
    payees::load(state, drafts.filter_map(|draft| draft.destination.as_ref())).await.map_err(away)?;
    let mut handed = Vec::with_capacity(rows.len());
    for row in rows {
        handed.push(hand_in(state, import.owner, row).await?);
    }
    let mut kept = Vec::with_capacity(handed.len());
    let mut stopped = Ok(());
    for one in handed {
        match outcome(state, one).await {
            Became::Row(row, known) => {
                import.rows_read += 1;
                match (&row.outcome, known) {
                    (Ok(_), false) => import.rows_accepted += 1,
                    (Ok(_), true) => import.rows_known += 1,
                    (Err(_), _) => import.rows_refused += 1,
                }
                kept.push(row);
            }
            Became::Away(cause) => stopped = Err(cause),
        }
    }
    save(state, import, &kept).await.map_err(away)?;
    stopped
}

async fn save(state: &WebState, import: &mut ImportRecord, rows: &[ImportRow]) -> StoreResult<()> {
    import.updated_at = state.wall.now();
    state.store.import_save(import, rows).await
}

/// Why an import cannot go on. What an error says of its own request is not true of the whole: rows before it were paid.
fn away(error: impl Into<ApiError>) -> String {
    let error = error.into();
    match error.status {
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
            "The store went away, or the server is stopping; rows of the file may have been paid.".to_owned()
        }
        _ => error.message.into_owned(),
    }
}

/// Hands a row in. An error is that of the whole import.
async fn hand_in(state: &WebState, owner: AccountId, row: Row) -> Result<Handed, String> {
    let Row { line, key, draft } = row;
    let draft = match draft {
        Ok(draft) => draft,
        Err(fault) => return Ok(Handed { line, key, outcome: Err(fault) }),
    };
    let outcome = match replays::submission(state, draft, owner).await {
        Err(error) if error.status.is_client_error() => Err(fault_of(&error)),
        Err(error) => return Err(away(error)),
        Ok(command) => {
            let command = Command::Submit(Box::new(command));
            let reply = submit(state, &command).await.map_err(away)?;
            Ok((command, reply))
        }
    };
    Ok(Handed { line, key, outcome })
}

/// Hands a command in and waits for room as long as it takes: an import has time.
async fn submit(state: &WebState, command: &Command) -> Result<Reply, EngineError> {
    loop {
        match state.engine.submit(command.clone()) {
            Err(EngineError::Busy) => tokio::time::sleep(BUSY_PAUSE).await,
            other => return other,
        }
    }
}

async fn outcome(state: &WebState, handed: Handed) -> Became {
    let Handed { line, key, outcome } = handed;
    let row = |outcome| ImportRow { line, key, outcome };
    let (command, reply) = match outcome {
        Ok(handed) => handed,
        Err(fault) => return Became::Row(row(Err(fault)), false),
    };
    match settle(state, command, reply).await {
        Ok(done) => Became::Row(row(Ok::<PaymentId, _>(done.payment.id())), done.replayed),
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
            Became::Row(row(Err(fault(column, &message))), false)
        }
        // This row alone; what comes after it goes on.
        Err(error @ EngineError::Damaged(_)) => {
            let message = shortened(&ApiError::from(error).message, 500);
            Became::Row(row(Err(RowFault { column: String::new(), message })), false)
        }
        Err(error) => Became::Away(away(error)),
    }
}

fn is_other_row(error: &ApiError) -> bool {
    error.kind == ErrorType::IdempotencyError && error.status == StatusCode::BAD_REQUEST
}

/// Waits for the answer, and asks again while the store is away. It may have been done the first time.
async fn settle(state: &WebState, command: Command, reply: Reply) -> Result<Done, EngineError> {
    let mut answer = reply.outcome().await;
    for _ in 0..AWAY_SECONDS {
        if !matches!(answer, Err(EngineError::Unavailable { .. } | EngineError::Busy)) {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        answer = state.engine.execute(command.clone()).await;
    }
    answer
}

fn fault_of(error: &ApiError) -> RowFault {
    fault(error.param.as_deref().unwrap_or_default(), &error.message)
}
