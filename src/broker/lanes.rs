//! A queue with two lanes, shared by both adapters: the embedded broker's queue, and the one in which RabbitMQ's deliveries wait for
//! a worker. It knows nothing of brokers and starts no tasks.

use std::collections::VecDeque;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::domain::submission::Lane;

/// Of this many items taken while both lanes have some, one comes from the bulk lane.
const BULK_TURN: u32 = 4;

/// Two first-in-first-out lanes behind one lock that is never held across an await.
#[derive(Debug)]
pub(super) struct LaneQueue<T> {
    lanes: Mutex<Lanes<T>>,
    capacity: usize,
    arrived: Notify,
    // One per lane: a permit must not be spent on somebody who waits for the other lane.
    interactive_room: Notify,
    bulk_room: Notify,
}

#[derive(Debug)]
struct Lanes<T> {
    interactive: VecDeque<T>,
    bulk: VecDeque<T>,
    turn: u32,
    open: bool,
    paused: bool,
}

impl<T> Lanes<T> {
    const fn lane(&mut self, lane: Lane) -> &mut VecDeque<T> {
        match lane {
            Lane::Interactive => &mut self.interactive,
            Lane::Bulk => &mut self.bulk,
        }
    }

    fn is_empty(&self) -> bool {
        self.interactive.is_empty() && self.bulk.is_empty()
    }

    fn next(&mut self) -> Option<T> {
        if self.interactive.is_empty() || self.bulk.is_empty() {
            return self.interactive.pop_front().or_else(|| self.bulk.pop_front());
        }
        self.turn = (self.turn + 1) % BULK_TURN;
        if self.turn == 0 { self.bulk.pop_front() } else { self.interactive.pop_front() }
    }
}

/// The queue was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct QueueClosed;

impl<T> LaneQueue<T> {
    /// An open queue with room for `capacity` items in each lane.
    pub(super) fn new(capacity: usize) -> Self {
        let lanes =
            Lanes { interactive: VecDeque::new(), bulk: VecDeque::new(), turn: 0, open: true, paused: false };
        Self {
            lanes: Mutex::new(lanes),
            capacity,
            arrived: Notify::new(),
            interactive_room: Notify::new(),
            bulk_room: Notify::new(),
        }
    }

    /// Appends an item as soon as its lane has room. Cancelled before that, the item is not in the queue.
    pub(super) async fn push(&self, lane: Lane, item: T) -> Result<(), QueueClosed> {
        let room = match lane {
            Lane::Interactive => &self.interactive_room,
            Lane::Bulk => &self.bulk_room,
        };
        let mut item = Some(item);
        loop {
            {
                let mut lanes = self.lanes.lock();
                if !lanes.open {
                    room.notify_one();
                    return Err(QueueClosed);
                }
                let queue = lanes.lane(lane);
                if queue.len() < self.capacity {
                    queue.extend(item.take());
                    self.arrived.notify_one();
                    // One permit stands for any amount of room, so its user passes it on.
                    room.notify_one();
                    return Ok(());
                }
            }
            room.notified().await;
        }
    }

    /// Appends items whatever the capacity: for those whose number is bounded elsewhere. Dropped if the queue is closed.
    pub(super) fn push_now(&self, lane: Lane, items: impl IntoIterator<Item = T>) {
        let mut lanes = self.lanes.lock();
        if lanes.open {
            lanes.lane(lane).extend(items);
            self.arrived.notify_one();
        }
    }

    /// Waits for at least one item, then takes what is there, up to `max` (at least 1). Safe to cancel.
    pub(super) async fn pop(&self, max: usize) -> Result<Vec<T>, QueueClosed> {
        loop {
            {
                let mut lanes = self.lanes.lock();
                if !lanes.open {
                    self.arrived.notify_one();
                    return Err(QueueClosed);
                }
                if !lanes.paused && !lanes.is_empty() {
                    let taken: Vec<T> = std::iter::from_fn(|| lanes.next()).take(max.max(1)).collect();
                    if !lanes.is_empty() {
                        self.arrived.notify_one();
                    }
                    self.interactive_room.notify_one();
                    self.bulk_room.notify_one();
                    return Ok(taken);
                }
            }
            self.arrived.notified().await;
        }
    }

    /// While paused nothing is taken.
    pub(super) fn set_paused(&self, paused: bool) {
        self.lanes.lock().paused = paused;
        self.arrived.notify_one();
    }

