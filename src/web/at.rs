//! A path and the methods that it takes. The API and the pages answer other methods with 405 and the list of those it
//! takes. `HEAD` is handled like `GET` ([`super::edge`]).

use actix_web::dev::{AppService, HttpServiceFactory};
use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse, Resource, Responder, web};

use super::edge;
use super::error::{ApiError, Methods};
use super::security::ApiCaller;

/// A path with its handlers by method.
pub struct At {
    resource: Resource,
    methods: Methods,
}

/// A path with this actix pattern and no handlers yet.
#[must_use]
pub fn at(pattern: &str) -> At {
    At { resource: web::resource(pattern), methods: Methods::default() }
}

impl At {
    /// Answers `GET`, and with it `HEAD`.
    #[must_use]
    pub fn get<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        let methods = Methods { get: true, ..self.methods };
        Self { resource: self.resource.route(web::get().to(handler)), methods }
    }

    /// Answers `POST`.
    #[must_use]
    pub fn post<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        let methods = Methods { post: true, ..self.methods };
        Self { resource: self.resource.route(web::post().to(handler)), methods }
    }

    /// Answers `DELETE`.
    #[must_use]
    pub fn delete<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        let methods = Methods { delete: true, ..self.methods };
        Self { resource: self.resource.route(web::delete().to(handler)), methods }
    }
}

impl HttpServiceFactory for At {
    fn register(self, config: &mut AppService) {
        let methods = self.methods;
        let refuse = move |request: HttpRequest, _: Option<ApiCaller>| {
            std::future::ready(wrong_method(&request, methods))
        };
        self.resource.default_service(web::to(refuse)).register(config);
    }
}

/// Anyone is answered; the route extracts the caller so that the request log knows whose call it was.
fn wrong_method(request: &HttpRequest, methods: Methods) -> Result<HttpResponse, actix_web::Error> {
    let method = edge::method_shown(request);
    let mut error = ApiError::method_not_allowed(format!("{method} is not offered here, only {methods}."));
    error.allow = Some(methods);
    Err(edge::shaped(request.path(), error))
}
