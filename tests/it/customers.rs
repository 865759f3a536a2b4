//! `/v1/customers` and the pages of customers.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::server::{Answer, Server, on_both_stacks};

on_both_stacks!(
    customers_are_made_changed_and_deleted,
    what_is_wrong_with_a_customer_is_named,
    lists_of_customers_are_paged_and_narrowed,
    answers_are_repeated_byte_for_byte,
    payments_name_their_customers,
    pages_of_customers,
);

async fn send(server: &Server, method: &str, path: &str, form: &str) -> Answer {
    server.send(method, path, form, &[]).await
}

async fn made(server: &Server, form: &str) -> Value {
    let answer = send(server, "POST", "/v1/customers", form).await;
    assert_eq!(answer.status, 200, "{form}: {answer:?}");
    answer.body
}

fn path(customer: &Value) -> String {
    format!("/v1/customers/{}", customer["id"].as_str().expect("an id"))
}

async fn customers_are_made_changed_and_deleted(server: Arc<Server>) {
    let form = "name=Ada+Lovelace&email=ada@example.org&description=first&phone=%2B49+30+123&metadata[order]=42\
                &address[line1]=Unter+den+Linden+1&address[city]=Berlin&address[country]=DE\
                &shipping[name]=Ada&shipping[address][city]=London";
    let ada = made(&server, form).await;
    assert!(ada["id"].as_str().is_some_and(|id| id.starts_with("cus_")), "{ada}");
    let created = ada["created"].as_i64().expect("a time");
    let address = |city: &str| json!({"city": city, "country": null, "line1": null, "line2": null, "postal_code": null, "state": null});
    let mut home = address("Berlin");
    (home["line1"], home["country"]) = (json!("Unter den Linden 1"), json!("DE"));
    let expected = json!({
        "id": ada["id"], "object": "customer", "address": home, "balance": 0, "created": created,
        "currency": null, "default_source": null, "delinquent": false, "description": "first", "discount": null,
        "email": "ada@example.org", "invoice_prefix": null,
        "invoice_settings": {
            "custom_fields": null, "default_payment_method": null, "footer": null, "rendering_options": null
        },
        "livemode": false, "metadata": {"order": "42"}, "name": "Ada Lovelace", "next_invoice_sequence": 1,
        "phone": "+49 30 123", "preferred_locales": [],
        "shipping": {"address": address("London"), "name": "Ada", "phone": null},
        "tax_exempt": "none", "test_clock": null
    });
    assert_eq!(ada, expected);
    assert_eq!(server.get(&path(&ada)).await, (200, expected));
    // A patch changes what it names; empty values unset.
    let patch = r#"{"name":"Ada King","description":"","metadata":{"order":"","colour":"red"},"address":""}"#;
    let (status, changed) = server.post(&path(&ada), patch).await;
    assert_eq!(status, 200, "{changed}");
    assert_eq!(
        (&changed["name"], &changed["description"], &changed["address"]),
        (&json!("Ada King"), &Value::Null, &Value::Null)
    );
    assert_eq!(
        (&changed["metadata"], &changed["email"]),
        (&json!({"colour": "red"}), &json!("ada@example.org"))
    );
    assert_eq!(server.post(&path(&ada), "metadata=").await.1["metadata"], json!({}));
    let deleted = json!({"id": ada["id"], "object": "customer", "deleted": true});
    assert_eq!(send(&server, "DELETE", &path(&ada), "").await.body, deleted);
    assert_eq!(server.get(&path(&ada)).await, (200, deleted));
    for (method, form) in [("POST", "name=x"), ("DELETE", "")] {
        let answer = send(&server, method, &path(&ada), form).await;
        assert_eq!(answer.error(), (404, "invalid_request_error", "resource_missing", "id"), "{method}");
    }
    let empty = made(&server, "").await;
    assert_eq!((&empty["name"], &empty["metadata"]), (&Value::Null, &json!({})));
}

