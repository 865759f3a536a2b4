//! Settings of the web edge.

use serde::{Deserialize, Serialize};

/// Section `[web]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebSettings {
    /// Addresses under which browsers reach this server (`https://pay.example.org`). Those of the address it listens on
    /// are added where that is a loopback address.
    pub public_origins: Vec<String>,
    /// Whether browsers reach it by TLS: cookies are `Secure` then, and HSTS is sent.
    pub tls: bool,
    /// How long `/v1` waits for an outcome before it answers `processing`, in milliseconds.
    pub outcome_wait_ms: u64,
    /// The largest request body, in bytes.
    pub body_bytes_max: usize,
}

impl Default for WebSettings {
    fn default() -> Self {
        Self { public_origins: Vec::new(), tls: false, outcome_wait_ms: 30_000, body_bytes_max: 256 * 1024 }
    }
}

impl WebSettings {
    /// The exact origins that browsers may come from, for a server that listens on `address`.
    #[must_use]
    pub fn origins(&self, address: std::net::SocketAddr) -> Vec<String> {
        let mut origins: Vec<String> = self
            .public_origins
            .iter()
            .map(|origin| origin.trim_end_matches('/').to_ascii_lowercase())
            .collect();
        let port = address.port();
        if address.ip().is_loopback() || address.ip().is_unspecified() {
            let hosts = ["127.0.0.1", "localhost", "[::1]"];
            origins.extend(hosts.iter().map(|host| format!("http://{host}:{port}")));
        } else {
            origins.push(format!("http://{address}"));
        }
        origins
    }
}
