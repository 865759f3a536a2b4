//! Shares one audit among readers: stretches of keys are cut in two whenever a reader has nothing to do.

use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::{Condvar, Mutex};

/// Keys after `after` and up to `upto`, which are bytes in the order that the store sorts them in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span<const N: usize> {
    /// The key before the first; `None` from the very first on.
    pub after: Option<[u8; N]>,
    /// The last.
    pub upto: [u8; N],
}

impl<const N: usize> Span<N> {
    /// Every key.
    pub const ALL: Self = Self { after: None, upto: [0xff; N] };

    /// Gives the later half of what is left after `position` away; `None` if that is too little.
    pub fn cut(&mut self, position: [u8; N]) -> Option<Self> {
        let middle = middle(position, self.upto);
        if middle <= position || middle >= self.upto {
            return None;
        }
        let later = Self { after: Some(middle), upto: self.upto };
        self.upto = middle;
        Some(later)
    }
}

/// Half the sum of two numbers, big end first.
pub fn middle<const N: usize>(low: [u8; N], high: [u8; N]) -> [u8; N] {
    let mut sum = [0_u16; N];
    let mut carry = 0_u16;
    for ((sum, low), high) in sum.iter_mut().zip(low).zip(high).rev() {
        let all = u16::from(low) + u16::from(high) + carry;
        (*sum, carry) = (all & 0xff, all >> 8);
    }
    let mut half = [0_u8; N];
    for (half, sum) in half.iter_mut().zip(sum) {
        let all = (carry << 8) | sum;
        *half = u8::try_from(all / 2).unwrap_or(u8::MAX);
        carry = all % 2;
    }
    half
}

/// A stretch of a long table, or all of some short ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Job {
    /// Payments with their movements and documents, by id.
    Payments(Span<16>),
    /// The journal, by position.
    Journal(Span<8>),
    /// Idempotency rows, by key.
    Keys(Span<32>),
    /// Rows of parts, all of them.
    Parts,
    /// Lists of payments by owner.
    Owners,
    /// Receipts, all of them.
    Receipts,
    /// Plain resources, answers kept for their changes, and lists of customers' payments, all of them.
    Resources,
    /// Details, all of them.
    Details,
    /// What is stored about people and the installation.
    People,
}

/// The jobs that nobody has taken, and the readers that wait for some.
#[derive(Debug, Default)]
pub struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    idle: AtomicUsize,
}

#[derive(Debug, Default)]
struct State {
    jobs: Vec<Job>,
    working: usize,
    given_up: bool,
}

impl Queue {
    /// A queue with these jobs; the last is taken first.
    pub fn new(jobs: Vec<Job>) -> Self {
        Self { state: Mutex::new(State { jobs, ..State::default() }), ..Self::default() }
    }

    /// Takes a job, waiting while others may still give some away; `None` once all is done. Blocks the thread.
    pub fn take(&self) -> Option<Job> {
        let mut state = self.state.lock();
        loop {
            if state.given_up {
                return None;
            }
            if let Some(job) = state.jobs.pop() {
                state.working += 1;
                return Some(job);
            }
            if state.working == 0 {
                return None;
            }
            self.idle.fetch_add(1, Ordering::Relaxed);
            self.changed.wait(&mut state);
            self.idle.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Whether somebody waits for a job.
    pub fn is_waited_for(&self) -> bool {
        self.idle.load(Ordering::Relaxed) > 0
    }

    /// Gives a job away.
    pub fn give(&self, job: Job) {
        self.state.lock().jobs.push(job);
        self.changed.notify_one();
    }

    /// A job that was taken is done.
    pub fn done(&self) {
        self.state.lock().working -= 1;
        self.changed.notify_all();
    }

    /// Ends the queue for all readers, since something cannot be read.
    pub fn give_up(&self) {
        self.state.lock().given_up = true;
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_cut_in_the_middle_until_nothing_is_left() {
        assert_eq!(middle([0x00, 0x01], [0x01, 0x00]), [0x00, 0x80]);
        assert_eq!(middle([0xff, 0xff], [0xff, 0xff]), [0xff, 0xff]);
        assert_eq!(middle([0xff, 0xfe], [0xff, 0xff]), [0xff, 0xfe]);
        let mut span = Span { after: None, upto: 1_000_u64.to_be_bytes() };
        let later = span.cut(200_u64.to_be_bytes()).unwrap();
        assert_eq!(span, Span { after: None, upto: 600_u64.to_be_bytes() });
        assert_eq!(later, Span { after: Some(600_u64.to_be_bytes()), upto: 1_000_u64.to_be_bytes() });
        assert_eq!(span.cut(599_u64.to_be_bytes()), None);
        assert_eq!(span.cut(600_u64.to_be_bytes()), None);
    }

    #[test]
    fn a_queue_ends_when_nobody_can_give_any_more() {
        let queue = Queue::new(vec![Job::Parts, Job::Receipts]);
        assert_eq!(queue.take(), Some(Job::Receipts));
        assert_eq!(queue.take(), Some(Job::Parts));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                let job = queue.take();
                queue.done();
                (job, queue.take())
            });
            while !queue.is_waited_for() {
                std::thread::yield_now();
            }
            queue.give(Job::Keys(Span::ALL));
            queue.done();
            queue.done();
            assert_eq!(waiting.join().unwrap(), (Some(Job::Keys(Span::ALL)), None));
        });
        let queue = Queue::new(vec![Job::Parts]);
        queue.give_up();
        assert_eq!(queue.take(), None);
    }
}
