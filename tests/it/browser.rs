//! A browser without a screen, for the program under test: signs in, reads pages, presses the switch of the workers.

use crate::support::binary::Server;
use crate::support::socket::Socket;

/// A signed-in browser without a screen.
pub struct Browser {
    http: reqwest::Client,
    url: String,
    cookie: String,
}

impl Browser {
    /// Signs in as the user that [`crate::support::binary::Stack::api_key`] makes.
    pub async fn sign_in(server: &Server) -> Self {
        let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build();
        let mut browser =
            Self { http: http.expect("a client"), url: server.url.clone(), cookie: String::new() };
        let fields = [("email", "shop@example.org"), ("password", "a password of some length")];
        let response = browser.post("/sign-in", &fields).await;
        let cookie = response.headers().get("set-cookie").and_then(|value| value.to_str().ok());
        browser.cookie = cookie.and_then(|cookie| cookie.split(';').next()).expect("a cookie").to_owned();
        browser
    }

    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> reqwest::Response {
        let body: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self.http.post(format!("{}{path}", self.url)).header("origin", &self.url);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        request.header("cookie", &self.cookie).body(body).send().await.expect("an answer")
    }

    /// Gets a page.
    pub async fn page(&self, path: &str) -> String {
        let request = self.http.get(format!("{}{path}", self.url)).header("cookie", &self.cookie);
        request.send().await.expect("an answer").text().await.expect("text")
    }

    /// Opens the socket that pages of this session have.
    pub async fn socket(&self) -> Socket {
        Socket::with(&self.url, &[("cookie", &self.cookie), ("origin", &self.url)]).await
    }

    /// Presses the switch of the workers.
    pub async fn turn(&self, path: &str) {
        let page = self.page("/").await;
        let (_, rest) = page.split_once(r#"name="csrf" value=""#).expect("a form");
        let csrf = rest.split('"').next().unwrap_or_default();
        let response = self.post(path, &[("csrf", csrf)]).await;
        assert_eq!(response.status(), 303, "{path}");
    }
}
