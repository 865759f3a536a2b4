//! Decides the system's commands: acquirers' answers, due timers, and the steps of test clocks. None is refused; a stale one
//! changes nothing.

use super::changes::Announced;
use super::clocked;
use super::state::BatchState;
use crate::domain::clock::DriveClock;
use crate::domain::command::SystemCommand;
use crate::domain::context::{Context, Events};
use crate::domain::ids::PaymentId;
use crate::domain::payment::Payment;
use crate::domain::{decide, resource};
use crate::engine::answer::SystemError;

impl BatchState<'_> {
    /// Decides a command of the system. Returns the version of its subject right after it.
    pub fn decide_system(&mut self, command: &SystemCommand) -> Result<u32, SystemError> {
        match command {
            SystemCommand::AuthorizationAnswered(answer) => self
                .answered(answer.work.payment, |context, payment| {
                    decide::authorization_answered(context, payment, answer)
                }),
            SystemCommand::FollowUpAnswered(answer) => self
                .answered(answer.work.payment, |context, payment| {
                    decide::follow_up_answered(context, payment, answer)
                }),
            SystemCommand::TimerDue(payment) => self.timer_due(*payment),
            SystemCommand::DriveClock(drive) => self.drive_clock(drive),
        }
    }

    fn answered(
        &mut self,
        id: PaymentId,
        rule: impl FnOnce(&Context<'_>, &Payment) -> Events,
    ) -> Result<u32, SystemError> {
        self.advance(id, Self::moment_of, |context, payment| Ok(rule(context, payment)))
    }

    /// Decides what is due on a payment.
    fn timer_due(&mut self, id: PaymentId) -> Result<u32, SystemError> {
        let moment = |state: &Self, payment: &Payment| {
            clocked::moment_due(state.clock_of(payment), payment, state.wall)
        };
        self.advance(id, moment, |context, payment| Ok(decide::timer_due(context, payment)))
    }

    /// Decides what the program does to a clock, which itself follows the wall clock.
    fn drive_clock(&mut self, drive: &DriveClock) -> Result<u32, SystemError> {
        let (subject, owner, at) = (drive.clock.into(), drive.owner, self.wall);
        self.readable(subject)?;
        let changed = self.resources.change(
            subject,
            |current| resource::drive(at, current, drive).ok_or(SystemError::Missing(subject)),
            |_| Ok(()),
        )?;
        let version = changed.version;
        if let Some(states) = changed.states {
            self.announce(Announced { owner, subject, version, at, states }, None);
        }
        Ok(version)
    }
}
