//! The dialect as its users know it, against a whole server on both stacks: search and paging, cards, amounts, 3-D Secure,
//! keys and cursors, and what SDKs send along.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::server::{Answer, Server, on_both_stacks};

on_both_stacks!(
    a_search_pages_through_its_own_kind_only,
    search_understands_the_dialects_spellings,
    cards_show_what_they_are_and_what_was_checked,
    amounts_keep_to_their_currencies,
    a_cardholder_answers_without_signing_in_and_is_led_back,
    a_cardholder_who_cannot_be_asked_is_declined,
    keys_are_repeated_and_errors_about_them_differ,
    cursors_name_one_of_the_list,
    empty_texts_are_refused_where_they_mean_nothing,
    refunds_and_cancellations_say_what_was_said,
);

const CHARGE: &str = "amount=1250&currency=eur&confirm=true&payment_method=pm_card_visa";

async fn charge(server: &Server, form: &str) -> Answer {
    server.send("POST", "/v1/payment_intents", form, &[]).await
}

/// Encodes a query for an address.
fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

async fn found(server: &Server, query: &str) -> Answer {
    server.send("GET", &format!("/v1/payment_intents/search?query={}", encoded(query)), "", &[]).await
}

fn count(answer: &Answer) -> usize {
    answer.body["data"].as_array().map_or(0, Vec::len)
}

