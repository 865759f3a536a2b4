//! A command on its way to the writer, and the answer on its way back. Callers and the system have envelopes of their own.
//!
//! Both ends of a caller's envelope share one small state, so that the answer after the caller's time is true: either the command
//! was withdrawn before the writer took it up, and nothing was changed, or the writer has it, and nobody knows yet. The system
//! waits as long as it takes, and withdraws nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::{Instant, timeout_at};

use super::answer::{Acknowledged, Changed, Done, EngineError, SystemError};
use crate::domain::command::{Asked, PaymentCommand, SystemCommand};
use crate::domain::resource::ChangeResource;

/// Nobody has decided it.
const WAITING: u8 = 0;
/// The writer has it.
const TAKEN: u8 = 1;
/// It is no longer wanted, and never will be decided.
const WITHDRAWN: u8 = 2;

/// How long a caller waits.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// When the command is withdrawn if the writer has not taken it up.
    withdraw: Instant,
    /// When the caller is answered in any case.
    answer: Instant,
}

impl Patience {
    /// The patience of a caller to be answered `within` that time. The last quarter is for the commit.
    #[must_use]
    pub fn of_caller(within: Duration) -> Self {
        let now = Instant::now();
        Self { withdraw: now + within * 3 / 4, answer: now + within }
    }
}

/// A caller's command `C`, with what it takes to answer it with `T`.
#[derive(Debug)]
pub struct Envelope<C, T> {
    /// What to decide.
    pub asked: Asked<C>,
    answer: oneshot::Sender<Result<T, EngineError>>,
    state: Arc<AtomicU8>,
    patience: Patience,
    /// Its share of the intake's memory.
    _room: OwnedSemaphorePermit,
}

/// An envelope about a payment.
pub type PaymentEnvelope = Envelope<PaymentCommand, Done>;
/// An envelope about a plain resource.
pub type ChangeEnvelope = Envelope<ChangeResource, Changed>;

/// An item on the callers' lane.
#[derive(Debug)]
pub enum CallerEnvelope {
    /// A command about a payment.
    Payment(PaymentEnvelope),
    /// A change of a plain resource.
    Change(ChangeEnvelope),
}

/// An item on the system's lane.
#[derive(Debug)]
pub struct SystemEnvelope {
    /// What to decide.
    pub command: SystemCommand,
    answer: oneshot::Sender<Result<Acknowledged, SystemError>>,
}

/// The receiving end of one answer. A caller that drops it went away; its command is carried out all the same.
#[derive(Debug)]
pub struct Reply<T = Done> {
    answer: oneshot::Receiver<Result<T, EngineError>>,
    state: Arc<AtomicU8>,
    patience: Patience,
}

/// The same for a command of the system.
#[derive(Debug)]
pub struct SystemReply(oneshot::Receiver<Result<Acknowledged, SystemError>>);

/// Both ends for a caller's command.
#[must_use]
pub fn of_caller<C, T>(
    asked: Asked<C>,
    patience: Patience,
    room: OwnedSemaphorePermit,
) -> (Envelope<C, T>, Reply<T>) {
    let (sender, receiver) = oneshot::channel();
    let state = Arc::new(AtomicU8::new(WAITING));
    let reply = Reply { answer: receiver, state: Arc::clone(&state), patience };
    (Envelope { asked, answer: sender, state, patience, _room: room }, reply)
}

/// Both ends for a command of the system.
#[must_use]
pub fn of_system(command: SystemCommand) -> (SystemEnvelope, SystemReply) {
    let (answer, receiver) = oneshot::channel();
    (SystemEnvelope { command, answer }, SystemReply(receiver))
}

impl<C, T> Envelope<C, T> {
    fn take(&self) -> bool {
        if self.state.load(Ordering::Acquire) == TAKEN {
            return true;
        }
        !self.is_late() && exchange(&self.state, WAITING, TAKEN)
    }

