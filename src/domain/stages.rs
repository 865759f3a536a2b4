//! Stages of a payment, read off its history: the time to the first commit, in the work queue, with the acquirer, to its end.
//! All of it in wall-clock time, whatever clock the payment runs on.
//!
//! Pure. Every microsecond from the request to the end is counted exactly once, so that what pages show adds up: the three
//! stages of the attempt shown (the last one), and all other time.

use super::event::{Event, Recorded};
use super::payment::Payment;
use super::status::Status;
use super::time::Timestamp;

/// The stages of a payment, in microseconds from the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stages {
    /// When the first commit carried it.
    pub accepted_us: u64,
    /// When the attempt shown entered the work queue; `None` before its confirmation.
    pub queued_us: Option<u64>,
    /// When a worker took it up.
    pub started_us: Option<u64>,
    /// When the acquirer was done with it; `None` also while it is pending outside.
    pub answered_us: Option<u64>,
    /// When the payment last came to rest; `None` while it is under way, or was never confirmed.
    pub settled_us: Option<u64>,
    /// The version with which it came to rest; documents indexed at earlier versions do not show it.
    pub settled_version: u32,
    /// When the payment came to where it is now, by the wall clock.
    pub since: Timestamp,
    /// The time of the next attempt, where it waits for one.
    pub retry_at: Option<Timestamp>,
    /// Time until the end outside the stages of the attempt shown.
    other_time: OtherTime,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct OtherTime {
    /// At rest, waiting for someone to act.
    someone_us: u64,
    /// On earlier attempts, and between attempts.
    earlier_us: u64,
    /// Capturing or releasing what was held.
    finishing_us: u64,
    released: bool,
}

/// Where a payment can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Waits for someone to act, or for nothing.
    Rest,
    Queue,
    Acquirer,
    /// Between two attempts.
    Pause(Timestamp),
    /// A capture or a release is under way.
    Finishing,
}

impl Stages {
    /// Walks through the history of a payment.
    #[must_use]
    pub fn of(payment: &Payment) -> Self {
        let mut walk = Walk::new(payment);
        for (n, recorded) in payment.history().iter().enumerate() {
            walk.take(n, recorded);
        }
        walk.stages
    }

    /// How long the attempt shown was in the work queue.
    #[must_use]
    pub const fn in_queue_us(&self) -> Option<u64> {
        between(self.queued_us, self.started_us)
    }

    /// How long the acquirer had the attempt shown.
    #[must_use]
    pub const fn with_acquirer_us(&self) -> Option<u64> {
        between(self.started_us, self.answered_us)
    }

    /// All other time until the end, as words with a length in microseconds. Empty for most payments.
    pub fn other_time(&self) -> impl Iterator<Item = (&'static str, u64)> + use<> {
        let (other, ended) = (self.other_time, self.settled_us.is_some());
        let finishing = if other.released { "for giving back what was held" } else { "for the capture" };
        [
            ("waiting for someone to act", other.someone_us),
            ("on earlier attempts and pauses", other.earlier_us),
            (finishing, other.finishing_us),
        ]
        .into_iter()
        .filter(move |(_, us)| *us > 0 && ended)
    }
}

const fn between(from: Option<u64>, until: Option<u64>) -> Option<u64> {
    match (from, until) {
        (Some(from), Some(until)) => Some(until.saturating_sub(from)),
        (_, _) => None,
    }
}

/// A walk through a history, event by event.
struct Walk {
    asked_at: Timestamp,
    status: Status,
    place: Place,
    other_time: OtherTime,
    stages: Stages,
    /// The batch that brought the payment to rest.
    rested_in: Option<Timestamp>,
}

impl Walk {
    fn new(payment: &Payment) -> Self {
        let asked_at = payment.asked_at();
        let stages = Stages {
            accepted_us: 0,
            queued_us: None,
            started_us: None,
            answered_us: None,
            settled_us: None,
            settled_version: 0,
            since: asked_at,
            retry_at: None,
            other_time: OtherTime::default(),
        };
        // The status after the first event; a payment under way does not come to rest by being created.
        let status = match payment.history().first().map(|recorded| recorded.event) {
            Some(Event::Created { confirmed: true, .. }) => Status::Queued,
            _ => Status::RequiresConfirmation,
        };
        Self {
            asked_at,
            status,
            place: Place::Rest,
            other_time: OtherTime::default(),
            stages,
            rested_in: None,
        }
    }

