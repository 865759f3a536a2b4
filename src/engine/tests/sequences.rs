//! Abstract commands: they ask something of "the third payment there is", so that sequences shrink well.

use proptest::prelude::*;

use crate::domain::command::{AuthorizationResponse as Response, Raised, Verdict};
use crate::domain::decline::DeclineReason;
use crate::domain::event::TechnicalError;

/// Commands decided together, after some time has passed.
#[derive(Debug, Clone)]
pub struct Batch {
    pub advance_ms: u64,
    pub steps: Vec<Step>,
}

/// One command. Payments, operations and keys are named by number, taken modulo what there is.
#[derive(Debug, Clone)]
pub enum Step {
    Submit {
        owner: u8,
        kind: u8,
        amount_minor: i64,
        card: bool,
        manual: bool,
        confirm: bool,
        key: Option<u8>,
    },
    Operate {
        payment: usize,
        stranger: bool,
        action: Act,
        key: Option<u8>,
    },
    Answer {
        payment: usize,
        operation: usize,
        stale: bool,
        outcome: Response,
    },
    Timer {
        payment: usize,
    },
}

#[derive(Debug, Clone, Copy)]
pub enum Act {
    Confirm {
        card: bool,
    },
    Capture(Option<i64>),
    Cancel,
    Refund(Option<i64>),
    CompleteAction(bool),
    Replay,
    /// Of the charge: what the issuer does, and about how much.
    Dispute(Raised, Option<i64>),
    /// Of its newest dispute.
    Answer(Option<Verdict>),
    /// Its oldest open dispute.
    CloseDispute,
    /// Its newest refund.
    EndRefund(Option<DeclineReason>),
}

impl Step {
    pub fn charge(owner: u8, amount_minor: i64) -> Self {
        Self::Submit { owner, kind: 0, amount_minor, card: true, manual: false, confirm: true, key: None }
    }

    pub fn approve(payment: usize) -> Self {
        Self::Answer { payment, operation: 0, stale: false, outcome: Response::Approved }
    }

    pub fn with_key(mut self, raw: u8) -> Self {
        if let Self::Submit { key, .. } | Self::Operate { key, .. } = &mut self {
            *key = Some(raw);
        }
        self
    }
}

/// Small amounts, so that wallets run dry; now and then one that is out of range.
fn amount() -> impl Strategy<Value = i64> {
    prop_oneof![20 => 1..200_i64, 1 => Just(0), 1 => Just(-5), 1 => Just(100_000_000)]
}

fn key() -> impl Strategy<Value = Option<u8>> {
    prop_oneof![4 => Just(None), 1 => (0..4_u8).prop_map(Some)]
}

fn submit() -> impl Strategy<Value = Step> {
    let kind = prop_oneof![5 => Just(0), 2 => Just(1), 3 => Just(2), 3 => Just(3), 1 => Just(4)];
    let flags = (prop::bool::weighted(0.9), prop::bool::weighted(0.3), prop::bool::weighted(0.85));
    (0..3_u8, kind, amount(), flags, key()).prop_map(
        |(owner, kind, amount_minor, (card, manual, confirm), key)| Step::Submit {
            owner,
            kind,
            amount_minor,
            card,
            manual,
            confirm,
            key,
        },
    )
}

fn operate() -> impl Strategy<Value = Step> {
    let action = prop_oneof![
        2 => any::<bool>().prop_map(|card| Act::Confirm { card }),
        2 => prop::option::of(amount()).prop_map(Act::Capture),
        2 => Just(Act::Cancel),
        4 => prop::option::of(1..80_i64).prop_map(Act::Refund),
        1 => any::<bool>().prop_map(Act::CompleteAction),
        2 => Just(Act::Replay),
        4 => after_the_fact(),
    ];
    (0..12_usize, prop::bool::weighted(0.05), action, key())
        .prop_map(|(payment, stranger, action, key)| Step::Operate { payment, stranger, action, key })
}

