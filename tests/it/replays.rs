//! A key answers with what was done under it the first time, also when it could not be done today.

use std::sync::Arc;

use crate::support::server::{PASSWORD, Server, on_both_stacks};

on_both_stacks!(keys_outlive_payees);

async fn keys_outlive_payees(server: Arc<Server>) {
    let topup = "amount=5000&currency=eur&payment_method=pm_card_visa";
    assert_eq!(server.post("/v1/topups", topup).await.0, 200);
    let eve = server.test.store.account_by_email("eve@example.org").await.expect("read").expect("an account");
    let ways = [eve.id.to_string(), "eve@example.org".to_owned()];
    let send = async |key: &str, to: &str, amount: u32| {
        let form = format!("amount={amount}&currency=eur&destination={to}");
        server.send("POST", "/v1/transfers", &form, &[("idempotency-key", key)]).await
    };
    let mut first = Vec::new();
    for (n, way) in ways.iter().enumerate() {
        first.push(send(&format!("send-{n}"), way, 100).await);
        assert_eq!(first[n].status, 200, "{:?}", first[n]);
    }
    let session = server.sign_in("eve@example.org").await;
    let csrf = server.csrf(&session).await;
    let fields = [("current_password", PASSWORD), ("csrf", csrf.as_str())];
    let closed = server.post_form("/account/close", &session, &[("origin", &server.url)], &fields).await;
    assert_eq!(closed.status(), 303);
    for (n, way) in ways.iter().enumerate() {
        let new = send(&format!("new-{n}"), way, 100).await;
        assert_eq!(new.error().2, "resource_missing", "{way}: there is nobody to pay: {new:?}");
        let again = send(&format!("send-{n}"), way, 100).await;
        assert!(again.replayed && again.status == 200, "{way}: {again:?}");
        assert_eq!(again.text("/id"), first[n].text("/id"), "{way}");
        let other = send(&format!("send-{n}"), way, 101).await;
        assert_eq!(other.status, 400, "{way}: {other:?}");
        assert!(other.text("/error/message").contains("same parameters"), "{way}: {other:?}");
    }
}
