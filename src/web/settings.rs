//! What the web derives from the server's settings.

use std::net::SocketAddr;

use crate::config::ServerSettings;

/// The exact origins that browsers may come from, for a server that listens on `address`.
#[must_use]
pub fn origins(settings: &ServerSettings, address: SocketAddr) -> Vec<String> {
    let named = settings.allowed_origins.iter().chain(std::iter::once(&settings.public_url));
    let mut origins: Vec<String> = named
        .filter(|origin| !origin.is_empty())
        .map(|origin| {
            url::Url::parse(origin).map_or_else(|_| origin.clone(), |url| url.origin().ascii_serialization())
        })
        .collect();
    let port = address.port();
    if address.ip().is_loopback() || address.ip().is_unspecified() {
        origins
            .extend(["127.0.0.1", "localhost", "[::1]"].iter().map(|host| format!("http://{host}:{port}")));
    } else {
        origins.push(format!("http://{address}"));
    }
    origins
}

/// The address under which browsers reach a server that listens on `address`, without a slash at its end: the one that is
/// set, else its own. Never what a request says of itself.
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
        let settings =
            ServerSettings { public_url: "https://Pay.example.org/".to_owned(), ..ServerSettings::default() };
        let origins = origins(&settings, "127.0.0.1:8080".parse().unwrap());
        assert!(origins.contains(&"https://pay.example.org".to_owned()));
        assert!(origins.contains(&"http://localhost:8080".to_owned()));
        assert_eq!(origins.len(), 4);
    }
}
