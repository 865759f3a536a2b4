//! What people see instead of a page: 403, 404, 500, 503.

use actix_web::http::StatusCode;
use askama::Template;

use super::layout::Layout;

/// The page.
#[derive(Template)]
#[template(path = "error.html")]
pub struct ErrorPage {
    /// The frame.
    pub layout: Layout,
    /// The HTTP status.
    pub code: u16,
    /// What happened.
    pub headline: &'static str,
    /// What to do about it.
    pub advice: String,
}

impl ErrorPage {
    /// The page of an HTTP status. `advice` replaces the usual words where something better is known.
    #[must_use]
    pub fn new(layout: Layout, status: StatusCode, advice: Option<String>) -> Self {
        let (headline, usual) = words(status);
        Self { layout, code: status.as_u16(), headline, advice: advice.unwrap_or_else(|| usual.to_owned()) }
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
