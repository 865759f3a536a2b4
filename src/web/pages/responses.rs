//! The responses of pages: a rendered page, or a redirect.

use actix_web::http::header;
use actix_web::{HttpResponse, HttpResponseBuilder};
use askama::Template;

use super::error_page::{PageError, render};
use crate::web::addresses;

/// The result of every page's handler.
pub type PageResult = Result<HttpResponse, PageError>;

/// A page with status 200.
#[must_use]
pub fn ok(page: &impl Template) -> HttpResponse {
    render(HttpResponse::Ok(), page)
}

/// Redirects to another page of this site after a form; to `/` if the address is on another site.
#[must_use]
pub fn see_other(to: &str) -> HttpResponse {
    lead_to(to).finish()
}

/// Redirects to a merchant's address, which is parsed and so is safe in a header.
#[must_use]
pub fn lead_away(to: &url::Url) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((header::LOCATION, to.as_str())).finish()
}

/// Begins a redirect, to which cookies can be added.
#[must_use]
pub fn lead_to(to: &str) -> HttpResponseBuilder {
    let mut response = HttpResponse::SeeOther();
    response.insert_header((header::LOCATION, addresses::local(to).unwrap_or_else(|| "/".to_owned())));
    response
}
