//! A command on its way to the writer, and the answer on its way back.
//!
//! Both ends share one small state, so that what a caller hears past its time is true: either the command was withdrawn
//! before the writer took it up, and nothing was changed, or the writer has it, and nobody knows yet.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::{Instant, timeout_at};

use super::answer::{Done, EngineError, Outcome};
use crate::domain::command::Asked;

/// Nobody has decided it.
const WAITING: u8 = 0;
/// The writer is at it.
const TAKEN: u8 = 1;
/// It is no longer wanted, and never will be decided.
const WITHDRAWN: u8 = 2;

/// How long the asker waits.
#[derive(Debug, Clone, Copy)]
pub enum Patience {
    /// As long as it takes.
    Endless,
    /// A caller's.
    Until {
        /// When the command is withdrawn if the writer has not taken it up.
        withdraw: Instant,
        /// When the caller is answered in any case.
        answer: Instant,
    },
}

impl Patience {
    /// A caller's, who is to hear within that time. The last quarter is for the commit.
    #[must_use]
    pub fn of_caller(within: Duration) -> Self {
        let now = Instant::now();
        Self::Until { withdraw: now + within * 3 / 4, answer: now + within }
    }
}

/// A command, with what it takes to answer.
#[derive(Debug)]
pub struct Envelope {
    /// What to decide.
    pub asked: Asked,
    answer: oneshot::Sender<Result<Outcome, EngineError>>,
    state: Arc<AtomicU8>,
    patience: Patience,
    /// Its share of the intake's memory.
    _room: Option<OwnedSemaphorePermit>,
}

/// The receiving end of one answer. A caller that drops it went away, which is no reason not to do what it asked for.
#[derive(Debug)]
pub struct Reply {
    answer: oneshot::Receiver<Result<Outcome, EngineError>>,
    state: Arc<AtomicU8>,
    patience: Patience,
}

/// Both ends for a command.
#[must_use]
pub fn envelope(asked: Asked, patience: Patience, room: Option<OwnedSemaphorePermit>) -> (Envelope, Reply) {
    let (sender, receiver) = oneshot::channel();
    let state = Arc::new(AtomicU8::new(WAITING));
    let reply = Reply { answer: receiver, state: Arc::clone(&state), patience };
    (Envelope { asked, answer: sender, state, patience, _room: room }, reply)
}

impl Envelope {
    /// Takes the command up, unless it was withdrawn or its time has passed.
    #[must_use]
    pub fn take(&self) -> bool {
        if self.state.load(Ordering::Acquire) == TAKEN {
            return true;
        }
        !self.is_late() && exchange(&self.state, WAITING, TAKEN)
    }

    /// Gives the command back after an attempt that certainly did nothing.
    pub fn give_back(&self) {
        exchange(&self.state, TAKEN, WAITING);
    }

    /// Whether nobody waits for it any more, or will when it is decided. From then on it is not taken up.
    #[must_use]
    pub fn is_withdrawn(&self) -> bool {
        if self.is_late() {
            exchange(&self.state, WAITING, WITHDRAWN);
        }
        self.state.load(Ordering::Acquire) == WITHDRAWN
    }

    /// Whether the writer is at it.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        self.state.load(Ordering::Acquire) == TAKEN
    }

    /// Answers. A caller that went away does not want to know.
    pub fn answer(self, answer: Result<Outcome, EngineError>) {
        drop(self.answer.send(answer));
    }

    fn is_late(&self) -> bool {
        match self.patience {
            Patience::Endless => false,
            Patience::Until { withdraw, .. } => Instant::now() >= withdraw,
        }
    }
}

impl Reply {
    /// Waits for the answer to a command about a payment.
    ///
    /// # Errors
    /// As [`Self::told`].
    pub async fn outcome(self) -> Result<Done, EngineError> {
        self.told().await?.payment()
    }

    /// Waits for the answer, as long as the asker's patience lasts.
    ///
    /// # Errors
    /// What the writer said; past the caller's time, [`EngineError::Unavailable`].
    pub async fn told(mut self) -> Result<Outcome, EngineError> {
        let Patience::Until { withdraw, answer } = self.patience else {
            let answered = (&mut self.answer).await;
            return answered.unwrap_or_else(|_| Err(self.unanswered()));
        };
        for until in [withdraw, answer] {
            match timeout_at(until, &mut self.answer).await {
                Ok(Ok(answer)) => return answer,
                Ok(Err(_)) => return Err(self.unanswered()),
                Err(_) if exchange(&self.state, WAITING, WITHDRAWN) => {
                    return Err(EngineError::Unavailable { maybe_done: false });
                }
                Err(_) => {}
            }
        }
        // It may just have been refused for its time.
        let maybe_done = self.state.load(Ordering::Acquire) == TAKEN;
        self.answer.try_recv().unwrap_or(Err(EngineError::Unavailable { maybe_done }))
    }

    /// What is known when the writer dropped the command without a word: it stopped before it got there, or died at it.
    fn unanswered(&self) -> EngineError {
        match self.state.load(Ordering::Acquire) {
            TAKEN => EngineError::Unavailable { maybe_done: true },
            WITHDRAWN => EngineError::Unavailable { maybe_done: false },
            _ => EngineError::Stopping,
        }
    }
}

fn exchange(state: &AtomicU8, from: u8, to: u8) -> bool {
    state.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
}
