//! Every path with every method: what a path does not take is 405 and names what it takes; `HEAD` answers as `GET` does.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::support::server::{Server, Stack, with};

const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"];

/// The paths and their methods, as the source lists them: `at("/path").get(…).post(…)`.
fn routes() -> BTreeMap<String, Vec<&'static str>> {
    let source = [
        ("", include_str!("../../../src/web/routes.rs")),
        ("", include_str!("../../../src/web/pages/mod.rs")),
        ("/v1", include_str!("../../../src/web/api/mod.rs")),
    ];
    let mut routes = BTreeMap::new();
    for (prefix, text) in source {
        let flat: String = text.split_whitespace().collect();
        assert!(!flat.contains(".route("), "every path is listed with at(…)");
        for place in flat.split(".service(at(\"").skip(1) {
            let (pattern, rest) = place.split_once('"').expect("a pattern");
            let calls = rest.split(".service(").next().unwrap_or_default();
            let known = [(".get(", &["GET", "HEAD"][..]), (".post(", &["POST"]), (".delete(", &["DELETE"])];
            let taken = known.into_iter().filter(|(call, _)| calls.contains(call));
            let methods = taken.flat_map(|(_, own)| own.iter().copied()).collect();
            routes.insert(format!("{prefix}{pattern}"), methods);
        }
    }
    routes
}

/// A path with something in the place of each of its variables.
fn path_of(pattern: &str) -> String {
    let part = |part: &str| match part.split_once('}') {
        Some((_, ending)) => format!("x{ending}"),
        None => part.to_owned(),
    };
    pattern.split('/').map(part).collect::<Vec<_>>().join("/")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_path_takes_its_methods_and_no_others() {
    with(Stack::Embedded, |_| {}, every_path).await;
}

async fn every_path(server: Arc<Server>) {
    let routes = routes();
    assert!(routes.len() > 60, "{}", routes.len());
    let cookie = server.sign_in("shop@example.org").await;
    for (pattern, allowed) in &routes {
        let path = path_of(pattern);
        let mut statuses = BTreeMap::new();
        for method in METHODS {
            // Doing it is for other tests.
            if allowed.contains(&method) && !matches!(method, "GET" | "HEAD") {
                continue;
            }
            let request = server
                .http
                .request(
                    reqwest::Method::from_bytes(method.as_bytes()).expect("a method"),
                    server.url.clone() + &path,
                )
                .bearer_auth(&server.key)
                .header("cookie", &cookie);
            let response = request.send().await.expect("an answer");
            let status = response.status().as_u16();
            let header = |name: &str| {
                response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
            };
            let (allow, kind) = (header("allow"), header("content-type").unwrap_or_default());
            statuses.insert(method, status);
            if allowed.contains(&method) {
                assert_ne!(status, 405, "{method} {path}");
                if method == "HEAD" {
                    assert!(response.bytes().await.expect("an end").is_empty(), "{path}");
                }
                continue;
            }
            assert_eq!((status, allow), (405, Some(allowed.join(", "))), "{method} {path}");
            let body = response.text().await.expect("text");
            if path.starts_with("/v1/") || path == "/ws" {
                assert!(kind.contains("json"), "{method} {path}: {kind}");
                assert!(method == "HEAD" || body.contains("method_not_allowed"), "{method} {path}: {body}");
            } else {
                assert!(kind.contains("html") || method == "HEAD", "{method} {path}: {kind}");
            }
        }
        assert_eq!(statuses.get("HEAD"), statuses.get("GET"), "{path}");
    }
    let (status, page) = server.page("/nothing/here", &cookie).await;
    assert!(status == 404 && page.contains("Nothing here"), "{page}");
}