    /// Takes out every item that fits. The caller drops them, outside the lock: a dropped item may want to come back.
    pub(super) fn remove(&self, fits: impl Fn(&T) -> bool) -> Vec<T> {
        let mut lanes = self.lanes.lock();
        let mut removed = Vec::new();
        for lane in [Lane::Interactive, Lane::Bulk] {
            let queue = std::mem::take(lanes.lane(lane));
            let (out, kept): (VecDeque<T>, VecDeque<T>) = queue.into_iter().partition(|item| fits(item));
            *lanes.lane(lane) = kept;
            removed.extend(out);
        }
        removed
    }

    /// Ends every wait and refuses everything from now on. Returns what was left.
    pub(super) fn close(&self) -> Vec<T> {
        self.lanes.lock().open = false;
        self.arrived.notify_one();
        self.interactive_room.notify_one();
        self.bulk_room.notify_one();
        self.remove(|_| true)
    }

    /// Items waiting in the interactive and in the bulk lane.
    pub(super) fn len(&self) -> (usize, usize) {
        let lanes = self.lanes.lock();
        (lanes.interactive.len(), lanes.bulk.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::time::Duration;
    use tokio::time::timeout;

    #[tokio::test]
    async fn bulk_gets_one_turn_in_four_and_neither_lane_starves() {
        let queue = LaneQueue::new(1_000);
        queue.push_now(Lane::Bulk, (0..500).map(|n| (Lane::Bulk, n)));
        queue.push_now(Lane::Interactive, (0..500).map(|n| (Lane::Interactive, n)));
        let first = queue.pop(100).await.unwrap();
        assert_eq!(first.iter().filter(|(lane, _)| *lane == Lane::Bulk).count(), 25);
        let singles = [queue.pop(1).await, queue.pop(1).await, queue.pop(1).await, queue.pop(1).await];
        assert_eq!(singles.iter().filter(|one| one.as_ref().unwrap()[0].0 == Lane::Bulk).count(), 1);
        let bulk: Vec<i32> =
            first.iter().filter(|(lane, _)| *lane == Lane::Bulk).map(|(_, number)| *number).collect();
        assert_eq!(bulk, (0..25).collect::<Vec<i32>>(), "order within a lane");
    }

    #[tokio::test]
    async fn a_full_lane_holds_up_its_own_publishers_only() {
        let queue = Arc::new(LaneQueue::new(2));
        for n in 0..2 {
            queue.push(Lane::Bulk, n).await.unwrap();
        }
        assert!(timeout(Duration::from_millis(20), queue.push(Lane::Bulk, 2)).await.is_err());
        queue.push(Lane::Interactive, 9).await.unwrap();
        let waiting = tokio::spawn({
            let queue = queue.clone();
            async move { queue.push(Lane::Bulk, 3).await }
        });
        assert_eq!(queue.pop(3).await.unwrap(), [9, 0, 1]);
        waiting.await.unwrap().unwrap();
        assert_eq!(queue.pop(3).await.unwrap(), [3]);
    }

    #[tokio::test]
    async fn many_takers_and_many_givers_lose_nothing() {
        let queue = Arc::new(LaneQueue::new(3));
        let mut tasks = tokio::task::JoinSet::new();
        for giver in 0..8_u32 {
            let queue = queue.clone();
            tasks.spawn(async move {
                for n in 0..200_u32 {
                    let lane = if n % 2 == 0 { Lane::Bulk } else { Lane::Interactive };
                    queue.push(lane, giver * 1_000 + n).await.unwrap();
                }
                Vec::new()
            });
        }
        for _ in 0..4 {
            let queue = queue.clone();
            tasks.spawn(async move {
                let mut all = Vec::new();
                while let Ok(Ok(some)) = timeout(Duration::from_millis(300), queue.pop(2)).await {
                    all.extend(some);
                }
                all
            });
        }
        let mut all = tasks.join_all().await.concat();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 1_600);
    }

    #[tokio::test]
    async fn closing_ends_every_wait() {
        let queue = Arc::new(LaneQueue::new(1));
        queue.push(Lane::Bulk, 1).await.unwrap();
        queue.set_paused(true);
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..6 {
            let queue = queue.clone();
            tasks.spawn(async move {
                if n % 2 == 0 {
                    queue.pop(1).await.is_err()
                } else {
                    queue.push(Lane::Bulk, n).await.is_err()
                }
            });
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(queue.close(), [1]);
        assert_eq!(tasks.join_all().await, [true; 6]);
    }
}