/// What issuers, banks and merchants do about a charge that has succeeded.
pub fn after_the_fact() -> impl Strategy<Value = Act> {
    let verdicts = [Verdict::Wins, Verdict::Loses, Verdict::Escalates];
    prop_oneof![
        4 => (prop::sample::select(Raised::ALL.to_vec()), prop::option::of(1..120_i64))
            .prop_map(|(raised, amount_minor)| Act::Dispute(raised, amount_minor)),
        4 => prop::option::of(prop::sample::select(verdicts.to_vec())).prop_map(Act::Answer),
        1 => Just(Act::CloseDispute),
        3 => prop::option::of(Just(DeclineReason::ExpiredCard)).prop_map(Act::EndRefund),
    ]
}

/// One thing after another about a few charges, some of whose money is paid out or sent on in between.
pub fn orders() -> impl Strategy<Value = Vec<Batch>> {
    let act = prop_oneof![3 => after_the_fact(), 1 => prop::option::of(1..120_i64).prop_map(Act::Refund)];
    let operate = (0..3_usize, act).prop_map(|(payment, action)| Step::Operate {
        payment,
        stranger: false,
        action,
        key: None,
    });
    let spend = (0..2_u8, 2..4_u8, 1..150_i64).prop_map(|(owner, kind, amount_minor)| Step::Submit {
        owner,
        kind,
        amount_minor,
        card: false,
        manual: false,
        confirm: true,
        key: None,
    });
    let step = prop_oneof![
        8 => operate,
        2 => spend,
        1 => (0..2_u8, 1..300_i64).prop_map(|(owner, amount_minor)| Step::charge(owner, amount_minor)),
        5 => (0..8_usize, 0..3_usize).prop_map(|(payment, operation)| Step::Answer {
            payment,
            operation,
            stale: false,
            outcome: Response::Approved,
        }),
        2 => (0..3_usize).prop_map(|payment| Step::Timer { payment }),
    ];
    let advance = prop_oneof![9 => 0..3_000_u64, 2 => Just(6_000), 1 => Just(15 * 24 * 3_600 * 1_000)];
    let later = (advance, prop::collection::vec(step, 1..4))
        .prop_map(|(advance_ms, steps)| Batch { advance_ms, steps });
    let first = prop::collection::vec((0..2_u8, 20..300_i64), 3).prop_map(|charges| {
        let charges = charges.into_iter().map(|(owner, amount_minor)| Step::charge(owner, amount_minor));
        vec![
            Batch { advance_ms: 1, steps: charges.collect() },
            Batch { advance_ms: 1, steps: (0..3).map(Step::approve).collect() },
        ]
    });
    (first, prop::collection::vec(later, 1..14)).prop_map(|(mut first, later)| {
        first.extend(later);
        first
    })
}

fn outcome() -> impl Strategy<Value = Response> {
    let cause = prop::sample::select(vec![
        TechnicalError::Timeout,
        TechnicalError::Unavailable,
        TechnicalError::Malformed,
    ]);
    prop_oneof![
        6 => Just(Response::Approved),
        2 => prop::sample::select(DeclineReason::ALL.to_vec()).prop_map(Response::Declined),
        1 => Just(Response::ActionRequired),
        1 => (0..3_000_u64).prop_map(|settles_after_ms| Response::Pending { settles_after_ms }),
        3 => cause.prop_map(Response::TechnicalFailure),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let answer = (0..12_usize, 0..3_usize, prop::bool::weighted(0.15), outcome())
        .prop_map(|(payment, operation, stale, outcome)| Step::Answer { payment, operation, stale, outcome });
    prop_oneof![
        3 => submit(),
        4 => operate(),
        8 => answer,
        3 => (0..12_usize).prop_map(|payment| Step::Timer { payment }),
    ]
}

/// Batches of one to six commands, time passing between them.
pub fn batches() -> impl Strategy<Value = Vec<Batch>> {
    // Now and then past the deadline of a capture; too often, and nothing held would live to see its capture declined.
    let advance = prop_oneof![4 => 0..50_u64, 7 => 500..4_000_u64, 1 => Just(700_000)];
    let batch = (advance, prop::collection::vec(step(), 1..6))
        .prop_map(|(advance_ms, steps)| Batch { advance_ms, steps });
    prop::collection::vec(batch, 1..40)
}
