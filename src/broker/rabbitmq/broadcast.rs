//! The broadcast between instances: numbering what goes out, finding what is missing in what comes in.
//!
//! Every instance numbers its messages from 1 without holes, including those it has to drop. A jump in the numbers therefore shows a
//! receiver that it missed something: dropped before sending, pushed out of a full queue, or sent while the receiver was away.

use std::collections::HashMap;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{MutexGuard, broadcast, mpsc};
use tokio_util::sync::CancellationToken;

use super::codec;
use crate::broker::{BroadcastEvent, BroadcastReceiver};
use crate::domain::ids::InstanceId;

/// Messages that may wait for the publishing connection.
const OUTGOING: usize = 256;

/// Instances whose numbers are remembered. Every restart is a new instance, so they cannot be kept indefinitely.
const MAX_ORIGINS: usize = 1_024;

/// Both directions of this instance's broadcast.
#[derive(Debug)]
pub(super) struct Broadcast {
    origin: InstanceId,
    /// The number of the last message; the lock keeps numbers and queue in the same order.
    sent: Mutex<u64>,
    sender: mpsc::Sender<Bytes>,
    receiver: tokio::sync::Mutex<mpsc::Receiver<Bytes>>,
    events: broadcast::Sender<BroadcastEvent>,
}

impl Broadcast {
    pub(super) fn new(origin: InstanceId, capacity: usize) -> Self {
        let (sender, receiver) = mpsc::channel(OUTGOING);
        Self {
            origin,
            sent: Mutex::new(0),
            sender,
            receiver: tokio::sync::Mutex::new(receiver),
            events: broadcast::Sender::new(capacity),
        }
    }

    /// Queues a message, or drops it if there is no connection or too much is waiting. Its number is used up either way.
    pub(super) fn send(&self, body: &[u8], connected: bool) {
        let mut sent = self.sent.lock();
        *sent += 1;
        if connected {
            // A full queue drops it; receivers see the hole in the numbers.
            let _ = self.sender.try_send(codec::encode_broadcast(self.origin, *sent, body));
        }
    }

    /// What waits to be sent, for the one session that sends it.
    pub(super) async fn outgoing(&self) -> MutexGuard<'_, mpsc::Receiver<Bytes>> {
        self.receiver.lock().await
    }

    pub(super) fn subscribe(&self, closed: CancellationToken) -> BroadcastReceiver {
        BroadcastReceiver::new(self.events.subscribe(), closed)
    }

    /// Hands an event to all readers, if there are any.
    pub(super) fn deliver(&self, event: BroadcastEvent) {
        let _ = self.events.send(event);
    }
}

/// Finds holes in the numbers of incoming messages.
#[derive(Debug, Default)]
pub(super) struct GapFinder {
    last: HashMap<InstanceId, u64>,
}

impl GapFinder {
    /// Notes a message; true if messages before it were missed. An unknown instance should begin with 1. If it does not, it may just
    /// have started before this one did, but reading the store once too often does no harm.
    pub(super) fn is_gap(&mut self, origin: InstanceId, number: u64) -> bool {
        if self.last.len() >= MAX_ORIGINS && !self.last.contains_key(&origin) {
            self.last.clear();
        }
        let last = self.last.entry(origin).or_insert(0);
        let gap = number > last.saturating_add(1);
        *last = number.max(*last);
        gap
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jump_in_an_instance_s_numbers_is_a_gap() {
        let (one, two) = (InstanceId::from_bytes([1; 16]), InstanceId::from_bytes([2; 16]));
        let mut finder = GapFinder::default();
        let seen = [(one, 1), (one, 2), (two, 7), (two, 8), (one, 4), (one, 4), (one, 5)];
        let gaps: Vec<bool> =
            seen.into_iter().map(|(origin, number)| finder.is_gap(origin, number)).collect();
        assert_eq!(gaps, [false, false, true, false, true, false, false]);
    }

    #[tokio::test]
    async fn dropped_messages_use_up_their_numbers() {
        let broadcast = Broadcast::new(InstanceId::from_bytes([1; 16]), 4);
        broadcast.send(b"a", true);
        broadcast.send(b"b", false);
        broadcast.send(b"c", true);
        let mut out = broadcast.outgoing().await;
        let mut numbers = Vec::new();
        while let Ok(message) = out.try_recv() {
            numbers.push(codec::decode_broadcast(message).unwrap().1);
        }
        assert_eq!(numbers, [1, 3]);
    }
}
