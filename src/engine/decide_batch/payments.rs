//! Decides callers' commands about payments: new ones, operations on them, and amendments.

use std::sync::Arc;

use super::clocked;
use super::decision::PaymentDecision;
use super::idempotency;
use super::state::BatchState;
use super::touched::TouchedPayment;
use crate::domain::amendment::{self, AmendPayment};
use crate::domain::clock::Clock;
use crate::domain::command::{Asked, OperatePayment, PaymentCommand, SubmitPayment};
use crate::domain::context::no_such_customer;
use crate::domain::event::Recorded;
use crate::domain::ids::{AccountId, ClockId, PaymentId};
use crate::domain::origin::Origin;
use crate::domain::payment::Payment;
use crate::domain::rejection::{Rejection, RejectionKind};
use crate::domain::submission::Submission;
use crate::domain::terms::Terms;
use crate::domain::{decide, operate};
use crate::engine::answer::EngineError;
use crate::store::{CustomerPaymentRecord, DetailRecord, EventSource, IdempotencyRecord};

impl BatchState<'_> {
    /// Decides a caller's command about a payment.
    pub fn decide_payment(&mut self, asked: &Asked) -> Result<PaymentDecision, EngineError> {
        let command = &asked.command;
        let (owner, id) = (command.actor(), command.payment());
        if let Some(key) = command.idempotency()
            && let Some(record) = self.keys.find(key, owner)?
        {
            return Ok(replayed(record)?);
        }
        let before =
            asked.origin.as_ref().and_then(|_| self.touched.get(&id)).map_or(0, TouchedPayment::version);
        let version = match command {
            PaymentCommand::Submit(submit) => self.submit(submit)?,
            PaymentCommand::Operate(operate) => self.operate(operate)?,
            PaymentCommand::Amend(amend) => self.amend(amend)?,
        };
        if let Some(key) = command.idempotency() {
            self.keys.remember(key, owner, (id.into(), version), None, self.wall);
        }
        if let Some(origin) = &asked.origin {
            self.note_source(owner, origin, id, before.saturating_add(1));
        }
        Ok(PaymentDecision { id, version, replayed: false })
    }

    fn submit(&mut self, submit: &SubmitPayment) -> Result<u32, EngineError> {
        let id = submit.submission.id;
        if self.touched.contains_key(&id) {
            let message = "This id is taken.";
            return Err(Rejection::new(RejectionKind::Conflict, "resource_already_exists", message).into());
        }
        let clock = self.clock_of_submission(&submit.submission)?;
        let moment = clocked::moment(clock.map(|(_, clock)| clock), None, self.wall);
        let clock = clock.map_or(ClockId::WALL, |(id, _)| id);
        let opening = self.ask(moment, |context| decide::submit(context, submit))?;
        let scenario = self.books.account(submit.submission.owner).scenario;
        let recorded = Recorded { at: moment.at, wall: moment.wall, event: opening.created, scenario };
        let submission = Submission { clock, ..submit.submission.clone() };
        let payment = Payment::open(Arc::new(submission), recorded).map_err(|error| self.break_off(error))?;
        self.books.book(&payment, &opening.created, 1).map_err(|error| self.break_off(error))?;
        self.touched.insert(id, TouchedPayment::created(payment));
        self.order.push(id);
        Ok(self.apply(id, moment, opening.declined)?)
    }

    /// The clock that a new payment follows; `None` for the wall clock, and where its account's clock is gone.
    fn clock_of_submission(&self, submission: &Submission) -> Result<Option<(ClockId, &Clock)>, EngineError> {
        if let Some(customer) = submission.customer {
            self.readable(customer.into())?;
        }
        let named = clocked::of_submission(&self.books, &self.resources, submission);
        self.readable(named.into())?;
        let clock = self.ready_clock(submission.owner, named)?;
        match (clock, submission.customer) {
            (Some(clock), _) => Ok(Some((named, clock))),
            (None, Some(customer)) if !named.is_wall() => Err(no_such_customer(customer).into()),
            (None, Some(_) | None) => Ok(None),
        }
    }

    /// Decides an operation on a payment, which must wait while the payment's clock is being advanced.
    fn operate(&mut self, operate: &OperatePayment) -> Result<u32, EngineError> {
        self.clock_ready(operate.payment, operate.actor)?;
        self.advance(operate.payment, Self::moment_of, |context, payment| {
            operate::operate(context, payment, operate).map_err(EngineError::from)
        })
    }

    /// Decides an amendment of a payment.
    fn amend(&mut self, amend: &AmendPayment) -> Result<u32, EngineError> {
        let id = amend.payment;
        if let Some(customer) = amend.patch.customer {
            self.readable(customer.into())?;
        }
        self.clock_ready(id, amend.actor)?;
        let before = self.touched.get(&id).and_then(|touched| touched.payment.customer());
        let mut terms = None;
        let version = self.advance(id, Self::moment_of, |context, payment| {
            let amendment = amendment::amend(context, payment, amend)?;
            terms = amendment.as_ref().and_then(|amendment| amendment.terms.clone());
            Ok::<_, EngineError>(amendment.into_iter().map(|amendment| amendment.event).collect())
        })?;
        if let Some(terms) = terms {
            if let Some(named) = terms.customer.filter(|named| Some(*named) != before) {
                self.customer_payments.push(CustomerPaymentRecord { customer: named, payment: id });
            }
            self.note_terms(id, version, terms);
        }
        Ok(version)
    }

    /// Notes a payment's terms from this version on.
    fn note_terms(&mut self, id: PaymentId, version: u32, terms: Terms) {
        let body = terms.to_bytes();
        self.details.push(DetailRecord { subject: *id.as_bytes(), id: u64::from(version), body });
        if let Some(touched) = self.touched.get_mut(&id) {
            Arc::make_mut(&mut touched.payment).read_terms(version, Arc::new(terms));
        }
    }

    /// Refuses what the owner asks of a payment while its clock is being advanced.
    fn clock_ready(&self, id: PaymentId, actor: AccountId) -> Result<(), Rejection> {
        let touched = self.touched.get(&id).filter(|touched| touched.payment.owner() == actor);
        touched.and_then(|touched| self.clock_of(&touched.payment)).map_or(Ok(()), Clock::ready)
    }

    /// Notes which request asked for the events of a payment from this version on, if there are any and its account is
    /// notified of events.
    fn note_source(&mut self, owner: AccountId, origin: &Origin, id: PaymentId, first_version: u32) {
        let Some(touched) = self.touched.get(&id) else { return };
        let place = usize::try_from(first_version.saturating_sub(1)).unwrap_or(usize::MAX);
        let Some(first) = touched.payment.history().get(place) else { return };
        if !self.books.account(owner).terms.lean {
            self.sources.push(EventSource {
                owner,
                at: first.at,
                subject: id.into(),
                version: first_version,
                wall: first.wall,
                origin: Some(origin.clone()),
                states: None,
            });
        }
    }
}

/// What a recognised key refers to.
fn replayed(record: &IdempotencyRecord) -> Result<PaymentDecision, Rejection> {
    let id = record.subject.payment().ok_or_else(idempotency::reused)?;
    Ok(PaymentDecision { id, version: record.version, replayed: true })
}
