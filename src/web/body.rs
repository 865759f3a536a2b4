//! Bodies and query strings as [`Params`].

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Bytes;

use super::error::{ApiError, ErrorType};
use super::params::Params;
use super::requests::capture;

/// A body as actix hands it out, errors included, so that they get our shape.
pub type Body = Result<Bytes, actix_web::Error>;

/// The bytes of a body.
///
/// # Errors
/// 413 if it is larger than allowed; 400 if it broke off.
pub fn bytes(body: Body) -> Result<Bytes, ApiError> {
    body.map_err(|error| match error.as_response_error().status_code() {
        StatusCode::PAYLOAD_TOO_LARGE => {
            let message = "The request's body is larger than allowed.";
            ApiError::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                ErrorType::InvalidRequestError,
                "body_too_large",
                message,
            )
        }
        _ => ApiError::invalid("body_invalid", "The request's body could not be read."),
    })
}

/// What an empty text unsets in the dialect; empty anywhere else is an error.
const UNSET: &[&str] = &["metadata", "payment_method_data[billing_details]"];

/// The parameters in a body: a form, or JSON if `Content-Type` says so.
///
/// # Errors
/// A type that is neither, a body that is not what it says, or a parameter that is empty and must not be.
pub fn params<'a>(request: &HttpRequest, body: &'a Bytes) -> Result<Params<'a>, ApiError> {
    let params = read(request, body)?;
    params.refuse_empty(UNSET)?;
    Ok(params)
}

fn read<'a>(request: &HttpRequest, body: &'a Bytes) -> Result<Params<'a>, ApiError> {
    let value = request.headers().get(CONTENT_TYPE).map_or("", |value| value.to_str().unwrap_or("?"));
    let media_type = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    capture::note_body(request, &media_type, body);
    match media_type.as_str() {
        "application/json" if body.is_empty() => Ok(Params::default()),
        "application/json" => Ok(Params::from_json(body)?),
        "application/x-www-form-urlencoded" | "" => {
            let text = std::str::from_utf8(body)
                .map_err(|_| ApiError::invalid("body_invalid", "The request's body is not UTF-8 text."))?;
            Ok(Params::from_form(text)?)
        }
        _ => {
            let message = "Send parameters as application/x-www-form-urlencoded or application/json.";
            Err(ApiError::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                ErrorType::InvalidRequestError,
                "content_type_invalid",
                message,
            ))
        }
    }
}

/// The parameters in a query string.
///
/// # Errors
/// Past the bounds, or a parameter that is empty.
pub fn query(request: &HttpRequest) -> Result<Params<'_>, ApiError> {
    let params = Params::from_form(request.query_string())?;
    params.refuse_empty(&[])?;
    Ok(params)
}