async fn what_is_wrong_with_a_customer_is_named(server: Arc<Server>) {
    let long = format!("name={}", "x".repeat(257));
    let many: String = (0..51).map(|n| format!("metadata[k{n}]=v&")).collect();
    for (form, code, param) in [
        ("email=nobody", "email_invalid", "email"),
        (long.as_str(), "parameter_invalid_string", "name"),
        ("name=a%0Ab", "parameter_invalid_string", "name"),
        ("description=4242424242424242", "card_number_in_text", "description"),
        ("metadata[x]=4242+4242+4242+4242", "card_number_in_text", "metadata[x]"),
        (many.as_str(), "metadata_invalid", "metadata"),
        ("shipping[name]=Ada", "parameter_missing", "shipping[address]"),
        ("shipping[address][city]=Berlin", "parameter_missing", "shipping[name]"),
        ("test_clock=clock_1", "resource_missing", "test_clock"),
        ("test_clock=clock_0000000000000000000000", "resource_missing", "test_clock"),
        ("address=Berlin", "parameter_invalid_string", "address"),
        ("address=Berlin&address[city]=Berlin", "parameter_invalid_string", "address"),
        ("shipping=Berlin", "parameter_invalid_string", "shipping"),
        ("shipping[name]=Ada&shipping[address]=Berlin", "parameter_invalid_string", "shipping[address]"),
        ("tax_exempt=none", "parameter_not_offered", "tax_exempt"),
        ("colour=red", "parameter_unknown", "colour"),
        ("expand[]=default_source", "property_not_expandable", "expand"),
    ] {
        let answer = send(&server, "POST", "/v1/customers", form).await;
        assert_eq!(answer.error(), (400, "invalid_request_error", code, param), "{form}");
    }
    // What cannot be understood unsets nothing.
    let there = made(&server, "address[city]=Berlin&shipping[name]=Ada&shipping[address][city]=Berlin").await;
    for (form, param) in [("address=Potsdam", "address"), ("shipping=Potsdam", "shipping")] {
        let answer = send(&server, "POST", &path(&there), form).await;
        assert_eq!(answer.error(), (400, "invalid_request_error", "parameter_invalid_string", param));
    }
    assert_eq!(server.get(&path(&there)).await.1, there);
    // As many keys as there may be stay as many.
    let full: String = (0..50).map(|n| format!("metadata[k{n}]=v&")).collect();
    let full = made(&server, &full).await;
    let answer = send(&server, "POST", &path(&full), "metadata[more]=1").await;
    assert_eq!(answer.error(), (400, "invalid_request_error", "metadata_invalid", "metadata"));
    assert_eq!(server.post(&path(&full), "metadata[more]=1&metadata[k0]=").await.0, 200);
    for unknown in ["cus_0000000000000000000000", "cus_1", "pi_0000000000000000000000"] {
        let answer = send(&server, "GET", &format!("/v1/customers/{unknown}"), "").await;
        assert_eq!(answer.error(), (404, "invalid_request_error", "resource_missing", "id"), "{unknown}");
    }
}

async fn lists_of_customers_are_paged_and_narrowed(server: Arc<Server>) {
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.insert(0, made(&server, &format!("name=c{n}")).await["id"].as_str().expect("an id").to_owned());
    }
    let page = async |query: &str| {
        let (status, body) = server.get(&format!("/v1/customers?{query}")).await;
        assert_eq!((status, &body["object"], &body["url"]), (200, &json!("list"), &json!("/v1/customers")));
        let found = body["data"].as_array().expect("a list").iter();
        let found: Vec<String> = found.map(|one| one["id"].as_str().expect("an id").to_owned()).collect();
        (found, body["has_more"].as_bool().expect("a boolean"))
    };
    assert_eq!(page("").await, (ids.clone(), false));
    assert_eq!(page("limit=2").await, (ids[..2].to_vec(), true));
    assert_eq!(page(&format!("limit=2&starting_after={}", ids[1])).await, (ids[2..4].to_vec(), true));
    assert_eq!(page(&format!("limit=2&ending_before={}", ids[3])).await, (ids[1..3].to_vec(), true));
    assert_eq!(page("created[lt]=1").await, (Vec::new(), false));
    assert_eq!(page("created[gte]=1").await.0.len(), 5);
    let unknown = send(&server, "GET", "/v1/customers?starting_after=cus_0000000000000000000000", "").await;
    assert_eq!(unknown.error(), (400, "invalid_request_error", "resource_missing", "starting_after"));
}

async fn answers_are_repeated_byte_for_byte(server: Arc<Server>) {
    let raw = async |path: &str, form: &str, key: &str| {
        let request = server.http.post(format!("{}{path}", server.url)).bearer_auth(&server.key);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let answer = request.header("idempotency-key", key).body(form.to_owned()).send().await.expect("sent");
        let replayed = answer.headers().contains_key("idempotent-replayed");
        (answer.status().as_u16(), replayed, answer.bytes().await.expect("a body"))
    };
    let (status, replayed, first) = raw("/v1/customers", "name=Ann&metadata[a]=1", "make").await;
    assert_eq!((status, replayed), (200, false));
    let ann: Value = serde_json::from_slice(&first).expect("JSON");
    let (_, _, renamed) = raw(&path(&ann), "name=Anna", "rename").await;
    assert_eq!(send(&server, "DELETE", &path(&ann), "").await.status, 200);
    // Whatever became of her: the same bytes, and in whatever order the parameters are sent.
    for form in ["name=Ann&metadata[a]=1", "metadata[a]=1&name=Ann"] {
        assert_eq!(raw("/v1/customers", form, "make").await, (200, true, first.clone()), "{form}");
    }
    assert_eq!(raw(&path(&ann), "name=Anna", "rename").await, (200, true, renamed));
    for (path, form) in [("/v1/customers", "name=Bob"), (path(&ann).as_str(), "name=Ann&metadata[a]=1")] {
        let (status, _, body) = raw(path, form, "make").await;
        assert_eq!(status, 400, "{path} {form}: {body:?}");
    }
    let (_, list) = server.get("/v1/customers").await;
    assert_eq!(list["data"], json!([]), "she was made once, and is gone");
}

