//! The page of one's own account: password, sessions, closing it; and throw-away accounts made by programs.

use std::sync::Arc;

use serde_json::json;

use crate::support::server::{PASSWORD, Server, cookie_of, on_both_stacks};
use crate::support::socket::Socket;

on_both_stacks!(
    another_password_ends_other_sessions,
    sessions_are_listed_and_ended_by_their_owner,
    a_closed_account_is_nobodys,
    throw_away_accounts_are_made_and_thrown_away,
    error_pages_keep_the_navigation,
);

const NEW: &str = "another password of some length";

/// Posts a form of a signed-in page; the status and where it leads, or the page.
async fn post(server: &Server, session: &str, path: &str, fields: &[(&str, &str)]) -> (u16, String) {
    let csrf = server.csrf(session).await;
    let fields = [&[("csrf", csrf.as_str())], fields].concat();
    let response = server.post_form(path, session, &[("origin", &server.url)], &fields).await;
    let to = response.headers().get("location").and_then(|to| to.to_str().ok()).map(str::to_owned);
    let status = response.status().as_u16();
    let text = response.text().await.expect("text");
    (status, to.unwrap_or(text))
}

async fn another_password_ends_other_sessions(server: Arc<Server>) {
    let (mine, other) = (server.sign_in("shop@example.org").await, server.sign_in("shop@example.org").await);
    let change = async |current: &str, new: &str| {
        post(&server, &mine, "/account/password", &[("current_password", current), ("password", new)]).await
    };
    let (status, page) = change("not the password", NEW).await;
    assert!(status == 400 && page.contains("This is not your password."), "{status} {page}");
    let (status, page) = change(PASSWORD, "short").await;
    assert!(status == 400 && page.contains("A password needs 12 to 128 characters."), "{status} {page}");
    assert_eq!(server.page("/", &other).await.0, 200, "nothing has changed yet");
    assert_eq!(change(PASSWORD, NEW).await, (303, "/account?done=password".to_owned()));
    assert_eq!((server.page("/", &mine).await.0, server.page("/", &other).await.0), (200, 303));
    for (password, status) in [(PASSWORD, 401), (NEW, 303)] {
        let fields = [("email", "shop@example.org"), ("password", password)];
        let response = server.post_form("/sign-in", "", &[("origin", &server.url)], &fields).await;
        assert_eq!(response.status(), status);
    }
    // Guessing the password of someone who left a browser open is slow.
    let mut statuses = Vec::new();
    for _ in 0..8 {
        statuses.push(change("a guess, and not a good one", NEW).await.0);
    }
    assert!(statuses.contains(&429), "{statuses:?}");
}

