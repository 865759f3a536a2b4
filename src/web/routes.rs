//! Every route in one place.

use actix_web::web::{self, ServiceConfig};

use super::{api, health, pages, ws};

/// Adds all routes. The application wraps [`super::security::edge`] around them and provides `web::Data<WebState>`.
pub fn configure(config: &mut ServiceConfig) {
    config
        .route("/healthz", web::get().to(health::healthz))
        .route("/readyz", web::get().to(health::readyz))
        .route("/metrics", web::get().to(health::metrics))
        .route("/ws", web::get().to(ws::open))
        .configure(api::configure)
        // Last, since it brings the fallback for unknown paths.
        .configure(pages::configure);
}
