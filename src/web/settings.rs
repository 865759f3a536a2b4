//! Derives the server's addresses and allowed origins from its settings.

use std::net::SocketAddr;

use crate::config::ServerSettings;

/// The base addresses of a server that listens on `address`, the preferred one first.
#[must_use]
pub fn addresses(settings: &ServerSettings, address: SocketAddr) -> Vec<String> {
    let public = Some(&settings.public_url).filter(|url| !url.is_empty()).map(|url| origin_of(url));
    let port = address.port();
    let ip = address.ip();
    let loopback = ["127.0.0.1", "localhost", "[::1]"].map(|host| format!("http://{host}:{port}"));
    let bound = if ip.is_loopback() || ip.is_unspecified() {
        loopback.to_vec()
    } else {
        vec![format!("http://{address}")]
    };
    public.into_iter().chain(bound).collect()
}

/// The exact origins that browsers may come from, for a server with these addresses.
#[must_use]
pub fn origins(settings: &ServerSettings, addresses: &[String]) -> Vec<String> {
    settings.allowed_origins.iter().map(|origin| origin_of(origin)).chain(addresses.iter().cloned()).collect()
}

fn origin_of(url: &str) -> String {
    url::Url::parse(url).map_or_else(|_| url.to_owned(), |url| url.origin().ascii_serialization())
}

/// The address under which browsers reach a server that listens on `address`, without a trailing slash: the one from the
/// settings, else its own. Never taken from a request.
#[must_use]
pub fn base_url(settings: &ServerSettings, address: SocketAddr) -> String {
    if !settings.public_url.is_empty() {
        return settings.public_url.trim_end_matches('/').to_owned();
    }
    let port = address.port();
    if address.ip().is_unspecified() {
        format!("http://127.0.0.1:{port}")
    } else {
        format!("http://{address}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_is_the_public_address_or_the_one_served() {
        let plain = ServerSettings::default();
        let public =
            ServerSettings { public_url: "https://pay.example.org/".to_owned(), ..ServerSettings::default() };
        let base = |settings, address: &str| base_url(settings, address.parse().unwrap());
        assert_eq!(base(&public, "127.0.0.1:8080"), "https://pay.example.org");
        assert_eq!(base(&plain, "127.0.0.1:8080"), "http://127.0.0.1:8080");
        assert_eq!(base(&plain, "0.0.0.0:8080"), "http://127.0.0.1:8080");
        assert_eq!(base(&plain, "[::1]:8080"), "http://[::1]:8080");
    }

    #[test]
    fn origins_are_exact() {
        let settings = ServerSettings {
            public_url: "https://Pay.example.org/".to_owned(),
            allowed_origins: vec!["https://shop.example.org".to_owned()],
            ..ServerSettings::default()
        };
        let addresses = addresses(&settings, "127.0.0.1:8080".parse().unwrap());
        assert_eq!(addresses.first().map(String::as_str), Some("https://pay.example.org"));
        assert!(addresses.contains(&"http://localhost:8080".to_owned()));
        assert_eq!(addresses.len(), 4);
        let origins = origins(&settings, &addresses);
        assert!(origins.contains(&"https://shop.example.org".to_owned()));
        assert_eq!(origins.len(), 5);
    }
}
