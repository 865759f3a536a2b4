//! Section `[server]`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde::{Deserialize, Serialize};
use url::Url;

use crate::setting::{InvalidSetting, SecretUrl, at_least};

/// Section `[server]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerSettings {
    /// `ADDRESS:PORT` to listen on; port 0 takes a free one.
    pub bind: String,
    /// The address people type, if it is not `bind` (behind a proxy); no path.
    pub public_url: String,
    /// Mark cookies `Secure`, and name them so that only this host can set them. Needs TLS in front.
    pub secure_cookies: bool,
    /// Addresses of proxies whose `Forwarded` and `X-Forwarded-For` are believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// Further origins whose pages may open the WebSocket and send forms.
    pub allowed_origins: Vec<String>,
    /// Threads that serve connections; 0 takes one per core.
    pub threads: usize,
    /// Connections that may be open at once.
    pub connections_max: usize,
    /// How long the head of a request may keep the server waiting, from the beginning of the connection or the end of the answer
    /// before it, in milliseconds.
    pub head_wait_ms: u64,
    /// Largest request body, in bytes.
    pub body_max_bytes: usize,
    /// How long the body of a request may keep the server waiting in all, in milliseconds, plus a second for each 32 KiB.
    pub body_wait_ms: u64,
    /// Largest WebSocket frame other than a batch, in bytes.
    pub frame_max_bytes: usize,
    /// Largest `payment.submit_batch` frame, in bytes.
    pub batch_frame_max_bytes: usize,
    /// What may wait for its outcome on all WebSockets together, in bytes.
    pub socket_memory_bytes: usize,
    /// Refuse text that holds a card number.
    pub refuse_card_numbers: bool,
    /// How often the server pings a WebSocket, in milliseconds.
    pub ping_ms: u64,
    /// A WebSocket that was silent for this long is closed, in milliseconds.
    pub silence_ms: u64,
    /// Whether people may run the experiments under "How it works", which make some hundreds of payments a second.
    pub experiments: bool,
    /// How long `/v1` waits for a payment's outcome before it answers `processing`, in milliseconds.
    pub outcome_wait_ms: u64,
    /// How long a stop may take before what is left is dropped (and picked up at the next start), in milliseconds.
    pub shutdown_ms: u64,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            bind: "127.0.0.1:8080".to_owned(),
            public_url: String::new(),
            secure_cookies: false,
            trusted_proxies: Vec::new(),
            allowed_origins: Vec::new(),
            threads: 0,
            connections_max: 10_000,
            head_wait_ms: 10_000,
            body_max_bytes: 1_048_576,
            body_wait_ms: 30_000,
            frame_max_bytes: 16_384,
            batch_frame_max_bytes: 1_048_576,
            socket_memory_bytes: 64 << 20,
            refuse_card_numbers: true,
            ping_ms: 20_000,
            silence_ms: 60_000,
            experiments: true,
            outcome_wait_ms: 10_000,
            shutdown_ms: 10_000,
        }
    }
}

impl ServerSettings {
    /// The first setting that only makes sense with a proxy in front, if any is set: then a peer on loopback may be
    /// anyone.
    #[must_use]
    pub fn sign_of_proxy(&self) -> Option<&'static str> {
        let signs = [
            ("public_url", !self.public_url.is_empty()),
            ("trusted_proxies", !self.trusted_proxies.is_empty()),
            ("allowed_origins", !self.allowed_origins.is_empty()),
            ("secure_cookies", self.secure_cookies),
        ];
        signs.into_iter().find_map(|(key, set)| set.then_some(key))
    }

    /// The socket address to listen on; `None` unless `bind` is an IP address (or `localhost`) and a port.
    #[must_use]
    pub fn bind_address(&self) -> Option<SocketAddr> {
        match self.bind.strip_prefix("localhost:") {
            Some(port) => {
                port.parse().ok().map(|port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port))
            }
            None => self.bind.parse().ok(),
        }
    }

    /// Checks what the types cannot.
    ///
    /// # Errors
    /// The first setting that cannot be used.
    pub fn validate(&self) -> Result<(), InvalidSetting> {
        self.validate_addresses()?;
        at_least("connections_max", self.connections_max, 1)?;
        at_least("head_wait_ms", self.head_wait_ms, 1)?;
        at_least("body_max_bytes", self.body_max_bytes, 1_024)?;
        at_least("body_wait_ms", self.body_wait_ms, 1)?;
        at_least("frame_max_bytes", self.frame_max_bytes, 1_024)?;
        at_least("ping_ms", self.ping_ms, 1)?;
        at_least("silence_ms", self.silence_ms, self.ping_ms)?;
        at_least("batch_frame_max_bytes", self.batch_frame_max_bytes, self.frame_max_bytes)?;
        // Room for the longest message and for what its results take up.
        let longest = self.batch_frame_max_bytes.saturating_add(1 << 20);
        at_least("socket_memory_bytes", self.socket_memory_bytes, longest)
    }

    fn validate_addresses(&self) -> Result<(), InvalidSetting> {
        if self.bind_address().is_none() {
            let problem = format!("expected ADDRESS:PORT such as 127.0.0.1:8080, not {:?}", self.bind);
            return Err(InvalidSetting::new("bind", problem));
        }
        if !self.public_url.is_empty() && !is_origin(&self.public_url) {
            let got = quoted(&self.public_url);
            let problem = format!("expected https://host or http://host, without a path, not {got}");
            return Err(InvalidSetting::new("public_url", problem));
        }
        if self.secure_cookies && self.public_url.starts_with("http://") {
            let problem = "browsers drop secure cookies on the http:// of server.public_url";
            return Err(InvalidSetting::new("secure_cookies", problem));
        }
        if let Some(origin) = self.allowed_origins.iter().find(|origin| !is_origin(origin)) {
            let problem = format!("expected origins such as https://shop.example, not {}", quoted(origin));
            return Err(InvalidSetting::new("allowed_origins", problem));
        }
        Ok(())
    }
}

/// Whether this is `scheme://host[:port]` and nothing more.
fn is_origin(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.origin().ascii_serialization() == text.trim_end_matches('/').to_ascii_lowercase()
    })
}

/// An address in quotes for an error: one with an `@` may hold a password.
fn quoted(address: &str) -> String {
    if address.contains('@') { format!("{:?}", SecretUrl::from(address)) } else { format!("{address:?}") }
}
