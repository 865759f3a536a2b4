//! What looks the same is the same: in search on either stack, for e-mail addresses, and for passwords.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::support::server::{PASSWORD, Server, on_both_stacks};

on_both_stacks!(text_is_found_however_it_is_written, people_are_known_however_they_type);

/// Asks the search until it finds so many, or says how many it found.
async fn found(server: &Server, query: &str, wanted: usize) -> usize {
    let encoded: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
    let mut count = 0;
    for _ in 0..300 {
        let (status, body) = server.get(&format!("/v1/payment_intents/search?query={encoded}")).await;
        // An index that is being built says so.
        count = body["data"].as_array().map_or(0, Vec::len);
        if status == 200 && count == wanted {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    count
}

async fn text_is_found_however_it_is_written(server: Arc<Server>) {
    for (description, place) in [
        ("Flug nach İSTANBUL", "İSTANBUL"),
        ("istanbul again", "i\u{307}stanbul"),
        ("Hauptstraße 7", "Straße"),
        ("HAUPTSTRASSE 7", "STRASSE"),
        ("un café noir", "café"),
        ("UN CAFE\u{301} NOIR", "CAFE\u{301}"),
        ("plain coffee", "plain"),
    ] {
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("amount", "100")
            .append_pair("currency", "eur")
            .append_pair("description", description)
            .append_pair("metadata[plac\u{65}\u{301}]", place)
            .finish();
        let (status, payment) = server.post("/v1/payment_intents", &form).await;
        // What is kept is what was written.
        assert_eq!((status, payment["description"].as_str()), (200, Some(description)));
    }
    assert_eq!(found(&server, "-noone", 7).await, 7);
    for query in [
        "İSTANBUL",
        "istanbul",
        "i\u{307}STANBUL",
        "hauptstraße",
        "HAUPTSTRASSE",
        "hauptstraẞe",
        "café",
        "CAFE\u{301}",
        "\"un café\"",
        "\"UN CAFE\u{301} noir\"",
        "description~\"straße\"",
        "description~\"STRASS\"",
        "description~\"afe\u{301}\"",
        "description:\"un cafe\u{301} NOIR\"",
        "metadata[\"placé\"]:\"strasse\"",
        "metadata[\"place\u{301}\"]:\"STRASSE\"",
        "metadata[\"placé\"]~\"AFÉ\"",
        "metadata[\"placé\"]:\"İstanbul\"",
    ] {
        assert_eq!(found(&server, query, 2).await, 2, "{query}");
    }
    assert_eq!(found(&server, "cafe", 0).await, 0);
}

async fn people_are_known_however_they_type(server: Arc<Server>) {
    let origin = [("origin", server.url.as_str())];
    let enter = async |path: &str, email: &str, password: &str| {
        let fields = [("email", email), ("password", password)];
        server.post_form(path, "", &origin, &fields).await.status().as_u16()
    };
    assert_eq!(enter("/register", "Zoe\u{308}@STRASSE.example", "pa\u{308}sswort im cafe\u{301}").await, 303);
    for (email, password) in
        [("zoë@straße.example", "pässwort im café"), ("ZOË@straße.EXAMPLE", "pa\u{308}sswort\u{a0}im café")]
    {
        assert_eq!(enter("/sign-in", email, password).await, 303, "{email} {password}");
        // There is one of them only.
        assert_eq!(enter("/register", email, PASSWORD).await, 401, "{email}");
    }
    assert_eq!(enter("/sign-in", "zoe@strasse.example", "pässwort im café").await, 401);
    let form = "amount=100&currency=eur&payment_method=pm_card_visa&confirm=true";
    assert_eq!(server.post("/v1/topups", &form.replace("&confirm=true", "")).await.0, 200);
    let form = url::form_urlencoded::Serializer::new("amount=10&currency=eur&".to_owned())
        .append_pair("destination", "ZOË@Straße.example")
        .finish();
    let (status, transfer): (u16, Value) = server.post("/v1/transfers", &form).await;
    assert_eq!(status, 200, "{transfer}");
}
