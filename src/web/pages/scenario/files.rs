//! Files about scenarios that are the same for everyone: the JSON schema for editors, and the rule packs. Needs no session.

use actix_web::http::header;
use actix_web::{HttpResponse, web};

use super::super::error_page::PageError;
use super::super::responses::PageResult;
use crate::scenarios::{SCHEMA, pack_files};
use crate::web::error::ApiError;

/// The names of the rule packs.
#[must_use]
pub fn packs() -> Vec<&'static str> {
    pack_files().iter().map(|pack| pack.name).collect()
}

/// `GET /scenario.schema.json`.
pub async fn schema() -> HttpResponse {
    let mut answer = HttpResponse::Ok();
    answer.content_type("application/schema+json").insert_header((header::CACHE_CONTROL, "no-cache"));
    // Editors in a browser read it from elsewhere.
    answer.insert_header((header::ACCESS_CONTROL_ALLOW_ORIGIN, "*")).body(SCHEMA)
}

/// `GET /scenario/packs/{name}.toml`.
pub async fn pack(name: web::Path<String>) -> PageResult {
    let found = pack_files().iter().find(|pack| pack.name == name.as_str());
    let pack = found.ok_or_else(|| PageError(ApiError::not_found("rule pack", "")))?;
    let mut answer = HttpResponse::Ok();
    answer.content_type("text/plain; charset=utf-8").insert_header((header::CACHE_CONTROL, "no-cache"));
    Ok(answer.body(pack.text))
}
