//! Combines the states of the two connections and the outcome of the last batches published into the broker's health, and logs
//! its outages. No I/O.
//!
//! A connection may stand while every message is refused (a policy that limits the queue's length, a queue without a leader).

use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::broker::BrokerHealth;
use crate::domain::submission::Lane;
use crate::domain::time::Timestamp;
use crate::outage::{Outage, Way};

const STARTING: &str = "not connected yet";

/// One of the two connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    /// Publishes work and broadcast.
    Publish,
    /// Receives both.
    Consume,
}

impl Link {
    /// For logs and for the connection's name on the server.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Consume => "consume",
        }
    }

    const fn way(self) -> Way {
        match self {
            Self::Publish => Way::Write,
            Self::Consume => Way::Read,
        }
    }
}

/// The state of one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LinkState {
    /// Not tried yet.
    Starting,
    /// Working.
    Up,
    /// Not connected, and why.
    Down(String),
    /// The server takes nothing on it, and what it said.
    Blocked(String),
}

/// Batches refused for this long, with none accepted in between, are a lasting problem: recreating a queue takes less.
const REFUSED_FOR: Duration = Duration::from_secs(2);
/// Anyone with work to publish tries again sooner than this. After it, there is no more work, or another instance has it.
const REFUSAL_STANDS: Duration = Duration::from_secs(15);

/// Where both connections report.
#[derive(Debug)]
pub(super) struct HealthBoard {
    parts: Mutex<Parts>,
    sender: watch::Sender<BrokerHealth>,
    outage: Outage,
}

#[derive(Debug)]
struct Parts {
    publish: LinkState,
    consume: LinkState,
    /// Of each lane, for one may be full while the other goes on.
    rejections: Vec<(Lane, Rejection)>,
}

/// Batches of one lane that were not accepted, one after another.
#[derive(Debug)]
struct Rejection {
    first: Timestamp,
    last: Timestamp,
    cause: String,
}

impl Parts {
    fn take_refusal(&mut self, lane: Lane) -> Option<Rejection> {
        let at = self.rejections.iter().position(|(of, _)| *of == lane)?;
        Some(self.rejections.swap_remove(at).1)
    }
}

impl Rejection {
    fn is_lasting(&self) -> bool {
        u128::from(self.last.micros_since(self.first)) >= REFUSED_FOR.as_micros()
    }
}

