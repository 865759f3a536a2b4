//! The page of the scenario: examples, checks, what is put in force, the list of revisions, and what strangers get.

use std::sync::Arc;

use serde_json::Value;

use crate::support::server::{Server, on_both_stacks};

on_both_stacks!(
    an_example_fills_the_editor,
    a_file_with_mistakes_is_shown_again_with_them,
    what_is_put_in_force_answers_the_next_payment,
    a_preview_says_what_a_file_would_do,
    a_file_comes_back_as_it_was_put_in_force,
    revisions_are_compared_and_put_in_force_again,
    the_list_of_revisions_has_pages,
    strangers_see_and_change_nothing,
);

const BY_AMOUNT: &str =
    "name = \"By amount\"\n[[rule]]\nmatch = { amount_minor = 1051 }\ndecline = \"insufficient_funds\"\n";
const WRONG: &str = "name = \"A day\"\nseed = -1\n";

/// shop@example.org in a browser.
struct Shop {
    server: Arc<Server>,
    session: String,
    csrf: String,
}

impl Shop {
    async fn signed_in(server: Arc<Server>) -> Self {
        let session = server.sign_in("shop@example.org").await;
        let csrf = server.csrf(&session).await;
        Self { server, session, csrf }
    }

    async fn page(&self, path: &str) -> String {
        let (status, page) = self.server.page(path, &self.session).await;
        assert_eq!(status, 200, "{path}: {page}");
        page
    }

    /// Posts a form; the status and where it leads, or the answer.
    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> (u16, String) {
        let fields = [&[("csrf", self.csrf.as_str())], fields].concat();
        let headers = [("origin", self.server.url.as_str())];
        let response = self.server.post_form(path, &self.session, &headers, &fields).await;
        let to = response.headers().get("location").and_then(|to| to.to_str().ok()).map(str::to_owned);
        let status = response.status().as_u16();
        let text = response.text().await.expect("text");
        (status, to.unwrap_or(text))
    }

    /// Puts a file in force as the revision with this number.
    async fn put(&self, text: &str, number: u32) {
        let led = self.post("/scenario", &[("file", text), ("do", "put")]).await;
        assert_eq!(led, (303, format!("/scenario?put={number}")));
    }

    /// The outcome of a charge: its decline code, or its status.
    async fn pay(&self, amount: u32) -> String {
        let form = format!("currency=eur&payment_method=pm_card_visa&confirm=true&amount={amount}");
        let (_, body) = self.server.post("/v1/payment_intents", &form).await;
        let code = body["error"]["decline_code"].as_str().or(body["status"].as_str());
        code.unwrap_or_else(|| panic!("{body}")).to_owned()
    }
}

async fn an_example_fills_the_editor(server: Arc<Server>) {
    let shop = Shop::signed_in(server).await;
    let page = shop.page("/scenario").await;
    assert!(page.contains("No scenario has been put in force yet.") && page.contains("No revisions yet."));
    let page = shop.page("/scenario?example=slow-acquirer").await;
    let (_, editor) = page.split_once("<textarea").expect("an editor");
    assert!(editor.contains("[[acquirer]]") && page.contains("<option value=\"slow-acquirer\" selected>"));
    assert!(page.contains("No mistakes: 2 acquirers") && page.contains("Latency by acquirer"), "{page}");
    // What is not there leaves the editor as it was.
    assert!(!shop.page("/scenario?example=unheard-of&revision=7").await.contains("[[acquirer]]"));
}

async fn a_file_with_mistakes_is_shown_again_with_them(server: Arc<Server>) {
    let shop = Shop::signed_in(server).await;
    let (status, page) = shop.post("/scenario", &[("file", WRONG), ("do", "check")]).await;
    assert_eq!(status, 200, "{page}");
    for expected in ["1 mistake", "Line 2, column 8", "<code>seed</code>", "seed = -1"] {
        assert!(page.contains(expected), "{expected}: {page}");
    }
    let (status, page) = shop.post("/scenario", &[("file", WRONG), ("do", "put")]).await;
    assert_eq!(status, 400, "{page}");
    assert!(
        page.contains("Not put in force") && page.contains("Line 2, column 8") && page.contains("seed = -1")
    );
    let card = "name = \"x\"\n# asked with 4242 4242 4242 4242\n[[acquirer]]\nname = \"a\"\n";
    let (status, page) = shop.post("/scenario", &[("file", card), ("do", "put")]).await;
    assert_eq!(status, 400, "{page}");
    assert!(page.contains("Line 2 holds a card number"), "{page}");
    assert!(shop.page("/scenario").await.contains("No revisions yet."));
}

