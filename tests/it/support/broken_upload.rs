//! An upload of payments whose connection goes dead half way, sent again: each row pays once.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::server::{Server, on_both_stacks};

on_both_stacks!(an_upload_that_broke_off_goes_on);

const ROWS: usize = 2_000;
/// Between the parts of the form.
pub const BOUNDARY: &str = "edge";
const END: &str = "\r\n--edge--\r\n";

/// Asks until the page says it.
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

/// The form with a file, as a browser would send it.
pub fn form_with_file(csrf: &str, file: &str) -> String {
    let field = |name: &str, value: &str| {
        format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"{value}\r\n")
    };
    let head = [
        field("csrf", &format!("\r\n\r\n{csrf}")),
        field("name", "\r\n\r\ntill"),
        field("file", "; filename=\"till.csv\"\r\nContent-Type: text/csv\r\n"),
    ];
    format!("{}{file}{END}", head.concat())
}

/// Sends the form by hand, as much of its file as `sent` says.
async fn send(server: &Server, session: &str, csrf: &str, file: &str, sent: usize) -> TcpStream {
    let body = form_with_file(csrf, file);
    let request = format!(
        "POST /payments/import HTTP/1.1\r\nHost: {}\r\nOrigin: {}\r\nCookie: {session}\r\nContent-Type: multipart/form-data; boundary={BOUNDARY}\r\nContent-Length: {}\r\n\r\n",
        server.address,
        server.url,
        body.len()
    );
    let mut line = TcpStream::connect(&server.address).await.expect("connected");
    line.write_all(request.as_bytes()).await.expect("sent");
    let end = if sent < file.len() { body.len() - (file.len() - sent) - END.len() } else { body.len() };
    line.write_all(&body.as_bytes()[..end]).await.expect("sent");
    line
}

async fn an_upload_that_broke_off_goes_on(server: Arc<Server>) {
    let session = server.sign_in("shop@example.org").await;
    let csrf = server.csrf(&session).await;
    let mut file = "key,amount,currency,payment_method\n".to_owned();
    for n in 0..ROWS {
        file.push_str(&format!("row-{n},1.00,eur,pm_card_visa\n"));
    }
    let payments = async || server.page("/payments.csv", &session).await.1.lines().count() - 1;
    let line = send(&server, &session, &csrf, &file, file.len() / 3 * 2).await;
    // Rows arrive while the upload is still open.
    until(&server, "/payments.csv", &session, |csv| csv.lines().count() > 200).await;
    drop(line);
    let list = until(&server, "/payments/import", &session, |page| page.contains("broke off before its end"));
    assert!(list.await.contains("nothing is paid twice"));
    let before = payments().await;
    assert!((200..ROWS).contains(&before), "{before}");
    let mut line = send(&server, &session, &csrf, &file, file.len()).await;
    let mut answer = vec![0; 4_096];
    let read = line.read(&mut answer).await.expect("an answer");
    let answer = String::from_utf8_lossy(&answer[..read]).to_ascii_lowercase();
    assert!(answer.starts_with("http/1.1 303"), "{answer}");
    let said = format!("<td class=\"num\">{}</td>", ROWS - before);
    let page =
        until(&server, "/payments/import", &session, |page| page.replace(',', "").contains(&said)).await;
    assert!(page.contains("Every row was read"), "{page}");
    assert_eq!(payments().await, ROWS, "each row once");
}
