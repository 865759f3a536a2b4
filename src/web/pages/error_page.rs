//! The error page, for statuses such as 403, 404, 500 and 503.

use std::fmt;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use askama::Template;

use super::layout::Layout;
use crate::web::error::ApiError;

/// The page.
#[derive(Template)]
#[template(path = "error.html")]
pub struct ErrorPage {
    /// The frame.
    pub layout: Layout,
    /// The HTTP status.
    pub code: u16,
    /// What happened, in a few words.
    pub headline: &'static str,
    /// What to do about it, in a sentence or two.
    pub advice: String,
}

impl ErrorPage {
    /// The page of an HTTP status. `advice` replaces the usual words if something better is known.
    #[must_use]
    pub fn new(layout: Layout, status: StatusCode, advice: Option<String>) -> Self {
        let (headline, usual) = words(status);
        Self { layout, code: status.as_u16(), headline, advice: advice.unwrap_or_else(|| usual.to_owned()) }
    }
}

/// An error as a page.
#[derive(Debug)]
pub struct PageError(pub ApiError);

impl PageError {
    /// The page in this frame.
    #[must_use]
    pub fn page(&self, layout: Layout) -> HttpResponse {
        let status = self.0.status;
        // The API's 404 names a parameter; the page's own words are better.
        let advice = (!matches!(status.as_u16(), 404 | 500)).then(|| self.0.message.to_string());
        render(answer_to(&self.0), &ErrorPage::new(layout, status, advice))
    }
}

impl fmt::Display for PageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl ResponseError for PageError {
    fn status_code(&self) -> actix_web::http::StatusCode {
        self.0.status
    }

    fn error_response(&self) -> HttpResponse {
        self.page(Layout::signed_out("Error", ""))
    }
}

impl<E: Into<ApiError>> From<E> for PageError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

/// Begins the response to an error.
#[must_use]
pub fn answer_to(error: &ApiError) -> HttpResponseBuilder {
    error.begin()
}

/// Finishes a response with a page. Pages show one person's money, so no cache may store them.
#[must_use]
pub fn render(mut response: HttpResponseBuilder, page: &impl Template) -> HttpResponse {
    response.insert_header((header::CACHE_CONTROL, "no-store"));
    match page.render() {
        Ok(html) => response.content_type("text/html; charset=utf-8").body(html),
        Err(error) => {
            tracing::error!(error = %error, "page could not be rendered");
            HttpResponse::InternalServerError().body("The page could not be rendered.")
        }
    }
}

fn words(status: StatusCode) -> (&'static str, &'static str) {
    match status.as_u16() {
        403 => (
            "Not allowed",
            "The form was too old or came from another site. Go back, reload the page and try again.",
        ),
        404 => ("Nothing here", "There is no such page, or it belongs to another account."),
        429 => ("Too many at once", "Nothing was done. Wait a moment and try again."),
        503 => (
            "Away for a moment",
            "A part of the server does not answer. Nothing was lost; try again shortly.",
        ),
        400..=499 => ("That did not work", "The request could not be understood. Nothing was done."),
        _ => ("Something broke", "It is ours to fix, not yours. What was accepted before is safe."),
    }
}