async fn payments_name_their_customers(server: Arc<Server>) {
    let ann = made(&server, "name=Ann").await;
    let id = ann["id"].as_str().expect("an id");
    let charge = |customer: &str| {
        format!("amount=500&currency=eur&confirm=true&payment_method=pm_card_visa&customer={customer}")
    };
    let paid = send(&server, "POST", "/v1/payment_intents", &charge(id)).await;
    assert_eq!((paid.status, paid.text("/customer")), (200, id), "{paid:?}");
    let shown = format!("/v1/payment_intents/{}?expand[]=latest_charge", paid.text("/id"));
    assert_eq!(server.get(&shown).await.1["latest_charge"]["customer"], ann["id"]);
    for unknown in ["cus_0000000000000000000000", "cus_1"] {
        let answer = send(&server, "POST", "/v1/payment_intents", &charge(unknown)).await;
        assert_eq!(
            answer.error(),
            (400, "invalid_request_error", "resource_missing", "customer"),
            "{unknown}"
        );
    }
    assert_eq!(
        send(&server, "POST", "/v1/payment_intents", &charge("")).await.status,
        400,
        "empty is no customer"
    );
    server.post("/v1/payment_intents", "amount=700&currency=eur").await;
    let (status, list) = server.get(&format!("/v1/payment_intents?customer={id}")).await;
    let ids: Vec<&Value> = list["data"].as_array().expect("a list").iter().map(|one| &one["id"]).collect();
    assert_eq!((status, ids), (200, vec![&paid.body["id"]]), "{list}");
    let unknown = send(&server, "GET", "/v1/payment_intents?customer=cus_0000000000000000000000", "").await;
    assert_eq!(unknown.error(), (400, "invalid_request_error", "resource_missing", "customer"));
    send(&server, "DELETE", &path(&ann), "").await;
    let answer = send(&server, "POST", "/v1/payment_intents", &charge(id)).await;
    assert_eq!(answer.error().2, "resource_missing", "a deleted one is charged no more");
    assert_eq!(
        server.get(&shown).await.1["customer"],
        ann["id"],
        "and the payments still say whose they were"
    );
}

async fn pages_of_customers(server: Arc<Server>) {
    let session = server.sign_in("shop@example.org").await;
    let csrf = server.csrf(&session).await;
    let post = async |path: &str, fields: &[(&str, &str)]| {
        let fields: Vec<_> = fields.iter().copied().chain([("csrf", csrf.as_str())]).collect();
        server.post_form(path, &session, &[("origin", &server.url)], &fields).await
    };
    assert!(server.page("/customers", &session).await.1.contains("No customers yet"));
    let fields =
        [("name", "Ada <b>"), ("email", "ada@example.org"), ("city", "Berlin"), ("idempotency_key", "once")];
    let mut places = Vec::new();
    // Twice, as with a double click.
    for _ in 0..2 {
        let answer = post("/customers", &fields).await;
        assert_eq!(answer.status(), 303);
        places.push(answer.headers()["location"].to_str().expect("text").to_owned());
    }
    assert_eq!(places[0], places[1]);
    // Someone who goes back and writes something else is not led to what was written before.
    let other = [("name", "Eve"), ("idempotency_key", "once")];
    let again = post("/customers", &other).await;
    assert_eq!(again.status(), 400);
    let page = again.text().await.expect("text");
    assert!(page.contains("already been sent") && page.contains(r#"value="Eve""#), "{page}");
    assert!(!page.contains(r#"value="once""#), "with a key of its own");
    let (status, page) = server.page(&places[0], &session).await;
    assert!(status == 200 && page.contains("Ada &#60;b&#62;") && page.contains("Berlin"), "{page}");
    let id = places[0].strip_prefix("/customers/").expect("the place of a customer");
    let charge = format!("amount=1234&currency=eur&confirm=true&payment_method=pm_card_visa&customer={id}");
    assert_eq!(server.post("/v1/payment_intents", &charge).await.0, 200);
    assert!(server.page(&places[0], &session).await.1.contains("€12.34"));
    let wrong = post(&places[0], &[("name", "Ada"), ("email", "nobody")]).await;
    assert_eq!(wrong.status(), 400);
    let page = wrong.text().await.expect("text");
    assert!(page.contains("Invalid email address") && page.contains(r#"value="nobody""#), "{page}");
    assert_eq!(post(&places[0], &[("name", "Ada King"), ("email", "")]).await.status(), 303);
    assert!(server.page("/customers", &session).await.1.contains("Ada King"));
    let (_, shown) = server.get(&format!("/v1/customers/{id}")).await;
    assert_eq!((&shown["email"], &shown["address"]), (&Value::Null, &Value::Null), "an empty field unsets");
    let stranger = server.sign_in("eve@example.org").await;
    assert_eq!(server.page(&places[0], &stranger).await.0, 404);
    assert_eq!(post(&format!("{}/delete", places[0]), &[]).await.status(), 303);
    assert_eq!(server.page(&places[0], &session).await.0, 404);
    assert!(server.page("/customers", &session).await.1.contains("No customers yet"));
}
