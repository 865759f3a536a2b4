//! Sample payments for the tests of the pages, built from the domain's own events, with fixed times and ids.

use std::sync::Arc;

use super::row::Names;
use crate::domain::bank_account::BankAccount;
use crate::domain::card::{Card, CardDetails, YearMonth};
use crate::domain::currency::Currency;
use crate::domain::decline::DeclineReason;
use crate::domain::event::{CancelReason, Event, Recorded, TechnicalError};
use crate::domain::ids::{AccountId, ClockId, PaymentId, RefundId};
use crate::domain::ledger::effects;
use crate::domain::money::Money;
use crate::domain::payment::Payment;
use crate::domain::submission::{CaptureMethod, Kind, Lane, Submission};
use crate::domain::time::Timestamp;
use crate::store::MovementRecord;

/// 2026-01-01T00:00:00Z, when every sample is created.
pub const START: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);

/// *Corner Coffee*, the account that views the pages.
pub fn viewer() -> AccountId {
    AccountId::from_bytes([1; 16])
}

/// Ada, who receives transfers.
pub fn ada() -> AccountId {
    AccountId::from_bytes([2; 16])
}

pub fn names() -> Names {
    Names::new([(viewer(), "Corner Coffee".to_owned()), (ada(), "Ada".to_owned())])
}

pub fn at_us(us: i64) -> Timestamp {
    Timestamp::from_micros(START.micros() + us)
}

fn card(number: &str) -> Card {
    let details = CardDetails { number, exp_month: 12, exp_year: 2030, cvc: Some("123") };
    Card::reduce(&details, &[7; 32], YearMonth { year: 2026, month: 1 }).expect("a test card")
}

/// A payment with this history; each event comes with its microseconds after [`START`].
pub fn payment(n: u8, kind: Kind, amount: Money, number: &str, events: &[(i64, Event)]) -> Payment {
    let submission = Submission {
        id: PaymentId::numbered(START, n.into()),
        owner: viewer(),
        kind,
        amount,
        capture: CaptureMethod::Automatic,
        lane: Lane::Interactive,
        draw_key: 1,
        description: (n % 2 == 1).then(|| "flat white & <cake>".to_owned()),
        metadata: vec![("order".to_owned(), "42".to_owned())],
        run: None,
        customer: None,
        clock: ClockId::WALL,
    };
    let from_wallet = kind.takes_from_wallet();
    let instrument = kind.instrument().or_else(|| Some(card(number).into()));
    let created = Event::Created { instrument, confirmed: true, reserved: from_wallet };
    let mut payment =
        Payment::open(Arc::new(submission), Recorded::on_wall(at_us(900), created)).expect("opens");
    for (us, event) in events {
        payment.apply(Recorded::on_wall(at_us(*us), *event)).expect("legal");
    }
    payment
}

/// The movements that a payment's history causes, as the store would return them.
pub fn movements(payment: &Payment) -> Vec<MovementRecord> {
    let mut movements = Vec::new();
    for version in 1..=payment.version() {
        let recorded = payment.history()[version as usize - 1];
        let before = payment.at_version(version - 1).or_else(|| payment.at_version(1)).expect("a version");
        for (n, movement) in (0..).zip(effects(&before, &recorded.event)) {
            let (payment, seq) = (payment.id(), u64::from(version));
            movements.push(MovementRecord { payment, version, n, movement, seq, place: u32::from(n) });
        }
    }
    movements
}

pub fn eur(minor: i64) -> Money {
    Money::new(minor, Currency::EUR)
}

fn started() -> (i64, Event) {
    (512_300, Event::Started { at: at_us(1_400) })
}

/// One payment of every status and kind that looks different on its page.
pub fn all() -> Vec<(&'static str, Payment)> {
    let refund = RefundId::from_bytes([9; 16]);
    let visa = "4242424242424242";
    let ok = (512_300, Event::SUCCEEDED);
    let yen = Money::new(1_250, "JPY".parse().expect("currency"));
    let dinar = Money::new(1_250, "KWD".parse().expect("currency"));
    let charge = |n, number, events: &[(i64, Event)]| payment(n, Kind::Charge, eur(1_250), number, events);
    vec![
        ("queued", charge(1, visa, &[])),
        ("succeeded", charge(2, visa, &[started(), ok])),
        (
            "declined",
            charge(
                3,
                "4000000000009995",
                &[started(), (512_300, Event::declined(DeclineReason::InsufficientFunds))],
            ),
        ),
        (
            "failed",
            charge(
                4,
                visa,
                &[
                    started(),
                    (
                        512_300,
                        Event::RetryScheduled { due_at: at_us(1_512_300), cause: TechnicalError::Timeout },
                    ),
                    (1_513_000, Event::Requeued {}),
                    (1_600_000, Event::Started { at: at_us(1_520_000) }),
                    (1_600_000, Event::failed(TechnicalError::Unavailable)),
                ],
            ),
        ),
        (
            "retrying",
            charge(
                5,
                visa,
                &[
                    started(),
                    (
                        512_300,
                        Event::RetryScheduled { due_at: at_us(5_512_300), cause: TechnicalError::Timeout },
                    ),
                ],
            ),
        ),
        ("requires_action", charge(6, "4000002760003184", &[started(), (512_300, Event::ActionRequired {})])),
        (
            "requires_capture",
            charge(
                7,
                visa,
                &[
                    started(),
                    (
                        512_300,
                        Event::Authorized {
                            amount_minor: 1_250,
                            capture_before: START.plus_ms(7 * 86_400_000),
                        },
                    ),
                ],
            ),
        ),
        (
            "challenged",
            charge(
                13,
                "4000002760003184",
                &[
                    started(),
                    (512_300, Event::ActionRequired {}),
                    (990_000_000, Event::ActionCompleted {}),
                    (990_700_000, Event::Started { at: at_us(990_002_000) }),
                    (990_700_000, Event::SUCCEEDED),
                ],
            ),
        ),
        (
            "partly_captured",
            charge(
                14,
                visa,
                &[
                    started(),
                    (
                        512_300,
                        Event::Authorized {
                            amount_minor: 1_250,
                            capture_before: START.plus_ms(7 * 86_400_000),
                        },
                    ),
                    (1_000_512_300, Event::CaptureQueued { amount_minor: 500 }),
                    (1_000_912_300, Event::captured(500)),
                ],
            ),
        ),
        (
            "partly_refunded",
            charge(
                8,
                visa,
                &[
                    started(),
                    ok,
                    (60_000_000, Event::RefundQueued { refund, amount_minor: 500, detail: None }),
                    (60_400_000, Event::refund_succeeded(refund)),
                ],
            ),
        ),
        (
            "canceled",
            charge(
                9,
                visa,
                &[
                    started(),
                    (512_300, Event::ActionRequired {}),
                    (9_000_000, Event::canceled(CancelReason::RequestedByCustomer)),
                ],
            ),
        ),
        ("topup", payment(10, Kind::TopUp, yen, visa, &[started(), ok])),
        ("transfer", payment(11, Kind::Transfer { payee: ada() }, eur(100_000), visa, &[started(), ok])),
        (
            "payout",
            payment(
                12,
                Kind::Payout { bank: BankAccount::Valid },
                dinar,
                visa,
                &[started(), (512_300, Event::Pending { settles_at: START.plus_ms(86_400_000) })],
            ),
        ),
    ]
}
