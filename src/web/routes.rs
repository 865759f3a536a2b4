//! The routes of the whole server.

use actix_web::web::ServiceConfig;

use super::at::at;
use super::{api, health, pages, ws};

/// Adds all routes. The application wraps [`super::edge::edge`] around them and provides `web::Data<WebState>`.
pub fn configure(config: &mut ServiceConfig) {
    config
        .service(at("/healthz").get(health::healthz))
        .service(at("/readyz").get(health::readyz))
        .service(at("/metrics").get(health::metrics))
        .service(at("/ws").get(ws::open))
        .configure(api::configure)
        // Last, since it brings the fallback for unknown paths.
        .configure(pages::configure);
}