/// Waits until a query finds so many.
async fn until_found(server: &Server, query: &str, wanted: usize) {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let answer = found(server, query).await;
        if answer.status == 200 && count(&answer) == wanted {
            return;
        }
        assert!(Instant::now() < deadline, "{query}: {answer:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn a_search_pages_through_its_own_kind_only(server: Arc<Server>) {
    let first = charge(&server, &format!("{CHARGE}&metadata[batch]=one")).await;
    let wanted = first.text("/id").to_owned();
    for _ in 0..25 {
        let form = "amount=1250&currency=eur&source=pm_card_visa&metadata[batch]=one";
        let topup = server.send("POST", "/v1/topups", form, &[]).await;
        assert_eq!(topup.status, 200, "{topup:?}");
    }
    // The last one in: everything before it is in the index too.
    charge(&server, &format!("{CHARGE}&metadata[batch]=last")).await;
    until_found(&server, "metadata['batch']:'last'", 1).await;
    let query = "metadata['batch']:'one'";
    for query in [query.to_owned(), format!("{query} OR metadata['batch']:'none'")] {
        let answer = found(&server, &query).await;
        assert_eq!((count(&answer), &answer.body["has_more"]), (1, &json!(false)), "{answer:?}");
        assert_eq!(answer.text("/data/0/id"), wanted);
    }
    // The list of charges steps over everything else in the store, too.
    let (_, list) = server.get("/v1/payment_intents?limit=2").await;
    assert_eq!((list["data"].as_array().map(Vec::len), &list["has_more"]), (Some(2), &json!(false)));
    let (_, list) = server.get("/v1/topups?limit=20").await;
    let last = list["data"][19]["id"].as_str().expect("twenty").to_owned();
    let (_, rest) = server.get(&format!("/v1/topups?limit=20&starting_after={last}")).await;
    assert_eq!((rest["data"].as_array().map(Vec::len), &rest["has_more"]), (Some(5), &json!(false)));
}

async fn search_understands_the_dialects_spellings(server: Arc<Server>) {
    let form = format!("{CHARGE}&description=Iced tea, large&metadata[order id]=6735");
    assert_eq!(charge(&server, &form).await.status, 200);
    until_found(&server, "status:'succeeded'", 1).await;
    for query in [
        "metadata['order id']:'6735'",
        "metadata[\"order id\"]:\"6735\"",
        "status:\"succeeded\" AND currency:'eur'",
        "description:'iced tea, large'",
        "description~'iced tea'",
        "'iced tea'",
        "\"iced tea\"",
        "-metadata['order id']:null amount>1000",
    ] {
        let answer = found(&server, query).await;
        assert_eq!((answer.status, count(&answer)), (200, 1), "{query}: {answer:?}");
    }
    for query in [
        "amount:null",
        "currency~'eu'",
        "status>'succeeded'",
        "status:'succeeded",
        "metadata['order id",
        "status:",
        "a OR b AND c",
        "amount:12.50",
        "status:authorized",
        "(status:'succeeded')",
    ] {
        let answer = found(&server, query).await;
        assert_eq!(
            answer.error(),
            (400, "invalid_request_error", "search_query_invalid", "query"),
            "{query}"
        );
    }
    // A page understands people who write what they see, and who have not finished.
    let cookie = server.sign_in("shop@example.org").await;
    let (_, one) = server.get("/v1/payment_intents?limit=1").await;
    let id = one["data"][0]["id"].as_str().expect("an id");
    for query in [
        "12.50",
        "€12.50",
        "€12.50 EUR",
        "succeeded",
        "charges",
        "status:",
        "tea status:",
        "tea \"iced",
        "amount:12.50",
        "amount>=12.50 amount<€13",
        "-authorized",
        "12,50 €",
        "€ 12.50",
        "12.50€",
        "+€12.50",
        "status:succ",
        "created>20",
        "created>2026-0",
        "currency:e",
        "kind:ch",
        "card.last4:42",
        "card.brand:vi",
        "description~ic",
        "amount:12.",
        "refunded:f",
        "tea iced OR",
        "NOT",
        "-needs",
    ] {
        let (status, page) = server.page(&format!("/payments?q={}", encoded(query)), &cookie).await;
        assert!(status == 200 && page.contains(id), "{query}: {status}");
    }
    for query in [
        "12.51",
        "declined",
        "payouts",
        "$12.50",
        "12.50 $",
        "€12.",
        "sent to a person",
        "refunded",
        "Diners Club",
    ] {
        let (status, page) = server.page(&format!("/payments?q={}", encoded(query)), &cookie).await;
        assert!(status == 200 && !page.contains(id), "{query}: {status}");
    }
}

async fn cards_show_what_they_are_and_what_was_checked(server: Arc<Server>) {
    let expand = "&expand[]=latest_charge&expand[]=payment_method";
    let card = |answer: &Answer| answer.body["latest_charge"]["payment_method_details"]["card"].clone();
    for (alias, brand, country, funding, last4) in [
        ("pm_card_visa", "visa", "US", "credit", "4242"),
        ("pm_card_mastercard_prepaid", "mastercard", "US", "prepaid", "5100"),
        ("tok_mastercard_debit", "mastercard", "US", "debit", "8210"),
        ("pm_card_diners", "diners", "US", "credit", "0004"),
        ("pm_card_unionpay", "unionpay", "CN", "credit", "0005"),
        ("pm_card_br", "visa", "BR", "credit", "0002"),
        ("pm_card_gb_debit", "visa", "GB", "debit", "0005"),
        ("tok_th_debit", "visa", "TH", "debit", "0008"),
        ("pm_card_visa_cartesBancaires", "visa", "FR", "credit", "1001"),
        ("pm_card_createMultipleDisputes", "visa", "US", "credit", "0079"),
        ("pm_card_bypassPendingInternational", "visa", "IE", "credit", "0278"),
    ] {
        let form = format!("amount=1250&currency=eur&confirm=true&payment_method={alias}{expand}");
        let answer = charge(&server, &form).await;
        assert_eq!((answer.status, answer.text("/status")), (200, "succeeded"), "{alias}: {answer:?}");
        let shown = card(&answer);
        let wanted = [json!(brand), json!(country), json!(funding), json!(last4)];
        let found = ["brand", "country", "funding", "last4"].map(|field| shown[field].clone());
        assert_eq!(found, wanted, "{alias}");
        assert_eq!(answer.body["payment_method"]["card"]["country"], country, "{alias}");
    }
    for (alias, displayed) in [
        ("pm_card_amex", "american_express"),
        ("pm_card_diners", "diners_club"),
        ("pm_card_unionpay", "union_pay"),
        ("pm_card_visa", "visa"),
        ("pm_card_visa_cartesBancaires", "cartes_bancaires"),
        ("pm_card_visa_debit_eftposAuCoBranded", "eftpos_australia"),
    ] {
        let form = format!("amount=1250&currency=eur&confirm=true&payment_method={alias}{expand}");
        let answer = charge(&server, &form).await;
        assert_eq!(answer.text("/payment_method/card/display_brand"), displayed, "{alias}");
    }
    let number = |number: &str, rest: &str| {
        format!(
            "amount=1250&currency=eur&confirm=true{expand}&payment_method_data[type]=card\
             &payment_method_data[card][number]={number}&payment_method_data[card][exp_month]=12\
             &payment_method_data[card][exp_year]=2040{rest}"
        )
    };
    let cvc = "&payment_method_data[card][cvc]=123";
    let address = "&payment_method_data[billing_details][address][postal_code]=94111\
                   &payment_method_data[billing_details][address][line1]=1 Main St\
                   &payment_method_data[billing_details][name]=Ada";
    let both = format!("{cvc}{address}");
    for (digits, rest, checks) in [
        ("6205500000000000004", "", [json!(null), json!(null), json!(null)]),
        ("36227206271667", both.as_str(), [json!("pass"), json!("pass"), json!("pass")]),
        ("4000000000000101", both.as_str(), [json!("fail"), json!("pass"), json!("pass")]),
        ("4000000000000036", both.as_str(), [json!("pass"), json!("fail"), json!("pass")]),
        ("4000000000000028", both.as_str(), [json!("pass"), json!("pass"), json!("fail")]),
        ("4000000000000010", both.as_str(), [json!("pass"), json!("fail"), json!("fail")]),
        ("4000000000000044", both.as_str(), [json!("pass"), json!("unavailable"), json!("unavailable")]),
        ("4000000000000036", cvc, [json!("pass"), json!(null), json!(null)]),
    ] {
        let answer = charge(&server, &number(digits, rest)).await;
        assert_eq!(answer.status, 200, "{digits}: {answer:?}");
        let shown = card(&answer)["checks"].clone();
        let fields = ["cvc_check", "address_postal_code_check", "address_line1_check"];
        assert_eq!(fields.map(|field| shown[field].clone()), checks, "{digits} {rest}");
    }
    // What was said of the cardholder is there, now and later.
    let answer = charge(&server, &number("4242424242424242", address)).await;
    let billing = &answer.body["payment_method"]["billing_details"];
    assert_eq!((&billing["name"], &billing["address"]["postal_code"]), (&json!("Ada"), &json!("94111")));
    let path = format!("/v1/payment_intents/{}?expand[]=payment_method", answer.text("/id"));
    assert_eq!(server.get(&path).await.1["payment_method"]["billing_details"], *billing);
    // Risk.
    let elevated = "amount=1250&currency=eur&confirm=true&payment_method=pm_card_riskLevelElevated";
    let answer = charge(&server, &format!("{elevated}{expand}")).await;
    assert_eq!(answer.text("/latest_charge/outcome/risk_level"), "elevated", "{answer:?}");
    let highest = elevated.replace("Elevated", "Highest");
    let answer = charge(&server, &highest).await;
    assert_eq!((answer.status, answer.text("/error/decline_code")), (402, "fraudulent"), "{answer:?}");
    // Nothing is claimed of a number that is not listed.
    let answer = charge(&server, &number("4111111111111111", cvc)).await;
    assert_eq!((answer.status, answer.text("/error/decline_code")), (402, "test_mode_live_card"));
    assert!(answer.text("/error/message").contains("list of test cards"), "{answer:?}");
}

async fn amounts_keep_to_their_currencies(server: Arc<Server>) {
    for (amount, currency, status, code) in [
        (50_i64, "eur", 200, ""),
        (49, "eur", 400, "amount_too_small"),
        (99_999_999, "eur", 200, ""),
        (100_000_000, "eur", 400, "amount_too_large"),
        (999_999_999_999, "idr", 200, ""),
        (1_000_000_000_000, "idr", 400, "amount_too_large"),
        (49, "jpy", 400, "amount_too_small"),
        (50, "jpy", 200, ""),
        (500, "isk", 200, ""),
        (550, "isk", 400, "parameter_invalid_integer"),
        (500, "ugx", 200, ""),
        (505, "ugx", 400, "parameter_invalid_integer"),
        (5_120, "kwd", 200, ""),
        (5_124, "kwd", 400, "parameter_invalid_integer"),
        (500, "mga", 200, ""),
    ] {
        let form = format!("amount={amount}&currency={currency}&confirm=true&payment_method=pm_card_visa");
        let answer = charge(&server, &form).await;
        assert_eq!((answer.status, answer.text("/error/code")), (status, code), "{amount} {currency}");
        if status == 400 {
            assert_eq!(answer.text("/error/param"), "amount", "{amount} {currency}");
        }
        let form = format!("amount={amount}&currency={currency}&source=pm_card_visa");
        let topup = server.send("POST", "/v1/topups", &form, &[]).await;
        assert_eq!((topup.status, topup.text("/error/code")), (status, code), "{amount} {currency}");
    }
    // Parts have the steps of the whole.
    let form = "amount=5120&currency=kwd&confirm=true&payment_method=pm_card_visa&capture_method=manual";
    let held = charge(&server, form).await;
    let capture = format!("/v1/payment_intents/{}/capture", held.text("/id"));
    let odd = server.send("POST", &capture, "amount_to_capture=5114", &[]).await;
    assert_eq!(odd.error(), (400, "invalid_request_error", "parameter_invalid_integer", "amount_to_capture"));
    assert_eq!(server.send("POST", &capture, "amount_to_capture=5110", &[]).await.status, 200);
    let form = format!("payment_intent={}&amount=5", held.text("/id"));
    let odd = server.send("POST", "/v1/refunds", &form, &[]).await;
    assert_eq!(odd.error(), (400, "invalid_request_error", "parameter_invalid_integer", "amount"));
    let form = "amount=20000&currency=huf&confirm=true&payment_method=pm_card_visa";
    assert_eq!(charge(&server, form).await.status, 200);
    let payout = server.send("POST", "/v1/payouts", "amount=1045&currency=huf", &[]).await;
    assert_eq!(payout.text("/error/code"), "parameter_invalid_integer", "{payout:?}");
    // The smallest charge is one rule for pages, sockets and programs.
    let cookie = server.sign_in("shop@example.org").await;
    let csrf = server.csrf(&cookie).await;
    let fields = [
        ("csrf", csrf.as_str()),
        ("kind", "charge"),
        ("amount", "0.49"),
        ("currency", "eur"),
        ("payment_method", "pm_card_visa"),
    ];
    let page = server.post_form("/pay", &cookie, &[("origin", &server.url)], &fields).await;
    let text = page.text().await.expect("text");
    assert!(text.contains("at least €0.50 EUR"), "{text}");
}

const SECURE: &str = "amount=1250&currency=eur&confirm=true&payment_method=pm_card_authenticationRequired";

async fn a_cardholder_answers_without_signing_in_and_is_led_back(server: Arc<Server>) {
    let back = encoded("https://shop.example/done?order=7");
    for (passed, outcome, status) in
        [("true", "succeeded", "succeeded"), ("false", "failed", "requires_payment_method")]
    {
        let asked = charge(&server, &format!("{SECURE}&return_url={back}")).await;
        assert_eq!(asked.text("/status"), "requires_action", "{asked:?}");
        // Nobody was asked for money yet.
        assert_eq!(asked.body["latest_charge"], Value::Null);
        let redirect = &asked.body["next_action"]["redirect_to_url"];
        assert_eq!(redirect["return_url"], "https://shop.example/done?order=7");
        let address = redirect["url"].as_str().expect("an address").to_owned();
        let path = address.strip_prefix(&server.url).expect("an absolute address of this server").to_owned();
        let (code, page) = server.page(&path, "").await;
        assert!(code == 200 && page.contains("€12.50") && page.contains("Complete"), "{page}");
        let answered = server.post_form(&path, "", &[("origin", &server.url)], &[("passed", passed)]).await;
        assert_eq!(answered.status(), 303);
        let to = answered.headers()["location"].to_str().expect("text").to_owned();
        let (id, secret) = (asked.text("/id"), asked.text("/client_secret"));
        assert_eq!(
            to,
            format!(
                "https://shop.example/done?order=7&payment_intent={id}&payment_intent_client_secret={secret}&redirect_status={outcome}"
            )
        );
        let (_, ended) = server.get(&format!("/v1/payment_intents/{id}?expand[]=latest_charge")).await;
        assert_eq!(ended["status"], status);
        // A cardholder who was not authenticated was charged nothing, and no bank declined it.
        assert_eq!(ended["latest_charge"].is_null(), passed == "false", "{ended}");
        assert_eq!(ended["last_payment_error"].is_null(), passed == "true", "{ended}");
        assert_eq!(ended["last_payment_error"]["charge"], Value::Null, "{ended}");
        // Once more changes nothing and leads the same way.
        let again = server.post_form(&path, "", &[], &[("passed", "true")]).await;
        assert_eq!(again.headers()["location"].to_str().expect("text"), to);
        let (code, page) = server.page(&path, "").await;
        assert!(code == 200 && page.contains("not awaiting 3-D Secure"), "{page}");
        // Another secret opens nothing.
        let mut wrong = path.clone();
        wrong.pop();
        assert_eq!(server.page(&wrong, "").await.0, 404);
    }
    // Confirmed apart, with the address given then.
    let created =
        charge(&server, "amount=1250&currency=eur&payment_method=pm_card_threeDSecure2Required").await;
    assert_eq!(created.text("/status"), "requires_confirmation");
    let confirm = format!("/v1/payment_intents/{}/confirm", created.text("/id"));
    let asked = server.send("POST", &confirm, &format!("return_url={back}"), &[]).await;
    assert_eq!(
        (asked.text("/status"), asked.text("/next_action/redirect_to_url/return_url")),
        ("requires_action", "https://shop.example/done?order=7"),
        "{asked:?}"
    );
    let (_, later) = server.get(&format!("/v1/payment_intents/{}", created.text("/id"))).await;
    assert_eq!(later["next_action"], asked.body["next_action"]);
    // Without a browser, by a test's own key.
    let helper = format!("/v1/test_helpers/payment_intents/{}/authenticate", created.text("/id"));
    let foreign = server.send_as(&server.other_key, "POST", &helper, "", &[]).await;
    assert_eq!(foreign.status, 404, "{foreign:?}");
    let done = server.send("POST", &helper, "", &[]).await;
    assert_eq!((done.status, done.text("/status")), (200, "succeeded"), "{done:?}");
    for wrong in ["javascript:alert(1)", "/done", "data:text/html,x"] {
        let refused = charge(&server, &format!("{SECURE}&return_url={}", encoded(wrong))).await;
        assert_eq!(refused.error(), (400, "invalid_request_error", "url_invalid", "return_url"), "{wrong}");
    }
    let waits = charge(&server, &format!("amount=1250&currency=eur&return_url={back}")).await;
    assert_eq!((waits.status, waits.text("/error/param")), (400, "return_url"), "{waits:?}");
}

async fn a_cardholder_who_cannot_be_asked_is_declined(server: Arc<Server>) {
    for extra in ["off_session=true", "off_session=recurring", "error_on_requires_action=true"] {
        let answer = charge(&server, &format!("{SECURE}&{extra}")).await;
        assert_eq!(answer.error(), (402, "card_error", "authentication_required", ""), "{answer:?}");
        assert_eq!(answer.text("/error/decline_code"), "authentication_required");
        let intent = answer.body.pointer("/error/payment_intent").expect("the intent");
        assert_eq!(intent["status"], "requires_payment_method");
        assert!(intent["payment_method"].is_null(), "the next attempt needs another: {intent}");
        assert_eq!(intent["last_payment_error"]["payment_method"]["card"]["last4"], "3184");
        let plain = charge(&server, &format!("{CHARGE}&{extra}")).await;
        assert_eq!((plain.status, plain.text("/status")), (200, "succeeded"), "{plain:?}");
    }
    let set_up = SECURE.replace("authenticationRequired", "authenticationRequiredSetupForOffSession");
    assert_eq!(charge(&server, &set_up).await.text("/status"), "requires_action");
    assert_eq!(charge(&server, &format!("{set_up}&off_session=true")).await.text("/status"), "succeeded");
    let created =
        charge(&server, "amount=1250&currency=eur&payment_method=pm_card_authenticationRequired").await;
    let confirm = format!("/v1/payment_intents/{}/confirm", created.text("/id"));
    let answer = server.send("POST", &confirm, "off_session=true", &[]).await;
    assert_eq!((answer.status, answer.text("/error/code")), (402, "authentication_required"), "{answer:?}");
    let request = "payment_method_options[card][request_three_d_secure]=any";
    let optional = SECURE.replace("authenticationRequired", "threeDSecureOptional");
    assert_eq!(charge(&server, &optional).await.text("/status"), "succeeded");
    assert_eq!(charge(&server, &format!("{optional}&{request}")).await.text("/status"), "requires_action");
}

async fn keys_are_repeated_and_errors_about_them_differ(server: Arc<Server>) {
    let send = |form: String, key: &'static str| {
        let request = server.http.post(format!("{}/v1/payment_intents", server.url));
        let request = request.bearer_auth(&server.key).header("idempotency-key", key);
        request.header("content-type", "application/x-www-form-urlencoded").body(form).send()
    };
    let repeated_key = |response: &reqwest::Response| {
        let header = response.headers().get("idempotency-key");
        header.and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    };
    let first = send(CHARGE.to_owned(), "order-1").await.expect("an answer");
    assert_eq!((first.status().as_u16(), repeated_key(&first).as_str()), (200, "order-1"));
    let other = send(CHARGE.replace("1250", "1300"), "order-1").await.expect("an answer");
    assert_eq!((other.status().as_u16(), repeated_key(&other).as_str()), (400, "order-1"));
    let body: Value = other.json().await.expect("JSON");
    assert_eq!(body["error"]["type"], "idempotency_error");
    assert_eq!(body["error"].get("code"), None, "{body}");
    // What is said beside the card is part of what was asked.
    let other = send(format!("{CHARGE}&off_session=true"), "order-1").await.expect("an answer");
    assert_eq!(other.status().as_u16(), 400);
    let declined = send(CHARGE.replace("visa", "chargeDeclined"), "order-2").await.expect("an answer");
    assert_eq!((declined.status().as_u16(), repeated_key(&declined).as_str()), (402, "order-2"));
    let long: &'static str = Box::leak("x".repeat(256).into_boxed_str());
    let refused = send(CHARGE.to_owned(), long).await.expect("an answer");
    assert_eq!((refused.status().as_u16(), repeated_key(&refused).as_str()), (400, ""));
    let plain = server.http.get(format!("{}/v1/balance", server.url)).bearer_auth(&server.key);
    let plain = plain.header("idempotency-key", "order-3").send().await.expect("an answer");
    assert_eq!(repeated_key(&plain), "", "nothing was made");
}