async fn sessions_are_listed_and_ended_by_their_owner(server: Arc<Server>) {
    let mine = server.sign_in("shop@example.org").await;
    let (second, third) =
        (server.sign_in("shop@example.org").await, server.sign_in("shop@example.org").await);
    let eve = server.sign_in("eve@example.org").await;
    let ids = async |session: &str| {
        let (status, page) = server.page("/account", session).await;
        assert!(status == 200 && page.contains("this one"), "{page}");
        let parts = page.split(r#"name="id" value=""#).skip(1);
        parts.filter_map(|part| part.split('"').next()).map(str::to_owned).collect::<Vec<_>>()
    };
    let others = ids(&mine).await;
    assert_eq!(others.len(), 2);
    // Not by anyone else.
    assert_eq!(post(&server, &eve, "/account/sessions/end", &[("id", &others[0])]).await.0, 404);
    assert_eq!(ids(&mine).await, others);
    assert_eq!(post(&server, &mine, "/account/sessions/end", &[("id", "nonsense")]).await.0, 404);
    let ended = post(&server, &mine, "/account/sessions/end", &[("id", &others[0])]).await;
    assert_eq!(ended, (303, "/account?done=session".to_owned()));
    let alive = [server.page("/", &second).await.0, server.page("/", &third).await.0];
    assert!(alive.contains(&200) && alive.contains(&303), "{alive:?}");
    assert_eq!(post(&server, &mine, "/account/sessions/end", &[]).await.0, 303);
    assert_eq!((server.page("/", &second).await.0, server.page("/", &third).await.0), (303, 303));
    assert_eq!((server.page("/", &mine).await.0, server.page("/", &eve).await.0), (200, 200));
}

async fn transfer(server: &Server, destination: &str) -> (u16, String) {
    let form = format!("amount=100&currency=eur&destination={destination}");
    let answer = server.send_as(&server.other_key, "POST", "/v1/transfers", &form, &[]).await;
    (answer.status, answer.text("/error/param").to_owned())
}

async fn a_closed_account_is_nobodys(server: Arc<Server>) {
    let id = server.get("/v1/account").await.1["id"].as_str().expect("an id").to_owned();
    let session = server.sign_in("shop@example.org").await;
    let topup = server
        .send_as(&server.other_key, "POST", "/v1/topups", "amount=1000&currency=eur&source=tok_visa", &[])
        .await;
    assert_eq!(topup.status, 200, "{topup:?}");
    for name in [&id, "shop@example.org"] {
        assert_eq!(transfer(&server, name).await.0, 200, "{name}");
    }
    let child =
        server.send("POST", "/v1/test_helpers/accounts", "", &[]).await.text("/secret_key").to_owned();
    let mut socket = Socket::open(&server.url, &server.key).await;
    socket.ask(json!({"type": "ping", "id": 1})).await;

    let (status, page) =
        post(&server, &session, "/account/close", &[("current_password", "a wrong one")]).await;
    assert!(status == 400 && page.contains("This is not your password."), "{status} {page}");
    assert_eq!(server.get("/v1/account").await.0, 200, "nothing has changed yet");
    let closed = post(&server, &session, "/account/close", &[("current_password", PASSWORD)]).await;
    assert_eq!(closed, (303, "/sign-in?closed=yes".to_owned()));

    assert_eq!(server.page("/", &session).await.0, 303);
    let fields = [("email", "shop@example.org"), ("password", PASSWORD)];
    let origin = [("origin", server.url.as_str())];
    assert_eq!(server.post_form("/sign-in", "", &origin, &fields).await.status(), 401);
    for key in [&server.key, &child] {
        assert_eq!(server.send_as(key, "GET", "/v1/account", "", &[]).await.status, 401);
    }
    assert_eq!(socket.closed().await.map(|why| u16::from(why.code)), Some(1008));
    for name in [&id, "shop@example.org"] {
        assert_eq!(transfer(&server, name).await, (400, "destination".to_owned()), "{name}");
    }
    // Who paid it still reads its name.
    let eve = server.sign_in("eve@example.org").await;
    let (_, home) = server.page("/", &eve).await;
    assert!(home.contains(r#"<span class="to">shop</span>"#), "{home}");

    // The address is free, and anyone who takes it begins with nothing.
    let fields = [fields[0], fields[1], ("name", "New shop")];
    let again = server.post_form("/register", "", &origin, &fields).await;
    assert_eq!(again.status(), 303);
    let session = cookie_of(&again).split(';').next().unwrap_or_default().to_owned();
    let (status, home) = server.page("/", &session).await;
    assert!(status == 200 && home.contains("No payments yet"), "{home}");
    assert_eq!(transfer(&server, "shop@example.org").await.0, 200);
}

async fn throw_away_accounts_are_made_and_thrown_away(server: Arc<Server>) {
    let made = server.send("POST", "/v1/test_helpers/accounts", "name=Till", &[]).await;
    let (id, key) = (made.text("/id").to_owned(), made.text("/secret_key").to_owned());
    assert_eq!(server.send_as(&key, "GET", "/v1/account", "", &[]).await.text("/display_name"), "Till");
    assert_eq!((made.text("/country"), made.text("/default_currency")), ("IE", "eur"));
    let home = "name=Boutique&country=FR&default_currency=chf";
    let abroad = server.send("POST", "/v1/test_helpers/accounts", home, &[]).await;
    let shown = server.send_as(abroad.text("/secret_key"), "GET", "/v1/account", "", &[]).await;
    assert_eq!((shown.text("/country"), shown.text("/default_currency")), ("FR", "chf"));
    let path = format!("/v1/test_helpers/accounts/{}", abroad.text("/id"));
    assert_eq!(server.send("DELETE", &path, "", &[]).await.status, 200);
    let as_it = [("stripe-account", id.as_str())];
    let charge = "amount=1250&currency=eur&payment_method=pm_card_visa&confirm=true";
    assert_eq!(server.send("POST", "/v1/payment_intents", charge, &as_it).await.status, 200);
    let topup = server
        .send_as(&server.other_key, "POST", "/v1/topups", "amount=1000&currency=eur&source=tok_visa", &[])
        .await;
    assert_eq!((topup.status, transfer(&server, &id).await.0), (200, 200));
    let path = format!("/v1/test_helpers/accounts/{id}");
    // Not by anyone else, and not oneself.
    assert_eq!(server.send_as(&server.other_key, "DELETE", &path, "", &[]).await.status, 404);
    assert_eq!(server.send_as(&key, "DELETE", &path, "", &[]).await.status, 404);
    let deleted = server.send("DELETE", &path, "", &[]).await;
    assert_eq!((deleted.status, deleted.body["deleted"].as_bool()), (200, Some(true)));
    assert_eq!(server.send_as(&key, "GET", "/v1/account", "", &[]).await.status, 401);
    assert_eq!(server.send("POST", "/v1/payment_intents", charge, &as_it).await.status, 403);
    assert_eq!(transfer(&server, &id).await, (400, "destination".to_owned()));
    let list = server.get("/v1/test_helpers/accounts").await.1;
    assert_eq!(list["data"].as_array().map(Vec::len), Some(0), "{list}");
    assert_eq!(server.send("DELETE", &path, "", &[]).await.status, 404, "a second time there is none");
}

async fn error_pages_keep_the_navigation(server: Arc<Server>) {
    let session = server.sign_in("shop@example.org").await;
    let nav = r#"aria-label="Pages""#;
    for path in ["/nowhere", "/payments/pi_nope", "/keys/x/y/z"] {
        let (status, page) = server.page(path, &session).await;
        assert!(status == 404 && page.contains(nav) && page.contains("shop"), "{path}: {status} {page}");
    }
    let (status, page) = server.page("/nowhere", "").await;
    assert!(status == 404 && !page.contains(nav), "{page}");
    let forbidden = server.post_form("/keys", &session, &[("origin", &server.url)], &[("csrf", "old")]).await;
    let status = forbidden.status().as_u16();
    let headers = forbidden.headers().clone();
    let page = forbidden.text().await.expect("text");
    assert!(status == 403 && page.contains(nav), "{page}");
    assert!(headers.contains_key("content-security-policy") && headers["cache-control"] == "no-store");
}
