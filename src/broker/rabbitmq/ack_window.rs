//! The acknowledgements that a channel owes the server. Pure: tags, outcomes and milliseconds in, frames out.
//!
//! One frame may acknowledge every lower tag on the channel, whether its work is done or not. So a multiple acknowledgement only ever
//! goes up to the contiguous settled mark; what is settled above it waits a while for the gap to close and is then acknowledged by
//! itself. The tag in a frame must itself be unacknowledged, or the server closes the channel.

use std::collections::VecDeque;

use crate::broker::Settlement;

/// A frame to send, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AckFrame {
    /// `basic.ack`.
    Ack {
        /// The delivery tag.
        tag: u64,
        /// Whether every lower tag is meant too.
        multiple: bool,
    },
    /// `basic.nack` of one message.
    Nack {
        /// The delivery tag.
        tag: u64,
        /// Back to the queue, or to the dead-letter exchange.
        requeue: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    Outstanding,
    Settled { outcome: Settlement, at_ms: u64 },
    Sent,
}

/// The deliveries of one channel that the server still waits for.
#[derive(Debug)]
pub(super) struct AckWindow {
    /// The tag of the first slot. Tags on a channel count from 1 without holes.
    first: u64,
    slots: VecDeque<Slot>,
    outstanding: usize,
    unsent_acks: usize,
    unsent_nacks: usize,
}

impl AckWindow {
    /// For a channel that has delivered nothing yet.
    pub(super) const fn new() -> Self {
        Self { first: 1, slots: VecDeque::new(), outstanding: 0, unsent_acks: 0, unsent_nacks: 0 }
    }

    /// Notes a delivery. False if the tag is not the next one, which would be a protocol error.
    pub(super) fn deliver(&mut self, tag: u64) -> bool {
        if tag != self.delivered() + 1 {
            return false;
        }
        self.slots.push_back(Slot::Outstanding);
        self.outstanding += 1;
        true
    }

    /// Notes the outcome of a delivery; a second one, or one of an unknown tag, is ignored.
    pub(super) fn settle(&mut self, tag: u64, outcome: Settlement, now_ms: u64) {
        let Some(index) = tag.checked_sub(self.first).and_then(|index| usize::try_from(index).ok()) else {
            return;
        };
        let Some(slot @ Slot::Outstanding) = self.slots.get_mut(index) else { return };
        *slot = Slot::Settled { outcome, at_ms: now_ms };
        self.outstanding -= 1;
        match outcome {
            Settlement::Ack => self.unsent_acks += 1,
            Settlement::Requeue | Settlement::Reject => self.unsent_nacks += 1,
        }
    }

    /// How many deliveries came so far.
    pub(super) fn delivered(&self) -> u64 {
        self.first - 1 + u64::try_from(self.slots.len()).unwrap_or(0)
    }

    /// How many settled deliveries the server does not know of yet.
    pub(super) const fn unsent(&self) -> usize {
        self.unsent_acks + self.unsent_nacks
    }

    /// How many deliveries are not settled.
    pub(super) const fn outstanding(&self) -> usize {
        self.outstanding
    }

    /// The frames that are due. Stragglers are due `straggler_ms` after they were settled; with 0, everything settled is.
    pub(super) fn flush(&mut self, now_ms: u64, straggler_ms: u64) -> Vec<AckFrame> {
        let mut frames = Vec::new();
        if self.unsent_nacks > 0 {
            self.flush_nacks(&mut frames);
        }
        self.flush_prefix(&mut frames);
        if self.unsent_acks > 0 {
            self.flush_stragglers(now_ms, straggler_ms, &mut frames);
        }
        frames
    }

    fn flush_nacks(&mut self, frames: &mut Vec<AckFrame>) {
        for (slot, tag) in self.slots.iter_mut().zip(self.first..) {
            let Slot::Settled { outcome, .. } = *slot else { continue };
            let requeue = match outcome {
                Settlement::Ack => continue,
                Settlement::Requeue => true,
                Settlement::Reject => false,
            };
            frames.push(AckFrame::Nack { tag, requeue });
            *slot = Slot::Sent;
        }
        self.unsent_nacks = 0;
    }

    /// Everything up to the mark in one frame, whose tag is the highest in it that the server still waits for.
    fn flush_prefix(&mut self, frames: &mut Vec<AckFrame>) {
        let mut covered = 0_usize;
        let mut highest = None;
        while let Some(slot @ (Slot::Settled { .. } | Slot::Sent)) = self.slots.front().copied() {
            if slot != Slot::Sent {
                covered += 1;
                highest = Some(self.first);
            }
            self.slots.pop_front();
            self.first += 1;
        }
        self.unsent_acks -= covered;
        frames.extend(highest.map(|tag| AckFrame::Ack { tag, multiple: covered > 1 }));
    }

