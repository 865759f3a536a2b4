//! Reads bodies and query strings as [`Params`].

use std::convert::Infallible;
use std::io::Read as _;

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use actix_web::web::{Bytes, BytesMut};
use actix_web::{FromRequest, HttpRequest};
use flate2::bufread::MultiGzDecoder;
use futures_util::StreamExt as _;
use futures_util::future::LocalBoxFuture;

use super::arriving::is_too_slow;
use super::edge;
use super::error::{ApiError, ErrorType};
use super::requests::capture;
use super::security::state_of;
use crate::intake::Params;

/// A request's body, whole and unpacked, or the error: each handler answers it in its own format.
#[derive(Debug)]
pub struct Body(Result<Bytes, ApiError>);

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encoding {
    Identity,
    Gzip,
}

impl FromRequest for Body {
    type Error = Infallible;
    type Future = LocalBoxFuture<'static, Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move { Ok(Self(receive(&request, payload).await)) })
    }
}

async fn receive(request: &HttpRequest, payload: Payload) -> Result<Bytes, ApiError> {
    let bytes_max = state_of(request)?.settings.body_max_bytes;
    let encoding = encoding(request)?;
    let length = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if length.and_then(|length| length.parse::<u64>().ok()).is_some_and(|length| length > bytes_max as u64) {
        return Err(too_large());
    }
    let bytes = collect(payload, bytes_max).await?;
    match encoding {
        Encoding::Gzip if !bytes.is_empty() => unpack(&bytes, bytes_max),
        Encoding::Gzip | Encoding::Identity => Ok(bytes),
    }
}

async fn collect(mut payload: Payload, bytes_max: usize) -> Result<Bytes, ApiError> {
    let mut whole = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(|error| broken(&error))?;
        if whole.len() + chunk.len() > bytes_max {
            return Err(too_large());
        }
        // Most bodies arrive in one chunk, which is not copied.
        whole = if whole.is_empty() { BytesMut::from(chunk) } else { joined(whole, &chunk) };
    }
    Ok(whole.freeze())
}

fn joined(mut whole: BytesMut, chunk: &[u8]) -> BytesMut {
    whole.extend_from_slice(chunk);
    whole
}

/// Unpacks at most `bytes_max`, however large the body would become.
fn unpack(packed: &[u8], bytes_max: usize) -> Result<Bytes, ApiError> {
    let mut bytes = Vec::new();
    let one_more = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    let read = MultiGzDecoder::new(packed).take(one_more).read_to_end(&mut bytes);
    if bytes.len() > bytes_max {
        return Err(too_large());
    }
    read.map_err(|_| ApiError::invalid("body_invalid", "The request's body is not what gzip makes."))?;
    Ok(bytes.into())
}

fn encoding(request: &HttpRequest) -> Result<Encoding, ApiError> {
    let mut values = request.headers().get_all(CONTENT_ENCODING);
    let value = values.next().map_or("", |value| value.to_str().unwrap_or("?")).trim();
    match value.to_ascii_lowercase().as_str() {
        "" | "identity" if values.next().is_none() => Ok(Encoding::Identity),
        "gzip" | "x-gzip" if values.next().is_none() => Ok(Encoding::Gzip),
        _ => Err(encoding_not_read("Bodies are read as they are or packed with gzip.")),
    }
}

/// Refuses a compressed body. For handlers that read the body while it arrives.
///
/// # Errors
/// 415 if it is compressed.
pub fn refuse_packed(request: &HttpRequest) -> Result<(), ApiError> {
    match encoding(request)? {
        Encoding::Identity => Ok(()),
        Encoding::Gzip => Err(encoding_not_read("A file is read as it is. Unpack it first.")),
    }
}

fn encoding_not_read(message: &'static str) -> ApiError {
    let (status, kind) = (StatusCode::UNSUPPORTED_MEDIA_TYPE, ErrorType::InvalidRequestError);
    ApiError::new(status, kind, "content_encoding_invalid", message)
}

fn too_large() -> ApiError {
    let message = "The request's body is larger than allowed.";
    let (status, kind) = (StatusCode::PAYLOAD_TOO_LARGE, ErrorType::InvalidRequestError);
    ApiError::new(status, kind, "body_too_large", message)
}

