//! `/ws`: the protocol of docs/websocket.md.
//!
//! - [`open`]: admits or refuses a socket.
//! - `connection`: one task per socket.
//! - `message`: the messages that clients send.
//! - `submit`: commands from messages.
//! - `waiting`: commands that wait for their commit; [`budget`]: the memory they may take up.
//! - `answer`: the frames that the server sends.
//! - `closing`: the end of sockets.
//! - `transport`: frames over the connection.
//! - `heads`: early checks of frames' heads.

mod answer;
pub mod budget;
mod closing;
mod connection;
mod heads;
mod message;
mod submit;
mod transport;
mod waiting;

use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};

use super::demo;
use super::edge;
use super::error::ApiError;
use super::security::{self, ApiCaller, SignedIn};
use super::state::WebState;
use crate::domain::ids::AccountId;
use crate::setting::Secret;

/// The version of the messages in docs/websocket.md, as the answer to the upgrade names it.
pub const PROTOCOL_VERSION: &str = "2";
/// The header that names it.
const PROTOCOL_HEADER: HeaderName = HeaderName::from_static("paystorm-protocol");
/// The most payments in one batch.
pub const BATCH_PAYMENTS_MAX: usize = 1_000;

/// What admitted a socket, and must remain valid.
#[derive(Debug, Clone)]
enum Proof {
    Session(Secret),
    Key(Secret),
    /// An unknown key from this machine: the demo account, valid as long as the process lives.
    Demo,
}

/// The client at the other end.
#[derive(Debug, Clone)]
struct Peer {
    account: AccountId,
    proof: Proof,
}

impl Peer {
    /// Whether its proof is still valid. A store that does not answer is no reason to close.
    async fn still_allowed(&self, state: &WebState) -> bool {
        match &self.proof {
            Proof::Session(token) => match state.accounts.session(token.expose()).await {
                Ok(session) => session.is_some_and(|session| session.account == self.account),
                Err(_) => true,
            },
            Proof::Demo => true,
            Proof::Key(secret) => security::caller_by_key(state, secret.expose(), false)
                .await
                .map_or_else(|error| error.status != actix_web::http::StatusCode::UNAUTHORIZED, |_| true),
        }
    }
}

/// `GET /ws`
///
/// # Errors
/// 401 or 403 before the upgrade.
pub async fn open(
    state: web::Data<WebState>,
    request: HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, ApiError> {
    if edge::only_head(&request) {
        return Err(transport::no_opening());
    }
    let peer = admit(&state, &request).await?;
    if state.shutdown.is_cancelled() {
        return Err(ApiError::unavailable("The server is stopping."));
    }
    let (mut response, socket, wire) =
        transport::open(&request, body, state.settings.batch_frame_max_bytes).await?;
    response.headers_mut().insert(PROTOCOL_HEADER, HeaderValue::from_static(PROTOCOL_VERSION));
    actix_web::rt::spawn(connection::run(state, peer, socket, wire));
    Ok(response)
}

/// Admits a program by its key, from outside browsers or from our own pages, and a browser by its cookie and an exact origin.
async fn admit(state: &WebState, request: &HttpRequest) -> Result<Peer, ApiError> {
    let origin = request.headers().get(header::ORIGIN);
    if origin.is_some_and(|origin| !security::is_own_origin(state, origin)) {
        return Err(ApiError::forbidden("This origin is not allowed."));
    }
    if let Some(secret) = security::secret_of(request.headers()) {
        let caller: ApiCaller = security::caller_by_key(state, &secret, demo::is_local(request)).await?;
        let proof = if caller.is_demo { Proof::Demo } else { Proof::Key(secret.into()) };
        return Ok(Peer { account: caller.account, proof });
    }
    if origin.is_none() {
        return Err(ApiError::unauthorized("Send an API key, or an Origin and a session cookie."));
    }
    let signed_in = SignedIn::of(state, request).await?;
    match signed_in.zip(security::session_token(state, request)) {
        Some((signed_in, token)) => {
            Ok(Peer { account: signed_in.account, proof: Proof::Session(token.into()) })
        }
        None => Err(ApiError::unauthorized("Sign in first.")),
    }
}
