//! Combines the outcomes of the last operations of each kind into the index's health. An index that still answers is not healthy
//! while nothing can be written to it, and a read that succeeds does not make up for a write that failed.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;

use super::SearchHealth;
use crate::clock::Wall;
use crate::domain::time::Timestamp;
use crate::outage::{Outage, Way};

/// Anyone with documents to write tries again sooner than this. After it, there are no more, or another instance has them.
const WRITE_STANDS: Duration = Duration::from_secs(30);
/// A search that fails may be that one alone.
const SEARCH_STANDS: Duration = Duration::from_secs(5);

/// The kind of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    /// Finding what someone looks for. An index that can be counted may still not find anything.
    Search,
    /// Counting, scanning.
    Read,
    /// Writing durably.
    Write,
    /// Checking the files.
    Files,
}

/// Where operations report.
#[derive(Debug)]
pub(super) struct Board {
    troubles: Mutex<Vec<(Deed, Timestamp, String)>>,
    sender: watch::Sender<SearchHealth>,
    outage: Outage,
    wall: Wall,
}

impl Board {
    pub(super) fn new(wall: Wall) -> Self {
        let sender = watch::Sender::new(SearchHealth::Up);
        Self { troubles: Mutex::default(), sender, outage: Outage::new("the search index"), wall }
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<SearchHealth> {
        self.sender.subscribe()
    }

    /// Notes the outcome of an operation: no trouble, or its cause.
    pub(super) fn note(&self, deed: Deed, trouble: Option<String>) {
        let way = match deed {
            Deed::Search | Deed::Read => Some(Way::Read),
            Deed::Write => Some(Way::Write),
            // The check logs what it finds.
            Deed::Files => None,
        };
        match (way, &trouble) {
            (Some(way), Some(cause)) => self.outage.failed(way, cause),
            (Some(way), None) => self.outage.worked(way),
            (None, _) => {}
        }
        self.note_at(deed, trouble, self.wall.now());
    }

    fn note_at(&self, deed: Deed, trouble: Option<String>, now: Timestamp) {
        let mut troubles = self.troubles.lock();
        let stands = |of: Deed, at: Timestamp| match of {
            Deed::Search => u128::from(now.micros_since(at)) < SEARCH_STANDS.as_micros(),
            Deed::Write => u128::from(now.micros_since(at)) < WRITE_STANDS.as_micros(),
            Deed::Read | Deed::Files => true,
        };
        troubles.retain(|(of, at, _)| *of != deed && stands(*of, *at));
        troubles.extend(trouble.map(|cause| (deed, now, cause)));
        let cause = troubles.first().map(|(_, _, cause)| cause.clone());
        let only_writes = troubles.iter().all(|(of, _, _)| *of == Deed::Write);
        self.sender.send_if_modified(|health| {
            let next = match (cause, &*health) {
                (None, _) => SearchHealth::Up,
                (Some(_), SearchHealth::Down { since, reason, .. }) => {
                    SearchHealth::Down { since: *since, reason: reason.clone(), answers: only_writes }
                }
                (Some(reason), SearchHealth::Up) => {
                    SearchHealth::Down { since: now, reason, answers: only_writes }
                }
            };
            let changed = next != *health;
            *health = next;
            changed
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_that_succeeds_does_not_make_up_for_a_write_that_failed() {
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        let board = Board::new(Wall::system());
        let up = || *board.subscribe().borrow() == SearchHealth::Up;
        board.note_at(Deed::Write, Some("the disk is full".to_owned()), at(1));
        board.note_at(Deed::Read, None, at(2));
        assert!(!up());
        let answers = || matches!(&*board.subscribe().borrow(), SearchHealth::Down { answers: true, .. });
        assert!(answers(), "it only takes nothing in");
        board.note_at(Deed::Read, Some("gone".to_owned()), at(2));
        assert!(!answers());
        board.note_at(Deed::Read, None, at(2));
        assert!(answers());
        board.note_at(Deed::Write, None, at(3));
        assert!(up());
        board.note_at(Deed::Write, Some("the disk is full".to_owned()), at(4));
        board.note_at(Deed::Read, Some("gone".to_owned()), at(5));
        board.note_at(Deed::Read, None, at(6));
        assert!(!up());
        board.note_at(Deed::Read, None, at(40));
        assert!(up(), "nobody writes here any more");
        board.note_at(Deed::Search, Some("refused".to_owned()), at(41));
        board.note_at(Deed::Read, None, at(42));
        assert!(!up(), "it can be counted, and finds nothing");
        board.note_at(Deed::Search, None, at(43));
        assert!(up());
        board.note_at(Deed::Search, Some("refused".to_owned()), at(44));
        board.note_at(Deed::Read, None, at(50));
        assert!(up(), "nobody has been refused since");
    }
}
