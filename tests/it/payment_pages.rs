//! The pages around payments as a browser without JavaScript sees them: lists, CSV in both directions, wallets.

use std::sync::Arc;
use std::time::Duration;

use crate::support::server::{Server, on_both_stacks};

on_both_stacks!(
    payees_see_what_they_received,
    lists_page_in_both_directions,
    heads_of_pages,
    payments_are_exported,
    files_are_imported_once,
    files_of_spreadsheets_are_read,
    rows_of_two_imports_never_meet,
    new_payments_and_wallets,
);

async fn pay(server: &Server, session: &str, fields: &[(&str, &str)]) -> String {
    let csrf = server.csrf(session).await;
    let fields = [fields, &[("csrf", csrf.as_str())]].concat();
    let response = server.post_form("/pay", session, &[("origin", &server.url)], &fields).await;
    assert_eq!(response.status(), 303);
    let to = response.headers().get("location").and_then(|to| to.to_str().ok()).unwrap_or_default();
    to.trim_start_matches("/payments/").to_owned()
}

const CHARGE: [(&str, &str); 4] =
    [("kind", "charge"), ("currency", "eur"), ("amount", "12.50"), ("payment_method", "pm_card_visa")];

/// Asks until the page says it, which it does once the payments have settled and search has them.
async fn until(server: &Server, path: &str, session: &str, said: impl Fn(&str) -> bool) -> String {
    for _ in 0..600 {
        let (status, page) = server.page(path, session).await;
        if status == 200 && said(&page) {
            return page;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{path} never said it: {}", server.page(path, session).await.1);
}

async fn payees_see_what_they_received(server: Arc<Server>) {
    let (shop, eve) = (server.sign_in("shop@example.org").await, server.sign_in("eve@example.org").await);
    let topup =
        [("kind", "topup"), ("currency", "eur"), ("amount", "50"), ("payment_method", "pm_card_visa")];
    pay(&server, &shop, &topup).await;
    until(&server, "/wallets", &shop, |page| page.contains("€50.00 EUR")).await;
    let transfer = [
        ("kind", "transfer"),
        ("currency", "eur"),
        ("amount", "7.25"),
        ("destination", "eve@example.org"),
        ("description", "not for eve"),
    ];
    let id = pay(&server, &shop, &transfer).await;
    for path in ["/payments", "/payments/rows", "/", "/payments.csv"] {
        let page = until(&server, path, &eve, |page| page.contains(&id)).await;
        assert!(!page.contains("not for eve"), "{path} tells what the sender noted");
    }
    assert!(server.page("/payments", &shop).await.1.contains("not for eve"));
    assert!(!server.page("/payments", &eve).await.1.contains("€50.00"));
    assert!(until(&server, "/wallets/eur", &eve, |page| page.contains("+7.25")).await.contains(&id));
    let page = until(&server, "/wallets/eur", &shop, |page| page.contains("−7.25")).await;
    assert!(page.contains("+50.00") && page.contains("42.75"), "{page}");
    assert!(server.page("/wallets/eur", &eve).await.1.matches("class=\"num money-in\">").count() == 1);
    assert_eq!(server.page("/wallets/nothing", &eve).await.0, 404);
}

fn link<'p>(page: &'p str, words: &str) -> Option<&'p str> {
    let (before, _) = page.split_once(&format!("\">{words}</a>"))?;
    let (_, href) = before.rsplit_once("<a href=\"")?;
    href.split('"').next()
}

fn ids(page: &str) -> Vec<String> {
    let rows = page.split("<li class=\"row\" data-payment-id=\"").skip(1);
    rows.filter_map(|row| row.split('"').next()).map(str::to_owned).collect()
}

async fn lists_page_in_both_directions(server: Arc<Server>) {
    let shop = server.sign_in("shop@example.org").await;
    for n in 0..120 {
        let form = format!("amount={}&currency=eur&payment_method=pm_card_visa&confirm=true", 100 + n);
        let headers = [("prefer", "respond-async")];
        let answer = server.send("POST", "/v1/payment_intents", &form, &headers).await;
        assert_eq!(answer.status, 202, "{answer:?}");
    }
    let found = "120 payments";
    for start in ["/payments", "/payments?q=kind%3Acharge"] {
        let first = until(&server, start, &shop, |page| page.contains(found)).await;
        let follow = async |page: &str, words: &str| {
            let href =
                link(page, words).unwrap_or_else(|| panic!("{words} on {start}")).replace("&#38;", "&");
            server.page(&href, &shop).await.1
        };
        let second = follow(&first, "Older").await;
        let third = follow(&second, "Older").await;
        assert_eq!((ids(&first).len(), ids(&second).len(), ids(&third).len()), (50, 50, 20), "{start}");
        assert!(link(&first, "Newer").is_none() && link(&third, "Older").is_none());
        let mut all = [ids(&first), ids(&second), ids(&third)].concat();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 120, "{start}: every payment once");
        assert_eq!(ids(&follow(&third, "Newer").await), ids(&second), "{start}");
        assert_eq!(ids(&follow(&second, "Newer").await), ids(&first), "{start}");
        assert_eq!(ids(&follow(&third, "Newest").await), ids(&first), "{start}");
    }
    let wrong = server.page("/payments?q=colour%3Ared", &shop).await;
    assert!(wrong.0 == 400 && wrong.1.contains("<mark>colour</mark>"), "{}", wrong.1);
}

