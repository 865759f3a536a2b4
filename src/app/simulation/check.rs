//! Checks the store, the index and the clients' memory once everything rests.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Outlives;
use super::clocks;
use super::index::SimIndexView;
use super::operations;
use super::store::{Data, SimSnapshot};
use crate::audit::index::Current;
use crate::audit::{AuditError, AuditOptions, IndexSide, audit};
use crate::domain::announcement::announced;
use crate::domain::announcement_kind::AnnouncementKind as It;
use crate::domain::dispute::Dispute;
use crate::domain::event::{Event, Recorded};
use crate::domain::ids::PaymentId;
use crate::domain::ledger::Holdings;
use crate::domain::payment::{Payment, RefundStatus};
use crate::domain::statement::{LinePlace, drafts};
use crate::domain::status::Status;
use crate::domain::submission::Kind;
use crate::domain::wallet::WalletId;
use crate::engine::journal;
use crate::readers::{CURSORS, open_work};

/// The payments as they are.
struct Now<'a>(&'a Data);

#[async_trait::async_trait]
impl Current for Now<'_> {
    async fn payments(&self, ids: &[PaymentId]) -> Result<Vec<Payment>, AuditError> {
        Ok(ids.iter().filter_map(|id| self.0.payments.get(id).cloned()).collect())
    }
}

/// Every violation, in words.
pub async fn check(world: &Outlives) -> Vec<String> {
    let data = world.data.lock().clone();
    let mut wrong = audited(world, &data).await;
    wrong.extend(promises(world, &data));
    wrong.extend(wallets(&data));
    wrong.extend(statements(&data));
    wrong.extend(events(&data));
    wrong.extend(sources(&data));
    wrong.extend(operations::check(&world.book.lock().operations, &data));
    wrong.extend(world.book.lock().customers.check(&data));
    wrong.extend(world.book.lock().wrong.iter().cloned());
    wrong.extend(clocks::check(&data));
    wrong.extend(data.stale.iter().cloned());
    wrong.extend(never_were(world, &data));
    wrong.extend(readers(&data));
    wrong
}

/// What `verify` says.
async fn audited(world: &Outlives, data: &Data) -> Vec<String> {
    let options = AuditOptions { at_rest: true, index_lag: Duration::ZERO, ..AuditOptions::default() };
    let mut view = SimIndexView(world.documents.lock().clone());
    let current = Now(data);
    let side = IndexSide { view: &mut view, current: &current };
    match audit(&mut SimSnapshot(data.clone()), Some(side), None, &options).await {
        Ok(report) if report.passed() => Vec::new(),
        Ok(report) => vec![report.to_string()],
        Err(error) => vec![error.to_string()],
    }
}

/// The answers that clients received are true.
fn promises(world: &Outlives, data: &Data) -> Vec<String> {
    let book = world.book.lock();
    let mut wrong = Vec::new();
    for (id, version) in &book.acked {
        match data.payments.get(id) {
            None => wrong.push(format!("acknowledged {id} does not exist")),
            Some(payment) if payment.version() < *version => {
                wrong.push(format!(
                    "{id} was acknowledged at version {version}, and is at {}",
                    payment.version()
                ));
            }
            Some(payment) if !payment.state().status.is_at_rest() => {
                wrong.push(format!("acknowledged {id} is {}", payment.state().status.as_str()));
            }
            Some(_) => {}
        }
    }
    let denied = book.denied.iter().filter(|id| data.payments.contains_key(id));
    wrong.extend(denied.map(|id| format!("{id} exists, and a caller was told that nothing was done")));
    for (key, keyed) in &book.keys {
        let made: Vec<_> = keyed.ids.iter().filter(|id| data.payments.contains_key(id)).collect();
        if made.len() > 1 || keyed.answers.iter().any(|answer| made != [answer]) {
            wrong.push(format!("key {key} made {made:?} and was answered with {:?}", keyed.answers));
        }
    }
    wrong
}

