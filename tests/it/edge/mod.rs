//! The edge of the server as hostile clients meet it: bytes by hand, below what any client library would send.
//!
//! - `methods`: every path with every method.
//! - `bodies`: what never ends, comes slowly or is packed. - `slow`: heads that never end.
//! - `words`, `unicode`: text that is none, and text that looks the same. - `repeated`: what answers repeat of what was sent.
//! - `leading`: where browsers are led and how the server calls itself.
//! - `leaving`: clients that close one side, or both without a word.
//! - `frames`, `announced`: WebSockets that break the protocol, and lengths beyond every bound.

mod announced;
mod bodies;
mod frames;
mod leading;
mod leaving;
mod methods;
mod repeated;
mod slow;
mod unicode;
mod words;

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::server::Server;

/// Nothing here may take longer; a guard against hanging, not a measure.
const GUARD: Duration = Duration::from_secs(60);

/// An answer as it came.
struct Raw {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Raw {
    fn header(&self, name: &str) -> Option<&str> {
        let found = self.head.lines().filter_map(|line| line.split_once(": "));
        found.into_iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Sends bytes and returns the connection.
async fn sent(server: &Server, bytes: &[u8]) -> TcpStream {
    let mut line = TcpStream::connect(&server.address).await.expect("connected");
    line.write_all(bytes).await.expect("sent");
    line
}

/// Reads an answer up to the end of the connection.
async fn answer(line: &mut TcpStream) -> Raw {
    let mut bytes = Vec::new();
    // A reset after the answer is as good an end as any.
    let _ = timeout(GUARD, line.read_to_end(&mut bytes)).await.expect("an end in time");
    let at = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("an answer's head");
    let head = String::from_utf8_lossy(&bytes[..at]).into_owned();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Raw { status, head, body: bytes[at + 4..].to_vec() }
}

/// A request by hand, with nothing but these header lines, and its answer.
async fn ask(server: &Server, line: &str, headers: &[&str], body: &[u8]) -> Raw {
    let mut request = format!("{line} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", server.address);
    for header in headers {
        request.push_str(header);
        request.push_str("\r\n");
    }
    let mut bytes = format!("{request}\r\n").into_bytes();
    bytes.extend_from_slice(body);
    answer(&mut sent(server, &bytes).await).await
}