/// What can be got can be asked for by HEAD: the head alone, even of what would be any size.
async fn heads_of_pages(server: Arc<Server>) {
    let session = server.sign_in("shop@example.org").await;
    let http = reqwest::Client::builder().no_proxy().build().expect("a client");
    for (path, status) in [("/payments.csv", 200), ("/sign-in", 200), ("/nowhere", 404), ("/v1/nothing", 404)]
    {
        let asked = http.head(format!("{}{path}", server.url)).header("cookie", &session);
        let answer = asked.send().await.expect("an answer");
        assert_eq!((path, answer.status().as_u16()), (path, status));
        assert!(answer.headers().contains_key("content-type"), "{path}");
        assert_eq!(answer.bytes().await.expect("no body").len(), 0);
    }
}

async fn payments_are_exported(server: Arc<Server>) {
    let (shop, eve) = (server.sign_in("shop@example.org").await, server.sign_in("eve@example.org").await);
    let formula = [CHARGE.as_slice(), &[("description", "=HYPERLINK(\"x\")")]].concat();
    let one = pay(&server, &shop, &formula).await;
    let yen =
        [("kind", "charge"), ("currency", "jpy"), ("amount", "1250"), ("payment_method", "pm_card_jcb")];
    let two = pay(&server, &shop, &yen).await;
    until(&server, "/payments?q=currency%3Ajpy", &shop, |page| page.contains(&two)).await;
    let request = server.http.get(format!("{}/payments.csv", server.url)).header("cookie", &shop);
    let response = request.send().await.expect("an answer");
    let disposition = response.headers()["content-disposition"].to_str().expect("text").to_owned();
    assert!(disposition.starts_with("attachment; filename=\"payments-20"), "{disposition}");
    let text = response.text().await.expect("text");
    // Spreadsheets know UTF-8 by the mark, and the dots of a card are plain.
    assert!(text.starts_with("\u{feff}id,created,") && text.contains(",Visa **** 4242,"), "{text}");
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let records: Vec<csv::StringRecord> = reader.records().map(|record| record.expect("CSV")).collect();
    assert_eq!(records.len(), 2);
    let column = |name: &str| reader.headers().expect("headers").iter().position(|h| h == name).expect(name);
    let columns = ["id", "amount_minor", "amount", "currency", "description"].map(column);
    let cells = |record: &csv::StringRecord| columns.map(|at| record[at].to_owned());
    assert_eq!(cells(&records[0]), [two.as_str(), "1250", "1250", "jpy", ""]);
    assert_eq!(cells(&records[1]), [one.as_str(), "1250", "12.50", "eur", "'=HYPERLINK(\"x\")"]);
    let found = server.page("/payments.csv?q=currency%3Ajpy", &shop).await.1;
    assert!(found.contains(&two) && !found.contains(&one), "{found}");
    assert_eq!(server.page("/payments.csv?q=colour%3Ared", &shop).await.0, 400);
    assert_eq!(server.page("/payments.csv", &eve).await.1.lines().count(), 1, "only the header");
    assert_eq!(server.page("/payments.csv", "").await.0, 303);
}