async fn cursors_name_one_of_the_list(server: Arc<Server>) {
    let charged = charge(&server, CHARGE).await;
    let intent = charged.text("/id").to_owned();
    let topup = server.send("POST", "/v1/topups", "amount=1250&currency=eur&source=pm_card_visa", &[]).await;
    let topup = topup.text("/id").to_owned();
    let foreign = server.send_as(&server.other_key, "POST", "/v1/payment_intents", CHARGE, &[]).await;
    let refund =
        server.send("POST", "/v1/refunds", &format!("payment_intent={intent}&amount=100"), &[]).await;
    let nobody = "0".repeat(22);
    let mut unknown = vec![
        ("/v1/payment_intents", "starting_after", topup.clone()),
        ("/v1/payment_intents", "starting_after", topup.replace("tu_", "pi_")),
        ("/v1/payment_intents", "ending_before", "pi_nope".to_owned()),
        ("/v1/payment_intents", "starting_after", foreign.text("/id").to_owned()),
        ("/v1/refunds", "starting_after", "re_nope".to_owned()),
        ("/v1/refunds", "starting_after", intent.clone()),
        ("/v1/test_helpers/accounts", "starting_after", format!("acct_{nobody}")),
    ];
    for (list, prefix) in [
        ("/v1/payment_intents", "pi_"),
        ("/v1/topups", "tu_"),
        ("/v1/transfers", "tr_"),
        ("/v1/payouts", "po_"),
    ] {
        unknown.push((list, "starting_after", format!("{prefix}{nobody}")));
        unknown.push((list, "ending_before", intent.replace("pi_", "ch_")));
    }
    for (list, param, id) in unknown {
        let answer = server.send("GET", &format!("{list}?{param}={id}"), "", &[]).await;
        assert_eq!(answer.error(), (400, "invalid_request_error", "resource_missing", param), "{list} {id}");
    }
    for (list, id) in [
        ("/v1/payment_intents", intent.as_str()),
        ("/v1/topups", &topup),
        ("/v1/refunds", refund.text("/id")),
    ] {
        let answer = server.send("GET", &format!("{list}?starting_after={id}"), "", &[]).await;
        assert_eq!((answer.status, count(&answer)), (200, 0), "{list}");
    }
}

