//! What a server logs while its store is away and back again, three times under load: a line at the beginning of each
//! outage and one at its end, however many operations fail in between.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::support::binary::{Kind, eventually, on};

/// Stands between the server and MySQL, and can be cut like a wire.
struct Wire {
    address: String,
    target: String,
    cut: Option<CancellationToken>,
}

impl Wire {
    async fn new(target: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let mut wire = Self { address, target, cut: None };
        wire.carry(listener);
        wire
    }

    fn carry(&mut self, listener: TcpListener) {
        let (cut, target) = (CancellationToken::new(), self.target.clone());
        self.cut = Some(cut.clone());
        tokio::spawn(cut.run_until_cancelled_owned(async move {
            // Dropped with this task, and every connection with it.
            let mut connections = JoinSet::new();
            while let Ok((mut here, _)) = listener.accept().await {
                let target = target.clone();
                connections.spawn(async move {
                    let mut there = TcpStream::connect(target).await?;
                    tokio::io::copy_bidirectional(&mut here, &mut there).await
                });
            }
        }));
    }

    fn cut(&mut self) {
        self.cut.take().expect("it is whole").cancel();
    }

    async fn repair(&mut self) {
        let listener = loop {
            match TcpListener::bind(&self.address).await {
                Ok(listener) => break listener,
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        };
        self.carry(listener);
    }
}

/// Lines of the log that hold these words.
fn lines(log: &str, words: &str) -> usize {
    log.lines().filter(|line| line.contains(words)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_the_store_is_logged_when_it_begins_and_when_it_ends() {
    on(Kind::Real, async |stack| {
        let mut url = url::Url::parse(&stack.database_url()).expect("a URL");
        let target = format!("{}:{}", url.host_str().expect("a host"), url.port().unwrap_or(3_306));
        let mut wire = Wire::new(target).await;
        url.set_port(wire.address.rsplit(':').next().and_then(|port| port.parse().ok())).expect("a port");
        url.set_host(Some("127.0.0.1")).expect("a host");
        // Else the client would find the server's socket and leave the wire.
        url.set_query(Some("prefer_socket=false"));
        stack.set("store.url", url);
        let server = stack.serve().await;
        let key = stack.api_key().await;
        let client = Arc::new(reqwest::Client::builder().no_proxy().build().expect("a client"));
        let pay = async || {
            let request = client.post(format!("{}/v1/payment_intents", server.url)).bearer_auth(&key);
            let body =
                json!({"amount": 100, "currency": "eur", "payment_method": "pm_card_visa", "confirm": true});
            request.json(&body).send().await.expect("an answer").status().as_u16()
        };
        assert_eq!(pay().await, 200);
        for round in 1..=3 {
            wire.cut();
            eventually("the store is away", async || pay().await == 503).await;
            // Many callers, each of whom is refused.
            for _ in 0..10 {
                let answers = futures_util::future::join_all((0..20).map(|_| pay())).await;
                assert!(answers.iter().all(|status| *status == 503), "{answers:?}");
            }
            wire.repair().await;
            eventually("payments are taken again", async || pay().await == 200).await;
            eventually("the end is logged", async || {
                lines(&server.logged(), "the store works again") == round
            })
            .await;
            assert_eq!(lines(&server.logged(), "the store is failing"), round);
        }
        let log = server.logged();
        assert!(
            lines(&log, "WARN") + lines(&log, "ERROR") <= 3 + 3,
            "an outage is one warning, or one a minute:\n{log}"
        );
        server.stop().await;
    })
    .await;
}