impl HealthBoard {
    /// Both down, for they have not been tried.
    pub(super) fn new(now: Timestamp) -> Self {
        let sender = watch::Sender::new(BrokerHealth::Down { since: now, cause: STARTING.to_owned() });
        let parts =
            Parts { publish: LinkState::Starting, consume: LinkState::Starting, rejections: Vec::new() };
        Self { parts: Mutex::new(parts), sender, outage: Outage::new("RabbitMQ") }
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<BrokerHealth> {
        self.sender.subscribe()
    }

    /// Notes a link's state.
    pub(super) fn report(&self, link: Link, state: LinkState, now: Timestamp) {
        let mut parts = self.parts.lock();
        let own = match link {
            Link::Publish => &mut parts.publish,
            Link::Consume => &mut parts.consume,
        };
        if let LinkState::Down(cause) | LinkState::Blocked(cause) = &state {
            self.outage.failed(link.way(), cause);
        }
        if *own == state {
            return;
        }
        if state == LinkState::Up {
            tracing::debug!(broker.link = link.as_str(), "a connection to RabbitMQ works");
        }
        *own = state;
        self.update(&parts, now);
    }

    /// Notes that a batch was accepted.
    pub(super) fn accepted(&self, lane: Lane, now: Timestamp) {
        let mut parts = self.parts.lock();
        if parts.take_refusal(lane).is_some_and(|rejection| rejection.is_lasting()) {
            self.update(&parts, now);
        }
    }

    /// Notes that a batch was refused on a connection that stands, and why.
    pub(super) fn refused(&self, lane: Lane, cause: String, now: Timestamp) {
        let mut parts = self.parts.lock();
        let before = parts.take_refusal(lane);
        let rejection = Rejection { first: before.map_or(now, |before| before.first), last: now, cause };
        if rejection.is_lasting() {
            self.outage.failed(Way::Write, &rejection.cause);
        }
        parts.rejections.push((lane, rejection));
        self.update(&parts, now);
    }

    /// Called now and then: forgets a rejection that nobody has met again.
    pub(super) fn forget_refusals(&self, now: Timestamp) {
        let mut parts = self.parts.lock();
        let before = parts.rejections.len();
        parts.rejections.retain(|(_, rejection)| {
            u128::from(now.micros_since(rejection.last)) < REFUSAL_STANDS.as_micros()
        });
        if parts.rejections.len() < before {
            self.update(&parts, now);
        }
    }

    fn update(&self, parts: &Parts, now: Timestamp) {
        let next = match (&parts.publish, &parts.consume) {
            (LinkState::Up, LinkState::Up) => {
                let lasting = parts.rejections.iter().find(|(_, rejection)| rejection.is_lasting());
                lasting.map(|(_, rejection)| (false, rejection.cause.clone()))
            }
            (LinkState::Down(cause), _) | (_, LinkState::Down(cause)) => Some((true, cause.clone())),
            (LinkState::Starting, _) | (_, LinkState::Starting) => Some((true, STARTING.to_owned())),
            (LinkState::Blocked(cause), _) | (_, LinkState::Blocked(cause)) => Some((false, cause.clone())),
        };
        if next.is_none() {
            self.outage.over();
        }
        self.sender.send_if_modified(|health| advance(health, next, now));
    }

    /// A link's state.
    pub(super) fn link(&self, link: Link) -> LinkState {
        let parts = self.parts.lock();
        match link {
            Link::Publish => parts.publish.clone(),
            Link::Consume => parts.consume.clone(),
        }
    }
}

/// Moves on to the next health; a new cause for the same trouble keeps its beginning.
fn advance(health: &mut BrokerHealth, next: Option<(bool, String)>, now: Timestamp) -> bool {
    let next = match (next, &*health) {
        (None, _) => BrokerHealth::Up,
        (Some((true, cause)), BrokerHealth::Down { since, .. }) => {
            BrokerHealth::Down { since: *since, cause }
        }
        (Some((true, cause)), _) => BrokerHealth::Down { since: now, cause },
        (Some((false, cause)), BrokerHealth::Blocked { since, .. }) => {
            BrokerHealth::Blocked { since: *since, cause }
        }
        (Some((false, cause)), _) => BrokerHealth::Blocked { since: now, cause },
    };
    let changed = *health != next;
    *health = next;
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_up_only_when_both_links_are_and_remembers_since_when_it_is_not() {
        let at = Timestamp::from_micros;
        let board = HealthBoard::new(at(1));
        let health = board.subscribe();
        board.report(Link::Publish, LinkState::Up, at(2));
        assert!(matches!(*health.borrow(), BrokerHealth::Down { since, .. } if since == at(1)));
        board.report(Link::Consume, LinkState::Up, at(3));
        assert_eq!(*health.borrow(), BrokerHealth::Up);
        board.report(Link::Publish, LinkState::Blocked("memory".to_owned()), at(4));
        assert!(matches!(&*health.borrow(), BrokerHealth::Blocked { since, .. } if *since == at(4)));
        board.report(Link::Consume, LinkState::Down("gone".to_owned()), at(5));
        board.report(Link::Consume, LinkState::Down("refused".to_owned()), at(6));
        assert_eq!(*health.borrow(), BrokerHealth::Down { since: at(5), cause: "refused".to_owned() });
    }

    #[test]
    fn a_connection_that_stands_is_not_well_while_every_message_is_refused() {
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        let board = HealthBoard::new(at(0));
        let health = board.subscribe();
        board.report(Link::Publish, LinkState::Up, at(1));
        board.report(Link::Consume, LinkState::Up, at(1));
        board.refused(Lane::Bulk, "a queue is missing".to_owned(), at(2));
        assert_eq!(*health.borrow(), BrokerHealth::Up, "it may be recreated in a moment");
        board.refused(Lane::Bulk, "full".to_owned(), at(4));
        assert_eq!(*health.borrow(), BrokerHealth::Blocked { since: at(4), cause: "full".to_owned() });
        board.forget_refusals(at(6));
        assert!(matches!(*health.borrow(), BrokerHealth::Blocked { .. }));
        board.accepted(Lane::Interactive, at(7));
        assert!(matches!(*health.borrow(), BrokerHealth::Blocked { .. }), "the other lane is still full");
        board.accepted(Lane::Bulk, at(7));
        assert_eq!(*health.borrow(), BrokerHealth::Up);
        board.refused(Lane::Bulk, "full".to_owned(), at(8));
        board.refused(Lane::Bulk, "full".to_owned(), at(20));
        assert!(matches!(*health.borrow(), BrokerHealth::Blocked { .. }));
        board.forget_refusals(at(40));
        assert_eq!(*health.borrow(), BrokerHealth::Up, "nobody has anything to publish any more");
    }
}