async fn empty_texts_are_refused_where_they_mean_nothing(server: Arc<Server>) {
    for (method, path, form, param) in [
        ("POST", "/v1/payment_intents", "amount=1250&currency=eur&description=", "description"),
        ("POST", "/v1/payment_intents", "amount=1250&currency=eur&payment_method=", "payment_method"),
        ("POST", "/v1/payment_intents", "amount=1250&currency=", "currency"),
        ("POST", "/v1/payment_intents", "amount=&currency=eur", "amount"),
        (
            "POST",
            "/v1/payment_intents",
            r#"{"amount":1250,"currency":"eur","capture_method":""}"#,
            "capture_method",
        ),
        ("POST", "/v1/refunds", "payment_intent=", "payment_intent"),
        ("POST", "/v1/refunds", "payment_intent=pi_x&reason=", "reason"),
        ("POST", "/v1/transfers", "amount=100&currency=eur&destination=", "destination"),
        ("GET", "/v1/payment_intents?starting_after=", "", "starting_after"),
        ("GET", "/v1/payment_intents/search?query=", "", "query"),
    ] {
        let answer = server.send(method, path, form, &[]).await;
        let wanted = (400, "invalid_request_error", "parameter_invalid_empty", param);
        assert_eq!(answer.error(), wanted, "{path} {form}: {answer:?}");
    }
    let created = charge(&server, "amount=1250&currency=eur&metadata=&metadata[a]=").await;
    assert_eq!((created.status, &created.body["metadata"]), (200, &json!({})), "{created:?}");
    let cancel = format!("/v1/payment_intents/{}/cancel", created.text("/id"));
    let answer = server.send("POST", &cancel, "cancellation_reason=", &[]).await;
    assert_eq!(answer.text("/error/code"), "parameter_invalid_empty", "{answer:?}");
}

