//! kill -9 in the middle of an upload of payments, which is sent again afterwards: each row pays once.

use std::time::Duration;

use crate::support::binary::{Draw, Kind, Server, counted, eventually, lasting_port, on};
use crate::support::broken_upload::{BOUNDARY, form_with_file};
use crate::support::server::cookie_of;

const ROWS: u64 = 20_000;
/// Accepted at the kill, at least.
const ACCEPTED_MIN: u64 = 1_000;

/// A browser that is signed in.
struct Browser {
    http: reqwest::Client,
    url: String,
    cookie: String,
    csrf: String,
}

impl Browser {
    async fn sign_in(server: &Server) -> Self {
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(120));
        let http = http.build().expect("a client");
        let request = http.post(format!("{}/sign-in", server.url)).header("origin", &server.url);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let body = "email=shop%40example.org&password=a+password+of+some+length";
        let answer = request.body(body).send().await.expect("an answer");
        assert_eq!(answer.status(), 303);
        let cookie = cookie_of(&answer).split(';').next().expect("a cookie").to_owned();
        let mut browser = Self { http, url: server.url.clone(), cookie, csrf: String::new() };
        let home = browser.page("/").await;
        let (_, rest) = home.split_once(r#"name="csrf" value=""#).expect("a form");
        browser.csrf = rest.split('"').next().expect("a token").to_owned();
        browser
    }

    async fn page(&self, path: &str) -> String {
        let request = self.http.get(format!("{}{path}", self.url)).header("cookie", &self.cookie);
        request.send().await.expect("an answer").text().await.expect("text")
    }

    /// Uploads a file; an error if the server went away before it ended.
    async fn upload(&self, file: &str) -> reqwest::Result<reqwest::Response> {
        let request = self.http.post(format!("{}/payments/import", self.url)).header("origin", &self.url);
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        let request = request.header("cookie", &self.cookie).header("content-type", kind);
        request.body(form_with_file(&self.csrf, file)).send().await
    }
}

async fn killed_and_sent_again(kind: Kind) {
    let mut draw = Draw::new("crash-import");
    on(kind, async |stack| {
        let port = lasting_port(&mut draw);
        let mut server = stack.serve_at(port).await;
        stack.api_key().await;
        let browser = Browser::sign_in(&server).await;
        let rows = (0..ROWS).map(|n| format!("row-{n},1.00,eur,pm_card_visa\n"));
        let file = ["key,amount,currency,payment_method\n".to_owned()].into_iter().chain(rows);
        let file: String = file.collect();

        let killing = async {
            let enough = async || server.metric("paystorm_payments_total").await >= ACCEPTED_MIN;
            eventually("rows are accepted", enough).await;
            server.kill();
        };
        // The answer may come before the kill: the file is read behind it.
        let (_, ()) = tokio::join!(browser.upload(&file), killing);
        server = stack.serve_at(port).await;
        let before = payments(&browser).await;
        println!("{kind:?}: killed with {before} of {ROWS} rows accepted");
        assert!((ACCEPTED_MIN..ROWS).contains(&before), "{before} rows were accepted at the kill");

        let answer = browser.upload(&file).await.expect("an answer");
        assert_eq!(answer.status(), 303, "{}", answer.text().await.expect("text"));
        eventually("the import ends", async || {
            browser.page("/payments/import").await.contains("Every row was read")
        })
        .await;
        assert_eq!(payments(&browser).await, ROWS, "each row once");
        let list = browser.page("/payments/import").await.replace(',', "");
        assert!(list.contains(&format!("<td class=\"num\">{before}</td>")), "known from before: {list}");
        let settled =
            async || browser.page("/payments.csv").await.matches(",succeeded,").count() as u64 == ROWS;
        eventually("every payment settles", settled).await;
        server.stop().await;
        let summary = stack.verify(&[], true).await;
        assert_eq!(counted(&summary, "payments"), ROWS, "{summary}");
    })
    .await;
}

/// The payments there are, as the export lists them: one a line.
async fn payments(browser: &Browser) -> u64 {
    browser.page("/payments.csv").await.lines().count() as u64 - 1
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_survives_a_crash_embedded() {
    killed_and_sent_again(Kind::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_survives_a_crash_real() {
    killed_and_sent_again(Kind::Real).await;
}