/// Why a body did not arrive: 408 if it took too long, else 400.
#[must_use]
pub fn broken(error: &PayloadError) -> ApiError {
    if !is_too_slow(error) {
        return ApiError::invalid("body_invalid", "The request's body could not be read.");
    }
    let message = "The request's body took too long to arrive. Nothing was done.";
    let (status, kind) = (StatusCode::REQUEST_TIMEOUT, ErrorType::InvalidRequestError);
    ApiError::new(status, kind, "body_too_slow", message)
}

/// The bytes of a body.
///
/// # Errors
/// 413 if it is larger than allowed; 408 if it was too slow; 415 if its compression is not supported; 400 if it broke off.
pub fn bytes(body: Body) -> Result<Bytes, ApiError> {
    body.0
}

/// The text of a form or a query string.
///
/// # Errors
/// Not UTF-8, before or after percent-decoding.
pub fn text(encoded: &[u8]) -> Result<&str, ApiError> {
    let text = std::str::from_utf8(encoded).ok().filter(|text| edge::is_text(text));
    text.ok_or_else(|| ApiError::invalid("body_invalid", "The request's body is not UTF-8 text."))
}

/// The parameters that empty text unsets; empty text anywhere else is an error.
const UNSET: &[&str] = &["metadata", "payment_method_data[billing_details]"];

/// The parameters in a body: a form, or JSON if `Content-Type` says so.
///
/// # Errors
/// Another content type, a body that does not match its type, or an empty parameter that must not be empty.
pub fn params<'a>(request: &HttpRequest, body: &'a Bytes) -> Result<Params<'a>, ApiError> {
    params_with(request, body, UNSET)
}

/// Like [`params`], with the parameters that empty text unsets given.
///
/// # Errors
/// As [`params`].
pub fn params_with<'a>(
    request: &HttpRequest,
    body: &'a Bytes,
    unset: &[&str],
) -> Result<Params<'a>, ApiError> {
    let params = read(request, body)?;
    params.refuse_empty(unset)?;
    Ok(params)
}

fn read<'a>(request: &HttpRequest, body: &'a Bytes) -> Result<Params<'a>, ApiError> {
    let value = request.headers().get(CONTENT_TYPE).map_or("", |value| value.to_str().unwrap_or("?"));
    let media_type = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    capture::note_body(request, &media_type, body);
    match media_type.as_str() {
        "application/json" if body.is_empty() => Ok(Params::default()),
        "application/json" => Ok(Params::from_json(body)?),
        "application/x-www-form-urlencoded" | "" => Ok(Params::from_form(text(body)?)?),
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
/// Too many parameters, or nested too deeply, or an empty one.
pub fn query(request: &HttpRequest) -> Result<Params<'_>, ApiError> {
    let params = Params::from_form(request.query_string())?;
    params.refuse_empty(&[])?;
    Ok(params)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_body_that_unpacks_to_more_than_is_allowed_is_refused() {
        let code = |result: Result<Bytes, ApiError>| result.map_err(|error| error.code.unwrap());
        assert_eq!(code(unpack(&packed(b"amount=1"), 8)).as_deref(), Ok(&b"amount=1"[..]));
        assert_eq!(code(unpack(&packed(b"amount=12"), 8)), Err("body_too_large"));
        // A kilobyte that would become a megabyte.
        assert_eq!(code(unpack(&packed(&vec![0; 1 << 20]), 1 << 10)), Err("body_too_large"));
        let twice = [packed(b"amount"), packed(b"=1")].concat();
        assert_eq!(code(unpack(&twice, 8)).as_deref(), Ok(&b"amount=1"[..]));
        for broken in [&b"amount=1"[..], packed(b"amount=1").split_at(12).0] {
            assert_eq!(code(unpack(broken, 100)), Err("body_invalid"));
        }
    }

    #[test]
    fn text_is_utf_8_before_and_after_it_is_decoded() {
        assert_eq!(text(b"a=caf%C3%A9&b=100%").unwrap(), "a=caf%C3%A9&b=100%");
        for wrong in [&b"a=\xff"[..], b"a=%ff", b"a%FF=1", b"a=%C3&b=%A9", b"a=%ED%A0%80", b"a=%C0%AF"] {
            assert!(text(wrong).is_err(), "{wrong:?}");
        }
    }
}
