//! Puts the states of the two connections together into the broker's health, and logs each transition once. No I/O.

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::broker::BrokerHealth;
use crate::domain::time::Timestamp;

const STARTING: &str = "not connected yet";

/// One of the two connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    /// Publishes work and feed.
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

/// Where both connections report.
#[derive(Debug)]
pub(super) struct HealthBoard {
    links: Mutex<(LinkState, LinkState)>,
    sender: watch::Sender<BrokerHealth>,
}

impl HealthBoard {
    /// Both down, for they have not been tried.
    pub(super) fn new(now: Timestamp) -> Self {
        let sender = watch::Sender::new(BrokerHealth::Down { since: now, cause: STARTING.to_owned() });
        Self { links: Mutex::new((LinkState::Starting, LinkState::Starting)), sender }
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<BrokerHealth> {
        self.sender.subscribe()
    }

    /// Notes a link's state.
    pub(super) fn report(&self, link: Link, state: LinkState, now: Timestamp) {
        let mut links = self.links.lock();
        let own = match link {
            Link::Publish => &mut links.0,
            Link::Consume => &mut links.1,
        };
        if *own == state {
            return;
        }
        let before = std::mem::replace(own, state.clone());
        log(link, &before, &state);
        let next = match (&links.0, &links.1) {
            (LinkState::Up, LinkState::Up) => None,
            (LinkState::Down(cause), _) | (_, LinkState::Down(cause)) => Some((true, cause.clone())),
            (LinkState::Starting, _) | (_, LinkState::Starting) => Some((true, STARTING.to_owned())),
            (LinkState::Blocked(cause), _) | (_, LinkState::Blocked(cause)) => Some((false, cause.clone())),
        };
        self.sender.send_if_modified(|health| advance(health, next, now));
    }

    /// A link's state.
    pub(super) fn link(&self, link: Link) -> LinkState {
        let links = self.links.lock();
        match link {
            Link::Publish => links.0.clone(),
            Link::Consume => links.1.clone(),
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

/// One line per change; another failure to connect is no change.
fn log(link: Link, before: &LinkState, after: &LinkState) {
    let link = link.as_str();
    match (before, after) {
        (LinkState::Down(_), LinkState::Down(cause)) => {
            tracing::debug!(broker.link = link, cause, "RabbitMQ is still out of reach");
        }
        (_, LinkState::Down(cause)) => {
            tracing::warn!(broker.link = link, cause, "RabbitMQ connection lost");
        }
        (_, LinkState::Blocked(cause)) => {
            tracing::warn!(broker.link = link, cause, "RabbitMQ takes no messages");
        }
        (_, LinkState::Starting) => {}
        (_, LinkState::Up) => tracing::info!(broker.link = link, "RabbitMQ connection works"),
    }
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
}
