//! Collects the keys of what must be loaded before a batch is decided.

use super::{CallerCommand, Commands};
use crate::domain::command::{PaymentCommand, SystemCommand};
use crate::domain::resource::{Body, Change, ChangeResource};
use crate::domain::subject::Subject;
use crate::store::BatchKeys;

/// The keys that deciding these commands needs loaded.
#[must_use]
pub fn keys_of(commands: &Commands<'_>) -> BatchKeys {
    let mut keys = BatchKeys::default();
    for command in &commands.system {
        add_system(&mut keys, command);
    }
    for command in &commands.callers {
        match command {
            CallerCommand::Payment(asked) => add_payment(&mut keys, &asked.command),
            CallerCommand::Change(asked) => add_change(&mut keys, &asked.command),
        }
    }
    keys.payments.sort_unstable();
    keys.payments.dedup();
    keys.resources.sort_unstable();
    keys.resources.dedup();
    keys.idempotency.sort_unstable();
    keys.idempotency.dedup();
    keys
}

fn add_system(keys: &mut BatchKeys, command: &SystemCommand) {
    match command {
        SystemCommand::AuthorizationAnswered(answer) => keys.payments.push(answer.work.payment),
        SystemCommand::FollowUpAnswered(answer) => keys.payments.push(answer.work.payment),
        SystemCommand::TimerDue(payment) => keys.payments.push(*payment),
        SystemCommand::DriveClock(drive) => {
            keys.resources.push(drive.clock.into());
            keys.accounts.push(drive.owner);
        }
    }
}

fn add_payment(keys: &mut BatchKeys, command: &PaymentCommand) {
    keys.idempotency.extend(command.idempotency().map(|key| key.key));
    keys.resources.extend(command.resource());
    match command {
        PaymentCommand::Submit(submit) => {
            let submission = &submit.submission;
            keys.accounts.push(submission.owner);
            keys.accounts.extend(submission.payee_wallet().map(|wallet| wallet.owner));
            if submission.kind.takes_from_wallet() {
                keys.wallets.push(submission.own_wallet());
            }
        }
        PaymentCommand::Amend(amend) => keys.payments.push(amend.payment),
        PaymentCommand::Operate(operate) => keys.payments.push(operate.payment),
    }
}

fn add_change(keys: &mut BatchKeys, change: &ChangeResource) {
    keys.idempotency.extend(change.idempotency.map(|key| key.key));
    keys.resources.push(change.subject);
    keys.accounts.push(change.actor);
    if let Change::Create { clock, body } = &change.change {
        keys.clocks.push(*clock);
        keys.clock_owners.extend(matches!(**body, Body::Clock(_)).then_some(change.actor));
    }
}

impl CallerCommand<'_> {
    /// What the command is about, and what else it names.
    pub fn subjects(&self) -> impl Iterator<Item = Subject> {
        let (subject, named) = match self {
            Self::Payment(asked) => (asked.command.payment().into(), asked.command.resource()),
            Self::Change(asked) => (asked.command.subject, None),
        };
        std::iter::once(subject).chain(named)
    }
}
