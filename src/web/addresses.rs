//! Addresses that go into answers: where a browser goes next, and this server's own. What a client sent is parsed before it
//! is checked, because browsers do not follow the text as written: they drop tabs and line breaks, take `\` for `/`, and
//! resolve `..`.

use actix_web::HttpRequest;
use actix_web::http::header;
use url::{Position, Url};

use super::state::WebState;

/// Stands for this server while an address is parsed; the name is reserved and never exists (RFC 6761, 6.4).
const HERE: &str = "http://here.invalid/";
/// The longest address that is followed, in bytes.
const BYTES_MAX: usize = 4_096;

/// A path on this server with its query and fragment, fit for a `Location`; `None` if it leads anywhere else.
#[must_use]
pub fn local(text: &str) -> Option<String> {
    let plain = text.starts_with('/')
        && text.len() <= BYTES_MAX
        && !text.chars().any(|c| c.is_control() || c == '\\');
    let here = Url::parse(HERE).ok().filter(|_| plain)?;
    let url = here.join(text).ok()?;
    let path = &url[Position::BeforePath..];
    // On its own, a path that begins with two slashes names a host.
    let ours = &url[..Position::BeforePath] == HERE.trim_end_matches('/') && !path.starts_with("//");
    ours.then(|| path.to_owned())
}

/// The path of the page that a form was sent from, to return to; `None` if the browser does not say or it is not ours.
#[must_use]
pub fn referring(state: &WebState, request: &HttpRequest) -> Option<String> {
    let referer = request.headers().get(header::REFERER)?.to_str().ok()?;
    let url = Url::parse(referer).ok()?;
    let own = state.origins.contains(&url.origin().ascii_serialization());
    local(&url[Position::BeforePath..Position::AfterQuery]).filter(|_| own)
}

/// This server's address in instructions: the one the client used if it is among its own, else the one from the settings.
/// Anyone can write a `Host`, and instructions contain keys.
#[must_use]
pub fn of_server<'a>(state: &'a WebState, request: &HttpRequest) -> &'a str {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let called = |address: &&String| {
        let named = address.split_once("://").map(|(_, named)| named);
        named.zip(host).is_some_and(|(named, host)| named.eq_ignore_ascii_case(host))
    };
    state.addresses.iter().find(called).unwrap_or(&state.base_url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_this_site_are_followed() {
        for (text, path) in [
            ("/", "/"),
            ("/payments?q=a&b=%2F%2Fevil.example#top", "/payments?q=a&b=%2F%2Fevil.example#top"),
            ("/a/../payments", "/payments"),
            ("/payments?q=café", "/payments?q=caf%C3%A9"),
            ("/a b", "/a%20b"),
            ("/@evil.example", "/@evil.example"),
            ("/%09/evil.example", "/%09/evil.example"),
            ("/https://evil.example", "/https://evil.example"),
        ] {
            assert_eq!(local(text).as_deref(), Some(path), "{text:?}");
        }
    }

    #[test]
    fn nothing_else_is() {
        for text in [
            "",
            "payments",
            "?q=a",
            "//evil.example",
            "///evil.example",
            "/\t/evil.example",
            "/\r/evil.example",
            "/\n/evil.example",
            "\t//evil.example",
            "/\u{b}",
            "/\u{0}",
            "/\u{7f}",
            "/\u{85}/evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/\\/evil.example",
            "/.//evil.example",
            "/..//evil.example",
            "/a/..//evil.example",
            "/%2e//evil.example",
            "/%2e%2e//evil.example",
            "/./\t/evil.example",
            "//user:password@evil.example",
            "//@evil.example",
            "https://evil.example",
            "https:evil.example",
            "http://here.invalid/",
            "javascript:alert(1)",
            "data:text/html,x",
            "/a\r\nSet-Cookie: a=b",
            " //evil.example",
        ] {
            assert_eq!(local(text), None, "{text:?}");
        }
        assert_eq!(local(&format!("/{}", "a".repeat(BYTES_MAX))), None);
    }
}
