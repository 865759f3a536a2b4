//! Test clocks of the simulation: created, set forward, run, frozen and deleted by their owners and by others; customers
//! follow them. Once everything has to come to rest, those that are left run.

use std::sync::Arc;
use std::time::Duration;

use super::chance::Chance;
use super::clients::{Person, account};
use super::store::Data;
use crate::domain::clock::{Clock, ClockPatch, ClockStatus, Rate};
use crate::domain::event::{CancelReason, Event};
use crate::domain::ids::ClockId;
use crate::domain::payment::Payment;
use crate::domain::resource::{Body, Change, ChangeResource, Patch, Resource};
use crate::domain::subject::Subject;
use crate::domain::time::Timestamp;
use crate::engine::Engine;

/// When the simulation begins, in microseconds of wall-clock time.
pub const BEGIN_US: i64 = 1_769_817_600_000_000;
const CLOCKS_MAX: usize = 4;
/// How often clocks are asked to run.
const ASKED_MAX: u32 = 1_000;

/// One thing that one person does to a clock now.
pub async fn act(person: Person) {
    let (request, name) = {
        let mut book = person.book.lock();
        let id = book.id(&person.chance);
        let request = choose(&mut book.clocks, &person.chance, id);
        let name = format!("{:?} {}", request.change, request.subject);
        (request, name)
    };
    let outcome = person.engine.change(request).await;
    person.book.lock().log.push(format!("{name}: {outcome:?}"));
}

fn choose(known: &mut Vec<ClockId>, chance: &Chance, id: [u8; 16]) -> ChangeResource {
    let near = |spread_ms: u64| Timestamp::from_micros(BEGIN_US).plus_ms(chance.below(spread_ms));
    let (subject, change) = match chance.pick(known) {
        Some(&clock) if known.len() >= CLOCKS_MAX || chance.percent(70) => {
            let patch = |patch| Change::Update(Patch::Clock(patch));
            let change = match chance.below(10) {
                0 => Change::Delete,
                1 => patch(ClockPatch::SetRate(Rate::Frozen)),
                2 => patch(ClockPatch::SetRate(Rate::Times(1))),
                3 => patch(ClockPatch::SetRate(Rate::Times(20))),
                _ => patch(ClockPatch::Advance(near(60_000))),
            };
            (clock.into(), change)
        }
        Some(_) | None => {
            let clock = ClockId::from_bytes(id);
            known.push(clock);
            let body = Body::Clock(Clock::frozen(None, Timestamp::from_micros(BEGIN_US), near(10_000)));
            (Subject::from(clock), Change::Create { clock: ClockId::WALL, body: Box::new(body) })
        }
    };
    ChangeResource { subject, actor: account(chance.below(3)), change, answer: None, idempotency: None }
}

/// Makes every clock run that is left, so that what is due on it happens.
pub async fn run_all(engine: &Engine, data: &parking_lot::Mutex<Data>) {
    // A clock that waits indefinitely shows in what does not come to rest.
    for _ in 0..ASKED_MAX {
        let still: Vec<ChangeResource> = {
            let data = data.lock();
            let stands = |clock: &Clock| !clock.moves() || clock.status() != ClockStatus::Ready;
            let clocks = data
                .resources
                .values()
                .filter(|(resource, _)| matches!(&resource.body, Some(Body::Clock(clock)) if stands(clock)));
            let runs = |(resource, _): &(Arc<Resource>, u64)| ChangeResource {
                subject: resource.subject,
                actor: resource.owner,
                change: Change::Update(Patch::Clock(ClockPatch::SetRate(Rate::Times(20)))),
                answer: None,
                idempotency: None,
            };
            clocks.map(runs).collect()
        };
        if still.is_empty() {
            return;
        }
        for change in still {
            // Refused while the clock advances.
            let _ = engine.change(change).await;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// A payment that follows an existing clock lapses no earlier than its deadline, however the clock got there.
pub fn check(data: &Data) -> Vec<String> {
    let there = |payment: &&Payment| {
        let clock = data.resources.get(&Subject::from(payment.clock()));
        clock.is_some_and(|(resource, _)| resource.body.is_some())
    };
    let mut wrong = Vec::new();
    for payment in data.payments.values().filter(there) {
        for (version, recorded) in (1..).zip(payment.history()) {
            let Event::Canceled { reason: CancelReason::Expired, .. } = recorded.event else { continue };
            let before = payment.at_version(version - 1);
            let deadline = before.and_then(|before| before.capture_deadline());
            if deadline.is_none_or(|deadline| recorded.at < deadline) {
                wrong.push(format!("{} lapsed at {:?}, not at {deadline:?}", payment.id(), recorded.at));
            }
        }
    }
    wrong
}
