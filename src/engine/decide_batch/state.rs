//! The state that a batch is decided on: what was loaded, as the commands so far have left it.

use std::collections::HashMap;

use super::books::Books;
use super::clocked::{self, Clocks, Moment};
use super::decision::Obstacle;
use super::idempotency::Keys;
use super::resources::Resources;
use super::touched::TouchedPayment;
use crate::domain::announcement::Announcement;
use crate::domain::clock::Clock;
use crate::domain::context::{Context, Events, Policy};
use crate::domain::event::Event;
use crate::domain::ids::{AccountId, ClockId, IdMap, PaymentId};
use crate::domain::payment::Payment;
use crate::domain::settlement;
use crate::domain::subject::Subject;
use crate::domain::time::Timestamp;
use crate::store::{CustomerPaymentRecord, DetailRecord, EventSource, Loaded};

/// What commands are decided on, and what they have made of it so far.
pub(super) struct BatchState<'a> {
    pub policy: &'a Policy,
    /// When it is decided.
    pub wall: Timestamp,
    pub touched: IdMap<PaymentId, TouchedPayment>,
    /// Payments that cannot be read. Nothing is decided about them, and everything about the others.
    damaged: HashMap<PaymentId, String>,
    pub resources: Resources,
    pub clocks: Clocks,
    /// How many clocks each account that creates one has.
    pub clock_counts: HashMap<AccountId, u32>,
    /// Payments in the order in which the batch first touched them.
    pub order: Vec<PaymentId>,
    pub books: Books,
    pub keys: Keys,
    /// What amendments say.
    pub details: Vec<DetailRecord>,
    /// Payments that have been given a customer.
    pub customer_payments: Vec<CustomerPaymentRecord>,
    /// Which requests asked for what, and what resources were.
    pub sources: Vec<EventSource>,
    /// What is announced of resources.
    pub events: Vec<(AccountId, Announcement)>,
    /// What rule broke on a stored state.
    pub defect: Option<String>,
}

/// What rules may look at besides the payment.
#[derive(Clone, Copy)]
struct Known<'a> {
    books: &'a Books,
    resources: &'a Resources,
    clocks: &'a Clocks,
}

/// Asks a rule, which may look at the books and the resources as they are now.
fn ask<T>(
    known: Known<'_>,
    Moment { at, wall }: Moment,
    policy: &Policy,
    rule: impl FnOnce(&Context<'_>) -> T,
) -> T {
    let Known { books, resources, clocks } = known;
    let (wallet, account) = (|id| books.wallet(id), |id| books.account(id));
    let clock_of = |id| clocks.get((books, resources), id, books.account(id).clock);
    let time_of = |id| clock_of(id).map_or(wall, |clock| clock.at(wall));
    let (time_of, resource) = (&time_of, &|subject| resources.get(subject));
    rule(&Context { now: at, wall, policy, wallet: &wallet, account: &account, time_of, resource })
}

impl<'a> BatchState<'a> {
    /// What was loaded for this many commands.
    pub fn new(loaded: Loaded, commands: usize, policy: &'a Policy, wall: Timestamp) -> Self {
        let mut touched: IdMap<PaymentId, TouchedPayment> = IdMap::default();
        touched.reserve(loaded.payments.len() + commands);
        touched
            .extend(loaded.payments.into_iter().map(|(id, payment)| (id, TouchedPayment::loaded(payment))));
        Self {
            policy,
            wall,
            touched,
            damaged: loaded.damaged,
            resources: Resources::new(loaded.resources, loaded.damaged_resources),
            clocks: Clocks::new(loaded.clocks),
            clock_counts: loaded.clock_counts,
            order: Vec::with_capacity(commands),
            books: Books::open(loaded.accounts, loaded.wallets),
            keys: Keys::new(loaded.idempotency, commands),
            details: Vec::new(),
            customer_payments: Vec::new(),
            sources: Vec::new(),
            events: Vec::new(),
            defect: None,
        }
    }

    /// Asks a rule, with what the batch knows by now.
    pub fn ask<T>(&self, moment: Moment, rule: impl FnOnce(&Context<'_>) -> T) -> T {
        let Self { books, resources, clocks, .. } = self;
        ask(Known { books, resources, clocks }, moment, self.policy, rule)
    }

    /// A payment about which something can be decided.
    pub fn payment(&self, id: PaymentId) -> Result<&TouchedPayment, Obstacle> {
        if let Some(cause) = self.damaged.get(&id) {
            return Err(Obstacle::Damaged(cause.clone()));
        }
        let touched = self.touched.get(&id).ok_or(Obstacle::NoPayment(id))?;
        self.readable(touched.payment.clock().into())?;
        Ok(touched)
    }

    /// Nothing is decided on a resource that cannot be read.
    pub fn readable(&self, resource: Subject) -> Result<(), Obstacle> {
        match self.resources.damage(resource) {
            Some(cause) => Err(Obstacle::Damaged(cause.clone())),
            None => Ok(()),
        }
    }

    /// The clock that a payment follows, unless that is the wall clock.
    pub fn clock_of(&self, payment: &Payment) -> Option<&Clock> {
        self.clocks.get((&self.books, &self.resources), payment.owner(), payment.clock())
    }

    /// The clock with this id, unless it is the wall clock, is gone, or is somebody else's.
    pub fn clock(&self, owner: AccountId, id: ClockId) -> Option<&Clock> {
        self.clocks.get((&self.books, &self.resources), owner, id)
    }

    /// When something is decided about this payment.
    pub fn moment_of(&self, payment: &Payment) -> Moment {
        clocked::moment(self.clock_of(payment), Some(payment), self.wall)
    }

    /// Decides on an existing payment and applies the events. Returns the version right after.
    pub fn advance<E: From<Obstacle>>(
        &mut self,
        id: PaymentId,
        moment: impl FnOnce(&Self, &Payment) -> Moment,
        rule: impl FnOnce(&Context<'_>, &Payment) -> Result<Events, E>,
    ) -> Result<u32, E> {
        let payment = &self.payment(id)?.payment;
        let moment = moment(self, payment);
        let events = self.ask(moment, |context| rule(context, payment))?;
        Ok(self.apply(id, moment, events)?)
    }

    /// Applies events to a payment. Returns the version right after.
    pub fn apply(
        &mut self,
        id: PaymentId,
        moment: Moment,
        events: impl IntoIterator<Item = Event>,
    ) -> Result<u32, Obstacle> {
        let Self { touched, books, resources, clocks, policy, order, .. } = self;
        let touched = touched.get_mut(&id).ok_or(Obstacle::NoPayment(id))?;
        let was_changed = touched.is_changed();
        let applied = events.into_iter().try_for_each(|event| {
            let known = Known { books, resources, clocks };
            let event =
                ask(known, moment, policy, |context| settlement::settled(context, &touched.payment, event));
            touched.apply(moment, event, books)
        });
        if !was_changed && touched.is_changed() {
            order.push(id);
        }
        let version = touched.version();
        match applied {
            Ok(()) => Ok(version),
            Err(cause) => Err(self.break_off(cause)),
        }
    }

    /// Notes that a rule broke: the batch is not written, and the writer looks for the command at fault.
    pub fn break_off(&mut self, what: impl std::fmt::Display) -> Obstacle {
        self.defect.get_or_insert_with(|| what.to_string());
        Obstacle::Defect
    }
}