/// States that someone was shown and that no batch ended with.
fn never_were(world: &Outlives, data: &Data) -> Vec<String> {
    let book = world.book.lock();
    let shown = book.shown.iter().filter(|shown| !data.ends.contains(shown));
    shown.map(|(id, version)| format!("{id} was shown at version {version}, which never was")).collect()
}

/// Balances from what became of each payment, without the ledger's own rule: an effect per success, refund, dispute and payout.
fn wallets(data: &Data) -> Vec<String> {
    let mut truth: BTreeMap<WalletId, i64> = BTreeMap::new();
    for payment in data.payments.values() {
        let (submission, state) = (payment.submission(), payment.state());
        let amount_minor = submission.amount.amount_minor;
        let own = truth.entry(submission.own_wallet()).or_default();
        match (submission.kind, state.status) {
            (Kind::Charge | Kind::TopUp, _) => *own += state.received_minor - state.fee_minor,
            (Kind::Transfer { .. } | Kind::Payout { .. }, Status::Succeeded) => *own -= amount_minor,
            (Kind::Transfer { .. } | Kind::Payout { .. }, _) => {}
        }
        let refunds = state.refunds.iter().filter(|refund| !matches!(refund.status, RefundStatus::Failed(_)));
        *own -= refunds.map(|refund| refund.amount_minor).sum::<i64>();
        *own -= state.disputes.iter().map(Dispute::cost_minor).sum::<i64>();
        if let (Some(payee), Status::Succeeded) = (submission.payee_wallet(), state.status) {
            *truth.entry(payee).or_default() += amount_minor;
        }
    }
    let differs = |(wallet, wanted): (&WalletId, &i64)| {
        let stored = data.wallets.get(wallet).map_or(0, Holdings::net_minor);
        (stored != *wanted).then(|| format!("{wallet:?} holds {stored}, its payments come to {wanted}"))
    };
    truth.iter().filter_map(differs).collect()
}

/// Lines worked out from histories and movements alone are the lines that the reader wrote, and the last of each wallet is what
/// its owner has.
fn statements(data: &Data) -> Vec<String> {
    let mut wanted = BTreeMap::new();
    for payment in data.payments.values() {
        for draft in drafts(payment, 1..payment.version() + 1) {
            let id = draft.id();
            if let Some(made) = data.movements.get(&(id.payment, id.version, draft.n)) {
                let place = LinePlace { seq: made.seq, place: made.place };
                wanted.insert((draft.wallet(), place), draft.at(place));
            }
        }
    }
    let mut balances: BTreeMap<WalletId, i64> = BTreeMap::new();
    for ((wallet, _), line) in &mut wanted {
        let balance = balances.entry(*wallet).or_default();
        *balance += line.net_minor();
        line.balance_minor = *balance;
    }
    let mut wrong: Vec<String> = balances
        .iter()
        .filter_map(|(wallet, balance)| {
            let held = data.wallets.get(wallet).map_or(0, Holdings::net_minor);
            (held != *balance).then(|| format!("{wallet:?} holds {held}, its statement ends with {balance}"))
        })
        .collect();
    for place in wanted.keys().chain(data.lines.keys()) {
        let (wanted, written) = (wanted.get(place), data.lines.get(place));
        if wanted != written {
            wrong.push(format!("a line is {written:?}, and should be {wanted:?}"));
        }
    }
    wrong
}

/// What was announced is what the histories say, all of it and once.
fn events(data: &Data) -> Vec<String> {
    let payments = data.payments.values();
    let wanted: BTreeSet<_> = payments
        .flat_map(|payment| {
            let owner = payment.owner();
            announced(payment, 1..payment.version() + 1).into_iter().map(move |event| (owner, event))
        })
        .collect();
    let stored: BTreeSet<_> =
        data.events.iter().filter(|(_, event)| event.id.subject.payment().is_some()).copied().collect();
    let differs = wanted.symmetric_difference(&stored);
    let differs = differs.map(|event| format!("{event:?} is announced or should be, not both"));
    differs.chain(resource_events(data)).collect()
}

