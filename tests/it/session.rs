//! People with a browser: registering, signing in and out, cookies, and forms that come from elsewhere.

use std::sync::Arc;

use paystorm::config::Settings;

use crate::support::server::{PASSWORD, Server, Stack, cookie_of, on_both_stacks, with};

on_both_stacks!(registers_signs_out_and_in_again, forms_from_elsewhere_are_refused);

const ADA: [(&str, &str); 3] =
    [("email", "ada@example.org"), ("password", PASSWORD), ("name", "Ada Lovelace")];

fn header(response: &reqwest::Response, name: &str) -> String {
    response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

async fn registers_signs_out_and_in_again(server: Arc<Server>) {
    let origin = [("origin", server.url.as_str())];
    let next = [ADA.as_slice(), &[("next", "/wallets")]].concat();
    let response = server.post_form("/register", "", &origin, &next).await;
    assert_eq!((response.status().as_u16(), header(&response, "location").as_str()), (303, "/wallets"));
    let cookie = cookie_of(&response);
    let mut parts = cookie.split("; ");
    let session = parts.next().unwrap_or_default().to_owned();
    assert!(session.starts_with("paystorm_session=") && session.len() > 40, "{cookie}");
    let mut attributes: Vec<&str> = parts.collect();
    attributes.sort_unstable();
    assert_eq!(attributes, ["HttpOnly", "Max-Age=1209600", "Path=/", "SameSite=Lax"]);

    let (status, page) = server.page("/", &session).await;
    assert!(status == 200 && page.contains("Ada Lovelace"), "{page}");
    let taken = server.post_form("/register", "", &origin, &ADA).await;
    let taken = (taken.status().as_u16(), taken.text().await.expect("text"));
    let unknown = [("email", "nobody@example.org"), ("password", PASSWORD)];
    let unknown = server.post_form("/sign-in", "", &origin, &unknown).await;
    let wrong = server.post_form("/sign-in", "", &origin, &[ADA[0], ("password", "another password")]).await;
    // One answer for all three, so that nobody learns who has an account here.
    let words = "Check the e-mail address and the password";
    assert!(taken.0 == 401 && taken.1.contains(words), "{taken:?}");
    for response in [unknown, wrong] {
        assert!(cookie_of(&response).is_empty());
        assert_eq!(response.status(), 401);
        assert!(response.text().await.expect("text").contains(words));
    }
    for (field, value) in [("email", "not an address"), ("password", "short"), ("name", "\u{7}")] {
        let fields: Vec<(&str, &str)> = [("email", "new@example.org"), ADA[1], ADA[2]]
            .iter()
            .map(|(name, own)| (*name, if *name == field { value } else { *own }))
            .collect();
        let response = server.post_form("/register", "", &origin, &fields).await;
        assert_eq!(response.status(), 400, "{field}");
    }

    // Signing out ends the session at the server, not only in the browser.
    let csrf = server.csrf(&session).await;
    let out = server.post_form("/sign-out", &session, &origin, &[("csrf", &csrf)]).await;
    assert_eq!((out.status().as_u16(), header(&out, "location").as_str()), (303, "/sign-in"));
    assert!(cookie_of(&out).starts_with("paystorm_session=; ") && cookie_of(&out).contains("Max-Age=0"));
    for path in ["/", "/payments", "/keys"] {
        assert_eq!(server.page(path, &session).await.0, 303, "{path}");
    }
    let again = server.sign_in("ada@example.org").await;
    assert_ne!(again, session);
    assert_eq!(server.page("/", &again).await.0, 200);
    assert_eq!(server.page("/", "paystorm_session=made-up").await.0, 303);
}

async fn forms_from_elsewhere_are_refused(server: Arc<Server>) {
    let session = server.sign_in("shop@example.org").await;
    let other = server.sign_in("eve@example.org").await;
    let (csrf, foreign) = (server.csrf(&session).await, server.csrf(&other).await);
    let own = server.url.as_str();
    let refused: [(&str, Vec<(&str, &str)>); 7] = [
        (&csrf, vec![("origin", "https://evil.example")]),
        (&csrf, vec![("origin", "null")]),
        (&csrf, vec![("sec-fetch-site", "cross-site")]),
        (&csrf, vec![("sec-fetch-site", "same-site")]),
        ("", vec![("origin", own)]),
        (&foreign, vec![("origin", own)]),
        ("0000", vec![("origin", own), ("sec-fetch-site", "same-origin")]),
    ];
    let fields = |token| {
        [
            ("csrf", token),
            ("kind", "topup"),
            ("amount", "5"),
            ("currency", "eur"),
            ("payment_method", "pm_card_visa"),
            ("idempotency_key", "form-1"),
        ]
    };
    for (token, headers) in &refused {
        for path in ["/payments", "/keys", "/sign-out"] {
            let response = server.post_form(path, &session, headers, &fields(token)).await;
            assert_eq!(response.status(), 403, "{path} {headers:?}");
        }
    }
    for path in ["/sign-in", "/register"] {
        let response = server.post_form(path, "", &[("origin", "https://evil.example")], &ADA).await;
        assert_eq!(response.status(), 403, "{path}");
    }
    assert_eq!(server.get("/v1/topups").await.1["data"].as_array().map(Vec::len), Some(0));
    // Sent twice from our own page, it is done once.
    for _ in 0..2 {
        let headers = [("origin", own), ("sec-fetch-site", "same-origin")];
        let response = server.post_form("/payments", &session, &headers, &fields(&csrf)).await;
        assert_eq!(response.status(), 303);
        assert!(header(&response, "location").starts_with("/payments/tu_"));
    }
    assert_eq!(server.get("/v1/topups").await.1["data"].as_array().map(Vec::len), Some(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_of_accounts_are_applied() {
    let strict = |settings: &mut Settings| {
        settings.server.secure_cookies = true;
        settings.accounts.registration = false;
        settings.accounts.session_hours = 2;
        settings.accounts.login_attempts = 2;
        settings.server.trusted_proxies = vec!["127.0.0.1".parse().expect("an address")];
    };
    with(Stack::Embedded, strict, strictly).await;
}

async fn strictly(server: Arc<Server>) {
    let origin = server.url.as_str();
    let fields = [("email", "shop@example.org"), ("password", PASSWORD)];
    let response = server.post_form("/sign-in", "", &[("origin", origin)], &fields).await;
    let cookie = cookie_of(&response);
    assert!(cookie.starts_with("__Host-paystorm_session="), "{cookie}");
    assert!(
        cookie.contains("; Secure") && cookie.contains("Max-Age=7200") && !cookie.contains("Domain"),
        "{cookie}"
    );
    let session = cookie.split(';').next().unwrap_or_default();
    assert_eq!(server.page("/", session).await.0, 200);
    let plain = session.trim_start_matches("__Host-");
    assert_eq!(server.page("/", plain).await.0, 303, "a name that any subdomain could set is not read");

    assert_eq!(server.page("/register", "").await.0, 403);
    assert_eq!(server.post_form("/register", "", &[("origin", origin)], &ADA).await.status(), 403);
    assert!(!server.page("/sign-in", "").await.1.contains("/register"));

    // Two wrong ones, then none for a while: for this address as the trusted proxy reports it, not for others.
    let guess = async |address: &str| {
        let headers = [("origin", origin), ("x-forwarded-for", address)];
        let wrong = [fields[0], ("password", "a wrong password, certainly")];
        let response = server.post_form("/sign-in", "", &headers, &wrong).await;
        (response.status().as_u16(), response.headers().contains_key("retry-after"))
    };
    assert_eq!(guess("203.0.113.7").await, (401, false));
    // What stands before the last proxy is anyone's to write.
    assert_eq!(guess("198.51.100.1, 203.0.113.7").await, (401, false));
    assert_eq!(guess("198.51.100.2, 203.0.113.7").await, (429, true));
    assert_eq!(guess("203.0.113.8").await, (401, false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_believed_who_is_no_trusted_proxy() {
    let few = |settings: &mut Settings| settings.accounts.login_attempts = 2;
    with(Stack::Embedded, few, |server| async move {
        let mut seen = Vec::new();
        for address in ["203.0.113.1", "203.0.113.2", "203.0.113.3"] {
            let headers = [("origin", server.url.as_str()), ("x-forwarded-for", address)];
            let wrong = [("email", "shop@example.org"), ("password", "a wrong password, certainly")];
            seen.push(server.post_form("/sign-in", "", &headers, &wrong).await.status().as_u16());
        }
        assert_eq!(seen, [401, 401, 429]);
    })
    .await;
}