async fn refunds_and_cancellations_say_what_was_said(server: Arc<Server>) {
    let charged = charge(&server, CHARGE).await;
    let form = format!(
        "payment_intent={}&amount=100&reason=requested_by_customer&metadata[ticket]=7",
        charged.text("/id")
    );
    let headers = [("Idempotency-Key", "refund-1")];
    let refund = server.send("POST", "/v1/refunds", &form, &headers).await;
    assert_eq!(
        (refund.status, refund.text("/reason"), &refund.body["metadata"]),
        (200, "requested_by_customer", &json!({"ticket": "7"})),
        "{refund:?}"
    );
    let again = server.send("POST", "/v1/refunds", &form, &headers).await;
    assert!(again.replayed && again.body == refund.body, "{again:?}");
    let other = server.send("POST", "/v1/refunds", &form.replace("ticket]=7", "ticket]=8"), &headers).await;
    assert_eq!((other.status, other.text("/error/type")), (400, "idempotency_error"), "{other:?}");
    let (_, read) = server.get(&format!("/v1/refunds/{}", refund.text("/id"))).await;
    assert_eq!(
        (&read["reason"], &read["metadata"]),
        (&json!("requested_by_customer"), &json!({"ticket": "7"}))
    );
    for list in ["/v1/refunds".to_owned(), format!("/v1/refunds?payment_intent={}", charged.text("/id"))] {
        let (_, list) = server.get(&list).await;
        assert_eq!(list["data"][0]["metadata"], json!({"ticket": "7"}));
    }
    let wrong = server.send("POST", "/v1/refunds", &form.replace("requested_by_customer", "mood"), &[]).await;
    assert_eq!((wrong.status, wrong.text("/error/param")), (400, "reason"), "{wrong:?}");
    let plain =
        server.send("POST", "/v1/refunds", &format!("payment_intent={}", charged.text("/id")), &[]).await;
    assert_eq!((&plain.body["reason"], &plain.body["metadata"]), (&json!(null), &json!({})), "{plain:?}");

    for (form, wanted) in [("", json!(null)), ("cancellation_reason=duplicate", json!("duplicate"))] {
        for held in ["", "&confirm=true&capture_method=manual"] {
            let form_of = format!("amount=1250&currency=eur&payment_method=pm_card_visa{held}");
            let created = charge(&server, &form_of).await;
            let path = format!("/v1/payment_intents/{}/cancel", created.text("/id"));
            let canceled = server.send("POST", &path, form, &[]).await;
            assert_eq!((canceled.status, canceled.text("/status")), (200, "canceled"), "{canceled:?}");
            assert_eq!(canceled.body["cancellation_reason"], wanted, "{form}{held}");
        }
    }
}