    fn take(&mut self, n: usize, recorded: &Recorded) {
        let event = &recorded.event;
        let at = if let Event::Started { at } = event { *at } else { recorded.wall };
        // Workers' clocks may differ a little; time here never runs backwards.
        let at = at.max(self.stages.since);
        let us = at.micros_since(self.asked_at);
        if n == 0 {
            self.stages.accepted_us = us;
            self.stages.since = at;
        }
        if let Some(place) = self.place_after(event) {
            self.leave(place, at, us);
            self.arrive(place, at, us);
        }
        if matches!(event, Event::VoidQueued { .. } | Event::CaptureQueued { .. }) {
            self.other_time.released = matches!(event, Event::VoidQueued { .. });
            if self.rested_in == Some(recorded.wall) {
                // Within one batch: nobody ever saw it rest.
                self.stages.settled_us = None;
            }
        }
        let status = self.status.after(event).unwrap_or(self.status);
        if status.is_at_rest() && status != self.status {
            self.stages.settled_us = Some(us);
            self.stages.settled_version = u32::try_from(n + 1).unwrap_or(u32::MAX);
            self.stages.other_time = self.other_time;
            self.rested_in = Some(recorded.wall);
        } else if !status.is_at_rest() {
            self.stages.settled_us = None;
        }
        self.status = status;
    }

    /// Where the payment is after an event; `None` if it stays.
    const fn place_after(&self, event: &Event) -> Option<Place> {
        let holds = matches!(self.status, Status::RequiresCapture);
        match event {
            Event::Created { confirmed: true, .. }
            | Event::Confirmed { .. }
            | Event::ActionCompleted {}
            | Event::Requeued {}
            | Event::Replayed { .. } => Some(Place::Queue),
            Event::Started { .. } => Some(Place::Acquirer),
            Event::RetryScheduled { due_at, .. } => Some(Place::Pause(*due_at)),
            Event::ActionRequired {}
            | Event::Authorized { .. }
            | Event::Succeeded { .. }
            | Event::Declined { .. }
            | Event::Failed { .. }
            | Event::Canceled { .. }
            | Event::Captured { .. }
            | Event::CaptureDeclined { .. }
            | Event::Voided {} => Some(Place::Rest),
            Event::CaptureQueued { .. } | Event::VoidQueued { .. } => Some(Place::Finishing),
            Event::OperationParked { .. } if holds => Some(Place::Rest),
            Event::OperationReplayed { .. } if holds => Some(Place::Finishing),
            // Refunds come after the end; retries stay where they are.
            Event::Created { confirmed: false, .. }
            | Event::Pending { .. }
            | Event::CancelRequested { .. }
            | Event::Available {}
            | Event::RefundQueued { .. }
            | Event::RefundSucceeded { .. }
            | Event::RefundFailed { .. }
            | Event::OperationRetryScheduled { .. }
            | Event::OperationRequeued { .. }
            | Event::OperationParked { .. }
            | Event::OperationReplayed { .. }
            | Event::Amended { .. }
            | Event::RefundPending { .. }
            | Event::Foreseen { .. }
            | Event::DisputeOpened { .. }
            | Event::DisputeNoted { .. }
            | Event::DisputeEscalated { .. }
            | Event::DisputeClosed { .. }
            | Event::FraudWarned { .. } => None,
        }
    }

    fn leave(&mut self, next: Place, at: Timestamp, us: u64) {
        let stayed_us = at.micros_since(self.stages.since);
        match self.place {
            Place::Rest => self.other_time.someone_us += stayed_us,
            Place::Pause(_) => self.other_time.earlier_us += stayed_us,
            Place::Finishing => self.other_time.finishing_us += stayed_us,
            Place::Acquirer => self.stages.answered_us = Some(us),
            // Its time is between `queued_us` and `started_us`.
            Place::Queue if next == Place::Acquirer => {}
            Place::Queue => self.other_time.earlier_us += stayed_us,
        }
    }

    fn arrive(&mut self, place: Place, at: Timestamp, us: u64) {
        // An attempt begins in the queue, or at the latest when a worker takes it up.
        if place == Place::Queue || (place == Place::Acquirer && self.place != Place::Queue) {
            let last = [self.stages.in_queue_us(), self.stages.with_acquirer_us()];
            self.other_time.earlier_us += last.into_iter().flatten().sum::<u64>();
            (self.stages.queued_us, self.stages.started_us, self.stages.answered_us) = (Some(us), None, None);
        }
        if place == Place::Acquirer {
            self.stages.started_us = Some(us);
        }
        self.place = place;
        self.stages.retry_at = if let Place::Pause(due_at) = place { Some(due_at) } else { None };
        self.stages.since = at;
    }
}