async fn what_is_put_in_force_answers_the_next_payment(server: Arc<Server>) {
    let shop = Shop::signed_in(server).await;
    assert_eq!(shop.pay(1051).await, "succeeded");
    shop.put(BY_AMOUNT, 1).await;
    assert_eq!([shop.pay(1051).await, shop.pay(1052).await], ["insufficient_funds", "succeeded"]);
    let page = shop.page("/scenario?put=1").await;
    assert!(page.contains("Revision 1, By amount, is in force"), "{page}");
    assert!(page.contains("<strong>By amount</strong>") && page.contains("amount_minor = 1051"));
    // Only what is true is said.
    assert!(!shop.page("/scenario?put=2").await.contains("is in force for everything"));
    assert_eq!(shop.post("/scenario", &[("do", "clear")]).await, (303, "/scenario?put=2".to_owned()));
    assert_eq!(shop.pay(1051).await, "succeeded");
    assert!(shop.page("/scenario?put=2").await.contains("settings are in force again (revision 2)"));
    let page = shop.page("/scenario/revisions/2").await;
    assert!(page.contains("Back to the settings") && page.contains("has no file"), "{page}");
    assert_eq!(shop.server.page("/scenario/revisions/2.toml", &shop.session).await.0, 404);
}

async fn a_preview_says_what_a_file_would_do(server: Arc<Server>) {
    let shop = Shop::signed_in(server).await;
    let preview = async |text: &str| {
        let (status, answer) = shop.post("/scenario/preview", &[("file", text)]).await;
        assert_eq!(status, 200, "{answer}");
        serde_json::from_str::<Value>(&answer).expect("JSON")
    };
    let text = "name = \"x\"\n[[acquirer]]\nname = \"north <b>\"\nlatency = { uniform_ms = [100, 200] }\n\
                outcomes = [{ share = 0.25, decline = \"lost_card\" }]\n";
    let drawn = preview(text).await;
    let html = drawn["html"].as_str().expect("HTML");
    assert_eq!((&drawn["valid"], &drawn["mistakes"]), (&Value::Bool(true), &Value::Array(Vec::new())));
    for expected in
        ["No mistakes: 1 acquirer, 0 rules", "Declined: card reported lost", "Approved", "p99", "<svg"]
    {
        assert!(html.contains(expected), "{expected}: {html}");
    }
    assert!(!html.contains("<b>"), "{html}");
    let wrong = preview(WRONG).await;
    let mistake = &wrong["mistakes"][0];
    assert_eq!((mistake["line"].as_u64(), mistake["column"].as_u64()), (Some(2), Some(8)), "{wrong}");
    assert_eq!((mistake["field"].as_str(), &wrong["valid"]), (Some("seed"), &Value::Bool(false)));
    let html = wrong["html"].as_str().expect("HTML");
    assert!(html.contains("data-line=\"2\" data-column=\"8\""), "{html}");
    let long = format!("name = \"x\"\n# {}\n", "x".repeat(256 * 1_024));
    assert!(preview(&long).await["mistakes"][0]["message"].as_str().expect("words").contains("256 KiB"));
    assert_eq!(preview("  ").await["valid"], Value::Bool(false));
    assert!(shop.page("/scenario").await.contains("No revisions yet."));
}

async fn a_file_comes_back_as_it_was_put_in_force(server: Arc<Server>) {
    let shop = Shop::signed_in(server).await;
    let text = "\nname = \"Größe & <cake>, v2\"\n\n[[acquirer]]\n\tname = \"a\"\n";
    // As browsers send it.
    shop.put(&text.replace('\n', "\r\n"), 1).await;
    let export = async |number: u32| {
        let url = format!("{}/scenario/revisions/{number}.toml", shop.server.url);
        let response = shop.server.http.get(url).header("cookie", &shop.session).send().await;
        let response = response.expect("an answer");
        assert_eq!(response.status(), 200);
        let name = response.headers()["content-disposition"].to_str().expect("a name").to_owned();
        (name, response.text().await.expect("text"))
    };
    let (name, file) = export(1).await;
    assert_eq!((name.as_str(), file.as_str()), ("attachment; filename=\"gr-e-cake-v2.toml\"", text));
    shop.put(&file, 2).await;
    assert_eq!(export(2).await.1, text);
    assert!(shop.page("/scenario/revisions/2/changes").await.contains("The same text."));
    // A text area drops the first line end after its tag, and nothing else.
    let page = shop.page("/scenario").await;
    assert!(page.contains(">\n\nname = "), "{page}");
}

