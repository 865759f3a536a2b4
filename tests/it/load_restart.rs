//! Load runs of the page in a server that ends: in order, and by kill -9. What they leave passes `verify`, and their reports say how far
//! they came.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::binary::{Draw, Kind, Server, eventually, lasting_port, on};

struct Api<'a> {
    url: &'a str,
    key: &'a str,
    http: reqwest::Client,
}

impl Api<'_> {
    fn runs(&self) -> String {
        format!("{}/v1/test_helpers/load_runs", self.url)
    }

    async fn start(&self, settings: &Value) -> String {
        let sent = self.http.post(self.runs()).bearer_auth(self.key).json(settings).send().await;
        let run: Value = sent.expect("an answer").json().await.expect("JSON");
        run["id"].as_str().unwrap_or_else(|| panic!("{run}")).to_owned()
    }

    async fn run(&self, id: &str) -> Value {
        let sent = self.http.get(format!("{}/{id}", self.runs())).bearer_auth(self.key).send().await;
        sent.expect("an answer").json().await.expect("JSON")
    }
}

async fn ended_twice(kind: Kind) {
    let mut draw = Draw::new("load-restart");
    on(kind, async |stack| {
        let reports = stack.data_dir().join("reports");
        stack.set("load.directory", reports.to_str().expect("a plain path"));
        let port = lasting_port(&mut draw);
        let mut server: Server = stack.serve_at(port).await;
        let key = stack.api_key().await;
        let (url, http) = (server.url.clone(), reqwest::Client::new());
        let api = Api { url: &url, key: &key, http };
        let long = json!({"rate": "50", "duration": "10m", "wallets": 2, "mix": "charge=1"});

        // To its end, by WebSocket and by HTTP.
        for transport in ["ws", "http"] {
            let settings = json!({"rate": "20", "duration": "1s", "wallets": 2, "mix": "charge=1", "transport": transport});
            let id = api.start(&settings).await;
            eventually("the run ends", async || api.run(&id).await["state"] == "finished").await;
            assert_eq!(api.run(&id).await["passed"], true);
        }
        let killed = api.start(&long).await;
        eventually("it is written down", async || {
            api.run(&killed).await["live"]["completed"].as_u64() > Some(50)
        })
        .await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        server.kill();
        server = stack.serve_at(port).await;
        let run = api.run(&killed).await;
        assert_eq!((&run["state"], &run["passed"]), (&json!("cut_off"), &json!(false)), "{run}");
        assert!(run["verdict"].as_str().expect("a verdict").starts_with("Cut off:"), "{run}");

        let stopped = api.start(&long).await;
        eventually("it completes some", async || {
            api.run(&stopped).await["live"]["completed"].as_u64() > Some(20)
        })
        .await;
        server.stop().await;
        server = stack.serve_at(port).await;
        let run = api.run(&stopped).await;
        assert_ne!(run["state"], "running", "{run}");
        assert!(run["verdict"].is_string(), "{run}");
        server.stop().await;
        stack.verify(&[], false).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_report_when_their_server_ends_embedded() {
    ended_twice(Kind::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_report_when_their_server_ends_real() {
    ended_twice(Kind::Real).await;
}
