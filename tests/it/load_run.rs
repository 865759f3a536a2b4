//! How a load run ends when somebody stops it, and when its server dies: with its report, and an exit code that says whether
//! everything that was accepted came to rest.

use crate::support::binary::{Kind, on};

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_stopped_waits_for_what_is_open_and_reports() {
    on(Kind::Embedded, async |stack| {
        let server = stack.serve().await;
        let key = stack.api_key().await;
        let mut load = stack.load(&server.url, &key, 50, 3_000, &[]);
        load.wait_acknowledged(50).await;
        load.signal("INT");
        let (code, said, acks) = load.ended().await;
        assert_eq!(code, Some(0), "{said}");
        for words in ["rates     offered", "latency ms", "stopped   by a signal", "complete  every one of"] {
            assert!(said.contains(words), "{words}: {said}");
        }
        server.stop().await;
        stack.verify(&[&acks], true).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_server_dies_reports_what_is_missing() {
    on(Kind::Embedded, async |stack| {
        // Nothing comes to rest before the server dies.
        stack.set("simulator.latency_max_ms", 600_000);
        stack.set("simulator.latency_median_ms", 600_000);
        let mut server = stack.serve().await;
        let key = stack.api_key().await;
        let mut load = stack.load(&server.url, &key, 50, 3, &["--drain", "1s", "--mix", "charge=1"]);
        load.wait_acknowledged(20).await;
        server.kill();
        let (code, said, _) = load.ended().await;
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("INCOMPLETE") && said.contains("counts    sent"), "{said}");
    })
    .await;
}