    fn flush_stragglers(&mut self, now_ms: u64, straggler_ms: u64, frames: &mut Vec<AckFrame>) {
        for (slot, tag) in self.slots.iter_mut().zip(self.first..) {
            let Slot::Settled { at_ms, .. } = *slot else { continue };
            if now_ms.saturating_sub(at_ms) >= straggler_ms {
                frames.push(AckFrame::Ack { tag, multiple: false });
                *slot = Slot::Sent;
                self.unsent_acks -= 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn window(count: u64) -> AckWindow {
        let mut window = AckWindow::new();
        for tag in 1..=count {
            assert!(window.deliver(tag));
        }
        window
    }

    fn ack(tag: u64, multiple: bool) -> AckFrame {
        AckFrame::Ack { tag, multiple }
    }

    #[test]
    fn only_the_contiguous_mark_is_acknowledged_as_a_whole() {
        let mut window = window(5);
        for tag in [2, 3, 5] {
            window.settle(tag, Settlement::Ack, 0);
        }
        assert_eq!(window.flush(10, 50), [], "1 is not done, so nothing may go");
        window.settle(1, Settlement::Ack, 10);
        assert_eq!(window.flush(10, 50), [ack(3, true)]);
        assert_eq!(window.flush(50, 50), [ack(5, false)], "a straggler goes by itself");
        window.settle(4, Settlement::Ack, 60);
        assert_eq!(window.flush(60, 50), [ack(4, false)]);
        assert_eq!((window.unsent(), window.outstanding()), (0, 0));
        assert!(window.deliver(6));
    }

    #[test]
    fn a_tag_the_server_has_forgotten_never_ends_a_range() {
        let mut window = window(4);
        window.settle(3, Settlement::Requeue, 0);
        window.settle(4, Settlement::Ack, 0);
        assert_eq!(window.flush(0, 0), [AckFrame::Nack { tag: 3, requeue: true }, ack(4, false)]);
        window.settle(1, Settlement::Ack, 1);
        window.settle(2, Settlement::Ack, 1);
        assert_eq!(window.flush(1, 50), [ack(2, true)], "3 and 4 are gone on the server");
    }

    #[test]
    fn a_rejected_message_is_not_requeued() {
        let mut window = window(1);
        window.settle(1, Settlement::Reject, 0);
        assert_eq!(window.flush(0, 50), [AckFrame::Nack { tag: 1, requeue: false }]);
    }

    #[test]
    fn a_second_outcome_and_an_unknown_tag_are_ignored() {
        let mut window = window(1);
        window.settle(1, Settlement::Ack, 0);
        window.settle(1, Settlement::Requeue, 0);
        window.settle(7, Settlement::Ack, 0);
        window.settle(0, Settlement::Ack, 0);
        assert_eq!(window.flush(0, 0), [ack(1, false)]);
        window.settle(1, Settlement::Ack, 0);
        assert_eq!(window.flush(0, 0), []);
        assert!(!window.deliver(3) && !window.deliver(1) && window.deliver(2));
    }

    /// The server's side of the protocol, as far as acknowledgements go.
    #[derive(Default)]
    struct Server {
        waiting: BTreeSet<u64>,
        acked: BTreeSet<u64>,
        returned: BTreeSet<u64>,
    }

    impl Server {
        fn take(&mut self, frame: AckFrame) {
            match frame {
                AckFrame::Ack { tag, multiple } => {
                    assert!(self.waiting.contains(&tag), "unknown delivery tag {tag}");
                    let lowest = if multiple { 0 } else { tag };
                    let gone: Vec<u64> = self.waiting.range(lowest..=tag).copied().collect();
                    for tag in gone {
                        self.waiting.remove(&tag);
                        self.acked.insert(tag);
                    }
                }
                AckFrame::Nack { tag, .. } => {
                    assert!(self.waiting.remove(&tag), "unknown delivery tag {tag}");
                    self.returned.insert(tag);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn the_server_receives_exactly_what_was_settled(steps in prop::collection::vec((0_u8..10, 0_u64..200), 1..400)) {
            let (mut window, mut server) = (AckWindow::new(), Server::default());
            let (mut delivered, mut acked, mut returned) = (0_u64, BTreeSet::new(), BTreeSet::new());
            let mut settled = BTreeSet::new();
            for (now, (step, pick)) in (0_u64..).zip(steps) {
                match step {
                    0..4 => {
                        delivered += 1;
                        prop_assert!(window.deliver(delivered));
                        server.waiting.insert(delivered);
                    }
                    4..9 if delivered > 0 => {
                        let tag = 1 + pick % delivered;
                        let outcome = if step == 8 { Settlement::Requeue } else { Settlement::Ack };
                        window.settle(tag, outcome, now);
                        if settled.insert(tag) {
                            if step == 8 { returned.insert(tag) } else { acked.insert(tag) };
                        }
                    }
                    _ => window.flush(now, pick % 20).into_iter().for_each(|frame| server.take(frame)),
                }
                prop_assert!(server.acked.is_subset(&acked), "acknowledged what was not settled");
            }
            window.flush(u64::MAX, 0).into_iter().for_each(|frame| server.take(frame));
            prop_assert_eq!(&server.acked, &acked);
            prop_assert_eq!(&server.returned, &returned);
            prop_assert_eq!(window.outstanding(), server.waiting.len());
            prop_assert_eq!(window.unsent(), 0);
        }
    }
}
