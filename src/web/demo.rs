//! The demo account: its id, the one-time token that signs in to it, and which requests count as local.
//!
//! Anyone who can reach the demo account can use it, so every way in checks [`is_local`] first. `app` creates the account,
//! and only where the settings let nobody but this machine connect.

use std::net::IpAddr;
use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::header;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::domain::ids::AccountId;

/// The metadata key of payments that the demo made by itself, not the viewer.
pub const METADATA_KEY: &str = "demo";

/// The demo account of this process.
#[derive(Debug)]
pub struct Demo {
    /// The account for any `sk_test_…` key that is not a real key of an account.
    pub account: AccountId,
    /// The hash of the token printed at startup, until it is used.
    start: Mutex<Option<blake3::Hash>>,
    /// Notified by each [`Self::look`].
    looked: Arc<Notify>,
}

impl Demo {
    /// The demo account with the token that opens it once; each [`Self::look`] notifies `looked`.
    #[must_use]
    pub fn new(account: AccountId, token: &str, looked: Arc<Notify>) -> Self {
        Self { account, start: Mutex::new(Some(blake3::hash(token.as_bytes()))), looked }
    }

    /// Records that someone uses the demo account, by session or key.
    pub fn look(&self) {
        self.looked.notify_one();
    }

    /// Whether this token would open it. Changes nothing, since not only people fetch addresses.
    #[must_use]
    pub fn opens(&self, token: &str) -> bool {
        // `blake3::Hash` compares in constant time.
        self.start.lock().is_some_and(|start| start == blake3::hash(token.as_bytes()))
    }

    /// Uses up the token; `false` if it is wrong or already used.
    #[must_use]
    pub fn take(&self, token: &str) -> bool {
        let mut start = self.start.lock();
        let fits = start.is_some_and(|start| start == blake3::hash(token.as_bytes()));
        if fits {
            *start = None;
        }
        fits
    }

    /// Makes a token valid again whose sign-in failed.
    pub fn give_back(&self, token: &str) {
        *self.start.lock() = Some(blake3::hash(token.as_bytes()));
    }
}

/// Whether a request can only come from this machine: from a loopback address, to a loopback name (a foreign name that
/// resolves here does not count), and not forwarded by a proxy.
#[must_use]
pub fn is_local(request: &HttpRequest) -> bool {
    let own = |address: IpAddr| address.to_canonical().is_loopback();
    let headers = request.headers();
    let to = headers.get(header::HOST).and_then(|host| host.to_str().ok()).is_some_and(is_own_name);
    let passed_on = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via"];
    request.peer_addr().is_some_and(|peer| own(peer.ip()))
        && to
        && !passed_on.iter().any(|name| headers.contains_key(*name))
}

/// The cookie that hides the demo badge; it has no other use.
pub const BADGE_COOKIE: &str = "paystorm_demo_badge";
/// The value of [`BADGE_COOKIE`] that hides the badge.
pub const BADGE_HIDDEN: &str = "hidden";

/// Whether this browser has hidden the badge.
#[must_use]
pub fn badge_is_hidden(request: &HttpRequest) -> bool {
    request.cookie(BADGE_COOKIE).is_some_and(|cookie| cookie.value() == BADGE_HIDDEN)
}

/// Whether a `Host` header names this machine.
fn is_own_name(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) | None => host,
    };
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_opens_once() {
        let demo = Demo::new(AccountId::from_bytes([1; 16]), "secret", Arc::default());
        assert!(demo.opens("secret") && demo.opens("secret") && !demo.opens("Secret"));
        assert!(!demo.take(""));
        assert!(demo.take("secret") && !demo.take("secret") && !demo.opens("secret"));
        demo.give_back("secret");
        assert!(demo.take("secret"));
    }

    #[test]
    fn names_of_this_machine() {
        for own in ["127.0.0.1:8080", "localhost", "LocalHost:1", "[::1]:8080", "127.1.2.3"] {
            assert!(is_own_name(own), "{own}");
        }
        for other in [
            "pay.example",
            "127.0.0.1.evil.test:8080",
            "localhost.evil.test",
            "10.0.0.1:8080",
            "",
            "0.0.0.0:80",
        ] {
            assert!(!is_own_name(other), "{other}");
        }
    }

    #[test]
    fn only_requests_from_this_machine_are_local() {
        let request = |peer: &str, host: &str, more: Option<(&'static str, &'static str)>| {
            let request = actix_web::test::TestRequest::get()
                .peer_addr(peer.parse().expect("an address"))
                .insert_header(("host", host.to_owned()));
            more.into_iter().fold(request, |request, header| request.insert_header(header)).to_http_request()
        };
        assert!(is_local(&request("127.0.0.1:5000", "127.0.0.1:8080", None)));
        assert!(is_local(&request("[::1]:5000", "localhost:8080", None)));
        assert!(!is_local(&request("192.0.2.1:5000", "127.0.0.1:8080", None)));
        assert!(!is_local(&request("127.0.0.1:5000", "evil.test:8080", None)));
        let forwarded = Some(("x-forwarded-for", "192.0.2.1"));
        assert!(!is_local(&request("127.0.0.1:5000", "127.0.0.1:8080", forwarded)));
    }
}
