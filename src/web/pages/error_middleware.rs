//! Adds the navigation to error pages for signed-in accounts. An error does not know who sent the request; this middleware does.

use actix_web::HttpRequest;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::middleware::Next;

use super::error_page::PageError;
use super::frame;
use super::layout::Nav;
use crate::web::security::{self, SignedIn};

/// Wraps every request (`from_fn(with_navigation)`), inside of [`crate::web::edge::edge`].
///
/// # Errors
/// The inner service's.
pub async fn with_navigation(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let response = next.call(request).await?.map_into_boxed_body();
    let error = response.response().error().and_then(|error| error.as_error::<PageError>());
    // While the store is unavailable, sessions cannot be read, and every link would lead to the same page.
    let Some(error) = error.filter(|error| error.0.status != StatusCode::SERVICE_UNAVAILABLE) else {
        return Ok(response);
    };
    let error = PageError(error.0.clone());
    let who = match signed_in(response.request()).await {
        Some(who) => who,
        None => return Ok(response),
    };
    let (request, old) = response.into_parts();
    let Ok(state) = security::state_of(&request) else {
        return Ok(ServiceResponse::new(request, old));
    };
    let page = error.page(frame::frame(&state, &who, "Error", Nav::Nowhere));
    Ok(ServiceResponse::new(request, page))
}

async fn signed_in(request: &HttpRequest) -> Option<SignedIn> {
    let state = security::state_of(request).ok()?;
    SignedIn::of(&state, request).await.ok().flatten()
}