/// Each change of a customer was announced, and each advance of a clock has its beginning and its end.
fn resource_events(data: &Data) -> Vec<String> {
    let mut wrong = Vec::new();
    for (subject, (resource, _)) in &data.resources {
        let events: Vec<_> = data
            .events
            .iter()
            .filter(|(owner, event)| (*owner, event.id.subject) == (resource.owner, *subject))
            .map(|(_, event)| event.kind)
            .collect();
        let count = |wanted| events.iter().filter(|kind| **kind == wanted).count();
        let sound = match subject.clock() {
            Some(_) => {
                let ways = count(It::ClockAdvancing) - count(It::ClockReady).min(count(It::ClockAdvancing));
                let gone = usize::from(resource.body.is_none());
                ways <= 1 && (count(It::ClockCreated), count(It::ClockDeleted)) == (1, gone)
            }
            None => events.len() == resource.version as usize,
        };
        if !sound {
            wrong.push(format!("{resource:?} was announced as {events:?}"));
        }
    }
    wrong
}

/// Each request caused something once, however often its batch was tried, and nothing that comes with time.
fn sources(data: &Data) -> Vec<String> {
    let mut requests = BTreeSet::new();
    let mut wrong = Vec::new();
    for source in data.sources.values() {
        if let Some(origin) = &source.origin
            && !requests.insert(origin.request)
        {
            wrong.push(format!("{} brought about two things", origin.request));
        }
        let Some(payment) = source.subject.payment() else { continue };
        let payment = data.payments.get(&payment);
        let first = payment.and_then(|payment| payment.history().get(source.version as usize - 1));
        let by_caller = |recorded: &&Recorded| match recorded.event {
            Event::Created { .. }
            | Event::Confirmed { .. }
            | Event::ActionCompleted {}
            | Event::Replayed { .. }
            | Event::CancelRequested { .. }
            | Event::CaptureQueued { .. }
            | Event::VoidQueued { .. }
            | Event::RefundQueued { .. }
            | Event::OperationReplayed { .. }
            | Event::Amended { .. }
            | Event::DisputeOpened { .. }
            | Event::DisputeNoted { .. }
            | Event::DisputeClosed { .. }
            | Event::FraudWarned { .. }
            | Event::RefundSucceeded { .. }
            | Event::RefundFailed { .. } => true,
            // A failed challenge, a payment canceled at once.
            Event::Declined { .. } | Event::Canceled { .. } => true,
            _ => false,
        };
        let placed = |recorded: &&Recorded| (recorded.at, recorded.wall) == (source.at, source.wall);
        if !first.is_some_and(|first| placed(&first) && by_caller(&first)) {
            wrong.push(format!("{source:?} stands beside {first:?}"));
        }
    }
    wrong
}

/// At any moment, whatever was lost with the process: the table and the journal beyond the cursor show exactly what is
/// open.
pub fn open_work(data: &Data) -> Option<String> {
    let cursor = data.readers.get(open_work::NAME).map_or(0, |reader| reader.position);
    let mut listed = data.open_work.clone();
    for row in data.journal.range(cursor + 1..).map(|(_, row)| row) {
        for entry in journal::decode_changes(&row.body).expect("readable") {
            match entry.open {
                Some(true) => listed.insert(entry.payment),
                Some(false) => listed.remove(&entry.payment),
                None => true,
            };
        }
    }
    let open: BTreeSet<PaymentId> = data.open_payments().map(|(payment, _)| payment).collect();
    (listed != open).then(|| format!("beyond {cursor} {listed:?} are listed as open, and {open:?} are"))
}

/// Every reader has come to the head.
fn readers(data: &Data) -> Vec<String> {
    let cursor = |name: &str| data.readers.get(name).map_or(0, |reader| reader.position);
    let behind = CURSORS.into_iter().filter(|name| cursor(name) != data.head);
    behind.map(|name| format!("{name} is at {}, the head at {}", cursor(name), data.head)).collect()
}
