//! Where browsers are led, and how the server calls itself: never where or as someone else says. Who may read the metrics.

use std::sync::Arc;

use super::ask;
use crate::support::server::{PASSWORD, Server, Stack, with};

/// What may come back for an address that is not followed.
const HOME: &str = "/";

/// As they stand in a form or, encoded, in a link; and where they lead.
const NEXT: &[(&str, &str)] = &[
    ("/payments?q=a", "/payments?q=a"),
    ("/wallets", "/wallets"),
    ("/payments?q=café", "/payments?q=caf%C3%A9"),
    ("/%09/evil.example", "/%09/evil.example"),
    ("/\t/evil.example", HOME),
    ("/\r/evil.example", HOME),
    ("/\n/evil.example", HOME),
    ("/\u{b}", HOME),
    ("/\u{c}/evil.example", HOME),
    ("/\u{0}/evil.example", HOME),
    ("/\u{7f}", HOME),
    ("/\\evil.example", HOME),
    ("\\/evil.example", HOME),
    ("//evil.example", HOME),
    ("///evil.example", HOME),
    ("/.//evil.example", HOME),
    ("/a/..//evil.example", HOME),
    ("/%2e//evil.example", HOME),
    ("//shop@evil.example", HOME),
    ("https://evil.example/", HOME),
    ("https:evil.example", HOME),
    ("javascript:alert(1)", HOME),
    ("/a\r\nSet-Cookie: stolen=1", HOME),
    ("", HOME),
    ("payments", HOME),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_led_away() {
    let often = |settings: &mut paystorm::config::Settings| settings.accounts.login_attempts = 1_000;
    with(Stack::Embedded, often, led).await;
}

fn location(response: &reqwest::Response) -> String {
    response.headers().get("location").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

async fn led(server: Arc<Server>) {
    let session = server.sign_in("shop@example.org").await;
    let origin = [("origin", server.url.as_str())];
    for (next, to) in NEXT {
        let fields = [("email", "shop@example.org"), ("password", PASSWORD), ("next", next)];
        let response = server.post_form("/sign-in", "", &origin, &fields).await;
        assert_eq!((response.status().as_u16(), location(&response).as_str()), (303, *to), "{next:?}");
        let encoded: String = url::form_urlencoded::byte_serialize(next.as_bytes()).collect();
        for page in ["/sign-in", "/register"] {
            let request = server.http.get(format!("{}{page}?next={encoded}", server.url));
            let response = request.header("cookie", &session).send().await.expect("an answer");
            assert_eq!((response.status().as_u16(), location(&response).as_str()), (303, *to), "{next:?}");
        }
        // Not signed in: the form carries on only what is followed.
        let (status, page) = server.page(&format!("/sign-in?next={encoded}"), "").await;
        assert!(status == 200 && !page.contains("value=\"//"), "{next:?}");
    }
    // Sent to sign in and back, whatever the address was.
    for (address, next) in [
        ("/payments?q=%0d%0aa", "%2Fpayments%3Fq%3D%250d%250aa"),
        ("//evil.example/..//", "%2F%2Fevil.example%2F..%2F%2F"),
    ] {
        let raw = ask(&server, &format!("GET {address}"), &[], b"").await;
        let to = raw.header("location").unwrap_or_default();
        assert!(raw.status == 404 || to == format!("/sign-in?next={next}"), "{address}: {}", raw.head);
    }
    // Back to the page that a form was on.
    let csrf = server.csrf(&session).await;
    for (referer, to) in [
        (format!("{}/payments?q=a", server.url), "/payments?q=a"),
        (format!("{}//evil.example", server.url), "/system"),
        (format!("{}/.//evil.example", server.url), "/system"),
        ("https://evil.example/payments".to_owned(), "/system"),
        ("/\t/evil.example".to_owned(), "/system"),
    ] {
        let headers = [("origin", server.url.as_str()), ("referer", referer.as_str())];
        let response = server.post_form("/system/resume", &session, &headers, &[("csrf", &csrf)]).await;
        assert_eq!((response.status().as_u16(), location(&response).as_str()), (303, to), "{referer:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instructions_name_this_server_whatever_the_host_says() {
    with(
        Stack::Embedded,
        |_| {},
        |server| async move {
            let session = server.sign_in("shop@example.org").await;
            let csrf = server.csrf(&session).await;
        // The page with the sample, once a key was made.
        let page = async |headers: &[&str]| {
            let (form, url) = (format!("csrf={csrf}&name=till"), &server.url);
            let mut request = format!(
                "POST /keys HTTP/1.1\r\nConnection: close\r\nOrigin: {url}\r\nCookie: {session}\r\nContent-Length: {}\r\n",
                form.len()
            );
            headers.iter().for_each(|header| request.push_str(&format!("{header}\r\n")));
            super::answer(&mut super::sent(&server, format!("{request}\r\n{form}").as_bytes()).await).await.text()
        };
        let port = server.address.rsplit_once(':').map_or("", |(_, port)| port);
            for headers in [
                vec!["Host: evil.example".to_owned()],
                vec![format!("Host: {}", server.address), "X-Forwarded-Host: evil.example".to_owned()],
                vec![
                    format!("Host: {}", server.address),
                    "Forwarded: host=evil.example;proto=https".to_owned(),
                ],
                vec!["Host: evil.example:80\"><script>".to_owned()],
            ] {
                let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
                let text = page(&headers).await;
                assert!(!text.contains("evil.example"), "{headers:?}");
                assert!(text.contains(&format!("curl {}/v1/payment_intents", server.url)), "{headers:?}");
            }
            let text = page(&[&format!("Host: localhost:{port}")]).await;
            assert!(text.contains(&format!("curl http://localhost:{port}/v1/payment_intents")));
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_can_be_kept_to_this_machine_and_to_a_token() {
    let kept = |settings: &mut paystorm::config::Settings| {
        settings.telemetry.metrics_for = paystorm::config::MetricsFor::Loopback;
        settings.telemetry.metrics_token = "letmein".into();
    };
    with(Stack::Embedded, kept, |server| async move {
        let read = async |headers: &[&str]| ask(&server, "GET /metrics", headers, b"").await.status;
        let token = "Authorization: Bearer letmein";
        assert_eq!(read(&[token]).await, 200);
        assert_eq!(read(&[]).await, 401);
        assert_eq!(read(&["Authorization: Bearer letmeout"]).await, 401);
        assert_eq!(read(&[token, "X-Forwarded-For: 203.0.113.7"]).await, 403);
    })
    .await;
}
