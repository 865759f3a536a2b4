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

#[cfg(test)]
mod tests {
    use super::*;

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
