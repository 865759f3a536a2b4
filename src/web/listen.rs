//! Listens and serves connections, as the framework itself would, but wraps each in a [`Connection`].

use std::future::ready;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use actix_http::{HttpService, Protocol};
use actix_service::{IntoServiceFactory as _, ServiceFactoryExt as _, map_config};
use actix_web::App;
use actix_web::dev::{AppConfig, Extensions, Server, fn_service};
use actix_web::middleware::from_fn;
use actix_web::rt::net::TcpStream;
use actix_web::web::Data;

use super::connection::Connection;
use super::state::WebState;
use super::{edge, pages, routes};

/// How much of a connection the system may buffer before we read it, in bytes.
const UNREAD_MAX_BYTES: usize = 256 << 10;
/// How long a client may take nothing of what was sent to it.
#[cfg(target_os = "linux")]
const STALLED_MAX: Duration = Duration::from_secs(120);
/// How long a client may take to close its end.
const CLOSED_WITHIN: Duration = Duration::from_secs(1);

/// Serves connections to this listener until it is stopped.
///
/// # Errors
/// The system refuses to listen.
pub fn serve(listener: TcpListener, state: Data<WebState>) -> io::Result<Server> {
    let (settings, address) = (state.settings.clone(), listener.local_addr()?);
    let threads = match settings.threads {
        0 => std::thread::available_parallelism().map_or(2, std::num::NonZeroUsize::get),
        threads => threads,
    };
    let builder = Server::build();
    let stopping = builder.graceful_shutdown_signal();
    let builder = builder
        .workers(threads)
        .max_concurrent_connections(settings.connections_max)
        .shutdown_timeout(settings.shutdown_ms.div_ceil(4_000))
        .disable_signals();
    let connections = move || {
        let stopping = stopping.clone();
        let stopping = move || {
            let stopping = stopping.clone();
            async move { stopping.notified().await }
        };
        let head_within = Duration::from_millis(state.settings.head_wait_ms);
        let app = App::new()
            .app_data(state.clone())
            .wrap(from_fn(pages::error_middleware::with_navigation))
            .wrap(from_fn(edge::edge))
            .configure(routes::configure)
            .into_factory()
            .map_err(|error: actix_web::Error| error.error_response());
        let http = HttpService::build()
            .graceful_shutdown_signal(stopping)
            .client_request_timeout(head_within)
            .client_disconnect_timeout(CLOSED_WITHIN)
            // Some clients close their side once they have sent everything, and still expect an answer. No connection stays
            // in CLOSE_WAIT: every handler ends by itself, and writing to a client that has gone breaks the connection.
            .h1_allow_half_closed(true)
            .local_addr(address)
            .on_connect_ext(|connection: &Connection<TcpStream>, data: &mut Extensions| {
                data.insert(connection.turns().clone());
            })
            .finish(map_config(app, |()| AppConfig::default()));
        fn_service(move |stream: TcpStream| ready(Ok(accepted(stream, head_within)))).and_then(http)
    };
    Ok(builder.listen("web", listener, connections)?.run())
}

type Accepted = (Connection<TcpStream>, Protocol, Option<SocketAddr>);

fn accepted(stream: TcpStream, head_within: Duration) -> Accepted {
    bound(&stream);
    let peer = stream.peer_addr().ok();
    (Connection::new(stream, head_within), Protocol::Http1, peer)
}

/// Limits what the system does for a connection. Otherwise it would buffer megabytes that we have not read, and would keep
/// sending indefinitely to a client that takes nothing, which neither the library nor a handler notices until it writes.
fn bound(stream: &TcpStream) {
    let socket = socket2::SockRef::from(stream);
    let bounded = socket.set_recv_buffer_size(UNREAD_MAX_BYTES);
    #[cfg(target_os = "linux")]
    let bounded = bounded.and_then(|()| socket.set_tcp_user_timeout(Some(STALLED_MAX)));
    if let Err(error) = bounded {
        tracing::debug!(error = %error, "a connection could not be bounded");
    }
}
