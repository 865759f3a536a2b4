//! The index rebuilt beside a server that goes on taking payments.

use crate::support::binary::{Kind, counted, on};

async fn rebuilt_under_load(kind: Kind) {
    on(kind, async |stack| {
        stack.set("simulator.latency_median_ms", 50);
        let server = stack.serve().await;
        let key = stack.api_key().await;
        let mut load = stack.load(&server.url, &key, 100, 8, &[]);
        load.wait_acknowledged(200).await;
        let generation = || stack.index_generation();
        let before = generation();
        let (status, text) = stack.run(&["reindex"], "").await;
        println!("{kind:?}: {text}");
        assert!(status.success(), "reindex: {text}");
        assert!(before.is_none() || before != generation(), "{before:?} still serves");
        let (_, acks) = load.finish_clean().await;
        let summary = stack.verify(&[&acks], false).await;
        assert_eq!(counted(&summary, "payments"), counted(&summary, "acknowledged"), "{summary}");
        server.stop().await;
        stack.verify(&[&acks], true).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_is_rebuilt_under_load_embedded() {
    rebuilt_under_load(Kind::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_is_rebuilt_under_load_real() {
    rebuilt_under_load(Kind::Real).await;
}
