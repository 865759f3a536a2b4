//! Receives an upload: the form's fields, then the file, which is passed on as it arrives and never kept.

use actix_multipart::{Field, Multipart, MultipartError};
use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::web;
use futures_util::StreamExt as _;

use crate::domain::ids::ImportId;
use crate::domain::text::misleads;
use crate::intake::check_text;
use crate::store::{ImportRecord, ImportState};
use crate::web::arriving::is_too_slow;
use crate::web::body;
use crate::web::error::{ApiError, ErrorType};
use crate::web::import::{self, BYTES_MAX, NAME_CHARS_MAX};
use crate::web::security::SignedIn;
use crate::web::state::WebState;

/// The maximum size of a field other than the file, in bytes.
const FIELD_BYTES_MAX: usize = 1_024;
/// The maximum number of fields before the file.
const FIELDS_MAX: usize = 10;

/// The fields that come before the file.
#[derive(Default)]
struct Head {
    csrf: String,
    import: String,
    name: String,
}

fn invalid(message: &'static str) -> ApiError {
    ApiError::invalid("body_invalid", message).with_param("file")
}

fn broken(error: &MultipartError) -> ApiError {
    match error {
        MultipartError::Payload(error) if is_too_slow(error) => body::broken(error).with_param("file"),
        MultipartError::Payload(_) => invalid("The upload broke off."),
        _ => invalid("The upload could not be read."),
    }
}

/// Receives a form with a file and returns the import once every row has been read.
///
/// # Errors
/// The upload was rejected or interrupted; rows already read stay submitted.
pub async fn receive(
    state: &web::Data<WebState>,
    request: &HttpRequest,
    who: &SignedIn,
    mut form: Multipart,
) -> Result<ImportRecord, ApiError> {
    body::refuse_packed(request)?;
    let mut head = Head::default();
    for _ in 0..FIELDS_MAX {
        let Some(field) = form.next().await else { break };
        let mut field = field.map_err(|error| broken(&error))?;
        match field.name() {
            Some("csrf") => head.csrf = text(&mut field).await?,
            Some("import") => head.import = text(&mut field).await?,
            Some("name") => head.name = text(&mut field).await?,
            Some("file") => {
                who.check_form(state, request, &head.csrf)?;
                return file(state, who, &head, field).await;
            }
            Some(_) | None => {
                text(&mut field).await?;
            }
        }
    }
    Err(invalid("Choose a CSV file."))
}

async fn text(field: &mut Field) -> Result<String, ApiError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = field.next().await {
        let chunk = chunk.map_err(|error| broken(&error))?;
        if bytes.len() + chunk.len() > FIELD_BYTES_MAX {
            return Err(invalid("A field of the form is too long."));
        }
        bytes.extend_from_slice(&chunk);
    }
    String::from_utf8(bytes).map_err(|_| invalid("A field of the form is not UTF-8 text."))
}

/// The name of the import as typed, else the file's name.
fn name_of(head: &Head, field: &Field) -> Result<String, ApiError> {
    let of_file = field.content_disposition().and_then(|disposition| disposition.get_filename());
    let stem = of_file.unwrap_or_default();
    let stem = stem.rsplit_once('.').map_or(stem, |(stem, _)| stem);
    let wrong = |message: &'static str| {
        Err(ApiError::invalid("parameter_invalid_string", message).with_param("name"))
    };
    if head.name.chars().any(misleads) {
        return wrong("A name has no control characters.");
    }
    let name = if head.name.trim().is_empty() { stem } else { &head.name };
    let name: String = name.trim().chars().filter(|c| !misleads(*c)).collect();
    match name.chars().count() {
        0 => Ok("payments".to_owned()),
        1..=NAME_CHARS_MAX => Ok(name),
        _ => wrong("A name has at most 60 characters."),
    }
}

async fn file(
    state: &web::Data<WebState>,
    who: &SignedIn,
    head: &Head,
    mut field: Field,
) -> Result<ImportRecord, ApiError> {
    let name = name_of(head, &field)?;
    check_text("name", &name, &state.intake.rules)?;
    let Ok(permit) = std::sync::Arc::clone(&state.imports).try_acquire_owned() else {
        let message = "Other files are being imported right now. Try again in a moment; nothing was read.";
        return Err(ApiError::busy(message));
    };
    // A browser sends an empty file if none was chosen.
    let Some(first) = field.next().await else {
        return Err(invalid("Choose a CSV file with something in it."));
    };
    let first = first.map_err(|error| broken(&error))?;
    let import = begin(state, who, head, name).await?;
    let (filling, rows) = import::body();
    let batches = import::read(rows, import.name.clone(), state.intake.rules, state.wall.clone());
    // In its own task: the results of submitted rows must be recorded even if the browser disconnects.
    let task = tokio::spawn({
        let state = state.clone();
        async move {
            let import = import::run(&state, import, batches).await;
            drop(permit);
            import
        }
    });
    let mut reading = filling.push(first).await;
    let mut bytes = 0_u64;
    while let Some(chunk) = field.next().await {
        // Dropping `filling` without `end` shows the reader that the upload broke off.
        let chunk = chunk.map_err(|error| broken(&error))?;
        bytes = bytes.saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
        if bytes > 2 * BYTES_MAX {
            let message = "The file is larger than 64 MiB.";
            return Err(ApiError::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                ErrorType::InvalidRequestError,
                "body_too_large",
                message,
            ));
        }
        // Once no more rows are read, the rest is received and dropped: browsers show no answer before they have sent everything.
        reading = reading && filling.push(chunk).await;
    }
    filling.end().await;
    task.await.map_err(|error| {
        tracing::error!(error = %error, "import task failed");
        ApiError::internal()
    })
}

async fn begin(
    state: &WebState,
    who: &SignedIn,
    head: &Head,
    name: String,
) -> Result<ImportRecord, ApiError> {
    let now = state.wall.now();
    let mut import = ImportRecord {
        id: head.import.parse().unwrap_or_else(|_| ImportId::generate()),
        owner: who.account,
        name,
        state: ImportState::Running,
        created_at: now,
        updated_at: now,
        rows_read: 0,
        rows_accepted: 0,
        rows_known: 0,
        rows_refused: 0,
        cause: None,
    };
    // The form's id is already in use if the form was sent before.
    if !state.store.import_insert(&import).await? {
        import.id = ImportId::generate();
        if !state.store.import_insert(&import).await? {
            return Err(ApiError::internal());
        }
    }
    Ok(import)
}
