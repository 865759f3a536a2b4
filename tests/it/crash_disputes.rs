//! kill -9 while charges are disputed and refunds wait or come back, with the money paid out meanwhile: everything that follows a
//! charge happens exactly once, and the books are exact.

use std::time::Duration;

use paystorm::domain::consequences;
use paystorm::domain::payment::Payment;
use paystorm::domain::state::RefundStatus;
use paystorm::domain::status::Status;
use paystorm::domain::submission::Kind as PaymentKind;
use paystorm::domain::test_cards::Consequence;

use crate::support::binary::{Draw, Kind, lasting_port, on};

const RATE: u32 = 200;
const CARDS: &str = "visa=2,createDispute=4,createMultipleDisputes=2,createDisputeInquiry=1,createIssuerFraudRecord=1,refundFail=2,pendingRefund=2";
/// How often the stopped server's store is looked at until nothing is outstanding.
const LOOKS_MAX: u32 = 60;

/// What became of the charges, and what is still to come.
#[derive(Debug, Default)]
struct Aftermath {
    outstanding: usize,
    disputes: usize,
    warnings: usize,
    returned: usize,
    paid_out: usize,
}

impl Aftermath {
    fn count(&mut self, payment: &Payment) {
        let state = payment.state();
        let open = state
            .refunds
            .iter()
            .filter(|refund| refund.status == RefundStatus::Pending || refund.comes_back_at().is_some());
        self.outstanding += open.count() + usize::from(payment.consequence_at().is_some());
        self.disputes += state.disputes.len();
        self.warnings += state.warnings.len();
        self.returned += state.refunds.iter().filter(|refund| refund.came_back).count();
        self.paid_out += usize::from(
            matches!(payment.submission().kind, PaymentKind::Payout { .. })
                && state.status == Status::Succeeded,
        );
        let most = match consequences::of(payment) {
            Some(Consequence::MultipleDisputes) => 2,
            Some(Consequence::DisputeFraudulent | Consequence::Inquiry) => 1,
            Some(_) | None => 0,
        };
        assert!(state.disputes.len() <= most, "disputed too often: {:?}", payment.history());
        // Refunded in full before its time had come, a charge is not disputed.
        let whole = state.refunds.is_empty() && state.status == Status::Succeeded;
        if whole && payment.consequence_at().is_none() {
            assert_eq!(state.disputes.len(), most, "{:?}", payment.history());
        }
    }
}

async fn killed_among_disputes(kind: Kind) {
    let mut draw = Draw::new("crash-disputes");
    on(kind, async |stack| {
        stack.set("simulator.latency_median_ms", 20);
        stack.set("store.checkpoint_pages", 200);
        let port = lasting_port(&mut draw);
        let mut server = stack.serve_at(port).await;
        let key = stack.api_key().await;
        let rate = RATE.to_string();
        let mut arguments = vec!["--rate", &rate, "--for", "6s", "--drain", "90s", "--wallets", "8"];
        arguments.extend(["--mix", "charge=60,payout=20,refund=20", "--cards", CARDS]);
        let mut load = stack.load_with(&server.url, &key, &arguments);
        for acknowledged in [300, 700] {
            load.wait_acknowledged(acknowledged).await;
            tokio::time::sleep(Duration::from_millis(draw.below(800))).await;
            server.kill();
            server = stack.serve_at(port).await;
        }
        let (report, acks) = load.finish().await;
        // What the issuer took cannot be refunded as well; nothing else was refused, and nothing was lost.
        let refused = &report["errors_by_code"]["charge_disputed"];
        assert_eq!(refused.as_u64().unwrap_or(0), report["errors"].as_u64().expect("a number"), "{report:#}");
        assert_eq!((&report["unknown"], &report["unsettled"]), (&0.into(), &0.into()), "{report:#}");

        let mut looks = 0;
        let after = loop {
            server.stop().await;
            let mut after = Aftermath::default();
            stack.each_payment(|payment| after.count(payment)).await;
            if after.outstanding == 0 {
                break after;
            }
            looks += 1;
            assert!(looks < LOOKS_MAX, "still outstanding: {after:?}");
            server = stack.serve_at(port).await;
            tokio::time::sleep(Duration::from_secs(1)).await;
        };
        println!("{kind:?}: {after:?}");
        assert!(
            after.disputes > 100 && after.warnings > 10 && after.returned > 5 && after.paid_out > 50,
            "{after:?}"
        );
        stack.verify(&[&acks], true).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_follows_a_charge_happens_once_whatever_crashes_embedded() {
    killed_among_disputes(Kind::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_follows_a_charge_happens_once_whatever_crashes_real() {
    killed_among_disputes(Kind::Real).await;
}