async fn upload(server: &Server, session: &str, csrf: &str, name: &str, file: &str) -> (u16, String) {
    let part = |name: &str, value: &str| {
        format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let file = format!(
        "--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"pay.csv\"\r\nContent-Type: text/csv\r\n\r\n{file}\r\n--edge--\r\n"
    );
    let body = [part("csrf", csrf), part("name", name), file].concat();
    let request = server
        .http
        .post(format!("{}/payments/import", server.url))
        .header("cookie", session)
        .header("origin", &server.url)
        .header("content-type", "multipart/form-data; boundary=edge")
        .body(body);
    let response = request.send().await.expect("an answer");
    let to =
        response.headers().get("location").and_then(|to| to.to_str().ok()).unwrap_or_default().to_owned();
    (response.status().as_u16(), to)
}

/// Rows read, accepted, known from before, refused.
fn counts(page: &str) -> [String; 4] {
    ["data-rows-read", "data-accepted", "data-known", "data-refused"].map(|name| {
        let (_, rest) = page.split_once(&format!("{name}>")).expect(name);
        rest.split('<').next().unwrap_or_default().to_owned()
    })
}

/// Semicolons and decimal commas, tabs, empty rows and columns: what spreadsheets make of a table.
async fn files_of_spreadsheets_are_read(server: Arc<Server>) {
    let shop = server.sign_in("shop@example.org").await;
    let csrf = server.csrf(&shop).await;
    let semicolons = "\u{feff}key;amount;currency;payment_method;;;\r\n\r\na;12,50;eur;pm_card_visa;;;\r\n;;;;;;\r\n\
                      b;3;kwd;pm_card_visa\r\n;;;;;;\r\nc;1,250;kwd;pm_card_visa;;;\r\nd;1,250;jpy;pm_card_visa;;;\r\n\
                      e;1;eur;pm_card_visa;x;;\r\n;;;;;;\r\n;;;;;;\r\n";
    let (_, to) = upload(&server, &shop, &csrf, "semicolons", semicolons).await;
    let page = server.page(&to, &shop).await.1;
    assert_eq!(counts(&page), ["5", "2", "0", "3"], "{page}");
    assert!(page.contains("a comma before three digits can be read in two ways"), "{page}");
    assert!(page.contains("This row has 5 fields; line 1 has 4."), "{page}");
    let results = server.page(&format!("{to}/results.csv"), &shop).await.1;
    assert!(
        results.contains("\n6,b,") || results.contains("\n5,b,"),
        "lines as people count them: {results}"
    );
    let tabs = "sep=\t\nkey\tamount\tcurrency\tpayment_method\na\t1.25\teur\tpm_card_visa\n";
    let (_, to) = upload(&server, &shop, &csrf, "tabs", tabs).await;
    assert_eq!(counts(&server.page(&to, &shop).await.1), ["1", "1", "0", "0"]);
    let (_, to) = upload(&server, &shop, &csrf, "bars", "key|amount|currency\na|1|eur\n").await;
    assert!(server.page(&to, &shop).await.1.contains("commas, semicolons or tabs separate them"));
    let list = server.page("/payments.csv", &shop).await.1;
    assert!(
        list.contains(",1250,12.50,eur,")
            && list.contains(",3000,3.000,kwd,")
            && list.contains(",125,1.25,eur,"),
        "{list}"
    );
}

/// A colon in a name or a key once made two rows the same, and the second was never paid.
async fn rows_of_two_imports_never_meet(server: Arc<Server>) {
    let shop = server.sign_in("shop@example.org").await;
    let csrf = server.csrf(&shop).await;
    let file = |key: &str| format!("key,amount,currency,payment_method\n{key},1,eur,pm_card_visa\n");
    for (name, key) in [("a", "b:c"), ("a:b", "c"), ("import:a:b", "c"), ("a:b:c", "c")] {
        let (_, to) = upload(&server, &shop, &csrf, name, &file(key)).await;
        assert_eq!(counts(&server.page(&to, &shop).await.1), ["1", "1", "0", "0"], "{name} {key}");
    }
    // Nor a row and what a program sends.
    let charge = "amount=100&currency=eur&payment_method=pm_card_visa&confirm=true";
    let answer =
        server.send("POST", "/v1/payment_intents", charge, &[("idempotency-key", "import:a:b:c")]).await;
    assert!(answer.status == 200 && !answer.replayed, "{answer:?}");
    let (_, to) = upload(&server, &shop, &csrf, "a:b", &file("c")).await;
    assert_eq!(
        counts(&server.page(&to, &shop).await.1),
        ["1", "0", "1", "0"],
        "the same row of the same import"
    );
}

async fn files_are_imported_once(server: Arc<Server>) {
    let (shop, eve) = (server.sign_in("shop@example.org").await, server.sign_in("eve@example.org").await);
    let csrf = server.csrf(&shop).await;
    let (status, sample) = server.page("/payments/import/sample.csv", &shop).await;
    assert_eq!(status, 200);
    // A mistake on the last line, a byte order mark before the first.
    assert!(sample.starts_with("\u{feff}key,kind,"), "{sample}");
    let file = format!("{sample}order-1007,charge,1.234,eur,pm_card_visa,,,,,,,,,\n");
    let (status, to) = upload(&server, &shop, &csrf, "orders", &file).await;
    assert_eq!(status, 303, "{to}");
    let page = server.page(&to, &shop).await.1;
    // The payout is refused or not, as the added money comes in time or not; the rest is certain.
    let [read, .., refused] = counts(&page);
    assert!(read == "7" && ["1", "2"].contains(&refused.as_str()), "{page}");
    assert!(page.contains("<code>amount</code>") && page.contains("order-1007"), "{page}");
    let state = |page: &str| {
        page.matches(",succeeded,").count() >= 3 && page.contains(",declined,insufficient_funds,")
    };
    let results = until(&server, &format!("{to}/results.csv"), &shop, state).await;
    assert!(
        results.lines().last().is_some_and(|line| line.starts_with("8,order-1007,,,,amount,")),
        "{results}"
    );
    // Sent again, nothing is paid twice; under another name it is another file.
    until(&server, "/wallets", &shop, |page| page.contains("data-balance")).await;
    let (_, again) = upload(&server, &shop, &csrf, "orders", &file).await;
    let [read, accepted, known, _] = counts(&server.page(&again, &shop).await.1);
    assert_eq!((read.as_str(), known.as_str()), ("7", if accepted == "0" { known.as_str() } else { "5" }));
    let changed = file.replace("12.50", "99.00");
    let (_, changed) = upload(&server, &shop, &csrf, "orders", &changed).await;
    assert!(server.page(&changed, &shop).await.1.contains("under this key before"));
    let charges = server.page("/payments.csv", &shop).await.1.matches(",charge,").count();
    assert_eq!(charges, 4, "three visits, four charges");
    // Another's import is not there.
    for path in [to.clone(), format!("{to}/state"), format!("{to}/results.csv")] {
        assert_eq!(server.page(&path, &eve).await.0, 404, "{path}");
    }
    assert!(!server.page("/payments/import", &eve).await.1.contains("orders"));
    // What is no file, or from elsewhere.
    assert_eq!(upload(&server, &shop, "0000", "orders", &file).await.0, 403);
    assert_eq!(upload(&server, &shop, &csrf, "orders", "").await.0, 400);
    let (_, to) = upload(&server, &shop, &csrf, "wrong", "key,amount\na,1\n").await;
    assert!(server.page(&to, &shop).await.1.contains("currency is missing"));
    let endless = format!("key,amount,currency\na,\"{}", "x".repeat(300_000));
    let (_, to) = upload(&server, &shop, &csrf, "endless", &endless).await;
    let page = server.page(&to, &shop).await.1;
    assert!(page.contains("Line 2 opens a quote that is never closed"), "{page}");
    // A row that is too long stops no other.
    let long = "x".repeat(70_000);
    let file = format!(
        "key,amount,currency,payment_method,description\na,1,eur,pm_card_visa,{long}\nb,1,eur,pm_card_visa,\n"
    );
    let (_, to) = upload(&server, &shop, &csrf, "long", &file).await;
    let page = server.page(&to, &shop).await.1;
    assert_eq!(counts(&page), ["2", "1", "0", "1"], "{page}");
    assert!(page.contains("This row is longer than 64 KiB."), "{page}");
}

async fn new_payments_and_wallets(server: Arc<Server>) {
    let shop = server.sign_in("shop@example.org").await;
    let page = server.page("/pay?kind=transfer&currency=jpy", &shop).await.1;
    assert!(page.contains("value=\"transfer\" checked") && page.contains("4000 0000 0000 9995"), "{page}");
    let csrf = server.csrf(&shop).await;
    let wrong = [CHARGE.as_slice(), &[("amount", "1.234"), ("csrf", &csrf)]].concat();
    let response = server.post_form("/pay", &shop, &[("origin", &server.url)], &wrong).await;
    assert_eq!(response.status(), 400);
    let text = response.text().await.expect("text");
    assert!(text.contains("id=\"e-amount\"") && text.contains("1.234"), "{text}");
    for (amount, said) in
        [("abc", "not an amount"), ("0.00", "Must be more than zero."), ("12.345", "EUR has 2 decimals")]
    {
        let wrong = [CHARGE.as_slice(), &[("amount", amount), ("csrf", &csrf)]].concat();
        let response = server.post_form("/pay", &shop, &[("origin", &server.url)], &wrong).await;
        let text = response.text().await.expect("text");
        assert!(text.contains(said), "{amount}: {text}");
    }
    // The same form twice pays once.
    let twice = [CHARGE.as_slice(), &[("idempotency_key", "twice")]].concat();
    assert_eq!(pay(&server, &shop, &twice).await, pay(&server, &shop, &twice).await);
    for _ in 0..60 {
        pay(&server, &shop, &CHARGE).await;
    }
    let all = until(&server, "/wallets/eur", &shop, |page| page.contains("€762.50 EUR")).await;
    let lines = |page: &str| page.matches("class=\"num money-in\">").count();
    let older = link(&all, "Older").expect("a second page").to_owned();
    let older = server.page(&older, &shop).await.1;
    assert_eq!((lines(&all), lines(&older)), (50, 11));
}
