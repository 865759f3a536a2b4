//! The style sheet (several files, served as one), the scripts and the icons, embedded in the binary and served under a path that
//! contains a hash of their content.
//!
//! Because the path changes with the content, a browser may cache them permanently; modules import each other relatively and so stay
//! within one version.

use std::borrow::Cow;
use std::sync::LazyLock;

use actix_web::http::header;
use actix_web::{HttpResponse, web};
use rust_embed::RustEmbed;

/// Everything in `static/`.
#[derive(RustEmbed)]
#[folder = "static/"]
struct Static;

/// The style sheet of every page: the files of `static/css/` in the order in which they override each other.
const STYLE: &str = concat!(
    include_str!("../../../static/css/base.css"),
    include_str!("../../../static/css/controls.css"),
    include_str!("../../../static/css/lists.css"),
    include_str!("../../../static/css/payments.css"),
    include_str!("../../../static/css/pages.css"),
    include_str!("../../../static/css/narrow.css"),
);

/// What the pages of scenarios, load runs and experiments need besides. It stands before the other, which overrides it on phones.
const TOOLS: &str = concat!(
    include_str!("../../../static/css/scenario.css"),
    include_str!("../../../static/css/live-plot.css"),
    include_str!("../../../static/css/load.css"),
);

/// How long a browser may keep a file of this version: a year.
const KEEP: &str = "public, max-age=31536000, immutable";

/// `/static/<version>`, where the version is a hash of all files.
#[must_use]
pub fn base_path() -> &'static str {
    static PATH: LazyLock<String> = LazyLock::new(hashed_path);
    &PATH
}

fn hashed_path() -> String {
    let mut hasher = blake3::Hasher::new();
    for path in Static::iter() {
        hasher.update(path.as_bytes());
        if let Some(file) = Static::get(&path) {
            hasher.update(&file.metadata.sha256_hash());
        }
    }
    let hash = hasher.finalize().to_hex();
    format!("/static/{}", hash.get(..12).unwrap_or_default())
}

/// `GET /static/{version}/{path}`.
pub async fn serve(path: web::Path<(String, String)>) -> HttpResponse {
    let (version, path) = path.into_inner();
    let file = match path.as_str() {
        "app.css" => Some(Cow::Borrowed(STYLE.as_bytes())),
        "tools.css" => Some(Cow::Borrowed(TOOLS.as_bytes())),
        path => Static::get(path).map(|file| file.data),
    };
    let Some(bytes) = file else {
        return HttpResponse::NotFound().content_type("text/plain; charset=utf-8").body("no such file");
    };
    // A page of another version (during an update) still gets the file, but must not keep it.
    let current = base_path().strip_prefix("/static/") == Some(version.as_str());
    let mime = mime_guess::from_path(&path).first_or_octet_stream();
    HttpResponse::Ok()
        .content_type(mime.as_ref())
        .insert_header((header::CACHE_CONTROL, if current { KEEP } else { "no-store" }))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(match bytes {
            Cow::Borrowed(bytes) => web::Bytes::from_static(bytes),
            Cow::Owned(bytes) => bytes.into(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_style_sheet_has_all_of_its_files() {
        for path in Static::iter().filter(|path| path.ends_with(".css")) {
            let file = Static::get(&path).expect("listed");
            let text = String::from_utf8(file.data.into_owned()).expect("text");
            assert!(STYLE.contains(&text) || TOOLS.contains(&text), "{path} is in no style sheet");
        }
    }

    /// What a few pages fetch besides what all of them do. How much a page is with it, `tests/browser/axe.test.mjs` measures.
    const OF_SINGLE_PAGES: [&str; 7] = [
        "js/acquirers.js",
        "js/experiment.js",
        "js/how.js",
        "js/live-plot.js",
        "js/load.js",
        "js/plot-scale.js",
        "js/scenario.js",
    ];

    #[test]
    fn files_are_small_and_of_ours_only() {
        let mut total = 0;
        for path in Static::iter() {
            let file = Static::get(&path).expect("listed");
            let text = String::from_utf8(file.data.into_owned()).expect("text");
            if !OF_SINGLE_PAGES.contains(&path.as_ref()) {
                total += text.len();
            }
            let foreign = text
                .match_indices("//")
                .any(|(at, _)| text[..at].ends_with("http:") || text[..at].ends_with("https:"));
            // The namespace of SVG is a name and is never fetched.
            assert!(
                !foreign || path == "icons.svg" || text.contains("www.w3.org"),
                "{path} names another host"
            );
        }
        assert!(total < 150_000, "{total} bytes leave a page no room below 200 KB");
    }
}
