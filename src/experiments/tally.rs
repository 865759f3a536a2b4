//! What became of customers: when they came, how often they asked, when they were served. Pure.

/// A customer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Visit {
    /// When they came, in seconds since the beginning.
    pub(super) came_s: f64,
    /// How often they have asked.
    pub(super) attempts: u32,
    /// When they were served or gave up; `None` before that.
    pub(super) ended_s: Option<f64>,
    /// Whether they were served.
    pub(super) served: bool,
}

/// All customers of one arm. As many as the experiment plans, so bounded.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    /// When each attempt was made, in order.
    attempts_s: Vec<f64>,
    visits: Vec<Visit>,
}

impl Tally {
    /// Somebody comes; answers who that is.
    pub(super) fn came(&mut self, came_s: f64) -> usize {
        self.visits.push(Visit { came_s, attempts: 0, ended_s: None, served: false });
        self.visits.len() - 1
    }

    /// They ask.
    pub(super) fn asked(&mut self, who: usize, at_s: f64) {
        self.attempts_s.push(at_s);
        if let Some(visit) = self.visits.get_mut(who) {
            visit.attempts += 1;
        }
    }

    /// They leave, served or not.
    pub(super) fn left(&mut self, who: usize, served: bool, at_s: f64) {
        if let Some(visit) = self.visits.get_mut(who) {
            (visit.ended_s, visit.served) = (Some(at_s), served);
        }
    }

    /// All attempts.
    pub(super) const fn attempts(&self) -> usize {
        self.attempts_s.len()
    }

    /// Attempts in the second that ends then.
    pub(super) fn attempts_per_s(&self, until_s: f64) -> f64 {
        count(self.attempts_s.iter().filter(|at| is_in_second(**at, until_s)).count())
    }

    /// The most attempts in any second.
    pub(super) fn peak_per_s(&self) -> f64 {
        self.attempts_s.iter().map(|at| self.attempts_per_s(*at)).fold(0.0, f64::max)
    }

    /// Customers who left in the second that ends then, served or not.
    pub(super) fn left_per_s(&self, served: bool, until_s: f64) -> f64 {
        count(self.left_in_second(until_s).filter(|visit| visit.served == served).count())
    }

    /// The median of how long those took who left in the second that ends then, in milliseconds.
    pub(super) fn median_ms(&self, until_s: f64) -> Option<f64> {
        median(self.left_in_second(until_s).filter_map(took_ms).collect())
    }

    fn left_in_second(&self, until_s: f64) -> impl Iterator<Item = &Visit> {
        self.visits.iter().filter(move |visit| visit.ended_s.is_some_and(|at| is_in_second(at, until_s)))
    }

    /// Those who came from one time until before another.
    pub(super) fn who_came(&self, from_s: f64, to_s: f64) -> Came {
        let came: Vec<&Visit> =
            self.visits.iter().filter(|visit| (from_s..to_s).contains(&visit.came_s)).collect();
        let ended: Vec<f64> = came.iter().copied().filter_map(took_ms).collect();
        Came {
            all: came.len(),
            served: came.iter().filter(|visit| visit.served).count(),
            median_ms: median(ended),
        }
    }

    /// The first time, not before this one, from which on everybody who came within `hold_s` was served at the first attempt, but for
    /// one in twenty. `None` if there is none before `end_s`.
    pub(super) fn recovered_at(&self, from_s: f64, end_s: f64, hold_s: f64) -> Option<f64> {
        let starts = self.visits.iter().map(|visit| visit.came_s);
        starts.filter(|start| *start >= from_s && start + hold_s <= end_s).find(|start| {
            let came = self.visits.iter().filter(|visit| (*start..start + hold_s).contains(&visit.came_s));
            let (mut all, mut well) = (0_usize, 0_usize);
            for visit in came {
                all += 1;
                well += usize::from(visit.served && visit.attempts == 1);
            }
            well * 20 >= all * 19
        })
    }
}

/// Those who came in a stretch of time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Came {
    /// How many.
    pub(super) all: usize,
    /// How many of them were served.
    pub(super) served: usize,
    /// The median of how long they took, in milliseconds, served or not.
    pub(super) median_ms: Option<f64>,
}

fn is_in_second(at: f64, until_s: f64) -> bool {
    at <= until_s && at > until_s - 1.0
}

fn took_ms(visit: &Visit) -> Option<f64> {
    visit.ended_s.map(|ended| (ended - visit.came_s) * 1e3)
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

fn count(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::from(u32::MAX), f64::from)
}

/// `1.4 s`.
pub(super) fn seconds(seconds: f64) -> String {
    format!("{seconds:.1} s")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A customer every tenth of a second; those from 2 s to 4 s are not served, those until 5 s at the second attempt.
    fn tally() -> Tally {
        let mut tally = Tally::default();
        for n in 0..100_u32 {
            let came = f64::from(n) / 10.0;
            let who = tally.came(came);
            tally.asked(who, came);
            match came {
                2.0..4.0 => tally.left(who, false, came + 1.0),
                4.0..5.0 => {
                    tally.asked(who, came + 0.5);
                    tally.left(who, true, came + 0.6);
                }
                _ => tally.left(who, true, came + 0.1),
            }
        }
        tally
    }

    #[test]
    fn what_became_of_customers_is_counted() {
        let tally = tally();
        assert_eq!((tally.attempts(), tally.peak_per_s()), (110, 20.0));
        assert_eq!((tally.attempts_per_s(1.95), tally.attempts_per_s(0.0)), (10.0, 1.0));
        assert_eq!((tally.left_per_s(false, 3.5), tally.left_per_s(true, 1.55)), (6.0, 10.0));
        let came = tally.who_came(2.0, 4.0);
        assert_eq!((came.all, came.served), (20, 0));
        assert!((came.median_ms.expect("some") - 1_000.0).abs() < 1e-6);
        assert_eq!(tally.who_came(50.0, 60.0), Came { all: 0, served: 0, median_ms: None });
        assert!((tally.median_ms(1.55).expect("some") - 100.0).abs() < 1e-6);
    }

    #[test]
    fn recovered_is_who_is_served_at_once_again() {
        let tally = tally();
        let at = tally.recovered_at(2.0, 10.0, 1.5).expect("it recovers");
        assert!((4.9..=5.0).contains(&at), "{at}");
        assert_eq!(tally.recovered_at(2.0, 5.5, 1.5), None, "the end is too near");
        assert_eq!(tally.recovered_at(0.0, 10.0, 1.5), Some(0.0));
    }
}