async fn revisions_are_compared_and_put_in_force_again(server: Arc<Server>) {
    let shop = Shop::signed_in(server).await;
    shop.put(BY_AMOUNT, 1).await;
    shop.put(&BY_AMOUNT.replace("1051", "1052"), 2).await;
    let page = shop.page("/scenario/revisions/2/changes").await;
    assert!(page.contains("1 line added, 1 line removed."), "{page}");
    let line = |class: &str| page.split_once(&format!("<li class=\"{class}\">")).expect("a line").1;
    assert!(line("removed").split("</li>").next().is_some_and(|line| line.contains("1051")));
    assert!(line("added").split("</li>").next().is_some_and(|line| line.contains("1052")));
    assert!(shop.page("/scenario/revisions/1/changes").await.contains("4 lines added, 0 lines removed."));
    assert!(shop.page("/scenario?revision=1").await.contains("amount_minor = 1051"));
    let page = shop.page("/scenario/revisions/1").await;
    assert!(page.contains("Put in force again") && page.contains("has been replaced since"), "{page}");
    assert_eq!(shop.post("/scenario/revisions/1", &[]).await, (303, "/scenario?put=3".to_owned()));
    assert_eq!([shop.pay(1051).await, shop.pay(1052).await], ["insufficient_funds", "succeeded"]);
}

async fn the_list_of_revisions_has_pages(server: Arc<Server>) {
    let shop = Shop::signed_in(server).await;
    for number in 1..=12 {
        shop.put(&BY_AMOUNT.replace("By amount", &format!("Number {number}.")), number).await;
    }
    let listed = |page: &str| {
        let (_, list) = page.split_once("id=\"revisions\"").expect("a list");
        (1..=12_u32).filter(|number| list.contains(&format!("Number {number}."))).collect::<Vec<_>>()
    };
    let page = shop.page("/scenario").await;
    assert_eq!(listed(&page), (3..=12).collect::<Vec<_>>());
    assert!(page.contains("/scenario?before=3#revisions"), "{page}");
    let page = shop.page("/scenario?before=3").await;
    assert_eq!(listed(&page), [1, 2]);
    assert!(!page.contains(">Older<") && page.contains(">Newest<"));
}

async fn strangers_see_and_change_nothing(server: Arc<Server>) {
    let shop = Shop::signed_in(Arc::clone(&server)).await;
    shop.put(BY_AMOUNT, 1).await;
    let eve = server.sign_in("eve@example.org").await;
    let csrf = server.csrf(&eve).await;
    let headers = [("origin", server.url.as_str())];
    for path in ["/scenario/revisions/1", "/scenario/revisions/1.toml", "/scenario/revisions/1/changes"] {
        assert_eq!(server.page(path, &eve).await.0, 404, "{path}");
    }
    let again = server.post_form("/scenario/revisions/1", &eve, &headers, &[("csrf", &csrf)]).await;
    assert_eq!(again.status(), 404);
    assert!(!server.page("/scenario?revision=1", &eve).await.1.contains("1051"));
    for wrong in ["0", "x", "4294967296", "2"] {
        let path = format!("/scenario/revisions/{wrong}");
        assert_eq!(server.page(&path, &shop.session).await.0, 404, "{path}");
    }
    let text = BY_AMOUNT.replace("1051", "1052");
    for path in ["/scenario", "/scenario/preview", "/scenario/revisions/1"] {
        for csrf in ["", "old"] {
            let fields = [("csrf", csrf), ("file", text.as_str()), ("do", "put")];
            let response = server.post_form(path, &shop.session, &headers, &fields).await;
            assert_eq!(response.status(), 403, "{path}");
        }
        let nobody = server.post_form(path, "", &headers, &[("file", text.as_str()), ("do", "put")]).await;
        assert!(matches!(nobody.status().as_u16(), 303 | 401), "{path}: {}", nobody.status());
    }
    assert_eq!([shop.pay(1051).await, shop.pay(1052).await], ["insufficient_funds", "succeeded"]);
}