    fn is_withdrawn(&self) -> bool {
        if self.is_late() {
            exchange(&self.state, WAITING, WITHDRAWN);
        }
        self.state.load(Ordering::Acquire) == WITHDRAWN
    }

    fn is_late(&self) -> bool {
        Instant::now() >= self.patience.withdraw
    }

    /// Answers; ignored if the caller went away.
    pub fn answer(self, answer: Result<T, EngineError>) {
        drop(self.answer.send(answer));
    }
}

impl CallerEnvelope {
    /// Takes the command up, unless it was withdrawn or its time has passed.
    #[must_use]
    pub fn take(&self) -> bool {
        match self {
            Self::Payment(envelope) => envelope.take(),
            Self::Change(envelope) => envelope.take(),
        }
    }

    /// Gives the command back after an attempt that certainly did nothing.
    pub fn give_back(&self) {
        exchange(self.state(), TAKEN, WAITING);
    }

    /// Whether nobody waits for it any more, or will by the time it is decided. From then on it is not taken up.
    #[must_use]
    pub fn is_withdrawn(&self) -> bool {
        match self {
            Self::Payment(envelope) => envelope.is_withdrawn(),
            Self::Change(envelope) => envelope.is_withdrawn(),
        }
    }

    /// Whether the writer has it.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        self.state().load(Ordering::Acquire) == TAKEN
    }

    /// Answers that it came to nothing.
    pub fn fail(self, error: EngineError) {
        match self {
            Self::Payment(envelope) => envelope.answer(Err(error)),
            Self::Change(envelope) => envelope.answer(Err(error)),
        }
    }

    /// What it takes up in memory, near enough, and in the rows that come of it.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::Payment(envelope) => envelope.asked.bytes(),
            Self::Change(envelope) => envelope.asked.bytes(),
        }
    }

    fn state(&self) -> &AtomicU8 {
        match self {
            Self::Payment(envelope) => &envelope.state,
            Self::Change(envelope) => &envelope.state,
        }
    }
}

impl SystemEnvelope {
    /// Answers; ignored if the sender has stopped.
    pub fn answer(self, answer: Result<Acknowledged, SystemError>) {
        drop(self.answer.send(answer));
    }
}

impl<T> Reply<T> {
    /// Waits for the answer, as long as the caller's patience lasts.
    ///
    /// # Errors
    /// What the writer answered; past the caller's time, [`EngineError::Unavailable`].
    pub async fn outcome(mut self) -> Result<T, EngineError> {
        for until in [self.patience.withdraw, self.patience.answer] {
            match timeout_at(until, &mut self.answer).await {
                Ok(Ok(answer)) => return answer,
                Ok(Err(_)) => return Err(self.unanswered()),
                Err(_) if exchange(&self.state, WAITING, WITHDRAWN) => {
                    return Err(EngineError::Unavailable { maybe_done: false });
                }
                Err(_) => {}
            }
        }
        // It may just have been refused as late.
        let maybe_done = self.state.load(Ordering::Acquire) == TAKEN;
        self.answer.try_recv().unwrap_or(Err(EngineError::Unavailable { maybe_done }))
    }

    /// What is known when the writer dropped the command unanswered: it stopped before reaching it, or panicked over it.
    fn unanswered(&self) -> EngineError {
        match self.state.load(Ordering::Acquire) {
            TAKEN => EngineError::Unavailable { maybe_done: true },
            WITHDRAWN => EngineError::Unavailable { maybe_done: false },
            _ => EngineError::Stopping,
        }
    }
}

impl SystemReply {
    /// Waits for the answer as long as it takes.
    ///
    /// # Errors
    /// What the writer answered; [`SystemError::Unavailable`] if it stopped before that.
    pub async fn outcome(self) -> Result<Acknowledged, SystemError> {
        self.0.await.unwrap_or(Err(SystemError::Unavailable))
    }
}

fn exchange(state: &AtomicU8, from: u8, to: u8) -> bool {
    state.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
}
